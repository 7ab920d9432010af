/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the loader tells the BPF object: constants fixed before loading, and the request to a sweep. Both worlds.
 */
#ifndef TCPFIN_SETTINGS_H
#define TCPFIN_SETTINGS_H

#include "bpf/core/flow.h"

/* In .rodata, so that the verifier sees constants and what is off is dead code. */
struct settings {
	__u64 hash_seed;
	__u32 unproven_mask; /* sets - 1; sets are a power of two */
	__u32 count_packets; /* --stats */
	__u32 test_clock;    /* tests only: time is what test_now says */
	__u32 all_segments;  /* --all-segments */
};

/* Places in the arrays of programs that are jumped to. */
enum jump { JUMP_TRACK, JUMP_PROVEN, JUMPS };

/* What a sweep is to look for, and where. */
struct sweep_request {
	struct flow_timeouts timeouts;
	__u32 first_set, sets; /* part of the unproven table to go through */
	__u32 collect;         /* slots in which user space has written keys; beside that, no slot is in use */
	__u32 closing;         /* the table of closing flows too: what is to be reported goes into slots behind those */
	__u32 established;     /* a round of ageing for the established flows (flow_idle_round) */
	__u32 show_open;       /* report those that leave their table */
	__u32 flush;           /* the end: everything is due, and no flow stays */
};

#endif
