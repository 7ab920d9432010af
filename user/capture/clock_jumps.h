/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets whose clock was wrong: their time stamp is far from those before and behind them in the file. Such a packet
 * is judged by its numbers. It gets a time that fits into the file, which no step is measured from.
 */
#ifndef TCPFIN_CLOCK_JUMPS_H
#define TCPFIN_CLOCK_JUMPS_H

#include <stddef.h>
#include <stdint.h>

#include "user/capture/flow_table.h"

#define CLOCK_JUMP_NS 60000000000ULL /* a time stamp that is further away may have jumped */
#define CLOCK_AHEAD 8                /* packets behind it that are looked at: if none goes back, time has passed */
#define CLOCK_PAUSE_NS 31536000000000000ULL /* a year */
#define CLOCK_JUMPS_KEPT 65536              /* more are counted, and steps are measured from their new times */

struct clock_jumps {
	uint64_t last; /* ns: of the last packet whose time is believed; 0: none was */
	uint64_t *at;  /* the times given, in ascending order; owned */
	size_t count;
	uint64_t *counter; /* where all of them are counted; owned by the caller */
};

/*
 * Corrects the times of the first n of `total` packets, in the file's order. The rest, at least CLOCK_AHEAD of them
 * except at the file's end, is only looked at.
 */
void clock_jumps_take(struct clock_jumps *j, struct flow_input *in, unsigned n, unsigned total);
void clock_jumps_free(struct clock_jumps *j);

#endif
