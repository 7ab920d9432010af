// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A connection whose handshake was complete before its log begins is replayed from there on, with the numbers that
 * the recorder knew then. Any other is replayed from its first segment: what the slot keeps of the handshake is
 * merged with the log by time.
 */
#include <stdbool.h>
#include <string.h>

#include "user/judge/flow_step.h"
#include "user/judge/judge.h"
#include "user/judge/reset_fate.h"

/* The block of a connection without one: no entry, no number is known, nothing found no place. */
static const struct flow_block no_block;

/* The place of an entry: the side whose block it is in, and its number there. PLACE_MADE: see make_ack. */
#define PLACE_SIDE 32
#define PLACE_MADE 31

/* One judgement in progress. */
struct replay {
	struct judged *j;
	const struct flow_slot *slot;
	const struct flow_block *of[2]; /* by side: the block with its segments; one for both but for judge_pair */
	const struct log_entry *made;   /* by side: see make_ack */
	uint8_t order[2 * PLACE_SIDE];  /* places of the entries, by time */
	unsigned entries, next;         /* how many, and how many were replayed */
	bool rest_done[2];              /* what found no place in that block was added */
	bool by_time;
};

static void step(struct replay *r, const struct tcp_segment *s, unsigned side)
{
	struct judged *j = r->j;
	unsigned cap = j->flow.state & FLOW_PROVEN ? FLOW_LOG_CLOSING : FLOW_LOG_UNPROVEN;

	flow_step(&j->flow, j->log, cap, s, side);
}

static const struct log_entry *entry_at(const struct replay *r, unsigned i)
{
	unsigned side = r->order[i] / PLACE_SIDE, n = r->order[i] % PLACE_SIDE;

	return n == PLACE_MADE ? &r->made[side] : &r->of[side]->entry[n];
}

/* Are the segments of each side in a block of its own? */
static bool is_pair(const struct replay *r)
{
	return r->of[0] != r->of[1];
}

/* ---- packets captured twice ---- */

static bool is_twin(const struct log_entry *e, const struct log_entry *first)
{
	return e->seq == first->seq && e->ack == first->ack && e->len == first->len && e->win == first->win &&
	       e->flags == first->flags && e->ip_id == first->ip_id && !((e->bits ^ first->bits) & ENTRY_SIDE) &&
	       e->time - first->time < twin_within(e->flags, e->ip_id);
}

/* ---- what found no place in the log ---- */

static struct flow_segment *folded_entry(struct judged *j, unsigned side)
{
	struct flow_segment *e;

	for (unsigned i = j->flow.log_len; i > 0 && i + 2 > j->flow.log_len; i--) {
		e = &j->log[i - 1];
		if (e->mark & SEGMENT_FOLDED && e->side == side)
			return e;
	}
	if (j->flow.log_len == FLOW_LOG_CLOSING)
		return NULL;
	e = &j->log[j->flow.log_len++];
	memset(e, 0, sizeof(*e));
	e->side = (uint8_t)side;
	e->mark = SEGMENT_FOLDED;
	e->flags = TCP_ACK;
	return e;
}

static bool is_fin_of(const struct log_entry *e, unsigned side)
{
	return e->flags & TCP_FIN && (e->bits & ENTRY_SIDE) == side;
}

static uint32_t fin_end(const struct log_entry *fin)
{
	return fin->seq + fin->len + 1;
}

static bool is_fin_to(const struct log_entry *e, unsigned side, uint32_t end)
{
	return is_fin_of(e, side) && fin_end(e) == end;
}

/* The highest number of the side before its FIN, if that one is still to be replayed. */
static uint32_t end_before_fin(const struct replay *r, unsigned side)
{
	uint32_t end = r->of[side]->side[side].now.end;

	for (unsigned i = r->next; i < r->entries; i++) {
		const struct log_entry *e = entry_at(r, i);

		if (is_fin_to(e, side, end))
			return e->seq;
	}
	return end;
}

