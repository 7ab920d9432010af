// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads all records, then tells the clocks from all connections, and then judges each connection. All rights are given
 * up once the files are open.
 */
#include "user/join/join.h"

#include <errno.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/log.h"
#include "user/base/privileges.h"
#include "user/base/sink.h"
#include "user/base/stop.h"
#include "user/base/terminal_width.h"
#include "user/format/cells.h"
#include "user/join/format_joined.h"
#include "user/readback/record_file.h"

#define WRAPPED_INDENT 4 /* of what a line goes on with */

struct join {
	const struct options *options;
	struct views views;
	struct clocks clocks;
	struct buffer out;
	bool unicode;
	unsigned width; /* of a line; 0: it has no end */
	int error;      /* of writing */
	uint64_t others, strays, connections, alone;
};

/* ---- reading ---- */

/* Returns an exit code. */
static int read_file(struct join *join, struct record_file *file, const char *name)
{
	const struct record *record;
	char error[512];
	int got;

	while ((got = record_file_next(file, &record, error, sizeof(error))) > 0) {
		if (record->stray)
			join->strays++;
		else
			views_add(&join->views, record, name);
	}
	join->others += record_file_others(file);
	if (!got || stop_asked())
		return EXIT_FINE;
	log_error("%s", error);
	return EXIT_RUNTIME;
}

/* Reads every file to its end, or to its broken line. Returns the exit code of the first one that could not be read. */
static int read_files(struct join *join, struct record_file **files)
{
	const struct option_files *names = &join->options->files;
	int code = EXIT_FINE;

	for (unsigned i = 0; i < names->count; i++) {
		int read = read_file(join, files[i], names->paths[i]);

		code = code ? code : read;
	}
	return code;
}

static void close_files(struct record_file **files, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		record_file_close(files[i]);
	free(files);
}

/* NULL once an error was logged. */
static struct record_file **open_files(const struct option_files *names)
{
	struct record_file **files = calloc(names->count, sizeof(struct record_file *));
	char error[512];

	for (unsigned i = 0; files && i < names->count; i++)
		if (record_file_open(&files[i], names->paths[i], error, sizeof(error))) {
			log_error("%s", error);
			close_files(files, i);
			return NULL;
		}
	if (!files)
		log_error("out of memory");
	return files;
}

/* ---- joining ---- */

static void for_each_connection(struct join *join, void (*take)(struct join *join, struct way *way))
{
	static struct way way;

	for (size_t first = 0, count; first < join->views.count && !join->error; first += count) {
		count = views_of_one(&join->views, first);
		way_begin(&way, &join->views.list[first], count);
		take(join, &way);
	}
}

static void sample(struct join *join, struct way *way)
{
	way_sample(way, &join->clocks);
}

static bool is_full(const struct join *join)
{
	return join->options->count && join->connections >= join->options->count;
}

/* Does one of the views pass the filters? */
static bool passes(const struct join *join, const struct way *way)
{
	for (unsigned v = 0; v < way->count + way->made; v++)
		if (record_filter_passes(&join->options->record_filter, &join->options->filter,
					 &way->views[v].view->record))
			return true;
	return false;
}

static void put_text(struct join *join, const struct joined *joined)
{
	size_t start = join->out.len;

	format_joined_text(&join->out, joined, &join->views, join->unicode);
	cell_wrap(&join->out, start, join->width, WRAPPED_INDENT);
}

/* Was one of the clocks set while others of the connections were seen? */
static bool clock_was_set(const struct way *way, const struct clocks *clocks)
{
	for (unsigned a = 0; a < way->count; a++)
		for (unsigned b = a + 1; b < way->count; b++) {
			const struct view *view = way->views[a].view;

			if (clocks_offset(clocks, view->vantage, way->views[b].view->vantage, view->record.start).set)
				return true;
		}
	return false;
}

static void report(struct join *join, struct way *way)
{
	static struct path path;
	struct joined joined;
	struct clocks own = {0};
	const struct clocks *clocks = &join->clocks;

	if (is_full(join) || !passes(join, way))
		return;
	if (clock_was_set(way, clocks)) { /* then no other connection says what they show in this one */
		way_sample(way, &own);
		clocks_sort(&own);
		clocks = &own;
	}
	way_order(way, clocks);
	path_find(&path, way, &join->views, clocks);
	joined_make(&joined, way, &path, clocks);
	join->connections++;
	join->alone += way->count == 1;
	if (join->options->format == FORMAT_JSON)
		format_joined_json(&join->out, &joined, &join->views);
	else
		put_text(join, &joined);
	if (join->out.len > SINK_BLOCK)
		join->error = sink_write_blocks(STDOUT_FILENO, &join->out);
	clocks_free(&own);
}

static void join_views(struct join *join)
{
	views_group(&join->views);
	for_each_connection(join, sample);
	clocks_sort(&join->clocks);
	for_each_connection(join, report);
	if (join->out.len && !join->error)
		join->error = sink_write(STDOUT_FILENO, &join->out);
}

static void note(const struct join *join)
{
	log_note("connections: %llu, of %zu records; %llu seen in one place alone",
		 (unsigned long long)join->connections, join->views.count, (unsigned long long)join->alone);
	if (join->views.replaced)
		log_note("records left out, because a later one of the same view replaces them or they were given "
			 "twice: %llu",
			 (unsigned long long)join->views.replaced);
	if (join->strays)
		log_note("strays, which belong to no connection and are not joined: %llu",
			 (unsigned long long)join->strays);
	if (join->others)
		log_note("lines of other datasets, passed over: %llu", (unsigned long long)join->others);
}

static int write_failed(const struct join *join)
{
	if (!join->error || join->error == -EPIPE)
		return EXIT_FINE;
	log_error("cannot write records to standard output: %s", strerror(-join->error));
	return EXIT_RUNTIME;
}

int join_run(const struct options *options)
{
	struct join join = {
		.options = options, .unicode = !strcmp(nl_langinfo(CODESET), "UTF-8"), .width = terminal_width()};
	struct record_file **files;
	int code, read;

	stop_catch_signals(NULL);
	files = open_files(&options->files);
	if (!files)
		return EXIT_RUNTIME;
	code = privileges_drop_all();
	if (code == EXIT_FINE) {
		read = read_files(&join, files);
		join_views(&join);
		note(&join);
		code = read ? read : write_failed(&join);
	}
	close_files(files, options->files.count);
	views_free(&join.views);
	clocks_free(&join.clocks);
	buffer_free(&join.out);
	return code;
}
