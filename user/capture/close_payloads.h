/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When payload passed before a close began, kept by the number of the connection's block. That was with the first FIN
 * or RST, unless its receiver did not take it (RFC 5961 section 3.2), which only what comes later shows: hence the
 * state at a later one, too.
 */
#ifndef TCPFIN_CLOSE_PAYLOADS_H
#define TCPFIN_CLOSE_PAYLOADS_H

#include "user/capture/conversations.h"
#include "user/judge/flow_tables.h"

struct at_close;
struct at_later_close;

/* Of the blocks of one size. */
struct at_closes {
	struct at_close *of;
	struct at_later_close *later; /* NULL before the first one */
	uint32_t count;
};

/* All zero: nothing is kept. Out of memory, the program ends. */
struct close_payloads {
	struct at_closes large, small;
};

void close_payloads_free(struct close_payloads *c);
/* The block, by its number + 1, is another connection's from now on. t: whose block it is. */
void close_payloads_clear(struct close_payloads *c, const struct flow_tables *t, uint32_t block);
/* The log has moved from one block to another. */
void close_payloads_move(struct close_payloads *c, const struct flow_tables *t, uint32_t from, uint32_t to);
/*
 * Keeps the first state; fin: at a FIN. now: NULL where it is not known. unseen: the segment at hand shows payload that
 * the capture lacks.
 */
void close_payloads_first(struct close_payloads *c, const struct flow_tables *t, uint32_t block,
			  const struct conversation_cell *now, bool fin, bool unseen);
/* Is the first state kept? */
bool close_payloads_has_first(struct close_payloads *c, const struct flow_tables *t, uint32_t block);
/*
 * Keeps the state at a later segment, where it may be the close: that at the first FIN, and of RSTs those at the first
 * and the last one with payload before.
 */
void close_payloads_later(struct close_payloads *c, const struct flow_tables *t, uint32_t block,
			  const struct conversation_cell *now, const struct tcp_segment *s, bool unseen);
/* The state when the close began, at `begun` (ns). False: it is not known. */
bool close_payloads_find(struct close_payloads *c, const struct flow_tables *t, uint32_t block, uint64_t begun,
			 struct last_payload *found);

#endif
