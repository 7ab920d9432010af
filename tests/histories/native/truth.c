// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>
#include <string.h>

#include "tests/histories/native/truth.h"

#define SETTLE (500 * MS)    /* --settle: what comes later than this behind the last step is not in the record */
#define OVERTAKEN (100 * MS) /* of one side's segments further apart, the first one seen was sent first */
#define TWICE MS             /* equal bytes within this are one packet that was captured twice */
#define LISTED 16            /* segments of a close that a record lists at least */

#define BIT(field) (1u << (field))
#define BOTH_OF(field) (BIT(field) | BIT((field) + 1))
#define TIMES (BIT(FIELD_FIN_TO_ACK) | BIT(FIELD_HALF_CLOSED) | BIT(FIELD_PEER_FIN_TO_ACK) | BIT(FIELD_CLOSE))
#define CLOSER (BIT(FIELD_CLOSER) | BIT(FIELD_TIME_WAIT) | BIT(FIELD_PATTERN))
#define CLOSING (BIT(FIELD_OUTCOME) | BIT(FIELD_MISSING) | CLOSER | TIMES)
#define RESET                                                                                                 \
	(BIT(FIELD_RESET_BY) | BIT(FIELD_RESET_PHASE) | BIT(FIELD_RESET_VALIDITY) | BIT(FIELD_RESET_FORGED) | \
	 BIT(FIELD_LATE_RESET))

const char *const truth_names[FIELDS] = {
	[FIELD_OUTCOME] = "outcome",
	[FIELD_PATTERN] = "pattern",
	[FIELD_CLOSER] = "closer",
	[FIELD_TIME_WAIT] = "time_wait",
	[FIELD_MISSING] = "missing",
	[FIELD_FIN_TO_ACK] = "fin_to_ack",
	[FIELD_HALF_CLOSED] = "half_closed",
	[FIELD_PEER_FIN_TO_ACK] = "peer_fin_to_ack",
	[FIELD_CLOSE] = "close",
	[FIELD_RESET_BY] = "reset.by",
	[FIELD_RESET_PHASE] = "reset.phase",
	[FIELD_RESET_VALIDITY] = "reset.validity",
	[FIELD_RESET_FORGED] = "reset.forged",
	[FIELD_LATE_RESET] = "late_reset",
	[FIELD_MIDSTREAM] = "midstream",
	[FIELD_ISN] = "isn.source",
	[FIELD_ISN + 1] = "isn.destination",
	[FIELD_BYTES] = "source.bytes",
	[FIELD_BYTES + 1] = "destination.bytes",
	[FIELD_FINS] = "retransmits.fin_source",
	[FIELD_FINS + 1] = "retransmits.fin_destination",
	[FIELD_SYNS] = "retransmits.syn",
	[FIELD_SYNS + 1] = "retransmits.syn_ack",
};

/* What is known of a history beside the fields. */
struct truth {
	const struct history *h;
	const struct sent *passed[SENT_MAX]; /* in the order of time */
	unsigned count;
	bool graceful;
	const struct sent *reset; /* the first one that was taken, or tells of its sender's end; NULL */
	enum role closer;
	enum outcome outcome;
	uint64_t last_step;
};

/* ---- kinds of segments ---- */

enum kind {
	KIND_FIN,  /* the side's own */
	KIND_ACK,  /* acknowledges the side's FIN */
	KIND_SYN,  /* the SYN of the source, the SYN-ACK of the destination */
	KIND_BARE, /* acknowledges the side's FIN ahead of the other one's */
};

static bool is_of(const struct history *h, const struct sent *s, enum kind kind, unsigned side)
{
	const struct end *e = &h->end[side], *other = &h->end[!side];
	bool acks = s->side != side && s->flags & TCP_ACK && e->fin && s->ack >= e->fin;

	if (s->forged)
		return false;
	switch (kind) {
	case KIND_FIN:
		return s->side == side && s->flags & TCP_FIN;
	case KIND_ACK:
		return acks;
	case KIND_SYN:
		return s->side == side && (s->flags & (TCP_SYN | TCP_ACK)) == (side ? TCP_SYN | TCP_ACK : TCP_SYN);
	default:
		return acks && !(s->flags & TCP_FIN) && sent_end(s) < other->fin;
	}
}

