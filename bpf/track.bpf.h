/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a segment to the flow it belongs to: which table, which step, and moving flows from one table to the next.
 * user/capture/flow_table.c decides the same way for capture files.
 *
 * A step copies the flow under its lock, runs on the copy, and is stored under the lock if the flow's version has not
 * moved; otherwise the segment is tracked anew (NEXT_TRACK). Functions without `static` are global ones: the verifier
 * checks each once, by itself, instead of at every call.
 */
#ifndef TCPFIN_TRACK_BPF_H
#define TCPFIN_TRACK_BPF_H

#include <linux/errno.h>

#include "bpf/emit.bpf.h"

static __always_inline void unproven_bury(const struct flow_key *key, const struct flow *f);

__noinline int work_step(void)
{
	struct work *w = work_get();

	if (!w)
		return 0;
	flow_step(&w->value.body.flow, &w->turn, &w->segment);
	return 0;
}

/* ---- closing flows ---- */

/* The conversation has ended, with a step or for want of one. */
static __always_inline void conversation_ended(const struct flow_key *key)
{
	struct last_seen *known = evidence_get(key->hash);

	if (known)
		last_seen_forget(known, flow_key_hash(key));
}

/* A tombstone stays behind a closing flow, and no evidence. */
static __always_inline void closing_bury(const struct flow_key *key, const struct flow *f)
{
	conversation_ended(key);
	unproven_bury(key, f);
}

/* The flow has ended, and user space is told. */
static __always_inline void closing_ended(const struct flow_key *key, const struct flow *f)
{
	emit_notice(key, EVENT_ENDED, flow_end_time(f));
	closing_bury(key, f);
}

/*
 * Which of the filter's counts holds the flow: it settles with the step that finishes it, and is live again when a FIN
 * is repeated. (One that was finished when it came into the table stays live.)
 */
static __always_inline void closing_move(struct work *w, struct flow *f)
{
	flag_t settles = (f->state & (FLOW_GRACEFUL | FLOW_REPEATED)) == FLOW_GRACEFUL;

	if (settles && w->turn.step & STEP_DONE) {
		f->state |= FLOW_SETTLING;
		w->moved = MOVED_TO_SETTLING;
	} else if (!settles && f->state & FLOW_SETTLING) {
		f->state &= ~FLOW_SETTLING;
		w->moved = MOVED_TO_LIVE;
	}
}

static __noinline int closing_step(struct work *w, struct closing *c)
{
	struct flow *f = &w->value.body.flow;

	w->moved = MOVED_NOT;
	bpf_spin_lock(&c->lock);
	*f = c->body.flow;
	flow_turn_begin(&w->turn, f, c->body.log, FLOW_LOG_CLOSING, w->turn.side);
	bpf_spin_unlock(&c->lock);
	work_step();
	closing_move(w, f);
	bpf_spin_lock(&c->lock);
	if (c->hash != w->key.hash) {
		w->turn.step = 0; /* it has been collected: this segment comes too late */
		w->moved = MOVED_NOT;
	} else if (c->body.flow.version == f->version) {
		f->version++;
		c->body.flow = *f;
		flow_turn_end(&w->turn, c->body.log, FLOW_LOG_CLOSING);
	} else {
		w->next = NEXT_TRACK;
	}
	bpf_spin_unlock(&c->lock);
	if (w->next == NEXT_TRACK)
		return 0;
	if (w->moved == MOVED_TO_SETTLING)
		watch_settle(w->key.hash);
	else if (w->moved == MOVED_TO_LIVE)
		watch_unsettle(w->key.hash);
	if (w->turn.step & STEP_DONE)
		closing_ended(&w->key, f);
	return 0;
}

/* The tuple belongs to a new connection from now on. */
static __noinline int closing_replace(struct closing *c, const struct flow_key *key)
{
	flag_t first;

	bpf_spin_lock(&c->lock);
	first = c->hash == key->hash && !(c->body.flow.state & FLOW_REPLACED);
	if (first) {
		c->body.flow.state |= FLOW_REPLACED;
		c->body.flow.version++;
	}
	bpf_spin_unlock(&c->lock);
	if (!first)
		return 0;
	if (settings.all_segments)
		traffic_move(key);
	emit_notice(key, EVENT_REPLACED, 0);
	return 0;
}

