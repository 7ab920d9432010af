// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's flow table on a script of segments of a few tuples, with a clock that also goes backwards: no segment is
 * in two reports, no copy of a reported FIN makes another connection, and at the end queues, filter and memory are
 * empty.
 *
 * With the first bit of the input set, the first conversation is an honest one: connections follow each other on its
 * tuple, each has a four-way close, the clock goes forward, and each must be reported once, as graceful.
 *
 * Input: 1 byte (bit 0 honest, 1 report open ones, 2 count traffic), a script.
 */
#include "user/capture/flow_table.c" /* its inside */
#include "user/judge/verdict.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/script.h"

#define SECOND 1000000000ULL /* ns */
#define TIMES 1024           /* the low bits of a time are the segment's number */

/* The FINs of a conversation's last report, unless a SYN came after them. */
struct reported {
	bool fin[2];
	uint32_t fin_end[2];
	unsigned syn; /* segment of the last SYN */
};

struct run {
	bool seen[TIMES]; /* segments reported */
	struct reported last[SCRIPT_TALKS];
	bool honest;
	unsigned segment;               /* of the script */
	unsigned step, ended, reported; /* of the honest: the next segment of this one; ended; reported of those */
	uint64_t counters[COUNTERS];
};

/* ---- the honest conversation ---- */

struct honest_segment {
	uint8_t side, flags, seq, ack;
};

static const struct honest_segment honest_close[] = {
	{0, TCP_SYN, 0, 0}, {1, TCP_SYN | TCP_ACK, 0, 1}, {0, TCP_ACK, 1, 1}, {0, TCP_FIN | TCP_ACK, 1, 1},
	{1, TCP_ACK, 1, 2}, {1, TCP_FIN | TCP_ACK, 1, 2}, {0, TCP_ACK, 2, 2},
};
#define HONEST_STEPS (sizeof(honest_close) / sizeof(honest_close[0]))
#define HONEST_ISN 100000 /* from one to the next */

static void honest_turn(struct run *run, struct tcp_segment *s)
{
	const struct honest_segment *h = &honest_close[run->step++];

	s->flags = h->flags;
	s->seq = run->ended * HONEST_ISN + h->side * 7777777 + h->seq;
	s->ack = run->ended * HONEST_ISN + !h->side * 7777777 + h->ack;
	s->len = 0;
	script_ends(s, 0, h->side);
	if (run->step < HONEST_STEPS)
		return;
	run->step = 0;
	run->ended++;
}

static void honest_report(struct run *run, const struct record *r)
{
	if (r->segments[0].raw_seq / HONEST_ISN == run->ended) /* not ended yet */
		return;
	expect(r->closer == SOURCE && r->pattern == PATTERN_FOUR_WAY && !r->reset.ignored);
	run->reported++;
}

/* ---- reports ---- */

/* Has it a time of its own? What found no place has that of the last progress; an ACK of that kind has a coarse one. */
static bool has_own_time(const struct flow_segment *s, uint32_t lost)
{
	return !(s->mark & SEGMENT_FOLDED) &&
	       !(lost && s->flags == TCP_ACK && !(s->time & ((1 << REST_TIME_SHIFT) - 1)));
}

static void note_segments(struct run *run, const struct flow_segment *log, unsigned n, uint32_t lost)
{
	for (unsigned i = 0; i < n; i++) {
		if (!has_own_time(&log[i], lost))
			continue;
		expect(!run->seen[log[i].time % TIMES]);
		run->seen[log[i].time % TIMES] = true;
	}
}

/* A report without a handshake must have no FIN that was reported before: it would be a late copy. */
static void note_fins(struct run *run, unsigned talk, const struct flow *f)
{
	struct reported *last = &run->last[talk];

	for (int i = 0; i < 2; i++) {
		bool fin = f->side[i].seen & SIDE_FIN;

		expect(!fin || !last->fin[i] || f->open.seen || f->side[i].fin_end != last->fin_end[i]);
		last->fin[i] = fin && f->side[i].t_fin % TIMES > last->syn;
		last->fin_end[i] = f->side[i].fin_end;
	}
}

