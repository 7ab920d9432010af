// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Structs are compared by tables of their fields, so that padding does not count and a difference has a name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/reports.h"

struct field {
	const char *name;
	size_t offset, size;
};

#define FIELD(type, member)                                                  \
	{                                                                    \
#member, offsetof(type, member), sizeof(((type *)0)->member) \
	}
#define S(member) FIELD(struct tcp_segment, member)
#define F(member) FIELD(struct flow, member)
#define L(member) FIELD(struct flow_segment, member)
#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

static const struct field segment_fields[] = {
	S(src.hi), S(src.lo), S(dst.hi), S(dst.lo),  S(time),        S(seq),         S(ack),    S(len),
	S(sport),  S(dport),  S(win),    S(ip_id),   S(vlan[0]),     S(vlan[1]),     S(family), S(flags),
	S(ttl),    S(wscale), S(mptcp),  S(partial), S(options_len), S(options_off),
};

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
	F(version),
};

static const struct field log_fields[] = {
	L(time), L(seq), L(ack), L(len), L(count), L(win), L(ip_id), L(flags), L(ttl), L(side), L(mark),
};

static uint64_t value_of(const struct field *f, const void *of)
{
	const unsigned char *at = (const unsigned char *)of + f->offset;
	uint64_t value = 0;

	for (size_t i = f->size; i > 0; i--) /* little endian */
		value = value << 8 | at[i - 1];
	return value;
}

static bool fields_equal(const struct field *fields, size_t count, const void *a, const void *b)
{
	for (size_t i = 0; i < count; i++)
		if (value_of(&fields[i], a) != value_of(&fields[i], b))
			return false;
	return true;
}

static void fields_explain(const struct field *fields, size_t count, const void *a, const void *b, const char *name_a,
			   const char *name_b)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t x = value_of(&fields[i], a), y = value_of(&fields[i], b);

		if (x != y)
			printf("#     %s: %s %llu (%#llx), %s %llu (%#llx)\n", fields[i].name, name_a,
			       (unsigned long long)x, (unsigned long long)x, name_b, (unsigned long long)y,
			       (unsigned long long)y);
	}
}

static size_t bytes_of(const struct field *fields, size_t count)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += fields[i].size;
	return bytes;
}

bool fields_are_complete(void)
{
	const size_t segment_padding = 7, reset_padding = 6;

	return bytes_of(segment_fields, COUNT_OF(segment_fields)) == sizeof(struct tcp_segment) - segment_padding &&
	       bytes_of(flow_fields, COUNT_OF(flow_fields)) == sizeof(struct flow) - reset_padding &&
	       bytes_of(log_fields, COUNT_OF(log_fields)) == sizeof(struct flow_segment);
}

bool segments_equal(const struct tcp_segment *a, const struct tcp_segment *b)
{
	return fields_equal(segment_fields, COUNT_OF(segment_fields), a, b);
}

void segments_explain(const struct tcp_segment *a, const struct tcp_segment *b, const char *name_a, const char *name_b)
{
	fields_explain(segment_fields, COUNT_OF(segment_fields), a, b, name_a, name_b);
}

/* ---- reports ---- */

/* Clears the fields that only a flow's owner uses. */
static void forget_owner(struct report *r)
{
	struct flow *f = &r->body.flow;

	r->key.generation = 0;
	f->open.idle = 0;
	f->version = 0;
	f->state &= ~(FLOW_TOMBSTONE | FLOW_SETTLING);
}

void reports_add(struct reports *r, const struct flow_key *key, const struct flow *f, const struct flow_segment *log,
		 const struct traffic *traffic)
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
	new->key = *key;
	new->body.flow = *f;
	if (f->log_len <= FLOW_LOG_CLOSING)
		memcpy(new->body.log, log, f->log_len * sizeof(*log));
	new->counted = traffic;
	if (traffic)
		new->traffic = *traffic;
	forget_owner(new);
}

void reports_free(struct reports *r)
{
	free(r->report);
	r->report = NULL;
	r->count = r->room = 0;
}

static bool same_flow(const struct report *a, const struct report *b)
{
	return flow_key_equal(&a->key, &b->key) && a->body.flow.t_first == b->body.flow.t_first;
}

static bool same_report(const struct report *a, const struct report *b)
{
	if (!same_flow(a, b) || !fields_equal(flow_fields, COUNT_OF(flow_fields), &a->body.flow, &b->body.flow))
		return false;
	for (uint32_t i = 0; i < a->body.flow.log_len && i < FLOW_LOG_CLOSING; i++)
		if (!fields_equal(log_fields, COUNT_OF(log_fields), &a->body.log[i], &b->body.log[i]))
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
	const struct flow *f = &r->body.flow;

	printf("#   %s: %llx:%u - %llx:%u, first %llu, state %#x, log", who, (unsigned long long)r->key.addr[0].lo,
	       r->key.port[0], (unsigned long long)r->key.addr[1].lo, r->key.port[1], (unsigned long long)f->t_first,
	       f->state);
	for (uint32_t i = 0; i < f->log_len && i < FLOW_LOG_CLOSING; i++)
		printf(" %c%02x", r->body.log[i].side ? '<' : '>', r->body.log[i].flags);
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
	fields_explain(flow_fields, COUNT_OF(flow_fields), &a->body.flow, &b->body.flow, name_a, name_b);
	for (uint32_t i = 0; i < a->body.flow.log_len && i < b->body.flow.log_len && i < FLOW_LOG_CLOSING; i++)
		if (!fields_equal(log_fields, COUNT_OF(log_fields), &a->body.log[i], &b->body.log[i])) {
			printf("#    log[%u]\n", i);
			fields_explain(log_fields, COUNT_OF(log_fields), &a->body.log[i], &b->body.log[i], name_a,
				       name_b);
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
