// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The differential test: captured packets, and random changes of them, go through the BPF programs and through the host
 * build of the same core. Verdict, segment, cells, logs, judged flows and counters must be equal, field by field.
 *
 * A conversation with a difference is reduced while the difference stays, and then explained.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "user/record/counters.h"
#include "tests/diff/fields.h"
#include "tests/diff/kernel.h"
#include "tests/diff/mutate.h"

#define SECOND 1000000000ULL
#define MOST_EXPLAINED 10
/* Whether a test run takes more than a page depends on the kernel. */
#define LARGE 3000
#define ETHERNET_HEADER 14
/* Logs are compared after each packet of a small conversation, and after one packet in so many of a large one. */
#define SMALL 200
#define COMPARE_EVERY 97
#define IDLE (40 * SECOND)
#define MOST_STEPS 24 /* of time between two packets */

enum check { PARSE, SEGMENT, CELL, LOGS, FLOWS, COUNTS, DRAINED, CHECKS };

static const char *const check_names[CHECKS] = {"parse", "segment", "cell", "logs", "flows", "counters", "drained"};

enum skip { SKIP_NONE, SKIP_NO_IP, SKIP_SHORT_ETHERNET, SKIP_SHORT_IP, SKIP_LARGE, SKIPS };

static const char *const skip_names[SKIPS] = {
	[SKIP_NO_IP] = "not IP behind Ethernet",
	[SKIP_SHORT_ETHERNET] = "refused: no whole Ethernet header",
	[SKIP_SHORT_IP] = "refused: no whole IP header",
	[SKIP_LARGE] = "refused: too large for a test run",
};

struct tally {
	uint64_t ran, looked_up, skipped[SKIPS];
};

struct diff {
	struct kernel *kernel;
	struct host host;
	uint64_t hash_seed;
	struct flow_hash_key hash_key;
	struct tally tally[PROGRAMS];
	uint64_t conversations, reports;
	struct compared compared;
	unsigned failures[PROGRAMS][CHECKS], filter_failures;
	unsigned explained;
};

static const struct flow_timeouts usual_timeouts = {
	.settle = SECOND / 2,
	.doubt = 10 * SECOND,
	.attempt = 10 * SECOND,
	.repeat = 5 * SECOND,
	.idle = 60 * SECOND,
};
static const struct flow_timeouts no_timeouts = {
	.settle = FLOW_FOR_EVER,
	.doubt = FLOW_FOR_EVER,
	.attempt = FLOW_FOR_EVER,
	.repeat = FLOW_FOR_EVER,
	.idle = FLOW_FOR_EVER,
};

/* The cells that a conversation uses: a hash for each. */
struct touched {
	uint32_t *hashes;
	size_t count;
};

/* One conversation through one program and the host. */
struct run {
	struct diff *diff;
	enum program program;
	const struct conversation *c;
	struct tally *tally; /* NULL while a conversation is being reduced */
	bool explain;
	unsigned differences; /* 1 << enum check */
	bool behind;          /* the reader has not polled since the last packet: replaced flows are still counted */
	struct reports by_host, by_kernel;
	uint64_t at_start[COUNTERS], before[COUNTERS];
	struct touched touched;
};

/* ---- cells in use ---- */

static struct touched new_touched(const struct conversation *c)
{
	struct touched t = {.hashes = calloc(c->count + 1, sizeof(*t.hashes))};

	if (!t.hashes)
		abort();
	return t;
}

/* Returns whether the cell is new. */
static bool touch(struct touched *t, uint32_t hash)
{
	for (size_t i = t->count; i > 0; i--)
		if (((t->hashes[i - 1] ^ hash) & (WATCH_CELLS - 1)) == 0)
			return false;
	t->hashes[t->count++] = hash;
	return true;
}

static uint32_t hash_of(const struct diff *d, const struct tcp_segment *s)
{
	return flow_hash_tunnelled(s, TEST_IFINDEX, &d->hash_key) >> 32;
}

/* ---- differences ---- */

static void differ(struct run *r, enum check check, size_t at)
{
	r->differences |= 1u << check;
	if (r->explain)
		printf("#  %s, after packet %zu:\n", check_names[check], at);
}

