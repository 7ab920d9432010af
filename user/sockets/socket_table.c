// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stories lie in a ring in the order in which they began, and in hash chains by their tuple: the slot that a new story
 * takes is the oldest one's. Answers to stray segments have a ring of their own, since anybody can cause them.
 */
#include "user/sockets/socket_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/address.h"
#include "user/base/clock.h"

#define NOWHERE UINT32_MAX

struct slot {
	uint32_t next; /* in its chain */
	uint32_t hash; /* of its tuple: others are passed over without a look at what they hold */
};

/* Which slots have a tuple, and which one is the oldest. Slots and what they hold are arrays of the same length. */
struct index {
	struct slot *slots;
	uint32_t *heads;
	uint32_t size; /* of both; a power of two */
	uint64_t made; /* slots given out so far */
	uint64_t seed; /* random: who chooses addresses and ports shall not choose chains */
};

struct answer {
	struct socket_id id;
	uint32_t number;
	bool by_ack;
	uint64_t time;
	const char *reason;
};

struct socket_table {
	uint32_t netns;
	uint64_t wait;
	struct index story_index, answer_index;
	struct socket_story *stories;
	struct answer *answers;
	uint64_t given_way;
};

/* ---- the index ---- */

static uint32_t hash_of(const struct index *x, const struct socket_id *id)
{
	uint64_t words[5] = {}, h = x->seed;

	_Static_assert(sizeof(*id) == sizeof(words), "no padding, and all of it");
	memcpy(words, id, sizeof(words));
	for (unsigned i = 0; i < 5; i++)
		h = flow_hash_mix(h, words[i]);
	return h * FLOW_HASH_PRIME >> 32;
}

static uint32_t *chain_of(const struct index *x, uint32_t hash)
{
	return &x->heads[hash & (x->size - 1)];
}

/* The first slot with that hash from slot i on; NOWHERE behind the last. */
static uint32_t with_hash(const struct index *x, uint32_t i, uint32_t hash)
{
	while (i != NOWHERE && x->slots[i].hash != hash)
		i = x->slots[i].next;
	return i;
}

static uint32_t first_slot(const struct index *x, const struct socket_id *id)
{
	uint32_t hash = hash_of(x, id);

	return with_hash(x, *chain_of(x, hash), hash);
}

static uint32_t next_slot(const struct index *x, uint32_t i)
{
	return with_hash(x, x->slots[i].next, x->slots[i].hash);
}

static int index_init(struct index *x, uint32_t size)
{
	x->size = size;
	x->slots = calloc(size, sizeof(*x->slots));
	x->heads = malloc(size * sizeof(*x->heads));
	if (!x->slots || !x->heads)
		return -ENOMEM;
	memset(x->heads, 0xff, size * sizeof(*x->heads)); /* NOWHERE */
	return getentropy(&x->seed, sizeof(x->seed)) ? -errno : 0;
}

static void index_free(struct index *x)
{
	free(x->slots);
	free(x->heads);
}

/* The slot for one that begins now; if it is in use, that is the oldest one. */
static uint32_t oldest_slot(const struct index *x)
{
	return x->made & (x->size - 1);
}

static bool in_use(const struct index *x, uint32_t slot)
{
	return x->made > slot;
}

static void unlink_slot(struct index *x, uint32_t slot)
{
	uint32_t *at = chain_of(x, x->slots[slot].hash);

	while (*at != slot)
		at = &x->slots[*at].next;
	*at = x->slots[slot].next;
}

static void link_slot(struct index *x, uint32_t slot, const struct socket_id *id)
{
	uint32_t hash = hash_of(x, id), *chain = chain_of(x, hash);

	x->slots[slot] = (struct slot){.next = *chain, .hash = hash};
	*chain = slot;
	x->made++;
}

