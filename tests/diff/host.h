/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host build of the core: user/capture/flow_table.c, with access to its tables.
 */
#ifndef TCPFIN_TEST_HOST_H
#define TCPFIN_TEST_HOST_H

#include "user/capture/flow_table.h"
#include "tests/diff/frames.h"
#include "tests/diff/logs.h"
#include "tests/diff/reports.h"

/* What a hook hands to the parser. */
struct hook_packet {
	const uint8_t *data;
	uint32_t len;
	uint64_t time;
	enum packet_link link;
	bool gso;
};

struct host {
	struct flow_table *table; /* a new one for every conversation */
	uint64_t hash_seed;
	bool all_segments;
	uint64_t counters[COUNTERS];
};

/* The cells of a flow in the watch filter and in the last numbers seen. */
struct cell {
	uint32_t live;
	struct last_seen last_seen;
};

void host_open(struct host *h, uint64_t hash_seed, bool all_segments);
void host_close(struct host *h);
/* The next conversation: where reports go, and the time-outs. */
void host_begin(struct host *h, const struct flow_timeouts *timeouts, uint64_t idle, struct reports *reports);
/* Is what has this verdict for the tables: a segment, or an ICMP error that quotes one? */
bool host_wants(enum packet_verdict verdict);
enum packet_verdict host_parse(const struct hook_packet *p, struct tcp_segment *s);
/* Returns whether the segment went to the tables. */
bool host_take(struct host *h, struct tcp_segment *s, uint32_t ifindex);
/* The earliest time at which a flow is due. */
uint64_t host_next(const struct host *h);
/* Returns whether a round of ageing of the established flows was done. */
bool host_expire(struct host *h, uint64_t now);
/* Reports everything, established flows included. */
void host_finish(struct host *h);

/* Its tables. Valid until the next conversation. */
struct recorded host_recorded(const struct host *h);
void host_cell(const struct host *h, uint32_t hash, struct cell *cell);
/* Raises the cell's count: from now on the filter lets none of its segments pass. */
void host_saturate(struct host *h, uint32_t hash);

#endif