/*
 * The highest number that the side acknowledged before the other side's FIN, if the acknowledgment of that one is still
 * to be replayed: it is what tells when the FIN was acknowledged.
 */
static uint32_t ack_before_fin(const struct replay *r, unsigned side)
{
	uint32_t ack = r->of[side]->side[side].now.ack;
	bool fin = false, listed = false;

	for (unsigned i = 0; i < r->entries; i++) {
		const struct log_entry *e = entry_at(r, i);

		fin |= is_fin_to(e, !side, ack);
		listed |= i >= r->next && e->flags & TCP_ACK && !(e->bits & ENTRY_SIDE) == !side && e->ack == ack;
	}
	return fin && listed ? ack - 1 : ack;
}

/*
 * ns: when what found no place came, as far as the list can say it: behind what it has already, and ahead of the entry
 * that is still to be replayed, which found a place that is reserved.
 */
static uint64_t rest_time(const struct replay *r, unsigned side)
{
	const struct judged *j = r->j;
	uint64_t time = r->of[side]->progress;

	if (r->next < r->entries && entry_at(r, r->next)->time < time)
		time = entry_at(r, r->next)->time;
	if (j->flow.log_len > 1 && j->log[j->flow.log_len - 2].time > time)
		time = j->log[j->flow.log_len - 2].time;
	return time;
}

static void add_plain(struct replay *r, unsigned side, uint64_t count, uint64_t bytes)
{
	const struct numbers *n = &r->of[side]->side[side].now;
	struct numbers *me = &r->j->flow.side[side].now;
	struct flow_segment *e = folded_entry(r->j, side);
	uint32_t end = end_before_fin(r, side), ack = ack_before_fin(r, side);

	if (e) {
		if (!e->count) {
			e->time = rest_time(r, side);
			e->seq = me->end;
		}
		e->latest = r->of[side]->progress;
		e->count += (uint32_t)count;
		e->len += (uint32_t)bytes;
		e->ack = ack;
		e->win = n->win;
	} else {
		r->j->flow.lost += (uint32_t)count;
	}
	if (n->known & me->known & NUMBERS_END && seq_after(end, me->end)) {
		me->end = end;
		if (bytes)
			r->j->flow.side[side].text_end = me->end;
	}
	if (n->known & me->known & NUMBERS_ACK && seq_after(ack, me->ack))
		me->ack = ack;
}

/* Is the i-th entry, in order, in a place that is reserved? Those were given out when the others were not to be had. */
static bool is_reserved(const struct replay *r, unsigned i)
{
	unsigned n = r->order[i] % PLACE_SIDE;

	return n >= BLOCK_COMMON && n < BLOCK_ENTRIES;
}

/* Is the i-th entry a packet's second sighting? Of so many entries ahead of it one may be the first. */
static bool is_second_sighting(const struct replay *r, unsigned i)
{
	const struct log_entry *e = entry_at(r, i);
	bool reset = twin_within(e->flags, e->ip_id) == FLOW_RESETS_NS;
	unsigned back = twin_is_known(e->flags, e->ip_id) ? i : reset ? 1 : 2;

	for (unsigned n = i; n-- > 0 && n + back >= i;)
		if (is_twin(e, entry_at(r, n)))
			return true;
	return false;
}

/* Is each packet captured twice, as by a mirror port? Then half of the listed ones are twins; else hardly any is. */
static bool is_mirrored(const struct replay *r)
{
	unsigned twins = 0;

	for (unsigned i = 1; i < r->entries; i++)
		twins += is_second_sighting(r, i);
	return 3 * twins > r->entries;
}

/*
 * So many of those that found no place are no second sightings, which are counted. Of an odd number one is the twin of
 * the last one that did find a place.
 */
