/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What user space tells the sockets' programs, before and after loading, and what they count. Both worlds.
 */
#ifndef TCPFIN_SOCKET_SETTINGS_H
#define TCPFIN_SOCKET_SETTINGS_H

#include "bpf/core/core.h"

/* Fixed before loading. */
struct socket_settings {
	__u64 seed;     /* of the packet programs' hash */
	__u64 wait;     /* ns from a socket's end to its connection's report, at most */
	__u32 set_mask; /* of tcpfin_sets: sets - 1 */
	__u32 sets_mask, answer_sets_mask;
	__u32 sockets_mask, answers_mask; /* of the rings: places - 1 */
	__u32 netns; /* inode number of the namespace whose sockets count even if no interface has seen them */
};

#define SOCKET_INTERFACES 64

/* In memory that user space maps, too. */
struct socket_shared {
	__u64 sockets_lost, answers_lost; /* of watched connections: gave way, or found no place */
	__u32 interfaces;
	__u32 ifindex[SOCKET_INTERFACES];
};

struct socket_turns {
	__u32 socket, answer;
};

#endif
