// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of a capture file's flows: what packet time ends, what a new connection on the same ports ends, what is
 * never reported, and that neither many flows nor colliding ones are mixed up.
 */
#include "tests/unit/assert.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/core/watch.h"
#include "user/capture/flow_table.h"
#include "tests/unit/conversation.h"

#define HASH_SEED 0x0123456789abcdef

struct seen {
	struct flow_key key;
	struct flow flow;
	struct flow_segment log[FLOW_LOG_CLOSING];
};

struct subject {
	struct flow_table *table;
	struct seen *reports;
	size_t count, room;
	uint64_t counters[COUNTERS];
	uint32_t isn[2];
	uint16_t port; /* A's */
	uint16_t id;
};

static void take_report(void *context, const struct flow_key *key, const struct flow *f, const struct flow_segment *log,
			const struct traffic *traffic, const struct due_report *how)
{
	struct subject *t = context;
	struct seen *s;

	(void)traffic;
	(void)how;

	if (t->count == t->room) {
		t->room = t->room ? t->room * 2 : 16;
		t->reports = realloc(t->reports, t->room * sizeof(*t->reports));
		assert_non_null(t->reports);
	}
	s = &t->reports[t->count++];
	memset(s, 0, sizeof(*s));
	s->key = *key;
	s->flow = *f;
	assert_true(f->log_len <= FLOW_LOG_CLOSING);
	memcpy(s->log, log, f->log_len * sizeof(*log));
}

static void set_up_idle(struct subject *t, uint64_t hash_seed, uint64_t bucket_seed, uint32_t max_flows, uint64_t idle)
{
	const struct flow_table_config config = {
		.max_flows = max_flows,
		.timeouts = {.settle = SECOND / 2,
			     .doubt = 10 * SECOND,
			     .attempt = 10 * SECOND,
			     .repeat = SECOND / 2,
			     .idle = 60 * SECOND},
		.idle = idle,
		.hash_seed = hash_seed,
		.bucket_seed = bucket_seed,
		.report = take_report,
		.context = t,
		.counters = t->counters,
	};

	memset(t, 0, sizeof(*t));
	t->isn[A] = 1000;
	t->isn[B] = 2000;
	t->port = 40001;
	t->table = flow_table_new(&config);
	assert_non_null(t->table);
}

static void set_up_limited(struct subject *t, uint64_t hash_seed, uint64_t bucket_seed, uint32_t max_flows)
{
	set_up_idle(t, hash_seed, bucket_seed, max_flows, 7200 * SECOND);
}

static void set_up_seeded(struct subject *t, uint64_t hash_seed, uint64_t bucket_seed)
{
	set_up_limited(t, hash_seed, bucket_seed, 0);
}

/* One seed for both, so that flows with equal hashes also meet in a bucket. */
static void set_up(struct subject *t)
{
	set_up_seeded(t, HASH_SEED, HASH_SEED);
}

static void tear_down(struct subject *t)
{
	flow_table_free(t->table);
	free(t->reports);
}

/* Numbers are relative to the ISNs, time to EPOCH. */
static void send(struct subject *t, struct wire w)
{
	struct tcp_segment s;

	w.port = t->port;
	make_absolute(&w, t->isn, &t->id);
	s = parse_wire(&w);
	flow_table_segment(t->table, &s, 0);
}

#define SEND(t, ...) send(t, (struct wire){__VA_ARGS__})

/* `at`: ms of the SYN; 30 ms in all. A sends 50 bytes and B 500. */
static void open_flow(struct subject *t, uint64_t at)
{
	SEND(t, at * MS, .from = A, .flags = SYN);
	SEND(t, (at + 10) * MS, .from = B, .flags = SYN | ACK, .ack = 1);
	SEND(t, (at + 11) * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1);
	SEND(t, (at + 12) * MS, .from = A, .flags = PSH, .seq = 1, .ack = 1, .len = 50);
	SEND(t, (at + 20) * MS, .from = B, .flags = PSH, .seq = 1, .ack = 51, .len = 500);
	SEND(t, (at + 30) * MS, .from = A, .flags = ACK, .seq = 51, .ack = 501);
}

