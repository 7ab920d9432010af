// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two views complete each other where each has heard another side and what one of them has heard fits the other one:
 * the SYN-ACK acknowledges the SYN, or both sides go on where the other one's numbers end.
 */
#include "user/judge/half_views.h"

#include <errno.h>
#include <stdlib.h>

#include "user/base/address.h"

/*
 * RSTs that answered a SYN at another interface: the recorder has no slot for them. The kernel tells of
 * STRAYS_A_SECOND at most, and they are needed until their connection has settled; the newest take the place of the
 * oldest.
 */
#define ANSWERS 512
#define NO_SLOT UINT32_MAX

struct half_answer {
	struct flow_block block; /* what the recorder would have made of the RSTs */
	struct flow_interfaces at;
	unsigned entries;
};

struct half_answers {
	struct {
		uint32_t n, generation; /* slot of the SYN */
	} to[ANSWERS];
	struct half_answer of[ANSWERS];
	unsigned count; /* since the beginning */
};

/* Nothing of a handshake was seen. */
static const struct flow_slot no_slot;

/* One of two views. */
struct half {
	const struct flow_slot *slot;
	const struct flow_block *block; /* NULL: none */
	uint64_t word;
	uint32_t n;                       /* of the slot */
	const struct flow_interfaces *at; /* of RSTs: that they were seen at; NULL: the slot says it */
};

static struct half half_of(const struct flow_tables *t, uint32_t n)
{
	const struct flow_slot *slot = &t->slots[n];
	uint64_t word = __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE);

	return (struct half){.slot = slot, .block = flow_tables_block(t, slot->block), .word = word, .n = n};
}

static unsigned entries_of(const struct half *h)
{
	unsigned n = h->block ? word_entries(h->word) : 0;

	return n < BLOCK_ENTRIES ? n : BLOCK_ENTRIES;
}

/* The sides of which the view has a segment: a bit each. ICMP errors are nobody's. */
static unsigned sides_heard(const struct half *h)
{
	const struct flow_open *o = &h->slot->open;
	unsigned heard = 0, source = o->source & 1;

	heard |= o->seen & OPEN_SYN ? 1u << source : 0;
	heard |= o->seen & OPEN_SYNACK ? 2u >> source : 0;
	for (unsigned i = 0; i < entries_of(h); i++)
		if (!(h->block->entry[i].bits & ENTRY_ICMP))
			heard |= 1u << (h->block->entry[i].bits & ENTRY_SIDE);
	for (unsigned side = 0; h->block && side < 2; side++) {
		const struct block_rest *rest = &h->block->rest[side];

		heard |= rest->plain || rest->fins || rest->resets || rest->others ? 1u << side : 0;
	}
	return heard;
}

/* A bit for the only side that was heard; 0 where both were, as in a handshake that is complete. */
static unsigned only_side(const struct half *h)
{
	unsigned heard;

	if (!(h->word & (PHASE_OPENING | PHASE_MIDSTREAM)) || h->word & PHASE_REPORTED)
		return 0;
	heard = sides_heard(h);
	return heard == 3 ? 0 : heard;
}

/* ---- do they complete each other? ---- */

/* One has the SYN, the other one the SYN-ACK. */
static bool answers_syn(const struct flow_open *syn, const struct flow_open *synack)
{
	unsigned source = syn->source & 1;

	return synack->source == syn->source && synack->isn[source] - syn->isn[source] <= syn->syn_len;
}

/* The highest number that the side has sent, plus one: of a log that begins with its FIN, the FIN's. False: unknown. */
static bool end_of(const struct half *h, unsigned side, uint32_t *end)
{
	const struct numbers *n = &h->block->side[side].now;

	*end = n->known & NUMBERS_END ? n->end : h->slot->fin_end[side];
	return n->known & NUMBERS_END || h->word & (uint64_t)PHASE_FIN << side;
}

/* Does what the side has acknowledged fit what the other one has sent? */
static bool numbers_meet(const struct half *me, const struct half *peer, unsigned side)
{
	const struct numbers *mine;
	uint32_t end;

	if (!me->block || !peer->block)
		return false;
	mine = &me->block->side[side].now;
	return mine->known & NUMBERS_ACK && end_of(peer, !side, &end) && last_seen_near(mine->ack, end);
}

/* Is it an RST, the first segment of the view, that answers the SYN of the other one? RFC 9293 section 3.10.7.3. */
static bool resets_syn(const struct half *syn, const struct half *reset)
{
	const struct flow_open *o = &syn->slot->open;
	const struct log_entry *e = entries_of(reset) ? &reset->block->entry[0] : NULL;

	return e && (o->seen & (OPEN_SYN | OPEN_SYNACK)) == OPEN_SYN && reset->word & PHASE_MIDSTREAM &&
	       (e->flags & (TCP_RST | TCP_ACK)) == (TCP_RST | TCP_ACK) &&
	       e->ack - (o->isn[o->source & 1] + 1) <= o->syn_len;
}

