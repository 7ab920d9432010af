// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket's side: tracepoints at state changes and resets, each of them optional. Nothing runs for a segment.
 *
 * Most changes of state leave at a comparison. What closes a socket is written into its place in an array, which user
 * space maps: no ring, no hash map, nothing that grows. A socket of another network namespace than the watched
 * interfaces' counts only if they have seen its connection, so what happens elsewhere takes no place.
 *
 * A tracepoint runs in whatever context the change has: often a softirq, where the current process is a bystander.
 * is_call() tells when it is not.
 */
#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "bpf/core/flow_log.h"
#include "bpf/socket_settings.h"
#include "bpf/socket_sets.h"

char LICENSE[] SEC("license") = "GPL";

#define IPPROTO_TCP 6
#define PF_EXITING 0x4
#define PF_KTHREAD 0x200000

const volatile struct socket_settings settings = {};
struct socket_shared shared = {};
/* Of the rings. Every CPU writes them: in a cache line without anything that is only read. */
struct socket_turns turns __attribute__((aligned(64))) = {};

#define MAPPED_ARRAY(name, type_)                  \
	struct {                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, 1);            \
		__type(key, __u32);                \
		__type(value, type_);              \
	} name SEC(".maps")

MAPPED_ARRAY(tcpfin_sets, struct flow_set); /* the packet programs': which connections interfaces have seen */
MAPPED_ARRAY(tcpfin_socksets, struct socket_set);
MAPPED_ARRAY(tcpfin_sockets, struct closing_socket);
/* Answers have tables of their own: whoever sends segments to closed ports shall not crowd out real closes. */
MAPPED_ARRAY(tcpfin_answsets, struct socket_set);
MAPPED_ARRAY(tcpfin_answers, struct socket_answer);

/*
 * Not mapped, and small: so it is memory of the kernel's large pages, where a miss of the cache is not one of the TLB
 * as well.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SOCKET_ADDRESSES);
	__type(key, __u32);
	__type(value, __u64);
} tcpfin_places SEC(".maps");

/* Processes that have called listen() since the programs run, the latest ones. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct socket_listen_call);
} tcpfin_listens SEC(".maps");

/* struct cgroup_news */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} tcpfin_cgroups SEC(".maps");

/* The address of the socket that has sent a reset and is about to close, by CPU: compared, never followed. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} reset_sender SEC(".maps");

/* ---- is it watched? ---- */

/* Has one set of the packet programs' tables something with the tag of that connection? */
__noinline __attribute__((weak)) int set_has(__u64 flow, __u32 second)
{
	struct flow_set *set;
	__u32 number = (second ? second_set(flow) : first_set(flow)) & settings.set_mask;

	set = bpf_map_lookup_elem(&tcpfin_sets, &number);
	if (!set)
		return 0;
	for (int i = 0; i < SET_WAYS; i++)
		if (way_kind(set->way[i]) != WAY_FREE && way_tag(set->way[i]) == way_tag(flow))
			return 1;
	return 0;
}

/* Has a watched interface seen the connection? One of a million others is taken for such a one. */
__noinline __attribute__((weak)) int interfaces_know(const struct socket_hash *h)
{
	__u32 count = shared.interfaces;

	if (!h)
		return 0;
	for (__u32 i = 0; i < SOCKET_INTERFACES && i < count; i++) {
		__u64 flow = socket_flow(h, shared.interface[i]);

		if (set_has(flow, 0) || set_has(flow, 1))
			return 1;
	}
	return 0;
}

/* Are all sockets of that network namespace of interest? */
__noinline __attribute__((weak)) int namespace_watched(__u32 inode)
{
	for (__u32 i = 0; i < SOCKET_NAMESPACE_PLACES; i++)
		if (shared.namespace[socket_namespace_place(inode, i)] == inode)
			return inode != 0;
	return 0;
}

/* ---- the tables, as bpf/socket_record.h wants them ---- */

struct socket_tables {
	__u32 unused; /* there is one set of them: a pointer to it is NULL everywhere */
};

#define sockets_set(t, table, number_)                                                              \
	({                                                                                          \
		__u32 at_ = (number_) & ((table) ? settings.answer_sets_mask : settings.sets_mask); \
		(struct socket_set *)((table) ? bpf_map_lookup_elem(&tcpfin_answsets, &at_)         \
					      : bpf_map_lookup_elem(&tcpfin_socksets, &at_));       \
	})
