// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flow_step on segment sequences: which facts a flow holds after a handshake, a close, a forgery or a storm. Segments
 * are written as bytes and parsed, with numbers relative to two ISNs that the wrap tests choose.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/core/flow.h"
#include "tests/unit/segments.h"

#define MS 1000000ULL
#define SECOND (1000 * MS)
#define EPOCH (1767225600 * SECOND)

enum { A, B }; /* the source and the destination; also their sides, as A's address is the lower one */

#define SYN TCP_SYN
#define ACK TCP_ACK
#define FIN (TCP_FIN | TCP_ACK)
#define RST TCP_RST
#define PSH (TCP_PSH | TCP_ACK)

/* A flow with its log, and what the last step said of it. */
struct subject {
	struct flow flow;
	struct flow_segment log[FLOW_LOG_CLOSING];
	uint32_t cap;
	uint32_t isn[2];
	uint32_t step;
	uint16_t id; /* of the next packet: no two are alike, unless a test says so */
};

static struct tcp_segment parse_wire(const struct wire *w)
{
	const struct packet_meta meta = {.link = PACKET_LINK_IP, .wire_len = 4096};
	struct tcp_segment s = {.time = 0};
	struct bytes b = {.len = 0};
	struct cursor c;

	put_wire(&b, w);
	c.pos = b.data;
	c.end = b.data + b.len;
	assert_int_equal(packet_parse(&s, &c, &meta), PACKET_TCP);
	if (s.flags & (SYN | RST)) {
		struct tcp_options options = {.len = s.options_len};

		memcpy(options.bytes, b.data + s.options_off, s.options_len);
		packet_options(&s, &options);
	}
	s.time = w->time;
	return s;
}

static void init(struct flow *f, const struct tcp_segment *s, uint32_t side)
{
	memset(f, 0, sizeof(*f));
	flow_init(f, s, side, false);
}

static void take(struct subject *t, const struct tcp_segment *s)
{
	struct flow_turn turn;
	uint32_t side = flow_side_of(s);

	if (!t->flow.t_first)
		init(&t->flow, s, side);
	flow_turn_begin(&turn, &t->flow, t->log, t->cap, side);
	flow_step(&t->flow, &turn, s);
	flow_turn_end(&turn, t->log, t->cap);
	t->step = turn.step;
	assert_true(t->flow.log_len <= t->cap);
}

/* A segment whose numbers are relative to the ISNs. Returns the step's bits. */
static uint32_t send(struct subject *t, struct wire w)
{
	struct tcp_segment s;

	w.time += EPOCH;
	w.seq += t->isn[w.from];
	if (w.flags & ACK)
		w.ack += t->isn[!w.from];
	if (!w.id)
		w.id = ++t->id;
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
	assert_int_equal(SEND(t, 0, .from = A, .flags = SYN, .wscale = 1 + 7), 0);
	assert_int_equal(SEND(t, 10 * MS, .from = B, .flags = SYN | ACK, .ack = 1, .wscale = 1 + 9, .ttl = 57), 0);
	assert_int_equal(SEND(t, 20 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1, .win = 502), STEP_PROVEN);
}

/* A sent 50 bytes, B 500; A's next number is 51, B's is 501. */
static void open_flow(struct subject *t)
{
	handshake(t);
	SEND(t, 30 * MS, .from = A, .flags = PSH, .seq = 1, .ack = 1, .len = 50, .win = 502);
	SEND(t, 40 * MS, .from = B, .flags = PSH, .seq = 1, .ack = 51, .len = 500, .win = 510);
	SEND(t, 50 * MS, .from = A, .flags = ACK, .seq = 51, .ack = 501, .win = 502);
	assert_int_equal(t->flow.state, FLOW_PROVEN);
}

static uint32_t relative(const struct subject *t, uint32_t side, uint32_t number)
{
	return number - t->isn[side];
}

/* ---- opening ---- */

static void test_handshake_facts(void **state)
{
	struct subject t = new_subject(1000, 2000);
	const struct flow_open *o = &t.flow.open;

	(void)state;
	handshake(&t);
	assert_int_equal(o->seen & ~OPEN_CROSSED, OPEN_SYN | OPEN_SYNACK | OPEN_ACK);
	assert_int_equal(o->source, A);
	assert_true(o->t_syn == EPOCH && o->t_synack == EPOCH + 10 * MS && o->t_ack == EPOCH + 20 * MS);
	assert_int_equal(o->isn[A], 1000);
	assert_int_equal(o->isn[B], 2000);
	assert_int_equal(o->win[0], 64240);
	assert_int_equal(o->win[1], 64240);
	assert_int_equal(o->win[2], 502);
	assert_int_equal(o->wscale[A], 7);
	assert_int_equal(o->wscale[B], 9);
	assert_int_equal(o->ttl[A], 64);
	assert_int_equal(o->ttl[B], 57);
	assert_int_equal(o->syn_flags, SYN);
	assert_int_equal(o->synack_flags, SYN | ACK);
	assert_int_equal(o->syn_copies + o->synack_copies + o->syn_len, 0);
	assert_int_equal(t.flow.log_len, 3);
	assert_true(t.flow.t_first == EPOCH && t.flow.t_last == EPOCH + 20 * MS);
}

static void test_handshake_copies(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	SEND(&t, 0, .from = A, .flags = SYN);
	SEND(&t, 1000 * MS, .from = A, .flags = SYN);
	SEND(&t, 3000 * MS, .from = A, .flags = SYN);
	SEND(&t, 3010 * MS, .from = B, .flags = SYN | ACK, .ack = 1);
	SEND(&t, 4010 * MS, .from = B, .flags = SYN | ACK, .ack = 1);
	assert_int_equal(SEND(&t, 4020 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1), STEP_PROVEN);
	assert_int_equal(t.flow.open.syn_copies, 2);
	assert_int_equal(t.flow.open.synack_copies, 1);
	assert_true(t.flow.open.t_syn == EPOCH && t.flow.open.t_synack == EPOCH + 3010 * MS);
	assert_int_equal(t.log[1].mark, SEGMENT_COPY);
	assert_int_equal(t.log[2].mark, SEGMENT_COPY);
	assert_int_equal(t.log[4].mark, SEGMENT_COPY);
}