static uint64_t without_twins(struct replay *r, uint64_t count)
{
	uint64_t twins = count && is_mirrored(r) ? count - count / 2 : 0;

	r->j->flow.duplicates += (uint32_t)twins;
	return count - twins;
}

static uint8_t at_most_255(uint64_t n)
{
	return n > 255 ? 255 : (uint8_t)n;
}

static void add_rest_of(struct replay *r, unsigned side)
{
	const struct block_rest *rest = &r->of[side]->rest[side];
	struct flow *f = &r->j->flow;
	uint64_t fins = without_twins(r, rest->fins), resets = without_twins(r, rest->resets);
	uint64_t others = without_twins(r, rest->others), plain = rest->plain >> REST_SHIFT, once;

	plain -= plain && r->made[side].bits; /* that one is listed */
	once = without_twins(r, plain);
	f->state |= plain ? FLOW_ABRIDGED : 0;
	if (once) /* each as long as its twin; of an odd number that is about right */
		add_plain(r, side, once, (rest->plain & REST_BYTES) * once / plain);
	f->side[side].fin_copies = at_most_255(f->side[side].fin_copies + fins);
	f->reset.copies = at_most_255(f->reset.copies + resets);
	f->lost += (uint32_t)(fins + resets + others);
}

/* What found no place in the block of that side's segments. */
static void add_rest(struct replay *r, unsigned of)
{
	struct flow *f = &r->j->flow;

	if (r->rest_done[of])
		return;
	for (unsigned side = 0; side < 2; side++) {
		if (side != of && is_pair(r))
			continue;
		r->rest_done[side] = true;
		add_rest_of(r, side);
	}
	if (r->of[of]->progress > f->t_last)
		f->t_last = f->t_progress = r->of[of]->progress;
}

/* ---- entries ---- */

/* The entry of that place comes behind those that are in order already, or between them by its time. */
static void put_in_order(struct replay *r, unsigned place, uint64_t time, bool by_time)
{
	unsigned at = r->entries++;

	for (; by_time && at > 0 && entry_at(r, at - 1)->time > time; at--)
		r->order[at] = r->order[at - 1];
	r->order[at] = (uint8_t)place;
}

/*
 * Orders the n entries of a side's block: as they came, or by time, since two CPUs may log in another order than the
 * packets came. False where one is not whole.
 */
static bool order_entries(struct replay *r, unsigned side, unsigned n)
{
	const struct flow_block *b = r->of[side];

	for (unsigned i = 0; i < n && i < BLOCK_ENTRIES; i++) {
		uint64_t time = b->entry[i].time;

		if (!(__atomic_load_n(&b->entry[i].bits, __ATOMIC_ACQUIRE) & ENTRY_WHOLE))
			return false;
		put_in_order(r, side * PLACE_SIDE + i, time, r->by_time);
	}
	return true;
}

static struct tcp_segment entry_segment(const struct log_entry *e)
{
	return (struct tcp_segment){
		.time = e->time,
		.seq = e->seq,
		.ack = e->ack,
		.len = e->len,
		.win = e->win,
		.ip_id = e->ip_id,
		.flags = e->flags,
		.ttl = e->ttl,
		.wscale = e->flags & TCP_RST ? SEGMENT_NO_WSCALE : e->option,
		.mptcp = e->flags & TCP_RST ? e->option : SEGMENT_NO_MPTCP,
		.partial = e->bits & ENTRY_PARTIAL ? 1 : 0,
		.vlan = {PACKET_NO_TAG, PACKET_NO_TAG},
	};
}

/* ---- of several FINs, the real one ---- */

/* Does the other side acknowledge the FIN, which is the i-th segment, afterwards? */
static bool fin_is_acked(const struct replay *r, unsigned i)
{
	const struct log_entry *fin = entry_at(r, i), *e;

	for (unsigned k = i + 1; k < r->entries; k++) {
		e = entry_at(r, k);
		if ((e->bits ^ fin->bits) & ENTRY_SIDE && e->flags & TCP_ACK && e->ack == fin_end(fin))
			return true;
	}
	return false;
}

