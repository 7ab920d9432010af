// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flow_step on segment sequences: which facts a flow holds after a handshake, a close, a forgery or a storm. Segments
 * are written as bytes and parsed, with numbers relative to two ISNs that the wrap tests choose.
 */
#include "tests/unit/assert.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/core/watch.h"
#include "tests/unit/conversation.h"
#include "tests/diff/random.h"

/* A flow with its log, and the last step's bits. */
struct subject {
	struct flow flow;
	struct flow_segment log[FLOW_LOG_CLOSING];
	uint32_t cap;
	uint32_t isn[2];
	uint32_t step;
	uint16_t id; /* IP id of the last packet: no two have the same one, unless a test gives it */
};

static void init(struct flow *f, const struct tcp_segment *s, uint32_t side)
{
	memset(f, 0, sizeof(*f));
	flow_init(f, s, side, false);
}

static void take(struct subject *t, const struct tcp_segment *s)
{
	uint32_t side = flow_side_of(s);

	if (!t->flow.t_first)
		init(&t->flow, s, side);
	t->step = flow_step(&t->flow, t->log, t->cap, s, side);
	assert_true(t->flow.log_len <= t->cap);
}

/* A segment whose numbers are relative to the ISNs. Returns the step's bits. */
static uint32_t send(struct subject *t, struct wire w)
{
	struct tcp_segment s;

	make_absolute(&w, t->isn, &t->id);
	s = parse_wire(&w);
	take(t, &s);
	return t->step;
}

#define SEND(t, ...) send(t, (struct wire){__VA_ARGS__})

static struct subject new_subject(uint32_t isn_a, uint32_t isn_b)
{
	return (struct subject){.cap = FLOW_LOG_CLOSING, .isn = {isn_a, isn_b}};
}

/* ms 0 ... 20; A's window is 502 << 7, B's 510 << 9. */
static void handshake(struct subject *t)
{
	expect_flags(SEND(t, 0, .from = A, .flags = SYN, .wscale = 1 + 7), 0, step_flags);
	expect_flags(SEND(t, 10 * MS, .from = B, .flags = SYN | ACK, .ack = 1, .wscale = 1 + 9, .ttl = 57), 0,
		     step_flags);
	expect_flags(SEND(t, 20 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1, .win = 502), STEP_PROVEN,
		     step_flags);
}

/* A sent 50 bytes, B 500; A's next number is 51, B's is 501. */
static void open_flow(struct subject *t)
{
	handshake(t);
	SEND(t, 30 * MS, .from = A, .flags = PSH, .seq = 1, .ack = 1, .len = 50, .win = 502);
	SEND(t, 40 * MS, .from = B, .flags = PSH, .seq = 1, .ack = 51, .len = 500, .win = 510);
	SEND(t, 50 * MS, .from = A, .flags = ACK, .seq = 51, .ack = 501, .win = 502);
	expect_flags(t->flow.state, FLOW_PROVEN, flow_flags);
}

static uint32_t relative(const struct subject *t, uint32_t side, uint32_t number)
{
	return number - t->isn[side];
}

/* ---- opening ---- */

TEST(test_handshake_facts)
{
	struct subject t = new_subject(1000, 2000);
	const struct flow_open *o = &t.flow.open;

	handshake(&t);
	expect_flags(o->seen & ~OPEN_CROSSED, OPEN_SYN | OPEN_SYNACK | OPEN_ACK, open_flags);
	expect_int(o->source, A);
	expect_at(o->t_syn, 0);
	expect_at(o->t_synack, 10 * MS);
	expect_at(o->t_ack, 20 * MS);
	expect_int(o->isn[A], 1000);
	expect_int(o->isn[B], 2000);
	expect_int(o->win[0], 64240);
	expect_int(o->win[1], 64240);
	expect_int(o->win[2], 502);
	expect_int(o->wscale[A], 7);
	expect_int(o->wscale[B], 9);
	expect_int(o->ttl[A], 64);
	expect_int(o->ttl[B], 57);
	expect_flags(o->syn_flags, SYN, tcp_flags);
	expect_flags(o->synack_flags, SYN | ACK, tcp_flags);
	expect_int(o->syn_copies + o->synack_copies + o->syn_len, 0);
	expect_int(t.flow.log_len, 3);
	expect_at(t.flow.t_first, 0);
	expect_at(t.flow.t_last, 20 * MS);
}

TEST(test_handshake_copies)
{
	struct subject t = new_subject(1000, 2000);

	SEND(&t, 0, .from = A, .flags = SYN);
	SEND(&t, 1000 * MS, .from = A, .flags = SYN);
	SEND(&t, 3000 * MS, .from = A, .flags = SYN);
	SEND(&t, 3010 * MS, .from = B, .flags = SYN | ACK, .ack = 1);
	SEND(&t, 4010 * MS, .from = B, .flags = SYN | ACK, .ack = 1);
	expect_flags(SEND(&t, 4020 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1), STEP_PROVEN, step_flags);
	expect_int(t.flow.open.syn_copies, 2);
	expect_int(t.flow.open.synack_copies, 1);
	expect_at(t.flow.open.t_syn, 0);
	expect_at(t.flow.open.t_synack, 3010 * MS);
	expect_flags(t.log[1].mark, SEGMENT_COPY, segment_marks);
	expect_flags(t.log[2].mark, SEGMENT_COPY, segment_marks);
	expect_flags(t.log[4].mark, SEGMENT_COPY, segment_marks);
}

/* Only a SYN-ACK of the SYN's number and an ACK of the SYN-ACK's number prove a connection. */
TEST(test_handshake_forged)
{
	struct subject t = new_subject(1000, 2000);

	SEND(&t, 0, .from = A, .flags = SYN);
	SEND(&t, 1 * MS, .from = B, .flags = SYN | ACK, .seq = 7, .ack = 0);
	SEND(&t, 2 * MS, .from = B, .flags = SYN | ACK, .seq = 7, .ack = 2);
	expect_flags(t.flow.open.seen & OPEN_SYNACK, 0, open_flags);
	expect_flags(t.log[1].mark, SEGMENT_IGNORED, segment_marks);
	expect_flags(t.log[2].mark, SEGMENT_IGNORED, segment_marks);
	SEND(&t, 10 * MS, .from = B, .flags = SYN | ACK, .ack = 1);
	expect_int(t.flow.open.isn[B], 2000);
	expect_flags(SEND(&t, 11 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 0), 0, step_flags);
	expect_flags(SEND(&t, 12 * MS, .from = A, .flags = ACK, .seq = 0, .ack = 1), 0, step_flags);
	expect_flags(SEND(&t, 13 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 2 + FLOW_HANDSHAKE_SLACK), 0,
		     step_flags);
	expect_flags(SEND(&t, 14 * MS, .from = B, .flags = ACK, .seq = 1, .ack = 1), 0, step_flags);
	expect_flags(SEND(&t, 15 * MS, .from = A, .flags = 0, .seq = 1), 0, step_flags);
	expect_flags(t.flow.state & FLOW_PROVEN, 0, flow_flags);
	expect_flags(SEND(&t, 20 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1), STEP_PROVEN, step_flags);
}

/* The handshake's ACK was lost before us: data with its number or a later one proves the connection, too. */
TEST(test_handshake_ack_lost)
{
	struct subject t = new_subject(1000, 2000);

	SEND(&t, 0, .from = A, .flags = SYN);
	SEND(&t, 1 * MS, .from = B, .flags = SYN | ACK, .ack = 1);
	expect_flags(SEND(&t, 2 * MS, .from = A, .flags = PSH, .seq = 1, .ack = 1, .len = 9), STEP_PROVEN, step_flags);
}

