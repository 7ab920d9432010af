/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of connections that close in different ways, built segment by segment for unit tests of the ladder and of
 * what it is drawn from. Names are short, since a test has many of them.
 */
#ifndef TCPFIN_SAMPLE_CLOSES_H
#define TCPFIN_SAMPLE_CLOSES_H

#include <string.h>

#include "user/base/clock.h"
#include "user/record/record.h"
#include "tests/unit/sample_record.h"

enum { F = TCP_FIN, S = TCP_SYN, R = TCP_RST, P = TCP_PSH, A = TCP_ACK };

/* Initial sequence numbers; the source's wraps soon. */
static const uint32_t isn[2] = {0xfffffff0, 900};

/* A record of which nothing was seen but the ends and the start. */
static inline void begin(struct record *r)
{
	static const uint8_t source[4] = {10, 0, 0, 1}, destination[4] = {10, 0, 1, 9};

	sample_nothing_seen(r);
	r->family = 4;
	r->outcome = OUTCOME_UNKNOWN;
	memcpy(r->end[SOURCE].ip, source, sizeof(source));
	memcpy(r->end[DESTINATION].ip, destination, sizeof(destination));
	r->end[SOURCE].port = 40001;
	r->end[DESTINATION].port = 443;
	r->start = 1795328000 * (uint64_t)SECOND_NS + 1234567;
}

/* Appends a segment that comes `after` ns after the one before. seq, ack: relative. */
static inline struct record_segment *add(struct record *r, int64_t after, enum role from, uint8_t flags, uint32_t seq,
					 uint32_t ack, uint32_t len)
{
	struct record_segment *s = &r->segments[r->segment_count++];
	uint64_t before = s == r->segments ? 0 : s[-1].t;

	*s = (struct record_segment){
		.t = before + after,
		.from = from,
		.flags = flags,
		.seq = seq,
		.ack = ack,
		.len = len,
		.count = 1,
		.win = 501,
		.raw_seq = seq + isn[from],
		.raw_ack = flags & A ? ack + isn[!from] : 0,
	};
	return s;
}

static inline void mark(struct record_segment *s, uint8_t bits, uint32_t count)
{
	s->mark = bits;
	s->count = count;
}

static inline void handshake(struct record *r)
{
	add(r, 0, SOURCE, S, 0, 0, 0);
	add(r, 44800 * US_NS, DESTINATION, S | A, 0, 1, 0);
	add(r, 92 * US_NS, SOURCE, A, 1, 1, 0);
}

static inline void evidence(struct record *r, int fin, int fin_ack, int peer_fin, int peer_fin_ack, int reset)
{
	r->evidence[EVIDENCE_FIN] = fin;
	r->evidence[EVIDENCE_FIN_ACK] = fin_ack;
	r->evidence[EVIDENCE_PEER_FIN] = peer_fin;
	r->evidence[EVIDENCE_PEER_FIN_ACK] = peer_fin_ack;
	r->evidence[EVIDENCE_RESET] = reset;
}

static inline void close_timings(struct record *r, int64_t fin_to_ack, int64_t half_closed, int64_t peer_fin_to_ack)
{
	r->timing[T_FIN_TO_ACK] = fin_to_ack;
	r->timing[T_HALF_CLOSED] = half_closed;
	r->timing[T_PEER_FIN_TO_ACK] = peer_fin_to_ack;
}

static inline void verdict(struct record *r, enum outcome outcome, enum role closer, enum tcp_state source,
			   enum tcp_state destination)
{
	r->outcome = outcome;
	r->closer = closer;
	r->end[SOURCE].state = source;
	r->end[DESTINATION].state = destination;
}

static inline void reset_by(struct record *r, enum role by, enum phase phase, enum reset_validity validity)
{
	r->reset.by = by;
	r->reset.phase = phase;
	r->reset.validity = validity;
}

