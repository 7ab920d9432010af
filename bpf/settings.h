/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the loader tells the BPF object: constants fixed before loading. Both worlds.
 */
#ifndef TCPFIN_SETTINGS_H
#define TCPFIN_SETTINGS_H

#include "bpf/core/flow_hash.h"

/* In .rodata, so that the verifier sees constants and what is off is dead code. */
struct settings {
	struct flow_hash_key hash_key;
	__u64 tick;         /* ns: how exact the coarse clock is that --all-segments reads; 0: as the other one */
	__u32 set_mask;     /* sets - 1; sets are a power of two */
	__u32 slots_mask;   /* of the ring of free slots: places - 1 */
	__u32 closing_mask; /* of that of free blocks for closes */
	__u32 opening_mask; /* of that of free blocks for what opens */
	__u32 openings;     /* connections that may be opening in one set */
	__u32 max_established;
	__u32 last_seen_mask;
	__u32 lost_mask;     /* sets of lost connections - 1 */
	__u32 count_packets; /* --stats */
	__u32 test_clock;    /* tests only: time is what test_now says */
	__u32 all_segments;  /* --all-segments */
	__u32 strays;        /* --strays */
	__u32 answers;       /* several interfaces: RSTs that may answer a SYN at another one are told of as well */
	__u32 packets;       /* -w: packets that open and close connections are kept */
	__u32 numbered;      /* the program before has set the interface's number in the scratch memory */
	__u32 close_at_tc;   /* the XDP program leaves FINs and RSTs to the one at tc ingress behind it */
};

/* Places in the arrays of programs that are jumped to. */
enum jump {
	JUMP_TRACK,
	JUMP_WALK,
	JUMP_QUOTED,
	/* From the program that numbers an interface (user/attach/entry_program.c) to the one on its hook. */
	JUMP_HOOK,
	JUMP_HOOK_L3,
	JUMP_HOOK_CLOSE,
	JUMPS
};

/* The free lists in the object's memory, in this order. */
enum spare { SPARE_SLOTS, SPARE_CLOSING, SPARE_OPENING, SPARES };

#endif
