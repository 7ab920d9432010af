// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How bad a connection's end was: who lost what comes first, then what never came, then what was late.
 */
#include "user/report/worst.h"

#include <stdlib.h>

#include "user/base/clock.h"
#include "user/record/groups.h"
#include "user/report/case_html.h"

enum rank { RANK_NONE, RANK_SLOW, RANK_UNSEEN, RANK_REFUSED, RANK_STUCK, RANK_RESET, RANK_DATA_LOST, RANK_NETWORK };

#define SLOW_NS SECOND_NS /* a close that takes longer waited for an application or for a repetition */

static bool lost_data(const struct record *r)
{
	for (int role = SOURCE; role <= DESTINATION; role++)
		if (r->socket[role].known && (r->socket[role].unread_bytes > 0 || r->socket[role].unsent_bytes > 0))
			return true;
	return false;
}

static enum rank rank_of(const struct record *r)
{
	if (r->closer == NETWORK || r->reset.forged == YES)
		return RANK_NETWORK;
	switch (r->outcome) {
	case OUTCOME_RESET:
		return lost_data(r) ? RANK_DATA_LOST : RANK_RESET;
	case OUTCOME_HANDSHAKE_RESET:
		return RANK_RESET;
	case OUTCOME_UNFINISHED:
	case OUTCOME_UNANSWERED:
		return RANK_STUCK;
	case OUTCOME_REFUSED:
		return RANK_REFUSED;
	case OUTCOME_UNKNOWN:
		return RANK_UNSEEN;
	default:
		return r->late_reset || r->timing[T_CLOSE] > (int64_t)SLOW_NS ? RANK_SLOW : RANK_NONE;
	}
}

static int64_t cost_of(const struct record *r)
{
	int64_t cost = r->silence > r->timing[T_CLOSE] ? r->silence : r->timing[T_CLOSE];

	return cost > 0 ? cost : r->timing[T_LIFETIME];
}

/* FNV-1a: what meets by chance, or by somebody's will, only shows fewer of it. */
static uint64_t kind_of(const struct record *r)
{
	static const struct groups groups = {{GROUP_OUTCOME, GROUP_PROCESS, GROUP_PORT, GROUP_REASON}, 4};
	struct group_key key;
	uint64_t hash = 0xcbf29ce484222325;

	groups_key(&groups, r, &key);
	for (unsigned i = 0; i < key.len; i++)
		hash = (hash ^ key.bytes[i]) * 0x100000001b3;
	return (hash ^ (r->reset.phase | r->missing << 4)) * 0x100000001b3;
}

/* The worse case comes first. */
static int compare(const void *a, const void *b)
{
	const struct worst_case *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? 1 : -1;
	if (x->cost != y->cost)
		return x->cost < y->cost ? 1 : -1;
	return (x->order > y->order) - (x->order < y->order);
}

/* The least bad case of the rank that has most of them, so that no rank fills the page. */
static struct worst_case *least_of_largest(struct worst *w, unsigned *count, unsigned *rank)
{
	unsigned counts[RANK_NETWORK + 1] = {0};
	struct worst_case *least = NULL;

	*rank = 0;
	for (unsigned i = 0; i < w->count; i++)
		counts[w->cases[i].rank]++;
	for (unsigned i = 0; i <= RANK_NETWORK; i++)
		*rank = counts[i] >= counts[*rank] ? i : *rank;
	*count = counts[*rank];
	for (struct worst_case *c = w->cases; c < w->cases + w->count; c++)
		if (c->rank == *rank && (!least || compare(c, least) > 0))
			least = c;
	return least;
}

static unsigned count_of_rank(const struct worst *w, unsigned rank)
{
	unsigned count = 0;

	for (unsigned i = 0; i < w->count; i++)
		count += w->cases[i].rank == rank;
	return count;
}

/* The case of a full list that the new one replaces; NULL: none. */
static struct worst_case *find_lesser(struct worst *w, const struct worst_case *new)
{
	unsigned count, rank;
	struct worst_case *least = least_of_largest(w, &count, &rank);

	if (rank != new->rank && count > count_of_rank(w, new->rank) + 1)
		return least;
	for (struct worst_case *c = w->cases; c < w->cases + w->count; c++)
		if (c->rank == new->rank && compare(c, least->rank == new->rank ? least : c) >= 0)
			least = c;
	return compare(new, least) < 0 && least->rank == new->rank ? least : NULL;
}

/* The case that a new one replaces or is appended as; NULL: it is none of the worst. */
static struct worst_case *find_place(struct worst *w, const struct worst_case *new)
{
	struct worst_case *least_alike = NULL;
	unsigned alike = 0;

	for (struct worst_case *c = w->cases; c < w->cases + w->count; c++) {
		if (c->kind != new->kind)
			continue;
		alike++;
		if (!least_alike || compare(c, least_alike) > 0)
			least_alike = c;
	}
	if (alike == WORST_OF_A_KIND)
		return compare(new, least_alike) < 0 ? least_alike : NULL;
	if (w->count < WORST_CASES)
		return &w->cases[w->count++];
	return find_lesser(w, new);
}

void worst_add(struct worst *w, const struct record *r)
{
	struct worst_case new = {.rank = rank_of(r), .cost = cost_of(r), .order = ++w->added}, *place;

	if (new.rank == RANK_NONE)
		return;
	new.kind = kind_of(r);
	place = find_place(w, &new);
	if (!place)
		return;
	new.html = place->html;
	new.html.len = 0;
	case_html(&new.html, r);
	*place = new;
}

void worst_sort(struct worst *w)
{
	qsort(w->cases, w->count, sizeof(w->cases[0]), compare);
}

void worst_free(struct worst *w)
{
	for (unsigned i = 0; i < w->count; i++)
		buffer_free(&w->cases[i].html);
	w->count = 0;
}
