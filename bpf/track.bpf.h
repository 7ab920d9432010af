/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a segment to the flow it belongs to: which table, which step, and moving flows from one table to the next.
 * user/flow_table.c decides the same way for capture files.
 *
 * A step copies the flow under its lock, runs on the copy, and is stored under the lock if the flow's version has not
 * moved; otherwise it is taken again. Functions without `static` are global ones: the verifier checks each once, by
 * itself, instead of at every call.
 */
#ifndef TCPFIN_TRACK_BPF_H
#define TCPFIN_TRACK_BPF_H

#include "emit.bpf.h"

#define STEP_TRIES 4

int unproven_bury(const struct flow_key *key, const struct flow *f);

__noinline int work_step(void)
{
	struct work *w = work_get();

	if (!w)
		return 0;
	flow_step(&w->value.body.flow, &w->turn, &w->segment);
	return 0;
}

/* ---- closing flows ---- */

/* The closing flow of the tuple that still is that of the wire, or NULL. Leaves its generation in the key. */
static __noinline struct closing *closing_find(struct work *w)
{
	struct closing *c;
	__u32 g;

	rolled
	for (g = 0; g < FLOW_GENERATIONS; g++) {
		w->key.generation = g;
		c = bpf_map_lookup_elem(&closing, &w->key);
		if (c && !(c->body.flow.state & FLOW_REPLACED))
			return c;
		if (!reused_tuples)
			break;
	}
	w->key.generation = 0;
	return NULL;
}

/* The flow has ended: user space is told, and a tombstone will stay behind it. */
static __noinline int closing_ended(const struct flow_key *key, const struct flow *f)
{
	struct evidence *known;

	known = evidence_get(key->hash);
	if (known)
		evidence_forget(known, flow_key_hash(key));
	emit_notice(key, EVENT_ENDED, flow_end_time(f));
	unproven_bury(key, f);
	return 0;
}

/*
 * Which of the filter's counts holds the flow: it settles with the step that finishes it, and is live again when a FIN is
 * repeated. (One that was finished when it came into the table stays live.)
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
	struct flow *f;
	int stored = 0;
	__u32 tries;

	f = &w->value.body.flow;
	rolled
	for (tries = 0; tries < STEP_TRIES && !stored; tries++) {
		w->moved = MOVED_NOT;
		bpf_spin_lock(&c->lock);
		copy_rolled(f, &c->body.flow, sizeof(*f));
		flow_turn_begin(&w->turn, f, c->body.log, FLOW_LOG_CLOSING, w->turn.side);
		bpf_spin_unlock(&c->lock);
		work_step();
		closing_move(w, f);
		bpf_spin_lock(&c->lock);
		if (c->hash != w->key.hash) {
			stored = 1; /* it has been collected: this segment comes too late */
			w->turn.step = 0;
			w->moved = MOVED_NOT;
		} else if (c->body.flow.version == f->version) {
			f->version++;
			copy_rolled(&c->body.flow, f, sizeof(*f));
			flow_turn_end(&w->turn, c->body.log, FLOW_LOG_CLOSING);
			stored = 1;
		}
		bpf_spin_unlock(&c->lock);
	}
	if (!stored) {
		count(COUNT_CONTENDED);
		return 0;
	}
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