static const struct sent *first_of(const struct truth *t, enum kind kind, unsigned side)
{
	for (unsigned i = 0; i < t->count; i++)
		if (is_of(t->h, t->passed[i], kind, side))
			return t->passed[i];
	return NULL;
}

/* Was the first one captured? Where none passed, nothing is missing. */
static bool shows_first(const struct truth *t, enum kind kind, unsigned side)
{
	const struct sent *s = first_of(t, kind, side);

	return !s || !s->hidden;
}

static bool shows_all(const struct truth *t, enum kind kind, unsigned side)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->passed[i]->hidden && is_of(t->h, t->passed[i], kind, side))
			return false;
	return true;
}

static bool shows_any(const struct truth *t, enum kind kind, unsigned side)
{
	for (unsigned i = 0; i < t->count; i++)
		if (!t->passed[i]->hidden && is_of(t->h, t->passed[i], kind, side))
			return true;
	return false;
}

static bool shows_everything(const struct truth *t)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->passed[i]->hidden)
			return false;
	return true;
}

/*
 * One that ended its receiver or tells of its sender's end; not one that was forged and ignored, nor one that a host
 * without memory sent for an old acknowledgment.
 */
static bool is_taken_reset(const struct truth *t, const struct sent *s)
{
	if (s->flags & TCP_RST && strstr(t->h->play.script->name, "_forgets"))
		return s->seq == t->h->end[!s->side].ended_by;
	return s->flags & TCP_RST && (!s->forged || !strncmp(t->h->play.script->name, "forged_of", 9));
}

/* ---- what happened ---- */

static enum role first_closer(const struct history *h)
{
	if (!h->end[0].fin || !h->end[1].fin)
		return h->end[0].fin ? SOURCE : DESTINATION;
	if (!h->end[0].fin_knew_peer && !h->end[1].fin_knew_peer)
		return BOTH;
	return h->end[0].fin_knew_peer ? DESTINATION : SOURCE;
}

static bool is_script(const struct history *h, const char *name)
{
	return !strcmp(h->play.script->name, name);
}

/* Did anything of the source pass behind its SYN? */
static bool source_goes_on(const struct truth *t)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->passed[i]->side == 0 && !t->passed[i]->forged && !(t->passed[i]->flags & TCP_SYN))
			return true;
	return false;
}

static enum outcome find_outcome(const struct truth *t)
{
	const struct history *h = t->h;

	if (t->graceful)
		return OUTCOME_GRACEFUL;
	if (t->reset && h->end[0].knows_peer && h->end[1].knows_peer && !is_script(h, "cancelled"))
		return OUTCOME_RESET;
	if (t->reset)
		return is_script(h, "refused") ? OUTCOME_REFUSED : OUTCOME_HANDSHAKE_RESET;
	if (!h->end[1].knows_peer || !source_goes_on(t))
		return OUTCOME_UNANSWERED;
	return first_of(t, KIND_FIN, 0) || first_of(t, KIND_FIN, 1) ? OUTCOME_UNFINISHED : OUTCOME_OPEN;
}

/* When the close was complete. */
static uint64_t find_last_step(const struct truth *t)
{
	uint64_t one, two;

	if (!t->graceful)
		return t->reset ? t->reset->seen : t->count ? t->passed[t->count - 1]->seen : 0;
	one = first_of(t, KIND_ACK, 0)->seen;
	two = first_of(t, KIND_ACK, 1)->seen;
	return one > two ? one : two;
}

static void truth_begin(struct truth *t, const struct history *h)
{
	t->h = h;
	t->count = h->passed_count;
	t->reset = NULL;
	for (unsigned i = 0; i < t->count; i++) {
		t->passed[i] = &h->sent[h->passed[i]];
		if (!t->reset && is_taken_reset(t, t->passed[i]))
			t->reset = t->passed[i];
	}
	t->graceful = first_of(t, KIND_ACK, 0) && first_of(t, KIND_ACK, 1);
	t->outcome = find_outcome(t);
	t->closer = first_closer(h);
	t->last_step = find_last_step(t);
}

