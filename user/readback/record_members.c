// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A table of the paths in arrays, by the structure that an element is read into, and one of those that begin an element
 * or say by their presence that a part of the record is known.
 */
#include "user/readback/record_members.h"

#include <string.h>

static const char *role_word(unsigned n)
{
	return role_name((enum role)n);
}

static const char *state_word(unsigned n)
{
	return state_name((enum tcp_state)n);
}

static const char *direction_word(unsigned n)
{
	return direction_name((enum direction)n);
}

/* ---- values ---- */

enum base { IN_RECORD, IN_STRAY, IN_SEGMENT, IN_SOURCE_STEP, IN_DESTINATION_STEP };

/* A path and its length: most paths that are looked up are told apart by that. */
struct path {
	const char *text;
	size_t len;
};

#define PATH(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}

static bool is_path(const struct path *path, const char *text, size_t len)
{
	return path->len == len && !memcmp(path->text, text, len);
}

struct member {
	struct path path;
	enum base base;
	size_t offset;
	struct record_place place; /* without `at` */
};

#define TYPE_OF(member) __typeof__(((struct record *)0)->member)
#define RECORD_MEMBER(path, member)                                             \
	{                                                                       \
		PATH(path), IN_RECORD, offsetof(struct record, member),         \
		{                                                               \
			.kind = PLACE_NUMBER, .size = sizeof(TYPE_OF(member)),  \
			.is_signed = (TYPE_OF(member)) - 1 < (TYPE_OF(member))1 \
		}                                                               \
	}
#define MEMBER_OF_SEGMENT(path, base, member, ...)                                        \
	{                                                                                 \
		PATH(path), base, offsetof(struct record_segment, member),                \
		{                                                                         \
			.size = sizeof(((struct record_segment *)0)->member), __VA_ARGS__ \
		}                                                                         \
	}
#define SEGMENT_MEMBER(path, member, ...) MEMBER_OF_SEGMENT("tcp.segments[]." path, IN_SEGMENT, member, __VA_ARGS__)
#define SEGMENT_NUMBER(name) SEGMENT_MEMBER(#name, name, .kind = PLACE_NUMBER)
#define STRAY_NUMBER(name, member) MEMBER_OF_SEGMENT("tcp." name, IN_STRAY, member, .kind = PLACE_NUMBER)
#define STEP_STATE(path, base)                                                                                         \
	{                                                                                                              \
		PATH(path), base, sizeof(int64_t),                                                                     \
		{                                                                                                      \
			.kind = PLACE_WORD, .size = sizeof(enum tcp_state), .word = state_word, .last = TCP_STATES - 1 \
		}                                                                                                      \
	}

_Static_assert(offsetof(struct record_socket, steps[0].state) - offsetof(struct record_socket, steps[0]) ==
		       sizeof(int64_t),
	       "where a step has its state");

