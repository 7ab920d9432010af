/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the kernel's tables to the reporter: reads the ring, collects what has ended and settled, asks the kernel for
 * what only time brings to an end, and joins what this host's sockets know.
 *
 * User space polls every 20 ms; events never wake it.
 */
#ifndef TCPFIN_COLLECTOR_H
#define TCPFIN_COLLECTOR_H

#include "user/attach/interfaces.h"
#include "user/live/settling_queue.h"
#include "user/record/counters.h"
#include "user/reporter.h"
#include "user/sockets/open_at_start.h"
#include "user/sockets/socket_events.h"

struct collect_slot;
struct ring_buffer;
struct tcpfin_trace_bpf;

struct collector {
	const struct options *options;
	struct reporter *reporter;
	const struct interfaces *interfaces; /* their names */
	struct tcpfin_trace_bpf *skeleton;   /* owned by the caller */
	struct ring_buffer *ring;
	struct collect_slot *slots; /* mapped */
	struct settling_queue settling;
	struct socket_events *sockets;                 /* NULL: nothing is known of them */
	struct open_at_start open_at_start;            /* connections older than the watch */
	int64_t wall_offset;                           /* ns to add to the kernel's time for the wall clock */
	uint64_t collected;                            /* closing flows */
	uint64_t ring_full;                            /* the counter's last reading */
	uint64_t search_until;                         /* ns: see make_good */
	uint64_t next_sweep, next_closing, next_round; /* ns: when each kind of sweep is due */
	unsigned turn;   /* of the sweeps of the unproven table, which goes through it in parts */
	int sweep_error; /* of the last sweep: a negative errno, or 0 */
	bool stopping;
};

/*
 * Maps the tables of the loaded skeleton. An exit code; errors have been said. To be freed by collector_free either
 * way.
 */
int collector_start(struct collector *c, struct tcpfin_trace_bpf *skeleton, uint64_t now);
/* Safe on one that was not started. */
void collector_free(struct collector *c);

/* Call after attaching, so that later connections are seen from their handshake. */
void collector_read_open_connections(struct collector *c);
/* Call after the sockets' programs are there, since it takes as long as the host has descriptors. */
void collector_find_holders(struct collector *c);

/* One poll: takes what the kernel has for us and reports what is due. now: CLOCK_MONOTONIC, ns. */
void collector_poll(struct collector *c, uint64_t now);
/*
 * The watch has ended and the interfaces are free: reports everything that is still there. An exit code; what is lost
 * has been said.
 */
int collector_drain(struct collector *c);

/* Sums over all CPUs. 0, or a negative errno, and then nothing is known of them. */
int collector_counters(const struct collector *c, uint64_t total[COUNTERS]);

#endif