/* ---- the fields ---- */

static void name(struct fields *f, enum field field, int64_t value)
{
	f->value[field] = value;
	f->named |= BIT(field);
}

static bool fin_before(const struct truth *t, unsigned side, uint64_t time)
{
	const struct sent *fin = first_of(t, KIND_FIN, side);

	return fin && fin->seen < time;
}

/* Of a close that was not graceful. */
static int64_t other_closer(const struct truth *t)
{
	uint64_t ends = t->reset ? t->reset->seen : UINT64_MAX;
	bool one = fin_before(t, 0, ends), two = fin_before(t, 1, ends);

	if (one || two)
		return one && two ? (int64_t)t->closer : two;
	if (!t->reset)
		return NOTHING;
	return t->reset->forged ? NETWORK : t->reset->side;
}

/* Of an unfinished close: the acknowledgment of the first FIN, the other side's FIN, or the acknowledgment of that. */
static int64_t missing(const struct truth *t)
{
	unsigned side = t->closer == DESTINATION || !first_of(t, KIND_FIN, 0);

	if (!first_of(t, KIND_ACK, side))
		return side ? MISSING_SOURCE_ACK : MISSING_DESTINATION_ACK;
	if (first_of(t, KIND_FIN, !side))
		return side ? MISSING_DESTINATION_ACK : MISSING_SOURCE_ACK;
	return side ? MISSING_SOURCE_FIN : MISSING_DESTINATION_FIN;
}

static void name_closing(struct fields *f, const struct truth *t)
{
	bool both = t->closer == BOTH;

	name(f, FIELD_OUTCOME, t->outcome);
	name(f, FIELD_PATTERN, NOTHING);
	name(f, FIELD_TIME_WAIT, NOTHING);
	if (!t->graceful) {
		name(f, FIELD_CLOSER, other_closer(t));
		if (t->outcome == OUTCOME_UNFINISHED)
			name(f, FIELD_MISSING, missing(t));
		return;
	}
	name(f, FIELD_MISSING, NOTHING);
	name(f, FIELD_CLOSER, t->closer);
	if (!t->reset)
		name(f, FIELD_TIME_WAIT, t->closer);
	if (both)
		name(f, FIELD_PATTERN, PATTERN_SIMULTANEOUS);
	else
		name(f, FIELD_PATTERN, first_of(t, KIND_BARE, t->closer) ? PATTERN_FOUR_WAY : PATTERN_THREE_WAY);
}

/* Between first sightings, in ns. */
static void name_times(struct fields *f, const struct truth *t)
{
	unsigned one = t->closer;
	int64_t fin, acked, peer_fin, peer_acked;

	if (!t->graceful || t->closer == BOTH)
		return;
	fin = (int64_t)first_of(t, KIND_FIN, one)->seen;
	acked = (int64_t)first_of(t, KIND_ACK, one)->seen;
	peer_fin = (int64_t)first_of(t, KIND_FIN, !one)->seen;
	peer_acked = (int64_t)first_of(t, KIND_ACK, !one)->seen;
	name(f, FIELD_FIN_TO_ACK, acked - fin);
	name(f, FIELD_HALF_CLOSED, peer_fin - acked);
	name(f, FIELD_PEER_FIN_TO_ACK, peer_acked - peer_fin);
	name(f, FIELD_CLOSE, peer_acked - fin);
}

static enum phase phase_of_reset(const struct truth *t)
{
	static const enum phase by_fins[] = {PHASE_ESTABLISHED, PHASE_HALF_CLOSED, PHASE_CLOSING};

	if (t->outcome == OUTCOME_REFUSED || t->outcome == OUTCOME_HANDSHAKE_RESET)
		return PHASE_HANDSHAKE;
	if (t->graceful)
		return PHASE_CLOSED;
	return by_fins[fin_before(t, 0, t->reset->seen) + fin_before(t, 1, t->reset->seen)];
}

