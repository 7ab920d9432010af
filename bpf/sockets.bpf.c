// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket's side: tracepoints at state changes and resets, each of them optional. Nothing runs for a segment.
 *
 * A tracepoint runs in whatever context the change has: often a softirq, where the current process is a bystander.
 * socket_process() tells when it is not.
 */
#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "bpf/socket_event.h"

char LICENSE[] SEC("license") = "GPL";

#define IPPROTO_TCP 6
#define PF_EXITING 0x4
#define PF_KTHREAD 0x200000

/* Answers have a ring of their own: whoever sends segments to closed ports shall not crowd out real closes. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} socket_ring SEC(".maps"), answer_ring SEC(".maps");

/* The address of the socket that has sent a reset and is about to close, by CPU: compared, never followed. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} reset_sender SEC(".maps");

__u64 events_lost, answers_lost; /* their ring was full */

/* ---- a socket's facts ---- */

static __always_inline bool is_mapped(const struct in6_addr *a)
{
	const __u8 *b = a->in6_u.u6_addr8;
	__u8 sum = 0;

#pragma unroll
	for (int i = 0; i < 10; i++)
		sum |= b[i];
	return !sum && b[10] == 0xff && b[11] == 0xff;
}

static __always_inline void fill_id(struct socket_id *id, const struct sock *sk)
{
	const struct inet_sock *inet = (const void *)sk;
	struct in6_addr local, remote;
	__be32 local4 = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr),
	       remote4 = BPF_CORE_READ(sk, __sk_common.skc_daddr);

	id->local_port = bpf_ntohs(BPF_CORE_READ(inet, inet_sport)); /* skc_num is 0 once the port is given back */
	id->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	id->family = 4;
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6) {
		BPF_CORE_READ_INTO(&local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&remote, sk, __sk_common.skc_v6_daddr);
		id->family = is_mapped(&remote) ? 4 : 6;
	}
	if (id->family == 6) {
		__builtin_memcpy(id->local, &local, sizeof(local));
		__builtin_memcpy(id->remote, &remote, sizeof(remote));
	} else {
		__builtin_memcpy(id->local, &local4, sizeof(local4));
		__builtin_memcpy(id->remote, &remote4, sizeof(remote4));
	}
}

static __always_inline bool has_flag(const struct sock *sk, __u32 flag)
{
	return BPF_CORE_READ(sk, __sk_common.skc_flags) >> flag & 1;
}

/*
 * From the handshake on rcv_nxt and bytes_received move together, a FIN included: their difference is the peer's
 * initial number and 1 for its SYN.
 */
static __always_inline void fill_numbers(struct socket_event *e, const struct sock *sk, int state)
{
	const struct tcp_sock *tp = (const void *)sk;
	__u32 received = BPF_CORE_READ(tp, rcv_nxt), unread = received - BPF_CORE_READ(tp, copied_seq);

	e->retransmits = BPF_CORE_READ(tp, total_retrans);
	if (state == SOCKET_SYN_SENT) {
		e->isn = BPF_CORE_READ(tp, snd_una);
		e->flags |= SOCKET_OWN_ISN;
		return;
	}
	e->isn = received - (__u32)BPF_CORE_READ(tp, bytes_received) - 1;
	e->srtt = BPF_CORE_READ(tp, srtt_us) >> 3;
	e->unsent = BPF_CORE_READ(tp, write_seq) - BPF_CORE_READ(tp, snd_nxt);
	if (unread && has_flag(sk, bpf_core_enum_value(enum sock_flags, SOCK_DONE)))
		unread--; /* the peer's FIN is no byte */
	e->unread = unread;
}

static __always_inline void fill(struct socket_event *e, const struct sock *sk, int state)
{
	__builtin_memset(e, 0, sizeof(*e));
	e->time = bpf_ktime_get_ns();
	e->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	fill_id(&e->id, sk);
	fill_numbers(e, sk, state);
	if (has_flag(sk, bpf_core_enum_value(enum sock_flags, SOCK_LINGER)) && !BPF_CORE_READ(sk, sk_lingertime))
		e->flags |= SOCKET_LINGER_0;
}