#define sockets_socket(t, place_)                                                    \
	({                                                                           \
		__u32 at_ = (place_);                                                \
		(struct closing_socket *)bpf_map_lookup_elem(&tcpfin_sockets, &at_); \
	})
#define sockets_answer(t, place_)                                                   \
	({                                                                          \
		__u32 at_ = (place_);                                               \
		(struct socket_answer *)bpf_map_lookup_elem(&tcpfin_answers, &at_); \
	})
#define sockets_turn(t, table) \
	((table) ? __sync_fetch_and_add(&turns.answer, 1) : __sync_fetch_and_add(&turns.socket, 1))
#define sockets_mask(t, table) ((table) ? settings.answers_mask : settings.sockets_mask)
#define sockets_key(t) hidden(&settings.key)
#define sockets_known(t, h) interfaces_know(h)
#define sockets_wait(t) (settings.wait >> SOCKET_TIME_SHIFT)
#define sockets_evicted(t, table) __sync_fetch_and_add((table) ? &shared.answers_lost : &shared.sockets_lost, 1)

#include "bpf/socket_record.h"

/* ---- a socket's facts ---- */

/*
 * A member of a kernel structure. Where BTF types the program's arguments the verifier lets it be loaded, which costs
 * a tenth of the helper that raw programs need. typed: a constant.
 */
#define get(typed, p, member) ((typed) ? (p)->member : BPF_CORE_READ(p, member))

/* The socket as a TCP socket; NULL if it is none: MPTCP, SCTP and DCCP come here, too. */
static __always_inline const struct tcp_sock *tcp_of(const struct sock *sk, const bool typed)
{
	if (typed)
		return bpf_skc_to_tcp_sock((void *)sk);
	return BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP ? (const void *)sk : NULL;
}

static __always_inline __u32 netns_of(const struct sock *sk, const bool typed)
{
	const struct net *net = get(typed, sk, __sk_common.skc_net.net);

	return get(typed, net, ns.inum);
}

/* 0 where the kernel does not keep a socket's cgroup. */
static __always_inline __u64 cgroup_of(const struct sock *sk, const bool typed)
{
	const struct cgroup *cgroup;
	const struct kernfs_node *node;

	if (!bpf_core_field_exists(sk->sk_cgrp_data))
		return 0;
	cgroup = get(typed, sk, sk_cgrp_data.cgroup);
	node = get(typed, cgroup, kn);
	return get(typed, node, id);
}

/* Sets the IPv6 addresses. False: they are IPv4-mapped, or none. */
static __always_inline bool fill_ipv6(struct socket_id *id, const struct sock *sk, const bool typed)
{
	__u32 *local = (void *)id->local, *remote = (void *)id->remote;

	if (get(typed, sk, __sk_common.skc_family) != AF_INET6)
		return 0;
#pragma unroll
	for (int i = 0; i < 4; i++)
		remote[i] = get(typed, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr32[i]);
	if (!(remote[0] | remote[1]) && remote[2] == bpf_htonl(0xffff)) /* RFC 4291, section 2.5.5.2 */
		return 0;
#pragma unroll
	for (int i = 0; i < 4; i++)
		local[i] = get(typed, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[i]);
	return 1;
}

static __always_inline void fill_id(struct socket_event *e, const struct sock *sk, const struct tcp_sock *tp,
				    const bool typed)
{
	struct socket_id *id = &e->id;
	const struct inet_sock *inet = (const void *)tp;
	__u64 *words = (void *)id;

	e->netns = netns_of(sk, typed);
	e->cgroup = e->flags & SOCKET_PROCESS ? 0 : cgroup_of(sk, typed); /* the process's takes its place */
	/* inet_sport: skc_num is 0 once the port is given back */
	id->local_port = bpf_ntohs(get(typed, inet, inet_sport));
	id->remote_port = bpf_ntohs(get(typed, sk, __sk_common.skc_dport));
	id->family = 6;
	if (fill_ipv6(id, sk, typed))
		return;
	id->family = 4;
	words[0] = get(typed, sk, __sk_common.skc_rcv_saddr);
	words[1] = 0;
	words[2] = get(typed, sk, __sk_common.skc_daddr);
	words[3] = 0;
}

