// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A connection is reported by whoever takes it out of the tables, which only one can: see flow_tables_take.
 */
#include <errno.h>
#include <stdlib.h>

#include "user/judge/due.h"

static void report(struct due *d, uint32_t n, uint64_t word, bool cut)
{
	const struct due_report how = {.stray = word & PHASE_OPENING && flow_is_stray(&d->judged.flow), .cut = cut};

	if (how.stray)
		d->counters[COUNT_STRAY]++;
	d->report(d->context, &d->judged, n, &how);
}

/*
 * Takes the judged connection out and reports it. Copies of a stray segment need not be recognised, nor of a tuple in
 * use.
 */
static void take(struct due *d, uint32_t n, uint64_t word, uint64_t now)
{
	const struct flow *f = &d->judged.flow;
	bool bury = !(word & PHASE_REPLACED) && !(word & PHASE_OPENING && flow_is_stray(f));

	if (flow_tables_take(d->tables, n, word, f, bury))
		report(d, n, word, false);
	else
		timers_again(&d->timers, n, word >> 32, now + 1); /* it has changed meanwhile */
}

/* The close that the recorder has counted was none; the counter is the sum of what both have counted. */
static void uncount_close(struct due *d, uint64_t word)
{
	if (!(word & PHASE_OPEN))
		return;
	d->counters[COUNT_CLOSES]--;
	if (!(word & PHASE_MIDSTREAM))
		d->counters[COUNT_CLOSED]--;
}

static void set_timer(struct due *d, enum timer_kind kind, const struct notice *notice, uint64_t wait)
{
	uint64_t at = flow_time_after(notice->time, wait);

	if (at != FLOW_FOR_EVER)
		timers_add(&d->timers, kind, notice->slot - 1, notice->generation, at);
}

/* Its time has not come yet. */
static void wait_on(struct due *d, uint32_t n, uint64_t word)
{
	uint64_t at = flow_due(&d->judged.flow, &d->wait);

	if (at != FLOW_FOR_EVER)
		timers_again(&d->timers, n, word >> 32, at);
}

/* Judges the connection and reports it if it is due; else it waits on. timed: a timer is to end that wait. */
static void look(struct due *d, uint32_t n, uint64_t now, bool timed)
{
	const struct flow *f = &d->judged.flow;
	uint64_t word;

	if (!flow_tables_judge(d->tables, n, &d->judged, &word))
		return;
	if (word & PHASE_REPLACED || flow_is_due(f, now, &d->wait))
		take(d, n, word, now);
	else if (flow_waits_for(f) != FLOW_WAIT_NOTHING && !timed)
		return;
	else if (flow_waits_for(f) != FLOW_WAIT_NOTHING)
		wait_on(d, n, word);
	else if (word & PHASE_BEGUN && flow_tables_go_on(d->tables, n, word, f))
		uncount_close(d, word);
}

void due_notice(struct due *d, const struct notice *notice, uint64_t now)
{
	uint32_t n = notice->slot - 1;

	switch (notice->kind) {
	case NOTICE_ENDED:
		set_timer(d, TIMER_SETTLE, notice, d->wait.settle);
		break;
	case NOTICE_BEGUN:
		set_timer(d, TIMER_CLOSE, notice, d->wait.idle);
		break;
	case NOTICE_OPENING:
		set_timer(d, TIMER_OPENING, notice, d->wait.attempt);
		break;
	case NOTICE_REPLACED:
		if (d->tables->slots[n].word >> 32 == notice->generation)
			look(d, n, now, true);
		break;
	case NOTICE_LOST:
		flow_tables_bury_lost(d->tables, n);
		break;
	}
}

/* Fetches what the next ones to settle need, since their slots and logs have left the caches meanwhile. */
static void fetch_ahead(const struct due *d)
{
	uint32_t none = d->tables->slot_count, slot = timers_ahead(&d->timers, TIMER_SETTLE, 7, none);
	uint32_t rest = timers_ahead(&d->timers, TIMER_SETTLE, 3, none);

	if (slot < none)
		flow_tables_prefetch_slot(d->tables, slot);
	if (rest < none)
		flow_tables_prefetch_rest(d->tables, rest);
}

