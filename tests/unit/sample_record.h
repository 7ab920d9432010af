/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records for unit tests, with every field set to something that a test can tell from its neighbours.
 */
#ifndef TCPFIN_SAMPLE_RECORD_H
#define TCPFIN_SAMPLE_RECORD_H

#include <string.h>

#include "user/record/record.h"

/* 2026-11-22T06:07:35.565665123Z */
#define SAMPLE_FINISH 1795327655565665123ULL

static inline struct record_segment sample_segment(uint64_t t, enum role from, uint8_t flags, uint32_t raw_seq,
						   uint32_t raw_ack, uint16_t win)
{
	return (struct record_segment){
		.t = t,
		.from = from,
		.flags = flags,
		.raw_seq = raw_seq,
		.raw_ack = raw_ack,
		.seq = raw_seq,
		.ack = raw_ack,
		.win = win,
		.count = 1,
		.ttl = 64,
		.ip_id = 4711,
	};
}

static inline void sample_nothing_seen(struct record *r)
{
	int i;

	memset(r, 0, sizeof(*r));
	r->vlan[0] = r->vlan[1] = -1;
	r->tunnel_id = NUMBER_UNSEEN;
	r->closer = r->time_wait = r->reset.by = NOBODY;
	r->reset.mptcp = SEGMENT_NO_MPTCP;
	r->half_closed_bytes = NUMBER_UNSEEN;
	r->conn_state = "OTH";
	r->final = true;
	r->silence = NUMBER_UNSEEN;
	memset(r->id, '0', sizeof(r->id) - 1);
	r->isn[SOURCE] = r->isn[DESTINATION] = NUMBER_UNSEEN;
	for (i = 0; i < 2; i++) {
		r->end[i].bytes = NUMBER_UNSEEN;
		r->end[i].wscale = NUMBER_UNSEEN;
	}
	for (i = 0; i < TIMINGS; i++)
		r->timing[i] = TIMING_UNSEEN;
	for (i = 0; i < EVIDENCES; i++)
		r->evidence[i] = -1;
}

/* Closed by the source with four segments: the numbers of a real ssh connection. */
static inline void sample_graceful(struct record *r)
{
	static const int64_t timing[TIMINGS] = {44800000, 92000, 44892000, 36020000,
						1965000,  68000, 38053000, 195980942000};
	const uint32_t isn[2] = {1409610010, 3908230190};
	const struct record_segment segments[] = {
		sample_segment(0, SOURCE, TCP_SYN, 0, 0, 64240),
		sample_segment(44800000, DESTINATION, TCP_SYN | TCP_ACK, 0, 1, 29200),
		sample_segment(44892000, SOURCE, TCP_ACK, 1, 1, 514),
		sample_segment(195942889000, SOURCE, TCP_FIN | TCP_ACK, 3343, 4478, 511),
		sample_segment(195978909000, DESTINATION, TCP_ACK, 4478, 3344, 294),
		sample_segment(195980874000, DESTINATION, TCP_FIN | TCP_ACK, 4478, 3344, 294),
		sample_segment(195980942000, SOURCE, TCP_ACK, 3344, 4479, 511),
	};
	unsigned i;

	sample_nothing_seen(r);
	r->interfaces[0] = "eth0";
	r->family = 4;
	r->vlan[0] = 100;
	r->end[SOURCE] = (struct record_end){{192, 168, 139, 29}, 63164, 3342, STATE_TIME_WAIT, 8, 0, 0};
	r->end[DESTINATION] = (struct record_end){{110, 42, 175, 115}, 22, 4477, STATE_CLOSED, 7, 1, 0};
	r->finish = SAMPLE_FINISH;
	r->start = SAMPLE_FINISH - 195980942000;
	r->outcome = OUTCOME_GRACEFUL;
	r->pattern = PATTERN_FOUR_WAY;
	r->closer = r->time_wait = SOURCE;
	r->fin_original[SOURCE] = true;
	memcpy(r->timing, timing, sizeof(timing));
	r->syn_retransmits = 2;
	r->synack_retransmits = 3;
	r->half_closed_bytes = 0;
	r->completeness = 31;
	r->conn_state = "SF";
	memcpy(r->history, "ShADadFfA", 10);
	r->evidence[EVIDENCE_FIN] = 3;
	r->evidence[EVIDENCE_FIN_ACK] = 4;
	r->evidence[EVIDENCE_PEER_FIN] = 5;
	r->evidence[EVIDENCE_PEER_FIN_ACK] = 6;
	r->segment_count = sizeof(segments) / sizeof(segments[0]);
	for (i = 0; i < r->segment_count; i++) {
		struct record_segment *s = &r->segments[i];

		*s = segments[i];
		s->raw_seq += isn[s->from];
		if (s->flags & TCP_ACK)
			s->raw_ack += isn[s->from == SOURCE];
	}
}