/* As fill_unanswered_raw. */
__noinline __attribute__((weak)) int fill_id_raw(struct socket_event *e)
{
	if (e)
		fill_id(e, (const void *)e->socket, (const void *)e->socket, 0);
	return 0;
}

/* flags: of the socket. */
static __always_inline bool has_flag(unsigned long flags, __u32 flag)
{
	return flags >> flag & 1;
}

/* ms: a socket gives up long before (tcp_retries2). */
#define REPEATED_MOST (3600 * 1000)

/*
 * Jiffies since the payload that waits for an answer was first sent: lsndtime is that of its latest copy. The kernel
 * keeps when its first time-out sent a copy, in ms. The time-out that came before has been doubled with each copy since
 * (RFC 6298 section 5.5); a loss probe may have come between. 0: not known, as where a route has TCP count in us.
 */
static __always_inline __u32 first_sent_ago(const struct socket_event *e, const struct tcp_sock *tp, const bool typed)
{
	const struct inet_connection_sock *icsk = (const void *)tp;
	__u32 stamp = get(typed, tp, retrans_stamp), ago = (__u32)(e->time / 1000000) - stamp;

	if (!e->awaited_copies || !stamp || ago > REPEATED_MOST || !settings.jiffy)
		return 0;
	return ago * 1000000ULL / settings.jiffy + (get(typed, icsk, icsk_rto) >> (e->awaited_copies & 31));
}

/* More levels than the tree of what a socket has sent can have: 2^16 segments. */
#define SENT_LEVELS 32

/* Payload of the segment that the other end waits for: the leftmost of the tree. */
static __always_inline __u32 awaited_payload(const struct sock *sk)
{
	const struct rb_node *node = BPF_CORE_READ(sk, tcp_rtx_queue.rb_node), *left;

	if (!node)
		return 0;
	for (int i = 0; i < SENT_LEVELS; i++) {
		left = BPF_CORE_READ(node, rb_left);
		if (!left)
			break;
		node = left;
	}
	return BPF_CORE_READ(
		(const struct sk_buff *)((const char *)node - bpf_core_field_offset(struct sk_buff, rbnode)), len);
}

/* Call behind fill_numbers: there was nothing of the kind before. */
static __always_inline void fill_awaited(struct socket_event *e, const struct sock *sk, const struct tcp_sock *tp,
					 const bool typed)
{
	const struct inet_connection_sock *icsk = (const void *)tp;

	e->awaited_copies = get(typed, icsk, icsk_retransmits);
	if (!e->awaited_copies)
		return;
	e->awaited_seq = get(typed, tp, snd_una);
	e->awaited = awaited_payload(sk);
}

/* What was sent and not acknowledged. Returns what first_sent_ago says. */
static __always_inline __u32 fill_unanswered(struct socket_event *e, const struct sock *sk, const struct tcp_sock *tp,
					     const bool typed)
{
	fill_awaited(e, sk, tp, typed);
	return first_sent_ago(e, tp, typed);
}

/* Of raw programs, which have no room for it on their own part of the stack. */
__noinline __attribute__((weak)) int fill_unanswered_raw(struct socket_event *e)
{
	return e ? fill_unanswered(e, (const void *)e->socket, (const void *)e->socket, 0) : 0;
}

/* Adds it to an event of a socket that is in that state. */
static __always_inline void add_unanswered(struct socket_event *e, const struct sock *sk, const struct tcp_sock *tp,
					   int state, const bool typed)
{
	__u32 first = typed ? fill_unanswered(e, sk, tp, 1) : fill_unanswered_raw(e);

	if (first && state == SOCKET_ESTABLISHED)
		e->sent_ago = first;
}

/*
 * When payload passed last, before the close changes that. The kernel sets both times at the handshake, too. It counts
 * jiffies in 32 bits: they go round every 50 days at the least, which no difference of two shows.
 */
