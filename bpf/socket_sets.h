/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where closing sockets and answers are kept: a ring of places, and sets that find a place by a hash of its tuple. Both
 * worlds: the tracepoints write, user space reads what lies there when it reports the connection.
 *
 * Memory that is not in the cache is what costs. So places are handed out in order: what closes together is together.
 * A set is one cache line of sixteen ways, each with a tag (12 bits) and a turn of the ring (20 bits); turn modulo the
 * ring's size is the place. Nothing takes a way back when its place is used again: who looks there finds another tuple.
 *
 * A writer makes the place's word BUSY by compare-and-swap, writes, and stores the word with its next version. A reader
 * copies and looks at the word again: it has a whole copy if the word is the same and was not BUSY.
 *
 * Who gives way: the next in the ring, unless a watched interface has seen its connection and no record has it yet. Of
 * a few of those in a row, one gives way to its like, which is counted; what no watched interface has seen gets no
 * place then.
 */
#ifndef TCPFIN_SOCKET_SETS_H
#define TCPFIN_SOCKET_SETS_H

#include <stddef.h>

#include "bpf/core/flow_hash.h"
#include "bpf/socket_event.h"

#define SOCKET_WAYS 16

struct socket_set {
	__u32 way[SOCKET_WAYS]; /* 0: free, or tag 0 at turn 0 */
};
CORE_ASSERT_SIZE(struct socket_set, 64);

#define SOCKET_TURNS 0xfffffU
#define SOCKET_PLACES_MAX 65536 /* far fewer than turns: the oldest way of a set is that of the smallest turn */

/* Bits of a place's word. */
enum {
	SOCKET_USED = 1 << 24,
	SOCKET_BUSY = 1 << 25,     /* being written */
	SOCKET_CLOSED = 1 << 26,   /* no event is to come */
	SOCKET_REPORTED = 1 << 27, /* a record has it */
};

#define SOCKET_TIME_MASK ((1ULL << 24) - 1)
#define SOCKET_TIME_SHIFT 26 /* ns to its unit, 67 ms */
#define SOCKET_VERSION (1ULL << 32)
#define SOCKET_VERSIONS (255ULL << 32)

static __always_inline __u64 socket_time(__u64 ns)
{
	return ns >> SOCKET_TIME_SHIFT & SOCKET_TIME_MASK;
}

/* ---- hashes ---- */

/* Of both ends. The local one is the first, so side tells the connection's two sockets apart. */
struct socket_hash {
	struct flow_ends ends;
};

static __always_inline struct ip_address socket_address(__u32 family, const __u8 *ip)
{
	if (family == 4)
		return (struct ip_address){0, load_be32(ip)};
	return (struct ip_address){load_be64(ip), load_be64(ip + 8)};
}

static __always_inline struct socket_hash socket_hash_of(const struct socket_id *id, const struct flow_hash_key *key)
{
	struct ip_address local = socket_address(id->family, id->local),
			  remote = socket_address(id->family, id->remote);

	return (struct socket_hash){flow_ends_of(id->family, &local, id->local_port, &remote, id->remote_port, key)};
}

/*
 * Of the socket. Low bits choose the set, high ones the tag. The two ends of a connection have sets side by side: the
 * processor fetches the other line as well, and needs no other page, if both ends are on this host.
 */
static __always_inline __u32 socket_hash(const struct socket_hash *h)
{
	__u32 pair = flow_hash_of(h->ends.hash, 0) >> 32, side = h->ends.side != 0;

	return ((pair ^ (0 - side)) & ~SOCKET_TURNS) | ((pair << 1 | side) & SOCKET_TURNS);
}

/* The hash of its connection at an interface, by which the recorder keeps it. */
static __always_inline __u64 socket_flow(const struct socket_hash *h, __u32 ifindex)
{
	return flow_hash_of(h->ends.hash, ifindex);
}

/* A way that stands for a place. turn: when that was taken. */
static __always_inline __u32 socket_way(__u32 hash, __u32 turn)
{
	return (hash & ~SOCKET_TURNS) | (turn & SOCKET_TURNS);
}

static __always_inline flag_t socket_has_tag(__u32 way, __u32 hash)
{
	return way && !((way ^ hash) & ~SOCKET_TURNS);
}

static __always_inline flag_t socket_same_id(const struct socket_id *a, const struct socket_id *b)
{
	const __u64 *x = (const void *)a, *y = (const void *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]));
}

/* ---- places by address ---- */

/*
 * By what a socket's place is found while it closes: its address. The latest of an entry wins, which has the low 48
 * bits of the address, and the place. What that holds tells whether it is still the socket's.
 */
#define SOCKET_ADDRESS_BITS 11
#define SOCKET_ADDRESSES (1 << SOCKET_ADDRESS_BITS)

static __always_inline __u32 socket_place_index(__u64 address)
{
	return address * FLOW_HASH_PRIME >> (64 - SOCKET_ADDRESS_BITS);
}

static __always_inline __u64 socket_place_by_address(__u64 address, __u32 place)
{
	return address << 16 | place;
}

/* The place of that address; SOCKET_PLACES_MAX or more: none. */
static __always_inline __u64 socket_place_of_address(__u64 entry, __u64 address)
{
	return entry ^ address << 16;
}

/* ---- who gives way ---- */

/* RANK_WANTED: if a watched interface has seen its connection. */
enum socket_rank { RANK_FREE, RANK_DONE, RANK_WANTED, RANK_BUSY };