static bool complete_each_other(const struct half *a, const struct half *b, unsigned side_of_a)
{
	const struct flow_open *x = &a->slot->open, *y = &b->slot->open;

	if (resets_syn(a, b) || resets_syn(b, a))
		return true;
	if (x->seen & OPEN_SYN && y->seen & OPEN_SYNACK)
		return answers_syn(x, y);
	if (y->seen & OPEN_SYN && x->seen & OPEN_SYNACK)
		return answers_syn(y, x);
	return numbers_meet(a, b, side_of_a) && numbers_meet(b, a, !side_of_a);
}

/* ns: the first segment that the view has seen. */
static uint64_t first_of(const struct half *h)
{
	const struct flow_open *o = &h->slot->open;

	if (o->seen & OPEN_SYN)
		return o->t_syn;
	return o->seen & OPEN_SYNACK || !entries_of(h) ? o->t_synack : h->block->entry[0].time;
}

/*
 * Sets *b to the view that completes a, which has heard that side alone: of several the one that was first, so that the
 * connection begins at one time whatever is judged when. False: there is none.
 */
static bool find_other(const struct flow_views *v, const struct flow_tables *t, const struct half *a, unsigned heard,
		       const struct flow_key *key, struct half *b)
{
	bool found = false;
	uint32_t n = 0;

	while ((n = flow_views_next(v, t, key, n))) {
		struct half x = half_of(t, n - 1);

		if (only_side(&x) != (heard ^ 3) || !complete_each_other(a, &x, heard >> 1) ||
		    (found && first_of(b) <= first_of(&x)))
			continue;
		*b = x;
		found = true;
	}
	return found;
}

/* ---- RSTs that answer a SYN ---- */

int half_views_begin(struct flow_views *v)
{
	v->answers = calloc(1, sizeof(*v->answers));
	return v->answers ? 0 : -ENOMEM;
}

static struct half_answer *answer_to(const struct flow_views *v, uint32_t n, uint64_t word)
{
	struct half_answers *a = v->answers;

	for (unsigned i = 0; a && i < ANSWERS && i < a->count; i++)
		if (a->to[i].n == n && a->to[i].generation == word >> 32)
			return &a->of[i];
	return NULL;
}

static struct half_answer *new_answer(struct half_answers *a, const struct half *syn, const struct flow_interfaces *at)
{
	unsigned i = a->count++ % ANSWERS;

	a->to[i].n = syn->n;
	a->to[i].generation = (uint32_t)(syn->word >> 32);
	a->of[i] = (struct half_answer){.at = *at};
	return &a->of[i];
}

static void add_entry(struct half_answer *a, const struct stray *x, unsigned side)
{
	if (a->entries >= BLOCK_COMMON)
		return;
	a->block.progress = x->head.time;
	a->block.entry[a->entries++] = (struct log_entry){
		.time = x->head.time,
		.seq = x->seq,
		.ack = x->ack,
		.len = x->len,
		.win = x->win,
		.ip_id = x->ip_id,
		.flags = x->flags,
		.ttl = x->ttl,
		.option = SEGMENT_NO_MPTCP,
		.bits = (uint8_t)(ENTRY_WHOLE | side | (x->filter ? ENTRY_FILTER : 0)),
	};
}

/* Does the RST answer a SYN of its receiver that nothing else has answered? RFC 9293 section 3.10.7.3. */
static bool answers_alone(const struct half *syn, const struct stray *x, unsigned receiver)
{
	const struct flow_open *o = &syn->slot->open;

	return only_side(syn) == 1u << receiver && (o->seen & (OPEN_SYN | OPEN_SYNACK)) == OPEN_SYN &&
	       (x->flags & (TCP_RST | TCP_ACK)) == (TCP_RST | TCP_ACK) && x->ack - (o->isn[receiver] + 1) <= o->syn_len;
}

/* The key of an RST. *sender: its side. */
static struct flow_key key_of(const struct stray *x, unsigned *sender)
{
	const struct tcp_segment s = {.src = x->src, .dst = x->dst, .sport = x->sport, .dport = x->dport};
	struct flow_key k = {.ifindex = x->ifindex, .family = x->family};

	*sender = (unsigned)flow_side_of(&s);
	k.addr[*sender] = x->src;
	k.addr[!*sender] = x->dst;
	k.port[*sender] = x->sport;
	k.port[!*sender] = x->dport;
	return k;
}

uint32_t half_views_answer(struct flow_views *v, const struct flow_tables *t, const struct stray *x,
			   const struct flow_interfaces *at, uint32_t last)
{
	unsigned sender;
	const struct flow_key key = key_of(x, &sender);
	struct half_answer *a;
	struct half syn;

	while (v->answers && (last = flow_views_next(v, t, &key, last))) {
		syn = half_of(t, last - 1);
		if (!answers_alone(&syn, x, !sender))
			continue;
		a = answer_to(v, last - 1, syn.word);
		add_entry(a ? a : new_answer(v->answers, &syn, at), x, sender);
		return last;
	}
	return 0;
}

