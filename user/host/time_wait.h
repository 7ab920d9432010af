/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --time-wait: who holds TIME-WAIT on this host towards whom, when it ends, and what that does to the local ports.
 */
#ifndef TCPFIN_TIME_WAIT_H
#define TCPFIN_TIME_WAIT_H

#include "user/host/host_table.h"
#include "user/sockets/socket_snapshot.h"

#define TIME_WAIT_SECONDS 60      /* the kernel's TCP_TIMEWAIT_LEN, no setting */
#define TIME_WAIT_RATE_SECONDS 10 /* what "at present" means */

/* Sockets with the same client, server and service port. */
struct time_wait_group {
	const struct host_pair *pair;
	size_t count;                   /* in TIME-WAIT */
	uint32_t first_ends, last_ends; /* ms from now */
	size_t recent;                  /* of them, those that began in the last TIME_WAIT_RATE_SECONDS */
	unsigned ports_in_use; /* usable local ports that any socket of the group has; if this host is the source */
	int runs_out;          /* in how many seconds there is no usable port left; -1: not at this rate */
};

struct time_wait_report {
	struct socket_snapshot snapshot;
	struct time_wait_group *groups; /* with TIME-WAIT, the largest first; owned */
	size_t count;
	size_t sockets; /* in TIME-WAIT, all groups together */
};

/* Fills in the groups from the snapshot. 0 or -ENOMEM. */
int time_wait_group(struct time_wait_report *r);
void time_wait_text(struct buffer *out, const struct time_wait_report *r, uint64_t now, bool all);
void time_wait_json(struct buffer *out, const struct time_wait_report *r, uint64_t now);
void time_wait_free(struct time_wait_report *r);

/* The table of host_table_run. */
host_table_print time_wait_print;

#endif