static __always_inline void fill_payload(struct socket_event *e, const struct tcp_sock *tp, flag_t any_received,
					 const bool typed)
{
	const struct inet_connection_sock *icsk = (const void *)tp;
	__u32 now = bpf_jiffies64();

	e->sent_end = get(typed, tp, snd_nxt);
	if (get(typed, tp, data_segs_out))
		e->sent_ago = now - get(typed, tp, lsndtime);
	if (any_received)
		e->received_ago = now - get(typed, icsk, icsk_ack.lrcvtime);
	if (e->sent_end != get(typed, tp, snd_una))
		e->flags |= SOCKET_SENT_UNACKED;
	if (get(typed, tp, rcv_nxt) != get(typed, tp, rcv_wup))
		e->flags |= SOCKET_RECEIVED_UNACKED;
}

/*
 * From the handshake on rcv_nxt and bytes_received move together, a FIN included: their difference is the peer's
 * initial number and 1 for its SYN.
 */
static __always_inline void fill_numbers(struct socket_event *e, const struct tcp_sock *tp, unsigned long flags,
					 int state, const bool typed)
{
	flag_t done = has_flag(flags, bpf_core_enum_value(enum sock_flags, SOCK_DONE));
	__u32 received = get(typed, tp, rcv_nxt), unread = received - get(typed, tp, copied_seq);

	e->retransmits = get(typed, tp, total_retrans);
	e->srtt = e->unread = e->unsent = e->sent_end = 0;
	e->awaited = e->awaited_seq = e->awaited_copies = 0;
	e->sent_ago = e->received_ago = SOCKET_NO_PAYLOAD;
	if (state == SOCKET_SYN_SENT) {
		e->isn = get(typed, tp, snd_una);
		e->flags |= SOCKET_OWN_ISN;
		return;
	}
	e->isn = received - (__u32)get(typed, tp, bytes_received) - 1;
	e->srtt = get(typed, tp, srtt_us) >> 3;
	e->unsent = get(typed, tp, write_seq) - get(typed, tp, snd_nxt);
	if (unread && done)
		unread--; /* the peer's FIN is no byte */
	e->unread = unread;
	if (state == SOCKET_ESTABLISHED)
		fill_payload(e, tp, get(typed, tp, bytes_received) != done, typed);
}

/* All but who it is (fill_id), and kind, from, to and reason, which the caller sets. */
static __always_inline void fill(struct socket_event *e, const struct sock *sk, const struct tcp_sock *tp, int state,
				 const bool typed)
{
	unsigned long flags = get(typed, sk, __sk_common.skc_flags);

	e->socket = (__u64)sk;
	e->flags = 0;
	e->reason = 0;
	e->time = bpf_ktime_get_ns();
	fill_numbers(e, tp, flags, state, typed);
	if (has_flag(flags, bpf_core_enum_value(enum sock_flags, SOCK_LINGER)) && !get(typed, sk, sk_lingertime))
		e->flags |= SOCKET_LINGER_0;
}

/* ---- whose doing it is ---- */

/* The count of a file that is being released: 0 before 6.13, then a value that is negative where it is dead. */
static __always_inline bool last_holder(const struct file *file, const bool typed)
{
	const struct file___count *old = (const void *)file;
	const struct file___ref *new = (const void *)file;

	if (bpf_core_field_exists(new->f_ref))
		return get(typed, new, f_ref.refcnt.counter) < 0;
	return !get(typed, old, f_count.counter);
}

static __always_inline const struct task_struct *current_task(const bool typed)
{
	return typed ? bpf_get_current_task_btf() : (const void *)bpf_get_current_task();
}

static __always_inline void remember_sender(__u64 socket)
{
	__u32 zero = 0;
	__u64 *sender = bpf_map_lookup_elem(&reset_sender, &zero);

	if (sender)
		*sender = socket;
}

/* With softirqs off, nothing comes between a reset and the close that it announces; the close forgets it. */
static __always_inline bool sent_reset(const struct sock *sk)
{
	__u32 zero = 0;
	const __u64 *sender = bpf_map_lookup_elem(&reset_sender, &zero);

	return sender && *sender == (__u64)sk;
}

/*
 * Is the change the current process's doing? It is never where the socket's lock is not a process's, or where the
 * socket is not a file's any more. With the lock held it may still be a segment's or a timer's that waited for the
 * lock, so the change must be one that only a call makes:
 *	to FIN-WAIT-1, or from CLOSE-WAIT to LAST-ACK: the kernel's tcp_close_state(), by close() and shutdown();
 *	from a state before one's own FIN to CLOSE, while the file is being released: close() by way of a reset;
 *	the same while the file lives, right behind an own reset: SOCK_DESTROY (ss -K).
 * Most changes are none of these, which the states alone tell.
 */