enum {
	CLOSING_NONE,     /* the tuple has no closing flow */
	CLOSING_STEPPED,  /* it has, and the segment was its */
	CLOSING_OTHER,    /* it has, but the segment is a SYN of another connection */
	CLOSING_REPLACED, /* it had, until now */
};

/* What the segment is to the tuple's closing flow. */
static __noinline int closing_visit(struct work *w, struct closing *c)
{
	const struct tcp_segment *s = &w->segment;
	flag_t opens = (s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;

	if (opens && c->body.flow.state & FLOW_DONE) {
		closing_replace(c, &w->key);
		return CLOSING_REPLACED;
	}
	if (opens && !flow_is_copy(&c->body.flow.open, s, w->turn.side))
		return CLOSING_OTHER;
	closing_step(w, c);
	return CLOSING_STEPPED;
}

/*
 * Goes to the closing flow of the tuple that still is that of the wire, if there is one. No function gives it back:
 * what may be NULL is used just behind the look-up, since elsewhere the verifier goes on with a mispredicted NULL.
 */
static __noinline int closing_segment(struct work *w)
{
	struct closing *c;
	__u32 g;

	unrolled for (g = 0; g < FLOW_GENERATIONS; g++)
	{
		w->key.generation = g;
		c = bpf_map_lookup_elem(&closing, &w->key);
		if (c && !(c->body.flow.state & FLOW_REPLACED))
			return closing_visit(w, c);
		if (!reused_tuples)
			break;
	}
	w->key.generation = 0;
	return CLOSING_NONE;
}

/* The tuple's closing flow is not that of the wire any more. */
static __always_inline void closing_leave_tuple(struct work *w)
{
	struct closing *c;
	__u32 g;

	unrolled for (g = 0; g < FLOW_GENERATIONS; g++)
	{
		w->key.generation = g;
		c = bpf_map_lookup_elem(&closing, &w->key);
		if (c)
			closing_replace(c, &w->key); /* which leaves alone what has been replaced already */
		if (!reused_tuples)
			break;
	}
}

enum { INSERT_NOT, INSERT_DONE, INSERT_RACED, INSERT_FULL };

/*
 * Puts the flow at hand into the closing table. An older flow of the tuple that has not been collected yet keeps
 * its place, and the new one goes to the next generation. INSERT_RACED: another CPU was first with this connection.
 */
static __noinline int closing_insert(struct work *w)
{
	struct closing *c;
	__u32 g;

	w->value.hash = w->key.hash;
	watch_raise(w->key.hash); /* before it can be found: the filter must never hide a step */
	unrolled for (g = 0; g < FLOW_GENERATIONS; g++)
	{
		w->key.generation = g;
		if (g)
			__sync_fetch_and_add(&reused_tuples, 1);
		if (!bpf_map_update_elem(&closing, &w->key, &w->value, BPF_NOEXIST)) {
			count(COUNT_CLOSES);
			return INSERT_DONE;
		}
		if (g)
			__sync_fetch_and_add(&reused_tuples, -1);
		c = bpf_map_lookup_elem(&closing, &w->key);
		if (!c) /* no such entry, so there was no room for one */
			break;
		if (!(c->body.flow.state & FLOW_REPLACED) && c->hash == w->key.hash) {
			watch_lower(w->key.hash);
			return INSERT_RACED;
		}
	}
	watch_lower(w->key.hash);
	return INSERT_FULL;
}

/* Inserts the flow at hand, which may have ended with its first step (a reset of an open connection). */
static __noinline int closing_begin(struct work *w)
{
	int inserted;

	inserted = closing_insert(w);
	if (inserted == INSERT_DONE && w->value.body.flow.state & FLOW_DONE)
		closing_ended(&w->key, &w->value.body.flow);
	return inserted;
}

/* ---- unproven flows ---- */

#define UNPROVEN_VICTIM 0x100 /* added to a way: not the key's entry, but one to be taken for it */

static __always_inline struct unproven_set *unproven_set_of(__u32 hash)
{
	__u32 index = (hash >> 16 ^ hash) & settings.unproven_mask;

	return bpf_map_lookup_elem(&unproven, &index);
}

/* Gives the place to the flow with this tag, or to none. Lock held. */
static __always_inline void unproven_assign(struct unproven_set *set, __u32 way, __u32 tag)
{
	element(set->tag, way) = tag;
	set->changes++;
}

/*
 * Is there perhaps an entry with this tag? Without the lock: one made a moment later would not be found under it,
 * either.
 */
static __always_inline flag_t unproven_may_have(const struct unproven_set *set, __u32 tag)
{
	__u32 i;

	unrolled for (i = 0; i < UNPROVEN_WAYS; i++) if (reload(set->tag[i]) == tag) return 1;
	return 0;
}

/* To be read before what is looked for without the lock: it tells under the lock whether that is still so. */
static __always_inline __u64 unproven_changes(struct unproven_set *set)
{
	return __sync_fetch_and_add(&set->changes, 0); /* on every processor nothing behind it is read before it */
}

static __noinline int unproven_is(const struct unproven *e, const struct flow_key *key)
{
	return flow_key_equal(&e->key, key);
}

/*
 * The key's entry, or with `create` the one that gives way to a new one: a free one, a reported one, or the oldest, and
 * UNPROVEN_VICTIM. UNPROVEN_WAYS: none. Without the lock, under which no function can be called: see unproven_changes.
 */
__noinline int unproven_seek(const struct flow_key *key, __u32 create)
{
	__u64 best = ~0ULL >> 1;
	struct unproven_set *set;
	__u32 i;

	if (!key)
		return UNPROVEN_WAYS;
	set = unproven_set_of(key->hash);
	if (!set)
		return UNPROVEN_WAYS;
	unrolled for (i = 0; i < UNPROVEN_WAYS; i++)
	{
		if (set->tag[i] == (key->hash | 1) && unproven_is(&set->entry[i], key))
			return i;
	}
	if (!create)
		return UNPROVEN_WAYS;
	unrolled for (i = 0; i < UNPROVEN_WAYS; i++)
	{
		__u64 live, age;

		if (!set->tag[i]) /* without a look at the entry, which is cold */
			return i | UNPROVEN_VICTIM;
		/*
		 * Time and way in one number, and the least without a branch: each would double the verifier's paths.
		 */
		live = set->entry[i].flow.state / FLOW_TOMBSTONE % 2 - 1ULL;
		opaque(live);
		age = ((set->entry[i].flow.t_last & live) << 3 | i) - best;
		best += age & (__u64)((__s64)age >> 63);
	}
	return (best & 7) | UNPROVEN_VICTIM;
}

enum {
	UNPROVEN_TAKEN = 1,   /* the segment was the unproven flow's */
	UNPROVEN_PROVEN = 2,  /* it is proven and has left the table; the work holds it */
	UNPROVEN_NEW = 4,     /* a new entry */
	UNPROVEN_EVICTED = 8, /* an entry gave way that was still watched */
	UNPROVEN_LOST = 16,   /* ... and had ended without having been reported */
	UNPROVEN_READY = 32,  /* the work holds a copy to step */
	UNPROVEN_ANEW = 64,   /* a new attempt: what was there has been taken out, and a new entry is to be made */
	UNPROVEN_OLDER = 128, /* ... and it was no tombstone: the work holds it, to be reported */
};

/*
 * Copies the flow of the way that was found into the work, or prepares its place for a new one. Bits into w->found. An
 * older attempt that a new one replaces is copied and taken out first: UNPROVEN_OLDER.
 */
static __always_inline void unproven_load(struct work *w, struct unproven_set *set, __u32 create, __u32 others)
{
	__u32 i, way = w->way & (UNPROVEN_WAYS - 1);
	struct unproven *e = &element(set->entry, way);

	w->tag = reload(element(set->tag, way));
	if (w->way & UNPROVEN_VICTIM) { /* nothing of it is copied, and unproven_store sees whether it has changed */
		w->found = UNPROVEN_READY | UNPROVEN_NEW;
		w->value.body.flow.version = reload(e->flow.version);
		return;
	}
	bpf_spin_lock(&set->lock);
	if (set->changes != w->changes) {
		w->next = NEXT_TRACK;
		goto out;
	}
	w->found = UNPROVEN_READY;
	if (!create && others &&
	    e->flow.state & FLOW_TOMBSTONE) { /* its closing flow may be there yet, and comes first */
		w->found = 0;
		goto out;
	}
	if (flow_is_new_attempt(&e->flow, &w->segment, w->turn.side)) {
		w->found = UNPROVEN_ANEW;
		if (!(e->flow.state & FLOW_TOMBSTONE))
			w->found = UNPROVEN_ANEW | UNPROVEN_OLDER;
		unproven_assign(set, way, 0);
		w->changes = set->changes;
		w->tag = 0;
	}
	w->value.body.flow = e->flow;
	unrolled for (i = 0; i < FLOW_LOG_UNPROVEN && i < e->flow.log_len; i++) /* the rest may be cold */
		w->value.body.log[i] = e->log[i];
out:
	bpf_spin_unlock(&set->lock);
}

/* A new flow in the work. It is put into the table with its first step. */
static __always_inline void unproven_new(struct work *w, __u32 others)
{
	struct flow *f = &w->value.body.flow;
	__u32 version = f->version;

	__builtin_memset(f, 0, sizeof(*f));
	f->version = version; /* goes on from that of the place: no two flows of one have the same */
	flow_init(f, &w->segment, w->turn.side, others != 0);
}

/* Takes the chosen place for a new flow, unless the tuple's entry may have been made meanwhile. Lock held. */
static __always_inline flag_t unproven_take_place(struct work *w, struct unproven_set *set, __u32 way)
{
	struct unproven *e = &element(set->entry, way);

	if (set->changes != w->changes)
		return 0;
	if (w->tag && !(e->flow.state & FLOW_TOMBSTONE)) {
		w->found |= e->flow.state & FLOW_DONE ? UNPROVEN_EVICTED | UNPROVEN_LOST : UNPROVEN_EVICTED;
		w->evicted = e->key.hash;
	}
	unproven_assign(set, way, w->key.hash | 1);
	e->key = w->key;
	return 1;
}

/*
 * Stores the step if the entry is as it was loaded; a proven flow leaves the table. Else the segment is tracked anew.
 */
static __always_inline void unproven_store(struct work *w, struct unproven_set *set)
{
	struct flow *f = &w->value.body.flow;
	__u32 way = w->way & (UNPROVEN_WAYS - 1);
	struct unproven *e = &element(set->entry, way);

	w->next = NEXT_TRACK;
	bpf_spin_lock(&set->lock);
	if (element(set->tag, way) == w->tag && e->flow.version == f->version &&
	    (!(w->found & UNPROVEN_NEW) || unproven_take_place(w, set, way))) {
		f->version++;
		if (w->turn.step & STEP_PROVEN) { /* its place needs to know no more than that it is gone */
			flow_turn_end(&w->turn, w->value.body.log, FLOW_LOG_UNPROVEN);
			e->flow.version = f->version;
			unproven_assign(set, way, 0);
			w->found |= UNPROVEN_PROVEN;
		} else {
			e->flow = *f;
			flow_turn_end(&w->turn, e->log, FLOW_LOG_UNPROVEN);
		}
		w->next = NEXT_NOTHING;
	}
	bpf_spin_unlock(&set->lock);
}

/*
 * Steps the tuple's unproven flow, or makes one if `create`. others: the tuple has an established or closing flow,
 * inside which a new one begins; without `create`: it may have one, so a tombstone does not count. Returns UNPROVEN_
 * bits.
 */
__noinline int unproven_step(__u32 create, __u32 others)
{
	struct work *w = work_get();
	struct unproven_set *set;
	struct flow *f;

	if (!w)
		return 0;
	set = unproven_set_of(w->key.hash);
	if (!set || (!create && !unproven_may_have(set, w->key.hash | 1)))
		return 0;
	w->found = 0;
	w->changes = unproven_changes(set);
	w->way = unproven_seek(&w->key, create);
	if (w->way == UNPROVEN_WAYS)
		return 0;
	unproven_load(w, set, create, others);
	if (w->next == NEXT_TRACK)
		return UNPROVEN_TAKEN;
	paths_meet();
	if (w->found & UNPROVEN_OLDER) {
		watch_lower(w->key.hash);
		if (flow_is_stray(&w->value.body.flow))
			count(COUNT_STRAY);
		else
			emit_replaced_attempt(w);
	}
	if (w->found & UNPROVEN_ANEW) {
		if (!create) /* a SYN-ACK: first see what else the tuple has */
			return 0;
		w->found = UNPROVEN_READY | UNPROVEN_NEW;
	}
	if (!(w->found & UNPROVEN_READY))
		return 0;
	if (w->found & UNPROVEN_NEW)
		unproven_new(w, others);
	paths_meet();
	f = &w->value.body.flow;
	if (f->state & FLOW_TOMBSTONE) {
		if (!(w->segment.flags & TCP_SYN) && !flow_is_late(f, &w->segment, w->turn.side))
			return 0;
		count(COUNT_LATE);
		return UNPROVEN_TAKEN;
	}
	if (!flow_claims(f, &w->segment, w->turn.side))
		return 0;
	flow_turn_begin(&w->turn, f, w->value.body.log, FLOW_LOG_UNPROVEN, w->turn.side);
	work_step();
	unproven_store(w, set);
	if (w->next == NEXT_TRACK)
		return UNPROVEN_TAKEN;
	paths_meet();
	if (w->found & UNPROVEN_NEW)
		watch_raise(w->key.hash);
	if (w->found & UNPROVEN_EVICTED) {
		watch_lower(w->evicted);
		count(w->found & UNPROVEN_LOST ? COUNT_RECORDS_LOST : COUNT_UNPROVEN_EVICTED);
	}
	return w->found | UNPROVEN_TAKEN;
}

/* A try to leave a tombstone. Returns whether the set changed meanwhile. */
__noinline int unproven_bury_once(const struct flow_key *key, const struct flow *f)
{
	struct unproven_set *set;
	__u64 changes;
	__u32 way;
	struct unproven *e;
	flag_t changed;

	if (!key || !f)
		return 0;
	set = unproven_set_of(key->hash);
	if (!set)
		return 0;
	changes = unproven_changes(set);
	way = unproven_seek(key, 1) & (UNPROVEN_WAYS - 1);
	e = &element(set->entry, way);
	bpf_spin_lock(&set->lock);
	changed = set->changes != changes;
	if (!changed && (!element(set->tag, way) || e->flow.state & FLOW_TOMBSTONE)) {
		unproven_assign(set, way, key->hash | 1);
		e->key = *key;
		e->key.generation = 0;
		e->flow.open = f->open; /* what flow_is_new_attempt and flow_is_late ask for */
		e->flow.side[0] = f->side[0];
		e->flow.side[1] = f->side[1];
		e->flow.state = f->state | FLOW_TOMBSTONE;
		e->flow.version++;
	}
	bpf_spin_unlock(&set->lock);
	return changed;
}

/*
 * Leaves a tombstone where a closing flow has ended, so that a FIN repeated into TIME-WAIT or the RSTs that follow do
 * not look like another connection once it has been collected. No live flow gives way to one.
 */
static __always_inline void unproven_bury(const struct flow_key *key, const struct flow *f)
{
	if (unproven_bury_once(key, f))
		unproven_bury_once(key, f);
}

/* ---- from one table to the next ---- */

/* Disarms the flow's idle probe. */
static __noinline int established_heard(struct work *w, struct established *e)
{
	flag_t armed = 0;

	if (!reload(e->open.idle))
		return 0;
	bpf_spin_lock(&e->lock);
	if (e->hash == w->key.hash)
		armed = flow_idle_disarm(&e->open);
	bpf_spin_unlock(&e->lock);
	if (armed)
		watch_lower(w->key.hash);
	return 0;
}

/* The tuple's established flow, if it has one, belongs to the past. */
static __noinline int established_replace(struct work *w)
{
	struct established *old = bpf_map_lookup_elem(&established, &w->key);

	if (!old)
		return 0;
	established_heard(w, old);
	if (!emit_open(&old->open, &w->key, FLOW_REPLACED)) {
		count(COUNT_RECORDS_LOST);
		traffic_forget(&w->key);
	}
	if (!bpf_map_delete_elem(&established, &w->key))
		count(COUNT_CLOSED);
	return 0;
}

/* A handshake was completed: the flow at hand is established from now on. */
static __always_inline void track_established(struct work *w)
{
	struct last_seen *known = evidence_get(w->key.hash);
	struct established new = {};
	int err; /* before Linux 6.4 the upper half of a long would not be set */

	new.open = w->value.body.flow.open;
	new.hash = w->key.hash;
	if (known)
		flow_leave_last_seen(&w->value.body.flow, known, flow_key_hash(&w->key));
	err = bpf_map_update_elem(&established, &w->key, &new, BPF_NOEXIST); /* hardly ever is there another */
	if (err == -EEXIST) {
		established_replace(w);
		err = bpf_map_update_elem(&established, &w->key, &new, BPF_ANY);
	}
	if (settings.all_segments && w->value.body.flow.open.seen & OPEN_ACK)
		traffic_enter(w);
	count(err ? COUNT_ESTABLISHED_FULL : COUNT_ESTABLISHED);
}

/*
 * A FIN that was stray has been confirmed, or came with the end of its handshake: the flow at hand is closing already.
 */
static __always_inline void track_closing(struct work *w)
{
	established_replace(w);
	if (settings.all_segments && w->value.body.flow.open.seen & OPEN_ACK)
		traffic_enter(w);
	if (closing_begin(w) != INSERT_FULL)
		return;
	count(w->value.body.flow.state & FLOW_MIDSTREAM ? COUNT_MIDSTREAM_FULL : COUNT_CLOSING_FULL);
	w->key.generation = 0;
	traffic_forget(&w->key);
}

/* The work's flow is proven, and has left the unproven ones. */
static __always_inline void track_proven(struct work *w)
{
	if (w->value.body.flow.open.seen & OPEN_INSIDE)
		closing_leave_tuple(w);
	w->key.generation = 0;
	if (w->value.body.flow.state & FLOW_BEGUN)
		track_closing(w);
	else
		track_established(w);
	watch_lower(w->key.hash); /* last: until here the flow is to be found in one of the tables */
}

enum { BEGIN_PLACED, BEGIN_RACED, BEGIN_STRAY };

/* The first step of a flow that begins to close, in the work: its closing flow is inserted if the step makes it one. */
static __noinline int begin_step(struct work *w)
{
	struct flow *f = &w->value.body.flow;
	struct last_seen *known = evidence_get(w->key.hash);

	if (known)
		flow_lend_last_seen(f, known, flow_key_hash(&w->key));
	flow_turn_begin(&w->turn, f, w->value.body.log, FLOW_LOG_CLOSING, w->turn.side);
	work_step();
	flow_turn_end(&w->turn, w->value.body.log, FLOW_LOG_CLOSING);
	return f->state & FLOW_BEGUN ? closing_begin(w) : INSERT_NOT;
}

/* A FIN or RST of an established flow. */
static __always_inline int begin_established(struct work *w, struct established *e)
{
	struct flow *f = &w->value.body.flow;
	int inserted;

	__builtin_memset(f, 0, sizeof(*f));
	flow_reopen(f, &e->open);
	if (reload(e->hash) != w->key.hash)
		return BEGIN_RACED;
	inserted = begin_step(w);
	if (inserted == INSERT_NOT) {
		e->open.resets_ignored = f->open.resets_ignored; /* a count for the reader; no lock for it */
		return BEGIN_PLACED;
	}
	if (inserted == INSERT_RACED)
		return BEGIN_RACED;
	w->key.generation = 0;
	established_heard(w, e);
	/*
	 * Without room for its close it is forgotten all the same: it would be lost more than once, and stay for hours.
	 */
	if (!bpf_map_delete_elem(&established, &w->key)) {
		count(COUNT_CLOSED);
		if (inserted == INSERT_FULL) {
			count(COUNT_CLOSING_FULL);
			traffic_forget(&w->key);
		}
	}
	return BEGIN_PLACED;
}

/* A FIN or RST of a connection that we know nothing of but, perhaps, its last segments. */
static __always_inline int begin_midstream(struct work *w)
{
	struct last_seen *known = evidence_get(w->key.hash);
	struct flow *f = &w->value.body.flow;
	int inserted;

	if (!known || !flow_evident(known, &w->segment, w->turn.side, flow_key_hash(&w->key)))
		return BEGIN_STRAY;
	__builtin_memset(f, 0, sizeof(*f));
	flow_init(f, &w->segment, w->turn.side, 0);
	f->state |= FLOW_PROVEN;
	inserted = begin_step(w);
	if (inserted == INSERT_NOT)
		return BEGIN_STRAY;
	if (inserted == INSERT_RACED)
		return BEGIN_RACED;
	if (inserted == INSERT_FULL)
		count(COUNT_MIDSTREAM_FULL);
	return BEGIN_PLACED;
}

/* The tuple has an established flow and a SYN came: counts it if it is one of that flow's, seen again. */
static __always_inline flag_t established_syn(struct work *w, struct established *e)
{
	if (!flow_is_copy(&e->open, &w->segment, w->turn.side))
		return 0;
	if (w->segment.flags & TCP_ACK) /* counts for the reader; no lock for them */
		e->open.synack_copies = saturating_inc(e->open.synack_copies);
	else
		e->open.syn_copies = saturating_inc(e->open.syn_copies);
	return 1;
}

/* The tuple has an established flow and no closing one. */
static __noinline int established_segment(struct work *w, struct established *e)
{
	__u8 flags = w->segment.flags;

	if (flags & TCP_SYN) {
		if (!established_syn(w, e) && !(flags & TCP_ACK))
			unproven_step(1, 1);
		return BEGIN_PLACED;
	}
	if (flags & (TCP_FIN | TCP_RST))
		return begin_established(w, e);
	established_heard(w, e);
	return BEGIN_PLACED;
}

/* The tuple has neither. */
static __noinline int unknown_segment(struct work *w)
{
	if (w->segment.flags & TCP_SYN) {
		unproven_step(1, 0);
		return BEGIN_PLACED;
	}
	if (!(w->segment.flags & (TCP_FIN | TCP_RST)))
		return BEGIN_PLACED;
	if (unproven_step(0, 0) & UNPROVEN_TAKEN) /* reported already */
		return BEGIN_PLACED;
	return begin_midstream(w);
}

/*
 * The work's segment, which the watch filter did not let pass: SYN, FIN, RST, or anything of a watched cell. What is
 * left to be done with the work is said by w->next.
 */
static __always_inline void track_segment(struct work *w)
{
	int found = CLOSING_NONE;
	struct established *e;
	struct tcp_segment *s;
	__u32 index;

	s = &w->segment;
	index = watch_index(w->key.hash);
	if (s->flags & TCP_SYN && segment_contradicts(s)) {
		count(COUNT_CONTRADICTORY);
		return;
	}
	/* All but SYNs first go to the tuple's newest connection. */
	if ((s->flags & (TCP_SYN | TCP_ACK)) != TCP_SYN && watch.live[index]) {
		found = unproven_step(0, 1);
		if (found & UNPROVEN_PROVEN)
			w->next = NEXT_PROVEN;
		if (found & UNPROVEN_TAKEN)
			return;
		found = CLOSING_NONE;
	}
	if (watch.live[index] || (s->flags & TCP_CONTROL && watch.settling[index]))
		found = closing_segment(w);
	if (found == CLOSING_STEPPED)
		return;
	if (found != CLOSING_NONE) {
		unproven_step(1, found == CLOSING_OTHER);
		return;
	}
	e = bpf_map_lookup_elem(&established, &w->key);
	if (e)
		found = established_segment(w, e);
	else
		found = unknown_segment(w);
	if (found == BEGIN_PLACED)
		return;
	/* The other CPU may have moved the flow between our two look-ups. */
	if ((found == BEGIN_RACED || watch.live[index]) && closing_segment(w) == CLOSING_STEPPED)
		return;
	if (s->flags & TCP_RST)
		count(COUNT_STRAY_RST); /* a lone RST is no close */
	else if (segment_contradicts(s))
		count(COUNT_CONTRADICTORY);
	else
		unproven_step(1, 0); /* a stray FIN, until the other side acknowledges it */
}

static long work_option(__u32 n, struct work **work)
{
	struct work *w = *work;

	return !packet_option(&w->segment, &w->options);
}

#endif
