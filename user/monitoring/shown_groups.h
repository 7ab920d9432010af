/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections by process, peer and the like, in a bounded number of series that never falls back: the groups that stand
 * out have series of their own, all the others are "other".
 *
 * A group is shown once it is among the fullest of "other" and has at least a hundredth of that. It then begins
 * at 0, "other" keeps what it counted of it before, and it stays until the program ends. So no counter ever falls, and
 * all of them add up to what was counted.
 */
#ifndef TCPFIN_SHOWN_GROUPS_H
#define TCPFIN_SHOWN_GROUPS_H

#include "user/monitoring/exposition.h"
#include "user/record/groups.h"
#include "user/top/sketch.h"

#define SHOWN_GROUPS 50
#define SHOWN_OTHER "other"

struct shown_group {
	struct group_key key;
	char label[4 * GROUP_PART + 1]; /* printable, and no other group's */
	uint64_t connections[OUTCOMES];
};

struct shown_groups {
	struct groups by;     /* one field */
	struct sketch sketch; /* of what was counted in "other" lately */
	uint64_t since;       /* ns: when the sketch began */
	unsigned count;
	uint64_t hash[SHOWN_GROUPS]; /* of each group's key, as the sketch has it */
	struct shown_group group[SHOWN_GROUPS];
	uint64_t other[OUTCOMES];
	struct { /* the connection before: the next one often has the same process, unit or container */
		struct group_key key; /* length 0: none */
		unsigned shown;       /* its group; SHOWN_GROUPS: it is in "other" */
	} last;
};

/* now: ns of a clock that does not go back. */
void shown_groups_begin(struct shown_groups *g, enum group_field by, uint64_t now);
/* Counts a connection that has ended. */
void shown_groups_add(struct shown_groups *g, const struct record *r);
/* Shows the groups that have come up. To be called before they are printed. */
void shown_groups_admit(struct shown_groups *g, uint64_t now);
/* Appends the samples of a counter with the labels NAME, the field's, and "outcome". */
void shown_groups_print(struct exposition *e, const struct shown_groups *g);

#endif
