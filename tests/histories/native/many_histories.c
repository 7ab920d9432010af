// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Histories with a known truth through the recorder, as it is compiled for captures, and the judge.
 *
 * many_histories COUNT [SEED]      from number 0 on
 * many_histories -1 NUMBER [SEED]  shows one, and what is expected of its record
 *
 * Where nothing that decides a field was left out, the field must be what happened: "unknown" is a failure. Where it
 * was, truth.c names the field, and it may also be unknown. Both rates are printed; the first must be 100 %.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf/core/flow_hash.h"
#include "tests/fuzz/check.h"
#include "tests/histories/native/clock.h"
#include "user/capture/clock_jumps.h"
#include "user/capture/flow_table.h"
#include "user/judge/verdict.h"

#define AT_ONCE CLOCK_HISTORIES /* histories in one table */
#define APART (37 * MS)         /* from the beginning of one to that of the next */
#define MIRRORED 400            /* ns from a packet to its second sighting: ahead of the next one */
#define LATER (1000 * SECOND)   /* nothing is still waiting then */
#define EPOCH (1767225600 * SECOND)
#define FIRST_PORT 20000
#define CELLS 65536 /* of last_seen: of two connections in one the numbers of one are forgotten */
#define HASH_SEED 0
#define SHOWN 100 /* failures */

struct run {
	uint64_t seed;
	struct history histories[AT_ONCE];
	struct fields found[AT_ONCE];
	unsigned records[AT_ONCE];
	uint16_t ports[AT_ONCE]; /* FIRST_PORT + the number in the table + a multiple of AT_ONCE */
	uint16_t tuple
		[AT_ONCE]; /* whose ends it has: its own number, or that of the first of those that follow each other */
	uint64_t start[AT_ONCE];  /* ns */
	uint8_t cells[CELLS / 8]; /* bits: taken by a history */
	struct frame frames[AT_ONCE * SENT_MAX];
	struct flow_input inputs[2 * AT_ONCE * SENT_MAX];
	size_t frame_count, input_count;
	bool clock_is_set;                      /* of this table's capture, or stamps are wrong */
	bool spans[AT_ONCE], jumps_in[AT_ONCE]; /* see clock_stamp */
	struct history_clock clock;
	struct clock_jumps jumps;
	uint64_t jumps_found;
	unsigned count; /* of histories in the table */
	uint64_t counters[COUNTERS];
	struct flow_table *table;
	/* Of all: */
	uint64_t old, other_syns, spanned, jumped; /* histories; see print_rates */
	uint64_t segments, decided, wrong, right, unknown, other, failed, reports;
};

/* ---- the capture ---- */

static int by_time(const void *a, const void *b)
{
	const struct frame *x = a, *y = b;

	return x->time < y->time ? -1 : x->time > y->time;
}

static void add_frames(struct run *run, unsigned n)
{
	const struct history *h = &run->histories[n];

	for (unsigned i = 0; i < h->passed_count; i++) {
		const struct sent *s = &h->sent[h->passed[i]];

		if (s->hidden)
			continue;
		run->frames[run->frame_count++] = (struct frame){.time = run->start[n] + s->seen, .history = n, .s = s};
	}
}

static void set_ends(struct tcp_segment *t, const struct run *run, unsigned n, unsigned side)
{
	const struct history *h = &run->histories[run->tuple[n]];
	const struct ip_address near = {.hi = h->ipv6 ? 0x20010db800000001 : 0,
					.lo = (h->ipv6 ? 0 : 0x0a010000) + run->tuple[n] + 1};
	const struct ip_address far = {.hi = near.hi - (h->ipv6 && h->source_is_high) + (h->ipv6 && !h->source_is_high),
				       .lo = h->ipv6             ? 1
					     : h->source_is_high ? 0x0a000001
								 : 0x0a020001};

	t->family = h->ipv6 ? 6 : 4;
	t->src = side ? far : near;
	t->dst = side ? near : far;
	t->sport = side ? 443 : run->ports[n];
	t->dport = side ? run->ports[n] : 443;
}

/* ---- ends that are used again ---- */

