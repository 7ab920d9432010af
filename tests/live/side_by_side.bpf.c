// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A counter of failed connections by sk_err, in two versions, after the logic of an exporter,
 * opentelemetry-ebpf-instrumentation, bpf/statsolly/tp_tcp.c:
 *	FIRST: lines 79 to 86 at commit 1104619766aa. Every change to CLOSE is a failure, unless it comes from LAST-ACK
 *	or TIME-WAIT. (No socket changes from TIME-WAIT: those are of another kind, which tells nothing.)
 *	SECOND: lines 116 to 133 at commit 11100ad0dc70. Nor is one from LISTEN, nor one without an error in sk_err,
 *	unless it comes from SYN-SENT.
 * Sockets of one network namespace count.
 */
#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

enum { SYN_SENT = 2, TIME_WAIT = 6, CLOSE = 7, LAST_ACK = 9, LISTEN = 10 };
enum { NAMESPACE, FIRST, SECOND, NUMBERS };

#define TCP 6

struct sock___err {
	int sk_err;
} __attribute__((preserve_access_index));

/* The inode number of the namespace, which user space sets, and the counts. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NUMBERS);
	__type(key, __u32);
	__type(value, __u32);
} numbers SEC(".maps");

static __always_inline void add(__u32 which)
{
	__u32 *count = bpf_map_lookup_elem(&numbers, &which);

	if (count)
		__sync_fetch_and_add(count, 1);
}

static __always_inline int is_watched(const struct sock *sk)
{
	__u32 which = NAMESPACE, *namespace = bpf_map_lookup_elem(&numbers, &which);

	return namespace && BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) == *namespace &&
	       BPF_CORE_READ(sk, sk_protocol) == TCP;
}

SEC("raw_tp/inet_sock_set_state")
int BPF_PROG(count, const struct sock *sk, int from, int to)
{
	int error;

	if (to != CLOSE || !is_watched(sk))
		return 0;
	if (from == LAST_ACK || from == TIME_WAIT)
		return 0;
	add(FIRST);
	error = BPF_CORE_READ((const struct sock___err *)sk, sk_err);
	if (from == LISTEN || (!error && from != SYN_SENT))
		return 0;
	add(SECOND);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