void due_expire(struct due *d, uint64_t now)
{
	struct timer timer;

	while (timers_take(&d->timers, now, &timer)) {
		fetch_ahead(d);
		if (d->tables->slots[timer.slot].word >> 32 == timer.generation)
			look(d, timer.slot, now, true);
	}
}

/* ns since when the connection waits, at the latest: no judgement can find an earlier time. */
static uint64_t waits_since(const struct due *d, const struct flow_slot *slot)
{
	uint64_t progress = slot->block ? d->tables->blocks[slot->block - 1].progress : 0;

	return progress ? progress : slot->open.t_ack;
}

/* May a wait be over? What the slot and its block say without a judgement; too often is no harm. */
static bool looks_due(const struct due *d, const struct flow_slot *slot, uint64_t word, uint64_t now)
{
	uint64_t since = waits_since(d, slot), wait = word & PHASE_BEGUN ? d->wait.idle : d->wait.attempt;

	if (word & PHASE_REPLACED)
		return true;
	if (!(word & (PHASE_OPENING | PHASE_BEGUN)) && !word_entries(word))
		return false;
	if (phase_done(word_phase(word)) && d->wait.settle < wait)
		wait = d->wait.settle;
	return now > since && now - since >= wait;
}

void due_scan(struct due *d, uint32_t first, uint32_t end, uint64_t now)
{
	for (uint32_t n = first; n < end; n++) {
		const struct flow_slot *slot = &d->tables->slots[n];
		uint64_t word = __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE);

		if (is_lost(word))
			flow_tables_bury_lost(d->tables, n);
		else if (word_phase(word) && !(word & PHASE_REPORTED) && looks_due(d, slot, word, now))
			look(d, n, now, false);
	}
}

void due_age(struct due *d, uint32_t first, uint32_t end)
{
	uint64_t word;

	for (uint32_t n = first; n < end; n++) {
		if (!flow_tables_age(d->tables, n) || !flow_tables_judge(d->tables, n, &d->judged, &word) ||
		    !flow_tables_take(d->tables, n, word, &d->judged.flow, false))
			continue;
		d->counters[COUNT_IDLE_FORGOTTEN]++;
		report(d, n, word, false);
	}
}

/* ---- the end ---- */

struct last {
	uint64_t since; /* ns: since when it waits */
	uint32_t slot, wait;
};

static int by_wait_and_time(const void *a, const void *b)
{
	const struct last *x = a, *y = b;

	if (x->wait != y->wait)
		return x->wait < y->wait ? -1 : 1;
	if (x->since != y->since)
		return x->since < y->since ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

/* All that is still there, in the order in which it is to be reported. Returns how many. */
static uint32_t list_last(struct due *d, struct last *list)
{
	const struct flow *f = &d->judged.flow;
	uint32_t count = 0;
	uint64_t word;

	for (uint32_t n = 0; n < d->tables->slot_count; n++)
		if (flow_tables_judge(d->tables, n, &d->judged, &word))
			list[count++] = (struct last){flow_waits_since(f), n, flow_waits_for(f)};
	qsort(list, count, sizeof(*list), by_wait_and_time);
	return count;
}

/* Does the end come before its wait is news? */
static bool is_cut(const struct due *d, const struct last *l, uint64_t now)
{
	return l->wait == FLOW_WAIT_NOTHING || now < flow_time_after(l->since, d->wait.close);
}

int due_finish(struct due *d, bool open, uint64_t now)
{
	struct last *list = malloc(d->tables->slot_count * sizeof(*list));
	uint32_t count;
	uint64_t word;

	if (!list)
		return -ENOMEM;
	count = list_last(d, list);
	for (uint32_t i = 0; i < count; i++)
		if (flow_tables_judge(d->tables, list[i].slot, &d->judged, &word) &&
		    flow_tables_take(d->tables, list[i].slot, word, &d->judged.flow, false) &&
		    (open || list[i].wait != FLOW_WAIT_NOTHING))
			report(d, list[i].slot, word, is_cut(d, &list[i], now));
	free(list);
	return 0;
}

void due_free(struct due *d)
{
	timers_free(&d->timers);
}