static void name_reset(struct fields *f, const struct truth *t)
{
	name(f, FIELD_RESET_BY, t->reset ? t->reset->side : NOTHING);
	name(f, FIELD_RESET_PHASE, t->reset ? (int64_t)phase_of_reset(t) : NOTHING);
	if (!t->reset)
		return;
	name(f, FIELD_RESET_VALIDITY, RESET_EXACT);
	name(f, FIELD_LATE_RESET, t->graceful);
	if (t->reset->forged)
		name(f, FIELD_RESET_FORGED, YES);
}

/* Equal bytes within TWICE, where there is no identification to tell them apart? */
static bool is_sighting(const struct sent *a, const struct sent *b)
{
	return b->seen - a->seen < TWICE && a->ack == b->ack && sent_end(a) == sent_end(b) && a->flags == b->flags;
}

/* How many in addition to the first one. */
static int64_t copies(const struct truth *t, enum kind kind, unsigned side)
{
	const struct sent *kept[SENT_MAX];
	int64_t n = 0;

	for (unsigned i = 0; i < t->count; i++) {
		bool again = false;

		if (!is_of(t->h, t->passed[i], kind, side))
			continue;
		for (int64_t k = 0; t->h->ipv6 && k < n; k++)
			again |= is_sighting(kept[k], t->passed[i]);
		if (!again)
			kept[n++] = t->passed[i];
	}
	return n ? n - 1 : 0;
}

static void name_counts(struct fields *f, const struct truth *t)
{
	name(f, FIELD_MIDSTREAM, false);
	for (unsigned side = 0; side < 2; side++) {
		const struct end *e = &t->h->end[side];

		name(f, FIELD_ISN + side, e->isn == e->nxt ? NOTHING : (int64_t)(e->isn % ORDER));
		if (t->graceful)
			name(f, FIELD_BYTES + side, (int64_t)(e->fin - 1 - e->isn - 1));
		name(f, FIELD_FINS + side, copies(t, KIND_FIN, side));
		name(f, FIELD_SYNS + side, copies(t, KIND_SYN, side));
	}
}

/* ---- what cannot be decided ---- */

/* Were SYN and SYN-ACK captured, and the first that the source sent behind them? */
static bool shows_opening(const struct truth *t)
{
	for (unsigned i = 0; i < t->count; i++) {
		const struct sent *s = t->passed[i];

		if (s->side == 0 && !s->forged && !(s->flags & TCP_SYN))
			return !s->hidden && shows_first(t, KIND_SYN, 0) && shows_first(t, KIND_SYN, 1);
	}
	return true;
}

/*
 * A record lists so many segments from the first FIN or RST on, and of a mirrored connection half as many. The rest it
 * only counts, but for what each step of the close was taken from. Without the opening it lists all from the first one
 * on, and a forgery may take a place that is kept for a step.
 */
static uint32_t not_listed(const struct truth *t)
{
	bool opened = shows_opening(t);
	unsigned listed = 0, most = t->h->mirrored ? LISTED / 2 : LISTED;
	uint64_t begun = UINT64_MAX;

	if (opened && !t->h->mirrored)
		return 0;
	for (unsigned i = 0; i < t->count && begun == UINT64_MAX; i++)
		if (t->passed[i]->flags & (TCP_FIN | TCP_RST))
			begun = t->passed[i]->seen;
	for (unsigned i = 0; i < t->count; i++)
		listed += !opened || t->passed[i]->seen >= begun;
	if (listed < most)
		return 0;
	return BOTH_OF(FIELD_FINS) | BIT(FIELD_PATTERN) | (opened ? 0 : CLOSING | RESET);
}

