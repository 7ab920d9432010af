/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flows that a host reports, and comparing two hosts' reports field by field.
 */
#ifndef TCPFIN_TEST_REPORTS_H
#define TCPFIN_TEST_REPORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/core/traffic.h"
#include "user/judge/judge.h"

struct report {
	struct judged judged;
	bool counted; /* with --all-segments */
	struct traffic traffic;
	bool matched;
};

struct reports {
	struct report *report;
	size_t count, room;
};

/* traffic: NULL where it was not counted. */
void reports_add(struct reports *r, const struct judged *j, const struct traffic *traffic);
void reports_free(struct reports *r);

/* Whether the reports are the same in any order. With explain, the differences go to stdout under the hosts' names. */
bool reports_equal(struct reports *a, struct reports *b, bool explain, const char *name_a, const char *name_b);

#endif
