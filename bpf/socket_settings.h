/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What user space tells the sockets' programs, before and after loading, and what they count. Both worlds.
 */
#ifndef TCPFIN_SOCKET_SETTINGS_H
#define TCPFIN_SOCKET_SETTINGS_H

#include "bpf/core/flow_hash.h"

/* Fixed before loading. */
struct socket_settings {
	struct flow_hash_key key; /* of the packet programs' hash */
	__u64 wait;               /* ns from a socket's end to its connection's report, at most */
	__u64 jiffy;              /* ns */
	__u32 set_mask;           /* of tcpfin_sets: sets - 1 */
	__u32 sets_mask, answer_sets_mask;
	__u32 sockets_mask, answers_mask; /* of the rings: places - 1 */
	__u32 legacy_cgroups;             /* version 1 has a hierarchy of "pids" */
};

#define SOCKET_INTERFACES 64

/* The watched network namespaces, by inode number: a hash table in which each has one of a few places. */
#define SOCKET_NAMESPACES_BITS 12
#define SOCKET_NAMESPACES (1 << SOCKET_NAMESPACES_BITS)
#define SOCKET_NAMESPACE_PLACES 8

/* The place of that number, 0 to SOCKET_NAMESPACE_PLACES - 1. */
static __always_inline __u32 socket_namespace_place(__u32 inode, __u32 number)
{
	return ((inode * 0x9e3779b1u >> (32 - SOCKET_NAMESPACES_BITS)) + number) & (SOCKET_NAMESPACES - 1);
}

/* In memory that user space maps, too. */
struct socket_shared {
	__u64 sockets_lost, answers_lost; /* of watched connections: gave way, or found no place */
	__u64 cgroups_lost;               /* news of cgroups that found no place in the ring */
	__u32 interfaces;
	__u32 interface[SOCKET_INTERFACES]; /* what stands for them in keys */
	__u32 namespace
		[SOCKET_NAMESPACES]; /* their sockets count even if no interface has seen them; 0: a free place */
};

struct socket_turns {
	__u32 socket, answer;
};

#endif
