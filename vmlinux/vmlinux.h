/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's types as far as programs here read them. Nothing in it is the kernel's layout: the loader moves every
 * access to where the running kernel has the field. README.md names each field's user; `make check-vmlinux` compares.
 */
#ifndef TCPFIN_VMLINUX_H
#define TCPFIN_VMLINUX_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;

/* What the BPF system call takes: UAPI, and so the same on every kernel. */
enum {
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_ANY = 0,
	BPF_RB_NO_WAKEUP = 1,
	BPF_F_MMAPABLE = 1024,
};

enum bpf_link_type {
	BPF_LINK_TYPE_TCX = 11,
};

enum bpf_attach_type {
	BPF_TCX_INGRESS = 46,
};

enum {
	AF_INET = 2,
	AF_INET6 = 10,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	union {
		struct {
			__be32 skc_daddr;
			__be32 skc_rcv_saddr;
		};
	};
	union {
		struct {
			__be16 skc_dport;
		};
	};
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	union {
		unsigned long skc_flags;
	};
};

typedef struct {
	int owned;
} socket_lock_t;

typedef struct {
	__s64 counter;
} atomic64_t;

typedef struct {
	atomic64_t refcnt;
} file_ref_t;

struct inode {
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
};

struct file___ref {
	file_ref_t f_ref;
};

struct file___count {
	atomic64_t f_count;
};

struct socket {
	struct file *file;
};

enum cgroup_subsys_id {
	pids_cgrp_id = 11,
};

struct kernfs_node {
	__u64 id;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_subsys_state *subsys[1]; /* of each controller: as many as the kernel has */
	struct cgroup_root *root;
};

struct css_set {
	struct cgroup_subsys_state *subsys[1]; /* of each controller: as many as the kernel has */
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct rb_node {
	struct rb_node *rb_left;
};

struct rb_root {
	struct rb_node *rb_node;
};

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	struct socket *sk_socket;
	struct sock_cgroup_data sk_cgrp_data;
	__u16 sk_protocol;
	unsigned long sk_lingertime;
	struct rb_root tcp_rtx_queue;
};

struct inet_sock {
	__be16 inet_sport;
};

struct inet_connection_sock {
	__u32 icsk_rto;
	__u8 icsk_retransmits;
	struct {
		__u32 lrcvtime;
	} icsk_ack;
};

enum sock_flags {
	SOCK_DONE = 1,
	SOCK_LINGER = 4,
};

struct tcp_sock {
	__u32 copied_seq;
	__u32 write_seq;
	__u32 rcv_nxt;
	__u32 rcv_wup;
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 lsndtime;
	__u32 retrans_stamp;
	__u32 data_segs_out;
	__u32 srtt_us;
	__u32 total_retrans;
	__u64 bytes_received;
};

struct net_device {
	possible_net_t nd_net;
};

struct sk_buff {
	struct rb_node rbnode;
	struct net_device *dev;
	unsigned int len;
	__u16 transport_header;
	__u16 network_header;
	unsigned char *head;
};

struct task_struct {
	unsigned int flags;
	struct task_struct *group_leader;
	struct css_set *cgroups;
	char comm[16];
};

struct bpf_prog_aux {
	__u32 id;
	char name[16];
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};

struct bpf_mprog_fp___tcx {
	struct bpf_prog *prog;
};

struct bpf_mprog_entry___tcx {
	struct bpf_mprog_fp___tcx fp_items[64];
};

struct net_device___tcx {
	struct bpf_mprog_entry___tcx *tcx_egress;
	struct bpf_mprog_entry___tcx *tcx_ingress;
};

struct bpf_link {
	__u32 id;
	enum bpf_link_type type;
	struct bpf_prog *prog;
};

struct bpf_link___attach_type {
	enum bpf_attach_type attach_type;
};

struct tcx_link___tcx {
	struct net_device___tcx *dev;
};

struct tcx_link___location {
	__u32 location;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__bpf_link {
	struct bpf_iter_meta *meta;
	struct bpf_link *link;
};

#pragma clang attribute pop

#endif