static __always_inline struct socket_event *reserve(void *ring, __u64 *lost)
{
	struct socket_event *e = bpf_ringbuf_reserve(ring, sizeof(*e), 0);

	if (!e)
		__sync_fetch_and_add(lost, 1);
	return e;
}

/* ---- whose doing it is ---- */

/* The count of a file that is being released: 0 before 6.13, then a value that is negative where it is dead. */
static __always_inline bool last_holder(const struct file *file)
{
	const struct file___count *old = (const void *)file;
	const struct file___ref *new = (const void *)file;

	if (bpf_core_field_exists(new->f_ref))
		return BPF_CORE_READ(new, f_ref.refcnt.counter) < 0;
	return !BPF_CORE_READ(old, f_count.counter);
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

static __always_inline void fill_process(struct socket_event *e, const struct sock *sk)
{
	const struct file *file = BPF_CORE_READ(sk, sk_socket, file);
	const struct task_struct *task = (const void *)bpf_get_current_task();
	__u32 task_flags = BPF_CORE_READ(task, flags);
	bool last = file && last_holder(file);

	if (!file || !BPF_CORE_READ(sk, sk_lock.owned) || task_flags & PF_KTHREAD)
		return;
	if (e->to == SOCKET_CLOSE && !last && !sent_reset(sk))
		return;
	e->flags |= SOCKET_PROCESS | (last ? SOCKET_LAST_HOLDER : 0) | (task_flags & PF_EXITING ? SOCKET_EXITING : 0);
	e->pid = bpf_get_current_pid_tgid() >> 32;
	e->uid = (__u32)bpf_get_current_uid_gid();
	e->cgroup = bpf_get_current_cgroup_id();
	BPF_CORE_READ_STR_INTO(&e->name, task, group_leader, comm);
}

/* ---- the tracepoints ---- */

static __always_inline void tell_state(const struct sock *sk, int from, int to)
{
	struct socket_event *e = reserve(&socket_ring, &events_lost);

	if (!e)
		return;
	fill(e, sk, from);
	e->kind = SOCKET_STATE;
	e->from = from;
	e->to = to;
	if (may_be_call(from, to))
		fill_process(e, sk);
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
}

static __always_inline void state_changes(const struct sock *sk, int from, int to)
{
	/* Only closing is reported: not opening, and never a listening socket. */
	if (to <= SOCKET_SYN_RECV || to == SOCKET_LISTEN || from == SOCKET_LISTEN || from == SOCKET_CLOSE)
		return;
	if (from == to) /* a subflow of MPTCP enters FIN-WAIT-2 twice */
		return;
	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP) /* MPTCP, SCTP and DCCP come here, too */
		return;
	tell_state(sk, from, to);
	if (to == SOCKET_CLOSE)
		remember_sender(0);
}

static __always_inline void own_reset(const struct sock *sk, __u32 reason)
{
	struct socket_event *e;

	if (BPF_CORE_READ(sk, __sk_common.skc_state) != SOCKET_CLOSE)
		remember_sender((__u64)sk);
	e = reserve(&socket_ring, &events_lost); /* behind it: older verifiers lose sight of what is reserved */
	if (!e)
		return;
	fill(e, sk, SOCKET_ESTABLISHED); /* it was, or later: no reset is sent from SYN-SENT */
	e->kind = SOCKET_RESET_SENT;
	e->reason = reason;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
}

