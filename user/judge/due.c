// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A connection is reported by whoever takes it out of the tables, which only one can: see flow_tables_take.
 */
#include <errno.h>
#include <stdlib.h>

#include "user/judge/due.h"

static bool is_stray(uint64_t word, const struct flow *f)
{
	return word & PHASE_OPENING && flow_is_stray(f);
}

/*
 * flow_tables_judge, with what another interface has heard of the other direction. It may be reported next: so what the
 * other ones have seen is to be known by now, however long this process did not run.
 */
static bool judge_slot(struct due *d, uint32_t n, struct judged *j, uint64_t *word)
{
	flow_views_note_all(&d->views, d->tables);
	return half_views_judge(&d->views, d->tables, n, j, word);
}

/* Has the socket that the RST was sent to not taken it? Then that is noted in the log, and it is to be judged again. */
static bool reset_was_survived(struct due *d, uint32_t n, uint64_t word)
{
	const struct flow *f = &d->judged.flow;

	return d->survived && (f->state & (FLOW_PROVEN | FLOW_DONE)) == (FLOW_PROVEN | FLOW_RESET) &&
	       !(word & PHASE_REPLACED) && d->survived(d->context, &d->judged) &&
	       flow_tables_note_survived(d->tables, n, d->judged.half, f);
}

/* judge_slot, without the RSTs that were survived, which is asked once they would be reported. */
static bool judge_due(struct due *d, uint32_t n, uint64_t *word, uint64_t now)
{
	do
		if (!judge_slot(d, n, &d->judged, word))
			return false;
	while (flow_is_due(&d->judged.flow, now, &d->wait) && reset_was_survived(d, n, *word));
	return true;
}

/* What of the phase makes a wait another one. */
#define PHASE_STEPS (PHASE_OPENING | PHASE_OPEN | PHASE_FINS | PHASE_FINS_ACKED | PHASE_RESET)

static enum interim_kind kind_of(const struct due *d, uint32_t n)
{
	uint32_t block = d->tables->slots[n].block;

	if (!block)
		return INTERIM_SLOT;
	return block - 1 < d->tables->closing_blocks ? INTERIM_CLOSING : INTERIM_OPENING;
}

/* The slot's connection is in a record, and stays in the tables. */
static void note_told(struct due *d, uint32_t n, uint64_t word, const struct flow *f, bool complete)
{
	const struct interim put = {
		.last = f->t_last,
		.generation = (uint32_t)(word >> 32),
		.phase = word & PHASE_STEPS,
		.kind = kind_of(d, n),
		.complete = complete,
	};

	interims_put(&d->interims, n, &put);
}

/* ---- connections that may go on behind their last record ---- */

/* What a record says of a connection's RST: which one, whether it ended the connection, and whether it is denied. */
static uint32_t fate_of(const struct flow *f)
{
	return (uint32_t)(f->reset.time << 8) | (f->state & FLOW_DONE) | (f->reset.fate & RESET_DENIED);
}

/* Did this host send the RST, by a socket or without one? */
static bool was_sent_here(const struct flow_block *b, const struct flow *f)
{
	for (unsigned i = 0; i < BLOCK_ENTRIES; i++)
		if (b->entry[i].time == f->reset.time && b->entry[i].flags & TCP_RST)
			return b->entry[i].bits & (ENTRY_SOCKET | ENTRY_FILTER);
	return true; /* it is not listed: nobody knows */
}

/*
 * Has an RST ended the connection on its way through this host, so that it is not known for good whether its receiver
 * took it and who made it? It takes both sides' numbers to know what comes later for its own.
 */
static bool may_go_on(const struct due *d, uint32_t n, uint64_t word, const struct flow *f)
{
	const unsigned ended = FLOW_RESET | FLOW_PROVEN, other = FLOW_GRACEFUL | FLOW_REPLACED | FLOW_PAIRED;
	const struct flow_block *b = flow_tables_block(d->tables, d->tables->slots[n].block);

	return d->held.of && b && b->no_socket &&
	       (word & (PHASE_OPEN | PHASE_OPENING | PHASE_REPLACED)) == PHASE_OPEN &&
	       (f->state & (ended | other)) == ended && f->side[0].now.known & f->side[1].now.known & NUMBERS_END &&
	       !(f->reset.fate & RESET_GONE) &&
	       (f->reset.fate & (RESET_DENIED | RESET_ANSWERED)) != (RESET_DENIED | RESET_ANSWERED) &&
	       !was_sent_here(b, f);
}

