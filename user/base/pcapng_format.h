/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers of the pcapng format (draft-ietf-opsawg-pcapng), for its reader and its writer.
 */
#ifndef TCPFIN_PCAPNG_FORMAT_H
#define TCPFIN_PCAPNG_FORMAT_H

#define PCAPNG_BYTE_ORDER 0x1a2b3c4d
#define PCAPNG_LEAST_BLOCK 12 /* type and total length, and the total length again */

enum pcapng_block {
	PCAPNG_INTERFACE = 1,
	PCAPNG_OLD_PACKET = 2,
	PCAPNG_SIMPLE_PACKET = 3,
	PCAPNG_STATISTICS = 5,
	PCAPNG_ENHANCED_PACKET = 6,
	PCAPNG_SECTION = 0x0a0d0d0a, /* the same in either byte order */
};

/* LINKTYPE_ numbers: an Ethernet header, the IP header first, the pseudo-headers of the "any" device. */
enum { PCAPNG_LINK_ETHERNET = 1, PCAPNG_LINK_RAW = 101, PCAPNG_LINK_SLL = 113, PCAPNG_LINK_SLL2 = 276 };

enum pcapng_option {
	PCAPNG_END = 0,
	PCAPNG_COMMENT = 1,
	PCAPNG_INTERFACE_NAME = 2,
	PCAPNG_INTERFACE_DESCRIPTION = 3,
	PCAPNG_PACKET_FLAGS = 2,
	PCAPNG_STATISTICS_END = 3, /* when the capture ended, as a packet's time stamp */
	PCAPNG_SECTION_PROGRAM = 4,
	PCAPNG_INTERFACE_RESOLUTION = 9,
	PCAPNG_INTERFACE_OFFSET = 14,
};

/*
 * Description of an interface in files that -w writes live: of the connections whose packets are from it, those are
 * here that open and close them, one connection after the other, and none of these is missing, the handshake included.
 */
#define PCAPNG_CLOSES_ONLY "tcpfin-trace: opening and closing segments"

/* The direction in PCAPNG_PACKET_FLAGS. */
enum { PCAPNG_INBOUND = 1, PCAPNG_OUTBOUND = 2 };

#endif
