/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host build of the core around user/flow_table.c, opened so far that its watch cells can be seen.
 */
#ifndef TCPFIN_TEST_HOST_H
#define TCPFIN_TEST_HOST_H

#include "../../user/flow_table.h"
#include "frames.h"
#include "reports.h"

/* What a hook hands to the parser. */
struct hook_packet {
	const uint8_t *data;
	uint32_t len;
	uint64_t time;
	enum packet_link link;
	bool gso;
};

struct host {
	struct flow_table *table;
	uint64_t counters[COUNTERS];
	struct reports *reports; /* the caller's */
};

/* Added to every cell where conversations are saturated: the filter then lets no segment pass. */
#define SATURATED (WATCH_UNPROVEN + WATCH_CLOSING)

void host_open(struct host *h, const struct flow_timeouts *timeouts, uint64_t hash_seed, struct reports *reports);
void host_close(struct host *h);
enum packet_verdict host_parse(const struct hook_packet *p, struct tcp_segment *s);
/* Returns whether the segment went to the tables. */
bool host_take(struct host *h, struct tcp_segment *s, uint32_t ifindex);
/* Is something due at this time? */
bool host_due(const struct host *h, uint64_t now);
void host_expire(struct host *h, uint64_t now);
/* Reports everything, established flows included. */
void host_finish(struct host *h);

struct watch_cell host_cell(const struct host *h, uint32_t hash);
void host_saturate(struct host *h, uint32_t hash);

#endif