/* flow_tables_take, which holds the log of one that may go on. */
static bool take_out(struct due *d, uint32_t n, uint64_t word, const struct flow *f, bool bury)
{
	if (!bury || !may_go_on(d, n, word, f))
		return flow_tables_take(d->tables, n, word, f, bury);
	if (!flow_tables_hold(d->tables, n, word, f))
		return false;
	held_flows_put(&d->held, d->tables, n, f->t_last);
	return true;
}

/* ---- one connection, seen at several interfaces ---- */

/* What becomes of the views of the judged connection: they are reported with it, for good or not, or counted. */
enum join_kind { JOIN_TAKE, JOIN_TELL, JOIN_GLANCE };

struct joining {
	enum join_kind kind;
	bool complete;   /* of JOIN_TELL: the record is final */
	bool stray;      /* it is a stray segment, as others that are joined */
	uint32_t lowest; /* slot of the joined ones */
	uint32_t half;   /* slot + 1 of the view whose side was judged with the judged connection's; 0: none */
	uint64_t half_word;
	struct flow_interfaces at;
	uint64_t first[RECORD_INTERFACES]; /* ns: when each of them saw it first */
	unsigned interfaces;
	struct related_peer apart[RELATED_MOST];
	unsigned aparts;
	bool counted;
};

/* Interfaces go by the time of the first segment that each has seen. */
static void add_interface(struct joining *w, uint32_t number, uint64_t first)
{
	unsigned at = w->interfaces < RECORD_INTERFACES ? w->interfaces : RECORD_INTERFACES - 1;

	for (unsigned i = 0; i < w->interfaces; i++)
		if (w->at.number[i] == number)
			return;
	w->interfaces = at + 1;
	for (; at > 0 && w->first[at - 1] > first; at--) {
		w->first[at] = w->first[at - 1];
		w->at.number[at] = w->at.number[at - 1];
	}
	w->first[at] = first;
	w->at.number[at] = number;
}

/* Those of a judgement, which may rest on two. */
static void add_interfaces(struct joining *w, const struct judged *j)
{
	add_interface(w, j->key.ifindex, j->first[0]);
	for (unsigned i = 0; i < RECORD_INTERFACES && j->half_at.number[i]; i++)
		add_interface(w, j->half_at.number[i], j->first[1]);
}

/* The view of flow f is taken out, or noted as told. False: it has changed since it was judged. */
static bool settle_view(struct due *d, const struct joining *w, uint32_t n, uint64_t word, const struct flow *f)
{
	if (w->kind == JOIN_TELL)
		note_told(d, n, word, f, w->complete);
	if (w->kind != JOIN_TAKE)
		return true;
	if (!take_out(d, n, word, f, !(word & PHASE_REPLACED)))
		return false;
	interims_end(&d->interims, n, (uint32_t)(word >> 32), fate_of(f));
	d->counters[COUNT_VIEWS_JOINED]++;
	return true;
}

/* The same of the view that heard the other side. What it has heard since is a straggler: the rest is in the report. */
static void settle_half(struct due *d, const struct joining *w, uint32_t half, uint64_t word, const struct flow *f)
{
	uint64_t now = word;

	while (half && now >> 32 == word >> 32 && !(now & PHASE_REPORTED) && !settle_view(d, w, half - 1, now, f))
		now = __atomic_load_n(&d->tables->slots[half - 1].word, __ATOMIC_ACQUIRE);
}

static void note_apart(struct joining *w, const struct judged *j)
{
	if (w->aparts < RELATED_MOST)
		w->apart[w->aparts++] = related_of_flow(&j->key, &j->flow, j->flow.open.source & 1);
}

