// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two hosts report the same connections in different orders, so reports are matched, each with one that is equal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/fields.h"
#include "tests/diff/reports.h"

/* ---- reports ---- */

void reports_add(struct reports *r, const struct judged *j, const struct traffic *traffic)
{
	struct report *new;

	if (r->count == r->room) {
		r->room = r->room ? r->room * 2 : 64;
		r->report = realloc(r->report, r->room * sizeof(*r->report));
		if (!r->report) {
			fputs("out of memory\n", stderr);
			exit(1);
		}
	}
	new = &r->report[r->count++];
	memset(new, 0, sizeof(*new));
	new->judged = *j;
	new->counted = traffic;
	if (traffic)
		new->traffic = *traffic;
}

void reports_free(struct reports *r)
{
	free(r->report);
	r->report = NULL;
	r->count = r->room = 0;
}

static bool same_flow(const struct report *a, const struct report *b)
{
	return !memcmp(&a->judged.key, &b->judged.key, sizeof(a->judged.key)) &&
	       a->judged.flow.t_first == b->judged.flow.t_first;
}

static bool same_report(const struct report *a, const struct report *b)
{
	if (!same_flow(a, b) || !fields_equal(FIELDS_FLOW, &a->judged.flow, &b->judged.flow))
		return false;
	for (uint32_t i = 0; i < a->judged.flow.log_len && i < FLOW_LOG_CLOSING; i++)
		if (!fields_equal(FIELDS_LINE, &a->judged.log[i], &b->judged.log[i]))
			return false;
	return a->counted == b->counted &&
	       !memcmp(&a->traffic, &b->traffic, sizeof(a->traffic)); /* it has no padding */
}

static struct report *find_unmatched(struct reports *in, const struct report *wanted,
				     bool (*same)(const struct report *, const struct report *))
{
	for (size_t i = 0; i < in->count; i++)
		if (!in->report[i].matched && same(&in->report[i], wanted))
			return &in->report[i];
	return NULL;
}

static void print_report(const struct report *r, const char *who)
{
	const struct flow *f = &r->judged.flow;

	printf("#   %s: %llx:%u - %llx:%u, first %llu, state %#x, log", who,
	       (unsigned long long)r->judged.key.addr[0].lo, r->judged.key.port[0],
	       (unsigned long long)r->judged.key.addr[1].lo, r->judged.key.port[1], (unsigned long long)f->t_first,
	       f->state);
	for (uint32_t i = 0; i < f->log_len && i < FLOW_LOG_CLOSING; i++)
		printf(" %c%02x", r->judged.log[i].side ? '<' : '>', r->judged.log[i].flags);
	printf("\n");
}

static void print_traffic(const struct report *r, const char *who)
{
	if (!r->counted) {
		printf("#    %s: not counted\n", who);
		return;
	}
	for (int i = 0; i < 2; i++) {
		const struct traffic_side *t = &r->traffic.side[i];

		printf("#    %s, side %d: %llu packets, %llu bytes, %llu in %u again, data until %llu, end %u, flags",
		       who, i, (unsigned long long)traffic_packets(t), (unsigned long long)traffic_bytes(t),
		       (unsigned long long)t->retransmitted_bytes, t->retransmits, (unsigned long long)t->t_data,
		       t->end);
		for (uint32_t n = 0; n < t->runs && n < TRAFFIC_RUNS; n++)
			printf(" %ux%02x", t->run[n].count, t->run[n].flags);
		printf(" and %u\n", t->runs_lost);
	}
}

static void explain_pair(const struct report *a, const struct report *b, const char *name_a, const char *name_b)
{
	print_report(a, name_a);
	print_report(b, name_b);
	fields_explain(FIELDS_FLOW, &a->judged.flow, &b->judged.flow, name_a, name_b);
	for (uint32_t i = 0; i < a->judged.flow.log_len && i < b->judged.flow.log_len && i < FLOW_LOG_CLOSING; i++)
		if (!fields_equal(FIELDS_LINE, &a->judged.log[i], &b->judged.log[i])) {
			printf("#    log[%u]\n", i);
			fields_explain(FIELDS_LINE, &a->judged.log[i], &b->judged.log[i], name_a, name_b);
		}
	if (a->counted != b->counted || memcmp(&a->traffic, &b->traffic, sizeof(a->traffic))) {
		print_traffic(a, name_a);
		print_traffic(b, name_b);
	}
}

/* Pairs the remaining reports by key and time; others are missing on one side. */
static void explain_unmatched(struct reports *a, struct reports *b, const char *name_a, const char *name_b)
{
	for (size_t i = 0; i < a->count; i++) {
		struct report *other;

		if (a->report[i].matched)
			continue;
		other = find_unmatched(b, &a->report[i], same_flow);
		if (other) {
			other->matched = true;
			explain_pair(&a->report[i], other, name_a, name_b);
		} else {
			printf("#   not reported by %s:\n", name_b);
			print_report(&a->report[i], name_a);
		}
	}
	for (size_t i = 0; i < b->count; i++)
		if (!b->report[i].matched) {
			printf("#   not reported by %s:\n", name_a);
			print_report(&b->report[i], name_b);
		}
}

static void clear_matches(struct reports *r)
{
	for (size_t i = 0; i < r->count; i++)
		r->report[i].matched = false;
}

bool reports_equal(struct reports *a, struct reports *b, bool explain, const char *name_a, const char *name_b)
{
	bool equal = a->count == b->count;

	clear_matches(a);
	clear_matches(b);
	for (size_t i = 0; i < a->count; i++) {
		struct report *other = find_unmatched(b, &a->report[i], same_report);

		if (other)
			other->matched = a->report[i].matched = true;
		else
			equal = false;
	}
	if (!equal && explain)
		explain_unmatched(a, b, name_a, name_b);
	return equal;
}
