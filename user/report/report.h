/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --report: all connections that were reported as one page of HTML, written when the run ends. Memory is bounded,
 * whatever their number. Without the option all functions do nothing; a pointer to struct report may then be NULL.
 */
#ifndef TCPFIN_REPORT_H
#define TCPFIN_REPORT_H

#include "user/cli/options.h"
#include "user/record/counters.h"

struct report;

/*
 * Shows that the file can be written; call before helper_start. *report is NULL without --report; to be freed by
 * report_free. options must outlive it. An exit code; errors have been logged.
 */
int report_start(struct report **report, const struct options *options);
void report_free(struct report *report);
/* Counts a connection in its final record. */
void report_add(struct report *report, const struct record *r);
/* Nothing more comes: writes the page. An exit code; errors have been logged. */
int report_write(struct report *report, const uint64_t counters[COUNTERS]);

#endif