/* Only a SYN-ACK of the SYN's number and an ACK of the SYN-ACK's number prove a connection. */
static void test_handshake_forged(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	SEND(&t, 0, .from = A, .flags = SYN);
	SEND(&t, 1 * MS, .from = B, .flags = SYN | ACK, .seq = 7, .ack = 0);
	SEND(&t, 2 * MS, .from = B, .flags = SYN | ACK, .seq = 7, .ack = 2);
	assert_int_equal(t.flow.open.seen & OPEN_SYNACK, 0);
	assert_int_equal(t.log[1].mark, SEGMENT_IGNORED);
	assert_int_equal(t.log[2].mark, SEGMENT_IGNORED);
	SEND(&t, 10 * MS, .from = B, .flags = SYN | ACK, .ack = 1);
	assert_int_equal(t.flow.open.isn[B], 2000);
	assert_int_equal(SEND(&t, 11 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 0), 0);
	assert_int_equal(SEND(&t, 12 * MS, .from = A, .flags = ACK, .seq = 0, .ack = 1), 0);
	assert_int_equal(SEND(&t, 13 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 2 + FLOW_HANDSHAKE_SLACK), 0);
	assert_int_equal(SEND(&t, 14 * MS, .from = B, .flags = ACK, .seq = 1, .ack = 1), 0);
	assert_int_equal(SEND(&t, 15 * MS, .from = A, .flags = 0, .seq = 1), 0);
	assert_int_equal(t.flow.state & FLOW_PROVEN, 0);
	assert_int_equal(SEND(&t, 20 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1), STEP_PROVEN);
}

/* The first ACK was lost before us: data with a later number proves as well. */
static void test_handshake_ack_lost(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	SEND(&t, 0, .from = A, .flags = SYN);
	SEND(&t, 1 * MS, .from = B, .flags = SYN | ACK, .ack = 1);
	assert_int_equal(SEND(&t, 2 * MS, .from = A, .flags = PSH, .seq = 1, .ack = 1, .len = 9), STEP_PROVEN);
}

/* RFC 7413: the SYN carries data, which the SYN-ACK acknowledges or not. */
static void test_fast_open(void **state)
{
	(void)state;
	for (int taken = 0; taken < 2; taken++) {
		struct subject t = new_subject(1000, 2000);
		uint32_t next = taken ? 101 : 1;

		SEND(&t, 0, .from = A, .flags = SYN, .len = 100);
		SEND(&t, 10 * MS, .from = B, .flags = SYN | ACK, .ack = next);
		assert_int_equal(t.flow.open.seen & OPEN_SYN_DATA, taken ? OPEN_SYN_DATA : 0);
		assert_int_equal(t.flow.open.syn_len, 100);
		assert_int_equal(SEND(&t, 20 * MS, .from = A, .flags = ACK, .seq = next, .ack = 1), STEP_PROVEN);
	}
}

/* RFC 9293 section 3.5: both sides send a SYN, and a SYN-ACK of the other's. */
static void test_simultaneous_open(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	SEND(&t, 0, .from = A, .flags = SYN);
	SEND(&t, 1 * MS, .from = B, .flags = SYN);
	assert_int_equal(t.flow.open.seen & OPEN_CROSSED, OPEN_CROSSED);
	SEND(&t, 2 * MS, .from = B, .flags = SYN | ACK, .ack = 1);
	SEND(&t, 3 * MS, .from = A, .flags = SYN | ACK, .ack = 1);
	SEND(&t, 4 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1);
	assert_int_equal(t.flow.state & FLOW_PROVEN, FLOW_PROVEN);
	assert_int_equal(t.flow.open.isn[A], 1000);
	assert_int_equal(t.flow.open.isn[B], 2000);
	assert_int_equal(t.flow.open.source, A);
}

/* A SYN inside a connection is answered by a challenge ACK (RFC 5961 section 4) and changes nothing. */
static void test_syn_in_open_flow(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	for (int from = A; from <= B; from++) {
		SEND(&t, (60 + from) * MS, .from = (uint8_t)from, .flags = SYN, .seq = 0x40000000);
		assert_int_equal(t.log[t.flow.log_len - 1].mark, SEGMENT_IGNORED);
	}
	assert_int_equal(t.flow.state, FLOW_PROVEN);
	assert_int_equal(t.flow.open.isn[A], 1000);
	assert_int_equal(relative(&t, A, t.flow.side[A].end), 51);
	assert_int_equal(relative(&t, B, t.flow.side[B].end), 501);
}

/* ---- closing ---- */

/* The three patterns, from A and from B, all with the same facts whatever the ISNs are. */
static void check_four_way(uint32_t isn_a, uint32_t isn_b)
{
	struct subject t = new_subject(isn_a, isn_b);
	const struct flow_side *a = &t.flow.side[A], *b = &t.flow.side[B];
	const uint8_t whole = SIDE_FIN | SIDE_FIN_ACKED | SIDE_FIN_NEXT;

	open_flow(&t);
	assert_int_equal(SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501), STEP_BEGUN);
	assert_int_equal(SEND(&t, 110 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 52), 0);
	assert_int_equal(SEND(&t, 150 * MS, .from = B, .flags = FIN, .seq = 501, .ack = 52), 0);
	assert_int_equal(SEND(&t, 151 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 502), STEP_DONE);
	assert_int_equal(t.flow.state, FLOW_PROVEN | FLOW_BEGUN | FLOW_GRACEFUL);
	assert_true(a->t_fin == EPOCH + 100 * MS && a->t_fin_acked == EPOCH + 110 * MS);
	assert_true(b->t_fin == EPOCH + 150 * MS && b->t_fin_acked == EPOCH + 151 * MS);
	assert_int_equal(relative(&t, A, a->fin_end), 52);
	assert_int_equal(relative(&t, B, b->fin_end), 502);
	assert_int_equal(relative(&t, B, a->fin_ack), 501);
	assert_int_equal(relative(&t, A, b->fin_ack), 52);
	assert_int_equal(a->seen & whole, whole);
	assert_int_equal(b->seen & whole, whole);
	assert_int_equal(relative(&t, B, b->end_at_ack), 501);
	assert_int_equal(a->fin_copies + b->fin_copies + t.flow.lost + t.flow.duplicates, 0);
	assert_true(flow_end_time(&t.flow) == EPOCH + 151 * MS);
}

static void test_four_way(void **state)
{
	(void)state;
	check_four_way(1000, 2000);
}

static void test_three_way(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	assert_int_equal(SEND(&t, 100 * MS, .from = B, .flags = FIN, .seq = 501, .ack = 51), STEP_BEGUN);
	assert_int_equal(SEND(&t, 110 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 502), 0);
	assert_int_equal(SEND(&t, 120 * MS, .from = B, .flags = ACK, .seq = 502, .ack = 52), STEP_DONE);
	assert_true(t.flow.side[B].t_fin == EPOCH + 100 * MS && t.flow.side[B].t_fin_acked == EPOCH + 110 * MS);
	assert_true(t.flow.side[A].t_fin == EPOCH + 110 * MS && t.flow.side[A].t_fin_acked == EPOCH + 120 * MS);
	assert_int_equal(relative(&t, B, t.flow.side[A].fin_ack), 502);
}