static __always_inline bool may_be_call(int from, int to)
{
	if (to == SOCKET_CLOSE)
		return from <= SOCKET_SYN_RECV || from == SOCKET_CLOSE_WAIT;
	return to == SOCKET_FIN_WAIT1 || (to == SOCKET_LAST_ACK && from == SOCKET_CLOSE_WAIT);
}

/* The event's bits that say whose call it was; 0 where it was none. */
static __always_inline __u32 call_flags(const struct sock *sk, int from, int to, const bool typed)
{
	const struct task_struct *task;
	const struct socket *socket;
	const struct file *file;
	__u32 task_flags;
	bool last;

	if (!may_be_call(from, to) || !get(typed, sk, sk_lock.owned))
		return 0;
	socket = get(typed, sk, sk_socket);
	file = get(typed, socket, file);
	task = current_task(typed);
	task_flags = get(typed, task, flags);
	if (!file || task_flags & PF_KTHREAD)
		return 0;
	last = last_holder(file, typed);
	if (to == SOCKET_CLOSE && !last && !sent_reset(sk))
		return 0;
	return SOCKET_PROCESS | (last ? SOCKET_LAST_HOLDER : 0) | (task_flags & PF_EXITING ? SOCKET_EXITING : 0);
}

/* Where the list of a cgroup's controllers has "pids", in bytes. */
#define PIDS_STATE (bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id) * sizeof(void *))

