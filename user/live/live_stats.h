/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What watching costs on this host: one line a second (--stats), or one on SIGUSR1.
 */
#ifndef TCPFIN_LIVE_STATS_H
#define TCPFIN_LIVE_STATS_H

#include "bpf/core/watch.h"
#include "user/base/buffer.h"
#include "user/monitoring/metrics.h"
#include "user/record/counters.h"

struct live_stats {
	uint64_t counters[COUNTERS];
	uint64_t established, established_max; /* table fill and size */
	uint64_t closing, closing_max;
	uint64_t settling; /* finished connections that settle */
	uint64_t records;  /* reported */
	struct metrics_program programs[METRICS_PROGRAMS];
	unsigned program_count;
};

/* Adds what the kernel counts of the program. program: a descriptor; of -1 nothing is added. */
void live_stats_read_program(struct live_stats *s, int program);

/* The same for metrics. now->time and the process's own figures stay as they are. */
void live_stats_observe(const struct live_stats *s, struct metrics_now *now);

/*
 * Appends the line: rates since `before` over `seconds` (counts alone when that is 0). watch: the filter as it is.
 */
void live_stats_print(struct buffer *out, const struct live_stats *now, const struct live_stats *before, double seconds,
		      const struct watch *watch);

#endif
