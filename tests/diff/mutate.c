// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Half of the changes are those of a network (loss, copies, reordering, reuse of ports), the other half those of an
 * attacker (forged flags and numbers, broken headers). Numbers are drawn around the limits that the code compares with,
 * because random ones never hit them.
 */
#include <string.h>

#include "bpf/core/header_walk.h"
#include "bpf/core/last_seen.h"
#include "bpf/core/watch.h"
#include "tests/diff/mutate.h"
#include "tests/diff/store_be.h"

#define LONGEST 48      /* packets taken from a capture */
#define MOST 160        /* packets of a conversation */
#define LONGEST_CUT 200 /* bytes: no chain of headers that is parsed is longer */
#define MILLISECOND 1000000ULL
#define SECOND (1000 * MILLISECOND)

/* A conversation being changed. */
struct change {
	struct conversation *c;
	const struct pool *pool;
	struct random *r;
	uint64_t hash_seed;
};

static struct frame *any_frame(const struct change *m)
{
	return &m->c->frames[random_below(m->r, (uint32_t)m->c->count)];
}

/* A frame with a TCP header, or NULL if a few tries find none. */
static struct frame *any_segment(const struct change *m, struct layout *l)
{
	for (int tries = 0; tries < 8; tries++) {
		struct frame *f = any_frame(m);

		if (frame_layout(f, l))
			return f;
	}
	return NULL;
}

/* Around 0, around the windows and slacks of the core, and around half of the number space. */
static uint32_t any_distance(struct random *r)
{
	static const uint32_t borders[] = {
		0,
		0,
		0,
		1,
		100,
		502,
		502 << 7,
		0xffff,
		65535u << 7,
		FLOW_HANDSHAKE_SLACK,
		LAST_SEEN_REORDER,
		2 * LAST_SEEN_REORDER,
		65535u << 14,
		0x80000000,
	};
	uint32_t d = borders[random_below(r, sizeof(borders) / sizeof(borders[0]))] + random_below(r, 5) - 2;

	return random_once_in(r, 2) ? d : -d;
}

static uint64_t any_pause(struct random *r)
{
	static const uint64_t pauses[] = {
		1,
		MILLISECOND / 2,
		FLOW_DUPLICATE_NS - 1,
		FLOW_DUPLICATE_NS,
		499 * MILLISECOND,
		500 * MILLISECOND,
		501 * MILLISECOND,
		SECOND,
		10 * SECOND,
		11 * SECOND,
		60 * SECOND,
		61 * SECOND,
		65 * SECOND,
		7200 * SECOND,
	};

	return pauses[random_below(r, sizeof(pauses) / sizeof(pauses[0]))];
}

/* ---- what a network does ---- */

static void lose(const struct change *m)
{
	if (m->c->count > 1)
		conversation_remove(m->c, random_below(m->r, (uint32_t)m->c->count));
}

/* Inserts a copy of a packet behind it: another hook's sighting, a retransmission or a replay. */
static void repeat(const struct change *m)
{
	struct conversation *c = m->c;
	size_t from = random_below(m->r, (uint32_t)c->count), to;
	struct frame f;

	conversation_append(c, c, from, 1);
	to = from + 1 + random_below(m->r, (uint32_t)(c->count - 1 - from));
	f = c->frames[c->count - 1];
	f.time = c->frames[to - 1].time + (random_once_in(m->r, 2) ? 1000 : any_pause(m->r));
	memmove(&c->frames[to + 1], &c->frames[to], (c->count - 1 - to) * sizeof(f));
	c->frames[to] = f;
}

/* Swaps two packets, with or without their times. */
static void swap(const struct change *m)
{
	struct frame *a = any_frame(m), *b = any_frame(m), old = *a;

	*a = *b;
	*b = old;
	if (random_once_in(m->r, 2)) {
		b->time = a->time;
		a->time = old.time;
	}
}

static void pause_between(const struct change *m)
{
	size_t at = random_below(m->r, (uint32_t)m->c->count);
	uint64_t pause = any_pause(m->r);

	for (; at < m->c->count; at++)
		m->c->frames[at].time += pause;
}

static void set_clock_back(const struct change *m)
{
	struct frame *f = any_frame(m);
	uint64_t back = random_below(m->r, 2 * FLOW_DUPLICATE_NS);

	if (f->time > back)
		f->time -= back;
}

