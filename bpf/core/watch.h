/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watch filter: what keeps data segments out of the flow tables.
 *
 * Two small arrays of counters, indexed by the flow's hash. `live` counts the flows of a cell whose handshake or close
 * is in progress: while it is zero, a segment without SYN, FIN or RST needs no look-up. `settling` counts those that
 * are done and wait to be reported: only control segments can concern them. Counts are exact, so the filter never hides
 * a segment that a record needs; a collision costs a look-up and nothing else.
 */
#ifndef TCPFIN_WATCH_H
#define TCPFIN_WATCH_H

#include "bpf/core/core.h"

/* A power of two. The array that every segment reads is 64 KiB: it stays in the first- and second-level caches. */
#define WATCH_CELLS 16384

struct watch {
	__u32 live[WATCH_CELLS];
	__u32 settling[WATCH_CELLS];
};

#endif
