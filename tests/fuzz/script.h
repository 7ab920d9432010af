/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes as a script of TCP segments. Random sequence numbers would never match, so a number is an offset from one that
 * the conversation has used (ISN, end, FIN, RST ...), and changing a byte gives a similar script. seeds.py writes this
 * form.
 *
 * Head, 8 bytes: the ISNs of the two sides. Then 12 bytes a segment, big-endian:
 *	0	TCP flags
 *	1	bit 0 sender, 1-3 what seq counts from, 4-6 what ack counts from (enum number), 7 first fragment
 *	2-3	seq minus that, signed
 *	4-5	ack minus that, signed
 *	6-7	payload bytes; with bit 15, 64 times the rest
 *	8-9	time since the last segment: bits 0-9 ns, shifted left by bits 10-14; bit 15 back
 *	10	high byte of the window
 *	11	bits 0-3 window scale of a SYN (15 none), difference of the TTL or MPTCP subtype of others, 4-6 the
 *		conversation, 7 the IP id of the last segment again
 */
#ifndef TCPFIN_FUZZ_SCRIPT_H
#define TCPFIN_FUZZ_SCRIPT_H

#include "user/judge/flow.h"
#include "tests/fuzz/fuzz.h"

#define SCRIPT_TALKS 8
#define SCRIPT_SEGMENT 12
#define SCRIPT_PORT 40000         /* of the first conversation */
#define SCRIPT_START (1ULL << 60) /* ns */

/* The numbers of one side that offsets count from. Offsets from NUMBER_NONE are spread over all 32 bits. */
enum number {
	NUMBER_NONE,
	NUMBER_ISN,
	NUMBER_END,
	NUMBER_ACKED,
	NUMBER_FIN,
	NUMBER_LAST,
	NUMBER_RST,
	NUMBER_UNACKED,
	NUMBERS
};

struct talk {
	uint32_t number[2][NUMBERS]; /* by the side that counts in them */
};

struct script {
	struct input in;
	uint64_t now;
	uint16_t ip_id;
	struct talk talks[SCRIPT_TALKS];
};

static inline void script_begin(struct script *s, struct input in)
{
	uint32_t isn[2];

	s->in = in;
	s->now = SCRIPT_START;
	s->ip_id = 1;
	isn[0] = take32(&s->in);
	isn[1] = take32(&s->in);
	for (unsigned talk = 0; talk < SCRIPT_TALKS; talk++)
		for (unsigned i = 0; i < 2 * NUMBERS; i++)
			s->talks[talk].number[i / NUMBERS][i % NUMBERS] = i % NUMBERS ? isn[i / NUMBERS] : 0;
}

static inline uint32_t script_number(const uint32_t number[NUMBERS], unsigned from, int16_t offset)
{
	return from == NUMBER_NONE ? (uint32_t)offset * 0x10001 : number[from] + (uint32_t)offset;
}

/* Keeps the segment's numbers for later offsets. */
static inline void script_note(struct talk *t, const struct tcp_segment *s, unsigned side)
{
	uint32_t *mine = t->number[side], *peers = t->number[!side], end = segment_end(s);

	mine[NUMBER_LAST] = s->seq;
	if (s->flags & TCP_SYN)
		mine[NUMBER_ISN] = mine[NUMBER_END] = s->seq;
	mine[NUMBER_END] = seq_max(mine[NUMBER_END], end);
	if (s->flags & TCP_FIN)
		mine[NUMBER_FIN] = end;
	if (s->flags & TCP_RST)
		mine[NUMBER_RST] = s->seq;
	if (!(s->flags & TCP_ACK))
		return;
	peers[NUMBER_UNACKED] = peers[NUMBER_ACKED];
	peers[NUMBER_ACKED] = s->ack;
}

/* Conversations differ in the lower end's port; the last but one is IPv6, the last one a socket connected to itself. */
static inline void script_ends(struct tcp_segment *s, unsigned talk, unsigned side)
{
	struct ip_address low = {.lo = 0x0a000001}, high = {.lo = 0x0a000109};
	uint16_t low_port = (uint16_t)(SCRIPT_PORT + talk), high_port = 443;

	s->family = 4;
	if (talk == SCRIPT_TALKS - 2) {
		s->family = 6;
		low.hi = high.hi = 0x20010db800000000;
	} else if (talk == SCRIPT_TALKS - 1) {
		high = low;
		high_port = low_port;
	}
	s->src = side ? high : low;
	s->dst = side ? low : high;
	s->sport = side ? high_port : low_port;
	s->dport = side ? low_port : high_port;
}

static inline void script_move_clock(struct script *s, uint16_t code)
{
	uint64_t ns = (uint64_t)(code & 0x3ff) << (code >> 10 & 31);

	s->now += code & 0x8000 ? 0 - ns : ns;
}

static inline void script_options(struct tcp_segment *s, uint8_t code)
{
	s->wscale = SEGMENT_NO_WSCALE;
	s->mptcp = SEGMENT_NO_MPTCP;
	s->ttl = 64;
	if (s->flags & TCP_SYN)
		s->wscale = code < 15 ? code : SEGMENT_NO_WSCALE;
	else if (s->flags & TCP_RST && code & 8)
		s->mptcp = code;
	else
		s->ttl += code;
}

/* The next segment, its conversation and its sender; false at the end. */
static inline flag_t script_next(struct script *script, struct tcp_segment *s, unsigned *talk, unsigned *side)
{
	struct input *in = &script->in;
	uint8_t how, rest;
	uint16_t seq, ack, len;

	if (input_left(in) < SCRIPT_SEGMENT)
		return 0;
	*s = (struct tcp_segment){.vlan = {PACKET_NO_TAG, PACKET_NO_TAG}};
	s->flags = take8(in);
	how = take8(in);
	seq = take16(in);
	ack = take16(in);
	len = take16(in);
	script_move_clock(script, take16(in));
	s->win = take8(in) << 8;
	rest = take8(in);
	*side = how & 1;
	*talk = rest >> 4 & 7;
	s->seq = script_number(script->talks[*talk].number[*side], how >> 1 & 7, (int16_t)seq);
	s->ack = script_number(script->talks[*talk].number[!*side], how >> 4 & 7, (int16_t)ack);
	s->partial = how >> 7;
	s->len = len & 0x8000 ? (len & 0x7fffu) << 6 : len;
	s->time = script->now;
	script->ip_id += !(rest & 0x80);
	s->ip_id = script->ip_id;
	script_options(s, rest & 15);
	script_ends(s, *talk, *side);
	script_note(&script->talks[*talk], s, *side);
	return 1;
}

#endif
