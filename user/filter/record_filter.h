/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which records are reported. A record passes if every kind of filter given lets it pass; for the values of a kind the
 * rule of user/base/filter.h holds. --where and the packet expression are kinds, too.
 */
#ifndef TCPFIN_RECORD_FILTER_H
#define TCPFIN_RECORD_FILTER_H

#include "user/base/filter.h"
#include "user/filter/condition.h"
#include "user/filter/packet_expression.h"
#include "user/record/record.h"

/* Names with a mask: bits of an enum's values. */
struct record_filter_mask {
	uint32_t wanted, unwanted; /* wanted 0: all */
};

/* Texts with the wildcards * and ?; owned by argv. */
struct record_filter_texts {
	struct record_filter_text {
		const char *pattern;
		bool negated;
	} texts[FILTER_MAX];
	unsigned count;
};

struct record_filter {
	struct record_filter_mask outcomes, closers; /* 1 << enum outcome, 1 << enum role */
	struct record_filter_texts processes;        /* names of a process that closed or held either end */
	struct record_filter_texts units;            /* systemd units at either end */
	struct record_filter_texts containers;       /* containers at either end */
	struct record_filter_texts reasons;          /* the kernel's reason for a reset */
	struct record_filter_pids {
		uint32_t pid;
		bool negated;
	} pids[FILTER_MAX]; /* of a process that closed or held either end */
	unsigned pid_count;
	struct condition *where[FILTER_MAX]; /* owned; all must hold */
	unsigned where_count;
	struct packet_expression *expression; /* owned; NULL: none */
};

/* Who holds an end of a connection: what it is called, and what it belongs to. NULL, and 0: not known. */
struct filter_holder {
	uint32_t pid;
	const char *name, *unit, *container;
};

/* Is there a filter that takes a record: --where, --reason, --outcome or --closer? */
bool record_filter_has_verdicts(const struct record_filter *f);
/* Is there a filter that asks for holders: --process, --pid, --unit or --container? */
bool record_filter_has_holders(const struct record_filter *f);
/* Do these filters let ends pass that are held by these? One that is not known matches no value. */
bool record_filter_holders_pass(const struct record_filter *f, const struct filter_holder *holders, unsigned count);

bool record_filter_passes(const struct record_filter *f, const struct filter *ends, const struct record *r);
void record_filter_free(struct record_filter *f);

#endif
