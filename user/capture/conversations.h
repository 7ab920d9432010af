/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a capture remembers of a conversation beside its numbers, kept for whoever used a cell last, as struct last_seen
 * is: when payload passed, and which large segments the path swallowed (bpf/core/black_hole.h).
 *
 * A struct black_hole is kept only while a large segment is outstanding, or once one was swallowed.
 */
#ifndef TCPFIN_CONVERSATIONS_H
#define TCPFIN_CONVERSATIONS_H

#include <stdbool.h>

#include "user/judge/silence.h"

/* What is said of payload is as in struct last_payload. */
struct conversation_cell {
	uint64_t any; /* ns: the last segment without SYN, FIN or RST */
	uint64_t last, before, open;
	uint32_t seq;
	uint32_t side : 1; /* who sent `seq` */
	uint32_t unseen : 1;
	uint32_t unseen_before : 1;
	uint32_t sent_payload : 2;
	uint32_t hole : 27; /* number + 1 of its open_hole; 0: none */
	uint32_t tag;       /* last_seen_tag of whose cell it is; 0: nobody's */
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct conversation_cell) == 44, "one for each open connection");

struct open_hole;

struct conversations {
	struct conversation_cell *cell;
	uint32_t cells; /* a power of two */
	bool holes;     /* black holes are looked for */
	struct open_hole *open;
	uint32_t open_count, open_room;
	uint32_t free; /* number + 1 of the first one that is free; 0: none */
};

/* 0 or -ENOMEM. Functions that make it grow end the program where memory is short. */
int conversations_open(struct conversations *c, uint32_t cells, bool holes);
void conversations_close(struct conversations *c);
/* As many cells as there are of last_seen: each becomes two, which both get what it holds. cells: a power of two. */
void conversations_grow(struct conversations *c, uint32_t cells);

static inline struct conversation_cell *conversations_cell(const struct conversations *c, uint64_t hash)
{
	return &c->cell[hash >> 32 & (c->cells - 1)];
}

/* NULL where another conversation has used the cell since. */
static inline const struct conversation_cell *conversations_find(const struct conversations *c, uint64_t hash)
{
	const struct conversation_cell *cell = conversations_cell(c, hash);

	return cell->tag == last_seen_tag(hash) ? cell : NULL;
}

/* What its path swallowed; NULL: nothing, or it is not known. */
const struct black_hole *conversations_hole(const struct conversations *c, uint64_t hash);

/* What the cell holds of payload. */
static inline struct last_payload conversation_payload(const struct conversation_cell *cell)
{
	return (struct last_payload){
		.last = cell->last,
		.before = cell->before,
		.open = cell->open,
		.seq = cell->seq,
		.side = cell->side,
		.unseen = cell->unseen,
		.unseen_before = cell->unseen_before,
		.sent_payload = cell->sent_payload,
	};
}

/*
 * Do the segment's numbers show payload before it that the capture lacks? An RST's acknowledgment shows none: boxes
 * that make RSTs know the numbers of one direction, and may guess those of the other. numbers: as they were before it.
 */
bool conversations_shows_unseen(const struct last_seen *numbers, const struct tcp_segment *s, uint64_t side,
				uint64_t hash);

/*
 * Notes a segment, or what an ICMP error quotes of one. numbers: what was remembered of the conversation before it.
 * Those with SYN, FIN or RST take no cell from another conversation.
 */
void conversations_note(struct conversations *c, const struct last_seen *numbers, const struct tcp_segment *s,
			uint64_t side, uint64_t hash);
/* A handshake is complete with a segment that was noted: payload of an older connection of the tuple is forgotten. */
void conversations_begin(struct conversations *c, const struct flow_open *o, const struct tcp_segment *s, uint64_t side,
			 uint64_t hash);

#endif
