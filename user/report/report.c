// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is counted for the page, and the file that it goes to.
 */
#include "user/report/report.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/helper/output.h"
#include "user/helper/replaced_file.h"
#include "user/report/page.h"

struct report {
	const struct options *options;
	struct page_data data;
};

static int start(struct report *report)
{
	const char *path = report->options->report;
	int err;

	report->data.problems = problems_new();
	if (!report->data.problems) {
		log_error("out of memory");
		return EXIT_RUNTIME;
	}
	tzset(); /* neither the time zone's file nor the host's name can be asked for later */
	if (!report->options->anonymize && !report->options->anonymize_key)
		gethostname(report->data.host, sizeof(report->data.host) - 1);
	err = replaced_file_start(REPLACED_REPORT, path, report->options);
	err = err ? err : replaced_file_try(REPLACED_REPORT);
	if (!err)
		return EXIT_FINE;
	log_error("--report %s: %s", path, output_fault(err));
	return EXIT_RUNTIME;
}

int report_start(struct report **report, const struct options *options)
{
	struct report *new;
	int code;

	*report = NULL;
	if (!options->report)
		return EXIT_FINE;
	new = calloc(1, sizeof(*new));
	if (!new) {
		log_error("out of memory");
		return EXIT_RUNTIME;
	}
	new->options = options;
	new->data.options = options;
	code = start(new);
	if (code == EXIT_FINE)
		*report = new;
	else
		report_free(new);
	return code;
}

void report_free(struct report *report)
{
	if (!report)
		return;
	span_free(report->data.problems);
	worst_free(&report->data.worst);
	free(report);
}

static void add_step(struct page_data *data, enum page_step step, int64_t ns)
{
	if (ns >= 0)
		spread_add(&data->steps[step], (uint64_t)ns);
}

void report_add(struct report *report, const struct record *r)
{
	struct page_data *data;

	if (!report)
		return;
	data = &report->data;
	data->connections++;
	data->outcome[r->outcome]++;
	data->first = data->connections == 1 || r->start < data->first ? r->start : data->first;
	data->last = r->finish > data->last ? r->finish : data->last;
	timeline_add(&data->timeline, r);
	add_step(data, STEP_HANDSHAKE, r->timing[T_INITIAL_RTT]);
	add_step(data, STEP_FIN_TO_ACK, r->timing[T_FIN_TO_ACK]);
	add_step(data, STEP_HALF_CLOSED, r->timing[T_HALF_CLOSED]);
	add_step(data, STEP_CLOSE, r->timing[T_CLOSE]);
	add_step(data, STEP_SILENCE, r->silence);
	if (problems_has(r))
		span_add(data->problems, r);
	worst_add(&data->worst, r);
}

int report_write(struct report *report, const uint64_t counters[COUNTERS])
{
	struct buffer page = {0};
	int err;

	if (!report)
		return EXIT_FINE;
	report->data.lost = counters_lost(counters);
	page_html(&page, &report->data);
	err = replaced_file_write(REPLACED_REPORT, &page);
	buffer_free(&page);
	if (!err)
		return EXIT_FINE;
	log_error("cannot write the report %s: %s; there is none, or that of before", report->options->report,
		  strerror(-err));
	return EXIT_RUNTIME;
}