/* Of the segment that is answered, in the skb; the reply goes the other way. False: it cannot be read. */
static __always_inline bool fill_answer(struct socket_event *e, const struct sk_buff *skb)
{
	const unsigned char *head = BPF_CORE_READ(skb, head);
	const unsigned char *ip = head + BPF_CORE_READ(skb, network_header);
	const unsigned char *tcp = head + BPF_CORE_READ(skb, transport_header);
	__u8 version = 0, header[14] = {};
	bool v6;

	if (bpf_probe_read_kernel(&version, 1, ip) || bpf_probe_read_kernel(header, sizeof(header), tcp))
		return 0;
	v6 = version >> 4 == 6;
	e->id.family = v6 ? 6 : 4;
	if (v6) {
		bpf_probe_read_kernel(e->id.remote, 16, ip + 8);
		bpf_probe_read_kernel(e->id.local, 16, ip + 24);
	} else {
		bpf_probe_read_kernel(e->id.remote, 4, ip + 12);
		bpf_probe_read_kernel(e->id.local, 4, ip + 16);
	}
	e->id.remote_port = header[0] << 8 | header[1];
	e->id.local_port = header[2] << 8 | header[3];
	if (header[13] & 0x10) { /* RFC 9293 section 3.10.7.1: <SEQ=SEG.ACK>, else <ACK=SEG.SEQ+SEG.LEN> */
		e->number = (__u32)header[8] << 24 | header[9] << 16 | header[10] << 8 | header[11];
		return 1;
	}
	e->flags = SOCKET_BY_ACK;
	e->number = ((__u32)header[4] << 24 | header[5] << 16 | header[6] << 8 | header[7]) + BPF_CORE_READ(skb, len) -
		    (header[12] >> 4) * 4 + (header[13] & 1) + (header[13] >> 1 & 1);
	return 1;
}

static __always_inline void answer(const struct sk_buff *skb, __u32 reason)
{
	struct socket_event *e = reserve(&answer_ring, &answers_lost);

	if (!e)
		return;
	__builtin_memset(e, 0, sizeof(*e));
	e->time = bpf_ktime_get_ns();
	e->kind = SOCKET_RESET_ANSWER;
	e->reason = reason;
	if (fill_answer(e, skb))
		bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	else
		bpf_ringbuf_discard(e, BPF_RB_NO_WAKEUP);
}

/* skb: the segment that is answered; NULL where the socket resets on its own account. */
static __always_inline void reset_is_sent(const struct sock *sk, const struct sk_buff *skb, __u32 reason)
{
	if (skb)
		answer(skb, reason);
	else if (sk)
		own_reset(sk, reason);
}

static __always_inline void reset_is_received(const struct sock *sk)
{
	struct socket_event *e = reserve(&socket_ring, &events_lost);

	if (!e)
		return;
	fill(e, sk, BPF_CORE_READ(sk, __sk_common.skc_state));
	e->kind = SOCKET_RESET_RECEIVED;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
}

/*
 * Each twice: for kernels whose BTF knows the tracepoint, whose verifier then checks the arguments, and for those that
 * refuse that. All fields are read by helpers, so the two do the same.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_state, const struct sock *sk, int from, int to)
{
	state_changes(sk, from, to);
	return 0;
}

SEC("raw_tp/inet_sock_set_state")
int BPF_PROG(socket_state_raw, const struct sock *sk, int from, int to)
{
	state_changes(sk, from, to);
	return 0;
}

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(socket_reset_sent, const struct sock *sk, const struct sk_buff *skb, __u32 reason)
{
	reset_is_sent(sk, skb, reason);
	return 0;
}

SEC("raw_tp/tcp_send_reset")
int BPF_PROG(socket_reset_sent_raw, const struct sock *sk, const struct sk_buff *skb, __u32 reason)
{
	reset_is_sent(sk, skb, reason);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(socket_reset_received, const struct sock *sk)
{
	reset_is_received(sk);
	return 0;
}

SEC("raw_tp/tcp_receive_reset")
int BPF_PROG(socket_reset_received_raw, const struct sock *sk)
{
	reset_is_received(sk);
	return 0;
}
