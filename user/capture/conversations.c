// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Without an open_hole nothing large of either side is outstanding. The large segment that the other side waits for
 * opens one, with the numbers that were remembered until then, and its acknowledgment closes it.
 */
#include "user/capture/conversations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/judge/flow_memory.h"

/* A side's last segment, which a mirrored port shows twice. */
struct sighting {
	uint64_t time; /* ns */
	uint32_t seq, ack, len;
	uint8_t flags;
};

struct open_hole {
	struct black_hole hole;
	struct sighting last[2]; /* by side */
	uint32_t place;          /* high half of the hash whose cell names it */
	uint32_t next;           /* of free ones: number + 1 of the next */
};

int conversations_open(struct conversations *c, uint32_t cells, bool holes)
{
	*c = (struct conversations){.cells = cells, .holes = holes};
	c->cell = pages_grow(NULL, 0, cells * sizeof(*c->cell));
	return c->cell ? 0 : -ENOMEM;
}

void conversations_close(struct conversations *c)
{
	pages_free(c->cell, c->cells * sizeof(*c->cell));
	free(c->open);
}

/* ---- open holes ---- */

static struct open_hole *hole_of(const struct conversations *c, const struct conversation_cell *cell)
{
	return &c->open[cell->hole - 1];
}

static uint32_t take_free(struct conversations *c)
{
	uint32_t n = c->free;

	if (n) {
		c->free = c->open[n - 1].next;
		return n;
	}
	if (c->open_count == c->open_room) {
		c->open_room = c->open_room ? c->open_room * 2 : 256;
		c->open = must(realloc(c->open, c->open_room * sizeof(*c->open)));
	}
	return ++c->open_count;
}

static void drop_hole(struct conversations *c, struct conversation_cell *cell)
{
	if (!cell->hole)
		return;
	hole_of(c, cell)->next = c->free;
	c->free = cell->hole;
	cell->hole = 0;
}

/*
 * The segment at hand, of `side`, is one to be followed. The other side's last segment is known only if it was an ACK
 * alone, which is the one whose second sighting would look like an answer.
 */
static void open_hole(struct conversations *c, struct conversation_cell *cell, const struct last_seen *numbers,
		      uint64_t side, uint64_t hash)
{
	const struct last_seen_side *peer = &numbers->side[!side];
	uint32_t n = take_free(c);
	struct open_hole *h = &c->open[n - 1];

	*h = (struct open_hole){.place = (uint32_t)(hash >> 32)};
	for (unsigned i = 0; i < 2; i++) {
		if (!last_seen_is_of(&numbers->side[i], hash))
			continue;
		h->hole.side[i].end = numbers->side[i].end;
		h->hole.side[i].ack = numbers->side[i].ack;
		h->hole.side[i].win = numbers->side[i].win;
		h->hole.side[i].known = 1;
	}
	h->last[!side] = (struct sighting){.time = cell->any, .seq = peer->end, .ack = peer->ack, .flags = TCP_ACK};
	cell->hole = n;
}

static bool is_needed(const struct black_hole_side *side)
{
	return side->len || side->bytes;
}

/* Is the segment its side's last one, seen a second time? Notes it for the next one. */
static bool is_sighted_again(struct open_hole *h, const struct tcp_segment *s, uint64_t side)
{
	struct sighting *last = &h->last[side & 1];
	bool again = last->seq == s->seq && last->ack == s->ack && last->len == s->len && last->flags == s->flags &&
		     s->time - last->time < FLOW_DUPLICATE_NS;

	*last = (struct sighting){.time = s->time, .seq = s->seq, .ack = s->ack, .len = s->len, .flags = s->flags};
	return again;
}

static void note_open(struct conversations *c, struct conversation_cell *cell, const struct tcp_segment *s,
		      uint64_t side)
{
	struct open_hole *h = hole_of(c, cell);

	if (!is_sighted_again(h, s, side))
		black_hole_note(&h->hole, s, (uint32_t)side);
	if (is_needed(&h->hole.side[0]) || is_needed(&h->hole.side[1]))
		return;
	drop_hole(c, cell);
}