/* Equal bytes over IPv6 about a millisecond apart: copies, or one packet that was captured twice. */
static uint32_t seen_twice(const struct truth *t)
{
	uint32_t fields = 0;

	for (unsigned side = 0; t->h->ipv6 && side < 2; side++) {
		const struct sent *before = NULL;

		for (unsigned i = 0; i < t->count; i++) {
			if (!is_of(t->h, t->passed[i], KIND_SYN, side))
				continue;
			if (before && t->passed[i]->seen - before->seen < 2 * TWICE)
				fields |= BIT(FIELD_SYNS + side);
			before = t->passed[i];
		}
	}
	return fields;
}

/*
 * Was a bare acknowledgment of the closer's FIN sent, and none seen before the close was complete? Data behind the
 * other FIN may have been sent ahead of it, or again.
 */
static bool bare_ack_is_lost(const struct truth *t)
{
	const struct sent *fin = first_of(t, KIND_FIN, !t->closer);
	bool sent = false;

	for (unsigned i = 0; i < t->h->sent_count; i++)
		sent |= is_of(t->h, &t->h->sent[i], KIND_BARE, t->closer);
	for (unsigned i = 0; sent && i < t->count; i++)
		if (t->passed[i]->seen < t->last_step && is_of(t->h, t->passed[i], KIND_BARE, t->closer) &&
		    (!t->passed[i]->length || t->passed[i]->seen < fin->seen))
			return false;
	return sent;
}

/* The first FIN, or each bare acknowledgment of one, was lost ahead of the capture: nothing shows it. */
static uint32_t lost_ahead(const struct truth *t)
{
	uint32_t fields = 0;

	for (unsigned side = 0; side < 2; side++) {
		const struct sent *seen = first_of(t, KIND_FIN, side), *first = NULL;
		uint64_t peer = t->h->end[!side].fin;

		for (unsigned i = 0; i < t->h->sent_count && !first; i++)
			if (is_of(t->h, &t->h->sent[i], KIND_FIN, side))
				first = &t->h->sent[i];
		if (first && seen && peer && first->ack < peer && peer <= seen->ack)
			fields |= CLOSER | TIMES;
		if (first && !first->passed) /* was a bare ACK sent ahead of the FIN, or behind it? */
			fields |= BIT(FIELD_PATTERN);
	}
	if (t->graceful && t->closer != BOTH && bare_ack_is_lost(t))
		fields |= BIT(FIELD_PATTERN);
	return fields;
}

/* An RST behind lost data whose challenge was lost: its receiver goes on, and no exact one comes. */
static uint32_t not_taken(const struct truth *t)
{
	bool taken = t->graceful || !t->reset || t->reset->forged || t->h->end[!t->reset->side].reset;

	return taken ? 0 : CLOSING | RESET;
}

/* Does it show that its side sent no RST? What says nothing new may have been overtaken by one. */
static bool denies(const struct truth *t, const struct sent *s)
{
	const struct sent *reset = t->reset;
	bool acks_more = true, ends_later = true;

	if (s->side != reset->side || s->flags & TCP_RST || s->sent < reset->sent ||
	    s->seen > reset->seen + SETTLE - MS)
		return false;
	if (s->seen > reset->seen + OVERTAKEN)
		return true;
	for (unsigned i = 0; i < t->count; i++) {
		const struct sent *e = t->passed[i];

		if (e->side != s->side || e->seen >= s->seen || e->forged)
			continue;
		acks_more &= s->ack > e->ack;
		ends_later &= sent_end(s) > sent_end(e);
	}
	return acks_more || ends_later;
}

/* A forged RST whose alleged sender says nothing more in time: nobody can know that it sent none. */
static uint32_t denied_too_late(const struct truth *t)
{
	if (!t->reset || !t->reset->forged)
		return 0;
	for (unsigned i = 0; i < t->count; i++)
		if (denies(t, t->passed[i]))
			return 0;
	return BIT(FIELD_CLOSER) | BIT(FIELD_RESET_FORGED);
}

