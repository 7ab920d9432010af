// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What follows from the views and the path together: how the connection ended, who began it, and how long each way
 * took.
 */
#include "user/join/joined.h"

const char *exchange_name(enum exchange exchange)
{
	static const enum timing timings[EXCHANGES] = {T_SYN_TO_SYNACK, T_SYNACK_TO_ACK, T_FIN_TO_ACK,
						       T_PEER_FIN_TO_ACK};

	return timing_name(timings[exchange]);
}

/* ---- how it ended ---- */

/* An outcome that a later one in this order says more than. */
static int weight(enum outcome outcome)
{
	static const int weights[OUTCOMES] = {[OUTCOME_OPEN] = 0,
					      [OUTCOME_UNKNOWN] = 1,
					      [OUTCOME_GRACEFUL] = 2,
					      [OUTCOME_UNFINISHED] = 3,
					      [OUTCOME_UNANSWERED] = 4,
					      [OUTCOME_REFUSED] = 5,
					      [OUTCOME_HANDSHAKE_RESET] = 6,
					      [OUTCOME_RESET] = 7};

	return weights[outcome];
}

/* The time by the first view's clock: with the offset of that time, since clocks drift. False: it is not known. */
static bool common_time(const struct joined *j, unsigned view, uint64_t time, uint64_t *common)
{
	uint64_t about = time - (uint64_t)j->offset[view].ahead;
	struct clock_offset offset =
		clocks_offset(j->clocks, j->way->views[0].view->vantage, j->way->views[view].view->vantage, about);

	*common = time - (uint64_t)offset.ahead;
	return offset.known;
}

static bool is_end(const struct sighting *s)
{
	return (s->key.kind == KIND_FIN || s->key.kind == KIND_RST) && s->timed && !s->made &&
	       !(s->segment->mark & SEGMENT_IGNORED);
}

/* How many of the segments with that key the network made between their alleged sender and that view. */
static unsigned made_before(const struct joined *j, unsigned view, const struct segment_key *key)
{
	unsigned count = 0;

	for (unsigned i = 0; j->path && i < j->path->count; i++) {
		const struct path_entry *e = &j->path->entries[i];

		if (e->deed == DEED_MADE && segment_key_equal(&e->of.key, key) &&
		    (key->from == SOURCE ? e->view <= view : e->view >= view))
			count += e->count;
	}
	return count;
}

/*
 * A FIN that was made: did it move its receiver to close, or to reset? Where a FIN or RST of the alleged sender's own
 * came first, that would have ended the connection all the same.
 */
static bool made_fin_was_answered(const struct joined *j, enum role from)
{
	unsigned receiver = from == SOURCE ? j->way->placed - 1 : 0;
	const struct sightings *s = &j->way->views[receiver].sightings;
	int genuine = 0;

	for (unsigned i = 0; i < s->count && genuine <= 0; i++) {
		const struct sighting *seen = &s->list[i];

		if (!is_end(seen))
			continue;
		if (seen->key.from != from)
			return true;
		genuine += (int)seen->count;
		if (sightings_is_first(s, seen))
			genuine -= (int)made_before(j, receiver, &seen->key);
	}
	return genuine <= 0;
}

/* Did the network end the connection with this segment, the first FIN or RST of all? */
static bool network_ended_it(const struct joined *j, unsigned view, const struct sighting *s)
{
	if (!made_before(j, view, &s->key))
		return false;
	return s->key.kind == KIND_RST || made_fin_was_answered(j, s->key.from);
}

struct first_end {
	enum role by; /* NOBODY: none was seen */
	uint64_t time;
};

/* The first FIN or RST of all views that its receiver acted on, by the first view's clock. */
static struct first_end find_first_end(const struct joined *j)
{
	struct first_end first = {.by = NOBODY};
	uint64_t time;

	for (unsigned v = 0; v < j->way->count; v++)
		for (unsigned i = 0; i < j->way->views[v].sightings.count; i++) {
			const struct sighting *s = &j->way->views[v].sightings.list[i];

			if (!is_end(s) || !common_time(j, v, s->time, &time) ||
			    (first.by != NOBODY && time >= first.time))
				continue;
			first = (struct first_end){network_ended_it(j, v, s) ? NETWORK : s->key.from, time};
		}
	return first;
}

/* Who closed first, if all views that know it say the same; else NOBODY. */
static enum role closer_of_all(const struct joined *j)
{
	enum role closer = NOBODY;

	for (unsigned v = 0; v < j->way->count; v++) {
		enum role said = view_role(j->way->views[v].view, j->way->views[v].view->record.closer);

		if (said == NOBODY)
			continue;
		if (closer != NOBODY && closer != said)
			return NOBODY;
		closer = said;
	}
	return closer;
}

