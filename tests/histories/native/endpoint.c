// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One end of a TCP connection: RFC 9293 sections 3.4 to 3.10 and RFC 5961, as far as a history needs them.
 */
#include <string.h>

#include "tests/histories/native/history.h"

#define RTO (200 * MS)
#define SYN_RTO (1000 * MS)
#define TRIES_MAX 6

static void tell(struct history *h, unsigned side, enum heard what)
{
	if (h->end[side].heard)
		h->end[side].heard(h, side, what);
}

/* ---- sending ---- */

uint32_t end_stamp(const struct history *h, unsigned side)
{
	return (uint32_t)(1000000000 + (int64_t)(h->now / MS) - h->end[side].set_back);
}

void end_send(struct history *h, unsigned side, uint8_t flags, uint64_t seq, uint32_t length)
{
	struct end *e = &h->end[side];
	bool acks = flags & TCP_ACK || (e->knows_peer && !(flags & TCP_RST));
	const struct sent s = {.side = (uint8_t)side,
			       .flags = (uint8_t)(flags | (acks ? TCP_ACK : 0)),
			       .seq = seq ? seq : e->nxt,
			       .ack = acks ? e->rcv : 0,
			       .length = length,
			       .stamp = e->stamps ? end_stamp(h, side) : 0,
			       .shut = e->shut,
			       .scaled = e->scaled};

	if (acks)
		e->last_acked = e->rcv;
	network_transmit(h, &s);
}

static void expire(struct history *h, unsigned side, uint64_t timer);

static void start_timer(struct history *h, unsigned side)
{
	struct end *e = &h->end[side];
	uint64_t wait = e->kept_count && e->kept[0].flags & TCP_SYN ? SYN_RTO : RTO;

	network_after(h, wait << e->tries, expire, side, ++e->timer);
}

/* What waits, as one segment: a FIN may move into the data before it. */
static struct kept joined(const struct end *e)
{
	struct kept first = e->kept[0];
	const struct kept *last = &e->kept[e->kept_count - 1];

	if (first.flags & TCP_SYN)
		return first;
	first.flags = last->flags;
	first.length = (uint32_t)(last->end - first.seq) - !!(last->flags & TCP_FIN);
	return first;
}

static void expire(struct history *h, unsigned side, uint64_t timer)
{
	struct end *e = &h->end[side];
	struct kept again;

	if (timer != e->timer || !e->kept_count || e->deaf || e->tries > TRIES_MAX)
		return;
	e->tries++;
	if (e->syn_plain == e->tries && e->kept[0].flags & TCP_SYN) {
		e->kept[0].flags &= (uint8_t)~e->syn_flags;
		e->syn_flags = 0;
		e->stamps &= side;
		e->scaled &= side;
	}
	again = network_happens(h, h->quality.joined) ? joined(e) : e->kept[0];
	end_send(h, side, again.flags, again.seq, again.length);
	start_timer(h, side);
}

/* Sends what is to be acknowledged. */
static void keep(struct history *h, unsigned side, uint8_t flags, uint32_t length)
{
	struct end *e = &h->end[side];
	const struct sent *s;

	end_send(h, side, flags, 0, length);
	s = &h->sent[h->sent_count - 1];
	history_room(e->kept_count < KEPT_MAX, "unacknowledged segments");
	e->kept[e->kept_count++] = (struct kept){s->seq, sent_end(s), length, flags};
	e->nxt = sent_end(s);
	if (e->kept_count == 1)
		start_timer(h, side);
}

void end_connect(struct history *h, unsigned side)
{
	keep(h, side, TCP_SYN | h->end[side].syn_flags, h->end[side].syn_data);
}

void end_write(struct history *h, unsigned side, uint32_t length)
{
	keep(h, side, TCP_PSH | TCP_ACK, length);
}

void end_close(struct history *h, unsigned side, uint32_t length)
{
	struct end *e = &h->end[side];

	e->fin_knew_peer = e->peer_fin;
	keep(h, side, TCP_FIN | TCP_ACK, length);
	e->fin = e->nxt;
}

static void end_by_reset(struct history *h, unsigned side)
{
	struct end *e = &h->end[side];

	e->state = END_CLOSED;
	e->reset = true;
	e->kept_count = 0;
	tell(h, side, HEARD_RESET);
}

