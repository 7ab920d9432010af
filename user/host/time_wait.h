/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --time-wait: this host's sockets in TIME-WAIT by host pair, when they end, and how many local ports they
 * leave.
 */
#ifndef TCPFIN_TIME_WAIT_H
#define TCPFIN_TIME_WAIT_H

#include "user/host/host_table.h"
#include "user/sockets/socket_snapshot.h"

#define TIME_WAIT_SECONDS 60      /* the kernel's TCP_TIMEWAIT_LEN, which no setting changes */
#define TIME_WAIT_RATE_SECONDS 10 /* of the mean rate: sockets that entered TIME-WAIT in so many seconds */

/* Sockets of one host pair. */
struct time_wait_group {
	const struct host_pair *pair;
	const struct socket_snapshot *of; /* the namespace's */
	size_t count;                     /* in TIME-WAIT */
	uint32_t first_ends, last_ends;   /* ms from now */
	size_t recent;                    /* of those, that entered it in the last TIME_WAIT_RATE_SECONDS */
	size_t newest;                    /* of those, that entered it in the last second */
	/* Usable local ports that the pair's sockets have in any state; of use if this host is the source. */
	unsigned ports_in_use;
	unsigned ports_waiting; /* of those, in TIME-WAIT */
	int runs_out;           /* seconds until no usable port is left; -1: never at this rate */
};

struct time_wait_report {
	struct socket_snapshot snapshot;
	struct time_wait_group *groups; /* with TIME-WAIT, the largest first; owned */
	size_t count;
	size_t sockets; /* in TIME-WAIT, all groups together */
	/* Usable local ports of the pair that has the largest share of its namespace's, with TIME-WAIT or without. */
	struct check_number most_ports;
};

/* Asks for the sockets, and groups them, as socket_snapshot_take. 0 or a negative errno; to be freed either way. */
int time_wait_take(struct time_wait_report *r, const struct filter *filter, const char *netns);
/* Fills in the groups from the snapshots. 0 or -ENOMEM. */
int time_wait_group(struct time_wait_report *r);
/* Append the report. now: wall clock, ns since 1970. */
void time_wait_text(struct buffer *out, const struct time_wait_report *r, uint64_t now, const struct host_style *style);
void time_wait_json(struct buffer *out, const struct time_wait_report *r, uint64_t now);
void time_wait_free(struct time_wait_report *r);

/* Asks for this host's sockets and prints those in TIME-WAIT: the table of host_table_run. */
host_table_print time_wait_print;

#endif