/* Neither FIN acknowledges the other; each is acknowledged by a segment of its own. */
static void test_simultaneous_close(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	assert_int_equal(SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501), STEP_BEGUN);
	assert_int_equal(SEND(&t, 101 * MS, .from = B, .flags = FIN, .seq = 501, .ack = 51), 0);
	assert_int_equal(SEND(&t, 110 * MS, .from = B, .flags = ACK, .seq = 502, .ack = 52), 0);
	assert_int_equal(SEND(&t, 111 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 502), STEP_DONE);
	assert_int_equal(relative(&t, B, t.flow.side[A].fin_ack), 501);
	assert_int_equal(relative(&t, A, t.flow.side[B].fin_ack), 51);
}

/* The FIN rides on data: its number is behind the data. A copy may carry other data, and ends at the same number. */
static void test_fin_with_data(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN | PSH, .seq = 51, .ack = 501, .len = 100);
	assert_int_equal(relative(&t, A, t.flow.side[A].fin_end), 152);
	SEND(&t, 300 * MS, .from = A, .flags = FIN | PSH, .seq = 1, .ack = 501, .len = 150);
	SEND(&t, 700 * MS, .from = A, .flags = FIN, .seq = 151, .ack = 501);
	assert_int_equal(t.flow.side[A].fin_copies, 2);
	assert_int_equal(relative(&t, A, t.flow.side[A].fin_end), 152);
	assert_true(t.flow.side[A].t_fin == EPOCH + 100 * MS);
	SEND(&t, 710 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 152);
	assert_int_equal(t.flow.side[A].seen & SIDE_FIN_ACKED, SIDE_FIN_ACKED);
}

/* What B sends behind its ACK of A's FIN is half-close data; what was under way before is not. */
static void test_half_close(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	SEND(&t, 101 * MS, .from = B, .flags = PSH, .seq = 501, .ack = 51, .len = 1000);
	SEND(&t, 110 * MS, .from = B, .flags = PSH, .seq = 1501, .ack = 52, .len = 2000);
	assert_int_equal(relative(&t, B, t.flow.side[B].end_at_ack), 1501);
	SEND(&t, 120 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 3501);
	SEND(&t, 130 * MS, .from = B, .flags = FIN, .seq = 3501, .ack = 52);
	assert_int_equal(relative(&t, B, t.flow.side[B].fin_end), 3502);
	assert_int_equal(SEND(&t, 131 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 3502), STEP_DONE);
}

/* Nothing but the very number behind the FIN acknowledges it. */
static void test_fin_acked_by_exact_number(void **state)
{
	static const uint32_t others[] = {
		51, 50, 1, 0, 53, 54, 52 + 0xffff, 52 + 0x40000000, 52 + 0x7fffffffu, 52 + 0x80000000, 52 + 0xc0000000};
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		SEND(&t, (110 + i) * MS, .from = B, .flags = ACK, .seq = 501, .ack = others[i]);
		assert_int_equal(t.flow.side[A].seen & SIDE_FIN_ACKED, 0);
	}
	/* the right number, but no acknowledgment */
	SEND(&t, 130 * MS, .from = B, .flags = TCP_PSH, .seq = 501, .ack = 52 + 1000, .len = 1);
	assert_int_equal(t.flow.side[A].seen & SIDE_FIN_ACKED, 0);
	SEND(&t, 140 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 52);
	assert_int_equal(t.flow.side[A].seen & SIDE_FIN_ACKED, SIDE_FIN_ACKED);
	assert_true(t.flow.side[A].t_fin_acked == EPOCH + 140 * MS);
}

/* A FIN in a first fragment ends at a lower bound: the acknowledgment says where it really was. */
static void test_fin_in_first_fragment(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501, .len = 100, .fragment = 0x2000);
	SEND(&t, 110 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 552);
	assert_int_equal(t.flow.side[A].seen & SIDE_FIN_ACKED, SIDE_FIN_ACKED);
	assert_int_equal(relative(&t, A, t.flow.side[A].fin_end), 552);
}

/* Every number of the connection lies at a wrap once, and at the middle of the number space. */
static void test_wraps(void **state)
{
	static const uint32_t numbers[] = {0, 1, 50, 51, 52, 53, 501, 502, 503};
	static const uint32_t places[] = {0, 1, 0xffffffff, 0x80000000, 0x7fffffff, 0x80000001};

	(void)state;
	for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++)
		for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
			check_four_way(places[p] - numbers[n], 2000);
			check_four_way(1000, places[p] - numbers[n]);
			check_four_way(places[p] - numbers[n], places[p] - numbers[n]);
		}
}

/* The order of the events is that of the time stamps, not that in which two CPUs came to the lock. */
static void test_events_out_of_order(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	SEND(&t, 300 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	assert_true(t.flow.side[A].t_fin == EPOCH + 100 * MS);
	SEND(&t, 320 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 52);
	SEND(&t, 110 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 52);
	assert_true(t.flow.side[A].t_fin_acked == EPOCH + 110 * MS);
	assert_true(t.flow.t_last == EPOCH + 320 * MS);
}

/* The ACK of A's FIN overtakes B's view of it: what is late is still the same close. */
static void test_last_ack_before_fin(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	SEND(&t, 111 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 502);
	SEND(&t, 110 * MS, .from = B, .flags = FIN, .seq = 501, .ack = 52);
	assert_int_equal(t.flow.side[A].seen & SIDE_FIN_ACKED, SIDE_FIN_ACKED);
	assert_int_equal(SEND(&t, 400 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 502), STEP_DONE);
}

/* ---- forged FINs ---- */

static void test_forged_fin(void **state)
{
	static const struct {
		uint32_t seq, ack;
	} forged[] = {
		{51 + 0x20000000, 501}, /* far ahead */
		{51 + 0x80000000, 501}, /* half around */
		{51 - 0x10000000, 501}, /* old */
		{51, 501 + 0x20000000}, /* acknowledges what B never sent */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		struct subject t = new_subject(1000, 2000);

		open_flow(&t);
		SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = forged[i].seq, .ack = forged[i].ack);
		assert_int_equal(t.step, 0);
		assert_int_equal(t.flow.state, FLOW_PROVEN);
		assert_int_equal(t.log[t.flow.log_len - 1].mark, SEGMENT_IGNORED);
		assert_int_equal(relative(&t, A, t.flow.side[A].end), 51);
		assert_int_equal(relative(&t, B, t.flow.side[A].ack), 501);
		/* the real one after it */
		assert_int_equal(SEND(&t, 200 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501), STEP_BEGUN);
		assert_true(t.flow.side[A].t_fin == EPOCH + 200 * MS);
	}
}

