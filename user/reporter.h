/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of the line: flow -> verdict -> filter -> summary -> format -> sink. Both sources feed it.
 */
#ifndef TCPFIN_REPORTER_H
#define TCPFIN_REPORTER_H

#include "user/cli/options.h"
#include "user/format/summary.h"
#include "user/record/verdict.h"

struct reporter {
	const struct options *options;
	struct format_style style;
	struct buffer out;
	struct summary summary;
	int error; /* negative errno of the first write that failed; nothing is written after it */
};

void reporter_init(struct reporter *r, const struct options *options);
void reporter_free(struct reporter *r);
void reporter_flow(struct reporter *r, const struct flow_key *key, const struct flow *f, const struct flow_segment *log,
		   const struct verdict_context *context);
/* Hands what is formatted to standard output. */
void reporter_flush(struct reporter *r);
/* No more records are wanted: -c is reached, or nobody can read them. */
bool reporter_full(const struct reporter *r);
/* Exit code by what became of the output: a reader that has gone is no failure. Says what failed. */
int reporter_exit_code(const struct reporter *r);

#endif
