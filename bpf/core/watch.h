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
	__u16 tag; /* whose evidence this is: watch_tag, with WATCH_STRIKE; 0 before the first */
	__u16 win; /* last window, not scaled */
};

struct watch_cell {
	__u64 count;
	struct watch_side side[2];
};
CORE_ASSERT_SIZE(struct watch_cell, 32);

/* 512 KiB: what a CPU's second-level cache holds beside other work. A power of two. */
#define WATCH_CELLS 16384

/* Numbers this far from the last ones are from another time, or forged. */
#define WATCH_REORDER (16u << 20)

/* Set in a tag when the last segment's numbers were far from those before it. */
#define WATCH_STRIKE 1

static __always_inline __u16 watch_tag(__u32 hash)
{
	return ((__u16)(hash >> 16) & ~WATCH_STRIKE) | 2;
}

static __always_inline flag_t watch_is_of(const struct watch_side *w, __u32 hash)
{
	return (w->tag & ~WATCH_STRIKE) == watch_tag(hash);
}

/*
 * Notes the numbers of a segment without SYN, FIN or RST: those are judged by the evidence. Numbers far from the last
 * ones are taken only the second time in a row, so that one forged segment does not displace what is known.
 */
static __always_inline void watch_note(struct watch_cell *cell, const struct tcp_segment *s, __u32 side, __u32 hash)
{
	struct watch_side *w = &cell->side[side & 1];
	__u32 end = s->seq + s->len;
	__u16 tag = watch_tag(hash);

	if (!(s->flags & TCP_ACK)) /* nobody takes it (RFC 9293 section 3.10.7.4) */
		return;
	if (end - w->end + WATCH_REORDER >= 2 * WATCH_REORDER) {
		if (w->tag == tag) {
			w->tag = tag | WATCH_STRIKE;
			return;
		}
		w->end = end;
	} else if (seq_after(end, w->end) || !watch_is_of(w, hash)) {
		w->end = end;
	}
	w->tag = tag;
	w->win = s->win;
	w->ack = s->ack;
}

#endif