/* In the window, but with a hole before it: believed only until one in sequence comes. */
static void test_forged_fin_in_window(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	assert_int_equal(SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 5000, .ack = 501), STEP_BEGUN);
	assert_int_equal(t.flow.side[A].seen & SIDE_FIN_NEXT, 0);
	SEND(&t, 110 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 51);
	assert_int_equal(t.flow.side[A].seen & SIDE_FIN_ACKED, 0);
	SEND(&t, 120 * MS, .from = A, .flags = PSH, .seq = 51, .ack = 501, .len = 100);
	SEND(&t, 130 * MS, .from = A, .flags = FIN, .seq = 151, .ack = 501);
	SEND(&t, 140 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 152);
	assert_int_equal(relative(&t, A, t.flow.side[A].fin_end), 152);
	assert_true(t.flow.side[A].t_fin == EPOCH + 130 * MS && t.flow.side[A].t_fin_acked == EPOCH + 140 * MS);
}

/* The first FIN in sequence stays; a later one with another number is ignored. */
static void test_second_fin_elsewhere(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	SEND(&t, 101 * MS, .from = A, .flags = FIN, .seq = 60, .ack = 501);
	SEND(&t, 102 * MS, .from = A, .flags = FIN, .seq = 41, .ack = 501);
	assert_int_equal(relative(&t, A, t.flow.side[A].fin_end), 52);
	assert_int_equal(t.flow.side[A].fin_copies, 0);
	SEND(&t, 110 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 52);
	SEND(&t, 111 * MS, .from = A, .flags = FIN, .seq = 100, .ack = 501);
	assert_int_equal(relative(&t, A, t.flow.side[A].fin_end), 52);
	assert_true(t.flow.side[A].t_fin_acked == EPOCH + 110 * MS);
}

/* ---- resets ---- */

static void test_reset_exact(void **state)
{
	struct subject t = new_subject(1000, 2000);
	const struct flow_reset *r = &t.flow.reset;

	(void)state;
	open_flow(&t);
	SEND(&t, 100 * MS, .from = B, .flags = RST | ACK, .seq = 501, .ack = 51, .ttl = 33, .mptcp = 8 + 1);
	assert_int_equal(t.step, STEP_DONE);
	assert_int_equal(t.flow.state, FLOW_PROVEN | FLOW_BEGUN | FLOW_RESET);
	assert_true(r->time == EPOCH + 100 * MS);
	assert_int_equal(r->side, B);
	assert_int_equal(r->validity, RESET_EXACT);
	assert_int_equal(r->flags, RST | ACK);
	assert_int_equal(r->ttl, 33);
	assert_int_equal(r->mptcp, 8);
	assert_int_equal(relative(&t, B, r->seq), 501);
	assert_true(flow_end_time(&t.flow) == EPOCH + 100 * MS);
}

/* A acknowledged 501 and offers 502 << 7 bytes: RFC 5961 section 3.2. */
static void test_reset_validity(void **state)
{
	static const struct {
		uint32_t seq;
		enum reset_validity validity;
		/* clang-format off: a row a case */
	} table[] = {
		{501, RESET_EXACT},
		{502, RESET_IN_WINDOW},
		{501 + 64255, RESET_IN_WINDOW},
		{501 + 64256, RESET_OUT_OF_WINDOW},
		{500, RESET_OUT_OF_WINDOW},
		{1, RESET_OUT_OF_WINDOW},
		{501 + 0x7fffffffu, RESET_OUT_OF_WINDOW},
		{501 + 0x80000000, RESET_OUT_OF_WINDOW},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct subject t = new_subject(1000, 0xfffffe00);

		open_flow(&t);
		SEND(&t, 100 * MS, .from = B, .flags = RST, .seq = table[i].seq);
		if (table[i].validity == RESET_OUT_OF_WINDOW) {
			assert_int_equal(t.flow.state, FLOW_PROVEN);
			assert_int_equal(t.flow.open.resets_ignored, 1);
			assert_int_equal(t.log[t.flow.log_len - 1].mark, SEGMENT_IGNORED);
		} else {
			assert_int_equal(t.flow.state & FLOW_RESET, FLOW_RESET);
			assert_int_equal(t.flow.reset.validity, table[i].validity);
		}
	}
}

/* B's data is still under way when its RST overtakes nothing: the RST's number is B's next, not what A acknowledged. */
static void test_reset_behind_data_in_flight(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	SEND(&t, 90 * MS, .from = B, .flags = PSH, .seq = 501, .ack = 51, .len = 1000);
	assert_int_equal(SEND(&t, 100 * MS, .from = B, .flags = RST | ACK, .seq = 1501, .ack = 51), STEP_DONE);
	assert_int_equal(t.flow.reset.validity, RESET_EXACT);
}

/* The other way round: the data was lost, and the RST has the number that A acknowledged. */
static void test_reset_before_data_in_flight(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	SEND(&t, 90 * MS, .from = B, .flags = PSH, .seq = 501, .ack = 51, .len = 1000);
	assert_int_equal(SEND(&t, 100 * MS, .from = B, .flags = RST | ACK, .seq = 501, .ack = 51), STEP_DONE);
	assert_int_equal(t.flow.reset.validity, RESET_EXACT);
}

/* Its alleged sender goes on beyond the RST, so it was not its. */
static void test_reset_survived_by_sender(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	SEND(&t, 100 * MS, .from = B, .flags = RST, .seq = 501);
	assert_int_equal(t.flow.state & FLOW_RESET, FLOW_RESET);
	SEND(&t, 200 * MS, .from = B, .flags = PSH, .seq = 501, .ack = 51, .len = 100);
	assert_int_equal(t.flow.state, FLOW_PROVEN);
	assert_int_equal(t.flow.open.resets_ignored, 1);
	check_four_way(7, 9); /* and a fresh flow has nothing of it */
}

/* In the window, not exact: the receiver answers with a challenge ACK, and the connection goes on. */
static void test_reset_challenged(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	SEND(&t, 100 * MS, .from = B, .flags = RST, .seq = 600);
	assert_int_equal(t.flow.reset.validity, RESET_IN_WINDOW);
	SEND(&t, 101 * MS, .from = A, .flags = ACK, .seq = 51, .ack = 501);
	assert_int_equal(t.flow.state, FLOW_PROVEN);
	assert_int_equal(SEND(&t, 140 * MS, .from = B, .flags = RST, .seq = 501), STEP_DONE);
	assert_int_equal(t.flow.reset.validity, RESET_EXACT);
	assert_true(t.flow.reset.time == EPOCH + 140 * MS);
}

/* ... or the exact one follows at once, and decides. */
static void test_reset_in_window_then_exact(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	SEND(&t, 100 * MS, .from = B, .flags = RST, .seq = 600);
	assert_int_equal(SEND(&t, 140 * MS, .from = B, .flags = RST, .seq = 501), 0);
	assert_int_equal(t.flow.reset.validity, RESET_EXACT);
	assert_int_equal(t.flow.reset.copies, 1);
}

