/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that are in a record already and still in the tables, because their story goes on: which record that was,
 * and which connection has waited longest. Where the tables are full, those are given up first, the oldest first.
 */
#ifndef TCPFIN_INTERIM_H
#define TCPFIN_INTERIM_H

#include <stdbool.h>
#include <stdint.h>

/* What a connection holds of the tables. */
enum interim_kind { INTERIM_SLOT, INTERIM_OPENING, INTERIM_CLOSING, INTERIM_KINDS };

struct interim {
	uint64_t last;         /* ns: the connection's last segment when it was reported */
	uint64_t order;        /* of reports */
	uint32_t generation;   /* of the slot */
	uint32_t phase;        /* of the slot when it was reported */
	uint32_t fate;         /* what the final record said of its RST, as due.c has it */
	uint32_t older, newer; /* slot + 1 of its neighbours in the list of its kind; 0: none */
	uint8_t kind;
	bool held;     /* it is in the list */
	bool complete; /* the record was final: another one only if more has come */
	bool final;    /* so was one of its records, be this one or not */
};

struct interims {
	struct interim *of;                                    /* by slot; NULL: no interim records are made */
	uint32_t oldest[INTERIM_KINDS], newest[INTERIM_KINDS]; /* slot + 1; 0: none */
	uint64_t reports;
};

/* 0 or -ENOMEM. */
int interims_begin(struct interims *t, uint32_t slots);
void interims_free(struct interims *t);

static inline void interims_prefetch(const struct interims *t, uint32_t slot)
{
	if (t->of)
		__builtin_prefetch(&t->of[slot], 1);
}

/* NULL where the slot's connection of that generation was not reported yet. */
const struct interim *interims_find(const struct interims *t, uint32_t slot, uint32_t generation);
/* The slot's connection has been reported. what: generation, kind, phase, last, complete; the rest is set here. */
void interims_put(struct interims *t, uint32_t slot, const struct interim *what);
/* The slot's connection has been taken out with a final record. Where it is resumed, interims_final tells of that. */
void interims_end(struct interims *t, uint32_t slot, uint32_t generation, uint32_t fate);
/* The last final record of the slot's connection, which may be in no list; NULL: none was made. */
const struct interim *interims_final(const struct interims *t, uint32_t slot, uint32_t generation);
/* The slot's connection is given up or goes on. Safe where it is not held. */
void interims_drop(struct interims *t, uint32_t slot);
/* The slot + 1 that was reported first, of those kinds (a bit each). 0: none. */
uint32_t interims_oldest(const struct interims *t, unsigned kinds);

#endif