/* What comes when the record has settled is not in it. */
static uint32_t too_late(const struct truth *t)
{
	uint32_t fields = denied_too_late(t) | not_taken(t);

	if (!t->graceful && !t->reset)
		return fields;
	for (unsigned i = 0; i < t->count; i++) {
		const struct sent *s = t->passed[i];

		if (s->seen + MS < t->last_step + SETTLE)
			continue;
		for (unsigned side = 0; side < 2; side++)
			if (is_of(t->h, s, KIND_FIN, side))
				fields |= BIT(FIELD_FINS + side);
		if (t->graceful && is_taken_reset(t, s))
			fields |= RESET | BIT(FIELD_TIME_WAIT);
	}
	return fields;
}

/* Was the side's FIN captured, and not before an acknowledgment of it? What is left of the window may be anybody's. */
static bool shows_fin_in_time(const struct truth *t, unsigned side)
{
	for (unsigned i = 0; i < t->count; i++) {
		const struct sent *s = t->passed[i];

		if (!s->hidden && (is_of(t->h, s, KIND_FIN, side) || is_of(t->h, s, KIND_ACK, side)))
			return is_of(t->h, s, KIND_FIN, side);
	}
	return false;
}

static uint32_t left_out_of_graceful(const struct truth *t)
{
	uint32_t fields = 0;
	bool steps = true, decisive = true;

	for (unsigned side = 0; side < 2; side++) {
		steps &= shows_fin_in_time(t, side) && shows_any(t, KIND_ACK, side);
		decisive &= shows_first(t, KIND_FIN, side) && shows_first(t, KIND_ACK, side);
	}
	if (!steps)
		fields |= CLOSING | RESET;
	if (!shows_first(t, KIND_FIN, 0) || !shows_first(t, KIND_FIN, 1))
		fields |= CLOSER;
	if (!decisive)
		fields |= BIT(FIELD_PATTERN) | TIMES;
	if (t->closer != BOTH && !shows_all(t, KIND_BARE, t->closer))
		fields |= BIT(FIELD_PATTERN);
	for (unsigned i = 0; i < t->count; i++)
		if (t->passed[i]->hidden && is_taken_reset(t, t->passed[i]))
			fields |= RESET | BIT(FIELD_TIME_WAIT);
	return fields;
}

/*
 * Is there a forgery that nothing captured contradicts? Where the opening is there, the source's numbers behind its SYN
 * do; else it may be the first of a connection that is not there at all.
 */
static bool may_mislead(const struct truth *t, bool opened)
{
	for (unsigned i = 0; i < t->count; i++) {
		const struct sent *s = t->passed[i];

		if (s->forged && !s->hidden)
			return true;
		if (opened && !s->hidden && s->side == 0 && !(s->flags & TCP_SYN))
			return false;
	}
	return false;
}

static bool shows_forgery(const struct truth *t)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->passed[i]->forged && !t->passed[i]->hidden)
			return true;
	return false;
}

/* A SYN-ACK ahead of an RST, and nothing of the source: it proves no connection that what follows is of. */
static bool is_stray_synack(const struct truth *t)
{
	for (unsigned i = 0; t->reset && i < t->count; i++) {
		const struct sent *s = t->passed[i];

		if (!s->hidden && !s->forged && s->seen < t->last_step && s->side == 0)
			return false;
	}
	return t->reset;
}

/*
 * An old duplicate of a FIN that has the number of the side's own: what tells them apart are the time stamps, which the
 * recorder does not look at.
 */
static uint32_t told_by_stamps(const struct truth *t)
{
	uint32_t fields = 0;

	for (unsigned i = 0; i < t->count; i++) {
		const struct sent *s = t->passed[i];

		if (s->forged && s->flags & TCP_FIN && sent_end(s) == t->h->end[s->side].fin)
			fields |= CLOSER | TIMES | BIT(FIELD_FINS + s->side);
	}
	return fields;
}

static bool passes_reset(const struct truth *t)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->passed[i]->flags & TCP_RST && !t->passed[i]->forged)
			return true;
	return t->reset;
}

