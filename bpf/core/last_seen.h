/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last sequence numbers each way, kept for whoever used a cell of a small array last.
 *
 * They are evidence for the moment a close begins: is this FIN or RST next in sequence, or out of the window? Keeping
 * them in the flow tables would cost a look-up a segment. The newest flow of a cell owns it; a tag says whose it is,
 * and "unknown" is an answer. Two CPUs may write one side at once only when two flows collide; of a mix of both the
 * sides hardly fit each other (flow_lend_last_seen), and it takes such a mix just before a forged reset to be misled.
 */
#ifndef TCPFIN_LAST_SEEN_H
#define TCPFIN_LAST_SEEN_H

#include "bpf/core/flow_key.h"

struct last_seen_side {
	__u32 end;    /* highest sequence number sent, plus one */
	__u32 ack;    /* last acknowledgment number sent */
	__u32 tag;    /* whose evidence this is: last_seen_tag; 0 before the first */
	__u16 win;    /* last window, not scaled */
	__u16 strike; /* the last segment's numbers were far from those before it */
};

struct last_seen {
	struct last_seen_side side[2];
};
CORE_ASSERT_SIZE(struct last_seen, 32);

/* In the kernel: 256 KiB, which the second-level cache holds beside other work. A power of two. */
#define LAST_SEEN_CELLS 8192

/* Numbers this far from the last ones are from another time, or forged. */
#define LAST_SEEN_REORDER (16u << 20)

/*
 * Bits of flow_hash that do not choose the cell. Of two flows at once one would be judged by the other's numbers, and
 * its close not be believed, if they had the cell and the tag in common: odds of 2^-44 for each pair.
 */
static __always_inline __u32 last_seen_tag(__u64 hash)
{
	return (__u32)(hash >> 32 & 0xffff0000) | (__u16)(hash >> 16) | 1;
}

static __always_inline flag_t last_seen_is_of(const struct last_seen_side *w, __u64 hash)
{
	return w->tag == last_seen_tag(hash);
}

/*
 * Notes the numbers of a segment without SYN, FIN or RST: those are judged by the evidence. Numbers far from the last
 * ones are taken only the second time in a row, so that one forged segment does not displace what is known.
 */
static __always_inline void last_seen_note(struct last_seen *evidence, const struct tcp_segment *s, __u64 side,
					   __u64 hash)
{
	struct last_seen_side *w = &of_side(evidence->side, side);
	__u32 end = s->seq + s->len, tag = last_seen_tag(hash);

	if (!(s->flags & TCP_ACK)) /* nobody takes it (RFC 9293 section 3.10.7.4) */
		return;
	if (end - w->end + LAST_SEEN_REORDER >= 2 * LAST_SEEN_REORDER) {
		if (w->tag == tag && !w->strike) {
			w->strike = 1;
			return;
		}
		w->end = end;
	} else if (seq_after(end, w->end) || w->tag != tag) {
		w->end = end;
	}
	w->tag = tag;
	w->strike = 0;
	w->win = s->win;
	w->ack = s->ack;
}

/*
 * The conversation has ended: what was said in it proves no FIN or RST any more. A copy that comes when nothing else
 * remembers the connection would begin another one.
 */
static __always_inline void last_seen_forget(struct last_seen *evidence, __u64 hash)
{
	__u32 i;

	for (i = 0; i < 2; i++)
		if (last_seen_is_of(&evidence->side[i], hash))
			evidence->side[i].tag = 0;
}

#endif