static bool fins_differ(const struct replay *r, unsigned side)
{
	const struct log_entry *first = NULL;

	for (unsigned i = 0; i < r->entries; i++) {
		const struct log_entry *e = entry_at(r, i);

		if (!is_fin_of(e, side))
			continue;
		if (first && fin_end(e) != fin_end(first))
			return true;
		first = first ? first : e;
	}
	return false;
}

/*
 * A receiver acknowledges no FIN but that of its peer, wherever a forged one comes in the log. Where two are
 * acknowledged, somebody speaks for both sides, and it is not known which.
 */
static void find_real_fin(const struct replay *r, unsigned side)
{
	struct flow *f = &r->j->flow;
	unsigned ends = 0;

	if (!fins_differ(r, side))
		return;
	for (unsigned i = 0; i < r->entries; i++) {
		const struct log_entry *e = entry_at(r, i);

		if (!is_fin_of(e, side) || !fin_is_acked(r, i) || (ends && f->real_fin[side] == fin_end(e)))
			continue;
		f->real_fin[side] = fin_end(e);
		ends++;
	}
	f->real_fin_known[side] = ends == 1;
}

/*
 * An ICMP error about a segment of the side. One that says "unreachable" explains more than others; else the first.
 * Once both FINs are acknowledged it explains nothing, and the watch filter need not let it through.
 */
static void note_icmp(struct flow *f, const struct log_entry *e, int family)
{
	if (f->state & FLOW_GRACEFUL)
		return;
	if (f->icmp && (icmp_unreachable(f->icmp, family) || !icmp_unreachable(e->win, family)))
		return;
	f->icmp = e->win;
	f->icmp_side = e->bits & ENTRY_SIDE;
	f->icmp_by = e->by;
}

static void step_entry(struct replay *r)
{
	const struct log_entry *e = entry_at(r, r->next);
	struct tcp_segment s = entry_segment(e);
	struct flow *f = &r->j->flow;
	unsigned n;

	if (is_reserved(r, r->next))
		add_rest(r, r->order[r->next] / PLACE_SIDE);
	if (e->bits & ENTRY_ICMP) {
		r->next++;
		note_icmp(f, e, r->slot->family);
		return;
	}
	if (s.flags & TCP_RST && e->bits & ENTRY_SOCKET) /* no doubt: this host knows */
		f->doubt = 0;
	n = f->log_len;
	if (is_second_sighting(r, r->next)) /* flow_step may have folded the first one, or found no place for it */
		f->duplicates += f->duplicates != ~0u;
	else
		step(r, &s, e->bits & ENTRY_SIDE);
	r->next++;
	if (e->bits & ENTRY_FILTER && r->j->flow.reset.time == s.time)
		r->j->flow.reset.fate |= RESET_FILTERED;
	if (e->bits & ENTRY_SURVIVED && f->state & FLOW_RESET && f->reset.time == s.time) {
		reset_fate_survived(f);
		if (f->log_len > n)
			r->j->log[f->log_len - 1].mark |= SEGMENT_IGNORED;
	}
	if (e->bits & ENTRY_SOCKET && f->log_len > n)
		r->j->log[f->log_len - 1].mark |= SEGMENT_SOCKET;
}

/* Replays the entries before a step of the handshake: by time, or so many of them. */
static void step_before(struct replay *r, uint64_t time, unsigned count)
{
	while (r->next < r->entries && (r->by_time ? entry_at(r, r->next)->time < time : r->next < count))
		step_entry(r);
}

/* ---- numbers that the recorder knew when the log began ---- */