/* clang-format off */
static const struct member members[] = {
	RECORD_MEMBER("tcp.evidence.fin", evidence[EVIDENCE_FIN]),
	RECORD_MEMBER("tcp.evidence.fin_ack", evidence[EVIDENCE_FIN_ACK]),
	RECORD_MEMBER("tcp.evidence.peer_fin", evidence[EVIDENCE_PEER_FIN]),
	RECORD_MEMBER("tcp.evidence.peer_fin_ack", evidence[EVIDENCE_PEER_FIN_ACK]),
	RECORD_MEMBER("tcp.evidence.reset", evidence[EVIDENCE_RESET]),
	RECORD_MEMBER("tcp.traffic.source.retransmitted_bytes", traffic[SOURCE].retransmitted_bytes),
	RECORD_MEMBER("tcp.traffic.source.last_data", traffic[SOURCE].last_data),
	RECORD_MEMBER("tcp.traffic.source.flags_lost", traffic[SOURCE].runs_lost),
	RECORD_MEMBER("tcp.traffic.destination.retransmitted_bytes", traffic[DESTINATION].retransmitted_bytes),
	RECORD_MEMBER("tcp.traffic.destination.last_data", traffic[DESTINATION].last_data),
	RECORD_MEMBER("tcp.traffic.destination.flags_lost", traffic[DESTINATION].runs_lost),
	SEGMENT_NUMBER(t),
	SEGMENT_NUMBER(seq),
	SEGMENT_NUMBER(ack),
	SEGMENT_NUMBER(raw_seq),
	SEGMENT_NUMBER(raw_ack),
	SEGMENT_NUMBER(len),
	SEGMENT_NUMBER(win),
	SEGMENT_NUMBER(ttl),
	SEGMENT_NUMBER(ip_id),
	SEGMENT_NUMBER(count),
	SEGMENT_MEMBER("from", from, .kind = PLACE_WORD, .word = role_word, .last = DESTINATION),
	SEGMENT_MEMBER("flags", flags, .kind = PLACE_FLAGS),
	STRAY_NUMBER("seq", raw_seq),
	STRAY_NUMBER("ack", raw_ack),
	STRAY_NUMBER("len", len),
	STRAY_NUMBER("win", win),
	STRAY_NUMBER("ttl", ttl),
	STRAY_NUMBER("ip_id", ip_id),
	MEMBER_OF_SEGMENT("tcp.flags", IN_STRAY, flags, .kind = PLACE_FLAGS),
	{PATH("network.direction"),
	 IN_RECORD,
	 offsetof(struct record, direction),
	 {.kind = PLACE_WORD, .size = sizeof(enum direction), .word = direction_word, .last = DIRECTION_EGRESS}},
	STEP_STATE("source.socket.states[].state", IN_SOURCE_STEP),
	STEP_STATE("destination.socket.states[].state", IN_DESTINATION_STEP),
};
/* clang-format on */

static struct record_segment *last_segment(struct record *r)
{
	return &r->segments[r->segment_count - 1];
}

/* The structure that the member lies in; NULL where no element has begun. */
static char *base_of(struct record_draft *d, enum base base)
{
	struct record *r = &d->record;
	enum role role = base == IN_DESTINATION_STEP ? DESTINATION : SOURCE;
	unsigned steps = r->socket[role].step_count;

	if (base == IN_RECORD)
		return (char *)r;
	if (base == IN_STRAY)
		return (char *)&d->stray;
	if (base == IN_SEGMENT)
		return r->segment_count ? (char *)last_segment(r) : NULL;
	return steps ? (char *)&r->socket[role].steps[steps - 1] : NULL;
}

static const struct member *find_member(const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (is_path(&members[i].path, path, len))
			return &members[i];
	return NULL;
}

static const char *set_member(struct record_draft *d, const struct member *m, const struct json_value *value)
{
	struct record_place place = m->place;
	char *base = base_of(d, m->base);

	if (!base)
		return "is in no element of its array";
	place.at = base + m->offset;
	if (value->type == JSON_NULL && place.is_signed)
		return NULL;
	return record_place_set(&place, value);
}

/* ---- what needs more than a place ---- */

static const char *begin_segment(struct record_draft *d, const struct json_value *value)
{
	struct record *r = &d->record;

	if (value->type != JSON_OBJECT)
		return "is no object";
	if (r->segment_count == RECORD_SEGMENTS)
		return "has more entries than a record can have";
	d->without_ip_id |= 1u << r->segment_count;
	r->segments[r->segment_count++] = (struct record_segment){.count = 1};
	return NULL;
}
_Static_assert(RECORD_SEGMENTS < 32, "bits of without_ip_id");

/* A segment whose time stamp was wrong has no time. */
static const char *take_time(struct record_draft *d, const struct json_value *value)
{
	if (value->type != JSON_NULL)
		return set_member(d, find_member("tcp.segments[].t"), value);
	if (!d->record.segment_count)
		return "is in no element of its array";
	last_segment(&d->record)->mark |= SEGMENT_JUMPED;
	return NULL;
}

