/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections for which there was no room. Each is counted once and has no slot; what is kept of it here keeps its
 * further segments from being taken for another connection's: its SYN again, its SYN-ACK, FINs and RSTs.
 *
 * A set holds the latest ones of its tuples. Once one was displaced, whatever is not in the set may have been lost,
 * too. A set is empty again when nothing was lost in it for LOST_KEPT, which is longer than an idle connection is kept.
 */
#ifndef TCPFIN_LOST_H
#define TCPFIN_LOST_H

#include "bpf/core/last_seen.h"

#define LOST_WAYS 7
#define LOST_TIME_SHIFT 30 /* ns to the unit of lost_set.time, 1.07 s */
#define LOST_KEPT 8192     /* units: 2 h 26 min */

struct lost_set {
	__u64 lost[LOST_WAYS]; /* last_seen_tag of the hash, and in the low half the SYN's sequence number; 0: none */
	__u32 displaced;       /* so many since it was empty */
	__u32 time;            /* of the latest */
};
CORE_ASSERT_SIZE(struct lost_set, 64);

/* Is what the set holds too old to count? now: ns. */
static __always_inline flag_t lost_is_over(const struct lost_set *set, __u64 now)
{
	return (__u32)(now >> LOST_TIME_SHIFT) - set->time > LOST_KEPT;
}

/* The place of the tag, plus one; 0: it is not there. Of tag 0: a place that is free. */
static __always_inline __u32 lost_find(const struct lost_set *set, __u32 tag)
{
	__u32 i, found = 0;

	unrolled for (i = 0; i < LOST_WAYS; i++)
	{
		if (set->lost[i] >> 32 == tag)
			found = i + 1;
	}
	return found;
}

/* Makes the set ready for another one, which is lost now (ns). */
static __always_inline void lost_begin(struct lost_set *set, __u64 now)
{
	if (lost_is_over(set, now)) {
		__builtin_memset(set->lost, 0, sizeof(set->lost));
		set->displaced = 0;
	}
	set->time = now >> LOST_TIME_SHIFT;
}

/* The place of the entry that is displaced, plus one. */
static __always_inline __u32 lost_displace(struct lost_set *set)
{
	return __sync_fetch_and_add(&set->displaced, 1) % LOST_WAYS + 1;
}

/* isn: of the SYN, 0 where that was not seen. */
static __always_inline __u64 lost_entry(__u64 hash, __u32 isn)
{
	return (__u64)last_seen_tag(hash) << 32 | isn;
}

/*
 * Is it the SYN or SYN-ACK of the connection in that entry? A SYN-ACK does not tell whether it covers the SYN's payload
 * (RFC 7413).
 */
static __always_inline flag_t lost_is_opened_by(__u64 entry, const struct tcp_segment *s)
{
	return s->flags & TCP_ACK ? s->ack - 1 - (__u32)entry <= 0xffff : s->seq == (__u32)entry;
}

#endif
