/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's tables as the recorder wants them (core/recorder.h): maps behind the functions tables_*. There is one
 * set of them, so struct tables holds nothing.
 */
#ifndef TCPFIN_TABLES_BPF_H
#define TCPFIN_TABLES_BPF_H

#include "bpf/maps.bpf.h"

struct tables {
	__u32 unused; /* a pointer to it is NULL everywhere; the verifier wants to know its size */
};

static __always_inline struct flow_set *tables_set(struct tables *t, __u32 index)
{
	index &= settings.set_mask;
	return bpf_map_lookup_elem(&tcpfin_sets, &index);
}

static __always_inline struct flow_slot *tables_slot(struct tables *t, __u32 n)
{
	return bpf_map_lookup_elem(&tcpfin_slots, &n);
}

static __always_inline struct flow_block *tables_block(struct tables *t, __u32 n)
{
	return bpf_map_lookup_elem(&tcpfin_blocks, &n);
}

static __always_inline struct last_seen *tables_last_seen(struct tables *t, __u64 hash)
{
	__u32 index = hash >> 32 & settings.last_seen_mask;

	return bpf_map_lookup_elem(&tcpfin_numbers, &index);
}

static __always_inline struct lost_set *tables_lost(struct tables *t, __u64 hash)
{
	__u32 index = hash >> 32 & settings.lost_mask;

	return bpf_map_lookup_elem(&tcpfin_lost, &index);
}

static __always_inline void tables_lossy_until(struct tables *t, __u64 time)
{
	lost_until = time;
}

/* May anything that was lost be remembered? Nearly always not, and then the sets of lost ones need no look-up. */
static __always_inline flag_t tables_is_lossy(struct tables *t, __u64 now)
{
	return now < reload(lost_until);
}

/*
 * One try to take the next of a ring that user space fills. Yields its number + 1; 0: none is free, or a CPU was
 * faster.
 */
#define take_try(ring, which, mask)                                                                      \
	({                                                                                               \
		__u32 head_ = reload(spares[which].head), at_ = head_ & (mask), got_ = 0;                \
		__u64 *place_ = bpf_map_lookup_elem(&ring, &at_);                                        \
		if (place_ && head_ != reload(spares[which].tail)) {                                     \
			got_ = reload(*place_);                                                          \
			if (__sync_val_compare_and_swap(&spares[which].head, head_, head_ + 1) != head_) \
				got_ = 0;                                                                \
		}                                                                                        \
		got_;                                                                                    \
	})

/* Three tries: more CPUs than that seldom want one at once. */
#define take_free(ring, which, mask)                        \
	({                                                  \
		__u32 n_ = take_try(ring, which, mask);     \
		n_ = n_ ? n_ : take_try(ring, which, mask); \
		n_ ? n_ : take_try(ring, which, mask);      \
	})

static __always_inline __u32 tables_take_slot(struct tables *t)
{
	return take_free(tcpfin_freeslot, SPARE_SLOTS, settings.slots_mask);
}

/* Are there slots that nobody has? */
static __always_inline flag_t tables_spare(struct tables *t)
{
	return reload(spares[SPARE_SLOTS].head) != reload(spares[SPARE_SLOTS].tail);
}

/* A SYN or SYN-ACK was seen a second time. Captures count those. */
static __always_inline void tables_twin(struct tables *t, __u32 n)
{
}

static __always_inline __u32 take_closing(void)
{
	return take_free(tcpfin_freeclos, SPARE_CLOSING, settings.closing_mask);
}

__noinline __attribute__((weak)) __u32 take_opening(void)
{
	return take_free(tcpfin_freeopen, SPARE_OPENING, settings.opening_mask);
}

/* Loads what the next tables_take_slot will give, so that it is in the cache when it is written. */
static __always_inline void touch_next_slot(void)
{
	__u32 at = reload(spares[SPARE_SLOTS].head) & settings.slots_mask, n;
	const __u64 *place = bpf_map_lookup_elem(&tcpfin_freeslot, &at);
	const struct flow_slot *slot;

	if (!place)
		return;
	n = reload(*place) - 1;
	slot = bpf_map_lookup_elem(&tcpfin_slots, &n);
	if (!slot)
		return;
	(void)reload(slot->word);
	(void)reload(slot->open.t_syn);
}