/* Inserts packets of another conversation. */
static void interleave(const struct change *m)
{
	const struct conversation *other = &m->pool->conversations[random_below(m->r, (uint32_t)m->pool->count)];
	size_t n = other->count < LONGEST ? other->count : LONGEST, at = 0;

	for (size_t i = 0; i < n && m->c->count < MOST; i++) {
		struct frame f;

		at += random_below(m->r, 3);
		if (at >= m->c->count)
			at = m->c->count;
		conversation_append(m->c, other, i, 1);
		f = m->c->frames[m->c->count - 1];
		f.time = at ? m->c->frames[at - 1].time + 1 : m->c->frames[0].time;
		memmove(&m->c->frames[at + 1], &m->c->frames[at], (m->c->count - 1 - at) * sizeof(f));
		m->c->frames[at] = f;
	}
}

/* Adds to every number of one side, so that both sides still agree. ports: as in the headers that this side sends. */
static void shift_numbers(struct conversation *c, size_t first, const uint8_t ports[4], uint32_t by)
{
	for (size_t i = first; i < c->count; i++) {
		uint8_t *tcp;
		struct layout l;

		if (!frame_layout(&c->frames[i], &l))
			continue;
		tcp = c->frames[i].data + l.tcp;
		if (!memcmp(tcp, ports, 4))
			store_be32(tcp + 4, load_be32(tcp + 4) + by);
		else if (!memcmp(tcp, ports + 2, 2) && !memcmp(tcp + 2, ports, 2) && tcp[13] & TCP_ACK)
			store_be32(tcp + 8, load_be32(tcp + 8) + by);
	}
}

/* Moves one side's numbers so that one packet's number lies at a wrap. */
static void wrap_numbers(const struct change *m)
{
	static const uint32_t places[] = {0, 0x80000000, 0x7fff0000, 0xffff0000};
	struct layout l;
	struct frame *f = any_segment(m, &l);
	uint8_t ports[4];
	uint32_t place;

	if (!f)
		return;
	place = places[random_below(m->r, 4)] + random_below(m->r, 5) - 2;
	memcpy(ports, f->data + l.tcp, 4);
	shift_numbers(m->c, 0, ports, place - load_be32(f->data + l.tcp + 4));
}

/* Repeats the conversation's beginning on the same ports, at once or later, with other numbers or the same. */
static void reuse_ports(const struct change *m)
{
	struct conversation *c = m->c;
	size_t n = c->count, again = 1 + random_below(m->r, (uint32_t)n);
	uint64_t delay = c->frames[n - 1].time - c->frames[0].time + any_pause(m->r);
	uint8_t ports[4], back[4];
	struct layout l;
	struct frame *f = any_segment(m, &l);

	if (!f || n + again > MOST)
		return;
	memcpy(ports, f->data + l.tcp, 4);
	memcpy(back, ports + 2, 2);
	memcpy(back + 2, ports, 2);
	conversation_append(c, c, 0, again);
	for (size_t i = n; i < c->count; i++)
		c->frames[i].time += delay;
	shift_numbers(c, n, ports, any_distance(m->r));
	shift_numbers(c, n, back, any_distance(m->r));
}

/* ---- what an attacker does ---- */

static void forge_flags(const struct change *m)
{
	static const uint8_t usual[] = {
		TCP_FIN,           TCP_SYN,           TCP_RST,           TCP_ACK,           TCP_FIN | TCP_ACK,
		TCP_SYN | TCP_ACK, TCP_RST | TCP_ACK, TCP_PSH | TCP_ACK, TCP_SYN | TCP_FIN, 0,
	};
	struct layout l;
	struct frame *f = any_segment(m, &l);

	if (f)
		f->data[l.tcp + 13] = random_once_in(m->r, 4) ? (uint8_t)random_next(m->r)
							      : usual[random_below(m->r, sizeof(usual))];
}

/* Sets a number of one segment near a number of another one. */
static void forge_number(const struct change *m)
{
	struct layout l, of;
	struct frame *f = any_segment(m, &l), *near = any_segment(m, &of);
	uint32_t place;

	if (!f || !near)
		return;
	place = load_be32(near->data + of.tcp + (random_once_in(m->r, 2) ? 4 : 8));
	store_be32(f->data + l.tcp + (random_once_in(m->r, 2) ? 4 : 8), place + any_distance(m->r));
}

static void forge_window(const struct change *m)
{
	static const uint32_t windows[] = {0, 1, 502, 0x7fff, 0xffff};
	struct layout l;
	struct frame *f = any_segment(m, &l);

	if (f)
		store_be16(f->data + l.tcp + 14, windows[random_below(m->r, 5)]);
}

