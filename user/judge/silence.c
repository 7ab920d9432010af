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

/* Traffic has the last payload of each side, retransmissions included. That of a side may hide an earlier one. */
static struct silence of_traffic(const struct flow *f, const struct traffic *t, uint64_t close)
{
	unsigned last = t->side[1].t_data > t->side[0].t_data;
	uint64_t late = t->side[last].t_data, early = t->side[!last].t_data;
	struct silence s;

	if (late > close)
		return between(0, 0);
	if (!(f->state & FLOW_RESET) || f->reset.side == last || is_acknowledged(f, last, t->side[last].end - 1))
		return between(late, close);
	s = between(early, late);
	s.at_most = s.answered = true;
	return s;
}

struct silence silence_before_close(const struct flow *f, const struct last_payload *p, const struct traffic *t)
{
	uint64_t close = silence_end(f);
	struct silence s = between(0, 0);

	if (!close || !(f->state & (FLOW_PROVEN | FLOW_MIDSTREAM)))
		return s;
	if (!p)
		return t ? of_traffic(f, t, close) : s;
	if (!p->open || is_acknowledged(f, p->side, p->seq))
		return between(p->last, close);
	s = between(p->before, p->open);
	s.answered = true;
	return s;
}
