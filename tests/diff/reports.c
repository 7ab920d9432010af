// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two hosts report the same connections in different orders, so reports are matched, each with one that is equal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/fields.h"
#include "tests/diff/reports.h"

#define S(member) FIELD(struct tcp_segment, member)
#define F(member) FIELD(struct flow, member)
#define L(member) FIELD(struct flow_segment, member)

static const struct field segment_fields[] = {
	S(src.hi), S(src.lo), S(dst.hi), S(dst.lo),  S(time),        S(seq),         S(ack),    S(len),
	S(sport),  S(dport),  S(win),    S(ip_id),   S(vlan[0]),     S(vlan[1]),     S(family), S(flags),
	S(ttl),    S(wscale), S(mptcp),  S(partial), S(options_len), S(options_off),
};

/* clang-format off: a row a case */
static const struct field flow_fields[] = {
	F(open.t_syn),
	F(open.t_synack),
	F(open.t_ack),
	F(open.isn[0]),
	F(open.isn[1]),
	F(open.win[0]),
	F(open.win[1]),
	F(open.win[2]),
	F(open.syn_len),
	F(open.vlan[0]),
	F(open.vlan[1]),
	F(open.syn_flags),
	F(open.synack_flags),
	F(open.syn_copies),
	F(open.synack_copies),
	F(open.wscale[0]),
	F(open.wscale[1]),
	F(open.ttl[0]),
	F(open.ttl[1]),
	F(open.seen),
	F(open.source),
	F(open.resets_ignored),
	F(open.idle),
	F(side[0].t_fin),
	F(side[0].t_fin_acked),
	F(side[0].fin_end),
	F(side[0].fin_ack),
	F(side[0].end),
	F(side[0].ack),
	F(side[0].end_at_ack),
	F(side[0].win),
	F(side[0].fin_copies),
	F(side[0].seen),
	F(side[1].t_fin),
	F(side[1].t_fin_acked),
	F(side[1].fin_end),
	F(side[1].fin_ack),
	F(side[1].end),
	F(side[1].ack),
	F(side[1].end_at_ack),
	F(side[1].win),
	F(side[1].fin_copies),
	F(side[1].seen),
	F(reset.time),
	F(reset.seq),
	F(reset.ack),
	F(reset.win),
	F(reset.ip_id),
	F(reset.side),
	F(reset.flags),
	F(reset.validity),
	F(reset.ttl),
	F(reset.mptcp),
	F(reset.copies),
	F(t_first),
	F(t_last),
	F(t_progress),
	F(lost),
	F(duplicates),
	F(state),
	F(log_len),
};
/* clang-format on */

static const struct field log_fields[] = {
	L(time), L(seq), L(ack), L(len), L(count), L(win), L(ip_id), L(flags), L(ttl), L(side), L(mark),
};

static const struct fields segments = FIELDS(segment_fields), flows = FIELDS(flow_fields), logged = FIELDS(log_fields);

bool fields_are_complete(void)
{
	const size_t segment_padding = 7, flow_padding = 10;

	return fields_bytes(&segments) == sizeof(struct tcp_segment) - segment_padding &&
	       fields_bytes(&flows) == sizeof(struct flow) - flow_padding &&
	       fields_bytes(&logged) == sizeof(struct flow_segment);
}

bool segments_equal(const struct tcp_segment *a, const struct tcp_segment *b)
{
	return fields_equal(&segments, a, b);
}

void segments_explain(const struct tcp_segment *a, const struct tcp_segment *b, const char *name_a, const char *name_b)
{
	fields_explain(&segments, a, b, name_a, name_b);
}

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
	return flow_key_equal(&a->judged.key, &b->judged.key) && a->judged.flow.t_first == b->judged.flow.t_first;
}

static bool same_report(const struct report *a, const struct report *b)
{
	if (!same_flow(a, b) || !fields_equal(&flows, &a->judged.flow, &b->judged.flow))
		return false;
	for (uint32_t i = 0; i < a->judged.flow.log_len && i < FLOW_LOG_CLOSING; i++)
		if (!fields_equal(&logged, &a->judged.log[i], &b->judged.log[i]))
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
	fields_explain(&flows, &a->judged.flow, &b->judged.flow, name_a, name_b);
	for (uint32_t i = 0; i < a->judged.flow.log_len && i < b->judged.flow.log_len && i < FLOW_LOG_CLOSING; i++)
		if (!fields_equal(&logged, &a->judged.log[i], &b->judged.log[i])) {
			printf("#    log[%u]\n", i);
			fields_explain(&logged, &a->judged.log[i], &b->judged.log[i], name_a, name_b);
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