static void test_reset_after_close(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	SEND(&t, 110 * MS, .from = B, .flags = FIN, .seq = 501, .ack = 52);
	SEND(&t, 120 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 502);
	assert_int_equal(SEND(&t, 130 * MS, .from = A, .flags = RST, .seq = 52), 0);
	assert_int_equal(t.flow.state, FLOW_PROVEN | FLOW_BEGUN | FLOW_GRACEFUL | FLOW_LATE_RESET);
	assert_true(flow_end_time(&t.flow) == EPOCH + 120 * MS);
}

/* A connection that was refused: RFC 9293 section 3.10.7.3 accepts an RST that acknowledges the SYN, no other. */
static void test_refused(void **state)
{
	static const struct {
		uint8_t flags;
		uint32_t seq, ack;
		bool refused;
	} table[] = {
		{RST | ACK, 0, 1, true},  {RST | ACK, 12345, 1, true}, {RST | ACK, 0, 0, false},
		{RST | ACK, 0, 2, false}, {RST, 0, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct subject t = new_subject(1000, 0);

		SEND(&t, 0, .from = A, .flags = SYN);
		SEND(&t, 1 * MS, .from = B, .flags = table[i].flags, .seq = table[i].seq, .ack = table[i].ack);
		assert_int_equal((t.flow.state & FLOW_RESET) != 0, table[i].refused);
		assert_int_equal(t.flow.state & FLOW_PROVEN, 0);
	}
}

/* SYN with FIN or RST, and a FIN without ACK: no receiver acts on them. */
static void test_contradicting_flags(void **state)
{
	static const uint8_t flags[] = {
		SYN | TCP_FIN, SYN | RST, SYN | FIN, SYN | RST | ACK, TCP_FIN, TCP_FIN | TCP_PSH | TCP_URG, 0xff};

	(void)state;
	for (size_t i = 0; i < sizeof(flags); i++) {
		struct subject t = new_subject(1000, 2000);

		open_flow(&t);
		assert_int_equal(SEND(&t, 100 * MS, .from = A, .flags = flags[i], .seq = 51, .ack = 501), 0);
		assert_int_equal(t.flow.state, FLOW_PROVEN);
		assert_int_equal(t.log[t.flow.log_len - 1].mark, SEGMENT_IGNORED);
	}
}

/* ---- copies ---- */

static void test_seen_twice(void **state)
{
	static const struct {
		uint64_t later;
		uint16_t id;
		bool duplicate;
		/* clang-format off: a row a case */
	} table[] = {
		{0, 7, true},
		{1000, 7, true},
		{FLOW_DUPLICATE_NS - 1, 7, true},
		{1000, 8, false},
		{FLOW_DUPLICATE_NS, 7, false},
		{200 * MS, 7, false},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct subject t = new_subject(1000, 2000);

		open_flow(&t);
		SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501, .id = 7);
		SEND(&t, 100 * MS + table[i].later, .from = A, .flags = FIN, .seq = 51, .ack = 501, .id = table[i].id);
		assert_int_equal(t.flow.duplicates, table[i].duplicate);
		assert_int_equal(t.flow.side[A].fin_copies, !table[i].duplicate);
	}
}

/* Two hooks see both segments of an exchange: the second sightings come behind another segment. */
static void test_pair_seen_twice(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501, .id = 7);
	SEND(&t, 100 * MS + 1000, .from = B, .flags = FIN, .seq = 501, .ack = 52, .id = 8);
	SEND(&t, 100 * MS + 2000, .from = A, .flags = FIN, .seq = 51, .ack = 501, .id = 7);
	SEND(&t, 100 * MS + 3000, .from = B, .flags = FIN, .seq = 501, .ack = 52, .id = 8);
	assert_int_equal(t.flow.duplicates, 2);
	assert_int_equal(t.flow.side[A].fin_copies + t.flow.side[B].fin_copies, 0);
}

/* ---- the log ---- */

static void test_log_folds(void **state)
{
	struct subject t = new_subject(1000, 2000);
	const struct flow_segment *e;

	(void)state;
	handshake(&t);
	for (uint32_t i = 0; i < 100; i++)
		SEND(&t, (30 + i) * MS, .from = A, .flags = PSH, .seq = 1 + i * 10, .ack = 1, .len = 10);
	assert_int_equal(t.flow.log_len, 4);
	e = &t.log[3];
	assert_int_equal(e->mark, SEGMENT_FOLDED);
	assert_int_equal(e->count, 100);
	assert_int_equal(e->len, 1000);
	assert_int_equal(relative(&t, A, e->seq), 1);
	assert_true(e->time == EPOCH + 30 * MS);
	/* the other side's and those without data are kept apart */
	SEND(&t, 200 * MS, .from = B, .flags = ACK, .seq = 1, .ack = 1001);
	SEND(&t, 201 * MS, .from = B, .flags = PSH, .seq = 1, .ack = 1001, .len = 5);
	assert_int_equal(t.flow.log_len, 6);
	assert_int_equal(t.flow.lost, 0);
}

/* The log is full of what cannot be folded; the facts stay right and what is lost is counted. */
static void test_log_overflows(void **state)
{
	struct subject t = new_subject(1000, 2000);
	uint32_t sent;

	(void)state;
	open_flow(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	for (uint32_t i = 0; i < 100; i++) /* forged SYNs, each with its own number */
		SEND(&t, (101 + i) * MS, .from = A, .flags = SYN, .seq = 0x40000000 + i * 77);
	sent = 7 + 100; /* handshake 3, data 3, FIN 1 */
	assert_int_equal(t.flow.log_len, FLOW_LOG_CLOSING);
	assert_int_equal(t.flow.lost + FLOW_LOG_CLOSING, sent);
	SEND(&t, 300 * MS, .from = B, .flags = FIN, .seq = 501, .ack = 52);
	assert_int_equal(SEND(&t, 301 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 502), STEP_DONE);
	assert_true(t.flow.side[A].t_fin_acked == EPOCH + 300 * MS);
	assert_true(t.flow.side[B].t_fin_acked == EPOCH + 301 * MS);
	assert_int_equal(t.flow.lost + FLOW_LOG_CLOSING, sent + 2);
}

/* Every segment is in the log, as an entry or in an entry's count, or counted as lost or as seen twice. */
static void test_log_accounts_for_all(void **state)
{
	uint64_t x = 88172645463325252;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct subject t = new_subject((uint32_t)x, (uint32_t)(x >> 32));
		uint64_t counted = 0;
		uint32_t sent = 0;

		t.cap = round & 1 ? FLOW_LOG_CLOSING : FLOW_LOG_UNPROVEN;
		handshake(&t);
		for (sent = 3; sent < 60; sent++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			SEND(&t, (30 + sent * (x >> 60)) * MS, .from = x & 1, .flags = (uint8_t)(x >> 8),
			     .seq = x >> 16 & 63, .ack = x >> 22 & 63, .len = x >> 28 & 3, .id = 1 + (x >> 30 & 1));
		}
		for (uint32_t i = 0; i < t.flow.log_len; i++)
			counted += t.log[i].count;
		assert_true(counted + t.flow.lost + t.flow.duplicates == sent);
	}
}

