/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --stuck and --time-wait: tables of this host's sockets, printed again and again; and what both tables print alike.
 */
#ifndef TCPFIN_HOST_TABLE_H
#define TCPFIN_HOST_TABLE_H

#include "user/base/buffer.h"
#include "user/cli/options.h"
#include "user/host/host_grid.h"
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

/* How a table is shown: in lines of that width (0: without end), and whole. */
struct host_style {
	unsigned width;
	bool unicode; /* the locale's character set is UTF-8 */
	bool all;
};

struct host_style host_table_style(const struct options *options);

/* The columns of a table: `columns`, behind that of network namespaces where there are several. */
void host_table_begin(struct grid *g, struct grid_column room[GRID_COLUMNS], const struct grid_column *columns,
		      unsigned count, bool namespaces);
/* The namespace's name, where the table has that column. */
void host_table_namespace(struct grid *g, const struct net_namespace *namespace);
/* Appends the table, and a line on those of its `count` rows that are not shown. */
void host_table_print_grid(struct grid *g, struct buffer *out, const struct host_style *style, size_t count);
#define HOST_TABLE_INDENT 10 /* of what is said behind the time of day */
/* The local time of day. */
void host_table_time(struct buffer *out, uint64_t now);
/* How many of a table's lines are shown: a screenful, unless all are asked for. */
size_t host_table_shown(size_t count, bool all);
/* The beginning of a JSON object: its time, dataset and network. type: "ipv4" or "ipv6". */
void host_table_json_head(struct buffer *out, const char *dataset, const char *type, uint64_t now);

#endif
