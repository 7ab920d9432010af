/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watch filter: what keeps data segments away from the slots.
 *
 * A small array of counters, indexed by the flow's hash, counts the connections of a cell whose handshake or close is
 * in progress, or that a probe tests for being idle. While a cell is zero, a segment without SYN, FIN or RST needs no
 * look-up. Counts are exact, so the filter never hides a segment that a record needs; a collision costs a look-up and
 * nothing else.
 */
#ifndef TCPFIN_WATCH_H
#define TCPFIN_WATCH_H

#include "bpf/core/core.h"

/* A power of two. The array that every segment reads is 64 KiB: it stays in the first- and second-level caches. */
#define WATCH_CELLS 16384

struct watch {
	__u32 live[WATCH_CELLS];
};

#endif