/* Is the segment large, and the one that the other side waits for? */
static bool begins_hole(const struct last_seen *numbers, const struct tcp_segment *s, uint64_t side, uint64_t hash)
{
	const struct last_seen_side *peer = &numbers->side[!side];

	return s->len > black_hole_least(s->family) && (s->flags & (TCP_RST | TCP_ACK)) == TCP_ACK &&
	       last_seen_is_of(peer, hash) && s->seq == peer->ack;
}

static void note_hole(struct conversations *c, struct conversation_cell *cell, const struct last_seen *numbers,
		      const struct tcp_segment *s, uint64_t side, uint64_t hash)
{
	if (segment_opens(s))
		drop_hole(c, cell);
	if (!cell->hole && begins_hole(numbers, s, side, hash))
		open_hole(c, cell, numbers, side, hash);
	if (cell->hole)
		note_open(c, cell, s, side);
}

/* ---- payload ---- */

/* What was sent before is no sign of life of the application; nor is a keep-alive's byte. */
static bool is_new_payload(const struct last_seen *numbers, const struct tcp_segment *s, uint64_t side, uint64_t hash)
{
	const struct last_seen_side *me = &numbers->side[side & 1];

	return s->len && !(last_seen_is_of(me, hash) && !seq_after(s->seq + s->len, me->end));
}

/* Is the number behind all of a side's that is known to have been sent, by itself or by its acknowledgments? */
static bool is_unseen(const struct last_seen *numbers, uint32_t number, uint64_t side, uint64_t hash)
{
	const struct last_seen_side *own = &numbers->side[side & 1], *peer = &numbers->side[!(side & 1)];
	bool known = last_seen_is_of(own, hash);

	if (known && !seq_after(number, own->end))
		return false;
	return last_seen_is_of(peer, hash) ? seq_after(number, peer->ack) : known;
}

bool conversations_shows_unseen(const struct last_seen *numbers, const struct tcp_segment *s, uint64_t side,
				uint64_t hash)
{
	return is_unseen(numbers, s->seq, side, hash) ||
	       ((s->flags & (TCP_ACK | TCP_RST)) == TCP_ACK && is_unseen(numbers, s->ack, !side, hash));
}

/* Numbers far from the last ones may be forged: see last_seen_note. */
static bool is_far(const struct last_seen *numbers, uint32_t number, uint64_t side, uint64_t hash)
{
	const struct last_seen_side *own = &numbers->side[side & 1];

	return last_seen_is_of(own, hash) && !last_seen_near(number, own->end);
}

/* The segment begins what the other side has not acknowledged. */
static void open_payload(struct conversation_cell *cell, const struct tcp_segment *s, uint64_t side)
{
	cell->before = cell->last;
	cell->unseen_before = cell->unseen;
	cell->open = s->time;
	cell->seq = s->seq;
	cell->side = side & 1;
}

/*
 * Keeps which sides' highest numbers are those of payload. Where a side's number is higher than all that was seen of
 * it, or the other side acknowledges so much, payload may have passed unseen, or a FIN.
 */
static void note_sent(struct conversation_cell *cell, const struct last_seen *numbers, const struct tcp_segment *s,
		      uint64_t side, uint64_t hash)
{
	const struct last_seen_side *me = &numbers->side[side & 1], *peer = &numbers->side[!(side & 1)];
	bool known = last_seen_is_of(me, hash);
	uint32_t own = 1u << (side & 1), other = own ^ 3, end = s->seq + s->len;

	if (is_far(numbers, s->seq, side, hash) || is_far(numbers, s->ack, !side, hash))
		return;
	if (s->len && !(known && seq_after(me->end, end)))
		cell->sent_payload |= own;
	else if (!known || seq_after(end, me->end))
		cell->sent_payload &= ~own;
	if (!last_seen_is_of(peer, hash) || seq_after(s->ack, peer->end))
		cell->sent_payload &= ~other;
}