/* Loads the block that the next close will take: its head, and the log as far as most closes need it. */
static __always_inline void touch_next_block(void)
{
	__u32 at = reload(spares[SPARE_CLOSING].head) & settings.closing_mask, n;
	const __u64 *place = bpf_map_lookup_elem(&tcpfin_freeclos, &at);
	const struct flow_block *block;

	if (!place)
		return;
	n = reload(*place) - 1;
	block = bpf_map_lookup_elem(&tcpfin_blocks, &n);
	if (!block)
		return;
	(void)reload(block->slot);
	(void)reload(block->before_ack);
	(void)reload(block->entry[0].time);
	(void)reload(block->entry[2].time);
}

static __always_inline __u32 tables_take_block(struct tables *t, __u32 pool)
{
	return pool == POOL_OPENING ? take_opening() : take_closing();
}

/* All blocks have room for all entries. */
static __always_inline struct flow_block *tables_room(struct tables *t, __u32 n, struct flow_block *b, __u32 at)
{
	return b;
}

/* The kernel's tables do not grow. */
static __always_inline void tables_reserve(struct tables *t, __u64 place)
{
}

static __always_inline __u32 tables_place(struct tables *t, const struct flow_slot *slot)
{
	return slot->hash;
}

static __always_inline __u32 tables_openings(struct tables *t)
{
	return settings.openings;
}

static __always_inline int tables_count(struct tables *t, __u32 counter)
{
	return count(counter);
}

static __always_inline void tables_watch(struct tables *t, __u32 hash, __s32 by)
{
	__sync_fetch_and_add(&watch.live[hash & (WATCH_CELLS - 1)], by);
}

static __always_inline void tables_established(struct tables *t, __s32 by)
{
	__sync_fetch_and_add(&established, by);
}

/* One connection more is established. Returns 0 where there are as many as there may be. */
static __always_inline flag_t tables_establish(struct tables *t)
{
	if (reload(established) >= settings.max_established)
		return 0;
	tables_established(t, 1);
	return 1;
}

static __always_inline void tables_forget(struct tables *t, __u64 hash)
{
	struct last_seen *last = tables_last_seen(t, hash);

	if (last)
		last_seen_forget(last, hash);
}

/* A handshake is complete. What was remembered and counted of the tuple's connection before is overwritten. */
static __always_inline void tables_remember(struct tables *t, const struct work *w, const struct tcp_segment *s,
					    const struct flow_slot *slot)
{
	struct last_seen *last = tables_last_seen(t, w->hash);
	struct traffic *traffic;
	__u32 n = w->proving - 1;

	if (last)
		last_seen_begin(last, &slot->open, s, w->side, w->hash);
	if (!settings.all_segments)
		return;
	traffic = bpf_map_lookup_elem(&tcpfin_traffic, &n);
	if (!traffic)
		return;
	__builtin_memset(traffic, 0, sizeof(*traffic));
	traffic_begin_whole(traffic, &slot->open, slot->ip_id, s, w->side);
}

__noinline __attribute__((weak)) int notice_send(__u32 n, __u64 word, __u32 kind, __u64 time)
{
	struct notice *notice = bpf_ringbuf_reserve(&tcpfin_ring, sizeof(*notice), 0);

	if (!notice) {
		__sync_fetch_and_add(&notices_lost, 1);
		return count(COUNT_RING_FULL);
	}
	notice->time = time;
	notice->slot = n;
	notice->generation = word >> 32;
	notice->kind = kind;
	notice->pad = 0;
	bpf_ringbuf_submit(notice, BPF_RB_NO_WAKEUP);
	return 0;
}

/*
 * Tells user space of a slot. Nothing is lost where the ring is full: the connection stays in its slot, and user
 * space finds it there a little later. User space polls; a wake-up would be the larger part of the cost. A wait's
 * beginning is not sent: user space looks at all slots for those that are over.
 */
static __always_inline void tables_notice(struct tables *t, __u32 n, __u64 word, __u32 kind, __u64 time)
{
	if (kind <= NOTICE_LOST)
		notice_send(n, word, kind, time);
}

#endif
