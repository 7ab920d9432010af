/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clock of a capture that is set while it runs, forward or back, and packets whose own time stamp is wrong.
 */
#ifndef TCPFIN_HISTORY_CLOCK_H
#define TCPFIN_HISTORY_CLOCK_H

#include "tests/histories/native/truth.h"

#define CLOCK_HISTORIES 512 /* in one capture */

/* A segment in the capture. */
struct frame {
	uint64_t time;    /* ns: when it passed */
	uint64_t stamp;   /* ns: what the capture says */
	uint32_t history; /* of those in the table */
	bool wrong;       /* its stamp is far from those around it, and no setting of the clock */
	const struct sent *s;
};

struct history_clock {
	unsigned sets;  /* how often the clock was set */
	unsigned wrong; /* frames whose stamp is wrong */
};

/*
 * Stamps the frames, which are in the order of time. spans: by history, zeroed: the clock was set between two of its
 * frames. jumps: zeroed: a frame of it has a wrong stamp.
 */
struct history_clock clock_stamp(struct frame *frames, size_t n, struct random *random, bool *spans, bool *jumps);
/* The fields that times decide, of a history whose record would have those. */
uint32_t clock_fields(const struct fields *t);

#endif
