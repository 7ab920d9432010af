/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metrics for whoever asks: by HTTP (--metrics), and in a file that is replaced at intervals (--metrics-file). Without
 * these options all functions do nothing; a pointer to struct monitoring may then be NULL.
 */
#ifndef TCPFIN_MONITORING_H
#define TCPFIN_MONITORING_H

#include "user/cli/options.h"
#include "user/monitoring/metrics.h"

struct monitoring;

/*
 * Listens, and writes the first file, which shows that it can be written; call before rights are given up. *m is NULL
 * where no option asks for metrics; to be freed by monitoring_free. options must outlive it. An exit code; errors have
 * been logged.
 */
int monitoring_start(struct monitoring **m, const struct options *options);
void monitoring_free(struct monitoring *m);
/* Counts a connection in its final record. */
void monitoring_add(struct monitoring *m, const struct record *r);
/*
 * observe(context, now) fills in what a live watch knows: counters, tables, programs. It is called before metrics are
 * printed; NULL: nothing more is known.
 */
void monitoring_observe_by(struct monitoring *m, void (*observe)(void *context, struct metrics_now *now),
			   void *context);
/* To be called again and again: does what is due. */
void monitoring_poll(struct monitoring *m);
/* Nothing more comes: the last file. */
void monitoring_end(struct monitoring *m, const uint64_t counters[COUNTERS]);

#endif