enum { INSERT_DONE, INSERT_RACED, INSERT_FULL };

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
	rolled
	for (g = 0; g < FLOW_GENERATIONS; g++) {
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

/* Index of the key's entry, or UNPROVEN_WAYS. Lock held. */
static __always_inline __u32 unproven_find(const struct unproven_set *set, const struct flow_key *key)
{
	const struct unproven *e = set->entry;
	__u32 i;

	rolled
	for (i = 0; i < UNPROVEN_WAYS; i++, e++) {
		opaque(e); /* clang would compute the place of each field from the index */
		if (set->tag[i] == (key->hash | 1) && flow_key_equal(&e->key, key))
			return i;
	}
	return UNPROVEN_WAYS;
}

/* Chooses the entry that gives way to a new one: a free one, a reported one, or the oldest. Lock held. */
static __always_inline void unproven_victim(struct work *w, const struct unproven_set *set)
{
	__u32 i;

	w->oldest = ~0ULL;
	rolled
	for (i = 0; i < UNPROVEN_WAYS; i++) {
		__u64 age;

		if (!set->tag[i]) { /* without a look at the entry, which is cold */
			reload(w->way) = i | UNPROVEN_VICTIM;
			return;
		}
		age = set->entry[i].flow.state & FLOW_TOMBSTONE ? 0 : set->entry[i].flow.t_last;
		if (age < reload(w->oldest)) {
			reload(w->oldest) = age;
			reload(w->way) = i | UNPROVEN_VICTIM;
		}
	}
}

enum {
	UNPROVEN_TAKEN = 1,   /* the segment was the unproven flow's */
	UNPROVEN_PROVEN = 2,  /* it is proven and has left the table; the work holds it */
	UNPROVEN_NEW = 4,     /* a new entry */
	UNPROVEN_EVICTED = 8, /* an entry gave way that was still watched */
	UNPROVEN_LOST = 16,   /* ... and had ended without having been reported */
	UNPROVEN_READY = 32,  /* the work holds a copy to step */
	UNPROVEN_AGAIN = 64,  /* a new attempt: what was there has been taken out, and a new entry is to be made */
	UNPROVEN_OLDER = 128, /* ... and it was no tombstone: the work holds it, to be reported */
};

/*
 * Copies the tuple's unproven flow into the work, or chooses a place for one if `create`. Bits into w->found. An older
 * attempt that a new one replaces is copied and taken out first: UNPROVEN_OLDER.
 */
static __always_inline void unproven_load(struct work *w, struct unproven_set *set, __u32 create, __u32 others)
{
	struct unproven *e;
	__u32 way;

	bpf_spin_lock(&set->lock);
	w->way = unproven_find(set, &w->key);
	paths_meet();
	if (w->way >= UNPROVEN_WAYS) {
		if (!create)
			goto out;
		unproven_victim(w, set);
	}
	paths_meet();
	way = w->way & (UNPROVEN_WAYS - 1);
	e = &set->entry[way];
	w->tag = set->tag[way];
	w->found |= UNPROVEN_READY;
	if (w->way >= UNPROVEN_WAYS) {
		w->found |= UNPROVEN_NEW;
		w->value.body.flow.version = e->flow.version;
		goto out;
	}
	if (!create && others && e->flow.state & FLOW_TOMBSTONE) { /* its closing flow may be there yet, and comes first */
		w->found = 0;
		goto out;
	}
	if (flow_is_new_attempt(&e->flow, &w->segment, w->turn.side)) {
		w->found |= e->flow.state & FLOW_TOMBSTONE ? UNPROVEN_AGAIN : UNPROVEN_AGAIN | UNPROVEN_OLDER;
		set->tag[way] = 0;
	}
	copy_rolled(&w->value.body, &e->flow, sizeof(e->flow) + sizeof(e->log)); /* the log lies behind the flow in both */
out:
	bpf_spin_unlock(&set->lock);
}

/* A new flow in the work. It is put into the table with its first step. */
static __always_inline void unproven_new(struct work *w, __u32 others)
{
	struct flow *f = &w->value.body.flow;
	__u32 version = f->version;

	zero_rolled(f, sizeof(*f));
	f->version = version; /* goes on from that of the place: no two flows of one have the same */
	flow_init(f, &w->segment, w->turn.side, others != 0);
}

/* Takes the chosen place for a new flow, unless another CPU has made the tuple's entry meanwhile. Lock held. */
static __always_inline flag_t unproven_take_place(struct work *w, struct unproven_set *set, __u32 way)
{
	struct unproven *e = &set->entry[way];

	if (unproven_find(set, &w->key) < UNPROVEN_WAYS)
		return 0;
	if (w->tag && !(e->flow.state & FLOW_TOMBSTONE)) {
		w->found |= e->flow.state & FLOW_DONE ? UNPROVEN_EVICTED | UNPROVEN_LOST : UNPROVEN_EVICTED;
		w->evicted = e->key.hash;
	}
	set->tag[way] = w->key.hash | 1;
	e->key = w->key;
	return 1;
}

/* Stores the step if the entry is as it was loaded; a proven flow leaves the table. Returns whether it could. */
static __always_inline int unproven_store(struct work *w, struct unproven_set *set)
{
	struct flow *f = &w->value.body.flow;
	__u32 way = w->way & (UNPROVEN_WAYS - 1);
	struct unproven *e = &set->entry[way];
	int stored = 0;

	bpf_spin_lock(&set->lock);
	if (set->tag[way] == w->tag && e->flow.version == f->version &&
	    (!(w->found & UNPROVEN_NEW) || unproven_take_place(w, set, way))) {
		f->version++;
		copy_rolled(&e->flow, f, sizeof(*f));
		flow_turn_end(&w->turn, e->log, FLOW_LOG_UNPROVEN);
		if (w->turn.step & STEP_PROVEN) {
			flow_turn_end(&w->turn, w->value.body.log, FLOW_LOG_UNPROVEN);
			set->tag[way] = 0;
			w->found |= UNPROVEN_PROVEN;
		}
		stored = 1;
	}
	bpf_spin_unlock(&set->lock);
	return stored;
}

/*
 * Steps the tuple's unproven flow, or makes one if `create`. others: the tuple has an established or closing flow, inside
 * which a new one begins; without `create`: it may have one, so a tombstone does not count. Returns UNPROVEN_ bits.
 */
__noinline int unproven_step(__u32 create, __u32 others)
{
	struct work *w = work_get();
	struct unproven_set *set;
	__u32 tries;

	if (!w)
		return 0;
	set = unproven_set_of(w->key.hash);
	if (!set)
		return 0;
	rolled
	for (tries = 0; tries < STEP_TRIES; tries++) {
		struct flow *f = &w->value.body.flow;

		w->found = 0;
		unproven_load(w, set, create, others);
		paths_meet();
		if (w->found & UNPROVEN_OLDER) {
			watch_lower(w->key.hash);
			if (flow_is_stray(&w->value.body.flow))
				count(COUNT_STRAY);
			else
				emit_replaced_attempt(w);
		}
		if (w->found & UNPROVEN_AGAIN) {
			if (!create) /* a SYN-ACK: first see what else the tuple has */
				return 0;
			continue;
		}
		if (!(w->found & UNPROVEN_READY))
			return 0;
		if (w->found & UNPROVEN_NEW)
			unproven_new(w, others);
		paths_meet();
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
		if (unproven_store(w, set))
			break;
	}
	if (tries == STEP_TRIES) {
		count(COUNT_CONTENDED);
		return UNPROVEN_TAKEN;
	}
	paths_meet();
	if (w->found & UNPROVEN_NEW)
		watch_raise(w->key.hash);
	if (w->found & UNPROVEN_EVICTED) {
		watch_lower(w->evicted);
		count(w->found & UNPROVEN_LOST ? COUNT_RECORDS_LOST : COUNT_UNPROVEN_EVICTED);
	}
	return w->found | UNPROVEN_TAKEN;
}

/*
 * Leaves a tombstone where a closing flow has ended, so that a FIN repeated into TIME-WAIT or the RSTs that follow do not
 * look like another connection once it has been collected. No live flow gives way to one.
 */
__noinline int unproven_bury(const struct flow_key *key, const struct flow *f)
{
	struct unproven_set *set;
	struct unproven *e;
	__u32 i, way = UNPROVEN_WAYS;

	if (!key || !f)
		return 0;
	set = unproven_set_of(key->hash);
	if (!set)
		return 0;
	bpf_spin_lock(&set->lock);
	rolled
	for (i = 0; i < UNPROVEN_WAYS; i++) {
		e = &set->entry[i];
		if (!set->tag[i] || (e->flow.state & FLOW_TOMBSTONE && way >= UNPROVEN_WAYS))
			way = i; /* a free one, or another's tombstone */
		if (set->tag[i] == (key->hash | 1))
			break; /* ours, or so alike that one of them is enough */
	}
	if (i < UNPROVEN_WAYS)
		way = set->entry[i].flow.state & FLOW_TOMBSTONE ? i : UNPROVEN_WAYS;
	if (way < UNPROVEN_WAYS) {
		e = &set->entry[way];
		set->tag[way] = key->hash | 1;
		e->key = *key;
		e->key.generation = 0;
		e->flow.open = f->open; /* what flow_is_new_attempt and flow_is_late ask for */
		e->flow.side[0] = f->side[0];
		e->flow.side[1] = f->side[1];
		e->flow.state = f->state | FLOW_TOMBSTONE;
		e->flow.version++;
	}
	bpf_spin_unlock(&set->lock);
	return 0;
}

/* ---- from one table to the next ---- */

/* Disarms the flow's idle probe. */
static __noinline int established_heard(struct work *w, struct established *e)
{
	flag_t armed = 0;

	bpf_spin_lock(&e->lock);
	if (e->hash == w->key.hash)
		armed = flow_idle_disarm(&e->open);
	bpf_spin_unlock(&e->lock);
	if (armed)
		watch_lower(w->key.hash);
	return 0;
}

/* A handshake was completed, or a stray FIN confirmed. c: the closing flow whose tuple it takes over. */
static __noinline int track_proven(struct work *w, struct closing *c)
{
	struct established *old;
	struct evidence *known;

	if (c)
		closing_replace(c, &w->key);
	w->key.generation = 0;
	old = bpf_map_lookup_elem(&established, &w->key);
	if (old) {
		established_heard(w, old);
		if (!emit_open(&old->open, &w->key, FLOW_REPLACED)) {
			count(COUNT_RECORDS_LOST);
			traffic_forget(&w->key);
		}
		if (!bpf_map_delete_elem(&established, &w->key))
			count(COUNT_CLOSED);
	}
	if (settings.all_segments && w->value.body.flow.open.seen & OPEN_ACK)
		traffic_enter(w);
	if (w->value.body.flow.state & FLOW_BEGUN) {
		if (closing_begin(w) == INSERT_FULL) {
			count(w->value.body.flow.state & FLOW_MIDSTREAM ? COUNT_MIDSTREAM_FULL : COUNT_CLOSING_FULL);
			w->key.generation = 0;
			traffic_forget(&w->key);
		}
	} else {
		struct established new = {};

		new.open = w->value.body.flow.open;
		new.hash = w->key.hash;
		known = evidence_get(w->key.hash);
		if (known)
			flow_leave_evidence(&w->value.body.flow, known, flow_key_hash(&w->key));
		count(bpf_map_update_elem(&established, &w->key, &new, BPF_ANY) ? COUNT_ESTABLISHED_FULL
										: COUNT_ESTABLISHED);
	}
	watch_lower(w->key.hash); /* last: until here the flow is to be found in one of the tables */
	return 0;
}

enum { BEGIN_PLACED, BEGIN_RACED, BEGIN_STRAY };

/* A FIN or RST of a connection that is not closing yet. e: its established flow, if there is one. */
static __noinline int track_begin(struct work *w, struct established *e)
{
	struct evidence *known;
	struct flow *f;
	int inserted;

	known = evidence_get(w->key.hash);
	if (!known)
		return BEGIN_STRAY;
	f = &w->value.body.flow;
	zero_rolled(f, sizeof(*f));
	if (e) {
		flow_reopen(f, &e->open);
		if (reload(e->hash) != w->key.hash)
			return BEGIN_RACED;
	} else {
		if (!flow_evident(known, &w->segment, w->turn.side, flow_key_hash(&w->key)))
			return BEGIN_STRAY;
		flow_init(f, &w->segment, w->turn.side, 0);
		f->state |= FLOW_PROVEN;
	}
	flow_lend_evidence(f, known, flow_key_hash(&w->key));
	flow_turn_begin(&w->turn, f, w->value.body.log, FLOW_LOG_CLOSING, w->turn.side);
	work_step();
	flow_turn_end(&w->turn, w->value.body.log, FLOW_LOG_CLOSING);
	if (!(f->state & FLOW_BEGUN)) {
		if (!e)
			return BEGIN_STRAY;
		e->open.resets_ignored = f->open.resets_ignored; /* a count for the reader; no lock for it */
		return BEGIN_PLACED;
	}
	inserted = closing_begin(w);
	if (inserted == INSERT_RACED)
		return BEGIN_RACED;
	if (!e) {
		if (inserted == INSERT_FULL)
			count(COUNT_MIDSTREAM_FULL);
		return BEGIN_PLACED;
	}
	w->key.generation = 0;
	established_heard(w, e);
	/* Without room for its close it is forgotten all the same: it would be lost more than once, and stay for hours. */
	if (!bpf_map_delete_elem(&established, &w->key)) {
		count(COUNT_CLOSED);
		if (inserted == INSERT_FULL) {
			count(COUNT_CLOSING_FULL);
			traffic_forget(&w->key);
		}
	}
	return BEGIN_PLACED;
}

/* The tuple has another connection, or none, and a SYN came. Returns whether it was an old one's, seen again. */
static __noinline int track_syn_copy(struct work *w, struct established *e)
{
	if (!e || !flow_is_copy(&e->open, &w->segment, w->turn.side))
		return 0;
	if (w->segment.flags & TCP_ACK) /* counts for the reader; no lock for them */
		e->open.synack_copies = saturating_inc(e->open.synack_copies);
	else
		e->open.syn_copies = saturating_inc(e->open.syn_copies);
	return 1;
}

/* The work's segment, which the watch filter did not let pass: SYN, FIN, RST, or anything of a watched cell. */
__noinline int track_segment(void)
{
	struct work *w = work_get();
	struct closing *c = NULL;
	struct established *e = NULL;
	struct tcp_segment *s;
	__u32 index, others = 0, found;
	flag_t opens;

	if (!w)
		return 0;
	s = &w->segment;
	index = watch_index(w->key.hash);
	count(COUNT_LOOKED_UP);
	if (s->flags & TCP_SYN && segment_contradicts(s)) {
		count(COUNT_CONTRADICTORY);
		return 0;
	}
	opens = (s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	/* All but SYNs first go to the tuple's newest connection. */
	if (!opens && watch.live[index]) {
		found = unproven_step(0, 1);
		if (found & UNPROVEN_PROVEN) {
			if (w->value.body.flow.open.seen & OPEN_INSIDE)
				c = closing_find(w);
			track_proven(w, c);
		}
		if (found & UNPROVEN_TAKEN)
			return 0;
	}
	if (watch.live[index] || (s->flags & TCP_CONTROL && watch.settling[index]))
		c = closing_find(w);
	if (!c)
		e = bpf_map_lookup_elem(&established, &w->key);
	if (opens) {
		if (c && c->body.flow.state & FLOW_DONE) {
			closing_replace(c, &w->key);
			c = NULL;
		}
		if (track_syn_copy(w, e))
			return 0;
		if (c)
			others = 1;
		opaque(others); /* or clang ORs the two pointers, which the verifier refuses */
		if (e)
			others = 1;
		if (!c || !flow_is_copy(&c->body.flow.open, s, w->turn.side)) {
			unproven_step(1, others);
			return 0;
		}
	}
	if (c)
		return closing_step(w, c);
	if (s->flags & TCP_SYN) { /* a SYN-ACK */
		if (!e)
			unproven_step(1, 0);
		else
			track_syn_copy(w, e);
		return 0;
	}
	if (!(s->flags & (TCP_FIN | TCP_RST))) {
		if (e && e->open.idle)
			established_heard(w, e);
		return 0;
	}
	if (!e && unproven_step(0, 0) & UNPROVEN_TAKEN) /* reported already */
		return 0;
	found = track_begin(w, e);
	if (found == BEGIN_PLACED)
		return 0;
	/* The other CPU may have moved the flow between our two look-ups. */
	if (found == BEGIN_RACED || watch.live[index])
		c = closing_find(w);
	if (c)
		return closing_step(w, c);
	if (s->flags & TCP_RST)
		count(COUNT_STRAY_RST); /* a lone RST is no close */
	else if (segment_contradicts(s))
		count(COUNT_CONTRADICTORY);
	else
		unproven_step(1, 0); /* a stray FIN, until the other side acknowledges it */
	return 0;
}

__noinline int work_options(void)
{
	struct work *w = work_get();

	if (w)
		packet_options(&w->segment, &w->options);
	return 0;
}

#endif
