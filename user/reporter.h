/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of a connection to standard output: flow -> verdict -> filter -> summary -> format -> sink. Both live/ and
 * capture/ hand their flows to it.
 */
#ifndef TCPFIN_REPORTER_H
#define TCPFIN_REPORTER_H

#include "user/cli/options.h"
#include "user/flight/flight.h"
#include "user/format/format.h"
#include "user/format/summary.h"
#include "user/ipfix/ipfix.h"
#include "user/judge/related.h"
#include "user/judge/verdict.h"
#include "user/kafka/kafka.h"
#include "user/monitoring/monitoring.h"
#include "user/record/anonymizer.h"
#include "user/report/report.h"
#include "user/top/top.h"

struct reporter {
	const struct options *options; /* not owned */
	struct format_style style;
	struct buffer out;
	int day;         /* see format_text_day */
	bool several;    /* interfaces: text has a column for them */
	bool named;      /* a record that was read names a process: text has a column for it */
	bool headed;     /* the header was printed */
	char *interface; /* of the first record that was read; "" where it has none; owned */
	struct summary summary;
	struct top *top;               /* --top; else NULL */
	struct metrics_now *waits;     /* where reporter_waiting counts; NULL: in the table of --top */
	struct anonymizer *anonymizer; /* --anonymize; else NULL */
	struct report *report;         /* as monitoring, of --report */
	struct monitoring *monitoring; /* set by the caller; freed by reporter_free. NULL: nobody wants metrics */
	struct ipfix *ipfix;           /* the same, for its collector. NULL: there is none */
	struct flight *flight;         /* the same. NULL: not asked for */
	struct kafka *kafka;           /* set by the caller; freed by reporter_free. NULL: not asked for */
	int error;                     /* negative errno of the first write that failed; nothing is written after it */
};

/* options must outlive the reporter. The first output is the header of the format. */
void reporter_init(struct reporter *r, const struct options *options);
void reporter_free(struct reporter *r);
/* --anonymize: reads or makes the key; call before rights are dropped. An exit code; errors have been logged. */
int reporter_read_key(struct reporter *r);
/* Reports a flow that has ended, unless options leave it out. log: f->log_len segments. */
void reporter_flow(struct reporter *r, const struct flow_key *key, const struct flow *f, const struct flow_segment *log,
		   const struct verdict_context *context);
/*
 * Reports a record that was read back from JSON. counts: its connection is one more; else another record of it counts.
 * related: connections that were read lately.
 */
void reporter_record(struct reporter *r, const struct record *record, bool counts, struct related *related);
/* Reports a stray that was read back from JSON, as reporter_stray. */
void reporter_stray_record(struct reporter *r, const struct record *record);
/* Counts a record that was reported without counting. */
void reporter_count(struct reporter *r, const struct record *record);
/* A capture turns out to have several interfaces: text names them from here on, below a new header. */
void reporter_several_interfaces(struct reporter *r);
/*
 * --strays: an RST or FIN of no connection, as reporter_flow. It is printed and counts as no connection. The context's
 * sockets are those of its ends; its sender is found in the log.
 */
void reporter_stray(struct reporter *r, const struct flow_key *key, const struct flow *f,
		    const struct flow_segment *log, const struct verdict_context *context);
/* --top in a terminal: call before rights are dropped. */
void reporter_open_screen(struct reporter *r);
/*
 * --top: time has come to `now` (ns, monotonic or a capture's). Returns when the table to be made ends, 0 for none yet;
 * the caller then hands over every close that goes on, and asks for the table.
 */
uint64_t reporter_table_due(struct reporter *r, uint64_t now, int64_t wall_offset);
/* A close that goes on, as reporter_flow; it is counted in the table or in `waits` alone. stuck: it stands still. */
void reporter_waiting(struct reporter *r, const struct flow_key *key, const struct flow *f,
		      const struct flow_segment *log, const struct verdict_context *context, bool stuck);
void reporter_table(struct reporter *r, uint64_t end);
/* Nothing more comes: prints what is printed last. */
void reporter_finish(struct reporter *r);
/* Writes what has been formatted to standard output. */
void reporter_flush(struct reporter *r);
/* Sets the counters of records that were reported and did not reach who they are exported to. */
void reporter_count_lost(const struct reporter *r, uint64_t counters[COUNTERS]);
/* Are no more records wanted? -c is reached, or standard output cannot be written. */
bool reporter_full(const struct reporter *r);
/* EXIT_FINE, or EXIT_RUNTIME where writing failed, which is logged then. A reader that has gone is no failure. */
int reporter_exit_code(const struct reporter *r);

#endif
