/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who holds a socket: inode numbers to processes, through /proc/PID/fd, once for a whole snapshot.
 */
#ifndef TCPFIN_SOCKET_HOLDERS_H
#define TCPFIN_SOCKET_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process {
	int pid;
	uint32_t uid;
	char name
		[64]; /* as the process calls itself: any bytes, for printers to escape; "" if it went before we read it */
};

struct socket_holder {
	uint32_t inode;
	unsigned holders; /* how many processes hold it; 0: none was found */
	unsigned process; /* index of the one that was found first; only with holders */
	int last;         /* pid of the one that was found last */
};

struct socket_holders {
	struct socket_holder *holder; /* by inode; owned */
	size_t holder_count;
	struct process *list; /* owned */
	size_t count, room;
	unsigned denied;                  /* processes that we may not look into */
	size_t links;                     /* looked at */
	void (*meanwhile)(void *context); /* called every so many links, since there may be very many; or NULL */
	void *context;
};

/* Asks for a socket's holder; an inode of 0 is nobody's. 0 or -ENOMEM. */
int socket_holders_want(struct socket_holders *p, uint32_t inode);
/* Looks up all that was asked for. proc: "/proc". 0, or a negative errno where that cannot be read. */
int socket_holders_find(struct socket_holders *p, const char *proc);
/* NULL where nobody was found. holders, if not NULL: how many there are. */
const struct process *socket_holders_holder(const struct socket_holders *p, uint32_t inode, unsigned *holders);
void socket_holders_free(struct socket_holders *p);

#endif