/* RFC 7413: the SYN carries data, which the SYN-ACK acknowledges or not. */
TEST(test_fast_open)
{
	for (int taken = 0; taken < 2; taken++) {
		struct subject t = new_subject(1000, 2000);
		uint32_t next = taken ? 101 : 1;

		enter_row("data %s", taken ? "taken" : "refused");
		SEND(&t, 0, .from = A, .flags = SYN, .len = 100);
		SEND(&t, 10 * MS, .from = B, .flags = SYN | ACK, .ack = next);
		expect_flags(t.flow.open.seen & OPEN_SYN_DATA, taken ? OPEN_SYN_DATA : 0, open_flags);
		expect_int(t.flow.open.syn_len, 100);
		expect_flags(SEND(&t, 20 * MS, .from = A, .flags = ACK, .seq = next, .ack = 1), STEP_PROVEN,
			     step_flags);
	}
}

/* RFC 9293 section 3.5: both sides send a SYN, and a SYN-ACK of the other's. */
TEST(test_simultaneous_open)
{
	struct subject t = new_subject(1000, 2000);

	SEND(&t, 0, .from = A, .flags = SYN);
	SEND(&t, 1 * MS, .from = B, .flags = SYN);
	expect_flags(t.flow.open.seen & OPEN_CROSSED, OPEN_CROSSED, open_flags);
	SEND(&t, 2 * MS, .from = B, .flags = SYN | ACK, .ack = 1);
	SEND(&t, 3 * MS, .from = A, .flags = SYN | ACK, .ack = 1);
	SEND(&t, 4 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1);
	expect_flags(t.flow.state & FLOW_PROVEN, FLOW_PROVEN, flow_flags);
	expect_int(t.flow.open.isn[A], 1000);
	expect_int(t.flow.open.isn[B], 2000);
	expect_int(t.flow.open.source, A);
}

/* A SYN inside a connection is answered by a challenge ACK (RFC 5961 section 4) and changes nothing. */
TEST(test_syn_in_open_flow)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	for (int from = A; from <= B; from++) {
		SEND(&t, (60 + from) * MS, .from = (uint8_t)from, .flags = SYN, .seq = 0x40000000);
		expect_flags(t.log[t.flow.log_len - 1].mark, SEGMENT_IGNORED, segment_marks);
	}
	expect_flags(t.flow.state, FLOW_PROVEN, flow_flags);
	expect_int(t.flow.open.isn[A], 1000);
	expect_int(relative(&t, A, t.flow.side[A].now.end), 51);
	expect_int(relative(&t, B, t.flow.side[B].now.end), 501);
}

/* ---- closing ---- */

/* A closes with four segments: the same facts whatever the ISNs are. */
static void check_four_way(uint32_t isn_a, uint32_t isn_b)
{
	struct subject t = new_subject(isn_a, isn_b);
	const struct flow_side *a = &t.flow.side[A], *b = &t.flow.side[B];
	const uint8_t whole = SIDE_FIN | SIDE_FIN_ACKED | SIDE_FIN_NEXT;

	open_flow(&t);
	expect_flags(SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501), STEP_BEGUN, step_flags);
	expect_flags(SEND(&t, 110 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 52), 0, step_flags);
	expect_flags(SEND(&t, 150 * MS, .from = B, .flags = FIN, .seq = 501, .ack = 52), 0, step_flags);
	expect_flags(SEND(&t, 151 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 502), STEP_DONE, step_flags);
	expect_flags(t.flow.state, FLOW_PROVEN | FLOW_BEGUN | FLOW_GRACEFUL, flow_flags);
	expect_at(a->t_fin, 100 * MS);
	expect_at(a->t_fin_acked, 110 * MS);
	expect_at(b->t_fin, 150 * MS);
	expect_at(b->t_fin_acked, 151 * MS);
	expect_int(relative(&t, A, a->fin_end), 52);
	expect_int(relative(&t, B, b->fin_end), 502);
	expect_int(relative(&t, B, a->fin_ack), 501);
	expect_int(relative(&t, A, b->fin_ack), 52);
	expect_flags(a->seen & whole, whole, side_flags);
	expect_flags(b->seen & whole, whole, side_flags);
	expect_int(relative(&t, B, b->end_at_ack), 501);
	expect_int(a->fin_copies + b->fin_copies + t.flow.lost + t.flow.duplicates, 0);
	expect_at(flow_end_time(&t.flow), 151 * MS);
}

TEST(test_four_way)
{
	check_four_way(1000, 2000);
}

TEST(test_three_way)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	expect_flags(SEND(&t, 100 * MS, .from = B, .flags = FIN, .seq = 501, .ack = 51), STEP_BEGUN, step_flags);
	expect_flags(SEND(&t, 110 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 502), 0, step_flags);
	expect_flags(SEND(&t, 120 * MS, .from = B, .flags = ACK, .seq = 502, .ack = 52), STEP_DONE, step_flags);
	expect_at(t.flow.side[B].t_fin, 100 * MS);
	expect_at(t.flow.side[B].t_fin_acked, 110 * MS);
	expect_at(t.flow.side[A].t_fin, 110 * MS);
	expect_at(t.flow.side[A].t_fin_acked, 120 * MS);
	expect_int(relative(&t, B, t.flow.side[A].fin_ack), 502);
}

/* Neither FIN acknowledges the other; each is acknowledged by a segment of its own. */
TEST(test_simultaneous_close)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	expect_flags(SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501), STEP_BEGUN, step_flags);
	expect_flags(SEND(&t, 101 * MS, .from = B, .flags = FIN, .seq = 501, .ack = 51), 0, step_flags);
	expect_flags(SEND(&t, 110 * MS, .from = B, .flags = ACK, .seq = 502, .ack = 52), 0, step_flags);
	expect_flags(SEND(&t, 111 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 502), STEP_DONE, step_flags);
	expect_int(relative(&t, B, t.flow.side[A].fin_ack), 501);
	expect_int(relative(&t, A, t.flow.side[B].fin_ack), 51);
}

/* The FIN of a segment with data comes after the data. A copy with other data ends at the same number. */
TEST(test_fin_with_data)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN | PSH, .seq = 51, .ack = 501, .len = 100);
	expect_int(relative(&t, A, t.flow.side[A].fin_end), 152);
	SEND(&t, 300 * MS, .from = A, .flags = FIN | PSH, .seq = 1, .ack = 501, .len = 150);
	SEND(&t, 700 * MS, .from = A, .flags = FIN, .seq = 151, .ack = 501);
	expect_int(t.flow.side[A].fin_copies, 2);
	expect_int(relative(&t, A, t.flow.side[A].fin_end), 152);
	expect_at(t.flow.side[A].t_fin, 100 * MS);
	SEND(&t, 710 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 152);
	expect_flags(t.flow.side[A].seen & SIDE_FIN_ACKED, SIDE_FIN_ACKED, side_flags);
}

/* Half-close data is what B sends after its ACK of A's FIN, not what was under way before. */
TEST(test_half_close)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	SEND(&t, 101 * MS, .from = B, .flags = PSH, .seq = 501, .ack = 51, .len = 1000);
	SEND(&t, 110 * MS, .from = B, .flags = PSH, .seq = 1501, .ack = 52, .len = 2000);
	expect_int(relative(&t, B, t.flow.side[B].end_at_ack), 1501);
	SEND(&t, 120 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 3501);
	SEND(&t, 130 * MS, .from = B, .flags = FIN, .seq = 3501, .ack = 52);
	expect_int(relative(&t, B, t.flow.side[B].fin_end), 3502);
	expect_flags(SEND(&t, 131 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 3502), STEP_DONE, step_flags);
}