/* A closes; 20 ms in all. */
static void close_flow(struct subject *t, uint64_t at)
{
	SEND(t, at * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	SEND(t, (at + 10) * MS, .from = B, .flags = FIN, .seq = 501, .ack = 52);
	SEND(t, (at + 20) * MS, .from = A, .flags = ACK, .seq = 52, .ack = 502);
}

/* With a connection that is open from ms 0 on. */
static void set_up_open(struct subject *t)
{
	set_up(t);
	open_flow(t, 0);
}

static void expire(struct subject *t, uint64_t ms)
{
	flow_table_expire(t->table, EPOCH + ms * MS);
}

/* The next connection of the same ports. */
static void renumber(struct subject *t)
{
	t->isn[A] += 50000000;
	t->isn[B] += 70000000;
}

/* Ends the capture; so many reports were made in all. */
static void finish(struct subject *t, bool show_open, size_t reports)
{
	flow_table_finish(t->table, show_open);
	expect_int(t->count, reports);
}

static void check_graceful(const struct subject *t, const struct seen *s, uint64_t syn_ms, uint64_t fin_ms)
{
	expect_flags(s->flow.state & (FLOW_GRACEFUL | FLOW_RESET), FLOW_GRACEFUL, flow_flags);
	expect_at(s->flow.t_first, syn_ms * MS);
	expect_int(s->flow.open.source, A);
	expect_int(s->flow.open.isn[A], t->isn[A]);
	expect_int(s->flow.open.isn[B], t->isn[B]);
	expect_at(s->flow.side[A].t_fin, fin_ms * MS);
	expect_at(s->flow.side[A].t_fin_acked, (fin_ms + 10) * MS);
	expect_at(s->flow.side[B].t_fin_acked, (fin_ms + 20) * MS);
	expect_int(s->flow.side[A].fin_end - t->isn[A], 52);
	expect_int(s->flow.side[B].fin_end - t->isn[B], 502);
	expect_flags(s->flow.state & FLOW_REOPENED, FLOW_REOPENED, flow_flags); /* the log begins after the handshake */
	expect_flags(s->log[0].flags, FIN, tcp_flags);
	expect_flags(s->log[1].flags, FIN, tcp_flags);
	expect_flags(s->log[2].flags, ACK, tcp_flags);
}

/* ---- time ---- */

TEST(test_settling)
{
	struct subject t;

	set_up_open(&t);
	close_flow(&t, 100);
	expire(&t, 120 + 499);
	expect_int(t.count, 0);
	SEND(&t, (120 + 499) * MS, .from = A, .flags = RST, .seq = 52); /* still in time for the record */
	expire(&t, 120 + 500);
	expect_int(t.count, 1);
	check_graceful(&t, &t.reports[0], 0, 100);
	expect_flags(t.reports[0].flow.state & FLOW_LATE_RESET, FLOW_LATE_RESET, flow_flags);
	finish(&t, true, 1);
	tear_down(&t);
}

/* The time of a later segment ends a flow: nobody has to call flow_table_expire. */
TEST(test_packets_are_the_clock)
{
	struct subject t;

	set_up_open(&t);
	close_flow(&t, 100);
	t.port = 40002;
	SEND(&t, 5000 * MS, .from = A, .flags = SYN);
	expect_int(t.count, 1);
	tear_down(&t);
}

/* Reported once, ten seconds after the last SYN; its copies after that are no further attempts. */
TEST(test_unanswered)
{
	struct subject t;

	set_up(&t);
	SEND(&t, 0, .from = A, .flags = SYN);
	SEND(&t, 1 * SECOND, .from = A, .flags = SYN);
	SEND(&t, 3 * SECOND, .from = A, .flags = SYN);
	expire(&t, 12999);
	expect_int(t.count, 0);
	expire(&t, 13000);
	expect_int(t.count, 1);
	expect_int(t.reports[0].flow.open.syn_copies, 2);
	expect_flags(t.reports[0].flow.state & (FLOW_PROVEN | FLOW_BEGUN), 0, flow_flags);
	SEND(&t, 15 * SECOND, .from = A, .flags = SYN);
	SEND(&t, 31 * SECOND, .from = A, .flags = SYN);
	finish(&t, true, 1);
	tear_down(&t);
}

/* A SYN with another number on the same ports is a new attempt, even where the older one has been reported. */
TEST(test_unanswered_then_another)
{
	struct subject t;

	set_up(&t);
	SEND(&t, 0, .from = A, .flags = SYN);
	expire(&t, 20000);
	expect_int(t.count, 1);
	t.isn[A] += 77777777;
	open_flow(&t, 30000);
	close_flow(&t, 30100);
	finish(&t, false, 2);
	check_graceful(&t, &t.reports[1], 30000, 30100);
	tear_down(&t);
}

TEST(test_unfinished)
{
	struct subject t;

	set_up_open(&t);
	SEND(&t, 100 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	SEND(&t, 110 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 52);
	SEND(&t, 50 * SECOND, .from = B, .flags = PSH, .seq = 501, .ack = 52, .len = 10); /* half closed and alive */
	expire(&t, 109999);
	expect_int(t.count, 0);
	expire(&t, 110000);
	expect_int(t.count, 1);
	expect_flags(t.reports[0].flow.state & (FLOW_BEGUN | FLOW_DONE), FLOW_BEGUN, flow_flags);
	expect_flags(t.reports[0].flow.side[A].seen & SIDE_FIN_ACKED, SIDE_FIN_ACKED, side_flags);
	expect_flags(t.reports[0].flow.side[B].seen & SIDE_FIN, 0, side_flags);
	tear_down(&t);
}

/* After the record, the FIN and its ACK repeated into TIME-WAIT are no second connection. */
TEST(test_fin_copy_after_report)
{
	struct subject t;

	set_up_open(&t);
	close_flow(&t, 100);
	expire(&t, 1000);
	SEND(&t, 1100 * MS, .from = B, .flags = FIN, .seq = 501, .ack = 52);
	SEND(&t, 1101 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 502);
	SEND(&t, 1200 * MS, .from = A, .flags = RST, .seq = 52);
	expire(&t, 100000);
	finish(&t, true, 1);
	tear_down(&t);
}

/* ---- ports used again ---- */

/* Ports are used again while the older record settles: it is reported at once, whole, and the newer one apart. */
TEST(test_reuse_while_settling)
{
	struct subject t, older;

	set_up_open(&t);
	close_flow(&t, 100);
	older = t;
	renumber(&t);
	SEND(&t, 200 * MS, .from = A, .flags = SYN);
	expect_int(t.count, 1);
	check_graceful(&older, &t.reports[0], 0, 100);
	open_flow(&t, 200);
	close_flow(&t, 300);
	finish(&t, false, 2);
	check_graceful(&t, &t.reports[1], 200, 300);
	tear_down(&t);
}

/* Two hundred connections on the same ports, each with its own numbers, also across 2^32. */
TEST(test_reuse_many_times)
{
	struct subject t;

	set_up(&t);
	for (uint64_t i = 0; i < 200; i++) {
		t.isn[A] += 0x07654321;
		t.isn[B] += 0x12345678;
		open_flow(&t, i * 150);
		close_flow(&t, i * 150 + 50);
		expect_int(t.count, i);
	}
	finish(&t, false, 200);
	for (uint64_t i = 0; i < 200; i++) {
		expect_at(t.reports[i].flow.t_first, i * 150 * MS);
		expect_flags(t.reports[i].flow.state & FLOW_GRACEFUL, FLOW_GRACEFUL, flow_flags);
	}
	tear_down(&t);
}

/* The older connection's close was not seen. It ends when the new handshake is complete, not before. */
TEST(test_reuse_of_open_flow)
{
	struct subject t;

	set_up_open(&t);
	renumber(&t);
	SEND(&t, 1000 * MS, .from = A, .flags = SYN);
	SEND(&t, 1010 * MS, .from = B, .flags = SYN | ACK, .ack = 1);
	expect_int(t.count, 0);
	SEND(&t, 1011 * MS, .from = A, .flags = ACK, .seq = 1, .ack = 1);
	expect_int(t.count, 1);
	expect_flags(t.reports[0].flow.state & (FLOW_REPLACED | FLOW_BEGUN), FLOW_REPLACED, flow_flags);
	expect_at(t.reports[0].flow.t_first, 0);
	SEND(&t, 1020 * MS, .from = B, .flags = RST | ACK, .seq = 1, .ack = 1);
	finish(&t, false, 2);
	expect_flags(t.reports[1].flow.state & FLOW_RESET, FLOW_RESET, flow_flags);
	tear_down(&t);
}

/* Refused, and at once again: every attempt is reported. */
TEST(test_refused_again_and_again)
{
	struct subject t;

	set_up(&t);
	for (uint64_t i = 0; i < 50; i++) {
		t.isn[A] += 1234567;
		SEND(&t, i * 10 * MS, .from = A, .flags = SYN);
		SEND(&t, (i * 10 + 1) * MS, .from = B, .flags = RST | ACK, .ack = 1);
	}
	finish(&t, false, 50);
	for (uint64_t i = 0; i < 50; i++) {
		expect_flags(t.reports[i].flow.state & (FLOW_RESET | FLOW_PROVEN), FLOW_RESET, flow_flags);
		expect_at(t.reports[i].flow.t_first, i * 10 * MS);
	}
	tear_down(&t);
}

/* A stray segment must not hide the connection that begins `wait` ms after it. */
static void check_behind_stray(uint8_t from, uint8_t flags, uint64_t wait)
{
	struct subject t;

	set_up(&t);
	SEND(&t, 0, .from = from, .flags = flags, .seq = 0x30000000, .ack = 0x30000000);
	expire(&t, wait);
	open_flow(&t, wait);
	close_flow(&t, wait + 100);
	finish(&t, false, 1);
	check_graceful(&t, &t.reports[0], wait, wait + 100);
	tear_down(&t);
}

TEST(test_connection_behind_stray_fin)
{
	check_behind_stray(A, FIN, 1000);
	check_behind_stray(B, FIN, 1000);
}

TEST(test_connection_behind_forgotten_stray_fin)
{
	check_behind_stray(A, FIN, 61000);
	check_behind_stray(B, FIN, 61000);
}

/* Backscatter: the answer to a SYN that somebody forged with our address. */
TEST(test_connection_behind_stray_syn_ack)
{
	check_behind_stray(A, SYN | ACK, 1000);
	check_behind_stray(B, SYN | ACK, 1000);
	check_behind_stray(A, SYN | ACK, 21000);
	check_behind_stray(B, SYN | ACK, 21000);
}

/* ---- forgeries ---- */

/* A connection with one forged segment in it, as if either side had sent that; then it closes or is reset. */
static void set_up_forged(struct subject *t, struct wire forged)
{
	set_up_open(t);
	send(t, forged);
}

static void check_close_behind(struct wire forged)
{
	struct subject t;

	set_up_forged(&t, forged);
	close_flow(&t, 100);
	expire(&t, 60000);
	finish(&t, true, 1);
	check_graceful(&t, &t.reports[0], 0, 100);
	tear_down(&t);
}

/* The forged segment is not what the FIN's number is judged by. */
TEST(test_forged_syn_before_close)
{
	for (uint8_t from = A; from <= B; from++)
		check_close_behind((struct wire){90 * MS, .from = from, .flags = SYN, .seq = 0x41234567});
}

TEST(test_forged_data_before_close)
{
	for (uint8_t from = A; from <= B; from++)
		check_close_behind((struct wire){90 * MS, .from = from, .flags = PSH, .seq = 0x41234567,
						 .ack = 0x31234567, .len = 10});
}

/* count: of all reports. */
static void check_last_is_exact_reset(const struct subject *t, size_t count)
{
	expect_int(t->count, count);
	expect_flags(t->reports[count - 1].flow.state & FLOW_RESET, FLOW_RESET, flow_flags);
	expect_word(t->reports[count - 1].flow.reset.validity, RESET_EXACT, reset_validities);
}

TEST(test_forged_syn_before_reset)
{
	for (uint8_t from = A; from <= B; from++) {
		struct subject t;

		set_up_forged(&t, (struct wire){90 * MS, .from = from, .flags = SYN, .seq = 0x41234567});
		SEND(&t, 100 * MS, .from = B, .flags = RST | ACK, .seq = 501, .ack = 51);
		expire(&t, 60000);
		check_last_is_exact_reset(&t, 1);
		tear_down(&t);
	}
}

/*
 * A handshake inside an open connection that is never completed is reported when its time is over. The numbers that
 * the connection's reset is judged by outlive that.
 */
TEST(test_reset_behind_reported_attempt)
{
	struct subject t;

	set_up_forged(&t, (struct wire){90 * MS, .from = A, .flags = SYN, .seq = 0x41234567});
	SEND(&t, 91 * MS, .from = B, .flags = SYN | ACK, .seq = 0x51234567, .ack = 0x41234568);
	expire(&t, 20000);
	expect_int(t.count, 1);
	expect_flags(t.reports[0].flow.state & FLOW_PROVEN, 0, flow_flags);
	SEND(&t, 30 * SECOND, .from = B, .flags = RST | ACK, .seq = 501, .ack = 51);
	expire(&t, 60000);
	check_last_is_exact_reset(&t, 2);
	tear_down(&t);
}

TEST(test_forged_resets)
{
	struct subject t;

	set_up_open(&t);
	for (uint32_t i = 1; i <= 20; i++)
		SEND(&t, (50 + i) * MS, .from = i & 1, .flags = RST, .seq = i * 0x0c000000);
	expect_int(t.count, 0);
	close_flow(&t, 100);
	expire(&t, 60000);
	expect_int(t.count, 1);
	check_graceful(&t, &t.reports[0], 0, 100);
	expect_int(t.reports[0].flow.open.resets_ignored, 20);
	tear_down(&t);
}

/* A scan's FINs and RSTs of no connection are counted, never reported. */
TEST(test_strays)
{
	struct subject t;

	set_up(&t);
	for (uint16_t i = 0; i < 1000; i++) {
		t.port = i;
		SEND(&t, i * MS, .from = A, .flags = i & 1 ? FIN : RST, .seq = i * 77u);
	}
	expire(&t, 100000);
	finish(&t, true, 0);
	expect_int(t.counters[COUNT_STRAY_RST], 500);
	expect_int(t.counters[COUNT_STRAY], 500);
	tear_down(&t);
}

/* ---- the end ---- */

TEST(test_finish)
{
	for (int open = 0; open < 2; open++) {
		struct subject t;

		set_up(&t);
		open_flow(&t, 0); /* 40001: open */
		t.port = 40002;
		open_flow(&t, 0);
		SEND(&t, 100 * MS, .from = B, .flags = FIN, .seq = 501, .ack = 51); /* begun */
		t.port = 40003;
		SEND(&t, 100 * MS, .from = A, .flags = SYN); /* unanswered so far */
		t.port = 40004;
		open_flow(&t, 0);
		close_flow(&t, 100); /* not settled */
		finish(&t, open, open ? 4 : 3);
		for (size_t i = 0; i < t.count; i++) {
			const struct seen *s = &t.reports[i];

			if (s->key.port[A] != 40001)
				continue;
			assert_true(open);
			expect_flags(s->flow.state, FLOW_PROVEN | FLOW_REOPENED, flow_flags);
			expect_int(s->flow.side[A].now.end, 1051); /* by last_seen */
			expect_int(s->flow.side[B].now.end, 2501);
		}
		finish(&t, true, open ? 4 : 3);
		tear_down(&t);
	}
}

TEST(test_freed_while_full)
{
	struct subject t;

	set_up(&t);
	for (t.port = 1; t.port < 5000; t.port++) {
		SEND(&t, 0, .from = A, .flags = SYN);
		if (t.port & 1)
			continue;
		SEND(&t, 1, .from = B, .flags = SYN | ACK, .ack = 1);
		SEND(&t, 2, .from = A, .flags = ACK, .seq = 1, .ack = 1);
		if (t.port & 2)
			SEND(&t, 3, .from = A, .flags = FIN, .seq = 1, .ack = 1);
	}
	tear_down(&t); /* the leak check of a sanitizer build is the test */
}

/* ---- many ---- */

/* A hundred thousand at once, from different hosts; every one is reported once, with its own numbers. */
TEST(test_many_flows)
{
	enum { FLOWS = 100000 };
	static const uint8_t flags[] = {SYN, SYN | ACK, ACK, FIN, FIN, ACK};
	static const uint32_t seqs[] = {0, 0, 1, 1, 1, 2}, acks[] = {0, 1, 1, 1, 2, 2};
	static uint8_t reported[FLOWS];
	struct subject t;

	set_up(&t);
	for (unsigned n = 0; n < sizeof(flags); n++)
		for (uint32_t i = 0; i < FLOWS; i++) {
			uint8_t from = n == 1 || n == 4;
			struct wire w = {.time = EPOCH + n * 100 * MS + i, .from = from, .flags = flags[n]};
			struct tcp_segment s;

			w.seq = seqs[n] + (from ? i * 3 : i * 7);
			w.ack = acks[n] + (from ? i * 7 : i * 3);
			s = parse_wire(&w);
			*(from ? &s.dst.lo : &s.src.lo) = 0x0b000000 + i;
			flow_table_segment(t.table, &s, 0);
		}
	expect_int(t.count, 0);
	expire(&t, 60000);
	expect_int(t.count, FLOWS);
	for (size_t i = 0; i < t.count; i++) {
		const struct seen *s = &t.reports[i];
		uint32_t source = s->flow.open.source & 1, n = (uint32_t)s->key.addr[source].lo - 0x0b000000;

		assert_true(n < FLOWS && !reported[n]);
		reported[n] = 1;
		expect_flags(s->flow.state & FLOW_GRACEFUL, FLOW_GRACEFUL, flow_flags);
		expect_int(s->flow.open.isn[source], n * 7);
		expect_int(s->flow.open.isn[!source], n * 3);
		expect_at(s->flow.t_first, n);
	}
	expect_int(t.counters[COUNT_ESTABLISHED], FLOWS);
	tear_down(&t);
}

#define FEW 30 /* flows: no two of them share a cell of last_seen, which at first are few, too */

/* What is known of a flow stays known when others make the table grow. */
TEST(test_evidence_while_growing)
{
	struct subject t;

	set_up(&t);
	for (t.port = 1; t.port <= FEW; t.port++)
		open_flow(&t, 0);
	for (uint32_t i = 0; i < 100000; i++) {
		struct wire w = {.time = EPOCH + SECOND, .from = A, .flags = SYN};
		struct tcp_segment s = parse_wire(&w);

		s.src.lo = 0x0b000000 + i;
		flow_table_segment(t.table, &s, 0);
	}
	for (t.port = 1; t.port <= FEW; t.port++)
		SEND(&t, 2 * SECOND, .from = B, .flags = RST, .seq = 501);
	expire(&t, 3000);
	expect_int(t.count, FEW);
	for (size_t i = 0; i < t.count; i++) {
		expect_int(t.reports[i].flow.side[A].now.end, 1051);
		expect_word(t.reports[i].flow.reset.validity, RESET_EXACT, reset_validities);
	}
	tear_down(&t);
}

static uint32_t hash_of(uint16_t port)
{
	struct wire w = {.from = A, .flags = SYN, .port = port};
	struct tcp_segment s = parse_wire(&w);

	const struct flow_hash_key key = flow_hash_key_of(HASH_SEED);

	return flow_hash(&s, 0, &key) >> 32;
}

/* Ports whose flows share a cell of the watch filter and, with one seed, a bucket of the table. Returns how many. */
static size_t find_collisions(uint16_t *ports, size_t most)
{
	uint32_t wanted = hash_of(40001) & (WATCH_CELLS - 1);
	size_t count = 0;

	for (uint32_t port = 1; port < 65536 && count < most; port++)
		if ((hash_of((uint16_t)port) & (WATCH_CELLS - 1)) == wanted)
			ports[count++] = (uint16_t)port;
	return count;
}

/* ISNs of the i-th colliding flow. */
static void use_numbers_of(struct subject *t, size_t i)
{
	t->isn[A] = 1000 + 100000 * (uint32_t)i;
	t->isn[B] = 0xfffff000 + 100000 * (uint32_t)i;
}

/* Segments of colliding flows interleaved: the shared cell costs look-ups and remembered numbers, never a record. */
TEST(test_colliding_flows)
{
	uint16_t ports[3];
	size_t count = find_collisions(ports, 3);
	struct subject t;

	assert_true(count >= 2);
	set_up(&t);
	for (unsigned step = 0; step < 4; step++)
		for (size_t i = 0; i < count; i++) {
			t.port = ports[i];
			use_numbers_of(&t, i);
			if (step == 0)
				open_flow(&t, i);
			else if (step == 1)
				SEND(&t, (100 + i) * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
			else if (step == 2)
				SEND(&t, (110 + i) * MS, .from = B, .flags = FIN, .seq = 501, .ack = 52);
			else
				SEND(&t, (120 + i) * MS, .from = A, .flags = ACK, .seq = 52, .ack = 502);
		}
	expire(&t, 60000);
	expect_int(t.count, count);
	for (size_t n = 0; n < count; n++)
		for (size_t i = 0; i < count; i++) {
			if (t.reports[n].key.port[A] != ports[i])
				continue;
			use_numbers_of(&t, i);
			check_graceful(&t, &t.reports[n], i, 100 + i);
		}
	tear_down(&t);
}

struct hashed {
	uint32_t hash, host;
};

static int by_hash(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Two sources whose flows have the same hash, all 32 bits of it: among 300,000 there are some ten such pairs. */
static void find_equal_hashes(uint32_t hosts[2])
{
	enum { TRIES = 300000 };
	struct wire w = {.from = A, .flags = SYN};
	struct tcp_segment s = parse_wire(&w);
	const struct flow_hash_key key = flow_hash_key_of(HASH_SEED);
	struct hashed *all = malloc(TRIES * sizeof(*all));

	assert_non_null(all);
	for (uint32_t i = 0; i < TRIES; i++) {
		s.src.lo = 0x0b000000 + i;
		all[i] = (struct hashed){flow_hash(&s, 0, &key) >> 32, (uint32_t)s.src.lo};
	}
	qsort(all, TRIES, sizeof(*all), by_hash);
	hosts[0] = hosts[1] = 0;
	for (uint32_t i = 1; i < TRIES; i++)
		if (all[i].hash == all[i - 1].hash) {
			hosts[0] = all[i - 1].host;
			hosts[1] = all[i].host;
			break;
		}
	free(all);
	assert_true(hosts[0] != hosts[1]);
}

/* Two flows with equal hashes are two connections, and each is judged by its own numbers. */
TEST(test_equal_hashes)
{
	static const uint8_t flags[] = {SYN, SYN | ACK, ACK, RST | ACK};
	static const uint32_t seqs[] = {0, 0, 1, 1}, acks[] = {0, 1, 1, 1};
	uint32_t hosts[2];
	struct subject t;

	find_equal_hashes(hosts);
	set_up(&t);
	for (unsigned n = 0; n < sizeof(flags); n++)
		for (uint32_t i = 0; i < 2; i++) {
			uint8_t from = n == 1 || n == 3;
			struct wire w = {.time = EPOCH + n * MS,
					 .from = from,
					 .flags = flags[n],
					 .seq = seqs[n] + (i << 30),
					 .ack = acks[n] + (i << 30),
					 .win = (uint16_t)(1000 + i)};
			struct tcp_segment s = parse_wire(&w);

			*(from ? &s.dst.lo : &s.src.lo) = hosts[i];
			flow_table_segment(t.table, &s, 0);
		}
	finish(&t, false, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct flow_open *o = &t.reports[i].flow.open;

		expect_flags(t.reports[i].flow.state & FLOW_RESET, FLOW_RESET, flow_flags);
		expect_int(t.reports[i].key.addr[o->source].lo, hosts[o->win[0] - 1000]);
		expect_int(o->win[0], o->win[1]);
	}
	tear_down(&t);
}

#define CROWD 20000 /* flows open at once: hundreds of them share their cell of last_seen with another */

/* The crowd's n-th input: one step of all flows after the other, then the next step. Every 7th is no TCP segment. */
static void crowd_input(struct flow_input *in, uint32_t n)
{
	static const struct wire steps[] = {
		{.from = A, .flags = SYN},
		{.from = B, .flags = SYN | ACK, .ack = 1},
		{.from = A, .flags = ACK, .seq = 1, .ack = 1},
		{.from = A, .flags = PSH, .seq = 1, .ack = 1, .len = 9},
		{.from = B, .flags = ACK, .seq = 1, .ack = 10},
		{.from = A, .flags = FIN, .seq = 10, .ack = 1},
		{.from = B, .flags = FIN, .seq = 1, .ack = 11},
		{.from = A, .flags = ACK, .seq = 11, .ack = 2},
	};
	uint32_t segment = n - n / 7;
	struct wire w = steps[segment / CROWD];

	*in = (struct flow_input){.segment.time = EPOCH + n * MS / 10, .tcp = n % 7 != 6};
	if (!in->tcp)
		return;
	w.time = in->segment.time;
	in->segment = parse_wire(&w);
	*(w.from == A ? &in->segment.src.lo : &in->segment.dst.lo) = 0x0b000000 + segment % CROWD;
}

static void play_crowd(struct subject *t, bool batched)
{
	struct flow_input in[FLOW_BATCH];
	uint32_t n = 0, end = CROWD * 8 / 6 * 7;

	while (n < end) {
		unsigned count = 0;

		while (count < FLOW_BATCH && n < end)
			crowd_input(&in[count++], n++);
		if (batched)
			flow_table_batch(t->table, in, count);
		for (unsigned i = 0; !batched && i < count; i++) {
			if (in[i].tcp)
				flow_table_segment(t->table, &in[i].segment, in[i].ifindex);
			flow_table_expire(t->table, in[i].segment.time);
		}
	}
	flow_table_finish(t->table, false);
	expect_int(t->count, CROWD);
}

static bool same_reports(const struct subject *a, const struct subject *b)
{
	return a->count == b->count && !memcmp(a->reports, b->reports, a->count * sizeof(*a->reports)) &&
	       !memcmp(a->counters, b->counters, sizeof(a->counters));
}

/* A file must be read alike each time: wherever the table keeps its flows, and however many segments come at once. */
TEST(test_same_again)
{
	struct subject first, again, batched, otherwise;

	set_up_seeded(&first, 1, 1);
	play_crowd(&first, false);
	set_up_seeded(&again, 1, 2);
	play_crowd(&again, false);
	assert_true(same_reports(&first, &again));
	set_up_seeded(&batched, 1, 3);
	play_crowd(&batched, true);
	assert_true(same_reports(&first, &batched));
	set_up_seeded(&otherwise, 2, 1); /* which the cells of last_seen do decide */
	play_crowd(&otherwise, false);
	for (size_t i = 0; i < CROWD; i++)
		otherwise.reports[i].key.hash = first.reports[i].key.hash;
	assert_false(same_reports(&first, &otherwise));
	tear_down(&first);
	tear_down(&again);
	tear_down(&batched);
	tear_down(&otherwise);
}

/* The interface is part of the flow: the same tuple on two of them is two connections. */
TEST(test_interfaces)
{
	struct wire w = {.time = EPOCH, .from = A, .flags = SYN, .seq = 7};
	struct tcp_segment s = parse_wire(&w);
	struct subject t;

	set_up(&t);
	flow_table_segment(t.table, &s, 1);
	flow_table_segment(t.table, &s, 2);
	finish(&t, false, 2);
	expect_int(t.reports[0].key.ifindex + t.reports[1].key.ifindex, 3);
	tear_down(&t);
}

/* Data and ACKs of an open connection are not looked up; from the FIN on everything is. */
TEST(test_data_is_not_looked_up)
{
	struct subject t;
	uint64_t before;

	set_up_open(&t);
	before = t.counters[COUNT_LOOKED_UP];
	expect_int(before, 3);
	for (uint32_t i = 0; i < 1000; i++)
		SEND(&t, (40 + i) * MS, .from = A, .flags = PSH, .seq = 51 + i * 10, .ack = 501, .len = 10);
	expect_int(t.counters[COUNT_LOOKED_UP], before);
	SEND(&t, 2000 * MS, .from = A, .flags = FIN, .seq = 10051, .ack = 501);
	SEND(&t, 2001 * MS, .from = B, .flags = ACK, .seq = 501, .ack = 10052);
	SEND(&t, 2002 * MS, .from = B, .flags = PSH, .seq = 501, .ack = 10052, .len = 1);
	expect_int(t.counters[COUNT_LOOKED_UP], before + 3);
	tear_down(&t);
}

/* After its report no segment of a connection is looked up. */
TEST(test_watch_ends_with_the_report)
{
	struct subject t;
	uint64_t before;

	set_up_open(&t);
	close_flow(&t, 100);
	expire(&t, 1000);
	expect_int(t.count, 1);
	before = t.counters[COUNT_LOOKED_UP];
	SEND(&t, 1100 * MS, .from = A, .flags = ACK, .seq = 52, .ack = 502);
	SEND(&t, 1200 * MS, .from = B, .flags = PSH, .seq = 502, .ack = 52, .len = 10);
	expect_int(t.counters[COUNT_LOOKED_UP], before);
	tear_down(&t);
}

/* ---- a limit ---- */

/* Ports 1 to `count`, each heard for the last time 100 ms after the one before. */
static void open_ports(struct subject *t, uint16_t count)
{
	for (t->port = 1; t->port <= count; t->port++)
		open_flow(t, t->port * 100ULL);
}

static void expect_ports(const struct subject *t, size_t first, const uint16_t *ports, size_t count)
{
	assert_true(first + count <= t->count);
	for (size_t i = 0; i < count; i++)
		expect_int(t->reports[first + i].key.port[A], ports[i]);
}

/* The one that has been silent for longest goes, which is not the one that was opened first. */
TEST(test_limit_forgets_silent)
{
	struct subject t;

	set_up_limited(&t, HASH_SEED, HASH_SEED, 4);
	open_ports(&t, 4);
	expect_int(t.count, 0);
	t.port = 1;
	SEND(&t, 500 * MS, .from = A, .flags = PSH, .seq = 51, .ack = 501, .len = 10);
	t.port = 5;
	open_flow(&t, 600);
	t.port = 6;
	open_flow(&t, 700);
	expect_ports(&t, 0, (uint16_t[]){2, 3}, 2);
	expect_int(t.counters[COUNT_FLOWS_FORGOTTEN], 2);
	expect_int(t.counters[COUNT_FLOWS_CUT], 0);
	finish(&t, true, 6);
	expect_int(t.counters[COUNT_FLOWS_FORGOTTEN], 2);
	tear_down(&t);
}

/* A newer one stays, even if the file's time runs back. */
TEST(test_limit_keeps_newest)
{
	struct subject t;

	set_up_limited(&t, HASH_SEED, HASH_SEED, 4);
	for (t.port = 1; t.port <= 20; t.port++) {
		SEND(&t, (5000 - t.port) * MS, .from = A, .flags = SYN);
		if (t.port > 4)
			expect_int(t.reports[t.count - 1].key.port[A], t.port - 1);
	}
	expect_int(t.counters[COUNT_FLOWS_CUT], 16);
	finish(&t, false, 20);
	tear_down(&t);
}

/* Each kind is reported as it is; copies of its segments begin no other connection. */
TEST(test_limit_cuts_each_kind)
{
	struct subject t;

	set_up_limited(&t, HASH_SEED, HASH_SEED, 4);
	t.port = 1;
	SEND(&t, 0, .from = A, .flags = SYN); /* unanswered */
	t.port = 2;
	open_flow(&t, 10);
	SEND(&t, 50 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501); /* its close stands still */
	t.port = 3;
	open_flow(&t, 100);
	close_flow(&t, 150); /* not settled */
	t.port = 4;
	SEND(&t, 200 * MS, .from = A, .flags = SYN);
	SEND(&t, 201 * MS, .from = B, .flags = RST | ACK, .ack = 1); /* refused */
	for (t.port = 5; t.port <= 8; t.port++)
		SEND(&t, (200 + t.port) * MS, .from = A, .flags = SYN);
	expect_ports(&t, 0, (uint16_t[]){1, 2, 3, 4}, 4);
	expect_flags(t.reports[1].flow.state & (FLOW_BEGUN | FLOW_DONE), FLOW_BEGUN, flow_flags);
	expect_flags(t.reports[2].flow.state & FLOW_GRACEFUL, FLOW_GRACEFUL, flow_flags);
	expect_int(t.counters[COUNT_FLOWS_CUT], 2);
	expect_int(t.counters[COUNT_FLOWS_FORGOTTEN], 0);
	t.port = 2;
	SEND(&t, 300 * MS, .from = A, .flags = FIN, .seq = 51, .ack = 501);
	SEND(&t, 310 * MS, .from = B, .flags = FIN, .seq = 501, .ack = 52);
	finish(&t, false, 8);
	tear_down(&t);
}

/* Where nothing is ever idle, a clock near its last moments makes nothing so. */
TEST(test_never_idle)
{
	const uint64_t begin = (UINT64_MAX - EPOCH) / MS - 10000; /* ms */
	struct subject t;

	set_up_idle(&t, HASH_SEED, HASH_SEED, 0, FLOW_FOR_EVER);
	open_flow(&t, begin);
	for (unsigned round = 1; round <= 2 * FLOW_IDLE_ROUNDS; round++)
		expire(&t, begin + 30 + round);
	expect_int(t.counters[COUNT_IDLE_FORGOTTEN], 0);
	close_flow(&t, begin + 1000);
	finish(&t, false, 1);
	check_graceful(&t, &t.reports[0], begin, begin + 1000);
	tear_down(&t);
}

/* Many more than may be held: none is reported twice or lost, and the hash of the sets changes nothing. */
TEST(test_limit_many)
{
	enum { FLOWS = 20000, LIMIT = 100 };
	struct subject t[2];

	for (unsigned i = 0; i < 2; i++) {
		set_up_limited(&t[i], HASH_SEED, 77 + i, LIMIT);
		for (t[i].port = 1; t[i].port <= FLOWS; t[i].port++) {
			SEND(&t[i], 0, .from = A, .flags = SYN); /* all at one time, so that no timer fires */
			SEND(&t[i], 0, .from = B, .flags = SYN | ACK, .ack = 1);
			SEND(&t[i], 0, .from = A, .flags = ACK, .seq = 1, .ack = 1);
			if (t[i].port % 2)
				close_flow(&t[i], 0);
		}
		expect_int(t[i].counters[COUNT_FLOWS_FORGOTTEN] + t[i].counters[COUNT_FLOWS_CUT] > FLOWS / 3, 1);
		finish(&t[i], true, FLOWS);
	}
	for (size_t n = 0; n < FLOWS; n++)
		expect_int(t[0].reports[n].key.port[A], t[1].reports[n].key.port[A]);
	tear_down(&t[0]);
	tear_down(&t[1]);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
