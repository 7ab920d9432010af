// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Wiring: reads the options, and starts what they ask for. Connections are watched live or read from a file, and go
 * through the reporter to the summary; --stuck, --time-wait, --probe and --cleanup are modes of their own.
 */
#include <locale.h>
#include <string.h>
#include <unistd.h>

#include "user/attach/cleanup.h"
#include "user/base/log.h"
#include "user/base/terminal_width.h"
#include "user/capture/replay.h"
#include "user/format/cells.h"
#include "user/helper/helper.h"
#include "user/helper/output.h"
#include "user/host/stuck.h"
#include "user/host/time_wait.h"
#include "user/join/join.h"
#include "user/live/live.h"
#include "user/live/probe.h"
#include "user/record/counters.h"
#include "user/reporter.h"

#define SUMMARY_INDENT 19 /* of what a line goes on with: behind the word and its number */

static void print_summary(const struct reporter *reporter, const uint64_t counters[COUNTERS])
{
	struct buffer b = {};

	summary_print(&b, &reporter->summary);
	summary_print_counters(&b, counters, counter_names, reporter->options->verbose);
	cell_wrap(&b, 0, terminal_width_of(STDERR_FILENO), SUMMARY_INDENT);
	log_lines(&b);
	buffer_free(&b);
}

/* A watch of other network namespaces starts the helper itself, when it has loaded what the helper attaches. */
static int start_helper(const struct options *options)
{
	bool later = options->netns && options->interfaces.count;
	int err = later ? 0 : helper_start();

	if (!err)
		return EXIT_FINE;
	log_error("cannot start the helper: %s", strerror(-err));
	return EXIT_RUNTIME;
}

/* Logs the checks that hold of all that was reported. Does one? */
static bool found(const struct options *options, const struct summary *s, const uint64_t counters[COUNTERS])
{
	struct check_counts counts = {.counts[CHECK_CONNECTIONS].number = s->records,
				      .counts[CHECK_LOST].number = counters_lost(counters)};

	for (unsigned outcome = 0; outcome < OUTCOMES; outcome++)
		counts.counts[CHECK_GRACEFUL + outcome] = (struct check_number){s->outcome[outcome], s->records};
	return checks_found(&options->checks, &counts);
}

/* A run that could not begin has no page. Returns an exit code: the first one that is not fine. */
static int finish_report(const struct reporter *reporter, int code, const uint64_t counters[COUNTERS])
{
	int written = code == EXIT_FINE || reporter->summary.records ? report_write(reporter->report, counters) : code;

	return code ? code : written;
}

/* Reports connections until their source ends. Returns an exit code. */
static int report_connections(const struct options *options)
{
	uint64_t counters[COUNTERS] = {};
	struct reporter reporter;
	int code;

	reporter_init(&reporter, options);
	code = reporter_read_key(&reporter);
	code = code ? code : kafka_start(&reporter.kafka, options); /* its process keeps no socket of those below */
	code = code ? code : monitoring_start(&reporter.monitoring, options);
	code = code ? code : ipfix_start(&reporter.ipfix, options);
	code = code ? code : report_start(&reporter.report, options);
	code = code ? code : flight_start(&reporter.flight, options, reporter.anonymizer);
	code = code ? code : start_helper(options);
	if (code != EXIT_FINE)
		;
	else if (options->files.count)
		code = replay_run(&reporter, options, counters);
	else
		code = live_run(&reporter, options, counters);
	reporter_finish(&reporter);
	flight_finish(reporter.flight);
	output_note_failures();
	kafka_end(reporter.kafka);
	ipfix_end(reporter.ipfix);
	reporter_count_lost(&reporter, counters);
	monitoring_end(reporter.monitoring, counters);
	if (code == EXIT_FINE)
		code = reporter_exit_code(&reporter);
	code = finish_report(&reporter, code, counters);
	if (!options->quiet && (code == EXIT_FINE || reporter.summary.records))
		print_summary(&reporter, counters);
	if (code == EXIT_FINE && options->strict && counters_lost(counters))
		code = EXIT_LOSS;
	if (found(options, &reporter.summary, counters) && code == EXIT_FINE)
		code = EXIT_FOUND;
	reporter_free(&reporter);
	return code;
}

/* Returns an exit code. */
static int show_sockets(const struct options *options)
{
	int code = start_helper(options);

	return code ? code : host_table_run(options, options->stuck ? stuck_print : time_wait_print);
}

/* Returns an exit code. */
static int run(const struct options *options)
{
	log_init("tcpfin-trace", options->quiet);
	if (output_start(options))
		return EXIT_RUNTIME;
	if (options->probe)
		return probe_run(options);
	if (options->cleanup)
		return cleanup_run(options);
	if (options->join)
		return join_run(options);
	if (options->stuck || options->time_wait)
		return show_sockets(options);
	return report_connections(options);
}

int main(int argc, char **argv)
{
	struct options options;
	int code;

	setlocale(LC_CTYPE, "");
	code = options_parse(&options, argc, argv);
	if (code < 0)
		code = run(&options);
	options_free(&options);
	return code;
}