void end_abort(struct history *h, unsigned side)
{
	end_send(h, side, TCP_RST | TCP_ACK, 0, 0);
	end_by_reset(h, side);
}

/* ---- receiving ---- */

/* RFC 9293 section 3.10.7.1. What comes after a graceful close is left alone: histories end there. */
static void refuse(struct history *h, unsigned side, const struct sent *s)
{
	const struct end *e = &h->end[side];
	struct sent rst = {.side = (uint8_t)side, .flags = TCP_RST};

	if (s->flags & TCP_RST || (!e->reset && e->knows_peer))
		return;
	if (s->flags & TCP_ACK) {
		rst.seq = s->ack;
	} else {
		rst.flags |= TCP_ACK;
		rst.ack = sent_end(s);
	}
	network_transmit(h, &rst);
}

static void acknowledged(struct history *h, unsigned side, uint64_t ack)
{
	struct end *e = &h->end[side];
	unsigned gone = 0;

	if (ack <= e->una)
		return;
	e->una = ack;
	e->tries = 0;
	while (gone < e->kept_count && e->kept[gone].end <= ack)
		gone++;
	e->kept_count -= gone;
	memmove(e->kept, e->kept + gone, e->kept_count * sizeof(*e->kept));
	if (e->state == END_SYN_RECEIVED) {
		e->state = END_SYNCHRONIZED;
		tell(h, side, HEARD_OPEN);
	}
	start_timer(h, side);
	tell(h, side, HEARD_ACKED);
}

static void know_peer(struct end *e, uint64_t isn, uint64_t next)
{
	e->knows_peer = true;
	e->peer_isn = isn;
	e->rcv = next;
}

/* RFC 7323 sections 2.2 and 3.2: options are in use where both SYNs have them. */
static void agree(struct end *e, const struct sent *syn)
{
	e->stamps &= syn->stamp != 0;
	e->scaled &= syn->scaled;
	e->recent = syn->stamp;
}

static void listen_for(struct history *h, unsigned side, const struct sent *s)
{
	struct end *e = &h->end[side];

	if (!(s->flags & TCP_SYN))
		return;
	e->taken = e->takes_syn_data ? s->length : 0;
	know_peer(e, s->seq, s->seq + 1 + e->taken);
	e->state = END_SYN_RECEIVED;
	agree(e, s);
	if ((s->flags & (TCP_ECE | TCP_CWR)) != (TCP_ECE | TCP_CWR)) /* RFC 3168 section 6.1.1 */
		e->syn_flags = 0;
	keep(h, side, TCP_SYN | TCP_ACK | e->syn_flags, 0);
}

/* A SYN-ACK. If it acknowledges the SYN without its data, those come again. */
static void take_syn_ack(struct history *h, unsigned side, const struct sent *s)
{
	struct end *e = &h->end[side];
	uint64_t sent = e->nxt;

	know_peer(e, s->seq, sent_end(s));
	e->state = END_SYNCHRONIZED;
	agree(e, s);
	if (s->ack != e->nxt) {
		e->kept[0] = (struct kept){s->ack, e->nxt, (uint32_t)(e->nxt - s->ack), TCP_PSH | TCP_ACK};
		e->kept_count = 1;
		end_send(h, side, TCP_PSH | TCP_ACK, s->ack, e->kept[0].length);
	}
	acknowledged(h, side, s->ack);
	tell(h, side, HEARD_SYN_ACK);
	if (e->nxt == sent && e->state == END_SYNCHRONIZED)
		end_send(h, side, TCP_ACK, 0, 0);
}

static void finish_connecting(struct history *h, unsigned side, const struct sent *s)
{
	const struct end *e = &h->end[side];

	if (!(s->flags & TCP_ACK) || s->ack <= e->isn || s->ack > e->nxt)
		return;
	if (s->flags & TCP_RST)
		end_by_reset(h, side);
	else if (s->flags & TCP_SYN)
		take_syn_ack(h, side, s);
}

/* RFC 5961 section 3. */
static void take_reset(struct history *h, unsigned side, const struct sent *s)
{
	struct end *e = &h->end[side];

	if (s->seq == e->rcv) {
		e->ended_by = s->seq;
		end_by_reset(h, side);
	} else if (s->seq > e->rcv && s->seq < e->rcv + HISTORY_WINDOW && !e->shut) {
		end_send(h, side, TCP_ACK, 0, 0);
	}
}