/* Only the number behind the FIN acknowledges it. */
TEST(test_fin_acked_by_exact_number)
{
	static const uint32_t others[] = {
		51, 50, 1, 0, 53, 54, 52 + 0xffff, 52 + 0x40000000, 52 + 0x7fffffffu, 52 + 0x80000000, 52 + 0xc0000000};
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	for (unsigned i = 0; i < COUNT(others); i++) {
		enter_row("ACK of %u", others[i]);
		SEND(&t, (110 + i) * MS, .from = B, .flags = ACK, .seq = 501, .ack = others[i]);
		expect_flags(t.flow.side[A].seen & SIDE_FIN_ACKED, 0, side_flags);
	}
	/* the right number, but no acknowledgment */
	SEND(&t, 130 * MS, .from = B, .flags = TCP_PSH, .seq = 501, .ack = 52 + 1000, .len = 1);
	expect_flags(t.flow.side[A].seen & SIDE_FIN_ACKED, 0, side_flags);
	SEND(&t, 140 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 52);
	expect_flags(t.flow.side[A].seen & SIDE_FIN_ACKED, SIDE_FIN_ACKED, side_flags);
	expect_at(t.flow.side[A].t_fin_acked, 140 * MS);
}

/* A FIN in a first fragment ends at a lower bound; its acknowledgment gives the exact number. */
TEST(test_fin_in_first_fragment)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501, .len = 100, .fragment = 0x2000);
	SEND(&t, 110 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 552);
	expect_flags(t.flow.side[A].seen & SIDE_FIN_ACKED, SIDE_FIN_ACKED, side_flags);
	expect_int(relative(&t, A, t.flow.side[A].fin_end), 552);
}

/* Every number of the connection lies at a wrap once, and at the middle of the number space. */
TEST(test_wraps)
{
	static const uint32_t numbers[] = {0, 1, 50, 51, 52, 53, 501, 502, 503};
	static const uint32_t places[] = {0, 1, 0xffffffff, 0x80000000, 0x7fffffff, 0x80000001};

	for (size_t n = 0; n < COUNT(numbers); n++)
		for (size_t p = 0; p < COUNT(places); p++) {
			enter_row("relative number %u is %#x", numbers[n], places[p]);
			check_four_way(places[p] - numbers[n], 2000);
			check_four_way(1000, places[p] - numbers[n]);
			check_four_way(places[p] - numbers[n], places[p] - numbers[n]);
		}
}

/* Events are ordered by their time stamps, not by the order in which two CPUs got the lock. */
TEST(test_events_out_of_order)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	SEND(&t, 300 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	expect_at(t.flow.side[A].t_fin, 100 * MS);
	SEND(&t, 320 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 52);
	SEND(&t, 110 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 52);
	expect_at(t.flow.side[A].t_fin_acked, 110 * MS);
	expect_at(t.flow.t_last, 320 * MS);
}

/* A's last ACK is seen before the FIN that it acknowledges, which so completes the close. */
TEST(test_last_ack_before_fin)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	SEND(&t, 111 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 502);
	expect_flags(SEND(&t, 110 * MS, .from = B, .flags = FIN, .seq = 501, .ack = 52), STEP_DONE, step_flags);
	expect_flags(t.flow.side[A].seen & SIDE_FIN_ACKED, SIDE_FIN_ACKED, side_flags);
	expect_flags(t.flow.side[B].seen & SIDE_FIN_ACKED, SIDE_FIN_ACKED, side_flags);
}

/* ---- forged FINs ---- */

TEST(test_forged_fin)
{
	static const struct {
		const char *name;
		uint32_t seq, ack;
	} forged[] = {
		{"far ahead", 51 + 0x20000000, 501},
		{"half around", 51 + 0x80000000, 501},
		{"old", 51 - 0x10000000, 501},
		{"acknowledges what B never sent", 51, 501 + 0x20000000},
	};

	FOR_EACH_ROW(forged, row) {
		struct subject t = new_subject(1000, 2000);

		open_flow(&t);
		SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = row->seq, .ack = row->ack);
		expect_flags(t.step, 0, step_flags);
		expect_flags(t.flow.state, FLOW_PROVEN, flow_flags);
		expect_flags(t.log[t.flow.log_len - 1].mark, SEGMENT_IGNORED, segment_marks);
		expect_int(relative(&t, A, t.flow.side[A].now.end), 51);
		expect_int(relative(&t, B, t.flow.side[A].now.ack), 501);
		/* the real one after it */
		expect_flags(SEND(&t, 200 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501), STEP_BEGUN,
			     step_flags);
		expect_at(t.flow.side[A].t_fin, 200 * MS);
	}
}

/* A FIN in the window with a hole before it counts only until a FIN in sequence comes. */
TEST(test_forged_fin_in_window)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	expect_flags(SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 5000, .ack = 501), STEP_BEGUN, step_flags);
	expect_flags(t.flow.side[A].seen & SIDE_FIN_NEXT, 0, side_flags);
	SEND(&t, 110 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 51);
	expect_flags(t.flow.side[A].seen & SIDE_FIN_ACKED, 0, side_flags);
	SEND(&t, 120 * MS, .from = A, .flags = PSH, .seq = 51, .ack = 501, .len = 100);
	SEND(&t, 130 * MS, .from = A, .flags = FIN, .seq = 151, .ack = 501);
	SEND(&t, 140 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 152);
	expect_int(relative(&t, A, t.flow.side[A].fin_end), 152);
	expect_at(t.flow.side[A].t_fin, 130 * MS);
	expect_at(t.flow.side[A].t_fin_acked, 140 * MS);
}

/* The first FIN in sequence stays; a later one with another number is ignored. */
TEST(test_second_fin_elsewhere)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	SEND(&t, 101 * MS, .from = A, .flags = FIN, .seq = 60, .ack = 501);
	SEND(&t, 102 * MS, .from = A, .flags = FIN, .seq = 41, .ack = 501);
	expect_int(relative(&t, A, t.flow.side[A].fin_end), 52);
	expect_int(t.flow.side[A].fin_copies, 0);
	SEND(&t, 110 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 52);
	SEND(&t, 111 * MS, .from = A, .flags = FIN, .seq = 100, .ack = 501);
	expect_int(relative(&t, A, t.flow.side[A].fin_end), 52);
	expect_at(t.flow.side[A].t_fin_acked, 110 * MS);
}

/* ---- resets ---- */

TEST(test_reset_exact)
{
	struct subject t = new_subject(1000, 2000);
	const struct flow_reset *r = &t.flow.reset;

	open_flow(&t);
	SEND(&t, 100 * MS, .from = B, .flags = RST | ACK, .seq = 501, .ack = 51, .ttl = 33, .mptcp = 8 + 1);
	expect_flags(t.step, STEP_DONE, step_flags);
	expect_flags(t.flow.state, FLOW_PROVEN | FLOW_BEGUN | FLOW_RESET, flow_flags);
	expect_at(r->time, 100 * MS);
	expect_int(r->side, B);
	expect_word(r->validity, RESET_EXACT, reset_validities);
	expect_flags(r->flags, RST | ACK, tcp_flags);
	expect_int(r->ttl, 33);
	expect_int(r->mptcp, 8);
	expect_int(relative(&t, B, r->seq), 501);
	expect_at(flow_end_time(&t.flow), 100 * MS);
}

