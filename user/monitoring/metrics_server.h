/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metrics by HTTP (--metrics): GET and HEAD of /metrics. It has no thread: it answers when it is polled. Each scrape
 * has a connection of its own; there are at most METRICS_CONNECTIONS at a time, and none lasts longer than
 * METRICS_CONNECTION_NS, so that neither a slow scraper nor many of them can hold it up.
 */
#ifndef TCPFIN_METRICS_SERVER_H
#define TCPFIN_METRICS_SERVER_H

#include "user/base/clock.h"
#include "user/cli/options.h"
#include "user/monitoring/exposition.h"

#define METRICS_CONNECTIONS 8
#define METRICS_CONNECTION_NS (15 * SECOND_NS)

struct metrics_server;

/*
 * Listens; call before rights are given up. print(context, out, format) appends the metrics as they are. *s: to be
 * closed by metrics_server_close. An exit code; errors have been logged.
 */
int metrics_server_open(struct metrics_server **s, const struct option_listen *where,
			void (*print)(void *context, struct buffer *out, enum exposition_format format), void *context);
/* To be called again and again: accepts, reads and answers what there is, and never waits. */
void metrics_server_poll(struct metrics_server *s);
void metrics_server_close(struct metrics_server *s);

#endif