static void forge_identity(const struct change *m)
{
	struct layout l;
	struct frame *f = any_segment(m, &l);

	if (!f)
		return;
	if (l.ipv6)
		f->data[l.ip + 7] = (uint8_t)random_next(m->r);
	else if (random_once_in(m->r, 2))
		f->data[l.ip + 8] = (uint8_t)random_next(m->r);
	else
		store_be16(f->data + l.ip + 4, random_below(m->r, 3));
}

/* Makes a packet whose ends are equal, or differ only in the port. */
static void mirror(const struct change *m)
{
	struct layout l;
	struct frame *f = any_segment(m, &l);

	if (!f)
		return;
	if (l.ipv6)
		memcpy(f->data + l.ip + 24, f->data + l.ip + 8, 16);
	else
		memcpy(f->data + l.ip + 16, f->data + l.ip + 12, 4);
	if (random_once_in(m->r, 2))
		memcpy(f->data + l.tcp + 2, f->data + l.tcp, 2);
}

static void break_length(const struct change *m)
{
	struct layout l;
	struct frame *f = any_segment(m, &l);
	uint32_t held, lengths[6];

	if (!f)
		return;
	held = f->len - l.ip - (l.ipv6 ? 40 : 0);
	lengths[0] = 0;
	lengths[1] = held - 1;
	lengths[2] = held + 1;
	lengths[3] = l.ipv6 ? 20 : 40;
	lengths[4] = random_below(m->r, held + 2);
	lengths[5] = 0xffff;
	store_be16(f->data + l.ip + (l.ipv6 ? 4 : 2), lengths[random_below(m->r, 6)]);
}

static void break_header_length(const struct change *m)
{
	struct layout l;
	struct frame *f = any_segment(m, &l);

	if (!f)
		return;
	if (l.ipv6 || random_once_in(m->r, 2))
		f->data[l.tcp + 12] = (uint8_t)(random_below(m->r, 16) << 4 | (f->data[l.tcp + 12] & 15));
	else
		f->data[l.ip] = (uint8_t)(0x40 | random_below(m->r, 16));
}

static void break_fragment(const struct change *m)
{
	static const uint32_t words[] = {0x2000, 0x4000, 0x8000, 0x0001, 0x1fff, 0x2001};
	struct layout l;
	struct frame *f = any_segment(m, &l);

	if (f && !l.ipv6)
		store_be16(f->data + l.ip + 6, words[random_below(m->r, 6)]);
}

/* Inserts a header between Ethernet and IP, or changes the next header's number. */
static void break_type(const struct change *m)
{
	static const uint32_t types[] = {0x0800, 0x86dd, 0x8100, 0x88a8, 0x9100, 0x0806, 0x8847};
	struct frame *f = any_frame(m);
	struct layout l;

	if (random_once_in(m->r, 2) && frame_layout(f, &l)) {
		static const uint8_t protocols[] = {0, 6, 17, 43, 44, 50, 51, 59, 60, 135, 139, 140};

		f->data[l.ip + (l.ipv6 ? 6 : 9)] = protocols[random_below(m->r, sizeof(protocols))];
	} else if (f->len >= 14) {
		store_be16(f->data + 12, types[random_below(m->r, 7)]);
	}
}

/* Writes an option, right or wrong, where there is room for one. */
static void break_options(const struct change *m)
{
	static const uint8_t options[][4] = {
		{3, 3, 0, 0}, {3, 3, 7, 0},     {3, 3, 14, 1},    {3, 3, 15, 1},    {3, 3, 255, 1}, {3, 2, 7, 1},
		{3, 4, 7, 7}, {30, 4, 0x70, 0}, {30, 3, 0x80, 0}, {30, 2, 0x80, 0}, {0, 3, 3, 7},   {1, 3, 3, 7},
		{2, 0, 3, 3}, {2, 1, 3, 3},     {2, 255, 3, 3},   {254, 4, 1, 2},
	};
	struct layout l;
	struct frame *f = any_segment(m, &l);
	uint32_t len;

	if (!f)
		return;
	len = (uint32_t)(f->data[l.tcp + 12] >> 4) * 4;
	if (len < 24 || f->len < l.tcp + len)
		return;
	memcpy(f->data + l.tcp + 20 + random_below(m->r, len - 23),
	       options[random_below(m->r, sizeof(options) / sizeof(options[0]))], 4);
	if (random_once_in(m->r, 2))
		f->data[l.tcp + 13] = TCP_SYN;
}

static void break_bits(const struct change *m)
{
	struct frame *f = any_frame(m);
	uint32_t headers = f->len < 100 ? f->len : 100;

	if (headers)
		f->data[random_below(m->r, headers)] ^= (uint8_t)(1u << random_below(m->r, 8));
}