static void join_view(struct due *d, struct joining *w, uint32_t n)
{
	uint64_t word;
	bool whole;

	if (!judge_slot(d, n, &d->other, &word) || is_stray(word, &d->other.flow) != w->stray ||
	    !flow_views_same(&d->judged.flow, &d->other.flow))
		return;
	whole = flow_views_agree(&d->judged.flow, &d->other.flow);
	if (!(whole || half_views_agree(&d->judged.flow, &d->other.flow, d->tables, n)) ||
	    !settle_view(d, w, n, word, &d->other.flow)) {
		note_apart(w, &d->other);
		d->views.of[n].counted |= w->kind == JOIN_TAKE || w->complete;
		return;
	}
	if (d->other.half != w->half)
		settle_half(d, w, d->other.half, d->other.half_word, &d->other.flow);
	add_interfaces(w, &d->other);
	if (whole)
		flow_views_merge(&d->judged, &d->other);
	w->lowest = n < w->lowest ? n : w->lowest;
}

/* Joins to the judged connection of slot n what other interfaces see of it; to a stray one, strays alone. */
static void join_views(struct due *d, struct joining *w, uint32_t n)
{
	const struct flow_key key = d->judged.key; /* joining may exchange the two */
	uint32_t other = 0;

	w->half = d->judged.half;
	w->half_word = d->judged.half_word;
	w->lowest = w->half && w->half - 1 < n ? w->half - 1 : n;
	w->counted = d->views.first && d->views.of[n].counted;
	add_interfaces(w, &d->judged);
	while ((other = flow_views_next(&d->views, d->tables, &key, other)))
		if (other - 1 != n && other != w->half)
			join_view(d, w, other - 1);
}

static void report_joined(struct due *d, uint32_t n, struct due_report *how, const struct joining *w)
{
	how->seen_at = &w->at;
	how->apart = w->apart;
	how->aparts = w->aparts;
	how->counted = w->counted;
	how->half = w->half;
	d->report(d->context, &d->judged, n, how);
}

/* ---- reports ---- */

/* Reports the judged connection, which has been taken out, unless it is in a final record with all that came. */
static void report(struct due *d, uint32_t n, uint64_t word, struct due_report how)
{
	const struct interim *told = interims_find(&d->interims, n, word >> 32);
	const struct interim *final = interims_final(&d->interims, n, word >> 32);
	struct joining views = {.kind = JOIN_TAKE};
	bool news;

	how.again = final;
	if (told)
		news = !told->complete || told->last != d->judged.flow.t_last;
	else
		news = !final || final->fate != fate_of(&d->judged.flow);
	views.stray = how.stray = is_stray(word, &d->judged.flow);
	interims_end(&d->interims, n, (uint32_t)(word >> 32), fate_of(&d->judged.flow));
	d->counters[COUNT_STRAY] += how.stray;
	join_views(d, &views, n);
	if (news)
		report_joined(d, n, &how, &views);
	settle_half(d, &views, views.half, views.half_word, &d->judged.flow);
}

/*
 * Takes the judged connection out and reports it. Copies of a stray segment need not be recognised, nor of a tuple in
 * use. False: it has changed meanwhile.
 */
static bool take(struct due *d, uint32_t n, uint64_t word, struct due_report how)
{
	bool bury = !(word & PHASE_REPLACED) && !is_stray(word, &d->judged.flow);

	if (!take_out(d, n, word, &d->judged.flow, bury))
		return false;
	report(d, n, word, how);
	return true;
}

/* ---- interim records ---- */

/*
 * Is the judged connection's wait news? It is once for each step that it waits for; of a connection whose record was
 * final, when more of it has come.
 */
static bool is_news(const struct due *d, uint32_t n, uint64_t word, uint64_t now)
{
	const struct interim *told = interims_find(&d->interims, n, word >> 32);

	if (!d->interims.of || now < flow_news_due(&d->judged.flow, &d->wait))
		return false;
	if (told && told->complete)
		return told->last != d->judged.flow.t_last;
	return !told || told->phase != (word & PHASE_STEPS);
}