/* The close of the contract's example, data not listed. */
static inline void four_way(struct record *r)
{
	begin(r);
	handshake(r);
	add(r, 195898 * MS_NS, SOURCE, F | A, 3343, 4478, 0);
	add(r, 36020 * US_NS, DESTINATION, A, 4478, 3344, 0);
	add(r, 1965 * US_NS, DESTINATION, F | A, 4478, 3344, 0);
	add(r, 68 * US_NS, SOURCE, A, 3344, 4479, 0);
	evidence(r, 3, 4, 5, 6, -1);
	close_timings(r, 36020 * US_NS, 1965 * US_NS, 68 * US_NS);
	r->timing[T_CLOSE] = 38053 * US_NS;
	r->timing[T_LIFETIME] = 195980942 * US_NS;
	r->end[SOURCE].bytes = 3342;
	r->end[DESTINATION].bytes = 4477;
	r->pattern = PATTERN_FOUR_WAY;
	r->time_wait = SOURCE;
	verdict(r, OUTCOME_GRACEFUL, SOURCE, STATE_TIME_WAIT, STATE_CLOSED);
}

static inline void three_way(struct record *r)
{
	begin(r);
	handshake(r);
	add(r, 250 * US_NS, DESTINATION, F | A, 1, 1, 0);
	add(r, 106 * US_NS, SOURCE, F | A, 1, 2, 0);
	add(r, 125346 * US_NS, DESTINATION, A, 2, 2, 0);
	evidence(r, 3, 4, 4, 5, -1);
	close_timings(r, 106 * US_NS, 0, 125346 * US_NS);
	r->end[SOURCE].bytes = r->end[DESTINATION].bytes = 0;
	r->pattern = PATTERN_THREE_WAY;
	r->time_wait = DESTINATION;
	verdict(r, OUTCOME_GRACEFUL, DESTINATION, STATE_CLOSED, STATE_TIME_WAIT);
}

static inline void simultaneous(struct record *r)
{
	begin(r);
	handshake(r);
	add(r, 1 * MS_NS, SOURCE, F | A, 1, 1, 0);
	add(r, 20 * US_NS, DESTINATION, F | A, 1, 1, 0);
	add(r, 30 * US_NS, SOURCE, A, 2, 2, 0);
	add(r, 40 * US_NS, DESTINATION, A, 2, 2, 0);
	evidence(r, 3, 6, 4, 5, -1);
	close_timings(r, 90 * US_NS, TIMING_UNSEEN, 30 * US_NS);
	r->pattern = PATTERN_SIMULTANEOUS;
	r->time_wait = BOTH;
	verdict(r, OUTCOME_GRACEFUL, BOTH, STATE_TIME_WAIT, STATE_TIME_WAIT);
}

/* Taxonomy R5: data comes to a side that has closed both ways. */
static inline void reset_after_own_fin(struct record *r)
{
	begin(r);
	handshake(r);
	add(r, 5 * MS_NS, SOURCE, F | A, 1, 1, 0);
	mark(add(r, 200 * MS_NS, SOURCE, F | A, 1, 1, 0), SEGMENT_COPY, 1);
	add(r, 1 * MS_NS, DESTINATION, A, 1, 2, 0);
	mark(add(r, 2 * MS_NS, DESTINATION, P | A, 1, 2, 100), SEGMENT_FOLDED, 1);
	mark(add(r, 10 * US_NS, DESTINATION, R | A, 70000001, 2, 0), SEGMENT_IGNORED, 1);
	add(r, 90 * US_NS, SOURCE, R, 2, 0, 0);
	evidence(r, 3, 5, -1, -1, 8);
	reset_by(r, SOURCE, PHASE_HALF_CLOSED, RESET_EXACT);
	r->reset.ignored = 1;
	r->end[SOURCE].fin_retransmits = 1;
	r->end[SOURCE].bytes = 0;
	r->end[DESTINATION].bytes = 100;
	verdict(r, OUTCOME_RESET, SOURCE, STATE_CLOSED, STATE_CLOSED);
}

static inline void refused(struct record *r)
{
	begin(r);
	add(r, 0, SOURCE, S, 0, 0, 0);
	mark(add(r, 1 * SECOND_NS, SOURCE, S, 0, 0, 0), SEGMENT_COPY, 1);
	add(r, 106 * US_NS, DESTINATION, R | A, 0, 1, 0);
	evidence(r, -1, -1, -1, -1, 2);
	reset_by(r, DESTINATION, PHASE_HANDSHAKE, RESET_EXACT);
	r->syn_retransmits = 1;
	verdict(r, OUTCOME_REFUSED, DESTINATION, STATE_CLOSED, STATE_CLOSED);
}

#endif
