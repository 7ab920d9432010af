// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The path between two ends: delay, loss, copies and reordering on both sides of the capture; and a history's clock.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/histories/native/history.h"

void history_room(bool enough, const char *what)
{
	if (enough)
		return;
	fprintf(stderr, "histories: no room for more %s\n", what);
	exit(1);
}

/* ---- the clock ---- */

static bool is_before(const struct event *a, const struct event *b)
{
	return a->time != b->time ? a->time < b->time : a->order < b->order;
}

/* A binary heap. */
void network_after(struct history *h, uint64_t wait, action *act, unsigned side, uint64_t value)
{
	const struct event new = {h->now + wait, h->order++, side, act, value};
	unsigned at = h->event_count++;

	history_room(at < EVENTS_MAX, "events");
	for (; at && is_before(&new, &h->events[(at - 1) / 2]); at = (at - 1) / 2)
		h->events[at] = h->events[(at - 1) / 2];
	h->events[at] = new;
}

static struct event next_event(struct history *h)
{
	const struct event first = h->events[0], last = h->events[--h->event_count];
	unsigned at = 0, child;

	while ((child = 2 * at + 1) < h->event_count) {
		if (child + 1 < h->event_count && is_before(&h->events[child + 1], &h->events[child]))
			child++;
		if (!is_before(&h->events[child], &last))
			break;
		h->events[at] = h->events[child];
		at = child;
	}
	h->events[at] = last;
	return first;
}

void network_run(struct history *h, uint64_t until)
{
	while (h->event_count && h->events[0].time <= until) {
		const struct event e = next_event(h);

		h->now = e.time;
		e.act(h, e.side, e.value);
	}
}

/* ---- one segment ---- */

bool network_happens(struct history *h, unsigned percent)
{
	return percent && random_below(&h->random, 100) < percent;
}

/* A segment is lost three times at most. */
static bool is_lost(struct history *h, const struct sent *s)
{
	uint64_t end = sent_end(s);
	unsigned i = 0;

	if (h->lost_syns && s->side == 0 && s->flags & TCP_SYN && (s->passed || history_below(h, 2))) {
		h->lost_syns--;
		return true;
	}
	if (s->flags & TCP_RST || !network_happens(h, h->quality.lost))
		return false;
	while (i < h->losses_count &&
	       (h->losses[i].side != s->side || h->losses[i].seq != s->seq || h->losses[i].end != end))
		i++;
	if (i == h->losses_count) {
		history_room(i < LOSSES_MAX, "losses");
		h->losses[i].seq = s->seq;
		h->losses[i].end = end;
		h->losses[i].side = s->side;
		h->losses[i].times = 0;
		h->losses_count++;
	}
	return ++h->losses[i].times <= 3;
}

static bool may_stray(const struct sent *s)
{
	return !(s->flags & TCP_CONTROL);
}

/* FIFO, but for what is reordered. Distinct times, so that a capture's order is that of its times. */
static uint64_t arrival(struct history *h, const struct sent *s, unsigned place, uint64_t delay)
{
	uint64_t time = h->now + delay + history_below(h, 100000), *last = &h->last[s->side][place];

	if (time < *last + 1000)
		time = *last + 1000;
	if (may_stray(s) && network_happens(h, h->quality.reordered))
		return time + history_between(h, 2 * MS, 40 * MS);
	*last = time;
	return time;
}

static void receive(struct history *h, unsigned side, uint64_t n)
{
	end_receive(h, side, &h->sent[n]);
}

static void pass_capture(struct history *h, unsigned side, uint64_t n)
{
	struct sent *s = &h->sent[n];
	uint64_t wait;

	(void)side;
	s->seen = h->now;
	s->passed = true;
	h->passed[h->passed_count++] = (uint16_t)n;
	if (is_lost(h, s))
		return;
	wait = arrival(h, s, 1, h->delay[!s->side]) - h->now;
	network_after(h, wait, receive, !s->side, n);
	if (may_stray(s) && network_happens(h, h->quality.copied)) /* behind the capture, which sees one */
		network_after(h, wait + history_below(h, MS), receive, !s->side, n);
}

static struct sent *add(struct history *h, const struct sent *s)
{
	history_room(h->sent_count < SENT_MAX, "segments");
	h->sent[h->sent_count] = *s;
	h->sent[h->sent_count].sent = h->now;
	return &h->sent[h->sent_count++];
}

void network_transmit(struct history *h, const struct sent *s)
{
	struct sent *added = add(h, s);

	added->ip_id = ++h->ids[s->side];
	if (!is_lost(h, added))
		network_after(h, arrival(h, added, 0, h->delay[s->side]) - h->now, pass_capture, s->side,
			      h->sent_count - 1);
}

void network_inject(struct history *h, const struct sent *s)
{
	struct sent *added = add(h, s);

	added->forged = true;
	added->ip_id = (uint16_t)random_next(&h->random);
	pass_capture(h, s->side, h->sent_count - 1);
}