/* Sets *b to the RSTs that have answered a, as if they were a slot's. */
static bool find_answer(const struct flow_views *v, const struct half *a, struct half *b)
{
	const struct half_answer *answer = answer_to(v, a->n, a->word);

	if (!answer)
		return false;
	*b = (struct half){.slot = &no_slot,
			   .block = &answer->block,
			   .word = PHASE_OPENING | PHASE_MIDSTREAM | answer->entries * WORD_ENTRY,
			   .n = NO_SLOT,
			   .at = &answer->at};
	return true;
}

/* ---- both together ---- */

/* The slot has the SYN, and the other one the SYN-ACK. */
static void add_synack(struct flow_slot *slot, const struct flow_slot *other)
{
	struct flow_open *o = &slot->open;
	const struct flow_open *from = &other->open;
	unsigned source = o->source & 1;

	o->seen |= OPEN_SYNACK;
	o->seen |= from->isn[source] != o->isn[source] ? OPEN_SYN_DATA : 0;
	o->t_synack = from->t_synack;
	o->isn[!source] = from->isn[!source];
	o->win[1] = from->win[1];
	o->synack_flags = from->synack_flags;
	o->synack_copies = from->synack_copies;
	o->wscale[!source] = from->wscale[!source];
	o->ttl[!source] = from->ttl[!source];
	slot->ip_id[1] = other->ip_id[1];
}

static uint8_t sum_of(uint8_t a, uint8_t b)
{
	return a > 255 - b ? 255 : (uint8_t)(a + b);
}

/* The handshake as both have seen it, in the slot of the one that has seen its beginning. */
static struct flow_slot unite(const struct half *a, const struct half *b)
{
	bool swap = !(a->slot->open.seen & OPEN_SYN) && b->slot->open.seen;
	const struct half *first = swap ? b : a, *other = swap ? a : b;
	struct flow_slot slot = *first->slot;

	if (slot.open.seen & OPEN_SYN && other->slot->open.seen & OPEN_SYNACK)
		add_synack(&slot, other->slot);
	if (other->slot->open.t_ack > slot.open.t_ack && !slot.open.syn_copies)
		slot.open.t_ack = other->slot->open.t_ack;
	slot.open.resets_ignored = sum_of(slot.open.resets_ignored, other->slot->open.resets_ignored);
	slot.ifindex = a->slot->ifindex;
	slot.hash = a->slot->hash;
	slot.check = a->slot->check;
	return slot;
}

static bool judge_both(struct judged *j, const struct half *a, const struct half *b, unsigned side_of_a)
{
	const struct flow_slot slot = unite(a, b);
	struct judge_pair p = {.slot = &slot};

	p.word = (a->word & b->word & PHASE_MIDSTREAM) | ((a->word | b->word) & PHASE_REPLACED);
	p.block[side_of_a] = a->block;
	p.block[!side_of_a] = b->block;
	p.entries[side_of_a] = entries_of(a);
	p.entries[!side_of_a] = entries_of(b);
	p.begun_late = (a->word & PHASE_MIDSTREAM ? 1u << side_of_a : 0) |
		       (b->word & PHASE_MIDSTREAM ? 2u >> side_of_a : 0);
	if (!judge_pair(j, &p))
		return false;
	j->half = b->n == NO_SLOT ? 0 : b->n + 1;
	j->half_at = b->at ? *b->at : (struct flow_interfaces){{b->slot->ifindex}};
	j->half_word = b->word;
	j->first[0] = first_of(a);
	j->first[1] = first_of(b);
	return true;
}

/* Has the view that RST? By itself it need not take it for one that ends a connection. */
static bool heard_reset(const struct half *h, const struct flow_reset *reset)
{
	for (unsigned i = 0; i < entries_of(h); i++)
		if (h->block->entry[i].flags & TCP_RST && h->block->entry[i].seq == reset->seq)
			return true;
	return false;
}

bool half_views_judge(const struct flow_views *v, const struct flow_tables *t, uint32_t n, struct judged *j,
		      uint64_t *word)
{
	struct half a, b;
	unsigned heard;

	if (!flow_tables_judge(t, n, j, word))
		return false;
	j->first[0] = j->flow.t_first;
	if (!v->first || !(*word & (PHASE_OPENING | PHASE_MIDSTREAM)))
		return true;
	a = half_of(t, n);
	a.word = *word;
	heard = only_side(&a);
	if (!heard || !(find_other(v, t, &a, heard, &j->key, &b) || find_answer(v, &a, &b)))
		return true;
	return judge_both(j, &a, &b, heard >> 1);
}

bool half_views_agree(const struct flow *both, const struct flow *one, const struct flow_tables *t, uint32_t n)
{
	const struct half h = half_of(t, n);
	unsigned heard = only_side(&h), side = heard >> 1;
	const struct flow_side *a = &both->side[side], *b = &one->side[side];
	bool reset = both->reset.time && both->reset.side == side;

	if (!(both->state & FLOW_PAIRED) || !heard || (a->seen ^ b->seen) & SIDE_FIN)
		return false;
	if (a->seen & SIDE_FIN && a->fin_end != b->fin_end)
		return false;
	return !reset || heard_reset(&h, &both->reset);
}