/* May one more interim record be made? Up to a burst at once, then so many a second. */
static bool interim_allowed(struct due *d, uint64_t now)
{
	const uint64_t each = 1000000000 / DUE_INTERIM_A_SECOND, burst = DUE_INTERIM_BURST * each;

	if (now > d->interim_since + burst)
		d->interim_since = now - burst;
	if (now < d->interim_since + each)
		return false;
	d->interim_since += each;
	return true;
}

/* Reports the judged connection where it lies: it stays in the tables, because more may come. */
static void tell(struct due *d, uint32_t n, uint64_t word, uint64_t now)
{
	bool complete = flow_waits_for(&d->judged.flow) == FLOW_WAIT_REPEAT;
	struct due_report how = {.interim = !complete, .again = interims_final(&d->interims, n, word >> 32)};
	struct joining views = {.kind = JOIN_TELL, .complete = complete};

	note_told(d, n, word, &d->judged.flow, complete);
	if (is_stray(word, &d->judged.flow)) /* no connection; it is only known to have waited */
		return;
	if (how.interim && how.again) /* a final record is followed by final ones only */
		return;
	join_views(d, &views, n);
	settle_half(d, &views, views.half, views.half_word, &d->judged.flow);
	if (complete || interim_allowed(d, now))
		report_joined(d, n, &how, &views);
	else
		d->counters[COUNT_INTERIM_LIMITED]++;
}

/* Gives up a connection that is in an interim record. */
static void give_up(struct due *d, uint32_t n)
{
	uint64_t word;

	if (!judge_slot(d, n, &d->judged, &word) || !interims_find(&d->interims, n, word >> 32) ||
	    !take(d, n, word, (struct due_report){0}))
		interims_drop(&d->interims, n); /* it is no more, or has just changed: it is news again */
	else
		d->counters[COUNT_INTERIM_EVICTED]++;
}

/* Kinds, a bit each, that hold what is scarce. */
static unsigned kinds_to_give_up(struct due *d)
{
	unsigned kinds = 0;

	if (flow_tables_scarce(d->tables, TABLES_SLOTS))
		return (1u << INTERIM_KINDS) - 1;
	if (flow_tables_scarce(d->tables, TABLES_CLOSING))
		kinds |= 1u << INTERIM_CLOSING;
	if (flow_tables_scarce(d->tables, TABLES_OPENING))
		kinds |= 1u << INTERIM_OPENING;
	return kinds;
}

/* Copies and late RSTs come in this time, and what other interfaces saw; settling waits for stragglers. */
#define SETTLE_LEAST_NS 50000000

/* Is the judged connection's end decided, whatever comes late, and does it hold a log of the kind that is scarce? */
static bool may_end_early(const struct due *d)
{
	const struct flow *f = &d->judged.flow;

	if (flow_waits_for(f) == FLOW_WAIT_REPEAT)
		return flow_tables_scarce(d->tables, TABLES_OPENING);
	return flow_waits_for(f) == FLOW_WAIT_SETTLE && f->state & FLOW_GRACEFUL &&
	       flow_tables_scarce(d->tables, TABLES_CLOSING);
}

/* Reports the connection if that gives room. Else its timer is set again. */
static void end_early(struct due *d, const struct timer *timer)
{
	uint64_t word;

	if (!judge_slot(d, timer->slot, &d->judged, &word) || word >> 32 != timer->generation)
		return;
	if (may_end_early(d) && take(d, timer->slot, word, (struct due_report){.early = true}))
		d->counters[COUNT_SETTLED_EARLY]++;
	else
		timers_again(&d->timers, timer->slot, timer->generation, timer->due);
}

static void end_settling(struct due *d, uint64_t now)
{
	uint64_t early = d->wait.settle > SETTLE_LEAST_NS ? d->wait.settle - SETTLE_LEAST_NS : 0;
	struct timer timer;

	while ((flow_tables_scarce(d->tables, TABLES_CLOSING) || flow_tables_scarce(d->tables, TABLES_OPENING)) &&
	       timers_take_first(&d->timers, TIMER_SETTLE, now + early, &timer))
		end_early(d, &timer);
}

