/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -w, live: the packets that opened and closed connections, as the bytes that were seen. A ring in memory that user
 * space maps: the oldest one is overwritten. Both worlds.
 */
#ifndef TCPFIN_SEEN_PACKET_H
#define TCPFIN_SEEN_PACKET_H

#include "bpf/core/core.h"

#define SEEN_PACKETS 65536 /* in the ring; a power of two */
#define SEEN_BYTES 128     /* of each: its headers with options */

struct seen_packet {
	__u64 number; /* how many were seen before, + 1; written last. 0: it is being written */
	__u64 time;   /* ns, as its segment's */
	__u32 slot;   /* of its connection: index + 1 */
	__u32 generation;
	__u32 interface; /* what stands for it in keys */
	__u32 length;    /* of the packet */
	__u16 captured;
	__u8 outgoing;
	__u8 headless; /* its Ethernet header was gone (see header_is_gone) */
	__u8 pad[4];
	__u8 bytes[SEEN_BYTES];
};
CORE_ASSERT_SIZE(struct seen_packet, 40 + SEEN_BYTES);

#endif
