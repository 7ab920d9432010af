/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the kernel's tables to the reporter: maps them, reads the ring's notices, judges what is due where it lies,
 * and joins what this host's sockets know.
 *
 * User space polls every 20 ms; events never wake it.
 */
#ifndef TCPFIN_COLLECTOR_H
#define TCPFIN_COLLECTOR_H

#include <limits.h>

#include "user/attach/interfaces.h"
#include "user/judge/due.h"
#include "user/live/attempts.h"
#include "user/live/stray_queue.h"
#include "user/live/wall_clock.h"
#include "user/record/counters.h"
#include "user/reporter.h"
#include "user/sockets/open_at_start.h"
#include "user/sockets/socket_events.h"

/* The maps of the tables: sets, slots, blocks, numbers, three rings of free places, traffic, packets. */
#define COLLECTOR_MAPS 9

struct ring_buffer;
struct seen_packets;
struct tcpfin_trace_bpf;

struct collector {
	const struct options *options;
	struct reporter *reporter;
	const struct interfaces *interfaces; /* their names */
	struct tcpfin_trace_bpf *skeleton;   /* owned by the caller */
	struct ring_buffer *ring;
	struct flow_tables tables;     /* mapped */
	size_t mapped[COLLECTOR_MAPS]; /* bytes of each */
	struct traffic *traffic;       /* mapped, by slot; NULL without --all-segments */
	struct seen_packets *packets;  /* -w; else NULL */
	struct due due;
	struct related *related;
	uint32_t *noted;                    /* by slot: the generation that related has, and 1 */
	uint64_t counters[COUNTERS];        /* what user space counts */
	struct socket_events *sockets;      /* NULL: nothing is known of them */
	struct open_at_start open_at_start; /* connections older than the watch */
	struct attempts attempts;           /* of this network namespace; empty with --no-sockets or --netns */
	struct wall_clock clock;
	int64_t first_offset;              /* of it, at the start */
	char host[HOST_NAME_MAX + 1];      /* this host's name */
	uint64_t now;                      /* ns, of this poll */
	uint64_t next_scan, next_age;      /* ns: when the next part of the slots is looked at */
	uint32_t notices_lost;             /* the last reading */
	uint64_t search_until;             /* ns: see search_lost */
	uint32_t scanned, aged;            /* slots: where those parts begin */
	uint64_t round_began, noted_until; /* ns: when the round of scans began, and the last one that is over */
	struct stray_queue strays;         /* empty without --strays and with one interface */
	uint64_t strays_since;             /* ns: the time up to which the stray FINs' budget is used up */
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
