/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file of -w: packets and the interfaces that they are from, in files that follow each other (-C, -G, SIGHUP), each
 * complete in itself. What cannot be written is counted; the file then ends with its last whole block, and the next
 * packet is tried again.
 */
#ifndef TCPFIN_PACKET_FILE_H
#define TCPFIN_PACKET_FILE_H

#include "bpf/core/packet.h"
#include "user/flight/pcapng_writer.h"

struct packet_file;

/* A packet and its interface. */
struct packet_to_write {
	uint32_t source; /* names the interface: small numbers, dense */
	struct pcapng_interface_block from;
	struct pcapng_packet_block packet; /* its interface is not looked at */
	/* What the parser is told of it, and how many bytes come before: looked at with --anonymize only. */
	struct packet_meta meta;
	uint32_t link_bytes;
};

/* NULL where memory is short. */
struct packet_file *packet_file_new(void);
void packet_file_free(struct packet_file *f); /* NULL is nothing; does not write */
/* The comment of the section that the first file begins with, and its first line that of the others; copied. */
void packet_file_describe(struct packet_file *f, const char *comment);
/*
 * Of a connection whose packets are put next: its comment is in the comment of the section that the present file ends
 * with. That section has no packets; the first one was written before anything was known.
 */
void packet_file_conclude(struct packet_file *f, const char *comment);
/* Writes a packet, with the blocks that must come before it. Exits where memory is short. */
void packet_file_put(struct packet_file *f, const struct packet_to_write *p);
/* Notes when the capture ended (ns; 0: not known), and writes what waits. */
void packet_file_end(struct packet_file *f, uint64_t end);
/* Writes what waits, if anything does; into the next file where one is due. One without a section gets it. */
void packet_file_poll(struct packet_file *f);
/* Writes what waits in memory; a file without packets gets its first block. */
void packet_file_flush(struct packet_file *f);
/* Packets so far that could not be written. */
uint64_t packet_file_lost(const struct packet_file *f);

#endif
