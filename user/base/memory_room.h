/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much memory this process may take. Beyond that the kernel kills it without a word: memory that is asked for is
 * given first, and counted when it is used.
 */
#ifndef TCPFIN_MEMORY_ROOM_H
#define TCPFIN_MEMORY_ROOM_H

#include <stdint.h>

/* Bytes that its cgroup, or one around it, allows at most (version 1 or 2). UINT64_MAX: no limit, or none is known. */
uint64_t memory_limit(void);
/* Bytes that it can still take: of those limits, beside what their groups use, and of this host's memory and swap. */
uint64_t memory_room(void);

#endif