/* Is the connection over, and what is said of it does not depend on what comes later? */
static bool is_over(const struct history *h)
{
	struct fields t;

	truth_fields(&t, h);
	return h->left_out == LEFT_NOTHING && h->passed_count && !(t.undecided >> FIELD_OUTCOME & 1) &&
	       t.value[FIELD_OUTCOME] != OUTCOME_UNFINISHED && t.value[FIELD_OUTCOME] != OUTCOME_OPEN &&
	       strncmp(h->play.script->name, "forged_of", 9) != 0 &&
	       strcmp(h->play.script->name, "old_fin") != 0; /* see tests/README.md, "Open" */
}

/* Are the numbers of both sides behind those of the connection before? */
static bool are_behind(const struct history *h, const struct history *before)
{
	for (unsigned side = 0; side < 2; side++)
		if (!seq_after((uint32_t)h->end[side].isn, (uint32_t)before->end[side].nxt))
			return false;
	return true;
}

/*
 * May history n follow the one before with the same ends? Sooner than TIME-WAIT is long only with numbers behind the
 * last ones (RFC 9293 section 3.6.1, RFC 6191). Its SYN is captured, and no copy of the other one's.
 */
static bool follow(struct run *run, unsigned n)
{
	static const uint64_t gaps[] = {MS, 50 * MS, 700 * MS, 61 * SECOND};
	struct history *h = &run->histories[n], *before = n ? &run->histories[n - 1] : NULL;
	bool begins = h->left_out == LEFT_NOTHING || h->left_out == LEFT_END;

	if (!before || run->clock_is_set || h->number % 4 || !begins || !is_over(before) ||
	    h->end[0].isn == before->end[0].isn)
		return false;
	run->tuple[n] = run->tuple[n - 1];
	run->ports[n] = run->ports[n - 1];
	run->start[n] = run->start[n - 1] + before->sent[before->passed[before->passed_count - 1]].seen +
			gaps[are_behind(h, before) ? history_below(h, 4) : 3];
	h->ipv6 = before->ipv6;
	return true;
}

/* So that no two of a table share a cell. */
static void choose_port(struct run *run, unsigned n)
{
	const struct flow_hash_key key = flow_hash_key_of(HASH_SEED);
	struct tcp_segment s;
	uint32_t cell;

	run->ports[n] = (uint16_t)(FIRST_PORT + n);
	for (;; run->ports[n] += AT_ONCE) {
		set_ends(&s, run, n, 0);
		cell = flow_hash(&s, 0, &key) >> 32 & (CELLS - 1);
		if (!(run->cells[cell / 8] >> cell % 8 & 1))
			break;
	}
	run->cells[cell / 8] |= (uint8_t)(1u << cell % 8);
}

static struct flow_input input_of(const struct run *run, const struct frame *f)
{
	const struct history *h = &run->histories[f->history];
	const struct sent *s = f->s;
	struct flow_input in = {.tcp = true};
	struct tcp_segment *t = &in.segment;

	*t = (struct tcp_segment){
		.time = f->stamp,
		.seq = (uint32_t)s->seq,
		.ack = (uint32_t)s->ack,
		.len = s->length,
		.flags = s->flags,
		.win = s->shut              ? 0
		       : s->flags & TCP_SYN ? 64240
		       : s->scaled          ? 502
					    : HISTORY_WINDOW,
		.wscale = s->flags & TCP_SYN && s->scaled ? 7 : SEGMENT_NO_WSCALE,
		.mptcp = SEGMENT_NO_MPTCP,
		.ttl = 64,
		.ip_id = h->ipv6 ? 0 : s->ip_id,
		.vlan = {PACKET_NO_TAG, PACKET_NO_TAG},
	};
	set_ends(t, run, f->history, s->side);
	return in;
}

static void stamp_frames(struct run *run, uint64_t first)
{
	struct random random = {run->seed * 0xd1342543de82ef95 ^ first};

	run->clock = (struct history_clock){0};
	memset(run->spans, 0, sizeof(run->spans));
	memset(run->jumps_in, 0, sizeof(run->jumps_in));
	if (run->clock_is_set)
		run->clock = clock_stamp(run->frames, run->frame_count, &random, run->spans, run->jumps_in);
	else
		for (size_t i = 0; i < run->frame_count; i++)
			run->frames[i].stamp = run->frames[i].time;
}

