// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When metrics are printed, and where to.
 */
#include "user/monitoring/monitoring.h"

#include <stdlib.h>
#include <time.h>

#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/helper/output.h"
#include "user/helper/replaced_file.h"
#include "user/monitoring/metrics_server.h"

#define FILE_NS (10 * SECOND_NS) /* node_exporter is usually asked every 15 seconds */

struct monitoring {
	const struct options *options;
	struct metrics *metrics;
	void (*observe)(void *context, struct metrics_now *now);
	void *context;
	struct metrics_server *server; /* NULL: none */
	uint64_t next_file;            /* ns of CLOCK_MONOTONIC */
	unsigned long failures;        /* of writing it */
};

/* Appends the metrics as they are now. */
static void print(void *context, struct buffer *out, enum exposition_format format)
{
	struct monitoring *m = context;

	m->metrics->now.time = clock_ns(CLOCK_MONOTONIC);
	m->metrics->now.cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	if (m->observe)
		m->observe(m->context, &m->metrics->now);
	metrics_print(out, m->metrics, format);
}

/* ---- the file ---- */

static int write_file(struct monitoring *m)
{
	struct buffer text = {0};
	int err;

	m->next_file = clock_ns(CLOCK_MONOTONIC) + FILE_NS;
	print(m, &text, EXPOSITION_TEXT);
	err = replaced_file_write(REPLACED_METRICS, &text);
	buffer_free(&text);
	return err;
}

/* A file that cannot be replaced is tried again; records go on. */
static void write_next_file(struct monitoring *m)
{
	int err = write_file(m);

	if (err && !m->failures++)
		log_error("cannot replace the metrics of %s: %s: it stays as it is", m->options->metrics_file,
			  strerror(-err));
}

/* Writes the first one, which shows that it can be written. */
static int start_file(struct monitoring *m)
{
	const char *path = m->options->metrics_file;
	int err = replaced_file_start(REPLACED_METRICS, path, m->options);

	err = err ? err : write_file(m);
	if (!err)
		return EXIT_FINE;
	log_error("--metrics-file %s: %s", path, output_fault(err));
	return EXIT_RUNTIME;
}

/* ---- all of it ---- */

static int start(struct monitoring *m)
{
	int code = EXIT_FINE;

	m->metrics = metrics_new(clock_ns(CLOCK_MONOTONIC));
	if (!m->metrics) {
		log_error("out of memory");
		return EXIT_RUNTIME;
	}
	m->metrics->now.start = clock_ns(CLOCK_REALTIME);
	if (m->options->metrics_file)
		code = start_file(m);
	if (m->options->metrics.text && code == EXIT_FINE)
		code = metrics_server_open(&m->server, &m->options->metrics, print, m);
	return code;
}

int monitoring_start(struct monitoring **m, const struct options *options)
{
	struct monitoring *new;
	int code;

	*m = NULL;
	if (!options->metrics_file && !options->metrics.text)
		return EXIT_FINE;
	new = calloc(1, sizeof(*new));
	if (!new) {
		log_error("out of memory");
		return EXIT_RUNTIME;
	}
	new->options = options;
	code = start(new);
	if (code == EXIT_FINE)
		*m = new;
	else
		monitoring_free(new);
	return code;
}

void monitoring_free(struct monitoring *m)
{
	if (!m)
		return;
	metrics_server_close(m->server);
	metrics_free(m->metrics);
	free(m);
}

void monitoring_add(struct monitoring *m, const struct record *r)
{
	if (m)
		metrics_add(m->metrics, r);
}

void monitoring_observe_by(struct monitoring *m, void (*observe)(void *context, struct metrics_now *now), void *context)
{
	if (!m)
		return;
	m->observe = observe;
	m->context = context;
}

void monitoring_poll(struct monitoring *m)
{
	if (!m)
		return;
	metrics_server_poll(m->server);
	if (m->options->metrics_file && clock_ns(CLOCK_MONOTONIC) >= m->next_file)
		write_next_file(m);
}

void monitoring_end(struct monitoring *m, const uint64_t counters[COUNTERS])
{
	if (!m)
		return;
	metrics_server_close(m->server);
	m->server = NULL;
	if (!m->options->metrics_file)
		return;
	for (unsigned i = 0; i < COUNTERS; i++) /* none falls, also where they could not be read at the end */
		if (counters[i] > m->metrics->now.counters[i])
			m->metrics->now.counters[i] = counters[i];
	write_next_file(m);
	if (m->failures)
		log_error("%lu times the metrics of %s could not be replaced", m->failures, m->options->metrics_file);
}