/* A acknowledged 501 and offers 502 << 7 bytes: RFC 5961 section 3.2. */
TEST(test_reset_validity)
{
	static const struct {
		const char *name;
		uint32_t seq;
		enum reset_validity validity;
	} table[] = {
		{"the next number", 501, RESET_EXACT},
		{"one behind it", 502, RESET_IN_WINDOW},
		{"last of the window", 501 + 64255, RESET_IN_WINDOW},
		{"first behind the window", 501 + 64256, RESET_OUT_OF_WINDOW},
		{"the last byte again", 500, RESET_OUT_OF_WINDOW},
		{"the first byte again", 1, RESET_OUT_OF_WINDOW},
		{"2^31 - 1 ahead", 501 + 0x7fffffffu, RESET_OUT_OF_WINDOW},
		{"2^31 ahead", 501 + 0x80000000, RESET_OUT_OF_WINDOW},
	};

	FOR_EACH_ROW(table, row) {
		struct subject t = new_subject(1000, 0xfffffe00);

		open_flow(&t);
		SEND(&t, 100 * MS, .from = B, .flags = RST, .seq = row->seq);
		if (row->validity == RESET_OUT_OF_WINDOW) {
			expect_flags(t.flow.state, FLOW_PROVEN, flow_flags);
			expect_int(t.flow.open.resets_ignored, 1);
			expect_flags(t.log[t.flow.log_len - 1].mark, SEGMENT_IGNORED, segment_marks);
		} else {
			expect_flags(t.flow.state & FLOW_RESET, FLOW_RESET, flow_flags);
			expect_word(t.flow.reset.validity, row->validity, reset_validities);
		}
	}
}

/* B's RST follows data that A has not acknowledged yet: its number is B's next one, which is exact. */
TEST(test_reset_behind_data_in_flight)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	SEND(&t, 90 * MS, .from = B, .flags = PSH, .seq = 501, .ack = 51, .len = 1000);
	expect_flags(SEND(&t, 100 * MS, .from = B, .flags = RST | ACK, .seq = 1501, .ack = 51), STEP_DONE, step_flags);
	expect_word(t.flow.reset.validity, RESET_EXACT, reset_validities);
}

/* B's data was lost, and its RST has the number that A acknowledged. */
TEST(test_reset_before_data_in_flight)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	SEND(&t, 90 * MS, .from = B, .flags = PSH, .seq = 501, .ack = 51, .len = 1000);
	expect_flags(SEND(&t, 100 * MS, .from = B, .flags = RST | ACK, .seq = 501, .ack = 51), STEP_DONE, step_flags);
	expect_word(t.flow.reset.validity, RESET_EXACT, reset_validities);
}

/* The alleged sender of a RST sends data behind it, so the RST was forged; the receiver takes that, so it was lost. */
TEST(test_reset_denied_and_not_taken)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	SEND(&t, 100 * MS, .from = B, .flags = RST, .seq = 501);
	expect_flags(t.flow.state & FLOW_RESET, FLOW_RESET, flow_flags);
	SEND(&t, 200 * MS, .from = B, .flags = PSH, .seq = 501, .ack = 51, .len = 100);
	expect_flags(t.flow.state & FLOW_RESET, FLOW_RESET, flow_flags);
	expect_int(t.flow.reset.fate, RESET_DENIED);
	SEND(&t, 201 * MS, .from = A, .flags = ACK, .seq = 51, .ack = 601);
	expect_flags(t.flow.state, FLOW_PROVEN, flow_flags);
	expect_int(t.flow.open.resets_ignored, 1);
	check_four_way(7, 9); /* and a fresh flow has nothing of it */
}

/* The same, but the receiver answers by a RST: it had taken the forged one, which still decides. */
TEST(test_reset_denied_and_taken)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	SEND(&t, 100 * MS, .from = B, .flags = RST, .seq = 501);
	SEND(&t, 200 * MS, .from = B, .flags = PSH, .seq = 501, .ack = 51, .len = 100);
	SEND(&t, 201 * MS, .from = A, .flags = RST, .seq = 51);
	expect_flags(t.flow.state & FLOW_RESET, FLOW_RESET, flow_flags);
	expect_int(t.flow.reset.side, B);
	expect_int(t.flow.reset.fate, RESET_DENIED | RESET_ANSWERED);
}

/* A queue kept the receiver's data back for long: it seems to survive, and answers as a closed socket does at last. */
TEST(test_reset_set_aside_and_taken)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	SEND(&t, 100 * MS, .from = B, .flags = RST, .seq = 501);
	SEND(&t, 300 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 51);
	SEND(&t, 301 * MS, .from = A, .flags = PSH, .seq = 51, .ack = 501, .len = 10);
	expect_flags(t.flow.state, FLOW_PROVEN, flow_flags);
	SEND(&t, 302 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 61);
	SEND(&t, 303 * MS, .from = A, .flags = RST, .seq = 61);
	expect_flags(t.flow.state & FLOW_RESET, FLOW_RESET, flow_flags);
	expect_int(t.flow.reset.side, B);
	expect_int(t.flow.open.resets_ignored, 0);
}

/* In the window, not exact: the receiver answers with a challenge ACK, and the connection goes on. */
TEST(test_reset_challenged)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	SEND(&t, 100 * MS, .from = B, .flags = RST, .seq = 600);
	expect_word(t.flow.reset.validity, RESET_IN_WINDOW, reset_validities);
	SEND(&t, 101 * MS, .from = A, .flags = ACK, .seq = 51, .ack = 501);
	expect_flags(t.flow.state, FLOW_PROVEN, flow_flags);
	expect_flags(SEND(&t, 140 * MS, .from = B, .flags = RST, .seq = 501), STEP_DONE, step_flags);
	expect_word(t.flow.reset.validity, RESET_EXACT, reset_validities);
	expect_at(t.flow.reset.time, 140 * MS);
}

/* A RST in the window and at once an exact one: the exact one decides. */
TEST(test_reset_in_window_then_exact)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	SEND(&t, 100 * MS, .from = B, .flags = RST, .seq = 600);
	expect_flags(SEND(&t, 140 * MS, .from = B, .flags = RST, .seq = 501), STEP_DONE, step_flags);
	expect_word(t.flow.reset.validity, RESET_EXACT, reset_validities);
	expect_at(t.flow.reset.time, 140 * MS);
	expect_int(t.flow.reset.copies, 0);
	expect_int(t.flow.open.resets_ignored, 1);
}

TEST(test_reset_after_close)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	SEND(&t, 110 * MS, .from = B, .flags = FIN, .seq = 501, .ack = 52);
	SEND(&t, 120 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 502);
	expect_flags(SEND(&t, 130 * MS, .from = A, .flags = RST, .seq = 52), 0, step_flags);
	expect_flags(t.flow.state, FLOW_PROVEN | FLOW_BEGUN | FLOW_GRACEFUL | FLOW_LATE_RESET, flow_flags);
	expect_at(flow_end_time(&t.flow), 120 * MS);
}

/* A RST in the handshake whose alleged sender goes on, and whose receiver takes that: this proves the connection. */
TEST(test_denied_in_handshake)
{
	struct subject t = new_subject(1000, 2000);

	SEND(&t, 0, .from = A, .flags = SYN);
	SEND(&t, 10 * MS, .from = B, .flags = SYN | ACK, .ack = 1);
	SEND(&t, 10 * MS + 10000, .from = A, .flags = RST, .seq = 1);
	SEND(&t, 10 * MS + 60000, .from = A, .flags = ACK, .seq = 1, .ack = 1);
	SEND(&t, 11 * MS, .from = A, .flags = PSH | ACK, .seq = 1, .ack = 1, .len = 50);
	expect_flags(t.flow.state & (FLOW_PROVEN | FLOW_RESET), FLOW_RESET, flow_flags);
	expect_flags(SEND(&t, 21 * MS, .from = B, .flags = ACK, .seq = 1, .ack = 51), STEP_PROVEN, step_flags);
	expect_flags(t.flow.state & (FLOW_PROVEN | FLOW_RESET), FLOW_PROVEN, flow_flags);
	expect_int(t.flow.open.resets_ignored, 1);
}