void due_relieve(struct due *d, uint64_t now)
{
	unsigned kinds;
	uint32_t n;

	while (d->held.count &&
	       (flow_tables_scarce(d->tables, TABLES_SLOTS) || flow_tables_scarce(d->tables, TABLES_CLOSING)))
		held_flows_relieve(&d->held, d->tables);
	end_settling(d, now);
	while ((kinds = kinds_to_give_up(d)) && (n = interims_oldest(&d->interims, kinds)))
		give_up(d, n - 1);
}

/* ---- what is due ---- */

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
static void wait_on(struct due *d, uint32_t n, uint64_t word, uint64_t now)
{
	uint64_t at = flow_due(&d->judged.flow, &d->wait), news = flow_news_due(&d->judged.flow, &d->wait);

	if (d->interims.of && news > now && news < at)
		at = news;
	if (at != FLOW_FOR_EVER)
		timers_again(&d->timers, n, word >> 32, at);
}

/* Its close was none. */
static void go_on(struct due *d, uint32_t n, uint64_t word)
{
	if (!flow_tables_go_on(d->tables, n, word, &d->judged.flow))
		return;
	interims_drop(&d->interims, n);
	uncount_close(d, word);
}

/* Judges the connection and reports it if it is due; else it waits on. timed: a timer is to end that wait. */
static void look(struct due *d, uint32_t n, uint64_t now, bool timed)
{
	const struct flow *f = &d->judged.flow;
	uint64_t word;

	if (!judge_due(d, n, &word, now))
		return;
	if (word & PHASE_REPLACED || flow_is_due(f, now, &d->wait)) {
		if (!take(d, n, word, (struct due_report){0}))
			timers_again(&d->timers, n, word >> 32, now + 1);
		return;
	}
	if (is_news(d, n, word, now))
		tell(d, n, word, now);
	if (flow_waits_for(f) != FLOW_WAIT_NOTHING && timed)
		wait_on(d, n, word, now);
	else if (flow_waits_for(f) == FLOW_WAIT_NOTHING && word & PHASE_BEGUN)
		go_on(d, n, word);
}