static bool same_id(const struct socket_id *a, const struct socket_id *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* ---- events ---- */

static struct socket_story *find_story(const struct socket_table *t, const struct socket_event *e)
{
	const struct index *x = &t->story_index;

	for (uint32_t i = first_slot(x, &e->id); i != NOWHERE; i = next_slot(x, i)) {
		struct socket_story *story = &t->stories[i];

		if (same_id(&story->id, &e->id) && story->netns == e->netns && story->isn == e->isn &&
		    story->own_isn == !!(e->flags & SOCKET_OWN_ISN))
			return story;
	}
	return NULL;
}

/* Might a connection still be reported with it? */
static bool is_wanted(const struct socket_table *t, const struct socket_story *story, uint64_t now)
{
	bool closed = story->step_count && story->states[story->step_count - 1] == SOCKET_CLOSE;

	return !story->joined && (!closed || story->time + t->wait > now);
}

static struct socket_story *begin_story(struct socket_table *t, const struct socket_event *e)
{
	uint32_t slot = oldest_slot(&t->story_index);
	struct socket_story *story = &t->stories[slot];

	if (in_use(&t->story_index, slot)) {
		unlink_slot(&t->story_index, slot);
		t->given_way += is_wanted(t, story, e->time);
	}
	*story = (struct socket_story){
		.id = e->id,
		.netns = e->netns,
		.isn = e->isn,
		.own_isn = e->flags & SOCKET_OWN_ISN,
	};
	link_slot(&t->story_index, slot, &e->id);
	return story;
}

static void add_step(struct socket_story *story, uint64_t time, uint8_t state)
{
	if (story->step_count == SOCKET_STEPS)
		return;
	story->entered[story->step_count] = time;
	story->states[story->step_count++] = state;
}

static void set_close(struct socket_close *close, const struct socket_event *e)
{
	*close = (struct socket_close){
		.time = e->time,
		.cgroup = e->cgroup,
		.pid = e->pid,
		.uid = e->uid,
		.unread = e->unread,
		.unsent = e->unsent,
		.from = e->from,
		.to = e->to,
		.flags = e->flags,
	};
	memcpy(close->name, e->name, sizeof(close->name));
}

/* The first call closed it; without one, the kernel did when it came to CLOSE. */
static bool closes(const struct socket_story *story, const struct socket_event *e)
{
	return !story->close.to && (e->flags & SOCKET_PROCESS || e->to == SOCKET_CLOSE);
}

static void take_story(struct socket_table *t, const struct socket_event *e, const char *reason)
{
	struct socket_story *story = find_story(t, e);

	if (!story)
		story = begin_story(t, e);
	story->time = e->time;
	story->srtt = e->srtt;
	story->retransmits = e->retransmits;
	switch (e->kind) {
	case SOCKET_STATE:
		add_step(story, e->time, e->to);
		if (closes(story, e))
			set_close(&story->close, e);
		break;
	case SOCKET_RESET_SENT:
		story->reset_reason = reason;
		break;
	case SOCKET_RESET_RECEIVED:
		story->reset_received = e->time;
		break;
	}
}

static void take_answer(struct socket_table *t, const struct socket_event *e, const char *reason)
{
	uint32_t slot = oldest_slot(&t->answer_index);
	struct answer *a = &t->answers[slot];

	if (in_use(&t->answer_index, slot))
		unlink_slot(&t->answer_index, slot);
	*a = (struct answer){e->id, e->number, e->flags & SOCKET_BY_ACK, e->time, reason};
	link_slot(&t->answer_index, slot, &a->id);
}

void socket_table_take(struct socket_table *t, const struct socket_event *e, const char *reason)
{
	if (e->kind == SOCKET_RESET_ANSWER)
		take_answer(t, e, reason);
	else
		take_story(t, e, reason);
}

/* ---- joining ---- */

static struct socket_id id_of(const struct flow_key *key, unsigned side)
{
	struct socket_id id = {
		.local_port = key->port[side],
		.remote_port = key->port[!side],
		.family = key->family,
	};

	address_to_bytes(id.local, &key->addr[side], key->family);
	address_to_bytes(id.remote, &key->addr[!side], key->family);
	return id;
}

static bool knows_isn(const struct flow_open *open, unsigned side)
{
	return open->seen & OPEN_SYNACK || (open->seen & OPEN_SYN && side == open->source);
}

/* Is the story that of this side of the flow? Taken up midstream, a flow has no number to tell by. */
static bool is_of(const struct socket_table *t, const struct socket_story *story, const struct flow *f, unsigned side)
{
	unsigned whose = story->own_isn ? side : !side;

	if (knows_isn(&f->open, whose))
		return story->isn == f->open.isn[whose];
	return !f->open.seen && story->netns == t->netns && story->time + SECOND_NS > f->t_first &&
	       story->time < f->t_last + SECOND_NS;
}

static const struct socket_story *find_side(struct socket_table *t, const struct flow_key *key, const struct flow *f,
					    unsigned side)
{
	const struct index *x = &t->story_index;
	struct socket_story *found = NULL;
	struct socket_id id = id_of(key, side);

	for (uint32_t i = first_slot(x, &id); i != NOWHERE; i = next_slot(x, i)) {
		struct socket_story *story = &t->stories[i];

		if (!same_id(&story->id, &id) || !is_of(t, story, f, side))
			continue;
		if (found)
			return NULL; /* which of them it is cannot be told */
		found = story;
	}
	if (found)
		found->joined = true;
	return found;
}

/* Why the reset that the flow keeps was sent, where it answered a segment: the numbers are those of the answer. */
static const char *answer_reason(const struct socket_table *t, const struct flow_key *key,
				 const struct flow_reset *reset)
{
	const struct index *x = &t->answer_index;
	struct socket_id id = id_of(key, reset->side);

	for (uint32_t i = first_slot(x, &id); i != NOWHERE; i = next_slot(x, i)) {
		const struct answer *a = &t->answers[i];

		if (same_id(&a->id, &id) && a->time < reset->time + SECOND_NS && reset->time < a->time + SECOND_NS &&
		    a->number == (a->by_ack ? reset->ack : reset->seq))
			return a->reason;
	}
	return NULL;
}

struct socket_join socket_table_find(struct socket_table *t, const struct flow_key *key, const struct flow *f)
{
	struct socket_join join = {.side = {find_side(t, key, f, 0), find_side(t, key, f, 1)}};
	const struct socket_story *sender = join.side[f->reset.side & 1];

	if (!(f->state & (FLOW_RESET | FLOW_LATE_RESET)) && !f->reset.time)
		return join;
	join.reset_reason = answer_reason(t, key, &f->reset);
	if (!join.reset_reason && sender)
		join.reset_reason = sender->reset_reason;
	return join;
}

/* ---- the table ---- */

struct socket_table *socket_table_new(uint32_t netns, uint64_t wait, uint32_t stories, uint32_t answers)
{
	struct socket_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->netns = netns;
	t->wait = wait;
	t->stories = calloc(stories, sizeof(*t->stories));
	t->answers = calloc(answers, sizeof(*t->answers));
	if (t->stories && t->answers && !index_init(&t->story_index, stories) && !index_init(&t->answer_index, answers))
		return t;
	socket_table_free(t);
	return NULL;
}

void socket_table_free(struct socket_table *t)
{
	if (!t)
		return;
	index_free(&t->story_index);
	index_free(&t->answer_index);
	free(t->stories);
	free(t->answers);
	free(t);
}

uint64_t socket_table_given_way(const struct socket_table *t)
{
	return t->given_way;
}
