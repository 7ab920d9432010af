// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A table a struct. A field's value is read as a little-endian number.
 */
#include <stdio.h>

#include "tests/diff/fields.h"
#include "user/judge/judge.h"

struct field {
	const char *name;
	size_t offset, size; /* size: at most 8 */
};

struct fields {
	const struct field *field;
	size_t count, bytes, others; /* bytes: of the struct; others: bytes that are not compared */
};

#define FIELD(type, member)                                                  \
	{                                                                    \
#member, offsetof(type, member), sizeof(((type *)0)->member) \
	}

/* clang-format off: rows of fields */
#define S(member) FIELD(struct tcp_segment, member)
static const struct field of_segment[] = {
	S(src.hi), S(src.lo), S(dst.hi), S(dst.lo),  S(time),        S(seq),         S(ack),    S(len),
	S(sport),  S(dport),  S(win),    S(ip_id),   S(vlan[0]),     S(vlan[1]),     S(family), S(flags),
	S(ttl),    S(wscale), S(mptcp),  S(partial), S(options_len), S(options_off), S(tunnel), S(icmp),
};
#undef S

#define S(member) FIELD(struct flow_slot, member)
static const struct field of_slot[] = {
	S(addr[0].hi),
	S(addr[0].lo),
	S(addr[1].hi),
	S(addr[1].lo),
	S(port[0]),
	S(port[1]),
	S(ifindex),
	S(word),
	S(hash),
	S(fin_end[0]),
	S(fin_end[1]),
	S(open.t_syn),
	S(open.t_synack),
	S(open.t_ack),
	S(open.isn[0]),
	S(open.isn[1]),
	S(open.win[0]),
	S(open.win[1]),
	S(open.win[2]),
	S(open.syn_len),
	S(open.vlan[0]),
	S(open.vlan[1]),
	S(open.syn_flags),
	S(open.synack_flags),
	S(open.syn_copies),
	S(open.synack_copies),
	S(open.wscale[0]),
	S(open.wscale[1]),
	S(open.ttl[0]),
	S(open.ttl[1]),
	S(open.seen),
	S(open.source),
	S(open.resets_ignored),
	S(open.idle),
	S(ip_id[0]),
	S(ip_id[1]),
	S(check),
	S(family),
	S(second_tunnel),
};

#define B(member) FIELD(struct flow_block, member)
static const struct field of_block[] = {
	B(progress),
	B(slot),
	B(partial),
	B(side[0].before.end),
	B(side[0].before.ack),
	B(side[0].before.win),
	B(side[0].before.known),
	B(side[0].now.end),
	B(side[0].now.ack),
	B(side[0].now.win),
	B(side[0].now.known),
	B(side[1].before.end),
	B(side[1].before.ack),
	B(side[1].before.win),
	B(side[1].before.known),
	B(side[1].now.end),
	B(side[1].now.ack),
	B(side[1].now.win),
	B(side[1].now.known),
	B(rest[0].plain),
	B(rest[0].fins),
	B(rest[0].resets),
	B(rest[0].others),
	B(rest[0].acked),
	B(rest[1].plain),
	B(rest[1].fins),
	B(rest[1].resets),
	B(rest[1].others),
	B(rest[1].acked),
	B(before_synack),
	B(before_ack),
};

#define E(member) FIELD(struct log_entry, member)
static const struct field of_entry[] = {
	E(time), E(seq), E(ack), E(len), E(win), E(ip_id), E(flags), E(ttl), E(option), E(bits),
};