static const char *take_ip_id(struct record_draft *d, const struct json_value *value)
{
	if (d->record.segment_count)
		d->without_ip_id &= ~(1u << (d->record.segment_count - 1));
	return set_member(d, find_member("tcp.segments[].ip_id"), value);
}

static const char *take_mark(struct record_draft *d, const struct json_value *value, uint8_t mark)
{
	if (value->type != JSON_BOOL)
		return "is neither true nor false";
	if (!d->record.segment_count)
		return "is in no element of its array";
	if (value->truth)
		last_segment(&d->record)->mark |= mark;
	return NULL;
}

static const char *take_copy(struct record_draft *d, const struct json_value *value)
{
	return take_mark(d, value, SEGMENT_COPY);
}

static const char *take_ignored(struct record_draft *d, const struct json_value *value)
{
	return take_mark(d, value, SEGMENT_IGNORED);
}

static const char *take_presence(bool *known, const struct json_value *value)
{
	if (value->type != JSON_OBJECT)
		return "is no object";
	*known = true;
	return NULL;
}

static const char *take_traffic(struct record_draft *d, const struct json_value *value)
{
	return take_presence(&d->record.counted, value);
}

static const char *take_icmp(struct record_draft *d, const struct json_value *value)
{
	return take_presence(&d->record.icmp.known, value);
}

static const char *take_socket(struct record_draft *d, enum role role, const struct json_value *value)
{
	return take_presence(&d->record.socket[role].known, value);
}

static const char *take_lost(struct record_draft *d, enum role role, const struct json_value *value)
{
	if (value->type != JSON_BOOL)
		return "is neither true nor false";
	d->record.socket[role].lost = value->truth;
	return NULL;
}

static const char *begin_step(struct record_draft *d, enum role role, const struct json_value *value)
{
	struct record_socket *s = &d->record.socket[role];

	if (value->type != JSON_OBJECT)
		return "is no object";
	if (s->step_count == RECORD_STEPS)
		return "has more entries than a record can have";
	memset(&s->steps[s->step_count++], 0, sizeof(s->steps[0]));
	return NULL;
}

/* A call may come before the connection's first segment: the only numbers below 0. */
static const char *take_step_time(struct record_draft *d, enum role role, const struct json_value *value)
{
	struct record_socket *s = &d->record.socket[role];

	if (value->type != JSON_NUMBER || !value->whole || value->number > INT64_MAX)
		return "is no integer below 2^63";
	if (!s->step_count)
		return "is in no element of its array";
	s->steps[s->step_count - 1].t = value->negative ? -(int64_t)value->number : (int64_t)value->number;
	return NULL;
}

static const char *take_vlan(struct record_draft *d, const struct json_value *value)
{
	if (d->vlans == PACKET_MAX_TAGS)
		return "has more entries than a record can have";
	if (value->type != JSON_NUMBER || !value->whole || value->negative || value->number > 4095)
		return "is no VLAN identifier";
	d->record.vlan[d->vlans++] = (int)value->number;
	return NULL;
}

/* All interfaces of several; the first one is observer.ingress.interface.name as well. */
static const char *take_interface(struct record_draft *d, const struct json_value *value)
{
	if (d->interfaces == RECORD_INTERFACES)
		return "has more entries than a record can have";
	if (value->type != JSON_STRING)
		return "is no text";
	d->record.interfaces[d->interfaces++] = value->text;
	return NULL;
}

static const char *take_related(struct record_draft *d, const struct json_value *value)
{
	struct record *r = &d->record;

	if (r->related_count == RECORD_RELATED)
		return "has more entries than a record can have";
	if (value->type != JSON_STRING || strlen(value->text) != EVENT_ID_SIZE - 1 || !record_word_fits(value->text))
		return "is no event.id";
	memcpy(r->related[r->related_count++].id, value->text, EVENT_ID_SIZE);
	return NULL;
}