static void note_report(void *context, const struct flow_key *key, const struct flow *f, const struct flow_segment *log,
			const struct traffic *traffic, const struct due_report *how)
{
	struct flow_segment handshake[FLOW_LOG_HANDSHAKE];
	struct verdict_context verdict_context = {.reason = REPORT_ENDED};
	struct run *run = context;
	struct record r;

	(void)traffic;
	(void)how;
	expect(f->log_len <= FLOW_LOG_CLOSING);
	note_segments(run, log, f->log_len, f->lost);
	if (f->state & FLOW_REOPENED)
		note_segments(run, handshake, flow_handshake_log(&f->open, handshake), 0);
	note_fins(run, key->port[0] - SCRIPT_PORT, f);
	verdict(&r, key, f, log, &verdict_context);
	check_record(&r);
	if (run->honest && key->port[0] == SCRIPT_PORT)
		honest_report(run, &r);
}

/* Slots serve to recognise copies at most; each is in one way, and sets count those in their second set. */
static void check_sets(const struct flow_tables *m)
{
	uint64_t spilled = 0, second = 0, ways = 0, reported = 0;

	for (uint32_t i = 0; i <= m->set_mask; i++) {
		spilled += m->sets[i].spilled;
		for (unsigned j = 0; j < SET_WAYS; j++)
			ways += m->sets[i].way[j] != 0;
	}
	for (uint32_t n = 0; n < m->slot_count; n++) {
		if (!word_phase(m->slots[n].word))
			continue;
		expect(m->slots[n].word & PHASE_REPORTED && !m->slots[n].block);
		reported++;
		second += m->slots[n].second;
	}
	expect(spilled == second && ways == reported);
	expect(m->free_slots.spares->tail - m->free_slots.spares->head + reported == m->slot_count);
}

/* all: every connection was reported. The traffic of one that was not is freed along with the table. */
static void check_empty(const struct flow_table *table, bool all)
{
	const struct tables *t = &table->tables;
	const struct flow_tables *m = &t->store.tables;
	const struct spares *blocks = m->free_closing.spares, *small = m->free_small.spares;

	expect(!t->store.established);
	for (uint32_t i = 0; i <= m->watch_mask; i++)
		expect(!m->watch[i]);
	expect(blocks->tail - blocks->head == m->block_count);
	expect(small->tail - small->head == m->small_count);
	for (uint32_t n = 0; all && t->traffic && n < m->slot_count; n++)
		expect(!t->traffic[n]);
	check_sets(m);
}

static void play(struct flow_table *t, struct run *run, struct script *script)
{
	uint64_t before = script->now;
	struct tcp_segment s;
	unsigned talk, side;

	for (; run->segment < TIMES && script_next(script, &s, &talk, &side); before = script->now) {
		if (run->honest && s.time < before)
			s.time = script->now = before;
		if (run->honest && talk == 0)
			honest_turn(run, &s);
		s.time = s.time / TIMES * TIMES + run->segment++;
		flow_table_segment(t, &s, 0);
		flow_table_expire(t, s.time);
		if (s.flags & TCP_SYN)
			run->last[talk] = (struct reported){.syn = s.time % TIMES};
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	uint8_t how = take8(&in);
	struct run run = {.honest = how & 1};
	uint64_t patience = run.honest ? 1ULL << 50 : 10 * SECOND;
	struct flow_table_config config = {
		.timeouts = {.settle = SECOND / 2,
			     .doubt = patience,
			     .attempt = patience,
			     .repeat = SECOND / 2,
			     .idle = 6 * patience},
		.idle = 700 * patience,
		.hash_seed = 42,
		.bucket_seed = 43,
		.all_segments = how & 4,
		.report = note_report,
		.context = &run,
		.counters = run.counters,
	};
	struct flow_table *t = flow_table_new(&config);
	struct script script;

	expect(t);
	script_begin(&script, in);
	play(t, &run, &script);
	flow_table_finish(t, how & 2);
	expect(!run.honest || run.reported == run.ended);
	check_empty(t, how & 2);
	flow_table_free(t);
	return 0;
}
