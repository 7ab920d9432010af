/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interfaces watched: attaches to them, and follows what becomes of them.
 *
 * Order of use: interfaces_plan, load the programs that the plans need, interfaces_start, interfaces_watch_order,
 * interfaces_look_for_namespaces and interfaces_check every now and then and at once where interfaces_changed,
 * interfaces_stop, interfaces_free.
 */
#ifndef TCPFIN_INTERFACES_H
#define TCPFIN_INTERFACES_H

#include "user/attach/tcx_order.h"
#include "user/attach/watched_namespaces.h"
#include "user/attach/attach.h"

#define WATCHED_MAX 1024
#define FORMER_MAX 256

struct interfaces {
	const struct options *options;
	struct attach_programs programs;
	struct watched_namespaces namespaces;
	struct tcx_order *tcx_order; /* NULL: no tcx, or the kernel does not let us list its chains */
	struct watched {
		struct attachment attachment;
		unsigned refused;         /* --follow: index that could not be watched, which was logged */
		bool lost;                /* it is no longer watched */
		bool matched;             /* a pattern stands for it; otherwise it was named */
		char wanted[IF_NAMESIZE]; /* the name by which it was asked for */
		bool down;
		char before_us[2][TCX_ORDER_TEXT]; /* by direction: who was last logged as first; "": we are */
	} watched[WATCHED_MAX];
	unsigned count;
	struct attachment former[FORMER_MAX]; /* the last ones that are gone: late records carry their numbers */
	unsigned formers;                     /* how many there were */
	uint32_t numbers;                     /* how many were given */
	uint64_t looked;                      /* ns: when namespaces were last looked for */
	bool crowded;                         /* more interfaces match than can be watched, which was logged */
};

/* Plans a hook for each interface; attaches nothing. Returns an exit code; errors have been logged. */
int interfaces_plan(struct interfaces *s, const struct options *options);
/* Attaches the programs to all interfaces. Returns an exit code; errors have been logged. */
int interfaces_start(struct interfaces *s, const struct attach_programs *programs);
/* From now on, programs that others put before ours in a tcx chain are noticed, if the kernel lets us list chains. */
void interfaces_watch_order(struct interfaces *s);
/* Has the kernel told of an interface that came, went or changed since the last call? */
bool interfaces_changed(struct interfaces *s);
/* Finds out which of the wanted network namespaces have come and gone. now: CLOCK_MONOTONIC, ns. */
void interfaces_look_for_namespaces(struct interfaces *s, uint64_t now);
/*
 * Logs what has changed since the last call, and watches interfaces that have come or are back (--follow). Returns how
 * many are watched or waited for.
 */
unsigned interfaces_check(struct interfaces *s);
/* Detaches from all. Safe to call twice, and before interfaces_start. */
void interfaces_stop(struct interfaces *s);
/* Safe on one that was not planned. */
void interfaces_free(struct interfaces *s);

/* Will interfaces_stop need CAP_NET_ADMIN? */
bool interfaces_need_net_admin(const struct interfaces *s);
/* Sets list to what stands in keys for the interfaces that are watched now. Returns how many, at most `room`. */
unsigned interfaces_numbers(const struct interfaces *s, uint32_t *list, unsigned room);
/* Sets list to the inode numbers of the watched network namespaces. Returns how many, at most `room`. */
unsigned interfaces_namespaces(const struct interfaces *s, uint32_t *list, unsigned room);
/* The interface that the number stands for, or stood for before it was made anew; NULL if there is none. */
const struct attachment *interfaces_find(const struct interfaces *s, uint32_t number);

#endif
