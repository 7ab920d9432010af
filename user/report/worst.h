/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worst connections: those that the page draws. They are as different as they can be: of one kind (outcome, phase,
 * process, port, reason) only a few are kept, and no rank crowds out the others. All zeroes is an empty list.
 */
#ifndef TCPFIN_WORST_H
#define TCPFIN_WORST_H

#include "user/base/buffer.h"
#include "user/record/record.h"

#define WORST_CASES 40
#define WORST_OF_A_KIND 3

struct worst_case {
	unsigned rank; /* how bad it was, see worst.c */
	int64_t cost;  /* ns: among equal ranks, what took longer is worse */
	uint64_t kind;
	uint64_t order;     /* among equals, the one that came first is worse */
	struct buffer html; /* the connection as the page has it: its record's texts do not last */
};

struct worst {
	struct worst_case cases[WORST_CASES]; /* in no order until worst_sort */
	unsigned count;
	uint64_t added;
};

/* Takes the connection if it is one of the worst so far. */
void worst_add(struct worst *w, const struct record *r);
/* The worst one first. */
void worst_sort(struct worst *w);
void worst_free(struct worst *w);

#endif
