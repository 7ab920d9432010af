/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets from a capture file (pcap, pcapng) or from stdin, with their link headers understood.
 */
#ifndef TCPFIN_PCAP_FILE_H
#define TCPFIN_PCAP_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/core/packet.h"

struct pcap_file;

struct captured_packet {
	struct cursor bytes; /* owned by the source, valid until the next call */
	struct packet_meta meta;
	uint64_t time;    /* ns since 1970 */
	uint32_t ifindex; /* of SLL2 captures, else 0 */
};

/*
 * Opens path ("-": stdin), and reads nothing of it yet. 0, or a negative errno with one line in error that says what to
 * do: no such file, a directory, a terminal.
 */
int pcap_file_open(struct pcap_file **source, const char *path, char *error, size_t error_size);
/*
 * Reads the file's head, once. 0, or as above: no capture, gzip (says how to unpack), unsupported link type (with its
 * number and name).
 */
int pcap_file_start(struct pcap_file *source, char *error, size_t error_size);
/*
 * The next packet: 1, 0 at the end of the file, or a negative errno with a line in error (file cut in the middle of a
 * packet, mixed link types, broken block). A packet whose link header is cut is returned with an empty cursor.
 */
int pcap_file_next(struct pcap_file *source, struct captured_packet *p, char *error, size_t error_size);
void pcap_file_close(struct pcap_file *source);

#endif