/* The process's place in the version 1 hierarchy of "pids", where every manager puts its units or containers. */
static __always_inline __u32 legacy_cgroup_of(const struct task_struct *task)
{
	const struct cgroup_subsys_state *state = NULL;
	const void *states;

	if (!settings.legacy_cgroups || !bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		return 0;
	states = &BPF_CORE_READ(task, cgroups)->subsys[0];
	bpf_probe_read_kernel(&state, sizeof(state), states + PIDS_STATE);
	return (__u32)BPF_CORE_READ(state, cgroup, kn, id);
}

static __always_inline void note_process(struct socket_close *close)
{
	const struct task_struct *task = (const void *)bpf_get_current_task();
	__u64 id = bpf_get_current_pid_tgid();

	close->pid = id >> 32;
	close->uid = (__u32)bpf_get_current_uid_gid();
	close->cgroup = bpf_get_current_cgroup_id();
	close->legacy_cgroup = legacy_cgroup_of(task);
	if (close->pid == (__u32)id)
		bpf_get_current_comm(close->name, sizeof(close->name));
	else
		BPF_CORE_READ_INTO(&close->name, task, group_leader, comm);
}

/* ---- into the tables ---- */

/* Adds the event to the place of its socket, which is locked, and gives it back. bits: of its word so far. */
static __always_inline void write_event(struct closing_socket *s, const struct socket_event *e, __u64 bits)
{
	if (socket_note(s, e)) {
		socket_close_note(&s->close, e);
		if (e->flags & SOCKET_PROCESS)
			note_process(&s->close);
	} else if (socket_note_unaccepted(s, e)) {
		note_process(&s->close);
	}
	bits |= e->kind == SOCKET_STATE && e->to == SOCKET_CLOSE ? SOCKET_CLOSED : 0;
	place_unlock(&s->place, bits, e->time);
}

/* Has the socket no place yet? A reset, which may come before a change of state, is followed by the one to CLOSE. */
static __always_inline bool begins_close(const struct socket_event *e)
{
	return e->kind == SOCKET_STATE && e->from <= SOCKET_SYN_RECV && e->to != SOCKET_CLOSE;
}

/* Adds the event to a place that holds its socket. Returns 0 where it has become another's. */
static __always_inline int record_at(struct closing_socket *s, const struct socket_event *e)
{
	__u64 word = reload(s->place.word);

	if (!place_lock(&s->place, word, 0))
		return 0;
	write_event(s, e, word & SOCKET_CLOSED);
	return 1;
}

/* Where the place of the event's socket is noted by its address. */
static __always_inline __u64 *entry_of(const struct socket_event *e)
{
	__u32 index = e ? socket_place_index(e->socket) : 0;

	return bpf_map_lookup_elem(&tcpfin_places, &index);
}

/* An event of a socket that has no place yet. */
static __always_inline int record_first(struct socket_event *e, const struct socket_hash *h)
{
	int known = -1, n;
	struct closing_socket *s;
	__u64 *entry;

	if (!namespace_watched(e->netns)) {
		known = interfaces_know(h);
		if (!known)
			return 0;
	}
	n = take_place(NULL, TABLE_SOCKETS, h, e->time, known);
	s = sockets_socket(NULL, n);
	if (n == NO_PLACE || !s)
		return 0;
	socket_begin(s, e);
	write_event(s, e, 0);
	note_way(NULL, TABLE_SOCKETS, s->place.hash, s->place.turn);
	entry = entry_of(e);
	if (entry)
		*entry = socket_place_by_address(e->socket, n);
	return 1;
}

socket_code int record_event(struct socket_event *e)
{
	struct closing_socket *s;
	struct socket_hash h;
	int n;

	if (!e)
		return 0;
	h = socket_hash_of(&e->id, sockets_key(NULL));
	n = begins_close(e) ? NO_PLACE : find_socket(NULL, e, socket_hash(&h));
	s = sockets_socket(NULL, n);
	if (n != NO_PLACE && s)
		return record_at(s, e);
	return record_first(e, &h);
}

/* The event into the place of its socket, wherever that is. */
static __always_inline void record_any(struct socket_event *e, const struct sock *sk, const struct tcp_sock *tp,
				       const bool typed)
{
	if (typed)
		fill_id(e, sk, tp, 1);
	else
		fill_id_raw(e);
	record_event(e);
}

/* The same of a socket whose first event was not long ago. Returns 0 where its place is to be found by its tuple. */
socket_code int record_next(const struct socket_event *e)
{
	const __u64 *entry = entry_of(e);
	struct closing_socket *s;
	__u64 n, word;

	if (!e || !entry)
		return 0;
	n = socket_place_of_address(*entry, e->socket);
	if (n >= SOCKET_PLACES_MAX)
		return 0;
	s = sockets_socket(NULL, n);
	if (!s)
		return 0;
	word = reload(s->place.word);
	if (word & SOCKET_CLOSED || s->isn != e->isn || !place_lock(&s->place, word, 0))
		return 0;
	write_event(s, e, 0);
	return 1;
}

/* Keeps an answer. netns: of the device that the segment came by, 0: not known. */
socket_code int record_answer(struct socket_answer *a, __u32 netns)
{
	struct socket_answer *to;
	struct socket_hash h;
	int n, known = -1;

	if (!a)
		return 0;
	h = socket_hash_of(&a->id, sockets_key(NULL));
	if (!namespace_watched(netns)) {
		known = interfaces_know(&h);
		if (!known)
			return 0;
	}
	n = take_place(NULL, TABLE_ANSWERS, &h, a->time, known);
	to = sockets_answer(NULL, n);
	if (n == NO_PLACE || !to)
		return 0;
	to->id = a->id;
	to->time = a->time;
	to->number = a->number;
	to->reason = a->reason;
	to->by_ack = a->by_ack;
	place_unlock(&to->place, SOCKET_CLOSED, a->time);
	note_way(NULL, TABLE_ANSWERS, to->place.hash, to->place.turn);
	return 1;
}

/* ---- the tracepoints ---- */

/* A listening socket of the kernel's own is no file's. */
static __always_inline void note_listen(const struct sock *sk)
{
	const struct task_struct *task = (const void *)bpf_get_current_task();
	__u32 inode = (__u32)BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
	struct socket_listen_call call = {
		.cgroup = bpf_get_current_cgroup_id(),
		.pid = bpf_get_current_pid_tgid() >> 32,
		.uid = (__u32)bpf_get_current_uid_gid(),
		.legacy_cgroup = legacy_cgroup_of(task),
	};

	if (!inode)
		return;
	BPF_CORE_READ_INTO(&call.name, task, group_leader, comm);
	bpf_map_update_elem(&tcpfin_listens, &inode, &call, BPF_ANY);
}

static __always_inline void state_changes(const struct sock *sk, int from, int to, const bool typed)
{
	const struct tcp_sock *tp;
	struct socket_event e;

	if (to == SOCKET_LISTEN)
		note_listen(sk);
	/* Only closing is reported: not opening, and never a listening socket. */
	if (to <= SOCKET_SYN_RECV || to == SOCKET_LISTEN || from == SOCKET_LISTEN || from == SOCKET_CLOSE)
		return;
	if (from == to) /* a subflow of MPTCP enters FIN-WAIT-2 twice */
		return;
	tp = tcp_of(sk, typed);
	if (!tp)
		return;
	fill(&e, sk, tp, from, typed);
	add_unanswered(&e, sk, tp, from, typed);
	e.kind = SOCKET_STATE;
	e.from = from;
	e.to = to;
	e.flags |= call_flags(sk, from, to, typed);
	if (from <= SOCKET_SYN_RECV || !record_next(&e))
		record_any(&e, sk, tp, typed);
	if (to == SOCKET_CLOSE)
		remember_sender(0);
}

/*
 * A reset behind the change to CLOSE, of a socket that is no file's, is what closing a listener sends for a connection
 * that was not accepted. The process at hand closes the listener, with softirqs off.
 */
static __always_inline __u32 unaccepted_flag(const struct sock *sk, const bool typed)
{
	const struct task_struct *task;

	if (get(typed, sk, __sk_common.skc_state) != SOCKET_CLOSE || get(typed, sk, sk_socket))
		return 0;
	task = current_task(typed);
	return get(typed, task, flags) & PF_KTHREAD ? 0 : SOCKET_UNACCEPTED;
}

static __always_inline void reset_event(const struct sock *sk, int state, __u32 kind, __u32 reason, const bool typed)
{
	const struct tcp_sock *tp = tcp_of(sk, typed);
	struct socket_event e;

	if (!tp)
		return;
	fill(&e, sk, tp, state, typed);
	if (kind == SOCKET_RESET_RECEIVED)
		add_unanswered(&e, sk, tp, state, typed);
	e.kind = kind;
	e.from = e.to = 0;
	e.reason = reason;
	if (kind == SOCKET_RESET_SENT)
		e.flags |= unaccepted_flag(sk, typed);
	record_any(&e, sk, tp, typed);
}

static __always_inline void own_reset(const struct sock *sk, __u32 reason, const bool typed)
{
	if (get(typed, sk, __sk_common.skc_state) != SOCKET_CLOSE)
		remember_sender((__u64)sk);
	/* It was established, or later: no reset is sent from SYN-SENT. */
	reset_event(sk, SOCKET_ESTABLISHED, SOCKET_RESET_SENT, reason, typed);
}

/* Of the segment that is answered, in the skb; the reply goes the other way. False: it cannot be read. */
static __always_inline bool fill_answer(struct socket_answer *a, const struct sk_buff *skb)
{
	const unsigned char *head = BPF_CORE_READ(skb, head);
	const unsigned char *ip = head + BPF_CORE_READ(skb, network_header);
	const unsigned char *tcp = head + BPF_CORE_READ(skb, transport_header);
	__u8 version = 0, header[14] = {};
	bool v6;

	if (bpf_probe_read_kernel(&version, 1, ip) || bpf_probe_read_kernel(header, sizeof(header), tcp))
		return 0;
	v6 = version >> 4 == 6;
	a->id.family = v6 ? 6 : 4;
	if (v6) {
		bpf_probe_read_kernel(a->id.remote, 16, ip + 8);
		bpf_probe_read_kernel(a->id.local, 16, ip + 24);
	} else {
		bpf_probe_read_kernel(a->id.remote, 4, ip + 12);
		bpf_probe_read_kernel(a->id.local, 4, ip + 16);
	}
	a->id.remote_port = header[0] << 8 | header[1];
	a->id.local_port = header[2] << 8 | header[3];
	if (header[13] & 0x10) { /* RFC 9293 section 3.10.7.1: <SEQ=SEG.ACK>, else <ACK=SEG.SEQ+SEG.LEN> */
		a->number = (__u32)header[8] << 24 | header[9] << 16 | header[10] << 8 | header[11];
		return 1;
	}
	a->by_ack = 1;
	a->number = ((__u32)header[4] << 24 | header[5] << 16 | header[6] << 8 | header[7]) + BPF_CORE_READ(skb, len) -
		    (header[12] >> 4) * 4 + (header[13] & 1) + (header[13] >> 1 & 1);
	return 1;
}

static __always_inline void answer(const struct sk_buff *skb, __u32 reason)
{
	struct socket_answer a = {.time = bpf_ktime_get_ns(), .reason = reason};

	if (fill_answer(&a, skb))
		record_answer(&a, BPF_CORE_READ(skb, dev, nd_net.net, ns.inum));
}

/* skb: the segment that is answered; NULL where the socket resets on its own account. */
static __always_inline void reset_is_sent(const struct sock *sk, const struct sk_buff *skb, __u32 reason,
					  const bool typed)
{
	if (skb)
		answer(skb, reason);
	else if (sk)
		own_reset(sk, reason, typed);
}

static __always_inline void reset_is_received(const struct sock *sk, const bool typed)
{
	reset_event(sk, get(typed, sk, __sk_common.skc_state), SOCKET_RESET_RECEIVED, 0, typed);
}

/* Each twice: for kernels whose BTF knows the tracepoint, and for those that do not, or refuse such programs. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcpfin_state, const struct sock *sk, int from, int to)
{
	state_changes(sk, from, to, 1);
	return 0;
}

SEC("raw_tp/inet_sock_set_state")
int BPF_PROG(tcpfin_state_raw, const struct sock *sk, int from, int to)
{
	state_changes(sk, from, to, 0);
	return 0;
}

/* The socket may be NULL here, which the verifier would not let a typed program read without knowing it. */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(tcpfin_reset_out, const struct sock *sk, const struct sk_buff *skb, __u32 reason)
{
	reset_is_sent(sk, skb, reason, 0);
	return 0;
}

SEC("raw_tp/tcp_send_reset")
int BPF_PROG(tcpfin_reset_out_raw, const struct sock *sk, const struct sk_buff *skb, __u32 reason)
{
	reset_is_sent(sk, skb, reason, 0);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(tcpfin_reset_in, const struct sock *sk)
{
	reset_is_received(sk, 1);
	return 0;
}

SEC("raw_tp/tcp_receive_reset")
int BPF_PROG(tcpfin_reset_in_raw, const struct sock *sk)
{
	reset_is_received(sk, 0);
	return 0;
}

/* ---- cgroups ---- */

/* Is it of the hierarchy of "pids" of version 1? */
static __always_inline bool is_legacy(const struct cgroup *cgroup)
{
	const void *state = NULL;

	if (!settings.legacy_cgroups || !bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		return 0;
	bpf_probe_read_kernel(&state, sizeof(state), (const void *)&cgroup->subsys[0] + PIDS_STATE);
	return state != NULL;
}

static __always_inline void cgroup_changes(const struct cgroup *cgroup, const char *path, __u32 change)
{
	__u32 legacy = BPF_CORE_READ(cgroup, root, hierarchy_id) != 0;
	struct cgroup_news *news;

	if (legacy && !is_legacy(cgroup))
		return;
	news = bpf_ringbuf_reserve(&tcpfin_cgroups, sizeof(*news), 0);
	if (!news) {
		__sync_fetch_and_add(&shared.cgroups_lost, 1);
		return;
	}
	news->id = BPF_CORE_READ(cgroup, kn, id);
	news->legacy = legacy;
	news->change = change;
	bpf_probe_read_kernel_str(news->path, sizeof(news->path), path);
	bpf_ringbuf_submit(news, BPF_RB_NO_WAKEUP);
}

SEC("raw_tp/cgroup_mkdir")
int BPF_PROG(tcpfin_cg_made, const struct cgroup *cgroup, const char *path)
{
	cgroup_changes(cgroup, path, CGROUP_MADE);
	return 0;
}

SEC("raw_tp/cgroup_rename")
int BPF_PROG(tcpfin_cg_renamed, const struct cgroup *cgroup, const char *path)
{
	cgroup_changes(cgroup, path, CGROUP_RENAMED);
	return 0;
}

SEC("raw_tp/cgroup_rmdir")
int BPF_PROG(tcpfin_cg_removed, const struct cgroup *cgroup, const char *path)
{
	cgroup_changes(cgroup, path, CGROUP_REMOVED);
	return 0;
}
