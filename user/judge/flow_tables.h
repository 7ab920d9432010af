/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User space's hand on the recorder's tables: reads a connection where it lies, and takes it out when it is reported.
 * The tables are the kernel's, mapped, or a capture's own; the code is the same.
 *
 * One thread of user space owns the right to free. The recorder may append, open and evict meanwhile.
 */
#ifndef TCPFIN_FLOW_TABLES_H
#define TCPFIN_FLOW_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/core/watch.h"
#include "user/judge/judge.h"

/* The free places of a kind. ring: of a power of two. */
struct free_list {
	struct spares *spares;
	uint64_t *ring;
	uint32_t mask;
};

/*
 * Captures: a block that ends behind its first entries, which nearly all closes do with. It is a struct flow_block of
 * so many bytes, and its number has the bit SMALL_BLOCK.
 */
#define SMALL_BLOCK (1u << 30)
#define SMALL_ENTRIES 4
#define SMALL_BYTES (offsetof(struct flow_block, entry) + SMALL_ENTRIES * sizeof(struct log_entry))

/* A slot that was reported, for as long as it serves to recognise copies. */
struct buried {
	uint32_t slot, generation;
	uint32_t place; /* high half of the hash that chooses the slot's sets */
};

struct flow_tables {
	struct flow_set *sets;
	uint32_t set_mask;
	struct flow_slot *slots;
	uint32_t slot_count;
	struct flow_block *blocks;
	uint32_t block_count, closing_blocks; /* the first ones serve closes, the others what opens */
	char *small;                          /* small_count blocks of SMALL_BYTES; live: none */
	uint32_t small_count;
	uint32_t *watch; /* counts of the watch filter */
	uint32_t watch_mask;
	struct last_seen *last_seen;
	uint32_t last_seen_mask;
	uint32_t *established; /* connections that are open and whose close has not begun */
	struct free_list free_slots, free_closing, free_opening, free_small;
	bool by_time;                          /* two CPUs may log in another order than the packets came */
	const struct flow_hash_key *place_key; /* of the hash that chooses the sets; NULL: it is the slot's own */

	struct buried *buried; /* a ring, oldest first */
	uint32_t buried_room, buried_first, buried_count, buried_max;
	uint32_t spare_slots;  /* so many are to be free, or the oldest reported ones give theirs */
	uint32_t openings_max; /* connections that may be opening while fewer are free */
	uint64_t gone;         /* connections that user space has taken out since the beginning */
	uint32_t held;         /* of these, so many are held: see flow_tables_hold */
};

static inline bool block_is_small(uint32_t block)
{
	return (block - 1) & SMALL_BLOCK;
}

/* The block that a slot names by its number + 1. NULL for 0: none. */
static inline struct flow_block *flow_tables_block(const struct flow_tables *t, uint32_t block)
{
	if (!block)
		return NULL;
	if (block_is_small(block))
		return (struct flow_block *)(t->small + (size_t)((block - 1) & ~SMALL_BLOCK) * SMALL_BYTES);
	return &t->blocks[block - 1];
}

/* How many entries it has room for. */
static inline unsigned block_entries(uint32_t block)
{
	return block_is_small(block) ? SMALL_ENTRIES : BLOCK_ENTRIES;
}

/* flow_hash, as far as the slot knows it: what chooses cells and tags. */
static inline uint64_t flow_slot_hash(const struct flow_slot *slot)
{
	return (uint64_t)slot->hash << 32 | (uint32_t)slot->check << 16;
}

/* Fills the free lists with all that the tables have. */
void flow_tables_fill(struct flow_tables *t);
void flow_tables_free(struct flow_tables *t); /* only what this module has allocated */

/* The hash of the slot's tuple that chooses its sets; its high half counts. */
uint64_t flow_tables_place(const struct flow_tables *t, const struct flow_slot *slot);

/* Whoever looks at slots in turn fetches the word of one that is so far ahead. */
#define SLOTS_AHEAD 16

static inline void flow_tables_prefetch_word(const struct flow_tables *t, uint32_t n)
{
	__builtin_prefetch(&t->slots[n].word); /* one behind the last slot does no harm */
}

/* Fetch what a report will need: first the slot; what it names only once that has arrived. */
void flow_tables_prefetch_slot(const struct flow_tables *t, uint32_t n);
void flow_tables_prefetch_rest(const struct flow_tables *t, uint32_t n);

/*
 * Judges the connection in slot n as it is now; *word is what the judgement rests on. False: there is none, or it is
 * being written; try again later.
 */
bool flow_tables_judge(const struct flow_tables *t, uint32_t n, struct judged *j, uint64_t *word);

/*
 * Takes the judged connection out, so that it can be reported: nothing is appended to it any more. bury: its slot
 * stays to recognise copies of its segments. False: it has changed since it was judged.
 */
bool flow_tables_take(struct flow_tables *t, uint32_t n, uint64_t word, const struct flow *f, bool bury);
/*
 * Takes the judged connection, which an RST has ended, so that it can be reported, and holds slot and log: segments
 * with its numbers are still appended. To the recorder it is reported, so that it takes nothing from another connection
 * of the tuple. Both sides' numbers are known. False: it has changed since it was judged.
 */
bool flow_tables_hold(struct flow_tables *t, uint32_t n, uint64_t word, const struct flow *f);
/* flow_tables_judge of one that is held. */
bool flow_tables_judge_held(const struct flow_tables *t, uint32_t n, struct judged *j, uint64_t *word);
/*
 * It is as if it had not been reported. False: it has changed since it was judged, or its tuple has another connection.
 */
bool flow_tables_resume(struct flow_tables *t, uint32_t n, uint64_t word);
/* It is held no longer: its slot stays to recognise copies of its segments. */
void flow_tables_release(struct flow_tables *t, uint32_t n);
/* The slot of a connection that the recorder has given up (NOTICE_LOST) serves to recognise copies. */
void flow_tables_bury_lost(struct flow_tables *t, uint32_t n);
/*
 * The connection's RST was not taken by the socket that it was sent to: so its next judgement says. n, half: slots of
 * the judged connection, the latter + 1, or 0. False: the log does not have the RST.
 */
bool flow_tables_note_survived(const struct flow_tables *t, uint32_t n, uint32_t half, const struct flow *f);
/*
 * The connection goes on: its RST was not acted on. It is open again. False: it has changed since it was judged.
 */
bool flow_tables_go_on(struct flow_tables *t, uint32_t n, uint64_t word, const struct flow *f);

/* Connections that are closing: blocks in use. */
uint32_t flow_tables_closing(const struct flow_tables *t);

enum tables_room { TABLES_SLOTS, TABLES_CLOSING, TABLES_OPENING };
/* Is so little of it free that what comes next may find no room? Slots of reported connections are freed before. */
bool flow_tables_scarce(struct flow_tables *t, enum tables_room room);

/*
 * Where free slots are scarce and too many connections are opening, the older half of those give theirs. Returns how
 * many.
 */
unsigned flow_tables_relieve(struct flow_tables *t);

/*
 * A round of ageing: segments of an open connection pass its slot by, so each round arms a probe that its next
 * segment takes off. Returns whether the connection has been silent for FLOW_IDLE_ROUNDS rounds.
 */
#define FLOW_IDLE_ROUNDS 8
bool flow_tables_age(struct flow_tables *t, uint32_t n);

#endif
