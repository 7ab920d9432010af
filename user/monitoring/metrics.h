/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metrics: records are counted as they are reported, and the counts are printed as text. What the records say, the
 * metrics say: only final records count, and each connection once. Labels are closed sets, but for reasons and groups,
 * which are bounded; so the number of series is. It reads neither clock nor file.
 */
#ifndef TCPFIN_METRICS_H
#define TCPFIN_METRICS_H

#include "user/monitoring/duration_histogram.h"
#include "user/monitoring/shown_groups.h"
#include "user/record/counters.h"
#include "user/record/record.h"

/* What there is to say of an outcome: a pattern, a phase of the reset, or the step that is missing. */
enum {
	DETAIL_NONE,
	DETAIL_PATTERN,
	DETAIL_PHASE = DETAIL_PATTERN + PATTERN_SIMULTANEOUS,
	DETAIL_MISSING = DETAIL_PHASE + PHASE_CLOSED,
	DETAILS = DETAIL_MISSING + MISSING_DESTINATION_FIN
};

#define METRICS_ROLES (NETWORK + 1)
#define METRICS_REASONS 64 /* different ones; all later ones are "other" */
#define METRICS_PROGRAMS 4
#define METRICS_STEPS 4
#define METRICS_GROUPS 4

#define METRICS_PORT_PAIRS 10
#define METRICS_PORT_TEXT 64

/* Local ports, of the pairs of hosts that hold the most. */
struct metrics_ports {
	uint64_t next; /* as metrics_now.time: when they are looked at again */
	bool known;
	uint64_t time_wait; /* sockets of this host in TIME-WAIT */
	unsigned usable;    /* ports that connect() may choose, towards one destination */
	struct {
		char source[METRICS_PORT_TEXT], destination[METRICS_PORT_TEXT]; /* "192.0.2.1", "192.0.2.2:443" */
		unsigned used;
	} pairs[METRICS_PORT_PAIRS];
	unsigned count;
};

/* What a BPF program took, by the kernel's statistics: 0 while they are off. */
struct metrics_program {
	char name[16];
	uint64_t runs, ns;
};

/* What is not counted from records: as it is now. */
struct metrics_now {
	uint64_t time;  /* ns of a clock that does not go back */
	uint64_t start; /* wall clock, ns since 1970: when the program began */
	uint64_t cpu;   /* ns that the process has computed */
	uint64_t counters[COUNTERS];
	struct {
		uint64_t entries, capacity;
	} established, closing; /* capacity 0: there are no such tables */
	struct metrics_program programs[METRICS_PROGRAMS];
	unsigned program_count;
	bool watches_closes;                         /* stuck is known */
	uint64_t stuck[TCP_STATES][DESTINATION + 1]; /* closes that stand still: see metrics_add_waiting */
	struct metrics_ports ports;
};

struct metrics {
	uint64_t connections[OUTCOMES][DETAILS][METRICS_ROLES]; /* by outcome, detail, closer */
	uint64_t resets[METRICS_ROLES][PHASE_CLOSED + 1][RESET_OUT_OF_WINDOW + 1][YES + 1];
	struct {
		char name[64];
		uint64_t resets;
	} reasons[METRICS_REASONS];
	unsigned reason_count;
	uint64_t reasons_other;
	uint64_t retransmits_syn, retransmits_syn_ack, retransmits_fin[2]; /* by role */
	struct duration_histogram steps[METRICS_STEPS], handshake, lifetime;
	struct shown_groups groups[METRICS_GROUPS];
	struct metrics_now now;
};

/* now: as in metrics_now.time. NULL where memory is short. */
struct metrics *metrics_new(uint64_t now);
void metrics_free(struct metrics *m);
/* Counts a connection in its final record. */
void metrics_add(struct metrics *m, const struct record *r);
/*
 * Counts a close that goes on, by its record so far, if it has stood still: by the end whose turn it is, and the state
 * that this end is in.
 */
void metrics_add_waiting(struct metrics_now *now, const struct record *r, bool stuck);
/* Appends all metrics, with m->now as it is. */
void metrics_print(struct buffer *out, struct metrics *m, enum exposition_format format);

/* The four steps of a close that have a histogram, in the order of m->steps. */
extern const enum timing metrics_steps[METRICS_STEPS];
/* The detail that the record has under its outcome. */
unsigned metrics_detail(const struct record *r);

#endif
