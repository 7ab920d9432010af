/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event -> table: finds the socket's place, or the next one of the ring. Both worlds.
 *
 * The includer has defined struct socket_tables and, before this file:
 *	struct socket_set *sockets_set(t, table, number)	number: unmasked
 *	struct closing_socket *sockets_socket(t, place)
 *	struct socket_answer *sockets_answer(t, place)
 *	__u32 sockets_turn(t, table)				the ring's next turn
 *	__u32 sockets_mask(t, table)				of the ring: places - 1
 *	int sockets_known(t, hash)				has a watched interface seen the connection?
 *	const struct flow_hash_key *sockets_key(t)
 *	__u64 sockets_wait(t)					socket_time of the wait of socket_rank
 *	void sockets_evicted(t, table)				counts one that was still wanted
 */
#ifndef TCPFIN_SOCKET_RECORD_H
#define TCPFIN_SOCKET_RECORD_H

#include "bpf/socket_sets.h"

enum socket_table_kind { TABLE_SOCKETS, TABLE_ANSWERS };

/* A function of its own to the verifier: its paths do not multiply those of its caller. */
#ifdef __bpf__
#define socket_code __noinline __attribute__((weak))
#else
#define socket_code static inline
#endif

#define NO_PLACE (-1)

/* What every place begins with. */
static __always_inline struct socket_place *place_at(struct socket_tables *t, __u32 table, __u32 n)
{
	struct closing_socket *socket;
	struct socket_answer *answer;

	if (table) {
		answer = sockets_answer(t, n);
		return answer ? &answer->place : NULL;
	}
	socket = sockets_socket(t, n);
	return socket ? &socket->place : NULL;
}

/* The place of the event's socket, or NO_PLACE. */
socket_code int find_socket(struct socket_tables *t, const struct socket_event *e, __u32 hash)
{
	struct socket_set *set = sockets_set(t, TABLE_SOCKETS, hash);

	if (!set || !e)
		return NO_PLACE;
	for (__u32 i = 0; i < SOCKET_WAYS; i++) {
		__u32 way = set->way[i], n = way & sockets_mask(t, TABLE_SOCKETS);
		struct closing_socket *s;

		if (!socket_has_tag(way, hash))
			continue;
		s = sockets_socket(t, n);
		if (s && socket_is(s, e))
			return n;
	}
	return NO_PLACE;
}

/* Makes the place ours, if it is what the caller has seen there. */
static __always_inline flag_t place_lock(struct socket_place *p, __u64 seen, __u64 bits)
{
	return !(seen & SOCKET_BUSY) && __sync_val_compare_and_swap(&p->word, seen, seen | bits | SOCKET_BUSY) == seen;
}

/* Gives the place back: everybody may read it. bits: those of its word. */
static __always_inline void place_unlock(struct socket_place *p, __u64 bits, __u64 time)
{
	__u64 word = reload(p->word);

	__sync_val_compare_and_swap(
		&p->word, word, bits | SOCKET_USED | socket_time(time) | ((word + SOCKET_VERSION) & SOCKET_VERSIONS));
}

/* Which way of a set takes something new: the one of longest ago. turn: of what is new. */
socket_code __u32 choose_way(struct socket_tables *t, __u32 table, __u32 hash, __u32 turn)
{
	struct socket_set *set = sockets_set(t, table, hash);
	__u32 best = 0, longest = 0;

	if (!set)
		return 0;
	for (__u32 i = 0; i < SOCKET_WAYS; i++) {
		__u32 way = set->way[i], ago = way ? (turn - way) & SOCKET_TURNS : SOCKET_TURNS + 1;

		best = ago > longest ? i : best;
		longest = ago > longest ? ago : longest;
	}
	return best;
}

/* From now on the place is found by its tuple. */
static __always_inline void note_way(struct socket_tables *t, __u32 table, __u32 hash, __u32 turn)
{
	struct socket_set *set = sockets_set(t, table, hash);
	__u32 i = choose_way(t, table, hash, turn) & (SOCKET_WAYS - 1), was;

	if (!set)
		return;
	was = reload(set->way[i]);
	__sync_val_compare_and_swap(&set->way[i], was, socket_way(hash, turn));
}

/* The ring has passed over a place that keeps what it holds: its way counts as new. */
socket_code int renew_way(struct socket_tables *t, __u32 table, __u32 hash, __u32 was, __u32 turn)
{
	struct socket_set *set = sockets_set(t, table, hash);

	if (!set)
		return 0;
	for (__u32 i = 0; i < SOCKET_WAYS; i++)
		if (set->way[i] == socket_way(hash, was))
			__sync_val_compare_and_swap(&set->way[i], socket_way(hash, was), socket_way(hash, turn));
	return 0;
}

/* Has a watched interface seen the connection of what lies in the place? */
socket_code int place_known(struct socket_tables *t, __u32 table, __u32 n)
{
	struct closing_socket *socket = sockets_socket(t, n);
	struct socket_answer *answer = sockets_answer(t, n);
	struct socket_hash h;
	struct socket_id id;

	if (table ? !answer : !socket)
		return 0;
	id = table ? answer->id : socket->id;
	h = socket_hash_of(&id, sockets_key(t));
	return sockets_known(t, &h);
}

#define PLACE_TRIES 4

/*
 * Takes a place for something new, locked; the caller writes it, unlocks it and notes its way. known: has a watched
 * interface seen its connection? -1: not asked yet; h says of which. Returns NO_PLACE where it gets none.
 */
socket_code int take_place(struct socket_tables *t, __u32 table, const struct socket_hash *h, __u64 time, int known)
{
	__u64 now = socket_time(time), wait = sockets_wait(t), word = 0;
	__u32 n = 0, turn = 0, rank = RANK_BUSY;
	struct socket_place *p = NULL;
	flag_t locked;

	if (!h)
		return NO_PLACE;
	for (__u32 i = 0; i < PLACE_TRIES; i++) {
		turn = sockets_turn(t, table);
		n = turn & sockets_mask(t, table);
		p = place_at(t, table, n);
		if (!p)
			return NO_PLACE;
		word = reload(p->word);
		rank = socket_rank(word, now, wait);
		if (rank < RANK_WANTED || (rank == RANK_WANTED && !place_known(t, table, n)))
			break;
		renew_way(t, table, p->hash, p->turn, turn);
		p->turn = turn;
		rank = RANK_BUSY;
	}
	if (!p)
		return NO_PLACE;
	if (known < 0)
		known = rank < RANK_BUSY || sockets_known(t, h);
	if (!known) /* and all of these places are wanted */
		return NO_PLACE;
	locked = place_lock(p, word, 0);
	if (!locked || rank == RANK_BUSY)
		sockets_evicted(t, table);
	if (!locked)
		return NO_PLACE;
	p->hash = socket_hash(h);
	p->turn = turn;
	return n;
}

#endif
