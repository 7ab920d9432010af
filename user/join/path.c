// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * For each two neighbours and each direction: which segments of the first one the second one lacks, which of the second
 * one the first one lacks, and how long the others took. A view lacks a segment only if it would have listed it: while
 * it was watching, with room in its record, and from the connection's beginning on where the segment is of the
 * handshake.
 */
#include "user/join/path.h"

#include <string.h>

const char *deed_name(enum deed deed)
{
	static const char *const names[] = {
		[DEED_LOST] = "lost", [DEED_REORDERED] = "reordered", [DEED_DELAYED] = "delayed", [DEED_MADE] = "made"};

	return names[deed];
}

/* Two neighbours, and the direction in which segments pass them. */
struct hop {
	struct path *path;
	const struct way *way;
	const struct views *views;
	const struct clocks *clocks;
	enum role from;
	unsigned first, second; /* views in the order in which the segments pass them */
};

static const struct joined_view *view_of(const struct hop *h, unsigned n)
{
	return &h->way->views[n];
}

static void add(const struct hop *h, enum deed deed, const struct sighting *of, unsigned view, unsigned count,
		bool timed, int64_t delay)
{
	struct path *path = h->path;

	if (path->count == PATH_MOST)
		return;
	path->entries[path->count++] = (struct path_entry){.deed = deed,
							   .of = *of,
							   .view = view,
							   .near = h->first < h->second ? h->first : h->second,
							   .far = h->first < h->second ? h->second : h->first,
							   .count = count,
							   .timed = timed && of->timed,
							   .delay = delay};
}

/* ---- would the view have listed it? ---- */

/* What the clock of the view `to` showed when that of `from` showed `time`, about. False: not known. */
static bool map_time(const struct hop *h, unsigned from, unsigned to, uint64_t time, uint64_t *mapped)
{
	unsigned a = view_of(h, from)->view->vantage, b = view_of(h, to)->view->vantage;
	struct clock_offset offset = clocks_offset(h->clocks, a, b, time);
	int64_t ahead;

	if (offset.known)
		*mapped = time + (uint64_t)offset.ahead;
	else if (clocks_fastest(h->clocks, a, b, time, &ahead))
		*mapped = time + (uint64_t)ahead;
	else if (clocks_fastest(h->clocks, b, a, time, &ahead))
		*mapped = time - (uint64_t)ahead;
	else
		return false;
	return true;
}

/* When the view is known to have still been watching the connection. */
static uint64_t watched_until(const struct hop *h, const struct view *view)
{
	const struct record *r = &view->record;

	if (!r->final)
		return r->finish;
	return view_waits(r) ? h->views->vantages[view->vantage]->until : r->finish + WATCHED_ON;
}

static bool was_watching(const struct hop *h, unsigned lacking, unsigned seen_by, const struct sighting *of)
{
	const struct view *view = view_of(h, lacking)->view;
	uint64_t time;

	if (!of->timed || !map_time(h, seen_by, lacking, of->time, &time))
		return false;
	return time <= watched_until(h, view) && (!view->record.midstream || time >= view->record.start);
}

static bool is_of_handshake(const struct hop *h, const struct sighting *of)
{
	const struct view *view = view_of(h, 0)->view;
	enum role peer_role = h->from == SOURCE ? DESTINATION : SOURCE;
	int64_t isn = view_isn(view, h->from), peer = view_isn(view, peer_role);

	if (of->key.kind == KIND_SYN || of->key.kind == KIND_SYN_ACK)
		return true;
	return isn >= 0 && peer >= 0 && of->key.kind == KIND_ACK && of->key.number == (uint32_t)(isn + 1) &&
	       of->key.ack == (uint32_t)(peer + 1);
}

/* The first FIN that the ACK acknowledges, of those that the view lists; NULL without one. */
static const struct sighting *fin_of_ack(const struct sightings *s, const struct sighting *ack)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->list[i].key.kind == KIND_FIN && s->list[i].key.from != ack->key.from &&
		    s->list[i].key.number + 1 == ack->key.ack)
			return &s->list[i];
	return NULL;
}

/* Had the view `to` not had that FIN yet when `from` had the ACK? Then the ACK is of a FIN that `to` has not seen. */
static bool came_before_fin(const struct hop *h, unsigned from, unsigned to, const struct sighting *ack)
{
	const struct sighting *fin = fin_of_ack(&view_of(h, to)->sightings, ack);
	uint64_t time;

	return fin && fin->timed && ack->timed && map_time(h, from, to, ack->time, &time) && time < fin->time;
}