/* Is the segment far from the regained numbers, or from those of a handshake inside an older connection? */
static bool is_far(const struct replay *r, const struct log_entry *e)
{
	const struct numbers *n = &r->of[e->bits & ENTRY_SIDE]->side[e->bits & ENTRY_SIDE].before;
	const struct flow_open *o = &r->slot->open;

	if (n->known & NUMBERS_END)
		return n->known & NUMBERS_REGAINED && !last_seen_near(e->seq, n->end);
	return o->seen & OPEN_INSIDE && !last_seen_near(e->seq, o->isn[e->bits & ENTRY_SIDE]);
}

/* Do two segments of the log, one of each side, acknowledge each other? */
static bool converse(const struct log_entry *a, const struct log_entry *b)
{
	const uint8_t flags = TCP_SYN | TCP_RST | TCP_ACK;

	return (a->bits ^ b->bits) & ENTRY_SIDE && (a->flags & flags) == TCP_ACK && (b->flags & flags) == TCP_ACK &&
	       last_seen_near(a->ack, b->seq) && last_seen_near(b->ack, a->seq);
}

/* Do both sides go on with numbers far from what may be forged? It takes both: one side alone may be forged as well. */
static bool numbers_denied(const struct replay *r)
{
	for (unsigned i = 0; i + 1 < r->entries; i++)
		if (converse(entry_at(r, i), entry_at(r, i + 1)) && is_far(r, entry_at(r, i)) &&
		    is_far(r, entry_at(r, i + 1)))
			return true;
	return false;
}

static void lend_numbers(struct replay *r)
{
	struct flow *f = &r->j->flow;
	bool denied = numbers_denied(r);

	for (unsigned i = 0; i < 2; i++) {
		const struct numbers *n = &r->of[i]->side[i].before;

		if (denied) { /* those of the handshake as well */
			f->side[i].now.known = 0;
			continue;
		}
		flow_lend(f, i, n);
		f->doubt |= n->known & NUMBERS_REGAINED ? DOUBT_NUMBERS : 0;
		f->doubt |= n->known & NUMBERS_NO_WINDOW ? DOUBT_WINDOW : 0;
	}
}

/* ---- the opening ---- */

static void add_copies(struct replay *r, unsigned copies, uint64_t last)
{
	struct flow *f = &r->j->flow;

	if (!copies || !f->log_len)
		return;
	r->j->log[f->log_len - 1].count += copies;
	if (last > f->t_last)
		f->t_last = r->j->log[f->log_len - 1].latest = last;
}

static struct tcp_segment opening_segment(const struct flow_open *o, unsigned side)
{
	return (struct tcp_segment){
		.seq = o->isn[side],
		.ttl = o->ttl[side],
		.wscale = o->wscale[side],
		.mptcp = SEGMENT_NO_MPTCP,
		.vlan = {o->vlan[0], o->vlan[1]},
	};
}

/* The number behind the SYN, as far as the SYN-ACK acknowledged its payload. */
static uint32_t behind_syn(const struct flow_open *o)
{
	uint32_t next = o->isn[o->source & 1] + 1;

	return o->seen & OPEN_SYN_DATA ? next + o->syn_len : next;
}

static struct tcp_segment syn_segment(const struct flow_slot *slot)
{
	const struct flow_open *o = &slot->open;
	struct tcp_segment s = opening_segment(o, o->source & 1);

	s.time = o->t_syn;
	s.len = o->syn_len;
	s.win = o->win[0];
	s.flags = o->syn_flags;
	s.ip_id = slot->ip_id[0];
	return s;
}

static struct tcp_segment synack_segment(const struct flow_slot *slot)
{
	const struct flow_open *o = &slot->open;
	struct tcp_segment s = opening_segment(o, !o->source);

	s.time = o->t_synack;
	s.ack = behind_syn(o);
	s.win = o->win[1];
	s.flags = o->synack_flags;
	s.ip_id = slot->ip_id[1];
	return s;
}

static struct tcp_segment ack_segment(const struct flow_slot *slot)
{
	const struct flow_open *o = &slot->open;
	struct tcp_segment s = opening_segment(o, o->source & 1);