/* word: of a place. now: socket_time. wait: the same of the longest time from a socket's end to its record. */
static __always_inline __u32 socket_rank(__u64 word, __u64 now, __u64 wait)
{
	__u64 age = (now - word) & SOCKET_TIME_MASK;

	if (!(word & SOCKET_USED))
		return RANK_FREE;
	if (word & SOCKET_BUSY)
		return RANK_BUSY;
	if (word & SOCKET_REPORTED)
		return RANK_DONE;
	/* Two CPUs' clocks, or two events in another order, may make an age negative. */
	if (word & SOCKET_CLOSED && age > wait && age < SOCKET_TIME_MASK / 2)
		return RANK_DONE;
	return RANK_WANTED;
}

/* ---- what an event adds ---- */

static __always_inline flag_t socket_call_was_made(__u32 state)
{
	return state == SOCKET_FIN_WAIT1 || state == SOCKET_FIN_WAIT2 || state == SOCKET_CLOSING ||
	       state == SOCKET_LAST_ACK;
}

/* The first event that is known of a socket. */
static __always_inline void socket_begin(struct closing_socket *to, const struct socket_event *e)
{
	__builtin_memset(&to->id, 0, sizeof(*to) - offsetof(struct closing_socket, id));
	to->id = e->id;
	to->netns = e->netns;
	to->isn = e->isn;
	to->own_isn = (e->flags & SOCKET_OWN_ISN) != 0;
	to->sent_unacked = (e->flags & SOCKET_SENT_UNACKED) != 0;
	to->received_unacked = (e->flags & SOCKET_RECEIVED_UNACKED) != 0;
	to->sent_ago = e->sent_ago;
	to->received_ago = e->received_ago;
	to->sent_end = e->sent_end;
	to->close.cgroup = e->cgroup;
	to->lost = e->kind == SOCKET_STATE && (socket_call_was_made(e->from) || e->from == SOCKET_CLOSE_WAIT);
}

/*
 * The other end's FIN comes while it waits for a segment that was sent again: it is there, and what is small comes
 * through. Two time-outs later that segment is still not acknowledged: its size is the reason (bpf/core/black_hole.h
 * finds the same from the segments).
 */
static __always_inline void socket_note_awaited(struct closing_socket *to, const struct socket_event *e)
{
	flag_t fin = e->kind == SOCKET_STATE && (e->to == SOCKET_CLOSE_WAIT || e->to == SOCKET_CLOSING);

	if (!e->awaited_copies)
		return;
	if (fin) {
		to->awaited = e->awaited < 0xffff ? e->awaited : 0;
		to->awaited_seq = (__u16)e->awaited_seq;
		to->awaited_copies = e->awaited_copies < 0xff ? e->awaited_copies : 0xff;
	} else if (to->awaited && to->awaited_seq == (__u16)e->awaited_seq &&
		   e->awaited_copies >= to->awaited_copies + 2u && e->awaited_copies <= 0xff) {
		to->awaited_copies = e->awaited_copies;
		to->swallowed = 1;
	}
}

/* Adds the event. Returns whether it closes the socket, so that who did it is to be noted (socket_close_note). */
static __always_inline flag_t socket_note(struct closing_socket *to, const struct socket_event *e)
{
	__u32 n = to->step_count;

	to->srtt = e->srtt;
	to->retransmits = e->retransmits;
	socket_note_awaited(to, e);
	if (e->kind == SOCKET_RESET_SENT)
		to->reset_reason = e->reason;
	if (e->kind == SOCKET_RESET_RECEIVED)
		to->reset_received = e->time;
	if (e->kind != SOCKET_STATE)
		return 0;
	if (n < SOCKET_STEPS) {
		element(to->entered, n) = e->time;
		element(to->states, n) = e->to;
		to->step_count = n + 1;
	}
	/*
	 * The first call by a process closes it; without a call, the change to CLOSE. From a state behind the own FIN
	 * a call was made before: where that event was lost, nobody knows whose. Most changes are neither, and do not
	 * touch the last of the place's lines.
	 */
	return (e->flags & SOCKET_PROCESS || (e->to == SOCKET_CLOSE && !(to->lost && socket_call_was_made(e->from)))) &&
	       !to->close.to;
}

/*
 * Closing a listener resets each connection that waits in its queue: the state becomes CLOSE first, the RST follows
 * (tcp_disconnect). Returns whether the event is that RST, so that the process is to be noted. In SYN-RECEIVED it can
 * be a segment's doing: the last ACK of a handshake, on another CPU, may meet the closed listener.
 */
static __always_inline flag_t socket_note_unaccepted(struct closing_socket *to, const struct socket_event *e)
{
	if (!(e->flags & SOCKET_UNACCEPTED) || to->close.to != SOCKET_CLOSE || to->close.flags & SOCKET_PROCESS)
		return 0;
	if (to->close.from != SOCKET_ESTABLISHED && to->close.from != SOCKET_CLOSE_WAIT)
		return 0;
	to->close.flags |= SOCKET_PROCESS | SOCKET_UNACCEPTED;
	return 1;
}

/* Who was at work is added by the caller. */
static __always_inline void socket_close_note(struct socket_close *close, const struct socket_event *e)
{
	close->time = e->time;
	close->unread = e->unread;
	close->unsent = e->unsent;
	close->from = e->from;
	close->to = e->to;
	close->flags = e->flags;
}

static __always_inline flag_t socket_is(const struct closing_socket *s, const struct socket_event *e)
{
	return s->isn == e->isn && s->netns == e->netns && s->own_isn == ((e->flags & SOCKET_OWN_ISN) != 0) &&
	       socket_same_id(&s->id, &e->id);
}

#endif