/* Among those that are here early, in the order of their numbers. */
static void add_early(struct end *e, const struct sent *s)
{
	unsigned at = e->early_count++;

	history_room(at < EARLY_MAX, "early segments");
	for (; at && e->early[at - 1].seq > s->seq; at--)
		e->early[at] = e->early[at - 1];
	e->early[at] = (struct early){s->seq, sent_end(s), s->flags};
}

/* Takes what is due by now, and forgets that. */
static void take_due(struct end *e)
{
	unsigned left = 0;

	for (unsigned i = 0; i < e->early_count; i++) {
		const struct early *s = &e->early[i];

		if (s->seq > e->rcv || e->rcv >= s->end)
			continue;
		e->rcv = s->end;
		e->peer_fin |= s->flags & TCP_FIN;
	}
	for (unsigned i = 0; i < e->early_count; i++)
		if (e->early[i].end > e->rcv)
			e->early[left++] = e->early[i];
	e->early_count = left;
}

static void take(struct history *h, unsigned side, const struct sent *s)
{
	struct end *e = &h->end[side];
	uint64_t before = e->rcv, sent = e->nxt;
	bool fin = e->peer_fin;

	add_early(e, s);
	take_due(e);
	e->taken += e->rcv - before - (e->peer_fin && !fin);
	e->shut |= e->fills && e->rcv > before;
	if (e->peer_fin && !fin)
		tell(h, side, HEARD_FIN);
	else if (e->rcv > before)
		tell(h, side, HEARD_DATA);
	if (e->nxt == sent && e->state == END_SYNCHRONIZED) /* else what was sent carries the acknowledgment */
		end_send(h, side, TCP_ACK, 0, 0);
}

static bool is_acceptable(const struct end *e, const struct sent *s)
{
	uint64_t end = sent_end(s);

	if (e->shut)
		return end == s->seq && s->seq == e->rcv;
	return end >= e->rcv && s->seq < e->rcv + HISTORY_WINDOW && !(end == e->rcv && end > s->seq);
}

/* RFC 7323 section 5.3: is it an old duplicate by its stamp? RSTs are not asked. Else its stamp counts from now on. */
static bool is_old(struct end *e, const struct sent *s)
{
	if (!e->stamps || !s->stamp || s->flags & TCP_RST)
		return false;
	if ((int32_t)(s->stamp - e->recent) < 0)
		return true;
	if (s->seq <= e->last_acked)
		e->recent = s->stamp;
	return false;
}

/* RFC 9293 section 3.10.7.4; RFC 5961 section 4 for SYNs. Of what a full window refuses the ACK counts all the same. */
static void synchronized(struct history *h, unsigned side, const struct sent *s)
{
	struct end *e = &h->end[side];
	bool acks = s->flags & TCP_ACK && s->ack <= e->nxt;

	if (is_old(e, s)) {
		h->dropped_old++;
		end_send(h, side, TCP_ACK, 0, 0);
		return;
	}
	if (acks && !(s->flags & (TCP_SYN | TCP_RST)) && s->ack >= e->una)
		e->peer_shut = s->shut;

	if (s->flags & TCP_RST) {
		take_reset(h, side, s);
	} else if (s->flags & TCP_SYN && e->state == END_SYN_RECEIVED && s->seq == e->peer_isn) {
		end_send(h, side, TCP_SYN | TCP_ACK | e->syn_flags, e->isn, 0);
	} else if (s->flags & TCP_SYN || !is_acceptable(e, s)) {
		if (e->shut && acks && !(s->flags & TCP_SYN))
			acknowledged(h, side, s->ack);
		end_send(h, side, TCP_ACK, 0, 0);
	} else if (acks) {
		acknowledged(h, side, s->ack);
		if (sent_end(s) > s->seq)
			take(h, side, s);
	}
}

void end_receive(struct history *h, unsigned side, const struct sent *s)
{
	if (h->end[side].deaf)
		return;
	switch (h->end[side].state) {
	case END_CLOSED:
		return refuse(h, side, s);
	case END_LISTEN:
		return listen_for(h, side, s);
	case END_SYN_SENT:
		return finish_connecting(h, side, s);
	default:
		return synchronized(h, side, s);
	}
}
