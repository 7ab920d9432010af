/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --stuck and --time-wait: what this host's sockets say, again and again.
 */
#ifndef TCPFIN_HOST_TABLE_H
#define TCPFIN_HOST_TABLE_H

#include "user/cli/options.h"

/*
 * Asks this host and prints what it says, in the format asked for. now: wall clock, ns since 1970. sockets: set to how
 * many were looked at. 0 or a negative errno.
 */
typedef int host_table_print(struct buffer *out, const struct options *options, uint64_t now, size_t *sockets);

/* Prints the table every few seconds until a signal, -c tables or --duration. Returns an exit code; errors have been said. */
int host_table_run(const struct options *options, host_table_print *table);

/* What both tables print alike. */
void host_table_time(struct buffer *out, uint64_t now);
/* The beginning of a JSON object: time and kind. */
void host_table_json_head(struct buffer *out, const char *dataset, uint64_t now);

#endif