/* As replay.c does. */
static void correct_times(struct run *run)
{
	run->jumps_found = 0;
	run->jumps = (struct clock_jumps){.counter = &run->jumps_found};
	clock_jumps_take(&run->jumps, run->inputs, (unsigned)run->input_count, (unsigned)run->input_count);
}

static void put_frames(struct run *run)
{
	run->input_count = 0;
	for (size_t i = 0; i < run->frame_count; i++) {
		const struct frame *f = &run->frames[i];

		run->inputs[run->input_count++] = input_of(run, f);
		if (!run->histories[f->history].mirrored)
			continue;
		run->inputs[run->input_count] = run->inputs[run->input_count - 1];
		run->inputs[run->input_count++].segment.time += MIRRORED;
	}
	correct_times(run);
	for (size_t i = 0; i < run->input_count; i += FLOW_BATCH) {
		size_t left = run->input_count - i;

		flow_table_batch(run->table, run->inputs + i, left < FLOW_BATCH ? (unsigned)left : FLOW_BATCH);
	}
	run->segments += run->input_count;
}

/* ---- the records ---- */

static bool is_whole(const struct history *h)
{
	for (unsigned i = 0; i < h->passed_count; i++)
		if (h->sent[h->passed[i]].hidden)
			return false;
	return true;
}

static void report(void *context, const struct flow_key *key, const struct flow *f, const struct flow_segment *log,
		   const struct traffic *traffic, const struct due_report *how)
{
	struct verdict_context verdict_context = {.reason = how->cut ? REPORT_STOP : REPORT_ENDED,
						  .traffic = traffic,
						  .payload = how->payload,
						  .hole = how->hole,
						  .jumped = ((struct run *)context)->jumps.at,
						  .jumped_count = ((struct run *)context)->jumps.count,
						  .nameless = true};
	unsigned first = ((key->port[0] == 443 ? key->port[1] : key->port[0]) - FIRST_PORT) % AT_ONCE, n = first;
	struct run *run = context;
	struct flow flow = *f;
	struct record r;

	if (how->stray || how->glance)
		return;
	while (n + 1 < run->count && run->tuple[n + 1] == first && f->t_first >= run->start[n + 1])
		n++;
	if (!how->cut && !(f->state & FLOW_REPLACED))
		verdict_context.quiet = SECOND / 2;
	if (how->heard > flow.t_last)
		flow.t_last = how->heard;
	verdict(&r, key, &flow, log, &verdict_context);
	if (is_whole(&run->histories[n]) && !run->jumps_in[n])
		check_record(&r);
	run->reports++;
	if (!run->records[n]++)
		record_fields_of(&run->found[n], &r);
}

static void begin_table(struct run *run, bool all_segments)
{
	const struct flow_table_config config = {
		.timeouts = {.settle = SECOND / 2,
			     .syn = 10 * SECOND,
			     .close = 60 * SECOND,
			     .doubt = FLOW_FOR_EVER,
			     .attempt = FLOW_FOR_EVER,
			     .repeat = FLOW_ATTEMPT_NS,
			     .idle = FLOW_FOR_EVER},
		.idle = FLOW_FOR_EVER,
		.hash_seed = HASH_SEED,
		.bucket_seed = 43,
		.all_segments = all_segments,
		.report = report,
		.context = run,
		.counters = run->counters,
	};

	run->table = flow_table_new(&config);
	history_room(run->table, "tables");
}

/* ---- the judgement ---- */

static void fault(const struct run *run, const struct history *h, const char *field, int64_t got, int64_t wanted)
{
	if (run->failed < SHOWN)
		printf("# history %llu/%llu - %s %s is %lld, was %lld\n", (unsigned long long)run->seed,
		       (unsigned long long)h->number, h->play.script->name, field, (long long)got, (long long)wanted);
}

/* Of an ACK that found no place in its log the time is kept in units of 256 ns (REST_TIME_SHIFT). */
static bool is_same(enum field field, int64_t got, int64_t wanted)
{
	bool time = field >= FIELD_FIN_TO_ACK && field <= FIELD_CLOSE;

	return got == wanted || (time && got >= 0 && wanted >= 0 && llabs(got - wanted) < 1 << REST_TIME_SHIFT);
}