static void print_conversation(const struct run *r)
{
	printf("#  %s, %s%s, from %s, hash seed %#" PRIx64 "\n", program_names[r->program],
	       r->c->timed ? "timed" : "held", r->c->saturated ? ", filter bypassed" : "", r->c->origin,
	       r->diff->hash_seed);
	for (size_t i = 0; i < r->c->count; i++) {
		const struct frame *f = &r->c->frames[i];

		printf("#  packet %zu: time %+" PRId64 "%s%s, %u bytes: ", i, (int64_t)(f->time - r->c->frames[0].time),
		       f->gso ? ", gso" : "", f->late ? ", late reader" : "", f->len);
		for (uint32_t n = 0; n < f->len && n < 200; n++)
			printf("%02x", f->data[n]);
		printf("\n");
	}
}

static void compare_verdicts(struct run *r, const uint64_t after[COUNTERS], enum packet_verdict wanted, size_t at)
{
	for (int v = 0; v < PACKET_VERDICTS; v++) {
		uint64_t counted = after[COUNT_VERDICT + v] - r->before[COUNT_VERDICT + v];

		if (counted == (v == (int)wanted))
			continue;
		differ(r, PARSE, at);
		if (r->explain)
			printf("#     %s: kernel %" PRIu64 ", host %d\n", counter_names[COUNT_VERDICT + v], counted,
			       v == (int)wanted);
	}
}

static void explain_cells(const struct cell *host, const struct cell *kernel)
{
	printf("#     live: kernel %u, host %u\n", kernel->live, host->live);
	for (int i = 0; i < 2; i++) {
		const struct last_seen_side *k = &kernel->last_seen.side[i], *h = &host->last_seen.side[i];

		printf("#     side %d: kernel end %u ack %u tag %u win %u strike %u, host end %u ack %u tag %u win %u "
		       "strike %u\n",
		       i, k->end, k->ack, k->tag, k->win, k->strike, h->end, h->ack, h->tag, h->win, h->strike);
	}
}

static void compare_cells(struct run *r, uint32_t hash, size_t at)
{
	struct cell host, kernel;

	host_cell(&r->diff->host, hash, &host);
	kernel_cell(r->diff->kernel, hash, &kernel);
	if (r->behind)
		kernel.live = host.live;
	if (!memcmp(&host, &kernel, sizeof(host)))
		return;
	differ(r, CELL, at);
	if (r->explain)
		explain_cells(&host, &kernel);
}

static void compare_logs(struct run *r, size_t at)
{
	struct recorded host = host_recorded(&r->diff->host), kernel = kernel_recorded(r->diff->kernel);

	if (logs_equal(&host, &kernel, &r->diff->compared, false))
		return;
	differ(r, LOGS, at);
	if (r->explain)
		logs_equal(&host, &kernel, &r->diff->compared, true);
}

static void compare_segments(struct run *r, const struct tcp_segment *host, bool kernel_looked, bool host_looked,
			     size_t at)
{
	struct tcp_segment kernel;

	if (kernel_looked != host_looked && !r->behind) {
		differ(r, SEGMENT, at);
		if (r->explain)
			printf("#     looked up: kernel %d, host %d\n", kernel_looked, host_looked);
	}
	if (!kernel_looked || !host_looked)
		return;
	kernel_segment(r->diff->kernel, &kernel);
	if (fields_equal(FIELDS_SEGMENT, host, &kernel))
		return;
	differ(r, SEGMENT, at);
	if (r->explain)
		fields_explain(FIELDS_SEGMENT, host, &kernel, "host", "kernel");
}