/* A million copies: bounded in memory, counts saturate, and the close behind them is still found. */
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
	assert_int_equal(t.flow.state & FLOW_GRACEFUL, FLOW_GRACEFUL);
	assert_int_equal(relative(&t, A, t.flow.side[A].fin_end), 52);
	assert_true(t.flow.side[A].fin_copies <= 255);
}

static void test_storms(void **state)
{
	(void)state;
	check_storm((struct wire){.from = A, .flags = FIN, .seq = 51, .ack = 501});         /* copies */
	check_storm((struct wire){.from = A, .flags = FIN, .seq = 0x20000000, .ack = 501}); /* forged, far */
	check_storm((struct wire){.from = B, .flags = RST, .seq = 0x20000000});             /* out of the window */
	check_storm((struct wire){.from = A, .flags = SYN, .seq = 0x20000000});
	check_storm((struct wire){.from = A, .flags = SYN});
}

static void test_fin_copies_saturate(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	open_flow(&t);
	for (unsigned i = 0; i < 300; i++)
		SEND(&t, (100 + i * 2) * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	assert_int_equal(t.flow.side[A].fin_copies, 255);
	assert_true(t.flow.side[A].t_fin == EPOCH + 100 * MS);
	assert_int_equal(t.flow.lost, 0); /* equal ones are counted in one entry */
}

static void test_reset_storm_saturates(void **state)
{
	struct subject t = new_subject(1000, 2000);
	struct wire w = {.from = B, .flags = RST, .seq = 2501};
	struct tcp_segment s;

	(void)state;
	open_flow(&t);
	s = parse_wire(&w);
	for (uint32_t i = 0; i < 1000000; i++) {
		s.time = EPOCH + 100 * MS + i * 1000ULL;
		s.ip_id = (uint16_t)i;
		take(&t, &s);
	}
	assert_int_equal(t.flow.state & FLOW_RESET, FLOW_RESET);
	assert_int_equal(t.flow.reset.copies, 255);
	assert_true(t.flow.reset.time == EPOCH + 100 * MS);
}

/* ---- connections whose beginning was not seen ---- */

/* A stray FIN becomes a connection when the other side acknowledges the very number. */
static void test_stray_fin(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	assert_true(flow_is_stray(&t.flow));
	assert_int_equal(SEND(&t, 101 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 53) & STEP_PROVEN, 0);
	assert_int_equal(SEND(&t, 102 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 501) & STEP_PROVEN, 0);
	assert_true(flow_is_stray(&t.flow));
	assert_int_equal(SEND(&t, 110 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 52), STEP_PROVEN);
	assert_false(flow_is_stray(&t.flow));
	assert_int_equal(t.flow.state & FLOW_MIDSTREAM, FLOW_MIDSTREAM);
}

/* A SYN-ACK whose SYN was not seen names the source by its numbers, but is no connection until it is answered. */
static void test_synack_first(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	SEND(&t, 0, .from = B, .flags = SYN | ACK, .ack = 1);
	assert_true(flow_is_stray(&t.flow));
	assert_int_equal(t.flow.open.source, A);
	assert_int_equal(t.flow.open.isn[A], 1000);
	assert_int_equal(SEND(&t, 1 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1), STEP_PROVEN);
	assert_false(flow_is_stray(&t.flow));
}

static void test_unanswered_syn_is_no_stray(void **state)
{
	struct subject t = new_subject(1000, 2000);

	(void)state;
	SEND(&t, 0, .from = A, .flags = SYN);
	assert_false(flow_is_stray(&t.flow));
}

/* ---- waiting ---- */

static void test_due(void **state)
{
	static const struct flow_timeouts timeouts = {SECOND / 2, 10 * SECOND, 60 * SECOND};
	struct subject t = new_subject(1000, 2000);
	const uint64_t start = EPOCH;

	(void)state;
	SEND(&t, 0, .from = A, .flags = SYN);
	assert_int_equal(flow_waits_for(&t.flow), FLOW_WAIT_SYN);
	assert_false(flow_is_due(&t.flow, start + 10 * SECOND - 1, &timeouts));
	assert_true(flow_is_due(&t.flow, start + 10 * SECOND, &timeouts));
	SEND(&t, 3 * SECOND, .from = A, .flags = SYN); /* tries again: from the last one on */
	assert_false(flow_is_due(&t.flow, start + 13 * SECOND - 1, &timeouts));
	assert_true(flow_is_due(&t.flow, start + 13 * SECOND, &timeouts));
	SEND(&t, 3 * SECOND + MS, .from = B, .flags = SYN | ACK, .ack = 1);
	SEND(&t, 3 * SECOND + 2 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1);
	assert_int_equal(flow_waits_for(&t.flow), FLOW_WAIT_NOTHING);
	assert_false(flow_is_due(&t.flow, start + 3600 * SECOND, &timeouts));
	SEND(&t, 4 * SECOND, .from = A, .flags = FIN, .seq = 1, .ack = 1);
	assert_int_equal(flow_waits_for(&t.flow), FLOW_WAIT_CLOSE);
	SEND(&t, 30 * SECOND, .from = B, .flags = ACK, .seq = 1, .ack = 2); /* progress */
	SEND(&t, 50 * SECOND, .from = A, .flags = FIN, .seq = 1, .ack = 1); /* none */
	assert_false(flow_is_due(&t.flow, start + 90 * SECOND - 1, &timeouts));
	assert_true(flow_is_due(&t.flow, start + 90 * SECOND, &timeouts));
	SEND(&t, 80 * SECOND, .from = B, .flags = FIN, .seq = 1, .ack = 2);
	SEND(&t, 81 * SECOND, .from = A, .flags = ACK, .seq = 2, .ack = 2);
	assert_int_equal(flow_waits_for(&t.flow), FLOW_WAIT_SETTLE);
	assert_true(flow_waits_since(&t.flow) == start + 81 * SECOND);
	SEND(&t, 81 * SECOND + 400 * MS, .from = B, .flags = FIN, .seq = 1, .ack = 2); /* settling is not prolonged */
	assert_false(flow_is_due(&t.flow, start + 81 * SECOND + SECOND / 2 - 1, &timeouts));
	assert_true(flow_is_due(&t.flow, start + 81 * SECOND + SECOND / 2, &timeouts));
	assert_false(flow_is_due(&t.flow, 0, &timeouts)); /* a clock behind the flow's */
}

/* ---- established flows ---- */

/* What an established flow keeps is enough to write its handshake into the log again. */
static void check_reopen(struct subject *t, uint32_t first)
{
	struct flow_segment log[FLOW_LOG_HANDSHAKE];
	struct flow f = {.version = 0};

	flow_reopen(&f, &t->flow.open);
	assert_int_equal(f.state, FLOW_PROVEN | FLOW_REOPENED);
	assert_int_equal(f.log_len, 0);
	assert_true(f.t_first == t->flow.t_first && f.t_last == t->flow.open.t_ack);
	assert_int_equal(flow_handshake_log(&t->flow.open, log), t->flow.log_len);
	for (uint32_t i = 0; i < t->flow.log_len; i++) {
		assert_true(log[i].time == t->log[i].time);
		assert_true(log[i].seq == t->log[i].seq);
		assert_true(log[i].ack == t->log[i].ack);
		assert_int_equal(log[i].len, t->log[i].len);
		assert_int_equal(log[i].count, 1);
		assert_int_equal(log[i].win, t->log[i].win);
		assert_int_equal(log[i].flags, t->log[i].flags);
		assert_int_equal(log[i].side, t->log[i].side);
		if (first == SYN) /* otherwise the source's is not known */
			assert_int_equal(log[i].ttl, t->log[i].ttl);
	}
	assert_int_equal(log[0].flags, first);
}

static void test_reopen(void **state)
{
	struct subject t = new_subject(0xffffffff, 2000), unseen = new_subject(1000, 2000);
	struct subject fast = new_subject(1000, 2000);

	(void)state;
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

/* A SYN that passes behind its whole connection is a copy: the handshake's part of the log is over. */
static void test_syn_behind_the_close(void **state)
{
	struct subject t = new_subject(1000, 2000);
	struct flow_open open;

	(void)state;
	SEND(&t, 0, .from = B, .flags = SYN | ACK, .ack = 1);
	SEND(&t, 1 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1);
	open = t.flow.open;
	memset(&t.flow, 0, sizeof(t.flow));
	flow_reopen(&t.flow, &open);
	SEND(&t, 2 * MS, .from = A, .flags = FIN | ACK, .seq = 1, .ack = 1);
	SEND(&t, 3 * MS, .from = A, .flags = SYN);
	assert_int_equal(t.flow.open.seen & OPEN_SYN, 0);
	assert_int_equal(t.flow.open.syn_copies, 1);
	assert_int_equal(t.log[1].mark, SEGMENT_COPY);
}

/* An established flow is forgotten after so many rounds without a segment, and a segment begins the count anew. */
static void test_idle_rounds(void **state)
{
	struct flow_open o = {.seen = 0};

	(void)state;
	assert_false(flow_idle_disarm(&o));
	for (int again = 0; again < 2; again++) {
		assert_int_equal(flow_idle_round(&o), FLOW_IDLE_ARMED);
		for (int i = 1; i < FLOW_IDLE_ROUNDS; i++)
			assert_int_equal(flow_idle_round(&o), FLOW_IDLE_WAITS);
		if (!again)
			assert_true(flow_idle_disarm(&o));
	}
	assert_int_equal(flow_idle_round(&o), FLOW_IDLE_FORGET);
}

/* ---- evidence ---- */

static void note(struct last_seen *cell, uint32_t side, uint32_t seq, uint32_t len, uint32_t ack, uint64_t hash)
{
	const struct tcp_segment s = {.flags = ACK, .seq = seq, .len = len, .ack = ack, .win = 502};

	last_seen_note(cell, &s, side, hash);
}

static void test_evidence_numbers(void **state)
{
	struct last_seen cell = {.side = {{0}}};

	(void)state;
	note(&cell, 0, 1000, 50, 7, 0x123456789abcdef0);
	assert_true(last_seen_is_of(&cell.side[0], 0x123456789abcdef0));
	assert_false(last_seen_is_of(&cell.side[0], 0x923456789abcdef0));
	assert_false(last_seen_is_of(&cell.side[1], 0x123456789abcdef0));
	assert_int_equal(cell.side[0].end, 1050);
	assert_int_equal(cell.side[0].ack, 7);
	assert_int_equal(cell.side[0].win, 502);
	note(&cell, 0, 1000, 10, 8, 0x123456789abcdef0); /* a retransmission: the highest stays, the last ACK counts */
	assert_int_equal(cell.side[0].end, 1050);
	assert_int_equal(cell.side[0].ack, 8);
	note(&cell, 0, 1050, 50, 8, 0x123456789abcdef0);
	assert_int_equal(cell.side[0].end, 1100);
}

static void test_evidence_wrap(void **state)
{
	struct last_seen cell = {.side = {{0}}};

	(void)state;
	note(&cell, 1, 0xfffffff0, 10, 7, 1ull << 48);
	note(&cell, 1, 0xfffffffa, 10, 7, 1ull << 48);
	assert_int_equal(cell.side[1].end, 4);
	note(&cell, 1, 0xfffffff0, 10, 7, 1ull << 48);
	assert_int_equal(cell.side[1].end, 4);
}

/* A collision: the newest flow owns the cell's evidence, and nobody takes it for another's. */
static void test_evidence_collision(void **state)
{
	struct last_seen cell = {.side = {{0}}};

	(void)state;
	note(&cell, 0, 1000, 50, 7, 0x1000000000000000);
	note(&cell, 0, 900, 10, 9, 0x1000000000020000);
	assert_false(last_seen_is_of(&cell.side[0], 0x1000000000000000));
	assert_true(last_seen_is_of(&cell.side[0], 0x1000000000020000));
	assert_int_equal(cell.side[0].end, 910);
}

/* One forged segment far away does not displace what is known; a sender that goes on there does. */
static void test_evidence_far_numbers(void **state)
{
	static const uint32_t far[] = {LAST_SEEN_REORDER, 0x40000000, 0x80000000, 0xc0000000,
				       0u - 2 * LAST_SEEN_REORDER};

	(void)state;
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		struct last_seen cell = {.side = {{0}}};

		note(&cell, 0, 1000, 50, 7, 1ull << 48);
		note(&cell, 0, 1050 + far[i], 10, 666, 1ull << 48);
		assert_int_equal(cell.side[0].end, 1050);
		assert_int_equal(cell.side[0].ack, 7);
		assert_true(last_seen_is_of(&cell.side[0], 1ull << 48));
		note(&cell, 0, 1050, 10, 7, 1ull << 48);
		assert_int_equal(cell.side[0].end, 1060);
		note(&cell, 0, 1050 + far[i], 10, 8, 1ull << 48);
		note(&cell, 0, 1060 + far[i], 10, 8, 1ull << 48);
		assert_int_equal(cell.side[0].end, 1070 + far[i]);
	}
}

/* ---- keys ---- */

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static struct tcp_segment reverse(const struct tcp_segment *s)
{
	struct tcp_segment r = *s;

	r.src = s->dst;
	r.dst = s->src;
	r.sport = s->dport;
	r.dport = s->sport;
	return r;
}

/* Both directions have one hash and one key, and opposite sides. */
static void check_symmetry(const struct tcp_segment *s, uint32_t ifindex)
{
	struct tcp_segment r = reverse(s);
	uint32_t side = flow_side_of(s), back = flow_side_of(&r);
	uint64_t hash = flow_hash(s, ifindex, 42);
	struct flow_key k, l;

	assert_int_equal(side, !back);
	assert_true(hash == flow_hash(&r, ifindex, 42));
	flow_key_fill(&k, s, side, ifindex, hash);
	flow_key_fill(&l, &r, back, ifindex, hash);
	assert_memory_equal(&k, &l, sizeof(k));
	assert_true(flow_key_equal(&k, &l));
	assert_true(flow_key_hash(&k) == (hash & ~0xffffULL));
	assert_true(flow_hash(s, ifindex, 43) != hash || flow_hash(s, ifindex, 44) != hash);
	l.ifindex++;
	assert_false(flow_key_equal(&k, &l));
}

static void test_hash_symmetry(void **state)
{
	uint64_t x = 88172645463325252;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		struct tcp_segment s = {.family = i & 1 ? 4 : 6};

		s.src.lo = next_random(&x) & 0xffffffff;
		s.dst.lo = i % 3 ? next_random(&x) & 0xffffffff : s.src.lo;
		if (s.family == 6) {
			s.src.hi = next_random(&x);
			s.dst.hi = i % 5 ? next_random(&x) : s.src.hi;
		}
		s.sport = (uint16_t)next_random(&x);
		s.dport = (uint16_t)(s.sport + 1 + i % 1000);
		check_symmetry(&s, (uint32_t)i % 7);
	}
}

