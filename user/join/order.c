// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A segment each way tells which of two views is nearer to the source, without knowing their clocks: between a segment
 * from the source and one from the destination, the nearer view sees the longer time, by the ways between the two. If
 * only one direction was seen by both, this host's sockets may tell, or the offset of the clocks by other connections.
 */
#include "user/join/order.h"

#include <stdlib.h>
#include <string.h>

#define RESOLUTION 2000 /* ns: two time stamps of a capture in microseconds */
#define END_NS 1000000  /* a host answers a SYN, or a SYN-ACK, within that time */
#define END_SHARE 10    /* and within that part of the round trip */

const char *place_name(enum place place)
{
	static const char *const names[] = {[PLACE_UNKNOWN] = "unknown",
					    [AT_SOURCE] = "source",
					    [AT_DESTINATION] = "destination",
					    [BETWEEN] = "between"};

	return names[place];
}

/* ---- at which end? ---- */

static bool has_socket(const struct view *view, enum role role)
{
	const struct record_socket *s = &view->record.socket[view_role(view, role)];

	return s->known || s->how != HOW_UNKNOWN || s->process.holders;
}

/* Is the step so short that its segment was answered on this host? */
static bool is_answered_here(int64_t step, int64_t round_trip)
{
	return step >= 0 && round_trip >= 0 && step <= END_NS && step <= round_trip / END_SHARE;
}

/* A host that has the sockets of both ends tells nothing; then, and without sockets, the handshake's times may. */
static enum place place_of(const struct view *view)
{
	const struct record *r = &view->record;
	bool source = has_socket(view, SOURCE), destination = has_socket(view, DESTINATION);
	const int64_t *t = r->timing;

	if (source != destination)
		return source ? AT_SOURCE : AT_DESTINATION;
	if (r->midstream || r->syn_retransmits || r->synack_retransmits)
		return PLACE_UNKNOWN;
	if (is_answered_here(t[T_SYNACK_TO_ACK], t[T_INITIAL_RTT]))
		return AT_SOURCE;
	return is_answered_here(t[T_SYN_TO_SYNACK], t[T_INITIAL_RTT]) ? AT_DESTINATION : PLACE_UNKNOWN;
}

/* The segments that a vantage has in the record of a made SYN belong to its view of the connection as well. */
static void add_made(struct way *way, const struct view *made)
{
	for (unsigned i = 0; i < way->count; i++)
		if (way->views[i].view->vantage == made->vantage)
			sightings_add(&way->views[i].sightings, made);
}

void way_begin(struct way *way, const struct view *views, size_t count)
{
	unsigned taken = count < JOINED_VIEWS ? (unsigned)count : JOINED_VIEWS;

	way->count = way->made = way->placed = 0;
	way->left_out = (unsigned)(count - taken);
	for (unsigned i = 0; i < taken; i++) {
		struct joined_view *j = &way->views[i];

		*j = (struct joined_view){.view = &views[i], .place = place_of(&views[i])};
		sightings_add(&j->sightings, &views[i]);
		if (views[i].made) {
			add_made(way, &views[i]);
			way->made++;
		} else {
			way->count++;
		}
	}
}

/* ---- segments that both saw ---- */

struct common {
	const struct sighting *a, *b;
	int64_t ahead; /* ns by the clock of b less those by the clock of a */
};

/* Copies are told apart by nothing: only where both saw one alone is it surely the same. */
static unsigned find_common(struct common common[SIGHTINGS_MOST], const struct joined_view *a,
			    const struct joined_view *b)
{
	unsigned count = 0;

	for (unsigned i = 0; i < a->sightings.count; i++) {
		const struct sighting *of_a = &a->sightings.list[i], *first, *of_b;

		if (sightings_find(&a->sightings, &of_a->key, &first) != 1 ||
		    sightings_find(&b->sightings, &of_a->key, &of_b) != 1 || !of_a->timed || !of_b->timed)
			continue;
		common[count++] = (struct common){of_a, of_b, (int64_t)(of_b->time - of_a->time)};
	}
	return count;
}

/* > 0: a is nearer to the source, < 0: b is, 0: the segments do not tell, or contradict each other. */
static int nearer_by_segments(const struct common *common, unsigned count)
{
	bool a = false, b = false;

	for (unsigned i = 0; i < count; i++)
		for (unsigned k = 0; k < count; k++) {
			const struct common *onward = &common[i], *back = &common[k];
			int64_t margin = RESOLUTION + clocks_drift(onward->a->time, back->a->time);

			if (onward->a->key.from != SOURCE || back->a->key.from != DESTINATION)
				continue;
			a |= onward->ahead - back->ahead > margin;
			b |= back->ahead - onward->ahead > margin;
		}
	return a - b;
}

static int nearer_by_places(const struct joined_view *a, const struct joined_view *b)
{
	if (a->place == b->place || a->place == PLACE_UNKNOWN || b->place == PLACE_UNKNOWN)
		return 0;
	return a->place == AT_SOURCE || b->place == AT_DESTINATION ? 1 : -1;
}

