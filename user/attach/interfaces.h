/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interfaces watched: attaches to them, and follows what becomes of them.
 *
 * Order of use: interfaces_plan, load the programs that the plans need, interfaces_start, interfaces_watch_order,
 * interfaces_check every now and then and at once where interfaces_changed, interfaces_stop, interfaces_free.
 */
#ifndef TCPFIN_INTERFACES_H
#define TCPFIN_INTERFACES_H

#include "user/attach/tcx_order.h"
#include "user/attach/attach.h"

struct interfaces {
	const struct options *options;
	struct attach_programs programs;
	int route, news;             /* sockets: interface_query.h, interface_news.h */
	struct tcx_order *tcx_order; /* NULL: no tcx, or the kernel does not let us list its chains */
	struct watched {
		struct attachment attachment;
		unsigned previous;        /* its index before it was deleted and made anew: late records carry it */
		unsigned refused;         /* --follow: index that could not be watched, which was logged */
		bool lost;                /* it is no longer watched */
		bool matched;             /* a pattern stands for it; otherwise it was named */
		char wanted[IF_NAMESIZE]; /* the name by which it was asked for */
		bool down;
		char before_us[2][TCX_ORDER_TEXT]; /* by direction: who was last logged as first; "": we are */
	} watched[OPTIONS_MAX_INTERFACES];
	unsigned count;
	bool crowded; /* more interfaces match than can be watched, which was logged */
};

/* Plans a hook for each interface; attaches nothing. Returns an exit code; errors have been logged. */
int interfaces_plan(struct interfaces *s, const struct options *options);
/* Attaches the programs to all interfaces. Returns an exit code; errors have been logged. */
int interfaces_start(struct interfaces *s, const struct attach_programs *programs);
/* From now on, programs that others put before ours in a tcx chain are noticed, if the kernel lets us list chains. */
void interfaces_watch_order(struct interfaces *s);
/* Has the kernel told of an interface that came, went or changed since the last call? */
bool interfaces_changed(struct interfaces *s);
/*
 * Logs what has changed since the last call, and watches interfaces that are back (--follow). Returns how many are
 * watched or waited for.
 */
unsigned interfaces_check(struct interfaces *s);
/* Detaches from all. Safe to call twice, and before interfaces_start. */
void interfaces_stop(struct interfaces *s);
/* Safe on one that was not planned. */
void interfaces_free(struct interfaces *s);

/* Will interfaces_stop need CAP_NET_ADMIN? */
bool interfaces_need_net_admin(const struct interfaces *s);
/* Sets list to the indexes of the interfaces that are watched now, and returns how many they are. */
unsigned interfaces_indexes(const struct interfaces *s, uint32_t list[OPTIONS_MAX_INTERFACES]);
/* The name of the watched interface with that index, present or previous; NULL if there is none. */
const char *interfaces_name(const struct interfaces *s, unsigned ifindex);

#endif
