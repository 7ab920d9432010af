/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program before ours on the interfaces of several network namespaces: there an ifindex is not unique, so a number
 * stands for each interface in the recorder's keys.
 */
#ifndef TCPFIN_ENTRY_PROGRAM_H
#define TCPFIN_ENTRY_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

/* Descriptors of the loaded object's maps, and of what its programs are like. */
struct entry_maps {
	int scratch;          /* tcpfin_scratch, whose first member is the number */
	int jumps_x, jumps_t; /* the arrays of programs for XDP and tc; tcpfin_jumps_x and tcpfin_jumps_t */
	bool xdp_frags;       /* the XDP programs take packets in several buffers */
};

/* Which of our programs it jumps to. */
enum entry { ENTRY_XDP, ENTRY_TC, ENTRY_TC_L3, ENTRY_TC_CLOSE, ENTRIES };

/* Loads it. Needs CAP_BPF and CAP_NET_ADMIN. A descriptor, the caller's, or a negative errno. */
int entry_program_load(const struct entry_maps *maps, enum entry entry, uint32_t number);

#endif