/* A connection that was refused: RFC 9293 section 3.10.7.3 accepts an RST that acknowledges the SYN, no other. */
TEST(test_refused)
{
	static const struct {
		const char *name;
		uint8_t flags;
		uint32_t seq, ack;
		bool refused;
	} table[] = {
		{"acknowledges the SYN", RST | ACK, 0, 1, true},
		{"any sequence number", RST | ACK, 12345, 1, true},
		{"acknowledges nothing", RST | ACK, 0, 0, false},
		{"acknowledges too much", RST | ACK, 0, 2, false},
		{"without ACK", RST, 0, 0, false},
	};

	FOR_EACH_ROW(table, row) {
		struct subject t = new_subject(1000, 0);

		SEND(&t, 0, .from = A, .flags = SYN);
		SEND(&t, 1 * MS, .from = B, .flags = row->flags, .seq = row->seq, .ack = row->ack);
		expect_flags((t.flow.state & FLOW_RESET) != 0, row->refused, flow_flags);
		expect_flags(t.flow.state & FLOW_PROVEN, 0, flow_flags);
	}
}

/* SYN with FIN, and a FIN without ACK: no receiver acts on them. */
TEST(test_contradicting_flags)
{
	static const uint8_t flags[] = {SYN | TCP_FIN, SYN | FIN, TCP_FIN, TCP_FIN | TCP_PSH | TCP_URG};

	for (size_t i = 0; i < COUNT(flags); i++) {
		struct subject t = new_subject(1000, 2000);

		enter_row("flags %#x", flags[i]);
		open_flow(&t);
		expect_flags(SEND(&t, 100 * MS, .from = A, .flags = flags[i], .seq = 51, .ack = 501), 0, step_flags);
		expect_flags(t.flow.state, FLOW_PROVEN, flow_flags);
		expect_flags(t.log[t.flow.log_len - 1].mark, SEGMENT_IGNORED, segment_marks);
	}
}

/* RFC 9293 section 3.10.7.4: RST is checked ahead of SYN and FIN. */
TEST(test_reset_with_other_flags)
{
	static const uint8_t flags[] = {SYN | RST, SYN | RST | ACK, TCP_FIN | RST, 0xff};

	for (size_t i = 0; i < COUNT(flags); i++) {
		struct subject t = new_subject(1000, 2000);

		enter_row("flags %#x", flags[i]);
		open_flow(&t);
		SEND(&t, 100 * MS, .from = A, .flags = flags[i], .seq = 51, .ack = 501);
		expect_flags(t.flow.state & FLOW_RESET, FLOW_RESET, flow_flags);
		expect_flags(t.log[t.flow.log_len - 1].mark, 0, segment_marks);
	}
}

/* ---- copies ---- */

TEST(test_seen_twice)
{
	static const struct {
		const char *name;
		uint64_t later;
		uint16_t id;
		bool duplicate;
	} table[] = {
		{"at once", 0, 7, true},
		{"1 us later", 1000, 7, true},
		{"last ns", FLOW_DUPLICATE_NS - 1, 7, true},
		{"another IP id", 1000, 8, false},
		{"too late", FLOW_DUPLICATE_NS, 7, false},
		{"a retransmission time-out later", 200 * MS, 7, false},
	};

	FOR_EACH_ROW(table, row) {
		struct subject t = new_subject(1000, 2000);

		open_flow(&t);
		SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501, .id = 7);
		SEND(&t, 100 * MS + row->later, .from = A, .flags = FIN, .seq = 51, .ack = 501, .id = row->id);
		expect_int(t.flow.duplicates, row->duplicate);
		expect_int(t.flow.side[A].fin_copies, !row->duplicate);
	}
}

/* Two hooks see both segments of an exchange: the second sightings come behind another segment. */
TEST(test_pair_seen_twice)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501, .id = 7);
	SEND(&t, 100 * MS + 1000, .from = B, .flags = FIN, .seq = 501, .ack = 52, .id = 8);
	SEND(&t, 100 * MS + 2000, .from = A, .flags = FIN, .seq = 51, .ack = 501, .id = 7);
	SEND(&t, 100 * MS + 3000, .from = B, .flags = FIN, .seq = 501, .ack = 52, .id = 8);
	expect_int(t.flow.duplicates, 2);
	expect_int(t.flow.side[A].fin_copies + t.flow.side[B].fin_copies, 0);
}

/* ---- the log ---- */

TEST(test_log_folds)
{
	struct subject t = new_subject(1000, 2000);
	const struct flow_segment *e;

	handshake(&t);
	for (uint32_t i = 0; i < 100; i++)
		SEND(&t, (30 + i) * MS, .from = A, .flags = PSH, .seq = 1 + i * 10, .ack = 1, .len = 10);
	expect_int(t.flow.log_len, 4);
	e = &t.log[3];
	expect_flags(e->mark, SEGMENT_FOLDED, segment_marks);
	expect_int(e->count, 100);
	expect_int(e->len, 1000);
	expect_int(relative(&t, A, e->seq), 1);
	expect_at(e->time, 30 * MS);
	/* the other side's and those without data are kept apart */
	SEND(&t, 200 * MS, .from = B, .flags = ACK, .seq = 1, .ack = 1001);
	SEND(&t, 201 * MS, .from = B, .flags = PSH, .seq = 1, .ack = 1001, .len = 5);
	expect_int(t.flow.log_len, 6);
	expect_int(t.flow.lost, 0);
}

/* The log is full of segments that cannot be folded: the facts stay right, and lost segments are counted. */
TEST(test_log_overflows)
{
	struct subject t = new_subject(1000, 2000);
	uint32_t sent;

	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	for (uint32_t i = 0; i < 100; i++) /* forged SYNs, each with its own number */
		SEND(&t, (101 + i) * MS, .from = A, .flags = SYN, .seq = 0x40000000 + i * 77);
	sent = 7 + 100; /* handshake 3, data 3, FIN 1 */
	expect_int(t.flow.log_len, FLOW_LOG_CLOSING);
	expect_int(t.flow.lost + FLOW_LOG_CLOSING, sent);
	SEND(&t, 300 * MS, .from = B, .flags = FIN, .seq = 501, .ack = 52);
	expect_flags(SEND(&t, 301 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 502), STEP_DONE, step_flags);
	expect_at(t.flow.side[A].t_fin_acked, 300 * MS);
	expect_at(t.flow.side[B].t_fin_acked, 301 * MS);
	expect_int(t.flow.lost + FLOW_LOG_CLOSING, sent + 2);
}

/* Every segment is in the log, as an entry or in an entry's count, or counted as lost or as seen twice. */
TEST(test_log_accounts_for_all)
{
	struct random random = {0};

	for (int round = 0; round < 2000; round++) {
		uint64_t x = random_next(&random);
		struct subject t = new_subject((uint32_t)x, (uint32_t)(x >> 32));
		uint64_t counted = 0;
		uint32_t sent = 0;

		enter_row("round %d", round);
		t.cap = round & 1 ? FLOW_LOG_CLOSING : FLOW_LOG_UNPROVEN;
		handshake(&t);
		for (sent = 3; sent < 60 && !(t.flow.state & FLOW_GRACEFUL); sent++) {
			x = random_next(&random);
			SEND(&t, (30 + sent * (x >> 60)) * MS, .from = x & 1, .flags = (uint8_t)(x >> 8),
			     .seq = x >> 16 & 63, .ack = x >> 22 & 63, .len = x >> 28 & 3, .id = 1 + (x >> 30 & 1));
		}
		for (uint32_t i = 0; i < t.flow.log_len; i++)
			counted += t.log[i].count;
		expect_int(counted + t.flow.lost + t.flow.duplicates, sent);
	}
}