static void note_payload(struct conversation_cell *cell, const struct last_seen *numbers, const struct tcp_segment *s,
			 uint64_t side, uint64_t hash)
{
	cell->any = s->time;
	if (cell->open && cell->side != side && s->flags & TCP_ACK && seq_after(s->ack, cell->seq))
		cell->open = 0;
	if (!cell->unseen && conversations_shows_unseen(numbers, s, side, hash))
		cell->unseen = !is_far(numbers, s->seq, side, hash) && !is_far(numbers, s->ack, !side, hash);
	/* A far number is not noted, so it seems new when it comes again, too. */
	if (!is_new_payload(numbers, s, side, hash) || (cell->open && is_far(numbers, s->seq, side, hash)))
		return;
	if (!cell->open)
		open_payload(cell, s, side);
	cell->last = s->time;
	cell->unseen = 0;
}

static bool is_older(uint64_t time, uint64_t began)
{
	return time && time < began;
}

void conversations_begin(struct conversations *c, const struct flow_open *o, const struct tcp_segment *s, uint64_t side,
			 uint64_t hash)
{
	struct conversation_cell *cell = conversations_cell(c, hash);
	uint64_t began = o->seen & OPEN_SYN ? o->t_syn : o->t_synack;
	bool syn_data = (o->seen & (OPEN_SYN | OPEN_SYN_DATA)) == (OPEN_SYN | OPEN_SYN_DATA);

	if (cell->tag != last_seen_tag(hash))
		return;
	cell->sent_payload = 3;
	if (syn_data && (!cell->last || is_older(cell->last, began)))
		cell->last = o->t_syn;
	if (!is_older(cell->last, began) && !is_older(cell->before, began) && !is_older(cell->open, began))
		return;
	if (s->len || is_older(cell->last, began))
		cell->last = 0;
	cell->before = cell->open = 0;
	cell->unseen = cell->unseen_before = 0;
	if (!s->len)
		return;
	open_payload(cell, s, side);
	cell->last = s->time;
}

/* ---- both ---- */

void conversations_note(struct conversations *c, const struct last_seen *numbers, const struct tcp_segment *s,
			uint64_t side, uint64_t hash)
{
	struct conversation_cell *cell = conversations_cell(c, hash);
	uint32_t tag = last_seen_tag(hash);
	bool plain = !(s->flags & TCP_CONTROL);

	if (cell->tag != tag) {
		if (!plain)
			return;
		drop_hole(c, cell);
		*cell = (struct conversation_cell){.tag = tag};
	}
	if (c->holes && !s->icmp)
		note_hole(c, cell, numbers, s, side, hash);
	if ((s->flags & (TCP_SYN | TCP_RST | TCP_ACK)) == TCP_ACK)
		note_sent(cell, numbers, s, side, hash);
	if (plain)
		note_payload(cell, numbers, s, side, hash);
}

const struct black_hole *conversations_hole(const struct conversations *c, uint64_t hash)
{
	const struct conversation_cell *cell = conversations_find(c, hash);

	return cell && cell->hole ? &hole_of(c, cell)->hole : NULL;
}

/* The open hole of two cells that hold the same stays with the one that its conversation has from now on. */
static void part(struct conversations *c, uint32_t old)
{
	for (uint32_t i = 0; i < old; i++) {
		struct conversation_cell *low = &c->cell[i], *high = &c->cell[i + old];

		if (!low->hole)
			continue;
		if (hole_of(c, low)->place & old)
			low->hole = 0;
		else
			high->hole = 0;
	}
}

void conversations_grow(struct conversations *c, uint32_t cells)
{
	while (c->cells < cells) {
		size_t size = c->cells * sizeof(*c->cell);

		c->cell = must_grow(c->cell, size, 2 * size);
		memcpy(c->cell + c->cells, c->cell, size);
		part(c, c->cells);
		c->cells *= 2;
	}
}
