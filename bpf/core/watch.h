/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The watch filter: what keeps data segments out of the flow tables.
 *
 * A small array of cells, indexed by the flow's hash, that stays in the CPU's cache. A cell counts the flows of its
 * index whose handshake or close is in progress; while the count is zero, a segment without SYN, FIN or RST needs no
 * look-up. Counts are exact, so the filter never hides a segment that a record needs: collisions cost a look-up only.
 *
 * The cell also keeps the last sequence numbers each way. They are evidence for the moment a close begins (is this FIN
 * or RST next in sequence, or out of the window?) that would otherwise need a table update a segment. The newest
 * flow of a cell owns the evidence; its tag says whose it is, and "unknown" is an answer. Two CPUs may write one
 * side at once only when two flows collide: a mix of both then passes the tag check with odds of 2^-15 and is
 * tolerated, since it takes such a mix just before a forged reset to be misled.
 */
#ifndef TCPFIN_WATCH_H
#define TCPFIN_WATCH_H

#include "flow_key.h"

/* Units of watch_cell.count, one field a kind; each changed by an atomic add of its unit. */
#define WATCH_CLOSING (1ULL << 40)
#define WATCH_UNPROVEN (1ULL << 20)
#define WATCH_CLOSING_ANY (~0ULL << 40)
#define WATCH_UNPROVEN_ANY (((1ULL << 20) - 1) << 20)

struct watch_side {
	__u32 end; /* highest sequence number sent, plus one */
	__u32 ack; /* last acknowledgment number sent */
	__u16 tag; /* whose evidence this is; never 0 */
	__u16 win; /* last window, not scaled */
};

struct watch_cell {
	__u64 count;
	struct watch_side side[2];
};
CORE_ASSERT_SIZE(struct watch_cell, 32);

/* 512 KiB: what a CPU's second-level cache holds beside other work. A power of two. */
#define WATCH_CELLS 16384

/* A segment this far behind the highest end is a retransmission; further, and the evidence is from another time. */
#define WATCH_REORDER (16u << 20)

static __always_inline __u16 watch_tag(__u32 hash)
{
	return (__u16)(hash >> 16) | 1;
}

/* Notes the segment's numbers. Called for every segment but RSTs, which prove nothing about their sender. */
static __always_inline void watch_note(struct watch_cell *cell, const struct tcp_segment *s, __u32 side, __u32 hash)
{
	struct watch_side *w = &cell->side[side & 1];
	__u32 end = s->seq + s->len + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
	__u16 tag = watch_tag(hash);

	if (w->tag != tag || (s->flags & TCP_SYN) || w->end - end >= WATCH_REORDER)
		w->end = end;
	w->tag = tag;
	w->win = s->win;
	w->ack = s->ack;
}

#endif