#define COMPLETE_ACK 4      /* of Wireshark's tcp.completeness */
#define UNSURE_NS 100000000 /* ns: half of the shortest time that Linux waits before it repeats a segment */

/*
 * Were both FINs acknowledged at the view before the ACK would long have come? From then on ACKs are not listed, so
 * that one that another segment has overtaken is not missed.
 */
static bool may_have_come_late(const struct hop *h, unsigned lacking, unsigned seen_by, const struct sighting *ack)
{
	const struct record *r = &view_of(h, lacking)->view->record;
	int fin = r->evidence[EVIDENCE_FIN_ACK], peer_fin = r->evidence[EVIDENCE_PEER_FIN_ACK];
	uint64_t time, finished;

	if (fin < 0 || peer_fin < 0 || !map_time(h, seen_by, lacking, ack->time, &time))
		return false;
	finished = r->start + r->segments[fin > peer_fin ? fin : peer_fin].t;
	return finished < time + UNSURE_NS;
}

/*
 * Would the view list the ACK? It lists the first segment that completes a handshake, be it data or an ACK, and ACKs of
 * a FIN that it has seen. Other ACKs are not always listed.
 */
static bool would_list_ack(const struct hop *h, unsigned lacking, unsigned seen_by, const struct sighting *ack)
{
	const struct joined_view *j = view_of(h, lacking);

	if (is_of_handshake(h, ack))
		return !(j->view->record.completeness & COMPLETE_ACK);
	return !j->sightings.folded_acks[h->from] && fin_of_ack(&j->sightings, ack) &&
	       !came_before_fin(h, seen_by, lacking, ack) && !may_have_come_late(h, lacking, seen_by, ack);
}

/* RSTs that their receiver did not act on are not all listed, but counted. */
static bool has_unlisted_resets(const struct record *r)
{
	unsigned listed = 0;

	for (unsigned i = 0; i < r->segment_count; i++)
		if (r->segments[i].flags & TCP_RST && r->segments[i].mark & SEGMENT_IGNORED)
			listed += r->segments[i].count;
	return r->reset.ignored > listed;
}

/*
 * Does the RST answer what a made SYN has brought about? Where the connection's own SYN was ahead of it, the record of
 * the made one had ended, and the RST is in none.
 */
static bool refuses_made(const struct joined_view *j, const struct sighting *reset)
{
	for (unsigned i = 0; i < j->sightings.count; i++) {
		const struct sighting *s = &j->sightings.list[i];

		if (s->made && s->key.kind == KIND_SYN && s->key.from == reset->key.from &&
		    reset->key.number == s->key.number + 1)
			return true;
	}
	return false;
}

/* Would this view, which lacks the segment, list it if it had come by? */
static bool would_list(const struct hop *h, unsigned lacking, unsigned seen_by, const struct sighting *of)
{
	const struct joined_view *j = view_of(h, lacking);

	if (of->made && of->key.kind == KIND_SYN)
		return true; /* as the beginning of another record, which is not there: views_group has looked */
	if (j->view->record.segments_lost || !was_watching(h, lacking, seen_by, of))
		return false;
	if (is_of_handshake(h, of) && j->view->record.midstream)
		return false;
	if (of->key.kind == KIND_RST)
		return !has_unlisted_resets(&j->view->record) && !refuses_made(j, of);
	return of->key.kind != KIND_ACK || would_list_ack(h, lacking, seen_by, of);
}

/* ---- lost and made ---- */

/*
 * Is it known which of several copies is missing? It is the first one where the first one that came did so later than a
 * segment takes, by UNSURE_NS.
 */
static bool is_time_known(const struct hop *h, const struct sighting *many, const struct sighting *few, unsigned times,
			  enum deed deed)
{
	unsigned first = view_of(h, h->first)->view->vantage, second = view_of(h, h->second)->view->vantage;
	int64_t fastest;

	if (times == 1)
		return true;
	if (deed == DEED_MADE || !few || !few->timed || !clocks_fastest(h->clocks, first, second, many->time, &fastest))
		return false;
	return (int64_t)(few->time - many->time) - fastest > UNSURE_NS;
}

