// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A request on a connection that a box in the path has forgotten is answered by an RST: the silence before the request
 * is what matters, not the round trip behind it.
 */
#include "user/judge/silence.h"

uint64_t silence_end(const struct flow *f)
{
	uint64_t begins = f->state & FLOW_RESET ? f->reset.time : 0;

	for (unsigned i = 0; i < 2; i++)
		if (f->side[i].seen & SIDE_FIN && (!begins || f->side[i].t_fin < begins))
			begins = f->side[i].t_fin;
	return begins;
}

static bool is_acknowledged(const struct flow *f, unsigned side, uint32_t seq)
{
	const struct numbers *peer = &f->side[!side].now;

	return peer->known & NUMBERS_ACK && seq_after(peer->ack, seq);
}

static struct silence between(uint64_t from, uint64_t to)
{
	return (struct silence){.ns = from && to ? (int64_t)(to > from ? to - from : 0) : NUMBER_UNSEEN};
}

/* The last payload of a side, sent again or not. It may hide an earlier one of that side. */
struct last_data {
	uint64_t time; /* ns; 0: none, or not known */
	bool answered; /* by an acknowledgment */
};

static struct silence of_last_data(const struct last_data data[2], uint64_t close)
{
	unsigned last = data[1].time > data[0].time;
	struct silence s;

	if (data[last].time > close)
		return between(0, 0);
	if (data[last].answered)
		return between(data[last].time, close);
	s = between(data[!last].time, data[last].time);
	s.at_most = s.ns != NUMBER_UNSEEN;
	s.answered = true;
	return s;
}

static struct silence of_traffic(const struct flow *f, const struct traffic *t, uint64_t close)
{
	struct last_data data[2];

	for (unsigned i = 0; i < 2; i++)
		data[i] = (struct last_data){
			.time = t->side[i].t_data,
			.answered = !(f->state & FLOW_RESET) || f->reset.side == i ||
				    is_acknowledged(f, i, t->side[i].end - 1),
		};
	return of_last_data(data, close);
}

/* ---- what a socket knows ---- */

/* The side whose socket noticed the close first, which is before more can have passed; 2: none did. */
static unsigned first_to_notice(const struct socket_join *sockets)
{
	uint64_t first[2];

	for (unsigned i = 0; i < 2; i++)
		first[i] = sockets->side[i] && !sockets->side[i]->lost ? socket_first_event(sockets->side[i]) : 0;
	if (!first[0] && !first[1])
		return 2;
	return !first[0] || (first[1] && first[1] < first[0]);
}

/*
 * When payload passed so many jiffies before the socket's first event. The close that the hook saw comes before that
 * event, and a difference of jiffies may be one too small: payload that seems to come just behind the close did not.
 */
static uint64_t payload_time(uint64_t event, uint32_t ago, uint64_t jiffy, uint64_t close)
{
	uint64_t time = event - ago * jiffy;

	if (ago == SOCKET_NO_PAYLOAD)
		return 0;
	return time > close && time <= close + 2 * jiffy ? close : time;
}

/* Does the first FIN of the side carry payload? That is the last one then, and not what the close ends. */
static bool first_fin_has_data(const struct flow *f, unsigned side)
{
	const struct flow_side *own = &f->side[side], *peer = &f->side[!side];

	return own->seen & SIDE_FIN_DATA && !(peer->seen & SIDE_FIN && peer->t_fin < own->t_fin);
}

static void read_socket(struct last_data data[2], const struct flow *f, const struct closing_socket *s, unsigned side,
			uint64_t jiffy, uint64_t close)
{
	uint64_t event = socket_first_event(s);
	bool reset_first = f->state & FLOW_RESET && close == f->reset.time;

	data[side].time = payload_time(event, s->sent_ago, jiffy, close);
	data[side].answered = !s->sent_unacked || f->state & FLOW_GRACEFUL || is_acknowledged(f, side, s->sent_end - 1);
	data[!side].time = payload_time(event, s->received_ago, jiffy, close);
	data[!side].answered = !(reset_first && s->received_unacked);
}

/*
 * What the other end sent and did not have acknowledged before the close, by its own socket, if that is on this host as
 * well: the end that noticed the close first may never have got it. side: of the other end.
 */
static void read_unanswered(struct last_data data[2], const struct flow *f, const struct closing_socket *s,
			    unsigned side, uint64_t jiffy, uint64_t close)
{
	uint64_t sent;

	if (!s || s->lost || !s->sent_unacked || f->state & FLOW_GRACEFUL || is_acknowledged(f, side, s->sent_end - 1))
		return;
	sent = payload_time(socket_first_event(s), s->sent_ago, jiffy, close);
	if (sent && sent <= close)
		data[side] = (struct last_data){.time = sent};
}

static struct silence of_socket(const struct flow *f, const struct socket_join *sockets, uint64_t close)
{
	unsigned side = first_to_notice(sockets);
	const struct closing_socket *s = side < 2 ? sockets->side[side] : NULL;
	struct last_data data[2];
	struct silence silence;
	bool hidden;

	if (!s)
		return between(0, 0);
	read_socket(data, f, s, side, sockets->jiffy, close);
	hidden = first_fin_has_data(f, !side);
	if (hidden)
		data[!side].time = 0;
	else
		read_unanswered(data, f, sockets->side[!side], !side, sockets->jiffy, close);
	silence = of_last_data(data, close);
	if (hidden || (s->close.unsent && s->states[0] == SOCKET_FIN_WAIT1)) /* what close() had to wait for */
		silence.at_most = silence.ns != NUMBER_UNSEEN;
	return silence;
}

/*
 * Is the payload beyond the window that its receiver offers? Then that drops it (RFC 9293 section 3.10.7.4, first
 * step): somebody else sent it, and it leaves the connection as silent as it was.
 */
static bool is_beyond_window(const struct flow *f, const struct last_payload *p)
{
	const struct numbers *receiver = &f->side[!p->side].now;

	return receiver->known & NUMBERS_ACK && seq_after(p->seq, receiver->ack + flow_window(f, !p->side, 14));
}

struct silence silence_before_close(const struct flow *f, const struct last_payload *p, const struct traffic *t,
				    const struct socket_join *sockets)
{
	uint64_t close = silence_end(f);
	struct silence s = between(0, 0);

	if (!close || !(f->state & (FLOW_PROVEN | FLOW_MIDSTREAM)))
		return s;
	if (!p)
		return t ? of_traffic(f, t, close) : of_socket(f, sockets, close);
	if (!p->open || is_acknowledged(f, p->side, p->seq)) {
		s = between(p->last, close);
		s.at_most = p->unseen;
	} else if (is_beyond_window(f, p)) {
		s = between(p->last == p->open ? p->before : p->last, close);
		s.at_most = p->unseen || (p->last == p->open && p->unseen_before);
	} else {
		s = between(p->before, p->open);
		s.at_most = p->unseen_before;
		s.answered = true;
	}
	s.at_most &= s.ns != NUMBER_UNSEEN;
	return s;
}
