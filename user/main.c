// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Wiring: options, one of the two sources, the reporter, the summary. Or one of the few things that are no watching.
 */
#include <locale.h>
#include <unistd.h>

#include "user/record/counters.h"
#include "user/host/host_table.h"
#include "user/attach/interfaces.h"
#include "user/base/log.h"
#include "user/reporter.h"
#include "user/base/sink.h"
#include "user/capture/replay.h"
#include "user/live/live.h"
#include "user/host/stuck.h"
#include "user/host/time_wait.h"

static void print_summary(const struct reporter *reporter, const uint64_t counters[COUNTERS])
{
	struct buffer b = {};

	summary_print(&b, &reporter->summary);
	summary_print_counters(&b, counters, counter_names);
	sink_write(STDERR_FILENO, &b);
	buffer_free(&b);
}

int main(int argc, char **argv)
{
	uint64_t counters[COUNTERS] = {};
	struct reporter reporter;
	struct options options;
	int code;

	setlocale(LC_CTYPE, "");
	code = options_parse(&options, argc, argv);
	if (code >= 0)
		return code;
	log_init("tcpfin-trace", options.quiet);
	if (options.cleanup)
		return interfaces_cleanup(&options);
	if (options.stuck || options.time_wait)
		return host_table_run(&options, options.stuck ? stuck_print : time_wait_print);
	reporter_init(&reporter, &options);
	if (options.read_file)
		code = replay_run(&reporter, &options, counters);
	else
		code = live_run(&reporter, &options, counters);
	if (code == EXIT_FINE)
		code = reporter_exit_code(&reporter);
	if (!options.quiet && (code == EXIT_FINE || reporter.summary.records))
		print_summary(&reporter, counters);
	if (code == EXIT_FINE && options.strict && counters_lost(counters))
		code = EXIT_LOSS;
	reporter_free(&reporter);
	return code;
}
