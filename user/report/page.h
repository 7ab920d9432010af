/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole page: page.html with its parts put in. It needs no network and no other file; its policy allows its own
 * style and script alone, by their hashes.
 */
#ifndef TCPFIN_PAGE_H
#define TCPFIN_PAGE_H

#include <limits.h>

#include "user/base/buffer.h"
#include "user/cli/options.h"
#include "user/report/problems.h"
#include "user/report/spread.h"
#include "user/report/timeline.h"
#include "user/report/worst.h"

enum page_step { STEP_HANDSHAKE, STEP_FIN_TO_ACK, STEP_HALF_CLOSED, STEP_CLOSE, STEP_SILENCE, PAGE_STEPS };

struct page_data {
	const struct options *options;
	char host[HOST_NAME_MAX + 1]; /* "": not told */
	uint64_t connections, outcome[OUTCOMES];
	uint64_t first, last; /* ns since 1970: the first segment and the last step of all */
	uint64_t lost;        /* connections or packets of which nothing was kept: see counters_lost */
	struct timeline timeline;
	struct spread steps[PAGE_STEPS];
	struct span *problems;
	struct worst worst;
};

/* Sorts the worst connections, and appends the page. */
void page_html(struct buffer *out, struct page_data *data);

#endif
