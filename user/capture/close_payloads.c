// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nearly every close has the first state alone, so the later ones are a table of their own, whose memory is had page by
 * page as it is touched.
 */
#include "user/capture/close_payloads.h"

#include "user/judge/flow_memory.h"

/* What is said of payload is as in struct last_payload. */
struct at_close {
	uint64_t last, before, open;
	uint32_t seq;
	uint8_t side;
	bool kept : 1;
	bool known : 1;     /* the cell was the connection's own */
	bool has_fin : 1;   /* one of the states was kept at a FIN: nothing replaces it */
	bool has_later : 1; /* there is a struct at_later_close */
	bool has_last : 1;  /* and its `last` is meaningful */
	bool unseen : 1;
	bool unseen_before : 1;
	uint8_t sent_payload : 2;
};

struct state {
	struct last_payload payload;
	uint64_t time; /* ns: the segment that it was kept at */
	bool known;
};

struct at_later_close {
	struct state first, last;
};

static void grow_closes(struct at_closes *a, uint32_t count)
{
	a->of = must_grow(a->of, a->count * sizeof(*a->of), count * sizeof(*a->of));
	if (a->later)
		a->later = must_grow(a->later, a->count * sizeof(*a->later), count * sizeof(*a->later));
	a->count = count;
}

static struct at_closes *closes_of(struct close_payloads *c, const struct flow_tables *t, uint32_t block)
{
	bool small = block_is_small(block);
	struct at_closes *a = small ? &c->small : &c->large;
	uint32_t count = small ? t->small_count : t->block_count;

	if (a->count < count)
		grow_closes(a, count);
	return a;
}

static uint32_t place_of(uint32_t block)
{
	return (block - 1) & ~SMALL_BLOCK;
}

static struct at_close *close_of(struct close_payloads *c, const struct flow_tables *t, uint32_t block)
{
	return &closes_of(c, t, block)->of[place_of(block)];
}

static struct at_later_close *later_of(struct close_payloads *c, const struct flow_tables *t, uint32_t block)
{
	struct at_closes *a = closes_of(c, t, block);

	if (!a->later)
		a->later = must_grow(NULL, 0, a->count * sizeof(*a->later));
	return &a->later[place_of(block)];
}

void close_payloads_free(struct close_payloads *c)
{
	struct at_closes *all[] = {&c->large, &c->small};

	for (unsigned i = 0; i < 2; i++) {
		pages_free(all[i]->of, all[i]->count * sizeof(*all[i]->of));
		pages_free(all[i]->later, all[i]->count * sizeof(*all[i]->later));
	}
}

void close_payloads_clear(struct close_payloads *c, const struct flow_tables *t, uint32_t block)
{
	*close_of(c, t, block) = (struct at_close){.kept = false};
}

void close_payloads_move(struct close_payloads *c, const struct flow_tables *t, uint32_t from, uint32_t to)
{
	struct at_close moved = *close_of(c, t, from);

	*close_of(c, t, to) = moved;
	if (moved.has_later) {
		struct at_later_close later = *later_of(c, t, from);

		*later_of(c, t, to) = later;
	}
}

void close_payloads_first(struct close_payloads *c, const struct flow_tables *t, uint32_t block,
			  const struct conversation_cell *now, bool fin, bool unseen)
{
	struct at_close *close = close_of(c, t, block);

	*close = (struct at_close){.kept = true, .has_fin = fin};
	if (!now)
		return;
	close->last = now->last;
	close->before = now->before;
	close->open = now->open;
	close->seq = now->seq;
	close->side = now->side;
	close->unseen = now->unseen || unseen;
	close->unseen_before = now->unseen_before;
	close->sent_payload = now->sent_payload;
	close->known = true;
}

bool close_payloads_has_first(struct close_payloads *c, const struct flow_tables *t, uint32_t block)
{
	return close_of(c, t, block)->kept;
}

static struct state state_at(const struct conversation_cell *now, const struct tcp_segment *s, bool unseen)
{
	struct state state = {.time = s->time, .known = now};

	if (now)
		state.payload = conversation_payload(now);
	state.payload.unseen |= unseen;
	return state;
}

/* When payload came last, of the state that was kept last. later: NULL without one. */
static uint64_t last_kept(const struct at_close *close, const struct at_later_close *later)
{
	if (!later)
		return close->last;
	return (close->has_last ? &later->last : &later->first)->payload.last;
}

void close_payloads_later(struct close_payloads *c, const struct flow_tables *t, uint32_t block,
			  const struct conversation_cell *now, const struct tcp_segment *s, bool unseen)
{
	struct at_close *close = close_of(c, t, block);
	struct at_later_close *later = close->has_later ? later_of(c, t, block) : NULL;
	bool fin = (s->flags & (TCP_FIN | TCP_RST)) == TCP_FIN;

	if (close->has_fin || !(s->flags & (TCP_FIN | TCP_RST)))
		return;
	if (!fin && (now ? now->last : 0) == last_kept(close, later))
		return;
	if (later)
		later->last = state_at(now, s, unseen);
	else
		later_of(c, t, block)->first = state_at(now, s, unseen);
	close->has_last = later;
	close->has_later = true;
	close->has_fin = fin;
}

static struct last_payload payload_of(const struct at_close *close)
{
	return (struct last_payload){.last = close->last,
				     .before = close->before,
				     .open = close->open,
				     .seq = close->seq,
				     .side = close->side,
				     .unseen = close->unseen,
				     .unseen_before = close->unseen_before,
				     .sent_payload = close->sent_payload};
}

bool close_payloads_find(struct close_payloads *c, const struct flow_tables *t, uint32_t block, uint64_t begun,
			 struct last_payload *found)
{
	const struct at_close *close = close_of(c, t, block);
	const struct at_later_close *later = close->has_later ? later_of(c, t, block) : NULL;

	if (!close->kept)
		return false;
	if (later && close->has_last && later->last.time <= begun) {
		*found = later->last.payload;
		return later->last.known;
	}
	if (later && later->first.time <= begun) {
		*found = later->first.payload;
		found->unseen |= close->has_last && later->first.time < begun; /* between the two */
		return later->first.known;
	}
	*found = payload_of(close);
	return close->known;
}