/* A million segments: memory is bounded, and the close behind them is still found. */
static void check_storm(struct wire storm)
{
	struct subject t = new_subject(1000, 2000);
	struct tcp_segment s;

	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	storm.seq += t.isn[storm.from];
	storm.ack += t.isn[!storm.from];
	s = parse_wire(&storm);
	for (uint32_t i = 0; i < 1000000; i++) {
		s.time = EPOCH + 101 * MS + i * 1000ULL;
		s.ip_id = (uint16_t)i;
		take(&t, &s);
	}
	SEND(&t, 2000 * MS, .from = B, .flags = FIN, .seq = 501, .ack = 52);
	SEND(&t, 2001 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 502);
	expect_flags(t.flow.state & FLOW_GRACEFUL, FLOW_GRACEFUL, flow_flags);
	expect_int(relative(&t, A, t.flow.side[A].fin_end), 52);
}

TEST(test_storms)
{
	static const struct {
		const char *name;
		struct wire wire;
	} storms[] = {
		{"copies of the FIN", {.from = A, .flags = FIN, .seq = 51, .ack = 501}},
		{"FINs forged far ahead", {.from = A, .flags = FIN, .seq = 0x20000000, .ack = 501}},
		{"RSTs out of the window", {.from = B, .flags = RST, .seq = 0x20000000}},
		{"SYNs of another number", {.from = A, .flags = SYN, .seq = 0x20000000}},
		{"copies of the SYN", {.from = A, .flags = SYN}},
	};

	FOR_EACH_ROW(storms, row)
		check_storm(row->wire);
}

