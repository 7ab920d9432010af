/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which RFC 9293 state each side of a record's connection is in, segment by segment, as far as the wire shows it.
 */
#ifndef TCPFIN_LADDER_STATES_H
#define TCPFIN_LADDER_STATES_H

#include "user/record/record.h"

struct ladder_side {
	enum tcp_state opening; /* the state while no FIN went either way; after an RST, the state that is left */
	bool fin, fin_acked;    /* it sent a FIN; the other side acknowledged it */
	bool heard;             /* it acknowledged the other side's FIN: only that proves on the wire that it has it */
	bool passive;           /* it had acknowledged the other side's FIN before it sent its own */
	uint32_t fin_end;       /* the sequence number after its FIN */
};

struct ladder_states {
	struct ladder_side side[2]; /* by role */
	bool over;                  /* an RST ended the connection */
};

/* Before the first segment: CLOSED, or ESTABLISHED where the list does not begin with a SYN. */
void ladder_states_begin(struct ladder_states *states, const struct record *r);
/* Takes the record's segment i; every segment once, in the record's order. */
void ladder_states_step(struct ladder_states *states, const struct record *r, unsigned i);
/* role: SOURCE or DESTINATION. */
enum tcp_state ladder_state(const struct ladder_states *states, enum role role);

/* Did the receiver of segment i act on it? Of an RST that the connection survived, only the verdict knows that. */
bool ladder_acted_on(const struct record *r, unsigned i);

/* How many of the listed segments belong to the opening. */
unsigned ladder_opening_count(const struct record *r);
/*
 * Payload of a side that was sent between the opening and the close. Every segment of the close is listed, so its first
 * one says by its number what came before; a side that is silent in the close sent all its bytes before. Not the same
 * as record_unlisted_bytes: what was lost from the log, or is folded and holds a byte twice, changes nothing here.
 */
int64_t ladder_bytes_before_close(const struct record *r, enum role from, unsigned opening);

#endif