#define F(member) FIELD(struct flow, member)
static const struct field of_flow[] = {
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
	F(side[0].now.end),
	F(side[0].now.ack),
	F(side[0].end_at_ack),
	F(side[0].now.win),
	F(side[0].t_far),
	F(side[0].far_end),
	F(side[0].far_ack),
	F(side[0].t_copy),
	F(side[0].pause),
	F(side[0].backoffs),
	F(side[0].data_copies),
	F(side[0].fin_copies),
	F(side[0].now.known),
	F(side[0].seen),
	F(side[0].text_end),
	F(side[1].t_fin),
	F(side[1].t_fin_acked),
	F(side[1].fin_end),
	F(side[1].fin_ack),
	F(side[1].now.end),
	F(side[1].now.ack),
	F(side[1].end_at_ack),
	F(side[1].now.win),
	F(side[1].t_far),
	F(side[1].far_end),
	F(side[1].far_ack),
	F(side[1].t_copy),
	F(side[1].pause),
	F(side[1].backoffs),
	F(side[1].data_copies),
	F(side[1].fin_copies),
	F(side[1].now.known),
	F(side[1].seen),
	F(side[1].text_end),
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
	F(reset.fate),
	F(set_aside.time),
	F(set_aside.seq),
	F(set_aside.ack),
	F(set_aside.win),
	F(set_aside.ip_id),
	F(set_aside.side),
	F(set_aside.flags),
	F(set_aside.validity),
	F(set_aside.ttl),
	F(set_aside.mptcp),
	F(set_aside.copies),
	F(set_aside.fate),
	F(challenged),
	F(t_first),
	F(t_last),
	F(t_progress),
	F(lost),
	F(duplicates),
	F(state),
	F(log_len),
	F(heard_before),
	F(doubt),
	F(tunnel),
	F(tunnel_has_id),
	F(tunnel_id),
	F(real_fin_known[0]),
	F(real_fin_known[1]),
	F(real_fin[0]),
	F(real_fin[1]),
	F(icmp),
	F(icmp_side),
	F(fin_missed),
	F(icmp_by.hi),
	F(icmp_by.lo),
};

#define L(member) FIELD(struct flow_segment, member)
static const struct field of_line[] = {
	L(time), L(latest), L(seq), L(ack), L(len), L(count), L(win), L(ip_id), L(flags), L(ttl), L(side), L(mark),
};

#define FIELDS(table, bytes, others)                                     \
	{                                                                \
		table, sizeof(table) / sizeof((table)[0]), bytes, others \
	}
static const struct fields tables[] = {
	[FIELDS_SEGMENT] = FIELDS(of_segment, sizeof(struct tcp_segment), 4 + sizeof(struct ip_address)), /* by */
	[FIELDS_SLOT] = FIELDS(of_slot, sizeof(struct flow_slot), sizeof(__u32)), /* the number of its block */
	[FIELDS_BLOCK] = FIELDS(of_block, offsetof(struct flow_block, entry), 12),
	[FIELDS_ENTRY] = FIELDS(of_entry, sizeof(struct log_entry), sizeof(__u32)),
	[FIELDS_FLOW] = FIELDS(of_flow, sizeof(struct flow), 22),
	[FIELDS_LINE] = FIELDS(of_line, sizeof(struct flow_segment), 0),
};
/* clang-format on */

static uint64_t value_of(const struct field *f, const void *of)
{
	const unsigned char *at = (const unsigned char *)of + f->offset;
	uint64_t value = 0;

	for (size_t i = f->size; i > 0; i--)
		value = value << 8 | at[i - 1];
	return value;
}

bool fields_equal(enum fields_of of, const void *a, const void *b)
{
	const struct fields *f = &tables[of];

	for (size_t i = 0; i < f->count; i++)
		if (value_of(&f->field[i], a) != value_of(&f->field[i], b))
			return false;
	return true;
}

void fields_explain(enum fields_of of, const void *a, const void *b, const char *name_a, const char *name_b)
{
	const struct fields *f = &tables[of];

	for (size_t i = 0; i < f->count; i++) {
		uint64_t x = value_of(&f->field[i], a), y = value_of(&f->field[i], b);

		if (x != y)
			printf("#     %s: %s %llu (%#llx), %s %llu (%#llx)\n", f->field[i].name, name_a,
			       (unsigned long long)x, (unsigned long long)x, name_b, (unsigned long long)y,
			       (unsigned long long)y);
	}
}

static size_t named_bytes(const struct fields *f)
{
	size_t bytes = 0;

	for (size_t i = 0; i < f->count; i++)
		bytes += f->field[i].size;
	return bytes;
}

bool fields_are_complete(void)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (named_bytes(&tables[i]) + tables[i].others != tables[i].bytes) {
			printf("# tests/diff/fields.c: table %zu names %zu of %zu bytes\n", i, named_bytes(&tables[i]),
			       tables[i].bytes - tables[i].others);
			return false;
		}
	return true;
}
