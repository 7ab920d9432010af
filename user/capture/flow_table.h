/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections of a capture file: the recorder of the kernel (bpf/core/recorder.h) around tables that grow, and the
 * judge. Packet time drives every time-out.
 */
#ifndef TCPFIN_FLOW_TABLE_H
#define TCPFIN_FLOW_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/core/flow_event.h"
#include "bpf/core/stray.h"
#include "bpf/core/traffic.h"
#include "user/judge/due.h"

struct flow_table;

/*
 * Called for every flow that is to be reported; log holds f->log_len segments, traffic is NULL where it was not
 * counted. All is valid during the call only.
 */
typedef void (*flow_report)(void *context, const struct flow_key *key, const struct flow *f,
			    const struct flow_segment *log, const struct traffic *traffic,
			    const struct due_report *how);

struct flow_table_config {
	struct flow_timeouts timeouts;
	uint64_t idle; /* ns without a sign of life after which an open connection is forgotten */
	/*
	 * Of the tuples' hash, which chooses the cells of the watch filter and of last_seen. Where two connections
	 * share a cell one loses its numbers, so the same seed is what gives the same records.
	 */
	uint64_t hash_seed;
	uint64_t bucket_seed;    /* of the sets: random, or a file could be made to fill one */
	uint32_t max_flows;      /* connections held at once; 0: no limit */
	bool strays;             /* report stray FINs, too, with how->stray; and call `stray` for each stray RST */
	bool all_segments;       /* count the traffic of every connection whose handshake was seen */
	struct related *related; /* takes note of each SYN that begins a connection; NULL: they are not kept */
	flow_report report;
	void (*stray)(void *context, const struct stray *x, const struct due_report *how);
	/*
	 * Called for each connection that begins, with its first segment, which is packet `number` of those given to
	 * flow_table_batch, from 1 on. What it returns is handed to `report`. NULL: nobody wants to know.
	 */
	uint64_t (*begun)(void *context, const struct tcp_segment *s, uint64_t number);
	void *context;
	uint64_t *counters; /* COUNTERS of them, owned by the caller */
};

/* What one packet of the capture means to the table. */
struct flow_input {
	struct tcp_segment segment; /* of no TCP segment, its time */
	uint32_t ifindex;
	bool tcp;
	bool closes_only;   /* see struct captured_packet */
	uint16_t interface; /* number of the file's interface, for flow_interfaces; 0: not known */
};

#define FLOW_BATCH 64 /* packets whose memory is fetched together: enough to hide a miss, few enough to stay in L1 */

/* NULL when memory is short. */
struct flow_table *flow_table_new(const struct flow_table_config *config);
void flow_table_free(struct flow_table *t);
/* Takes n packets, at most FLOW_BATCH, in their order. Reports whatever their time has made due. */
void flow_table_batch(struct flow_table *t, const struct flow_input *in, unsigned n);
/* Takes one segment; its time must be set. */
void flow_table_segment(struct flow_table *t, const struct tcp_segment *s, uint32_t ifindex);
/* Time has come to `now` (ns) without a segment of interest: reports what is due. */
void flow_table_expire(struct flow_table *t, uint64_t now);
/* Reports each connection whose close has begun and goes on with how->glance: it stays. */
void flow_table_look_at_waiting(struct flow_table *t, uint64_t now);
/* ns: the latest time of all packets, and of flow_table_expire. */
uint64_t flow_table_clock(const struct flow_table *t);
/* The end: reports every connection that has begun to open or close, and with `open` the open ones, too. */
void flow_table_finish(struct flow_table *t, bool open);

#endif