void due_notice(struct due *d, const struct notice *notice, uint64_t now)
{
	uint32_t n = notice->slot - 1;

	if (notice->kind <= NOTICE_REPLACED)
		flow_views_note(&d->views, d->tables, n);
	switch (notice->kind) {
	case NOTICE_ENDED:
		set_timer(d, TIMER_SETTLE, notice, d->wait.settle);
		break;
	case NOTICE_BEGUN:
		set_timer(d, TIMER_CLOSE, notice, d->interims.of ? d->wait.close : d->wait.idle);
		break;
	case NOTICE_OPENING:
		set_timer(d, TIMER_OPENING, notice, d->interims.of ? d->wait.syn : d->wait.attempt);
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

bool due_answer(struct due *d, const struct stray *x, const struct flow_interfaces *at, uint64_t now)
{
	bool found = false;
	uint32_t n = 0;

	while ((n = half_views_answer(&d->views, d->tables, x, at, n))) {
		timers_again(&d->timers, n - 1, d->tables->slots[n - 1].word >> 32, now);
		found = true;
	}
	for (unsigned i = 0; found && i < RECORD_INTERFACES && at->number[i]; i++)
		d->counters[COUNT_STRAY_RST]--; /* it is none */
	d->counters[COUNT_VIEWS_JOINED] += found;
	return found;
}

/*
 * Fetches what the next ones to settle need, since that has left the caches meanwhile: what a slot leads to is known
 * only once the slot has arrived, and so on.
 */
static void fetch_ahead(const struct due *d)
{
	uint32_t none = d->tables->slot_count, slot = timers_ahead(&d->timers, TIMER_SETTLE, 7, none);
	uint32_t rest = timers_ahead(&d->timers, TIMER_SETTLE, 4, none);
	uint32_t more = timers_ahead(&d->timers, TIMER_SETTLE, 1, none);

	if (slot < none) {
		flow_tables_prefetch_slot(d->tables, slot);
		interims_prefetch(&d->interims, slot);
	}
	if (rest < none) {
		flow_tables_prefetch_rest(d->tables, rest);
		if (d->fetch)
			d->fetch(d->context, &d->tables->slots[rest], false);
	}
	if (more < none && d->fetch)
		d->fetch(d->context, &d->tables->slots[more], true);
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
	const struct flow_block *b = flow_tables_block(d->tables, slot->block);

	return b && b->progress ? b->progress : slot->open.t_ack;
}

/* The shortest wait after which the slot's connection can be news or due. */
static uint64_t least_wait(const struct due *d, uint32_t n, uint64_t word)
{
	const struct interim *told = interims_find(&d->interims, n, word >> 32);
	bool again = told && told->phase == (word & PHASE_STEPS);
	uint64_t final = word & PHASE_BEGUN ? d->wait.idle : d->wait.attempt;
	uint64_t news = word & PHASE_BEGUN ? d->wait.close : d->wait.syn;

	if (again && told->complete)
		return d->wait.repeat;
	if (word & PHASE_BEGUN) /* the recorder may hold a forged FIN for the end: only a judgement tells */
		return d->wait.settle;
	return d->interims.of && !again && news < final ? news : final;
}

/* May a wait be over? What the slot and its block say without a judgement; too often is no harm. */
static bool looks_due(const struct due *d, uint32_t n, uint64_t word, uint64_t now)
{
	uint64_t since = waits_since(d, &d->tables->slots[n]);

	if (word & PHASE_REPLACED)
		return true;
	if (!(word & (PHASE_OPENING | PHASE_BEGUN)) && !word_entries(word))
		return false;
	return now > since && now - since >= least_wait(d, n, word);
}

void due_note_new(struct due *d)
{
	flow_views_note_new(&d->views, d->tables);
}

/* All of them are known before one is reported: see join_views. */
static void note_views(struct due *d, uint32_t first, uint32_t end)
{
	for (uint32_t n = first; d->views.first && n < end; n++) {
		uint64_t word = __atomic_load_n(&d->tables->slots[n].word, __ATOMIC_ACQUIRE);

		if (word_phase(word) && !(word & PHASE_REPORTED))
			flow_views_note(&d->views, d->tables, n);
	}
}

void due_scan(struct due *d, uint32_t first, uint32_t end, uint64_t now)
{
	note_views(d, first, end);
	for (uint32_t n = first; n < end; n++) {
		const struct flow_slot *slot = &d->tables->slots[n];
		uint64_t word = __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE);

		if (is_lost(word))
			flow_tables_bury_lost(d->tables, n);
		else if (word_phase(word) && !(word & PHASE_REPORTED) && looks_due(d, n, word, now))
			look(d, n, now, false);
	}
}

/* ---- what came behind a last record ---- */

/*
 * Does the judged connection, as it is now, say anything else than its record? One whose handshake was not seen stays
 * as long as it is open: without its log nothing would be known of it.
 */
static bool went_on(const struct due *d, uint32_t n, uint64_t word)
{
	const struct flow *f = &d->judged.flow;
	const struct interim *final = interims_final(&d->interims, n, word >> 32);

	return !(final && final->fate == fate_of(f)) &&
	       !(word & PHASE_MIDSTREAM && flow_waits_for(f) == FLOW_WAIT_NOTHING);
}

/* Resumes the connection of the slot, if it is held, and notes it behind `count` others. Returns how many there are. */
static uint32_t resume(struct due *d, uint32_t n, uint64_t word, uint32_t count, uint32_t list[HELD_MOST])
{
	if (count == HELD_MOST || !(word & PHASE_REPORTED) || !flow_tables_resume(d->tables, n, word))
		return count;
	held_flows_drop(&d->held, n);
	list[count++] = n;
	return count;
}

/* The same with what other interfaces have seen of the judged connection. */
static uint32_t resume_views(struct due *d, uint32_t n, uint64_t word, uint32_t count, uint32_t list[HELD_MOST])
{
	uint32_t other = 0;

	count = resume(d, n, word, count, list);
	while ((other = flow_views_next(&d->views, d->tables, &d->judged.key, other)))
		if (held_flows_has(&d->held, other - 1))
			count = resume(d, other - 1, d->tables->slots[other - 1].word, count, list);
	return count;
}

/* Resumes those that went on. Returns how many. */
static uint32_t resume_all(struct due *d, uint64_t now, uint64_t settle, uint32_t list[HELD_MOST])
{
	uint32_t at = 0, count = 0, n;
	uint64_t word;

	while ((n = held_flows_changed(&d->held, d->tables, &at, now, settle, d->wait.attempt))) {
		if (!flow_tables_judge_held(d->tables, n - 1, &d->judged, &word))
			d->held.of[at - 1].changed = now; /* an entry is being written */
		else if (went_on(d, n - 1, word))
			count = resume_views(d, n - 1, word, count, list);
	}
	return count;
}

/* How often they are looked at: 0.1 % of a CPU where there are as many as can be. */
#define HELD_LOOK_NS 250000000

void due_look_at_held(struct due *d, uint64_t now)
{
	uint32_t list[HELD_MOST], count;

	if (now < d->held.looked + HELD_LOOK_NS)
		return;
	d->held.looked = now;
	count = resume_all(d, now, d->wait.settle, list);
	for (uint32_t i = 0; i < count; i++)
		look(d, list[i], now, true);
}

/* Hands over the connection if its close has begun and goes on: with the first one of its views. */
static void glance(struct due *d, uint32_t n, uint64_t now)
{
	const struct flow *f = &d->judged.flow;
	struct due_report how = {.interim = true, .glance = true};
	struct joining views = {.kind = JOIN_GLANCE};
	uint64_t word;

	flow_views_note(&d->views, d->tables, n);
	if (!judge_slot(d, n, &d->judged, &word) || flow_waits_for(f) != FLOW_WAIT_CLOSE || is_stray(word, f))
		return;
	join_views(d, &views, n);
	how.stuck = now >= flow_news_due(f, &d->wait);
	if (views.lowest == n)
		report_joined(d, n, &how, &views);
}

void due_look_at_waiting(struct due *d, uint64_t now)
{
	for (uint32_t n = 0; n < d->tables->slot_count; n++) {
		uint64_t word = __atomic_load_n(&d->tables->slots[n].word, __ATOMIC_ACQUIRE);

		flow_tables_prefetch_word(d->tables, n + SLOTS_AHEAD);
		if (word & PHASE_BEGUN && !(word & PHASE_REPORTED))
			glance(d, n, now);
	}
}

void due_age(struct due *d, uint32_t first, uint32_t end)
{
	uint64_t word;

	for (uint32_t n = first; n < end; n++) {
		if (!flow_tables_age(d->tables, n) || !judge_slot(d, n, &d->judged, &word) ||
		    !flow_tables_take(d->tables, n, word, &d->judged.flow, false))
			continue;
		d->counters[COUNT_IDLE_FORGOTTEN]++;
		report(d, n, word, (struct due_report){0});
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
		if (judge_due(d, n, &word, UINT64_MAX))
			list[count++] = (struct last){flow_waits_since(f), n, flow_waits_for(f)};
	qsort(list, count, sizeof(*list), by_wait_and_time);
	return count;
}

/* Does the end come before its wait is news? */
static bool is_cut(const struct due *d, const struct last *l, uint64_t now)
{
	return flow_wait_is_open(l->wait) || now < flow_time_after(l->since, d->wait.close);
}

/* The view that heard the other side of the judged connection, which is not reported, goes with it. */
static void drop_half(struct due *d)
{
	const struct joining none = {.kind = JOIN_TAKE};

	settle_half(d, &none, d->judged.half, d->judged.half_word, &d->judged.flow);
}

int due_finish(struct due *d, bool open, uint64_t now)
{
	struct last *list = malloc(d->tables->slot_count * sizeof(*list));
	uint32_t count, resumed[HELD_MOST];
	uint64_t word;

	if (!list)
		return -ENOMEM;
	note_views(d, 0, d->tables->slot_count);
	resume_all(d, now, 0, resumed);
	count = list_last(d, list);
	for (uint32_t i = 0; i < count; i++) {
		if (!judge_slot(d, list[i].slot, &d->judged, &word) ||
		    !flow_tables_take(d->tables, list[i].slot, word, &d->judged.flow, false))
			continue;
		if (open || !flow_wait_is_open(list[i].wait) || flow_may_have_ended(&d->judged.flow) ||
		    interims_final(&d->interims, list[i].slot, word >> 32))
			report(d, list[i].slot, word, (struct due_report){.cut = is_cut(d, &list[i], now)});
		else
			drop_half(d);
	}
	free(list);
	return 0;
}

/* ---- more connections than may be ---- */

static bool timer_is_over(const void *context, const struct timer *timer)
{
	const struct flow_tables *t = context;
	uint64_t word = t->slots[timer->slot].word;

	return word >> 32 != timer->generation || word & PHASE_REPORTED;
}

void due_drop_timers(struct due *d)
{
	timers_drop(&d->timers, timer_is_over, d->tables);
}

/* All that are held but the newest one, the longest silent one first. Returns how many. */
static uint32_t list_silent(const struct due *d, const struct due_limit *l, struct last *list)
{
	uint32_t count = 0;

	for (uint32_t n = 0; n < d->tables->slot_count; n++) {
		uint64_t word = d->tables->slots[n].word;

		if (word_phase(word) && !(word & PHASE_REPORTED) && n + 1 != l->slot)
			list[count++] = (struct last){.since = l->heard(l->context, n), .slot = n};
	}
	qsort(list, count, sizeof(*list), by_wait_and_time);
	return count;
}

/* Judges it; one whose close was none goes on before. */
static bool judge_for_good(struct due *d, uint32_t n, uint64_t *word)
{
	if (!judge_slot(d, n, &d->judged, word))
		return false;
	if (flow_waits_for(&d->judged.flow) != FLOW_WAIT_NOTHING || !(*word & PHASE_BEGUN))
		return true;
	go_on(d, n, *word);
	return judge_slot(d, n, &d->judged, word);
}

/* Nothing is lost of one that has ended; of a stray segment, report counts it. */
static void count_cut(struct due *d, uint64_t word, uint32_t wait)
{
	if (flow_wait_is_open(wait))
		d->counters[COUNT_FLOWS_FORGOTTEN]++;
	else if (wait != FLOW_WAIT_SETTLE && wait != FLOW_WAIT_REPEAT && !is_stray(word, &d->judged.flow))
		d->counters[COUNT_FLOWS_CUT]++;
}

/* Reports it as it is. An open one leaves nothing behind: its close is that of a connection older than the file. */
static void cut_off(struct due *d, uint32_t n, uint64_t now)
{
	const struct flow *f = &d->judged.flow;
	struct last l = {.slot = n};
	uint64_t word;
	bool bury;

	if (!judge_for_good(d, n, &word))
		return;
	l.since = flow_waits_since(f);
	l.wait = flow_waits_for(f);
	bury = !flow_wait_is_open(l.wait) && !(word & PHASE_REPLACED) && !is_stray(word, &d->judged.flow);
	if (!flow_tables_take(d->tables, n, word, f, bury))
		return;
	count_cut(d, word, l.wait);
	report(d, n, word, (struct due_report){.cut = is_cut(d, &l, now)});
}

int due_make_room(struct due *d, const struct due_limit *l, uint64_t now, uint32_t *held)
{
	struct last *list = malloc(d->tables->slot_count * sizeof(*list));
	uint32_t count;

	if (!list)
		return -ENOMEM;
	count = list_silent(d, l, list);
	*held = count + 1;
	for (uint32_t i = 0; *held > l->most && i + l->keep < *held; i++)
		cut_off(d, list[i].slot, now);
	free(list);
	due_drop_timers(d);
	return 0;
}

void due_free(struct due *d)
{
	timers_free(&d->timers);
	held_flows_free(&d->held);
	interims_free(&d->interims);
	flow_views_free(&d->views);
}
