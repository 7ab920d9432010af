/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Charts as SVG without a library: bars over time, and distributions. Positions across are shares of the width, so that
 * a chart is as wide as its place and its text keeps its size.
 */
#ifndef TCPFIN_CHARTS_H
#define TCPFIN_CHARTS_H

#include "user/base/buffer.h"
#include "user/report/spread.h"
#include "user/report/timeline.h"

/* What the bars of a chart are made of, from the bottom up. */
struct chart {
	const char *title, *note;
	bool closers; /* of the slot's closers, by role; else of its outcomes */
	struct {
		const char *name, *css;
		unsigned value;
	} series[OUTCOMES];
	unsigned count;
};

extern const struct chart chart_all, chart_wrong, chart_closers;

void chart_time(struct buffer *out, const struct timeline *t, const struct chart *chart);

/* The bins from the first to the last one that any of several distributions uses. */
struct bin_range {
	unsigned first, last;
};

/* A distribution over these bins. name and meaning: plain text. */
void chart_spread(struct buffer *out, const struct spread *s, const struct bin_range *range, const char *name,
		  const char *meaning);

#endif