static void find_end(struct joined *j)
{
	struct first_end first = find_first_end(j);

	j->closer = first.by == NETWORK ? NETWORK : closer_of_all(j);
	if (j->closer == NOBODY)
		j->closer = first.by;
	j->final = true;
	j->outcome = OUTCOME_OPEN;
	for (unsigned v = 0; v < j->way->count; v++) {
		const struct record *r = &j->way->views[v].view->record;

		j->final &= r->final;
		if (weight(r->outcome) > weight(j->outcome))
			j->outcome = r->outcome;
	}
}

/* ---- one way ---- */

/* The first segment of a kind and role in the view; NULL without one. */
static const struct sighting *find_kind(const struct sightings *s, enum segment_kind kind, enum role from)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->list[i].key.kind == kind && s->list[i].key.from == from && !s->list[i].made)
			return &s->list[i];
	return NULL;
}

/*
 * The first SYN-ACK that acknowledges the SYN, and data with it (Fast Open): another one answers a made SYN. NULL
 * without one.
 */
static const struct sighting *find_syn_ack(const struct sightings *s)
{
	const struct sighting *syn = find_kind(s, KIND_SYN, SOURCE);

	for (unsigned i = 0; i < s->count; i++) {
		const struct segment_key *key = &s->list[i].key;

		if (key->kind == KIND_SYN_ACK && key->from == DESTINATION && !s->list[i].made &&
		    (!syn || key->ack - syn->key.number - 1 < UINT16_MAX))
			return &s->list[i];
	}
	return NULL;
}

/* The sighting of an entry of the record's segments; NULL for -1. */
static const struct sighting *find_entry(const struct joined_view *v, int entry)
{
	for (unsigned i = 0; entry >= 0 && i < v->sightings.count; i++)
		if (v->sightings.list[i].segment == &v->view->record.segments[entry])
			return &v->sightings.list[i];
	return NULL;
}

/* The two segments of an exchange, as the view lists them. NULL for one that it does not. */
static void find_exchange(const struct joined_view *v, enum exchange e, const struct sighting *pair[2])
{
	const int *evidence = v->view->record.evidence;
	const struct sightings *s = &v->sightings;

	pair[0] = pair[1] = NULL;
	if (e == SYN_TO_SYNACK) {
		pair[0] = find_kind(s, KIND_SYN, SOURCE);
		pair[1] = find_syn_ack(s);
	} else if (e == SYNACK_TO_ACK) {
		pair[0] = find_syn_ack(s);
		pair[1] = find_kind(s, KIND_ACK, SOURCE);
		if (pair[0] && pair[1] && pair[1]->key.ack != pair[0]->key.number + 1)
			pair[1] = NULL;
	} else {
		pair[0] = find_entry(v, evidence[e == FIN_TO_ACK ? EVIDENCE_FIN : EVIDENCE_PEER_FIN]);
		pair[1] = find_entry(v, evidence[e == FIN_TO_ACK ? EVIDENCE_FIN_ACK : EVIDENCE_PEER_FIN_ACK]);
	}
}

/* The one segment of that key in both; false where copies make it uncertain. */
static bool find_in(const struct sightings *own, const struct sightings *other, const struct sighting *of,
		    const struct sighting **there)
{
	const struct sighting *first;

	return of && of->timed && sightings_find(own, &of->key, &first) == 1 &&
	       sightings_find(other, &of->key, there) == 1 && (*there)->timed;
}

static struct shares share(const struct joined *j, enum exchange e)
{
	const struct joined_view *near = &j->way->views[0], *far = &j->way->views[j->way->placed - 1];
	const struct sighting *pair[2], *there[2];
	struct clock_offset offset;
	int64_t first, second;

	find_exchange(near, e, pair);
	offset = clocks_offset(j->clocks, near->view->vantage, far->view->vantage, pair[0] ? pair[0]->time : 0);
	if (!offset.known || !find_in(&near->sightings, &far->sightings, pair[0], &there[0]) ||
	    !find_in(&near->sightings, &far->sightings, pair[1], &there[1]) || pair[0]->key.from == pair[1]->key.from)
		return (struct shares){.known = false};
	first = (int64_t)(there[0]->time - pair[0]->time) - offset.ahead;
	second = (int64_t)(there[1]->time - pair[1]->time) - offset.ahead;
	if (pair[0]->key.from == SOURCE)
		return (struct shares){true, first, (int64_t)(there[1]->time - there[0]->time), -second, offset.error};
	return (struct shares){true, -first, (int64_t)(pair[1]->time - pair[0]->time), second, offset.error};
}

void joined_make(struct joined *j, const struct way *way, const struct path *path, const struct clocks *clocks)
{
	const struct view *first = way->views[0].view;

	*j = (struct joined){.way = way, .path = way->placed > 1 ? path : NULL, .clocks = clocks};
	for (unsigned v = 0; v < way->count + way->made; v++)
		j->offset[v] = clocks_offset(clocks, first->vantage, way->views[v].view->vantage, first->record.start);
	find_end(j);
	for (enum exchange e = 0; e < EXCHANGES && j->path; e++)
		j->shares[e] = share(j, e);
}
