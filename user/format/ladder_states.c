// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The states of RFC 9293 section 3.3.2, inferred from segments. A side is taken to have a segment only once it answers
 * it: segments that are lost after they were captured look like all others.
 */
#include "user/format/ladder_states.h"

enum tcp_state ladder_state(const struct ladder_states *states, enum role role)
{
	const struct ladder_side *me = &states->side[role];

	if (!me->fin)
		return me->heard ? STATE_CLOSE_WAIT : me->opening;
	if (!me->heard)
		return me->fin_acked ? STATE_FIN_WAIT_2 : STATE_FIN_WAIT_1;
	if (!me->fin_acked)
		return me->passive ? STATE_LAST_ACK : STATE_CLOSING;
	return me->passive ? STATE_CLOSED : STATE_TIME_WAIT;
}

bool ladder_acted_on(const struct record *r, unsigned i)
{
	int reset = r->evidence[EVIDENCE_RESET];

	if (r->segments[i].mark & SEGMENT_IGNORED)
		return false;
	if (r->segments[i].flags & TCP_RST)
		return r->reset.by != NOBODY && (reset < 0 || i >= (unsigned)reset);
	return true;
}

void ladder_states_begin(struct ladder_states *states, const struct record *r)
{
	bool opens = r->segment_count && (r->segments[0].flags & TCP_SYN);
	enum tcp_state state = opens ? STATE_CLOSED : STATE_ESTABLISHED;

	*states = (struct ladder_states){.side = {{.opening = state}, {.opening = state}}};
}

/* A side has a SYN-ACK only once it answers it: a port scan never does. */
static void step_opening(struct ladder_side *me, struct ladder_side *peer, uint8_t flags)
{
	bool answers = peer->opening == STATE_SYN_RECEIVED;

	if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		if (me->opening == STATE_CLOSED)
			me->opening = STATE_SYN_SENT;
	} else if (flags & TCP_SYN) {
		if (me->opening != STATE_ESTABLISHED)
			me->opening = STATE_SYN_RECEIVED;
	} else if ((flags & TCP_ACK) && (me->opening == STATE_SYN_SENT || (me->opening == STATE_CLOSED && answers))) {
		me->opening = STATE_ESTABLISHED;
	}
	if ((flags & TCP_ACK) && answers)
		peer->opening = STATE_ESTABLISHED;
}

static void step_close(struct ladder_side *me, struct ladder_side *peer, const struct record_segment *s)
{
	/* Nothing can be acknowledged beyond a FIN, so only its very end is its acknowledgment. */
	if ((s->flags & TCP_ACK) && peer->fin && s->raw_ack == peer->fin_end) {
		me->heard = true;
		/*
		 * This segment follows its sender's own FIN: a side that takes the acknowledgment from it has that FIN,
		 * too.
		 */
		if (!peer->fin_acked && me->fin && s->raw_seq == me->fin_end)
			peer->heard = true;
		peer->fin_acked = true;
	}
	if ((s->flags & TCP_FIN) && !me->fin) {
		me->fin = true;
		me->passive = me->heard;
		me->fin_end = s->raw_seq + s->len + 1;
	}
}

/* After the RST that ended the connection, the verdict says which states are left. */
static void step_reset(struct ladder_states *states, const struct record *r)
{
	for (enum role role = SOURCE; role <= DESTINATION; role++) {
		enum tcp_state left = r->end[role].state;

		states->side[role] = (struct ladder_side){.opening = left == STATE_UNKNOWN ? STATE_CLOSED : left};
	}
	states->over = true;
}

void ladder_states_step(struct ladder_states *states, const struct record *r, unsigned i)
{
	const struct record_segment *s = &r->segments[i];
	struct ladder_side *me = &states->side[s->from], *peer = &states->side[other_role(s->from)];

	if (states->over || !ladder_acted_on(r, i))
		return;
	if (s->flags & TCP_RST) {
		step_reset(states, r);
		return;
	}
	step_opening(me, peer, s->flags);
	step_close(me, peer, s);
}

/* ---- what the log does not list ---- */

/* Sequence numbers that the opening takes, relative: the SYN, and its payload (RFC 7413). */
static uint32_t opening_end(const struct record *r, enum role from)
{
	unsigned i;

	for (i = 0; i < r->segment_count; i++) {
		if (r->segments[i].from == from && (r->segments[i].flags & TCP_SYN))
			return 1 + r->segments[i].len;
	}
	return 1;
}

unsigned ladder_opening_count(const struct record *r)
{
	const uint32_t end[2] = {opening_end(r, SOURCE), opening_end(r, DESTINATION)};
	unsigned i;

	for (i = 0; i < r->segment_count; i++) {
		const struct record_segment *s = &r->segments[i];
		bool from = s->from == DESTINATION;

		if (s->flags & TCP_SYN)
			continue;
		if (s->flags & TCP_CONTROL || s->len || s->seq > end[from] || s->ack > end[!from])
			break;
	}
	return i;
}

int64_t ladder_bytes_before_close(const struct record *r, enum role from, unsigned opening)
{
	uint32_t begin = opening_end(r, from);
	int64_t bytes = r->end[from].bytes, before = bytes - (begin - 1);
	unsigned i;

	if (bytes < 0 || r->midstream)
		return 0;
	for (i = opening; i < r->segment_count; i++) {
		const struct record_segment *s = &r->segments[i];

		if (s->from != from || !ladder_acted_on(r, i) || s->mark & SEGMENT_COPY)
			continue;
		if (s->seq >= begin && (int64_t)(s->seq - begin) < before)
			before = s->seq - begin;
		break;
	}
	return before > 0 ? before : 0;
}