/* A socket connected to itself (RFC 9293 section 3.5 allows it) has one side only. */
static void test_self_connection(void **state)
{
	struct tcp_segment s = {.family = 4, .src = {0, 1}, .dst = {0, 1}, .sport = 80, .dport = 80}, r = reverse(&s);

	(void)state;
	assert_int_equal(flow_side_of(&s), 0);
	assert_int_equal(flow_side_of(&r), 0);
	assert_true(flow_hash(&s, 1, 7) == flow_hash(&r, 1, 7));
}

/* The lowest bits index the watch filter, all of them the tables: equal ports on many hosts must not pile up. */
static void test_hash_spreads(void **state)
{
	static uint8_t cells[WATCH_CELLS];
	uint32_t most = 0;

	(void)state;
	for (uint32_t host = 0; host < WATCH_CELLS; host++) {
		struct tcp_segment s = {
			.family = 4,
			.src = {0, 0x0a000000 + host},
			.dst = {0, 0x0a010001},
			.sport = 40000,
			.dport = 443,
		};
		uint8_t *cell = &cells[flow_hash(&s, 1, 7) >> 32 & (WATCH_CELLS - 1)];

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

/* Of all connections that two hosts can have to one port, none is judged by the numbers of another. */
static void test_evidence_owners(void **state)
{
	static uint64_t owners[1 << 16];
	struct tcp_segment s = {.family = 4, .src = {0, 0x0a000001}, .dst = {0, 0x0a000002}, .dport = 443};

	(void)state;
	for (uint32_t port = 0; port < 1 << 16; port++) {
		uint64_t hash;

		s.sport = (uint16_t)port;
		hash = flow_hash(&s, 1, 7);
		owners[port] = (hash >> 32 & (LAST_SEEN_CELLS - 1)) << 32 | last_seen_tag(hash);
	}
	qsort(owners, 1 << 16, sizeof(owners[0]), by_number);
	for (uint32_t i = 1; i < 1 << 16; i++)
		assert_true(owners[i] != owners[i - 1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake_facts),
		cmocka_unit_test(test_handshake_copies),
		cmocka_unit_test(test_handshake_forged),
		cmocka_unit_test(test_handshake_ack_lost),
		cmocka_unit_test(test_fast_open),
		cmocka_unit_test(test_simultaneous_open),
		cmocka_unit_test(test_syn_in_open_flow),
		cmocka_unit_test(test_four_way),
		cmocka_unit_test(test_three_way),
		cmocka_unit_test(test_simultaneous_close),
		cmocka_unit_test(test_fin_with_data),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_fin_acked_by_exact_number),
		cmocka_unit_test(test_fin_in_first_fragment),
		cmocka_unit_test(test_wraps),
		cmocka_unit_test(test_events_out_of_order),
		cmocka_unit_test(test_last_ack_before_fin),
		cmocka_unit_test(test_forged_fin),
		cmocka_unit_test(test_forged_fin_in_window),
		cmocka_unit_test(test_second_fin_elsewhere),
		cmocka_unit_test(test_reset_exact),
		cmocka_unit_test(test_reset_validity),
		cmocka_unit_test(test_reset_behind_data_in_flight),
		cmocka_unit_test(test_reset_before_data_in_flight),
		cmocka_unit_test(test_reset_survived_by_sender),
		cmocka_unit_test(test_reset_challenged),
		cmocka_unit_test(test_reset_in_window_then_exact),
		cmocka_unit_test(test_reset_after_close),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_contradicting_flags),
		cmocka_unit_test(test_seen_twice),
		cmocka_unit_test(test_pair_seen_twice),
		cmocka_unit_test(test_log_folds),
		cmocka_unit_test(test_log_overflows),
		cmocka_unit_test(test_log_accounts_for_all),
		cmocka_unit_test(test_storms),
		cmocka_unit_test(test_fin_copies_saturate),
		cmocka_unit_test(test_reset_storm_saturates),
		cmocka_unit_test(test_stray_fin),
		cmocka_unit_test(test_synack_first),
		cmocka_unit_test(test_unanswered_syn_is_no_stray),
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_reopen),
		cmocka_unit_test(test_syn_behind_the_close),
		cmocka_unit_test(test_idle_rounds),
		cmocka_unit_test(test_evidence_numbers),
		cmocka_unit_test(test_evidence_wrap),
		cmocka_unit_test(test_evidence_collision),
		cmocka_unit_test(test_evidence_far_numbers),
		cmocka_unit_test(test_hash_symmetry),
		cmocka_unit_test(test_self_connection),
		cmocka_unit_test(test_hash_spreads),
		cmocka_unit_test(test_evidence_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