/*
 * Where only one direction was seen by both. A segment that passed a first shows b's clock ahead by the offset and the
 * way, one that passed b first by the offset less the way. The offset lies in the middle of what is possible, unless
 * one way is more than three times as long as the other: so far it is trusted here.
 */
static int nearer_by_clocks(const struct clocks *clocks, const struct joined_view *a, const struct joined_view *b,
			    const struct common *common, unsigned count)
{
	unsigned of_a = a->view->vantage, of_b = b->view->vantage;

	for (unsigned i = 0; i < count; i++) {
		struct clock_offset offset = clocks_offset(clocks, of_a, of_b, common[i].a->time);
		int way = common[i].a->key.from == SOURCE ? 1 : -1;

		if (!offset.known)
			continue;
		if (common[i].ahead >= offset.ahead + offset.error / 2)
			return way;
		if (common[i].ahead <= offset.ahead - offset.error / 2)
			return -way;
	}
	return 0;
}

static int nearer(const struct clocks *clocks, const struct joined_view *a, const struct joined_view *b)
{
	struct common common[SIGHTINGS_MOST];
	unsigned count = find_common(common, a, b);
	int found = nearer_by_segments(common, count);

	if (a->view->vantage == b->view->vantage)
		return 0;
	found = found ? found : nearer_by_places(a, b);
	return found || !clocks ? found : nearer_by_clocks(clocks, a, b, common, count);
}

void way_sample(const struct way *way, struct clocks *clocks)
{
	struct common common[SIGHTINGS_MOST];

	for (unsigned i = 0; i < way->count; i++)
		for (unsigned k = i + 1; k < way->count; k++) {
			const struct joined_view *a = &way->views[i], *b = &way->views[k];
			int near = nearer(NULL, a, b);
			unsigned count = near ? find_common(common, a, b) : 0;

			for (unsigned n = 0; n < count; n++) {
				bool a_first = (common[n].a->key.from == SOURCE) == (near > 0);
				const struct joined_view *first = a_first ? a : b, *second = a_first ? b : a;
				uint64_t at_a = common[n].a->time, at_b = common[n].b->time;

				clocks_add(clocks, first->view->vantage, second->view->vantage, a_first ? at_a : at_b,
					   a_first ? at_b : at_a);
			}
		}
}

/* ---- order ---- */

struct relations {
	int nearer[JOINED_VIEWS][JOINED_VIEWS]; /* [a][b] > 0: a is nearer to the source than b */
};

static void relate(const struct way *way, const struct clocks *clocks, struct relations *r)
{
	for (unsigned i = 0; i < way->count; i++)
		for (unsigned k = i + 1; k < way->count; k++) {
			r->nearer[i][k] = nearer(clocks, &way->views[i], &way->views[k]);
			r->nearer[k][i] = -r->nearer[i][k];
		}
}

static unsigned strangers(const struct way *way, const struct relations *r, unsigned of)
{
	unsigned count = 0;

	for (unsigned k = 0; k < way->count; k++)
		count += k != of && way->views[k].placed && !r->nearer[of][k];
	return count;
}

/* Leaves out views, those with most unknown neighbours first, until each knows its place beside each other one. */
static void leave_strangers_out(struct way *way, const struct relations *r)
{
	for (;;) {
		unsigned worst = 0, most = 0;

		for (unsigned i = 0; i < way->count; i++)
			if (way->views[i].placed && strangers(way, r, i) >= most && strangers(way, r, i)) {
				most = strangers(way, r, i);
				worst = i;
			}
		if (!most)
			return;
		way->views[worst].placed = false;
	}
}

/* How many placed views are nearer to the source. */
static unsigned rank_of(const struct way *way, const struct relations *r, unsigned of)
{
	unsigned rank = 0;

	for (unsigned k = 0; k < way->count; k++)
		rank += k != of && way->views[k].placed && r->nearer[k][of] > 0;
	return rank;
}

static void sort_views(struct way *way, const struct relations *r)
{
	struct joined_view sorted[JOINED_VIEWS];
	unsigned count = 0;

	for (unsigned rank = 0; rank < way->count; rank++)
		for (unsigned i = 0; i < way->count; i++)
			if (way->views[i].placed && rank_of(way, r, i) == rank)
				sorted[count++] = way->views[i];
	way->placed = count;
	for (unsigned i = 0; i < way->count; i++)
		if (!way->views[i].placed)
			sorted[count++] = way->views[i];
	memcpy(way->views, sorted, way->count * sizeof(sorted[0]));
}

void way_order(struct way *way, const struct clocks *clocks)
{
	struct relations r = {0};

	relate(way, clocks, &r);
	for (unsigned i = 0; i < way->count; i++)
		way->views[i].placed = true;
	leave_strangers_out(way, &r);
	sort_views(way, &r);
	for (unsigned i = 1; i + 1 < way->placed; i++)
		if (way->views[i].place == PLACE_UNKNOWN)
			way->views[i].place = BETWEEN;
	for (unsigned m = 0; m < way->made; m++)
		for (unsigned i = 0; i < way->count; i++)
			if (way->views[i].view->vantage == way->views[way->count + m].view->vantage)
				way->views[way->count + m].place = way->views[i].place;
}