	s.time = o->t_ack;
	s.seq = behind_syn(o);
	s.ack = o->isn[!o->source] + 1;
	s.win = o->win[2];
	s.flags = TCP_ACK;
	return s;
}

static void step_syn(struct replay *r)
{
	const struct flow_open *o = &r->slot->open;
	struct tcp_segment s = syn_segment(r->slot);

	if (!(o->seen & OPEN_SYN))
		return;
	step(r, &s, o->source & 1);
	r->j->flow.open.syn_copies = o->syn_copies;
	add_copies(r, o->syn_copies, o->seen & OPEN_ACK ? 0 : o->t_ack);
}

static void step_synack(struct replay *r)
{
	const struct flow_open *o = &r->slot->open;
	struct tcp_segment s = synack_segment(r->slot);

	if (!(o->seen & OPEN_SYNACK))
		return;
	step_before(r, s.time, r->of[0]->before_synack);
	step(r, &s, !o->source);
	r->j->flow.open.synack_copies = o->synack_copies;
	add_copies(r, o->synack_copies, o->seen & OPEN_ACK ? 0 : o->t_ack);
}

/* Is the segment that completed the handshake an entry of the log, too? */
static bool ack_is_logged(const struct replay *r)
{
	const struct flow_open *o = &r->slot->open;

	for (unsigned i = r->next; i < r->entries; i++)
		if (entry_at(r, i)->time == o->t_ack && (entry_at(r, i)->bits & ENTRY_SIDE) == (o->source & 1))
			return true;
	return false;
}

static void step_ack(struct replay *r)
{
	const struct flow_open *o = &r->slot->open;
	struct tcp_segment s = ack_segment(r->slot);

	step_before(r, s.time, r->of[0]->before_ack);
	if (!ack_is_logged(r))
		step(r, &s, o->source & 1);
	lend_numbers(r);
}

/*
 * Is the log without the ACK that completes a handshake, and without any other plain segment? What a filter for SYN,
 * FIN and RST writes looks so. Both sides were heard, and neither has repeated its SYN since.
 */
static bool is_bare(const struct replay *r)
{
	const struct flow_open *o = &r->slot->open;

	if ((o->seen & (OPEN_SYN | OPEN_SYNACK)) != (OPEN_SYN | OPEN_SYNACK) || o->seen & (OPEN_CROSSED | OPEN_INSIDE))
		return false;
	if (!r->entries || entry_at(r, r->entries - 1)->time < o->t_ack || (o->seen & OPEN_ACK && !ack_is_logged(r)))
		return false;
	for (unsigned i = 0; i < r->entries; i++)
		if (!(entry_at(r, i)->flags & TCP_CONTROL) && !(entry_at(r, i)->bits & ENTRY_ICMP))
			return false;
	return !((r->of[0]->rest[0].plain | r->of[1]->rest[1].plain) >> REST_SHIFT);
}

/* Two CPUs or queues swap what is close together; a SYN-ACK from long before comes behind a clock that was set back. */
static bool synack_is_ahead(const struct flow_open *o)
{
	return o->seen & OPEN_SYNACK && o->t_synack < o->t_syn && o->t_syn - o->t_synack <= FLOW_OVERTAKEN_NS;
}

/* From the first segment on. */
static void replay_opening(struct replay *r)
{
	const struct flow_open *o = &r->slot->open;
	bool synack_first = !(o->seen & OPEN_SYN) || synack_is_ahead(o);
	struct tcp_segment first = synack_first ? synack_segment(r->slot) : syn_segment(r->slot);

	flow_init(&r->j->flow, &first, synack_first ? !o->source : o->source & 1, (o->seen & OPEN_INSIDE) != 0);
	r->j->flow.state |= is_bare(r) ? FLOW_BARE : 0;
	r->j->flow.open.resets_ignored = o->resets_ignored;
	if (synack_first)
		step_synack(r);
	step_syn(r);
	if (!synack_first)
		step_synack(r);
	if (o->seen & OPEN_ACK)
		step_ack(r);
}

