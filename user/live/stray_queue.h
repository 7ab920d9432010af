/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stray RSTs that wait until what they belong to is known. One that several interfaces see is told of once.
 */
#ifndef TCPFIN_STRAY_QUEUE_H
#define TCPFIN_STRAY_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/core/stray.h"
#include "user/judge/due.h"

#define STRAY_QUEUE 512 /* more than the kernel tells of meanwhile */

struct stray_queue {
	struct stray *list; /* a ring; NULL: strays are not told of; owned */
	uint32_t in, out;   /* put in, and taken out: modulo STRAY_QUEUE their places */
	/* Are the interfaces of one network namespace? */
	bool (*one_network)(const void *context, uint32_t a, uint32_t b);
	const void *context;
};

/* 0 or -ENOMEM. */
int stray_queue_begin(struct stray_queue *q);
void stray_queue_free(struct stray_queue *q);

/* False: there is no room. */
bool stray_queue_put(struct stray_queue *q, const struct stray *x);

/*
 * Takes the oldest stray that came by the time `until` (ns), and with it what further interfaces saw of it. Returns how
 * many they were, or -1 where none is due. at: set to the interfaces, the first one first.
 */
int stray_queue_take(struct stray_queue *q, uint64_t until, struct stray *x, struct flow_interfaces *at);

#endif
