/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --stuck and --time-wait: tables of this host's sockets, printed again and again; and what both tables print alike.
 */
#ifndef TCPFIN_HOST_TABLE_H
#define TCPFIN_HOST_TABLE_H

#include "user/base/buffer.h"
#include "user/cli/options.h"
#include "user/sockets/net_namespaces.h"

/*
 * Asks the kernel and appends the table to out, in the format asked for. now: wall clock, ns since 1970. sockets: set
 * to how many were looked at. counts: set to what --check may ask for. 0 or a negative errno.
 */
typedef int host_table_print(struct buffer *out, const struct options *options, uint64_t now, size_t *sockets,
			     struct check_counts *counts);

/*
 * Prints the table every few seconds until a signal, options->count tables, or options->duration. Returns an exit code,
 * EXIT_FOUND where a check held of a table; errors have been logged.
 */
int host_table_run(const struct options *options, host_table_print *table);

/* The column of network namespaces, which a table has where there are several: its heading. names: is it there? */
void host_table_namespace_head(struct buffer *out, bool names);
/* The namespace's name in that column. Returns where the other columns begin in out. */
size_t host_table_namespace(struct buffer *out, const struct net_namespace *namespace, bool names);
/* The local time of day. */
void host_table_time(struct buffer *out, uint64_t now);
/* How many of a table's lines are shown: a screenful, unless all are asked for. */
size_t host_table_shown(size_t count, bool all);
/* A line about those that are not shown, if any. */
void host_table_more(struct buffer *out, size_t count, size_t shown);
/* The beginning of a JSON object: its time, dataset and network. type: "ipv4" or "ipv6". */
void host_table_json_head(struct buffer *out, const char *dataset, const char *type, uint64_t now);

#endif
