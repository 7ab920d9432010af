/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One packet of a capture file, the same for every file format.
 */
#ifndef TCPFIN_CAPTURED_PACKET_H
#define TCPFIN_CAPTURED_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/core/packet.h"

struct link_type;

struct captured_packet {
	struct cursor bytes; /* owned by the file, valid until the next packet is asked for */
	struct packet_meta meta;
	struct cursor frame; /* the same with the link header, as bytes */
	uint32_t length;     /* of the frame on the wire */
	uint64_t time;       /* ns since 1970 */
	uint32_t ifindex;    /* on the capturing host; SLL2 captures only, else 0 */
	uint32_t interface;  /* number of the pcapng interface block, from 0 over all sections; 0 in pcap files */
	const struct link_type *link_type; /* never NULL */
	bool closes_only;                  /* see PCAPNG_CLOSES_ONLY */
	unsigned file;                     /* of several ones: which, from 0 */
};

#endif
