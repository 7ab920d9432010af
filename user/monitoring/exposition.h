/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text in which metrics are handed to Prometheus: its own format (version 0.0.4) or OpenMetrics 1.0. They differ in
 * how a counter's family is named and in the last line.
 */
#ifndef TCPFIN_EXPOSITION_H
#define TCPFIN_EXPOSITION_H

#include "user/base/buffer.h"

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS };

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_INFO };

struct exposition {
	struct buffer *out; /* not owned */
	enum exposition_format format;
	const char *family; /* the one at hand: its name without "_total" and "_info" */
	enum metric_type type;
};

struct metric_label {
	const char *name;
	const char *value; /* any bytes */
};

/* ns, as wide as a sum of lifetimes may become: 64 bits hold the hours of five million connections. */
typedef unsigned __int128 metric_ns;

/* The value of the HTTP header Content-Type. */
const char *exposition_content_type(enum exposition_format format);

/* Begins a family; its samples follow. help: a sentence without backslash, quote and line break. */
void exposition_family(struct exposition *e, enum metric_type type, const char *family, const char *help);
/* One sample of the family. count: of labels. */
void exposition_number(struct exposition *e, const struct metric_label *labels, unsigned count, uint64_t value);
/* The same in seconds, exact to the nanosecond. */
void exposition_seconds(struct exposition *e, const struct metric_label *labels, unsigned count, metric_ns ns);
/* A sample of a histogram: suffix "_bucket", "_count" or "_sum". */
void exposition_part(struct exposition *e, const char *suffix, const struct metric_label *labels, unsigned count,
		     uint64_t value);
void exposition_part_seconds(struct exposition *e, const char *suffix, const struct metric_label *labels,
			     unsigned count, metric_ns ns);
/* Nothing more comes. */
void exposition_end(struct exposition *e);

#endif