/* What `seen_by` saw more often than `lacking`. */
static void find_missing(const struct hop *h, unsigned seen_by, unsigned lacking, enum deed deed)
{
	const struct sightings *seen = &view_of(h, seen_by)->sightings;

	for (unsigned i = 0; i < seen->count; i++) {
		const struct sighting *of = &seen->list[i], *first, *other;
		unsigned times, there;

		if (of->key.from != h->from || !sightings_is_first(seen, of))
			continue;
		times = sightings_find(seen, &of->key, &first);
		there = sightings_find(&view_of(h, lacking)->sightings, &of->key, &other);
		if (times <= there || (deed == DEED_MADE && of->key.kind == KIND_ACK) ||
		    !would_list(h, lacking, seen_by, of))
			continue;
		add(h, deed, of, seen_by, times - there, is_time_known(h, of, other, times, deed), 0);
	}
}

/* ---- delayed and reordered ---- */

/*
 * The same segment at both views; false where copies make that uncertain. An ACK of a FIN that only the first view has
 * seen is not the later one of the FIN that both have.
 */
static bool find_pair(const struct hop *h, const struct sighting *at_first, const struct sighting **at_second)
{
	const struct sighting *first;

	if (at_first->key.from != h->from || !at_first->timed)
		return false;
	if (at_first->key.kind == KIND_ACK && came_before_fin(h, h->first, h->second, at_first))
		return false;
	return sightings_find(&view_of(h, h->first)->sightings, &at_first->key, &first) == 1 &&
	       sightings_find(&view_of(h, h->second)->sightings, &at_first->key, at_second) == 1 && (*at_second)->timed;
}

/* Did a segment that was sent after it come before it? */
static bool is_overtaken(const struct hop *h, const struct sighting *at_first, const struct sighting *at_second)
{
	const struct sightings *seen = &view_of(h, h->first)->sightings;

	for (unsigned i = 0; i < seen->count; i++) {
		const struct sighting *later = &seen->list[i], *came;

		if (find_pair(h, later, &came) && later->time > at_first->time && came->time < at_second->time)
			return true;
	}
	return false;
}

/* ns behind the fastest segment of the direction. */
static int64_t delay_of(const struct hop *h, const struct sighting *at_first, const struct sighting *at_second)
{
	unsigned first = view_of(h, h->first)->view->vantage, second = view_of(h, h->second)->view->vantage;
	int64_t fastest, took = (int64_t)(at_second->time - at_first->time);

	if (!clocks_fastest(h->clocks, first, second, at_first->time, &fastest))
		return 0;
	return took > fastest ? took - fastest : 0;
}

static bool is_delayed(const struct hop *h, const struct sighting *at_first, int64_t delay)
{
	unsigned first = view_of(h, h->first)->view->vantage, second = view_of(h, h->second)->view->vantage;
	struct clock_offset offset = clocks_offset(h->clocks, first, second, at_first->time);

	return delay > DELAYED_NS && !offset.set && (!offset.known || delay > 2 * offset.error);
}

static void find_late(const struct hop *h)
{
	const struct sightings *seen = &view_of(h, h->first)->sightings;

	for (unsigned i = 0; i < seen->count; i++) {
		const struct sighting *of = &seen->list[i], *came;
		int64_t delay;

		if (!find_pair(h, of, &came))
			continue;
		delay = delay_of(h, of, came);
		if (is_overtaken(h, of, came))
			add(h, DEED_REORDERED, of, h->first, 1, true, delay);
		else if (is_delayed(h, of, delay))
			add(h, DEED_DELAYED, of, h->first, 1, true, delay);
	}
}

static void find_all(struct hop *h, enum role from, unsigned first, unsigned second)
{
	h->from = from;
	h->first = first;
	h->second = second;
	find_missing(h, first, second, DEED_LOST);
	find_missing(h, second, first, DEED_MADE);
	find_late(h);
}

void path_find(struct path *path, const struct way *way, const struct views *views, const struct clocks *clocks)
{
	struct hop h = {.path = path, .way = way, .views = views, .clocks = clocks};

	path->count = 0;
	for (unsigned near = 0; near + 1 < way->placed; near++) {
		find_all(&h, SOURCE, near, near + 1);
		find_all(&h, DESTINATION, near + 1, near);
	}
}
