/* SPDX-License-Identifier: GPL-2.0 */
/*
 * --stuck and --time-wait: what this host's sockets say, again and again.
 */
#ifndef TCPFIN_HOST_WATCH_H
#define TCPFIN_HOST_WATCH_H

#include "options.h"

/*
 * Prints a table every few seconds until a signal, -c tables or --duration. Returns an exit code; errors have been
 * said.
 */
int host_watch_run(const struct options *options);

/* What both modes print alike. now: wall clock, ns since 1970. */
void host_watch_time(struct buffer *out, uint64_t now);
/* The beginning of a JSON object: time and kind. */
void host_watch_json_head(struct buffer *out, const char *dataset, uint64_t now);

#endif
