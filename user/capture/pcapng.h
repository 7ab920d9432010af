/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcapng files (draft-ietf-opsawg-pcapng): sections of either byte order, interfaces of several link types, packet
 * blocks of all three kinds. Other blocks are passed over.
 */
#ifndef TCPFIN_PCAPNG_H
#define TCPFIN_PCAPNG_H

#include "user/base/input_file.h"
#include "user/capture/captured_packet.h"

struct pcapng_interface;

/* Packets of a link type that is not read. */
struct pcapng_unread {
	uint32_t link;
	uint64_t packets;
};

#define PCAPNG_UNREAD_LINKS 16 /* told apart; those of any further link type are counted together */

struct pcapng {
	bool swapped;                        /* this section has the byte order that this host does not have */
	struct pcapng_interface *interfaces; /* of all sections */
	uint32_t count, room;                /* of interfaces: described so far; allocated */
	uint32_t section;                    /* the first interface of this section */
	bool readable;                       /* an interface has a link type that is read */
	struct pcapng_unread unread[PCAPNG_UNREAD_LINKS];
	uint32_t unread_links;  /* of them in use */
	uint64_t end;           /* ns: when the capture ended, by its statistics; 0: they do not tell */
	uint64_t unread_others; /* packets of further link types */
};

/* Is this the beginning of such a file? head: its first four bytes. */
bool pcapng_begins(const uint8_t *head);
/* Reads the first block of a zeroed ng, the section's header. 0, or a negative errno with the reason in `in`. */
int pcapng_start(struct pcapng *ng, struct input_file *in);
/*
 * The next frame, its link header still on: 1, 0 at the end, or a negative errno with the reason in `in`. A frame whose
 * link type is not read has link_type_unread; when no interface has another one, the result is -EPROTONOSUPPORT
 * instead.
 */
int pcapng_next(struct pcapng *ng, struct input_file *in, struct captured_packet *p);
/* The name of an interface (struct captured_packet), as the file has it; NULL where it has none. Owned by ng. */
const char *pcapng_interface_name(const struct pcapng *ng, uint32_t interface);
void pcapng_describe_interface(const struct pcapng *ng, uint32_t interface, uint32_t *link, uint32_t *snaplen);
/*
 * Packets so far whose link type is not read. If there are any, text is a line about them: each link type, with its
 * number of packets.
 */
uint64_t pcapng_describe_unread(const struct pcapng *ng, char *text, size_t size);
void pcapng_free(struct pcapng *ng);

#endif
