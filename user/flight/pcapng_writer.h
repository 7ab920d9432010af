/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks of a pcapng file (draft-ietf-opsawg-pcapng), appended to a buffer in this host's byte order. Each is whole.
 */
#ifndef TCPFIN_PCAPNG_WRITER_H
#define TCPFIN_PCAPNG_WRITER_H

#include "user/base/buffer.h"

#define PCAPNG_LONGEST_COMMENT 65000 /* bytes; an option's length has 16 bits. What is longer is cut */

struct pcapng_interface_block {
	uint32_t link;    /* LINKTYPE_ */
	uint32_t snaplen; /* 0: no limit */
	const char *name; /* any bytes, at most 255 are written; NULL: none */
	bool closes_only; /* see PCAPNG_CLOSES_ONLY */
};

struct pcapng_packet_block {
	uint32_t interface;   /* number of its block in the section, from 0 */
	uint64_t time;        /* ns since 1970 */
	const uint8_t *bytes; /* `captured` of them */
	uint32_t captured, length;
	unsigned direction;  /* PCAPNG_INBOUND, PCAPNG_OUTBOUND; 0: not known */
	const char *comment; /* UTF-8; NULL: none */
};

/* comment: UTF-8. */
void pcapng_put_section(struct buffer *b, const char *program, const char *comment);
/* Time stamps of its packets are ns. */
void pcapng_put_interface(struct buffer *b, const struct pcapng_interface_block *i);
/* Of that interface of the section: when its capture ended, ns since 1970. */
void pcapng_put_statistics(struct buffer *b, uint32_t interface, uint64_t end);
void pcapng_put_packet(struct buffer *b, const struct pcapng_packet_block *p);

#endif
