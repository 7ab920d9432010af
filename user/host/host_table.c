// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Asks, prints, waits. Nothing is kept between two tables.
 */
#include <errno.h>
#include <langinfo.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/base/sink.h"
#include "user/base/stop.h"
#include "user/base/terminal_width.h"
#include "user/format/format_parts.h"
#include "user/helper/output.h"
#include "user/host/host_table.h"

#define INTERVAL_NS (5 * SECOND_NS)
#define NAP_NS (100 * MS_NS)
#define LINES 20 /* of a table, unless all are asked for */

static const struct grid_column namespace_column = {"NAMESPACE", 15, 6, 0};

struct host_style host_table_style(const struct options *options)
{
	return (struct host_style){
		.width = terminal_width(),
		.unicode = !strcmp(nl_langinfo(CODESET), "UTF-8"),
		.all = options->verbose,
	};
}

void host_table_begin(struct grid *g, struct grid_column room[GRID_COLUMNS], const struct grid_column *columns,
		      unsigned count, bool namespaces)
{
	room[0] = namespace_column;
	memcpy(&room[namespaces], columns, count * sizeof(*columns));
	grid_begin(g, room, count + namespaces);
}

void host_table_namespace(struct grid *g, const struct net_namespace *namespace)
{
	if (strcmp(g->columns[0].title, namespace_column.title) != 0)
		return;
	buffer_printable(&g->text, namespace->name);
	grid_next(g);
}

/* A line about those that are not shown, if any. */
static void put_more(struct buffer *out, size_t count, size_t shown)
{
	if (count > shown)
		buffer_printf(out, "... and %zu more; -v shows all\n", count - shown);
}

void host_table_print_grid(struct grid *g, struct buffer *out, const struct host_style *style, size_t count)
{
	grid_print(g, out, style->width, style->unicode);
	put_more(out, count, host_table_shown(count, style->all));
}

void host_table_time(struct buffer *out, uint64_t now)
{
	time_t second = (time_t)(now / SECOND_NS);
	struct tm tm;

	localtime_r(&second, &tm);
	format_clock(out, &tm);
}

size_t host_table_shown(size_t count, bool all)
{
	return all || count < LINES ? count : LINES;
}

void host_table_json_head(struct buffer *out, const char *dataset, const char *type, uint64_t now)
{
	buffer_text(out, "{\"@timestamp\":\"");
	format_time(out, now);
	buffer_printf(out, "\",\"event\":{\"dataset\":\"%s\"},\"network\":{\"transport\":\"tcp\",\"type\":\"%s\"}",
		      dataset, type);
}

/* What SIGUSR1 prints. */
struct progress {
	unsigned long long tables;
	size_t sockets; /* in the last table */
	bool found;     /* a check held of one of them */
};

static bool print_stats(void *context)
{
	const struct progress *p = context;
	struct buffer line = {0};

	buffer_printf(&line, "stats: tables %llu; sockets %zu in the last\n", p->tables, p->sockets);
	log_lines(&line);
	buffer_free(&line);
	return true;
}

/* Logs why the sockets could not be read. err: a negative errno. Returns an exit code. */
static int explain(const struct options *options, int err)
{
	if (options->netns && err == -ENOENT) {
		log_error("--netns %s: neither " NET_NAMESPACES_NAMED " nor the processes have that network namespace",
			  options->netns);
		return EXIT_USAGE;
	}
	if (options->netns && err == -EPERM) {
		log_error("--netns %s: entering a network namespace takes CAP_SYS_ADMIN; run it with sudo",
			  options->netns);
		return EXIT_PERMISSION;
	}
	log_error("cannot read the kernel's TCP sockets: %s", strerror(-err));
	return EXIT_RUNTIME;
}

/* Returns an exit code. A reader that has gone ends the program without an error. */
static int print_table(const struct options *options, host_table_print *table, struct buffer *out, struct progress *p)
{
	struct check_counts counts = {0};
	int err = table(out, options, clock_ns(CLOCK_REALTIME), &p->sockets, &counts);

	if (err)
		return explain(options, err);
	p->tables++;
	p->found |= checks_found(&options->checks, &counts);
	if (output_due(OUTPUT_RECORDS, 0))
		output_turn(OUTPUT_RECORDS);
	err = sink_write(STDOUT_FILENO, out);
	if (err && err != -EPIPE)
		log_error("cannot write to standard output: %s", strerror(-err));
	if (err)
		stop_ask();
	return err && err != -EPIPE ? EXIT_RUNTIME : EXIT_FINE;
}

/* Waits until the monotonic clock says due, or a signal asks to stop. */
static void wait_until(uint64_t due)
{
	const struct timespec nap = {.tv_nsec = NAP_NS};

	while (stop_go_on() && clock_ns(CLOCK_MONOTONIC) < due)
		nanosleep(&nap, NULL);
}

int host_table_run(const struct options *options, host_table_print *table)
{
	uint64_t due = clock_ns(CLOCK_MONOTONIC), end = options->duration ? due + options->duration : UINT64_MAX;
	struct progress progress = {0};
	struct buffer out = {0};
	int code;

	stop_catch_signals(NULL);
	stats_on_signal(print_stats, &progress);
	for (uint64_t n = 1;; n++) {
		code = print_table(options, table, &out, &progress);
		due += INTERVAL_NS;
		if (code || n == options->count)
			break;
		wait_until(due < end ? due : end);
		if (stop_asked() || due >= end)
			break;
		if (options->format == FORMAT_TEXT)
			buffer_char(&out, '\n');
	}
	stats_on_signal(NULL, NULL);
	buffer_free(&out);
	return code == EXIT_FINE && progress.found ? EXIT_FOUND : code;
}