static const char *begin_run(struct record_draft *d, enum role role, const struct json_value *value)
{
	struct record_traffic *t = &d->record.traffic[role];

	if (value->type != JSON_ARRAY)
		return "is no pair";
	if (t->run_count == TRAFFIC_RUNS)
		return "has more entries than a record can have";
	memset(&t->run[t->run_count++], 0, sizeof(t->run[0]));
	d->run_part = 0;
	return NULL;
}

/* A pair: the flags, and how many segments in a row had them. */
static const char *take_run(struct record_draft *d, enum role role, const struct json_value *value)
{
	struct record_traffic *t = &d->record.traffic[role];
	struct record_place place = {.kind = PLACE_FLAGS, .size = 1};

	if (!t->run_count || d->run_part > 1)
		return "is no pair";
	place.at = &t->run[t->run_count - 1].flags;
	if (d->run_part++)
		place = (struct record_place){PLACE_NUMBER, &t->run[t->run_count - 1].count, sizeof(uint32_t),
					      .is_signed = false};
	return record_place_set(&place, value);
}

/* clang-format off */
static const struct {
	struct path path;
	const char *(*take)(struct record_draft *d, const struct json_value *value);
} takers[] = {
	{PATH("tcp.segments[]"), begin_segment},
	{PATH("tcp.segments[].t"), take_time},
	{PATH("tcp.segments[].ip_id"), take_ip_id},
	{PATH("tcp.segments[].copy"), take_copy},
	{PATH("tcp.segments[].ignored"), take_ignored},
	{PATH("tcp.traffic"), take_traffic},
	{PATH("tcp.icmp"), take_icmp},
	{PATH("tcp.interfaces[]"), take_interface},
	{PATH("tcp.related[]"), take_related},
	{PATH("network.vlan[]"), take_vlan},
};

static const struct {
	struct path path;
	enum role role;
	const char *(*take)(struct record_draft *d, enum role role, const struct json_value *value);
} end_takers[] = {
	{PATH("tcp.traffic.source.flags[]"), SOURCE, begin_run},
	{PATH("tcp.traffic.source.flags[][]"), SOURCE, take_run},
	{PATH("tcp.traffic.destination.flags[]"), DESTINATION, begin_run},
	{PATH("tcp.traffic.destination.flags[][]"), DESTINATION, take_run},
	{PATH("source.socket"), SOURCE, take_socket},
	{PATH("source.socket.lost"), SOURCE, take_lost},
	{PATH("source.socket.states[]"), SOURCE, begin_step},
	{PATH("source.socket.states[].t"), SOURCE, take_step_time},
	{PATH("destination.socket"), DESTINATION, take_socket},
	{PATH("destination.socket.lost"), DESTINATION, take_lost},
	{PATH("destination.socket.states[]"), DESTINATION, begin_step},
	{PATH("destination.socket.states[].t"), DESTINATION, take_step_time},
};
/* clang-format on */

/* False: the path is in neither table. */
static bool take_by_hand(struct record_draft *d, const char *path, const struct json_value *value, const char **fault)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++)
		if (is_path(&takers[i].path, path, len)) {
			*fault = takers[i].take(d, value);
			return true;
		}
	for (size_t i = 0; i < sizeof(end_takers) / sizeof(end_takers[0]); i++)
		if (is_path(&end_takers[i].path, path, len)) {
			*fault = end_takers[i].take(d, end_takers[i].role, value);
			return true;
		}
	return false;
}

bool record_member_take(struct record_draft *d, const char *path, const struct json_value *value, const char **fault)
{
	const struct member *member;

	if (take_by_hand(d, path, value, fault))
		return true;
	member = find_member(path);
	if (member)
		*fault = set_member(d, member, value);
	return member;
}
