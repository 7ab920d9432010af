/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --check: conditions over counts of the whole run, or of a table of this host's sockets.
 */
#ifndef TCPFIN_CHECKS_H
#define TCPFIN_CHECKS_H

#include "user/base/filter.h"
#include "user/filter/condition.h"
#include "user/record/record.h"

enum check_count {
	CHECK_CONNECTIONS,
	CHECK_GRACEFUL, /* the outcomes follow in the order of enum outcome */
	CHECK_UNKNOWN = CHECK_GRACEFUL + OUTCOME_UNKNOWN,
	CHECK_LOST,
	CHECK_STUCK,
	CHECK_FIN_WAIT_1,
	CHECK_FIN_WAIT_2,
	CHECK_CLOSE_WAIT,
	CHECK_CLOSING,
	CHECK_LAST_ACK,
	CHECK_TIME_WAIT,
	CHECK_PORTS_USED,
	CHECK_COUNTS
};

/* Which counts a mode knows: bits 1 << enum check_count. */
#define CHECKS_OF_RECORDS ((1u << (CHECK_LOST + 1)) - 1)
#define CHECKS_OF_STUCK ((1u << (CHECK_LAST_ACK + 1)) - (1u << CHECK_STUCK))
#define CHECKS_OF_TIME_WAIT (1u << CHECK_TIME_WAIT | 1u << CHECK_PORTS_USED)

struct check_counts {
	struct check_number {
		uint64_t number, whole; /* whole: what "%" is of; 0: shares are never known */
	} counts[CHECK_COUNTS];
};

struct checks {
	struct condition *list[FILTER_MAX]; /* owned */
	unsigned count;
};

/* The subject is a struct check_counts. */
extern const struct condition_names check_names;

/* NULL, or the text of a check that needs a count which is not in the mask. */
const char *checks_beyond(const struct checks *c, unsigned mask);
/* Logs each check that holds. Does one? */
bool checks_found(const struct checks *c, const struct check_counts *counts);
void checks_free(struct checks *c);

#endif