static bool numbers_known(const struct replay *r)
{
	return r->of[0]->side[0].before.known && r->of[1]->side[1].before.known;
}

/* Does the log begin with an RST that has the very number that the other side acknowledged (last_seen_answers)? */
static bool answers_data(const struct replay *r, const struct log_entry *e)
{
	unsigned side = !(e->bits & ENTRY_SIDE);
	const struct numbers *peer = &r->of[side]->side[side].before;

	return (e->flags & (TCP_RST | TCP_ACK)) == TCP_RST && peer->known & NUMBERS_ACK && e->seq == peer->ack;
}

static void replay_midstream(struct replay *r)
{
	const struct log_entry *e = entry_at(r, 0);
	struct tcp_segment first = entry_segment(e);

	first.vlan[0] = r->slot->open.vlan[0];
	first.vlan[1] = r->slot->open.vlan[1];
	flow_init(&r->j->flow, &first, e->bits & ENTRY_SIDE, false);
	r->j->flow.open.resets_ignored = r->slot->open.resets_ignored;
	for (unsigned i = 0; i < 2; i++)
		r->j->flow.heard_before |= r->of[i]->side[i].before.known ? 1u << i : 0;
	if (numbers_known(r) || answers_data(r, e)) {
		r->j->flow.state |= FLOW_PROVEN;
		lend_numbers(r);
	}
}

/* Was the handshake complete before the log began? */
static bool is_reopened(const struct replay *r)
{
	const struct flow_open *o = &r->slot->open;

	return o->seen & OPEN_ACK &&
	       (!r->entries || (r->by_time ? entry_at(r, 0)->time >= o->t_ack : !r->of[0]->before_ack));
}

static void fill_key(struct flow_key *k, const struct flow_slot *slot)
{
	memset(k, 0, sizeof(*k));
	k->addr[0] = slot->addr[0];
	k->addr[1] = slot->addr[1];
	k->port[0] = slot->port[0];
	k->port[1] = slot->port[1];
	k->ifindex = slot->ifindex;
	k->hash = slot->hash;
	k->family = slot->family;
	k->check = slot->check;
}

/* A tunnel's identifier stands where else the VLAN tags do. */
static void fill_tunnel(struct flow *f, const struct flow_slot *slot)
{
	f->tunnel = slot->tunnel & ~TUNNEL_HAS_ID;
	f->tunnel_has_id = (slot->tunnel & TUNNEL_HAS_ID) != 0;
	f->tunnel_id = f->tunnel_has_id ? slot->open.tunnel_id : 0;
	if (f->tunnel_has_id)
		f->open.vlan[0] = f->open.vlan[1] = PACKET_NO_TAG;
}

/* Replays the entries, which are in order. False: there is nothing to replay. */
static bool replay(struct replay *r, uint64_t word)
{
	struct judged *j = r->j;

	fill_key(&j->key, r->slot);
	memset(&j->flow, 0, sizeof(j->flow));
	j->half = 0;
	j->half_at.number[0] = 0;
	find_real_fin(r, 0);
	find_real_fin(r, 1);
	if (word & PHASE_MIDSTREAM) {
		if (!r->entries)
			return false;
		replay_midstream(r);
	} else if (is_reopened(r)) {
		flow_reopen(&j->flow, &r->slot->open);
		j->flow.state |= is_bare(r) ? FLOW_BARE : 0;
		if (r->entries)
			lend_numbers(r);
	} else {
		replay_opening(r);
	}
	while (r->next < r->entries)
		step_entry(r);
	add_rest(r, 0);
	add_rest(r, 1);
	if (word & PHASE_REPLACED)
		j->flow.state |= FLOW_REPLACED;
	fill_tunnel(&j->flow, r->slot);
	return true;
}