static bool compare_field(struct run *run, const struct history *h, const struct fields *t, const struct fields *found,
			  enum field field)
{
	int64_t got = found->value[field], wanted = t->value[field];
	bool same = is_same(field, got, wanted);

	if (!same && got == NOTHING && FIELDS_OF_STEPS >> field & 1 && run->jumps_in[h - run->histories]) {
		run->unknown++;
		return true;
	}
	if (t->undecided >> field & 1) {
		run->right += same;
		run->unknown += !same && got == NOTHING;
		run->other += !same && got != NOTHING;
		return true;
	}
	run->decided += same;
	run->wrong += !same;
	if (!same)
		fault(run, h, truth_names[field], got, wanted);
	return same;
}

static void compare(struct run *run, unsigned n)
{
	const struct history *h = &run->histories[n];
	struct fields t;
	bool fine = true;

	truth_fields(&t, h);
	if (run->spans[n])
		t.undecided |= clock_fields(&t);
	if (run->jumps_in[n] && h->ipv6) /* a copy, or seen twice: neither time nor identification tells */
		t.undecided |= FIELDS_OF_COPIES;
	if (!(t.undecided >> FIELD_OUTCOME & 1) && run->records[n] != 1) {
		fault(run, h, "records", run->records[n], 1);
		run->wrong++;
		fine = false;
	}
	if (!run->records[n] && is_whole(h))
		fine = false;
	for (unsigned field = 0; run->records[n] && field < FIELDS; field++)
		if (t.named >> field & 1)
			fine &= compare_field(run, h, &t, &run->found[n], field);
	run->failed += !fine;
}

/* Did a SYN of either side pass again, with other options or ECN bits? */
static bool has_other_syn(const struct history *h)
{
	const struct sent *first[2] = {NULL, NULL};

	for (unsigned i = 0; i < h->passed_count; i++) {
		const struct sent *s = &h->sent[h->passed[i]], **f = &first[s->side];

		if (!(s->flags & TCP_SYN) || s->forged)
			continue;
		if (*f && ((*f)->flags != s->flags || (*f)->scaled != s->scaled || !(*f)->stamp != !s->stamp))
			return true;
		*f = *f ? *f : s;
	}
	return false;
}

static void count_kinds(struct run *run, unsigned n)
{
	run->old += run->histories[n].dropped_old != 0;
	run->other_syns += has_other_syn(&run->histories[n]);
	run->spanned += run->spans[n];
	run->jumped += run->jumps_in[n];
}

static void play(struct run *run, uint64_t first, unsigned n)
{
	run->frame_count = 0;
	run->count = n;
	run->clock_is_set = first / AT_ONCE % 4 == 3;
	memset(run->records, 0, sizeof(run->records));
	memset(run->cells, 0, sizeof(run->cells));
	for (unsigned i = 0; i < n; i++) {
		history_make(&run->histories[i], run->seed, first + i);
		run->tuple[i] = (uint16_t)i;
		run->start[i] = EPOCH + i * APART;
		if (!follow(run, i))
			choose_port(run, i);
		add_frames(run, i);
	}
	qsort(run->frames, run->frame_count, sizeof(*run->frames), by_time);
	stamp_frames(run, first);
	begin_table(run, first / AT_ONCE % 8 < 4);
	put_frames(run);
	flow_table_expire(run->table, flow_table_clock(run->table) + LATER);
	flow_table_finish(run->table, true);
	flow_table_free(run->table);
	for (unsigned i = 0; i < n; i++) {
		compare(run, i);
		count_kinds(run, i);
	}
	clock_jumps_free(&run->jumps);
}

static void show_clock(const struct run *run, unsigned n)
{
	int64_t ahead, before = 0;

	for (size_t i = 0; i < run->frame_count; i++) {
		const struct frame *f = &run->frames[i];

		ahead = (int64_t)(f->stamp - f->time);
		if (f->history == n && ahead != before)
			printf("%12.3f the clock is %.3f ms ahead%s\n", (double)f->s->seen / 1e6, (double)ahead / 1e6,
			       f->wrong ? ", for this segment" : "");
		before = f->history != n ? before : ahead;
	}
}

