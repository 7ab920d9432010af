// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Decides which connections are reported, and in which style the terminal can show them.
 */
#include <errno.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "user/base/log.h"
#include "user/base/sink.h"
#include "user/reporter.h"

#define DEFAULT_COLUMNS 80

static bool wants_color(void)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

/* The width to fit: what the user says, else the terminal's, else a default. */
static unsigned columns(void)
{
	const char *variable = getenv("COLUMNS");
	unsigned long n = variable ? strtoul(variable, NULL, 10) : 0;
	struct winsize size;

	if (n > 0 && n < 1000)
		return (unsigned)n;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		return size.ws_col;
	return DEFAULT_COLUMNS;
}

void reporter_init(struct reporter *r, const struct options *options)
{
	memset(r, 0, sizeof(*r));
	r->options = options;
	r->style.color = wants_color();
	r->style.unicode = !strcmp(nl_langinfo(CODESET), "UTF-8");
	r->style.verbose = options->verbose;
	r->style.columns = columns();
	format_header(&r->out, options->format, &r->style);
}

void reporter_free(struct reporter *r)
{
	buffer_free(&r->out);
}

void reporter_flush(struct reporter *r)
{
	if (r->out.len && !r->error)
		r->error = sink_write(STDOUT_FILENO, &r->out);
	r->out.len = 0;
}

void reporter_flow(struct reporter *r, const struct flow_key *key, const struct flow *f, const struct flow_segment *log,
		   const struct verdict_context *context)
{
	struct record record;

	if (reporter_full(r))
		return;
	verdict(&record, key, f, log, context);
	if (record.outcome == OUTCOME_OPEN && !r->options->show_open)
		return;
	if (!record_filter_passes(&r->options->record_filter, &r->options->filter, &record))
		return;
	summary_add(&r->summary, &record);
	format_record(&r->out, r->options->format, &r->style, &record);
	if (r->out.len > SINK_BLOCK)
		r->error = sink_write_blocks(STDOUT_FILENO, &r->out);
}

bool reporter_full(const struct reporter *r)
{
	return r->error || (r->options->count && r->summary.records >= r->options->count);
}

int reporter_exit_code(const struct reporter *r)
{
	if (!r->error || r->error == -EPIPE)
		return EXIT_FINE;
	log_error("cannot write records to standard output: %s", strerror(-r->error));
	return EXIT_RUNTIME;
}