TEST(test_fin_copies_saturate)
{
	struct subject t = new_subject(1000, 2000);

	open_flow(&t);
	for (unsigned i = 0; i < 300; i++)
		SEND(&t, (100 + i * 2) * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	expect_int(t.flow.side[A].fin_copies, 255);
	expect_at(t.flow.side[A].t_fin, 100 * MS);
	expect_int(t.flow.lost, 0); /* equal ones are counted in one entry */
}

TEST(test_reset_storm_saturates)
{
	struct subject t = new_subject(1000, 2000);
	struct wire w = {.from = B, .flags = RST, .seq = 2501};
	struct tcp_segment s;

	open_flow(&t);
	s = parse_wire(&w);
	for (uint32_t i = 0; i < 1000000; i++) {
		s.time = EPOCH + 100 * MS + i * 1000ULL;
		s.ip_id = (uint16_t)i;
		take(&t, &s);
	}
	expect_flags(t.flow.state & FLOW_RESET, FLOW_RESET, flow_flags);
	expect_int(t.flow.reset.copies, 255);
	expect_at(t.flow.reset.time, 100 * MS);
}

/* ---- connections whose beginning was not seen ---- */

/* A stray FIN becomes a connection when the other side acknowledges exactly its number. */
TEST(test_stray_fin)
{
	struct subject t = new_subject(1000, 2000);

	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	assert_true(flow_is_stray(&t.flow));
	expect_flags(SEND(&t, 101 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 53) & STEP_PROVEN, 0, step_flags);
	expect_flags(SEND(&t, 102 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 501) & STEP_PROVEN, 0, step_flags);
	assert_true(flow_is_stray(&t.flow));
	expect_flags(SEND(&t, 110 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 52), STEP_PROVEN, step_flags);
	assert_false(flow_is_stray(&t.flow));
	expect_flags(t.flow.state & FLOW_MIDSTREAM, FLOW_MIDSTREAM, flow_flags);
}

/* A SYN-ACK whose SYN was not seen names the source by its numbers, but is no connection until it is answered. */
TEST(test_synack_first)
{
	struct subject t = new_subject(1000, 2000);

	SEND(&t, 0, .from = B, .flags = SYN | ACK, .ack = 1);
	assert_true(flow_is_stray(&t.flow));
	expect_int(t.flow.open.source, A);
	expect_int(t.flow.open.isn[A], 1000);
	expect_flags(SEND(&t, 1 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1), STEP_PROVEN, step_flags);
	assert_false(flow_is_stray(&t.flow));
}

TEST(test_unanswered_syn_is_no_stray)
{
	struct subject t = new_subject(1000, 2000);

	SEND(&t, 0, .from = A, .flags = SYN);
	assert_false(flow_is_stray(&t.flow));
}

/* ---- waiting ---- */

TEST(test_due)
{
	static const struct flow_timeouts timeouts = {
		.settle = SECOND / 2, .syn = SECOND, .close = 10 * SECOND, .attempt = 10 * SECOND, .idle = 60 * SECOND};
	struct subject t = new_subject(1000, 2000);
	const uint64_t start = EPOCH;

	SEND(&t, 0, .from = A, .flags = SYN);
	expect_word(flow_waits_for(&t.flow), FLOW_WAIT_SYN, flow_waits);
	assert_false(flow_is_due(&t.flow, start + 10 * SECOND - 1, &timeouts));
	assert_true(flow_is_due(&t.flow, start + 10 * SECOND, &timeouts));
	SEND(&t, 3 * SECOND, .from = A, .flags = SYN); /* tries again: from the last one on */
	expect_at(flow_news_due(&t.flow, &timeouts), 4 * SECOND);
	assert_false(flow_is_due(&t.flow, start + 13 * SECOND - 1, &timeouts));
	assert_true(flow_is_due(&t.flow, start + 13 * SECOND, &timeouts));
	SEND(&t, 3 * SECOND + MS, .from = B, .flags = SYN | ACK, .ack = 1);
	SEND(&t, 3 * SECOND + 2 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1);
	expect_word(flow_waits_for(&t.flow), FLOW_WAIT_NOTHING, flow_waits);
	assert_false(flow_is_due(&t.flow, start + 3600 * SECOND, &timeouts));
	SEND(&t, 4 * SECOND, .from = A, .flags = FIN, .seq = 1, .ack = 1);
	expect_word(flow_waits_for(&t.flow), FLOW_WAIT_CLOSE, flow_waits);
	SEND(&t, 30 * SECOND, .from = B, .flags = ACK, .seq = 1, .ack = 2); /* progress */
	SEND(&t, 50 * SECOND, .from = A, .flags = FIN, .seq = 1, .ack = 1); /* none */
	expect_at(flow_news_due(&t.flow, &timeouts), 40 * SECOND);
	assert_false(flow_is_due(&t.flow, start + 110 * SECOND - 1, &timeouts)); /* it is given up when nothing comes */
	assert_true(flow_is_due(&t.flow, start + 110 * SECOND, &timeouts));
	SEND(&t, 80 * SECOND, .from = B, .flags = FIN, .seq = 1, .ack = 2);
	SEND(&t, 81 * SECOND, .from = A, .flags = ACK, .seq = 2, .ack = 2);
	expect_word(flow_waits_for(&t.flow), FLOW_WAIT_SETTLE, flow_waits);
	expect_int(flow_waits_since(&t.flow), start + 81 * SECOND);
	SEND(&t, 81 * SECOND + 400 * MS, .from = B, .flags = FIN, .seq = 1, .ack = 2); /* settling is not prolonged */
	assert_false(flow_is_due(&t.flow, start + 81 * SECOND + SECOND / 2 - 1, &timeouts));
	assert_true(flow_is_due(&t.flow, start + 81 * SECOND + SECOND / 2, &timeouts));
	assert_false(flow_is_due(&t.flow, 0, &timeouts)); /* a clock behind the flow's */
}

/* A refused SYN may be sent again; one whose SYN-ACK was reset by its source is over. */
TEST(test_waits_for_a_refused_syn_again)
{
	static const struct flow_timeouts timeouts = {.settle = SECOND / 2, .repeat = 135 * SECOND};
	struct subject t = new_subject(1000, 2000);

	SEND(&t, 0, .from = A, .flags = SYN);
	SEND(&t, 4 * MS, .from = B, .flags = RST | ACK, .ack = 1);
	expect_word(flow_waits_for(&t.flow), FLOW_WAIT_REPEAT, flow_waits);
	expect_at(flow_news_due(&t.flow, &timeouts), 504 * MS);
	SEND(&t, 580 * MS, .from = A, .flags = SYN);
	SEND(&t, 583 * MS, .from = B, .flags = RST | ACK, .ack = 1);
	expect_at(flow_news_due(&t.flow, &timeouts), 1083 * MS);
	expect_at(flow_due(&t.flow, &timeouts), 135 * SECOND + 583 * MS);
	t = new_subject(1000, 2000);
	SEND(&t, 0, .from = A, .flags = SYN);
	SEND(&t, 10 * MS, .from = B, .flags = SYN | ACK, .ack = 1);
	SEND(&t, 20 * MS, .from = A, .flags = RST, .seq = 1);
	expect_word(flow_waits_for(&t.flow), FLOW_WAIT_SETTLE, flow_waits);
}

/* ---- established flows ---- */

/* What an established flow keeps is enough to write its handshake into the log again. */
static void check_reopen(struct subject *t, uint32_t first)
{
	struct flow_segment log[FLOW_LOG_HANDSHAKE];
	struct flow f = {.state = 0};

	flow_reopen(&f, &t->flow.open);
	expect_flags(f.state, FLOW_PROVEN | FLOW_REOPENED, flow_flags);
	expect_int(f.log_len, 0);
	expect_int(f.t_first, t->flow.t_first);
	expect_int(f.t_last, t->flow.open.t_ack);
	expect_int(flow_handshake_log(&t->flow.open, log), t->flow.log_len);
	for (uint32_t i = 0; i < t->flow.log_len; i++) {
		expect_int(log[i].time, t->log[i].time);
		expect_int(log[i].seq, t->log[i].seq);
		expect_int(log[i].ack, t->log[i].ack);
		expect_int(log[i].len, t->log[i].len);
		expect_int(log[i].count, 1);
		expect_int(log[i].win, t->log[i].win);
		expect_flags(log[i].flags, t->log[i].flags, tcp_flags);
		expect_int(log[i].side, t->log[i].side);
		if (first == SYN) /* otherwise the source's is not known */
			expect_int(log[i].ttl, t->log[i].ttl);
	}
	expect_flags(log[0].flags, first, tcp_flags);
}

TEST(test_reopen)
{
	struct subject t = new_subject(0xffffffff, 2000), unseen = new_subject(1000, 2000);
	struct subject fast = new_subject(1000, 2000);

	handshake(&t);
	check_reopen(&t, SYN);
	SEND(&unseen, 0, .from = B, .flags = SYN | ACK, .ack = 1); /* its SYN passed before us */
	SEND(&unseen, 1 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1);
	check_reopen(&unseen, SYN | ACK);
	SEND(&fast, 0, .from = A, .flags = SYN, .len = 100);
	SEND(&fast, 1 * MS, .from = B, .flags = SYN | ACK, .ack = 101);
	SEND(&fast, 2 * MS, .from = A, .flags = ACK, .seq = 101, .ack = 1);
	check_reopen(&fast, SYN);
}

/* A SYN seen after its whole connection is a copy: the handshake's part of the log is over. */
TEST(test_syn_behind_the_close)
{
	struct subject t = new_subject(1000, 2000);
	struct flow_open open;

	SEND(&t, 0, .from = B, .flags = SYN | ACK, .ack = 1);
	SEND(&t, 1 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1);
	open = t.flow.open;
	memset(&t.flow, 0, sizeof(t.flow));
	flow_reopen(&t.flow, &open);
	SEND(&t, 2 * MS, .from = A, .flags = FIN | ACK, .seq = 1, .ack = 1);
	SEND(&t, 3 * MS, .from = A, .flags = SYN);
	expect_flags(t.flow.open.seen & OPEN_SYN, 0, open_flags);
	expect_int(t.flow.open.syn_copies, 1);
	expect_flags(t.log[1].mark, SEGMENT_COPY, segment_marks);
}

/* ---- the last numbers seen ---- */

static void note(struct last_seen *cell, uint32_t side, uint32_t seq, uint32_t len, uint32_t ack, uint64_t hash)
{
	const struct tcp_segment s = {.flags = ACK, .seq = seq, .len = len, .ack = ack, .win = 502};

	last_seen_note(cell, &s, side, hash);
}

TEST(test_evidence_numbers)
{
	struct last_seen cell = {.side = {{0}}};

	note(&cell, 0, 1000, 50, 7, 0x123456789abcdef0);
	assert_true(last_seen_is_of(&cell.side[0], 0x123456789abcdef0));
	assert_false(last_seen_is_of(&cell.side[0], 0x923456789abcdef0));
	assert_false(last_seen_is_of(&cell.side[1], 0x123456789abcdef0));
	expect_int(cell.side[0].end, 1050);
	expect_int(cell.side[0].ack, 7);
	expect_int(cell.side[0].win, 502);
	note(&cell, 0, 1000, 10, 8, 0x123456789abcdef0); /* a retransmission: the highest stays, the last ACK counts */
	expect_int(cell.side[0].end, 1050);
	expect_int(cell.side[0].ack, 8);
	note(&cell, 0, 1050, 50, 8, 0x123456789abcdef0);
	expect_int(cell.side[0].end, 1100);
}

TEST(test_evidence_wrap)
{
	struct last_seen cell = {.side = {{0}}};

	note(&cell, 1, 0xfffffff0, 10, 7, 1ull << 48);
	note(&cell, 1, 0xfffffffa, 10, 7, 1ull << 48);
	expect_int(cell.side[1].end, 4);
	note(&cell, 1, 0xfffffff0, 10, 7, 1ull << 48);
	expect_int(cell.side[1].end, 4);
}

/* A collision: the newest flow owns the cell, and nobody takes its numbers for another's. */
TEST(test_evidence_collision)
{
	struct last_seen cell = {.side = {{0}}};

	note(&cell, 0, 1000, 50, 7, 0x1000000000000000);
	note(&cell, 0, 900, 10, 9, 0x1000000000020000);
	assert_false(last_seen_is_of(&cell.side[0], 0x1000000000000000));
	assert_true(last_seen_is_of(&cell.side[0], 0x1000000000020000));
	expect_int(cell.side[0].end, 910);
}

/* One forged segment far away does not displace what is known; a sender that goes on there does. */
TEST(test_evidence_far_numbers)
{
	static const uint32_t far[] = {LAST_SEEN_REORDER, 0x40000000, 0x80000000, 0xc0000000,
				       0u - 2 * LAST_SEEN_REORDER};

	for (size_t i = 0; i < COUNT(far); i++) {
		struct last_seen cell = {.side = {{0}}};

		enter_row("%#x ahead", far[i]);
		note(&cell, 0, 1000, 50, 7, 1ull << 48);
		note(&cell, 0, 1050 + far[i], 10, 666, 1ull << 48);
		expect_int(cell.side[0].end, 1050);
		expect_int(cell.side[0].ack, 7);
		assert_true(last_seen_is_of(&cell.side[0], 1ull << 48));
		note(&cell, 0, 1050, 10, 7, 1ull << 48);
		expect_int(cell.side[0].end, 1060);
		note(&cell, 0, 1050 + far[i], 10, 8, 1ull << 48);
		note(&cell, 0, 1060 + far[i], 10, 8, 1ull << 48);
		expect_int(cell.side[0].end, 1070 + far[i]);
	}
}

/* ---- keys ---- */

static struct tcp_segment reverse(const struct tcp_segment *s)
{
	struct tcp_segment r = *s;

	r.src = s->dst;
	r.dst = s->src;
	r.sport = s->dport;
	r.dport = s->sport;
	return r;
}

/* Both directions have one hash, and opposite sides. */
static void check_symmetry(const struct tcp_segment *s, uint32_t ifindex)
{
	const struct flow_hash_key key = flow_hash_key_of(42), other = flow_hash_key_of(43);
	struct tcp_segment r = reverse(s);
	uint32_t side = flow_side_of(s), back = flow_side_of(&r);
	uint64_t hash = flow_hash(s, ifindex, &key);

	expect_int(side, !back);
	expect_int(hash, flow_hash(&r, ifindex, &key));
	assert_true(flow_hash(s, ifindex, &other) != hash);
	assert_true(flow_ends_of_segment(s, &key).side == side);
}

TEST(test_hash_symmetry)
{
	struct random random = {0};

	for (int i = 0; i < 100000; i++) {
		struct tcp_segment s = {.family = i & 1 ? 4 : 6};

		s.src.lo = random_next(&random) & 0xffffffff;
		s.dst.lo = i % 3 ? random_next(&random) & 0xffffffff : s.src.lo;
		if (s.family == 6) {
			s.src.hi = random_next(&random);
			s.dst.hi = i % 5 ? random_next(&random) : s.src.hi;
		}
		s.sport = (uint16_t)random_next(&random);
		s.dport = (uint16_t)(s.sport + 1 + i % 1000);
		check_symmetry(&s, (uint32_t)i % 7);
	}
}

static const struct flow_hash_key seven = {{7, 77, 777, 7777, 77777}};

/* A socket connected to itself (RFC 9293 section 3.5 allows it) has one side only. */
TEST(test_self_connection)
{
	struct tcp_segment s = {.family = 4, .src = {0, 1}, .dst = {0, 1}, .sport = 80, .dport = 80}, r = reverse(&s);

	expect_int(flow_side_of(&s), 0);
	expect_int(flow_side_of(&r), 0);
	expect_int(flow_hash(&s, 1, &seven), flow_hash(&r, 1, &seven));
}

/* The lowest bits index the watch filter, all of them the tables: equal ports on many hosts must not pile up. */
TEST(test_hash_spreads)
{
	static uint8_t cells[WATCH_CELLS];
	uint32_t most = 0;

	for (uint32_t host = 0; host < WATCH_CELLS; host++) {
		struct tcp_segment s = {
			.family = 4,
			.src = {0, 0x0a000000 + host},
			.dst = {0, 0x0a010001},
			.sport = 40000,
			.dport = 443,
		};
		uint8_t *cell = &cells[flow_hash(&s, 1, &seven) >> 32 & (WATCH_CELLS - 1)];

		*cell += 1;
		most = *cell > most ? *cell : most;
	}
	assert_true(most <= 12); /* 16384 balls in as many bins: more than 12 in one has odds below 1e-5 */
}

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Flows as they come: numbers in a row in one place or in two. i: below WATCH_CELLS. */
static struct tcp_segment neighbour(unsigned kind, uint32_t i)
{
	struct tcp_segment s = {
		.family = 4, .src = {0, 0x0a000001}, .dst = {0, 0xc0a80001}, .sport = 40000, .dport = 443};

	if (kind > 4) {
		s.family = 6;
		s.src.hi = s.dst.hi = 0x20010db800000000;
	}
	s.sport = (uint16_t)(s.sport + (kind == 0 || kind == 5 ? i : 0));
	s.src.lo += kind == 1 || kind == 6 ? i : 0;
	s.src.lo ^= kind == 2 ? i << 16 : 0;
	s.src.hi += kind == 7 ? i : 0;
	s.src.lo ^= kind == 8 ? (uint64_t)i << 50 : 0;
	if (kind == 3) {
		s.src.lo += i >> 7;
		s.sport = (uint16_t)(s.sport + (i & 127));
	}
	if (kind == 4 || kind == 9) {
		s.src.lo += i & 127;
		s.dst.lo += i >> 7 << 8;
	}
	return s;
}

/* Pairs of flows in one of 16,384 cells, which these bits of the hash choose. */
static uint32_t pairs_in_cells(const uint64_t *hashes, unsigned shift)
{
	static uint32_t cells[WATCH_CELLS];
	uint32_t pairs = 0;

	memset(cells, 0, sizeof(cells));
	for (uint32_t i = 0; i < WATCH_CELLS; i++)
		pairs += cells[hashes[i] >> shift & (WATCH_CELLS - 1)]++;
	return pairs;
}

/* Whatever the key is, flows with neighbouring numbers are spread as by chance: in cells, sets and tags. */
TEST(test_hash_of_neighbours)
{
	static uint64_t hashes[WATCH_CELLS];

	for (unsigned kind = 0; kind < 10; kind++)
		for (uint64_t seed = 0; seed < 100; seed++) {
			const struct flow_hash_key keyed = flow_hash_key_of(seed);

			for (uint32_t i = 0; i < WATCH_CELLS; i++) {
				struct tcp_segment s = neighbour(kind, i);

				hashes[i] = flow_hash(&s, 3, &keyed);
			}
			/* Chance makes 8,191, and 90 more or less. */
			for (unsigned shift = 32; shift <= 50; shift += 9)
				assert_true(pairs_in_cells(hashes, shift) < 10500);
			qsort(hashes, WATCH_CELLS, sizeof(*hashes), by_number);
			for (uint32_t i = 1; i < WATCH_CELLS; i++)
				assert_true(hashes[i] >> 16 != hashes[i - 1] >> 16);
		}
}

/*
 * Ends that change places, and numbers that move from one end to the other, are other flows: a sum of two ends' hashes
 * could have them for one.
 */
TEST(test_hash_of_exchanged_numbers)
{
	for (uint64_t seed = 0; seed < 10000; seed++) {
		const struct flow_hash_key keyed = flow_hash_key_of(seed);
		struct tcp_segment s = {
			.family = 4, .src = {0, 0x0a010505}, .dst = {0, 0x0a050505}, .sport = 7000, .dport = 8000};
		struct tcp_segment ports = s, networks = s;
		uint64_t hash = flow_hash(&s, 0, &keyed);

		ports.sport = 8000;
		ports.dport = 7000;
		networks.src.lo += 0x10000;
		networks.dst.lo -= 0x10000;
		assert_true(flow_hash(&ports, 0, &keyed) != hash && flow_hash(&networks, 0, &keyed) != hash);
	}
}

#define DEFAULT_CELLS 8192 /* of --evidence */

/* Of all connections that two hosts can have to one port, none is judged by the numbers of another. */
TEST(test_evidence_owners)
{
	static uint64_t owners[1 << 16];
	struct tcp_segment s = {.family = 4, .src = {0, 0x0a000001}, .dst = {0, 0x0a000002}, .dport = 443};

	for (uint32_t port = 0; port < 1 << 16; port++) {
		uint64_t hash;

		s.sport = (uint16_t)port;
		hash = flow_hash(&s, 1, &seven);
		owners[port] = (hash >> 32 & (DEFAULT_CELLS - 1)) << 32 | last_seen_tag(hash);
	}
	qsort(owners, 1 << 16, sizeof(owners[0]), by_number);
	for (uint32_t i = 1; i < 1 << 16; i++)
		assert_true(owners[i] != owners[i - 1]);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