/* Seen from the middle on, reset by its destination; as little as possible is known, much of it is odd. */
static inline void sample_reset(struct record *r)
{
	sample_nothing_seen(r);
	r->family = 6;
	memcpy(r->end[SOURCE].ip, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	r->end[SOURCE].port = 50000;
	memcpy(r->end[DESTINATION].ip, "\xfe\x80\0\0\0\0\0\0\0\0\0\x0d\0\x0e\0\x0f", 16);
	r->end[DESTINATION].port = 443;
	r->end[SOURCE].state = r->end[DESTINATION].state = STATE_CLOSED;
	r->start = 951782399000000000;  /* 2000-02-28T23:59:59Z */
	r->finish = 951868800000000007; /* 2000-03-01T00:00:00.000000007Z less a day */
	r->outcome = OUTCOME_RESET;
	r->closer = r->reset.by = DESTINATION;
	r->reset.phase = PHASE_HALF_CLOSED;
	r->reset.validity = RESET_IN_WINDOW;
	r->reset.mptcp = 7;
	r->reset.ignored = 1;
	r->reset.ttl_differs = true;
	r->basis_reset = BASIS_SOCKET;
	r->basis_fin = BASIS_UNKNOWN;
	r->reset.ttl = 200;
	r->reset.usual_ttl = 64;
	r->late_reset = true;
	r->midstream = true;
	r->bytes_approximate = true;
	r->timing[T_LIFETIME] = 86401000000007;
	memcpy(r->history, "^r", 3);
	r->evidence[EVIDENCE_RESET] = 2;
	r->segment_count = 4;
	r->segments[0] = sample_segment(0, SOURCE, TCP_PSH | TCP_ACK, 4294967295, 1, 65535);
	r->segments[0].len = 4200;
	r->segments[0].count = 3;
	r->segments[0].mark = SEGMENT_FOLDED;
	r->segments[1] = sample_segment(5, DESTINATION, TCP_RST | TCP_ACK, 7, 9, 0);
	r->segments[1].mark = SEGMENT_IGNORED;
	r->segments[2] = sample_segment(86401000000007, DESTINATION, TCP_RST, 1, 0, 0);
	r->segments[3] = sample_segment(86401000000008, DESTINATION, TCP_RST, 1, 0, 0);
	r->segments[3].mark = SEGMENT_COPY;
	r->segments[3].count = 2;
	r->segments_lost = 4294967295;
}

/* A SYN and its copies, on an interface with a hostile name. */
/* An RST of no connection that this host sent. */
static inline void sample_stray(struct record *r)
{
	sample_nothing_seen(r);
	r->stray = true;
	r->direction = DIRECTION_EGRESS;
	r->final = true;
	r->outcome = OUTCOME_UNKNOWN;
	r->interfaces[0] = "eth0";
	r->family = 4;
	r->vlan[0] = 100;
	r->end[SOURCE] = (struct record_end){{10, 0, 0, 1}, 40001, NUMBER_UNSEEN, STATE_UNKNOWN, NUMBER_UNSEEN, 0, 0};
	r->end[DESTINATION] =
		(struct record_end){{10, 0, 7, 7}, 443, NUMBER_UNSEEN, STATE_UNKNOWN, NUMBER_UNSEEN, 0, 0};
	r->start = r->finish = SAMPLE_FINISH;
	r->reset.by = SOURCE;
	r->reset.reason = "NO_SOCKET";
	r->segments[0] = sample_segment(0, SOURCE, TCP_RST | TCP_ACK, 5, 7, 0);
	r->segments[0].raw_seq = 268435461;
	r->segments[0].raw_ack = 2415919111;
	r->segment_count = 1;
	r->related[0] = (struct record_peer){
		.id = "0123456789abcdef0123456789abcdef",
		.family = 4,
		.ip = {{10, 0, 0, 1}, {10, 0, 1, 9}},
		.port = {40001, 80},
	};
	r->related_count = 1;
}

static inline void sample_unanswered(struct record *r)
{
	sample_nothing_seen(r);
	r->interfaces[0] = "a\"b,\x1b\n\xff";
	r->family = 4;
	r->vlan[0] = 4094;
	r->vlan[1] = 0;
	r->end[SOURCE] = (struct record_end){{255, 255, 255, 255}, 65535, 0, STATE_SYN_SENT, 14, 0, 0};
	r->end[DESTINATION] = (struct record_end){{0, 0, 0, 0}, 0, NUMBER_UNSEEN, STATE_UNKNOWN, NUMBER_UNSEEN, 0, 0};
	r->start = 0;
	r->finish = 3000000000;
	r->outcome = OUTCOME_UNANSWERED;
	r->syn_retransmits = 2;
	r->completeness = 1;
	r->conn_state = "S0";
	memcpy(r->history, "S", 2);
	r->segment_count = 2;
	r->segments[0] = sample_segment(0, SOURCE, TCP_SYN | TCP_ECE | TCP_CWR, 0, 0, 64240);
	r->segments[1] = sample_segment(1000000000, SOURCE, TCP_SYN, 0, 0, 64240);
	r->segments[1].mark = SEGMENT_COPY;
	r->segments[1].count = 2;
}

/* With --all-segments: what was counted of each side. */
static inline void sample_counted(struct record *r)
{
	sample_graceful(r);
	r->counted = true;
	r->idle = 60000000000;
	r->traffic[SOURCE] = (struct record_traffic){
		.packets = 12,
		.bytes = 18446744073709551615ULL,
		.retransmits = 2,
		.retransmitted_bytes = 7,
		.last_data = 262300000,
		.run = {{1, TCP_SYN}, {10, TCP_ACK}, {1, TCP_FIN | TCP_ACK}},
		.run_count = 3,
	};
	r->traffic[DESTINATION] = (struct record_traffic){
		.packets = 1,
		.last_data = NUMBER_UNSEEN,
		.run = {{1, TCP_SYN | TCP_ACK}},
		.run_count = 1,
		.runs_lost = 9,
	};
}

#define SAMPLE_CONTAINER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SAMPLE_POD "2d1f2d5c-0b1b-4b8c-9c5e-0a1b2c3d4e5f"

/* The source is closed by a process with an ugly name, the destination by the kernel. */
static inline void sample_sockets(struct record *r)
{
	sample_graceful(r);
	r->reset.by = SOURCE;
	r->reset.reason = "TCP_ABORT_ON_CLOSE";
	r->socket[SOURCE] = (struct record_socket){
		.known = true,
		.how = HOW_CLOSE,
		.process = {.pid = 1234, .uid = 33, .name = "a\x1b\"b"},
		.cgroup = 18446744073709551,
		.names = {.unit = "we\x1b\"b.service", .container = SAMPLE_CONTAINER, .pod = SAMPLE_POD},
		.netns = 4026531840,
		.unread_bytes = 300,
		.unsent_bytes = 0,
		.close_to_fin = 17000,
		.peer_fin_to_close = 20000000,
		.srtt = 71000,
		.retransmits = 4,
		.reset_received = TIMING_UNSEEN,
		.steps = {{-5, STATE_LAST_ACK}, {7, STATE_CLOSED}},
		.step_count = 2,
	};
	r->socket[DESTINATION] = (struct record_socket){
		.known = true,
		.how = HOW_KERNEL,
		.names = {.unit = "sshd.service", .container = "deb12"},
		.netns = 1,
		.unread_bytes = NUMBER_UNSEEN,
		.unsent_bytes = 9,
		.close_to_fin = TIMING_UNSEEN,
		.peer_fin_to_close = TIMING_UNSEEN,
		.srtt = TIMING_UNSEEN,
		.reset_received = 12,
	};
}

/* The same, but that a process held the destination's socket when the watch began, as did two others. */
static inline void sample_held(struct record *r)
{
	sample_sockets(r);
	r->socket[DESTINATION].process = (struct record_process){.pid = 77, .uid = 5, .name = "k\n\"e", .holders = 3};
}

/* Closed as in sample_sockets, but earlier changes of the destination's socket were lost. */
static inline void sample_lost(struct record *r)
{
	sample_sockets(r);
	r->socket[DESTINATION].lost = true;
}

/* Not answered: more connections wait for accept() than the destination's listener allows. */
static inline void sample_listener(struct record *r)
{
	sample_unanswered(r);
	r->listener = (struct record_listener){
		.state = LISTENER_FULL,
		.t = 1000000000,
		.queue = 2,
		.backlog = 1,
		.uid = 5,
		.pid = 77,
		.name = "k\n\"e",
		.unit = "k\x1b.service",
	};
}

#endif
