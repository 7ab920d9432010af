// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * JSON lines -> records -> reporter. Each record is reported as it comes, as in the run that wrote it; which of a
 * connection's records counts is known by event.id (final_records.c). The clock is that of the last steps.
 */
#include "user/capture/record_replay.h"

#include <stdlib.h>

#include "user/base/log.h"
#include "user/base/stop.h"
#include "user/capture/final_records.h"
#include "user/capture/progress.h"
#include "user/judge/related.h"
#include "user/readback/record_file.h"

struct record_source {
	struct record_file *file;
	const struct record *next; /* NULL: not read yet, or the file is at its end */
	bool ended;
};

struct record_replay {
	struct reporter *reporter;
	const struct options *options;
	struct capture_files *files;
	struct record_source *sources;
	unsigned count;
	struct final_records *finals;
	struct related *related;  /* those that were read lately */
	uint64_t first, now;      /* ns since 1970: last step of the first record, and the latest one so far */
	uint64_t records, strays; /* that were taken, and that were not */
};

/* ---- files ---- */

static void close_sources(struct record_replay *replay)
{
	for (unsigned i = 0; i < replay->count; i++)
		record_file_close(replay->sources[i].file);
	free(replay->sources);
	final_records_free(replay->finals);
	related_free(replay->related);
}

static int open_sources(struct record_replay *replay)
{
	unsigned count = capture_files_count(replay->files);
	char error[512] = "out of memory";
	int err = 0;

	replay->sources = calloc(count, sizeof(*replay->sources));
	replay->finals = final_records_new();
	replay->related = related_new();
	if (!replay->sources || !replay->finals || !replay->related)
		err = -1;
	for (; !err && replay->count < count; replay->count += !err)
		err = pcap_file_records(capture_files_get(replay->files, replay->count),
					&replay->sources[replay->count].file, error, sizeof(error));
	if (!err)
		return EXIT_FINE;
	log_error("%s", error);
	return EXIT_RUNTIME;
}

/* Makes the source hold its next record, or its end. Returns an exit code. */
static int prepare(struct record_source *s)
{
	char error[512];
	int got;

	if (s->next || s->ended)
		return EXIT_FINE;
	got = record_file_next(s->file, &s->next, error, sizeof(error));
	if (got > 0)
		return EXIT_FINE;
	s->next = NULL;
	s->ended = true;
	if (!got || stop_asked())
		return EXIT_FINE;
	log_error("%s", error);
	return EXIT_RUNTIME;
}

/* The source whose next record is the earliest one; NULL: all are at their end. *code: of the first error, if any. */
static struct record_source *earliest(struct record_replay *replay, int *code)
{
	struct record_source *best = NULL;

	for (struct record_source *s = replay->sources; s < replay->sources + replay->count; s++) {
		int prepared = prepare(s);

		*code = *code ? *code : prepared;
		if (s->next && (!best || s->next->finish < best->next->finish))
			best = s;
	}
	return best;
}

/* ---- records ---- */

/* --top: makes the tables that end before the record. The first one begins with the first record's connection. */
static void make_tables(struct record_replay *replay, const struct record *r)
{
	uint64_t end;

	if (!replay->records)
		reporter_table_due(replay->reporter, r->start, 0);

	while ((end = reporter_table_due(replay->reporter, replay->now, 0)) && !reporter_full(replay->reporter))
		reporter_table(replay->reporter, end);
}

/* Has the time come that -d is for? */
static bool is_over(struct record_replay *replay, const struct record *r)
{
	uint64_t duration = replay->options->duration;

	replay->first = replay->first ? replay->first : r->finish;
	if (r->finish > replay->now)
		replay->now = r->finish;
	return duration && replay->now - replay->first > duration;
}

/* Strays are no news of a connection. --strays asks for them. */
static void take_stray(struct record_replay *replay, const struct record *r)
{
	if (replay->options->strays)
		reporter_stray_record(replay->reporter, r);
	else
		replay->strays++;
}

static void take(struct record_replay *replay, const struct record *r)
{
	if (r->stray) {
		take_stray(replay, r);
		return;
	}
	make_tables(replay, r);
	reporter_record(replay->reporter, r, final_records_take(replay->finals, r), replay->related);
	replay->records++;
}

/* Returns the exit code of the first file that could not be read to its end; the others are read all the same. */
static int read_records(struct record_replay *replay)
{
	struct record_source *s;
	struct progress progress;
	int code = EXIT_FINE;

	progress_begin(&progress, replay->options->quiet);
	while (!reporter_full(replay->reporter) && stop_go_on()) {
		s = earliest(replay, &code);
		if (!s || is_over(replay, s->next))
			break;
		take(replay, s->next);
		s->next = NULL;
		progress_show(&progress, replay->files);
	}
	progress_end(&progress);
	return code;
}

/* ---- the end ---- */

static void count(void *context, const struct record *r)
{
	reporter_count(context, r);
}

/* Says what was not used of the files. */
static void note_unused(const struct record_replay *replay)
{
	uint64_t again = final_records_again(replay->finals), others = 0;
	const char *first;

	for (unsigned i = 0; i < replay->count; i++) {
		uint64_t unknown = record_file_unknown(replay->sources[i].file, &first);

		others += record_file_others(replay->sources[i].file);
		if (unknown)
			log_note("%s: values that this version does not know, passed over: %llu, the first one is %s",
				 replay->options->files.paths[i], (unsigned long long)unknown, first);
	}
	if (replay->strays)
		log_note("strays, which are shown with --strays, passed over: %llu",
			 (unsigned long long)replay->strays);
	if (others)
		log_note("lines of other datasets, passed over: %llu", (unsigned long long)others);
	if (again)
		log_note("records of a connection that had its last one, not counted again: %llu",
			 (unsigned long long)again);
}

/* Answers SIGUSR1. */
static bool print_stats(void *context)
{
	const struct record_replay *replay = context;

	log_note("stats: records read %llu", (unsigned long long)replay->records);
	return true;
}

static void before_wait(void *context)
{
	reporter_flush(context);
}

int record_replay(struct reporter *reporter, const struct options *options, struct capture_files *files)
{
	struct record_replay replay = {.reporter = reporter, .options = options, .files = files};
	int code = open_sources(&replay);

	stats_on_signal(print_stats, &replay);
	capture_files_on_wait(files, before_wait, reporter);
	if (code == EXIT_FINE) {
		code = read_records(&replay);
		final_records_each_waiting(replay.finals, count, reporter);
		reporter_flush(reporter);
		note_unused(&replay);
	}
	stats_on_signal(NULL, NULL);
	close_sources(&replay);
	return code;
}
