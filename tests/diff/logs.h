/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Comparing what two recorders keep: slot by slot, and each log byte by byte.
 */
#ifndef TCPFIN_TEST_LOGS_H
#define TCPFIN_TEST_LOGS_H

#include "bpf/core/traffic.h"
#include "user/judge/flow_tables.h"

/* The tables of one recorder. */
struct recorded {
	const char *name;
	const struct flow_tables *tables;
	/* The traffic of the connection in slot n, or NULL where it is not counted. */
	const struct traffic *(*traffic)(const void *context, uint32_t n);
	const void *context;
};

/* What was compared. */
struct compared {
	uint64_t slots, entries;
};

/*
 * Do both hold the same connections, in the same slots? Numbers of blocks and places in the sets do not count. With
 * explain, the differences go to stdout.
 */
bool logs_equal(const struct recorded *a, const struct recorded *b, struct compared *compared, bool explain);

/*
 * Are the tables as they must be once all connections were reported? No slot in use but to recognise copies, no block
 * taken, no connection counted as established, and each set counts as many spilled slots as there are. With explain,
 * the first difference goes to stdout.
 */
bool logs_drained(const struct recorded *r, bool explain);

#endif