/* Each field, unless the segments that decide it are there. */
static uint32_t left_out(const struct truth *t)
{
	bool opened = shows_first(t, KIND_SYN, 0) && shows_first(t, KIND_SYN, 1), stray = is_stray_synack(t);
	uint32_t fields = 0;

	for (unsigned side = 0; side < 2; side++) {
		if (!shows_first(t, KIND_SYN, side) || stray)
			fields |= BIT(FIELD_ISN + side) | BIT(FIELD_BYTES + side);
		if (!shows_all(t, KIND_FIN, side))
			fields |= BIT(FIELD_FINS + side) | BIT(FIELD_BYTES + side);
		if (!shows_all(t, KIND_SYN, side))
			fields |= BIT(FIELD_SYNS + side);
	}
	/* What a SYN-ACK acknowledges does not tell the number of a SYN with data: its copy may be another one. */
	if (may_mislead(t, opened) || (t->h->end[0].syn_data && !shows_first(t, KIND_SYN, 0)))
		return ~0u;
	if (!opened)
		fields |= BIT(FIELD_MIDSTREAM) | BIT(FIELD_OUTCOME) | BIT(FIELD_MISSING) | BIT(FIELD_CLOSER) | RESET;
	if (t->graceful)
		return fields | left_out_of_graceful(t);
	if (shows_everything(t))
		return fields;
	/* What an RST's receiver expected is known only from all that was sent to it. */
	return fields | CLOSING | (passes_reset(t) ? RESET : 0);
}

void truth_fields(struct fields *f, const struct history *h)
{
	struct truth t;

	f->named = 0;
	truth_begin(&t, h);
	name_closing(f, &t);
	name_times(f, &t);
	name_reset(f, &t);
	name_counts(f, &t);
	f->undecided = lost_ahead(&t) | too_late(&t) | seen_twice(&t) | not_listed(&t) | told_by_stamps(&t);
	if (!shows_everything(&t))
		f->undecided |= left_out(&t);
	/* What ended it cannot be told, and may be the forgery: then what is counted is another one's. */
	if (f->undecided & BIT(FIELD_OUTCOME) && shows_forgery(&t))
		f->undecided = ~0u;
}

/* ---- a record's ---- */

static int64_t unless(int64_t value, int64_t nothing)
{
	return value == nothing ? NOTHING : value;
}

void record_fields_of(struct fields *f, const struct record *r)
{
	static const enum timing timings[] = {T_FIN_TO_ACK, T_HALF_CLOSED, T_PEER_FIN_TO_ACK, T_CLOSE};

	f->named = BIT(FIELDS) - 1;
	f->undecided = 0;
	f->value[FIELD_OUTCOME] = unless(r->outcome, OUTCOME_UNKNOWN);
	f->value[FIELD_PATTERN] = unless(r->pattern, PATTERN_NONE);
	f->value[FIELD_CLOSER] = unless(r->closer, NOBODY);
	f->value[FIELD_TIME_WAIT] = unless(r->time_wait, NOBODY);
	f->value[FIELD_MISSING] = unless(r->missing, MISSING_NOTHING);
	for (unsigned i = 0; i < 4; i++)
		f->value[FIELD_FIN_TO_ACK + i] = unless(r->timing[timings[i]], TIMING_UNSEEN);
	f->value[FIELD_RESET_BY] = unless(r->reset.by, NOBODY);
	f->value[FIELD_RESET_PHASE] = unless(r->reset.phase, PHASE_NONE);
	f->value[FIELD_RESET_VALIDITY] = unless(r->reset.validity, RESET_UNKNOWN);
	f->value[FIELD_RESET_FORGED] = unless(r->reset.forged, UNTOLD);
	f->value[FIELD_LATE_RESET] = r->late_reset;
	f->value[FIELD_MIDSTREAM] = r->midstream;
	for (unsigned side = 0; side < 2; side++) {
		f->value[FIELD_ISN + side] = unless(r->isn[side], NUMBER_UNSEEN);
		f->value[FIELD_BYTES + side] = unless(r->end[side].bytes, NUMBER_UNSEEN);
		f->value[FIELD_FINS + side] = r->end[side].fin_retransmits;
	}
	f->value[FIELD_SYNS] = r->syn_retransmits;
	f->value[FIELD_SYNS + 1] = r->synack_retransmits;
}