/* Compares the counters that both have. The kernel's others must be 0 here. */
static void compare_counters(struct run *r)
{
	static const enum counter same[] = {COUNT_ESTABLISHED, COUNT_CLOSES,        COUNT_CLOSED, COUNT_STRAY_RST,
					    COUNT_STRAY,       COUNT_CONTRADICTORY, COUNT_LATE,   COUNT_IDLE_FORGOTTEN};
	static const enum counter never[] = {COUNT_RING_FULL,    COUNT_UNPROVEN_EVICTED, COUNT_ESTABLISHED_FULL,
					     COUNT_CLOSING_FULL, COUNT_MIDSTREAM_FULL,   COUNT_CONTENDED};
	uint64_t now[COUNTERS], wanted[COUNTERS] = {0};

	kernel_counters(r->diff->kernel, now);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		wanted[same[i]] = r->diff->host.counters[same[i]];
	for (size_t i = 0; i < (sizeof(same) + sizeof(never)) / sizeof(same[0]); i++) {
		enum counter n = i < sizeof(same) / sizeof(same[0]) ? same[i]
								    : never[i - sizeof(same) / sizeof(same[0])];

		if (now[n] - r->at_start[n] == wanted[n])
			continue;
		differ(r, COUNTS, r->c->count);
		if (r->explain)
			printf("#     %s: kernel %" PRIu64 ", host %" PRIu64 "\n", counter_names[n],
			       now[n] - r->at_start[n], wanted[n]);
	}
}

/* ---- one packet ---- */

/* Makes the packet as the program's hook gets it. */
static enum skip take_frame(enum program program, const struct frame *f, struct hook_packet *p)
{
	uint16_t ethertype;

	*p = (struct hook_packet){
		.data = f->data,
		.len = f->len,
		.time = f->time,
		.link = PACKET_LINK_ETHERNET,
		.gso = f->gso && program != XDP,
	};
	if (program != TC_L3)
		return SKIP_NONE;
	if (f->len < ETHERNET_HEADER)
		return SKIP_NO_IP;
	ethertype = load_be16(f->data + 12);
	if (ethertype != ETHERTYPE_IPV4_ && ethertype != ETHERTYPE_IPV6_)
		return SKIP_NO_IP;
	p->link = PACKET_LINK_IP;
	p->data += ETHERNET_HEADER;
	p->len -= ETHERNET_HEADER;
	return SKIP_NONE;
}

/* Why a test run may refuse the packet, or SKIP_NONE. It takes the bytes as Ethernet, whatever the program does. */
static enum skip refusal(enum program program, const struct hook_packet *p)
{
	uint16_t ethertype;

	if (p->len < ETHERNET_HEADER)
		return SKIP_SHORT_ETHERNET;
	if (p->len > LARGE)
		return SKIP_LARGE;
	if (program == XDP)
		return SKIP_NONE;
	ethertype = load_be16(p->data + 12);
	if ((ethertype == ETHERTYPE_IPV4_ && p->len < ETHERNET_HEADER + 20) ||
	    (ethertype == ETHERTYPE_IPV6_ && p->len < ETHERNET_HEADER + 40))
		return SKIP_SHORT_IP;
	return SKIP_NONE;
}

/* Sets the time of both hosts and ends the flows that are due. */
static void pass_to(struct run *r, uint64_t now)
{
	bool idle_round = host_expire(&r->diff->host, now);

	kernel_expire(r->diff->kernel, now, idle_round);
}

/* Moves time to the packet's, in steps to each moment at which something is due. */
static void pass_time(struct run *r, size_t at)
{
	uint64_t now = r->c->frames[at].time, next;

	if (!r->c->timed)
		return;
	for (int steps = 0; steps < MOST_STEPS && (next = host_next(&r->diff->host)) < now; steps++)
		pass_to(r, next);
	pass_to(r, now); /* the kernel's slots are looked at by what they say without a judgement, which may be later */
}

static void skip_packet(struct run *r, enum skip why)
{
	if (r->tally)
		r->tally->skipped[why]++;
}

/* What both recorders hold behind a segment. The reader of a late one has not come by yet. */
static void compare_tables(struct run *r, uint32_t hash, size_t at)
{
	r->behind = r->c->frames[at].late;
	if (!r->behind)
		kernel_consume(r->diff->kernel);
	compare_cells(r, hash, at);
	if (!r->behind && (r->c->count <= SMALL || at % COMPARE_EVERY == 0))
		compare_logs(r, at);
}