static void show(struct run *run, uint64_t number)
{
	unsigned n = number % AT_ONCE;
	const struct history *h = &run->histories[n];
	struct fields t;

	play(run, number - n, AT_ONCE); /* all of them, since the clock is set for all */
	if (run->tuple[n] != n)
		printf("The ends are those of history %llu, %.3f ms later.\n", (unsigned long long)number - 1,
		       (double)(run->start[n] - run->start[n - 1]) / 1e6);
	printf("%u records; %s, IPv%d, left out %d, mirrored %d, source high %d, lost %u copied %u reordered %u joined "
	       "%u\n",
	       run->records[n], h->play.script->name, h->ipv6 ? 6 : 4, h->left_out, h->mirrored, h->source_is_high,
	       h->quality.lost, h->quality.copied, h->quality.reordered, h->quality.joined);
	for (unsigned i = 0; i < h->passed_count; i++) {
		const struct sent *s = &h->sent[h->passed[i]];

		printf("%12.3f %c flags %2u seq %lld ack %lld len %u id %u%s%s\n", (double)s->seen / 1e6,
		       s->side ? '<' : '>', s->flags, (long long)(s->seq - h->end[s->side].isn),
		       s->flags & TCP_ACK ? (long long)(s->ack - h->end[!s->side].isn) : 0, s->length, s->ip_id,
		       s->forged ? " forged" : "", s->hidden ? " left out" : "");
	}
	show_clock(run, n);
	truth_fields(&t, h);
	for (unsigned field = 0; field < FIELDS; field++)
		if (t.named >> field & 1)
			printf("%s: is %lld, was %lld%s\n", truth_names[field],
			       run->records[n] ? (long long)run->found[n].value[field] : -2, (long long)t.value[field],
			       t.undecided >> field & 1 ? ", undecided" : "");
}

static double percent(uint64_t part, uint64_t rest)
{
	return part + rest ? 100.0 * (double)part / (double)(part + rest) : 100;
}

static void print_rates(const struct run *run, uint64_t count, clock_t begun)
{
	double seconds = (double)(clock() - begun) / CLOCKS_PER_SEC;

	printf("# %llu histories of %llu segments, %llu logs judged, %.0f a second; fields that were decided: %llu as "
	       "it "
	       "happened, %llu not (%.4g %%)\n",
	       (unsigned long long)count, (unsigned long long)run->segments, (unsigned long long)run->reports,
	       (double)count / seconds, (unsigned long long)run->decided, (unsigned long long)run->wrong,
	       percent(run->decided, run->wrong));
	printf("# of these: %llu with segments dropped for their stamps, %llu with a SYN that came again with other "
	       "options, "
	       "%llu while the capture's clock was set, %llu with a wrong time\n",
	       (unsigned long long)run->old, (unsigned long long)run->other_syns, (unsigned long long)run->spanned,
	       (unsigned long long)run->jumped);
	printf("# fields that were not: %llu as it happened (%.4g %%), %llu unknown, %llu as the rest of the capture "
	       "looks\n",
	       (unsigned long long)run->right, percent(run->right, run->unknown + run->other),
	       (unsigned long long)run->unknown, (unsigned long long)run->other);
}

int main(int argc, char **argv)
{
	struct run *run = calloc(1, sizeof(*run));
	bool one = argc > 2 && !strcmp(argv[1], "-1");
	uint64_t count = argc > 1 ? strtoull(argv[1 + one], NULL, 10) : 0;
	clock_t begun = clock();

	history_room(run, "memory");
	mallopt(M_MMAP_THRESHOLD, 1 << 30); /* each table takes the memory of the one before */
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	run->seed = argc > 2 + one ? strtoull(argv[2 + one], NULL, 10) : 1;
	if (one) {
		show(run, count);
		return 0;
	}
	if (!count) {
		fputs("usage: many_histories COUNT [SEED] | -1 NUMBER [SEED]\n", stderr);
		return 2;
	}
	for (uint64_t first = 0; first < count; first += AT_ONCE)
		play(run, first, count - first < AT_ONCE ? (unsigned)(count - first) : AT_ONCE);
	print_rates(run, count, begun);
	return run->failed != 0;
}
