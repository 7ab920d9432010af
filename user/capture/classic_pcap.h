/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of the first format of libpcap (pcap-savefile(5)), with micro- or nanoseconds, in either byte order.
 */
#ifndef TCPFIN_CLASSIC_PCAP_H
#define TCPFIN_CLASSIC_PCAP_H

#include "user/base/input_file.h"
#include "user/capture/captured_packet.h"

/* More captured bytes than libpcap allows a packet: a larger length is an error of the file. */
#define CLASSIC_LONGEST 262144

/* In which order a packet's header has its two lengths. */
enum length_order { CAPTURED_FIRST, CAPTURED_SECOND, CAPTURED_SMALLER };

struct classic_pcap {
	const struct link_type *link_type;
	uint32_t tick;       /* ns in the unit of a packet header's second word */
	uint32_t header_len; /* of each packet */
	uint32_t snaplen;
	bool swapped; /* numbers are in the byte order that this host does not have */
	enum length_order lengths;
};

/* Is this the beginning of such a file? head: its first four bytes. */
bool classic_pcap_begins(const uint8_t *head);
/* Reads the file header. 0, or a negative errno with the reason in `in`; -EPROTONOSUPPORT: another link type. */
int classic_pcap_start(struct classic_pcap *c, struct input_file *in);
/* The next frame, its link header still on: 1, 0 at the end, or a negative errno with the reason in `in`. */
int classic_pcap_next(const struct classic_pcap *c, struct input_file *in, struct captured_packet *p);

#endif