static void run_packet(struct run *r, size_t at)
{
	uint64_t after[COUNTERS];
	struct hook_packet p;
	struct tcp_segment s;
	enum packet_verdict verdict;
	enum skip skip = take_frame(r->program, &r->c->frames[at], &p);
	uint32_t hash = 0;
	bool looked = false;
	int err;

	if (skip != SKIP_NONE) {
		skip_packet(r, skip);
		return;
	}
	verdict = host_parse(&p, &s);
	if (host_wants(verdict)) {
		hash = hash_of(r->diff, &s);
		if (touch(&r->touched, hash) && r->c->saturated) {
			kernel_saturate(r->diff->kernel, hash);
			host_saturate(&r->diff->host, hash);
		}
	}
	err = kernel_run(r->diff->kernel, r->program, &p);
	if (err) {
		skip = refusal(r->program, &p);
		if (skip == SKIP_NONE) {
			differ(r, PARSE, at);
			if (r->explain)
				printf("#     the kernel refuses the packet: %s\n", strerror(-err));
		}
		skip_packet(r, skip);
		return;
	}
	kernel_counters(r->diff->kernel, after);
	compare_verdicts(r, after, verdict, at);
	if (host_wants(verdict)) {
		looked = host_take(&r->diff->host, &s, TEST_IFINDEX);
		compare_segments(r, &s, after[COUNT_LOOKED_UP] != r->before[COUNT_LOOKED_UP], looked, at);
		compare_tables(r, hash, at);
	}
	memcpy(r->before, after, sizeof(after));
	if (r->tally) {
		r->tally->ran++;
		r->tally->looked_up += looked;
	}
}

/* ---- one conversation ---- */

/* After all flows were reported no cell may be watched, and nothing may be left in the tables. */
static void compare_drained(struct run *r)
{
	struct recorded host = host_recorded(&r->diff->host), kernel = kernel_recorded(r->diff->kernel);
	bool drained = logs_drained(&host, r->explain) & logs_drained(&kernel, r->explain);
	uint32_t rest = r->c->saturated;

	for (size_t i = 0; i < r->touched.count; i++) {
		uint32_t hash = r->touched.hashes[i];
		struct cell cells[2];

		kernel_cell(r->diff->kernel, hash, &cells[0]);
		host_cell(&r->diff->host, hash, &cells[1]);
		for (int n = 0; n < 2; n++) {
			if (cells[n].live == rest)
				continue;
			drained = false;
			if (r->explain)
				printf("#     %s still counts %u live\n", n ? "host" : "kernel", cells[n].live);
		}
		kernel_clear_cell(r->diff->kernel, hash);
	}
	kernel_clear(r->diff->kernel);
	if (!drained)
		differ(r, DRAINED, r->c->count);
}

/* Returns 1 << enum check for every check that found a difference. */
static unsigned run_conversation(struct diff *d, enum program program, const struct conversation *c,
				 struct tally *tally, bool explain)
{
	const struct flow_timeouts *timeouts = c->timed ? &usual_timeouts : &no_timeouts;
	struct run r = {
		.diff = d,
		.program = program,
		.c = c,
		.tally = tally,
		.explain = explain,
		.touched = new_touched(c),
	};

	host_begin(&d->host, timeouts, c->timed ? IDLE : no_timeouts.idle, &r.by_host);
	kernel_begin(d->kernel, timeouts, &r.by_kernel);
	kernel_counters(d->kernel, r.at_start);
	memcpy(r.before, r.at_start, sizeof(r.before));
	if (explain)
		print_conversation(&r);
	for (size_t i = 0; i < c->count; i++) {
		pass_time(&r, i);
		run_packet(&r, i);
	}
	kernel_consume(d->kernel);
	compare_logs(&r, c->count);
	kernel_finish(d->kernel);
	host_finish(&d->host);
	if (!reports_equal(&r.by_host, &r.by_kernel, false, "host", "kernel")) {
		differ(&r, FLOWS, c->count);
		reports_equal(&r.by_host, &r.by_kernel, explain, "host", "kernel");
	}
	if (tally)
		d->reports += r.by_host.count;
	compare_counters(&r);
	compare_drained(&r);
	reports_free(&r.by_host);
	reports_free(&r.by_kernel);
	free(r.touched.hashes);
	return r.differences;
}

