/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interfaces that are watched: setting them up, and following what becomes of them.
 *
 * Order of use: interfaces_plan, load the programs that the plans need, interfaces_start, interfaces_watch_order,
 * interfaces_check every now and then, interfaces_stop.
 */
#ifndef TCPFIN_INTERFACES_H
#define TCPFIN_INTERFACES_H

#include "user/attach/tcx_order.h"
#include "user/attach/attach.h"

struct interfaces {
	const struct options *options;
	struct attach_programs programs;
	struct tcx_order *tcx_order; /* NULL: not known, or no tcx */
	struct watched {
		struct attachment attachment;
		unsigned previous; /* the index before it was made anew: late records name it */
		unsigned refused;  /* --follow: this one could not be watched; said so already */
		bool lost;         /* it is not watched any more */
		bool down;
		char before_us[2][TCX_ORDER_TEXT]; /* who was said to come before ours, by direction; "": nobody */
	} watched[OPTIONS_MAX_INTERFACES];
	unsigned count;
};

/* An exit code, as the others: errors have been said. Changes nothing in the system. */
int interfaces_plan(struct interfaces *s, const struct options *options);
int interfaces_start(struct interfaces *s, const struct attach_programs *programs);
/* Later ones that others put before ours in a chain will be noticed, where the kernel lets us. */
void interfaces_watch_order(struct interfaces *s);
/* Says what has changed, and watches what has come back (--follow). How many are watched or waited for. */
unsigned interfaces_check(struct interfaces *s);
void interfaces_stop(struct interfaces *s);

bool interfaces_need_net_admin(const struct interfaces *s);
/* NULL for an index that is none of theirs. */
const char *interfaces_name(const struct interfaces *s, unsigned ifindex);

/* --cleanup: removes what killed instances have left, on the interfaces named or on all. An exit code. */
int interfaces_cleanup(const struct options *options);

#endif
