/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections for which there was no room: nothing of one that is lost is taken for another connection.
 *
 * Part of the recorder, whose tables are defined before it is included: see recorder.h.
 */
#ifndef TCPFIN_LOST_CONNECTIONS_H
#define TCPFIN_LOST_CONNECTIONS_H

#include "bpf/core/lost.h"
#include "bpf/core/slots.h"

/* lost_find in the tuple's set. */
recorder_code __u32 find_lost(struct tables *t, const struct work *w, __u32 tag)
{
	const struct lost_set *set;

	if (!w)
		return 0;
	set = tables_lost(t, w->hash);
	return set ? lost_find(set, tag) : 0;
}

/*
 * There was no room for the tuple's connection: it is counted, and nothing of it is taken for another one. Two CPUs at
 * one set at once may displace each other's entry unnoticed.
 */
recorder_code int note_lost(struct tables *t, const struct work *w, __u32 isn, __u64 now, __u32 counter)
{
	struct lost_set *set;
	__u32 at;

	if (!w)
		return 0;
	set = tables_lost(t, w->hash);
	if (!set)
		return 0;
	tables_count(t, counter);
	tables_lossy_until(t, now + ((__u64)LOST_KEPT << LOST_TIME_SHIFT));
	lost_begin(set, now);
	at = find_lost(t, w, last_seen_tag(w->hash));
	at = at ? at : find_lost(t, w, 0);
	at = at ? at : lost_displace(set);
	at--;
	opaque(at);
	if (at < LOST_WAYS)
		element(set->lost, at) = lost_entry(w->hash, isn);
	return 0;
}

/* Has a connection of the segment's tuple been lost, or may it be one whose entry was displaced? */
recorder_code int ask_lost(struct tables *t, const struct work *w, const struct tcp_segment *s)
{
	const struct lost_set *set;

	if (!w || !s)
		return 0;
	set = tables_lost(t, w->hash);
	if (!set || lost_is_over(set, s->time))
		return 0;
	return set->displaced || find_lost(t, w, last_seen_tag(w->hash));
}

/*
 * Is the SYN or SYN-ACK that of a connection that has been lost? A SYN of the tuple's next connection ends what was
 * remembered of that one.
 */
recorder_code int is_of_lost_syn(struct tables *t, const struct work *w, const struct tcp_segment *s)
{
	struct lost_set *set;
	__u32 at;

	if (!w || !s)
		return 0;
	set = tables_lost(t, w->hash);
	if (!set || lost_is_over(set, s->time))
		return 0;
	at = find_lost(t, w, last_seen_tag(w->hash)) - 1;
	opaque(at);
	if (at >= LOST_WAYS)
		return 0;
	if (lost_is_opened_by(element(set->lost, at), s))
		return 1;
	if (segment_opens(s))
		element(set->lost, at) = 0;
	return 0;
}

/*
 * The connection in slot n - 1 has just been marked as lost. The slot serves to recognise copies until another
 * connection wants it; one with a block is user space's, which alone can give that back.
 */
recorder_code int give_up(struct tables *t, const struct work *w, __u32 n, __u64 now, __u32 counter)
{
	const struct flow_slot *slot = tables_slot(t, n - 1);

	if (!w || !slot)
		return 0;
	note_lost(t, w, either(slot->open.source & 1, slot->open.isn[1], slot->open.isn[0]), now, counter);
	mark_way(t, w, n, slot->block ? WAY_HELD : WAY_REPORTED);
	tables_notice(t, n, slot->word, NOTICE_LOST, now);
	return 0;
}

#endif
