/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets as the programs take them, and conversations: packets in the order of a hook.
 */
#ifndef TCPFIN_TEST_FRAMES_H
#define TCPFIN_TEST_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame {
	uint64_t time; /* ns */
	uint8_t *
		data; /* an Ethernet frame in memory of its exact length, so that a sanitizer detects reads behind it */
	uint32_t len;
	bool gso;  /* tc only: a super-packet */
	bool late; /* the reader does not poll the ring after this packet */
};

struct conversation {
	struct frame *frames;
	size_t count, room;
	char *origin;   /* the capture it comes from; the pool owns it */
	bool timed;     /* time-outs end flows; otherwise only the end of the conversation does */
	bool saturated; /* every segment goes to the tables, whatever the watch filter says */
};

/* Takes a copy of the bytes. */
void conversation_add(struct conversation *c, uint64_t time, const uint8_t *data, uint32_t len);
/* Appends copies of n frames from `first` on. */
void conversation_append(struct conversation *c, const struct conversation *from, size_t first, size_t n);
/* New bytes are 0. */
void frame_resize(struct frame *f, uint32_t len);
void conversation_remove(struct conversation *c, size_t at);
void conversation_free(struct conversation *c);
/* Makes times never go backwards. */
void conversation_sort_times(struct conversation *c);

/* Conversations by capture. */
struct pool {
	struct conversation *conversations;
	size_t count;
	size_t frames;     /* of all conversations */
	size_t unreadable; /* files that are no capture */
};

/* Adds a capture file, or every capture of a directory in the order of their names. 0, or a negative errno. */
int pool_load(struct pool *p, const char *path);
void pool_free(struct pool *p);

/* Where the headers of a frame begin. */
struct layout {
	uint32_t ip, tcp;
	bool ipv6;
};

/* Returns whether there is a whole TCP header behind plain IP; the layout is valid only then. */
bool frame_layout(const struct frame *f, struct layout *l);

#endif