/* Runs the host alone, with the watch filter or with every segment looked up. */
static void run_host(struct diff *d, const struct conversation *c, bool saturated, struct reports *reports)
{
	struct touched touched = new_touched(c);

	host_begin(&d->host, c->timed ? &usual_timeouts : &no_timeouts, c->timed ? IDLE : no_timeouts.idle, reports);
	for (size_t i = 0; i < c->count; i++) {
		struct hook_packet p;
		struct tcp_segment s;

		take_frame(XDP, &c->frames[i], &p);
		if (c->timed)
			host_expire(&d->host, p.time);
		if (!host_wants(host_parse(&p, &s)))
			continue;
		if (touch(&touched, hash_of(d, &s)) && saturated)
			host_saturate(&d->host, hash_of(d, &s));
		host_take(&d->host, &s, TEST_IFINDEX);
	}
	host_finish(&d->host);
	free(touched.hashes);
}

static bool filter_is_exact(struct diff *d, const struct conversation *c, bool explain)
{
	struct reports filtered = {0}, bypassed = {0};
	bool equal;

	run_host(d, c, false, &filtered);
	run_host(d, c, true, &bypassed);
	equal = reports_equal(&filtered, &bypassed, explain, "filtered", "bypassed");
	reports_free(&filtered);
	reports_free(&bypassed);
	return equal;
}

/* ---- reducing a conversation ---- */

/* Whether the difference is there. program: PROGRAMS compares the host with and without the filter. */
static bool still_fails(struct diff *d, enum program program, const struct conversation *c, unsigned differences)
{
	if (program == PROGRAMS)
		return !filter_is_exact(d, c, false);
	return run_conversation(d, program, c, NULL, false) == differences;
}

/* Leaves out smaller and smaller parts while the difference stays. Bytes are shared with c. */
static void shrink(struct diff *d, enum program program, const struct conversation *c, struct conversation *small,
		   unsigned differences)
{
	struct conversation trial = *c;

	*small = *c;
	small->frames = calloc(c->count, sizeof(*c->frames));
	trial.frames = calloc(c->count, sizeof(*c->frames));
	if (!small->frames || !trial.frames)
		abort();
	memcpy(small->frames, c->frames, c->count * sizeof(*c->frames));
	for (size_t part = (c->count + 1) / 2; part; part = part > 1 ? (part + 1) / 2 : 0)
		for (size_t at = 0; at < small->count;) {
			size_t behind = at + part < small->count ? at + part : small->count;

			memcpy(trial.frames, small->frames, at * sizeof(*c->frames));
			memcpy(trial.frames + at, small->frames + behind, (small->count - behind) * sizeof(*c->frames));
			trial.count = at + small->count - behind;
			if (trial.count && still_fails(d, program, &trial, differences)) {
				memcpy(small->frames, trial.frames, trial.count * sizeof(*c->frames));
				small->count = trial.count;
			} else {
				at = behind;
			}
		}
	free(trial.frames);
}

static void explain(struct diff *d, enum program program, const struct conversation *c, unsigned differences)
{
	struct conversation small;

	if (d->explained++ >= MOST_EXPLAINED)
		return;
	printf("# difference %u, conversation %" PRIu64 "\n", d->explained, d->conversations);
	shrink(d, program, c, &small, differences);
	if (program == PROGRAMS) {
		struct run r = {.diff = d, .program = XDP, .c = &small};

		print_conversation(&r);
		filter_is_exact(d, &small, true);
	} else {
		run_conversation(d, program, &small, NULL, true);
	}
	fflush(stdout);
	free(small.frames);
}

/* ---- all conversations ---- */

static void test_conversation(struct diff *d, const struct conversation *c)
{
	unsigned explained = 0;

	d->conversations++;
	for (int program = 0; program < PROGRAMS; program++) {
		unsigned differences = run_conversation(d, program, c, &d->tally[program], false);

		for (int check = 0; check < CHECKS; check++)
			d->failures[program][check] += differences >> check & 1;
		if (differences && differences != explained)
			explain(d, program, c, differences);
		explained = differences;
	}
	if (!filter_is_exact(d, c, false)) {
		d->filter_failures++;
		explain(d, PROGRAMS, c, 0);
	}
}

static uint64_t fewest_packets(const struct diff *d)
{
	return d->tally[XDP].ran < d->tally[TC].ran ? d->tally[XDP].ran : d->tally[TC].ran;
}