/* ---- an acknowledgment that found no place ---- */

/* ns: when the side's acknowledgment number last rose. */
static uint64_t acked_at(const struct flow_block *b, unsigned side)
{
	uint64_t last = b->progress >> REST_TIME_SHIFT;

	return (last - (uint32_t)((uint32_t)last - b->rest[side].acked)) << REST_TIME_SHIFT;
}

/*
 * The recorder keeps a place for the acknowledgment of a FIN, by the number of the first FIN that it has seen. Where
 * that one was forged, or passed elsewhere, the acknowledgment is one ACK of many, which may have found no place; but
 * it is the last one that acknowledged anything new. Makes an entry of that one unless it is listed.
 */
static bool make_ack(const struct replay *r, unsigned side, struct log_entry *made)
{
	const struct flow_block *b = r->of[side];
	const struct numbers *n = &b->side[side].now;

	if (!(b->rest[side].plain >> REST_SHIFT) || !(n->known & NUMBERS_ACK))
		return false;
	for (unsigned i = 0; i < r->entries; i++)
		if ((entry_at(r, i)->bits & ENTRY_SIDE) == side && !(entry_at(r, i)->flags & TCP_RST) &&
		    (uint32_t)(entry_at(r, i)->time >> REST_TIME_SHIFT) == b->rest[side].acked)
			return false;
	*made = (struct log_entry){.time = acked_at(b, side),
				   .seq = n->end,
				   .ack = n->ack,
				   .win = n->win,
				   .flags = TCP_ACK,
				   .option = SEGMENT_NO_WSCALE,
				   .bits = (uint8_t)(ENTRY_WHOLE | side)};
	return true;
}

/* Is it the only acknowledgment of a FIN? */
static bool completes_fin(const struct replay *r, const struct log_entry *ack, unsigned side)
{
	for (unsigned i = 0; i < r->entries; i++)
		if (is_fin_to(entry_at(r, i), !side, ack->ack) && !fin_is_acked(r, i))
			return true;
	return false;
}

/*
 * Puts such acknowledgments in order with the other entries. Where each side has a log of its own, no place was kept
 * for them at all; else only that is missing which completes a FIN. made: zeroed, by side.
 */
static void add_acks(struct replay *r, struct log_entry made[2])
{
	struct log_entry ack;

	for (unsigned side = 0; side < 2; side++) {
		if (!make_ack(r, side, &ack) || !(is_pair(r) || completes_fin(r, &ack, side)))
			continue;
		made[side] = ack;
		put_in_order(r, side * PLACE_SIDE + PLACE_MADE, ack.time, true);
	}
}

bool judge(struct judged *j, const struct flow_slot *slot, uint64_t word, const struct flow_block *block, bool by_time)
{
	const struct flow_block *b = block ? block : &no_block;
	struct log_entry made[2] = {{0}, {0}};
	struct replay r = {.j = j, .slot = slot, .of = {b, b}, .made = made, .by_time = by_time};

	if (block && !order_entries(&r, 0, word_entries(word)))
		return false;
	add_acks(&r, made);
	return replay(&r, word);
}

/* ---- two views of one side each ---- */

bool judge_pair(struct judged *j, const struct judge_pair *p)
{
	struct log_entry made[2] = {{0}, {0}};
	struct replay r = {.j = j, .slot = p->slot, .made = made, .by_time = true};

	for (unsigned side = 0; side < 2; side++)
		r.of[side] = p->block[side] ? p->block[side] : &no_block;
	for (unsigned side = 0; side < 2; side++)
		if (p->block[side] && !order_entries(&r, side, p->entries[side]))
			return false;
	add_acks(&r, made);
	if (!replay(&r, p->word))
		return false;
	j->flow.state |= FLOW_PAIRED;
	j->flow.begun_late = p->begun_late;
	return true;
}
