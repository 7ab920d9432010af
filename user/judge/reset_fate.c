// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A capture shows an RST where it passes, not where it arrives: segments that its receiver had sent before may still
 * follow it, and the receiver may have received more than it had acknowledged. So an RST stands until its receiver does
 * what no closed socket does.
 */
#include "user/judge/reset_fate.h"

/* Longer than any path, with its queues (ns): what is acknowledged so late was sent after the RST had arrived. */
#define PATH_NS 1000000000ULL

/* Its alleged sender denies it, and its receiver has not taken it. */
#define BOTH_GO_ON (RESET_DENIED | RESET_OUTLIVED)

/* Is the segment one that only a living TCP sends? */
static bool is_alive(const struct tcp_segment *s)
{
	return (s->flags & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK;
}

/* ---- the alleged sender ---- */

static bool sends_more(const struct flow *f, const struct tcp_segment *s, unsigned side)
{
	const struct numbers *me = &f->side[side].now;
	__u32 end = segment_end(s);

	return me->known & NUMBERS_END && seq_after(end, me->end) && seq_after(end, f->reset.seq) &&
	       !(f->reset_challenged >> side & 1 && !seq_after(end, f->challenged_seq));
}

static bool acknowledges_more(const struct flow *f, const struct tcp_segment *s, unsigned side)
{
	const struct numbers *me = &f->side[side].now;

	return me->known & NUMBERS_ACK && seq_after(s->ack, me->ack) &&
	       (!(f->reset.flags & TCP_ACK) || seq_after(s->ack, f->reset.ack));
}

/* A repeated segment, or an ACK that says nothing new, long after the RST. */
static bool still_speaks(const struct flow *f, const struct tcp_segment *s, unsigned side)
{
	const struct numbers *me = &f->side[side].now;

	return s->time > f->reset.time + FLOW_OVERTAKEN_NS && me->known & NUMBERS_END &&
	       last_seen_near(s->seq, me->end);
}

/* Does the alleged sender go on as if it had sent no RST? */
static bool goes_on(const struct flow *f, const struct tcp_segment *s, unsigned side)
{
	if (f->reset.validity == RESET_UNKNOWN && (s->len || s->flags & TCP_FIN))
		return true;
	return sends_more(f, s, side) || acknowledges_more(f, s, side) || still_speaks(f, s, side);
}

/* ---- the receiver ---- */

/* ns that a segment takes from here to the side and an answer back, from the handshake; 0: not known. */
static __u64 path_to(const struct flow *f, unsigned side)
{
	const struct flow_open *o = &f->open;

	if (side != o->source)
		return (o->seen & (OPEN_SYN | OPEN_SYNACK)) == (OPEN_SYN | OPEN_SYNACK) && o->t_synack > o->t_syn
			       ? o->t_synack - o->t_syn
			       : 0;
	return (o->seen & (OPEN_SYNACK | OPEN_ACK)) == (OPEN_SYNACK | OPEN_ACK) && o->t_ack > o->t_synack
		       ? o->t_ack - o->t_synack
		       : 0;
}

/*
 * RFC 5961 section 3.2: an RST inside the window is answered by a challenge ACK, which acknowledges what its receiver
 * expects. So is one that was not known to be inside.
 */
static bool challenges(const struct flow *f, const struct tcp_segment *s)
{
	return f->reset.validity != RESET_EXACT && !s->len && !(s->flags & TCP_FIN) && s->ack != f->reset.seq;
}

/*
 * Is it the acknowledgment of data up to the RST's number that came behind the RST? As the RST came, its receiver
 * expected that data, and challenged the RST (RFC 5961 section 3.2): a closed socket acknowledges nothing.
 */
static bool acknowledges_late_data(const struct flow *f, const struct tcp_segment *s)
{
	const struct flow_side *by = &f->side[f->reset.side & 1];

	return f->reset.fate & RESET_AHEAD && f->reset.validity != RESET_EXACT && s->ack == f->reset.seq &&
	       by->text_end == f->reset.seq;
}

/*
 * Whoever acknowledges a number behind the RST's had received that number before the RST, which then was out of its
 * window (RFC 9293 section 3.10.7.4), or has received it since.
 */
static bool acknowledges_beyond(const struct flow *f, const struct tcp_segment *s)
{
	return f->reset.validity != RESET_IN_WINDOW && s->ack - f->reset.seq - 1 < FLOW_JUMP;
}

/* Does the receiver send what it cannot have sent before the RST arrived, unless a queue was longer than ever seen? */
static bool sends_on(const struct flow *f, const struct tcp_segment *s, unsigned side)
{
	const struct numbers *me = &f->side[side].now;
	__u64 path = path_to(f, side);

	return me->known & NUMBERS_END && seq_after(segment_end(s), me->end) &&
	       s->time > f->reset.time + (path ? 2 * path : PATH_NS);
}

/* ---- both ---- */

/* The RST and those of its side that came behind it. */
static void count_ignored(struct flow *f)
{
	unsigned ignored = f->open.resets_ignored + 1u + f->reset.copies;

	f->open.resets_ignored = ignored > 255 ? 255 : (__u8)ignored;
	f->reset.copies = 0;
}

static void forget_reset(struct flow *f)
{
	f->state &= (__u16)~FLOW_RESET;
	f->side[0].seen &= (__u8) ~(SIDE_FIN_AFTER_RESET | SIDE_ACKED_AFTER_RESET);
	f->side[1].seen &= (__u8) ~(SIDE_FIN_AFTER_RESET | SIDE_ACKED_AFTER_RESET);
	if (!((f->side[0].seen | f->side[1].seen) & SIDE_FIN))
		f->state &= (__u16)~FLOW_BEGUN;
	count_ignored(f);
	if (f->open.seen & OPEN_SYNACK && f->reset.fate & RESET_DENIED && !(f->state & FLOW_PROVEN)) {
		f->open.seen |= OPEN_ACK;
		f->state |= FLOW_PROVEN;
	}
}

/* The RST's number is that of the next byte of its sender, who had sent all before it. */
void reset_fate_challenged(struct flow *f)
{
	f->reset_challenged = (__u8)(1u << (f->reset.side & 1));
	f->challenged_seq = f->reset.seq;
	forget_reset(f);
}

/* The RST may stand again: see reset_fate_restore. */
static void set_aside(struct flow *f)
{
	f->set_aside = f->reset;
	forget_reset(f);
}

static void step_sender(struct flow *f, const struct tcp_segment *s, unsigned side)
{
	bool late = s->time > f->reset.time + PATH_NS;

	if (!goes_on(f, s, side))
		return;
	if (f->reset.validity == RESET_UNKNOWN || !flow_hears_receiver(f))
		set_aside(f); /* nothing but its sender vouched for it */
	else if (f->reset.fate & RESET_DENIED && late && acknowledges_more(f, s, side))
		forget_reset(f);
	f->reset.fate |= RESET_DENIED;
}

/*
 * Does the receiver of an RST with an inexact number abort the connection itself? A closed socket answers only what has
 * come, and what has an ACK without one (RFC 9293 section 3.10.7.1): so it was alive.
 */
static bool aborts_itself(const struct flow *f, const struct tcp_segment *s, unsigned side)
{
	const struct numbers *me = &f->side[side].now, *peer = &f->side[!side].now;

	return side != f->reset.side && f->reset.validity != RESET_EXACT && s->flags & TCP_ACK &&
	       reset_is_exact(me, peer, &f->open, s, side, false);
}

/* A closed socket answers what comes by an RST without ACK (RFC 9293 section 3.10.7.1). */
static void step_reset(struct flow *f, const struct tcp_segment *s, unsigned side)
{
	if (aborts_itself(f, s, side))
		forget_reset(f);
	else if (side != f->reset.side)
		f->reset.fate |= RESET_ANSWERED;
	else if (f->reset.fate & RESET_PROVOKED && !(s->flags & TCP_ACK))
		f->reset.fate |= RESET_GONE;
}

void reset_fate_step(struct flow *f, const struct tcp_segment *s, unsigned side)
{
	if (!flow_is_behind_reset(f, s->time))
		return;
	if (s->flags & TCP_RST)
		step_reset(f, s, side);
	if (!is_alive(s) || (!(f->state & FLOW_PROVEN) && open_completes(&f->open, s, side)))
		return; /* the latter: see reset_fate_handshake */
	f->reset.fate |= side != f->reset.side ? RESET_PROVOKED : 0;
	if (side == f->reset.side)
		step_sender(f, s, side);
	else if (challenges(f, s))
		reset_fate_challenged(f);
	else if (acknowledges_beyond(f, s) || acknowledges_late_data(f, s))
		forget_reset(f);
	else if (sends_on(f, s, side))
		f->reset.fate |= RESET_OUTLIVED;
	if (f->state & FLOW_RESET && (f->reset.fate & BOTH_GO_ON) == BOTH_GO_ON)
		set_aside(f);
}

bool reset_fate_restore(struct flow *f, const struct tcp_segment *s, unsigned side)
{
	if (f->state & (FLOW_DONE | FLOW_LATE_RESET) || !f->set_aside.time || f->set_aside.side == side ||
	    s->flags & TCP_ACK)
		return false;
	f->reset = f->set_aside;
	f->reset.fate |= RESET_DENIED | RESET_ANSWERED;
	f->state |= FLOW_RESET | FLOW_BEGUN;
	f->open.resets_ignored -= f->open.resets_ignored > f->reset.copies ? f->reset.copies + 1
									   : f->open.resets_ignored;
	return true;
}

void reset_fate_survived(struct flow *f)
{
	forget_reset(f);
}

void reset_fate_graceful(struct flow *f)
{
	const struct flow_side *by = &f->side[f->reset.side];
	bool set_back; /* the clock, between the RST and its sender's FIN behind it */

	if (!(f->state & FLOW_RESET))
		return;
	set_back = by->seen & SIDE_FIN_AFTER_RESET && by->t_fin < f->reset.time;
	if (f->reset.seq != by->fin_end || by->t_fin > f->reset.time + FLOW_OVERTAKEN_NS || set_back) {
		forget_reset(f);
		return;
	}
	f->state &= (__u16)~FLOW_RESET;
	f->state |= FLOW_LATE_RESET;
}

bool reset_fate_handshake(struct flow *f, const struct tcp_segment *s)
{
	if (!(f->state & FLOW_RESET))
		return true;
	if (f->reset.side ==
	    f->open.source) { /* its alleged sender goes on; whether the other side does is to be seen */
		if (!(f->reset.fate & RESET_DENIED))
			f->open.t_ack = s->time;
		f->reset.fate |= RESET_DENIED;
		return false;
	}
	forget_reset(f);
	return true;
}