/* Runs every capture unchanged, then changed ones until both programs have had enough packets. */
static void test_all(struct diff *d, const struct pool *pool, uint64_t packets, uint64_t seed)
{
	for (int way = 0; way < 4; way++)
		for (size_t i = 0; i < pool->count; i++) {
			struct conversation c = {.origin = pool->conversations[i].origin};

			conversation_append(&c, &pool->conversations[i], 0, pool->conversations[i].count);
			c.timed = way & 1;
			c.saturated = way >> 1;
			if (c.timed)
				conversation_sort_times(&c);
			test_conversation(d, &c);
			conversation_free(&c);
		}
	for (uint64_t n = 0; fewest_packets(d) < packets && d->explained < MOST_EXPLAINED; n++) {
		struct random r = {seed + n * 0x9e3779b9};
		struct conversation c = {0};

		mutate(&c, pool, &r, d->hash_seed);
		test_conversation(d, &c);
		conversation_free(&c);
	}
}

static unsigned print_result(const char *name, const char *of, unsigned failures)
{
	if (failures)
		printf("not ok %s%s%s - %u conversations differ\n", name, of ? "-" : "", of ? of : "", failures);
	else
		printf("ok %s%s%s\n", name, of ? "-" : "", of ? of : "");
	return failures != 0;
}

static int print_results(const struct diff *d)
{
	unsigned failed = 0, tests = PROGRAMS * CHECKS + 1;

	for (int program = 0; program < PROGRAMS; program++)
		for (int check = 0; check < CHECKS; check++)
			failed += print_result(check_names[check], program_names[program], d->failures[program][check]);
	failed += print_result("filter-exact", NULL, d->filter_failures);
	for (int program = 0; program < PROGRAMS; program++) {
		const struct tally *t = &d->tally[program];

		printf("# %s: %" PRIu64 " packets, %" PRIu64 " of them looked up", program_names[program], t->ran,
		       t->looked_up);
		for (int skip = SKIP_NONE + 1; skip < SKIPS; skip++)
			if (t->skipped[skip])
				printf("; %" PRIu64 " skipped (%s)", t->skipped[skip], skip_names[skip]);
		printf("\n");
	}
	printf("# %" PRIu64 " conversations, %" PRIu64 " flows reported; compared %" PRIu64 " slots and %" PRIu64
	       " entries of logs\n",
	       d->conversations, d->reports, d->compared.slots, d->compared.entries);
	printf("%u passed, %u failed, 0 skipped\n", tests - failed, failed);
	return failed ? 1 : 0;
}

static int usage(void)
{
	fputs("usage: diff [-a] [-s SEED] [-n PACKETS] CAPTURE|DIRECTORY...\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time(NULL), packets = 100000;
	struct diff d = {0};
	struct pool pool = {0};
	struct random r;
	bool all_segments = false; /* -a */
	int option, code;

	while ((option = getopt(argc, argv, "as:n:")) != -1) {
		if (option == 'a')
			all_segments = true;
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (option == 'n')
			packets = strtoull(optarg, NULL, 0);
		else
			return usage();
	}
	for (; optind < argc; optind++) {
		int err = pool_load(&pool, argv[optind]);

		if (err) {
			fprintf(stderr, "%s: %s\n", argv[optind], strerror(-err));
			return 2;
		}
	}
	if (!pool.count)
		return usage();
	if (geteuid()) {
		printf("skip diff - loading BPF programs needs root\n0 passed, 0 failed, 1 skipped\n");
		return 0;
	}
	printf("# seed %" PRIu64 "; %zu packets of %zu captures (%zu files are none)\n", seed, pool.frames, pool.count,
	       pool.unreadable);
	if (!fields_are_complete())
		return 1;
	r.state = seed;
	d.hash_seed = random_next(&r);
	d.hash_key = flow_hash_key_of(d.hash_seed);
	host_open(&d.host, d.hash_seed, all_segments);
	d.kernel = kernel_open(d.hash_seed, all_segments);
	if (!d.kernel)
		return 1;
	test_all(&d, &pool, packets, seed);
	code = print_results(&d);
	kernel_close(d.kernel);
	host_close(&d.host);
	pool_free(&pool);
	return code;
}