static void break_byte(const struct change *m)
{
	struct frame *f = any_frame(m);
	uint32_t headers = f->len < 100 ? f->len : 100;

	if (headers)
		f->data[random_below(m->r, headers)] = (uint8_t)random_next(m->r);
}

static void cut(const struct change *m)
{
	struct frame *f = any_frame(m);

	frame_resize(f, random_below(m->r, f->len + 1));
}

static void pad(const struct change *m)
{
	struct frame *f = any_frame(m);

	frame_resize(f, f->len + 1 + random_below(m->r, 64));
}

static void make_super_packet(const struct change *m)
{
	any_frame(m)->gso = true;
}

static void change_port(struct conversation *c, uint32_t from, uint32_t to)
{
	for (size_t i = 0; i < c->count; i++) {
		uint8_t *tcp;
		struct layout l;

		if (!frame_layout(&c->frames[i], &l))
			continue;
		tcp = c->frames[i].data + l.tcp;
		if (load_be16(tcp) == from)
			store_be16(tcp, to);
		else if (load_be16(tcp + 2) == from)
			store_be16(tcp + 2, to);
	}
}

static bool parse(const struct frame *f, struct tcp_segment *s)
{
	struct cursor c = {f->data, f->data + f->len};
	const struct packet_meta meta = {.wire_len = f->len};

	return packet_parse(s, &c, &meta) == PACKET_TCP;
}

static uint32_t cell_of(const struct change *m, const struct tcp_segment *s)
{
	const struct flow_hash_key key = flow_hash_key_of(m->hash_seed);

	return flow_hash_tunnelled(s, 1, &key) >> 32 & (WATCH_CELLS - 1);
}

/* Changes a port so that flows of this conversation and of another one share a cell of the watch filter. */
static void collide(const struct change *m)
{
	struct tcp_segment s, other;
	uint32_t old;

	if (m->c->count > LONGEST || !parse(any_frame(m), &s))
		return;
	interleave(m);
	if (!parse(any_frame(m), &other))
		return;
	old = other.sport;
	for (uint32_t port = 0; port < 0x10000; port++) {
		other.sport = (uint16_t)port;
		if (cell_of(m, &other) == cell_of(m, &s)) {
			change_port(m->c, old, port);
			return;
		}
	}
}

typedef void (*mutation)(const struct change *m);

static const mutation mutations[] = {
	/* network */
	lose,
	lose,
	repeat,
	repeat,
	swap,
	swap,
	pause_between,
	pause_between,
	set_clock_back,
	interleave,
	wrap_numbers,
	wrap_numbers,
	reuse_ports,
	reuse_ports,
	make_super_packet,
	collide,
	/* attacker */
	forge_flags,
	forge_flags,
	forge_flags,
	forge_number,
	forge_number,
	forge_number,
	forge_window,
	forge_identity,
	mirror,
	break_length,
	break_header_length,
	break_fragment,
	break_type,
	break_options,
	break_bits,
	break_byte,
	cut,
	pad,
};

/* Inserts one packet cut to every length. */
static void cut_to_every_length(const struct change *m, const struct conversation *from)
{
	size_t at = random_below(m->r, (uint32_t)from->count);
	uint32_t longest = from->frames[at].len < LONGEST_CUT ? from->frames[at].len : LONGEST_CUT;

	for (uint32_t len = 0; len <= longest; len++) {
		conversation_append(m->c, from, at, 1);
		frame_resize(&m->c->frames[m->c->count - 1], len);
	}
}

void mutate(struct conversation *out, const struct pool *pool, struct random *r, uint64_t hash_seed)
{
	const struct conversation *from = &pool->conversations[random_below(r, (uint32_t)pool->count)];
	const struct change m = {.c = out, .pool = pool, .r = r, .hash_seed = hash_seed};
	uint32_t n, changes = 1 + random_below(r, 6);

	out->origin = from->origin;
	out->timed = random_once_in(r, 2);
	out->saturated = random_once_in(r, 4);
	if (random_once_in(r, 64)) {
		cut_to_every_length(&m, from);
		return;
	}
	n = from->count < LONGEST ? (uint32_t)from->count : LONGEST;
	conversation_append(out, from, random_below(r, (uint32_t)(from->count - n) + 1), n);
	for (; changes && out->count < MOST; changes--)
		mutations[random_below(r, sizeof(mutations) / sizeof(mutations[0]))](&m);
	for (size_t i = 0; i < out->count; i++)
		out->frames[i].late = random_once_in(r, 2);
	if (out->timed)
		conversation_sort_times(out);
}
