// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kinds of filter that need a record, one function each.
 */
#define _GNU_SOURCE 1 /* FNM_CASEFOLD */
#include "user/filter/record_filter.h"

#include <fnmatch.h>

static bool ends_pass(const struct filter *f, const struct record *r)
{
	const struct filter_end ends[2] = {{r->end[SOURCE].ip, r->end[SOURCE].port},
					   {r->end[DESTINATION].ip, r->end[DESTINATION].port}};

	return filter_passes(f, r->family, ends);
}

static bool mask_passes(const struct record_filter_mask *m, unsigned value)
{
	return (!m->wanted || m->wanted & 1u << value) && !(m->unwanted & 1u << value);
}

/* Does the pattern match the process named at either end? */
static bool process_matches(const struct record *r, const char *pattern)
{
	for (enum role role = SOURCE; role <= DESTINATION; role++) {
		const struct record_process *p = socket_process(&r->socket[role]);

		if (p && !fnmatch(pattern, p->name, 0))
			return true;
	}
	return false;
}

static bool reason_matches(const struct record *r, const char *pattern)
{
	return r->reset.reason && !fnmatch(pattern, r->reset.reason, FNM_CASEFOLD);
}

static bool texts_pass(const struct record_filter_texts *t, const struct record *r,
		       bool (*matches)(const struct record *r, const char *pattern))
{
	struct filter_kind kind = {0};

	for (unsigned i = 0; i < t->count; i++)
		filter_kind_add(&kind, t->texts[i].negated, matches(r, t->texts[i].pattern));
	return filter_kind_passes(&kind);
}

static bool pid_matches(const struct record *r, uint32_t pid)
{
	const struct record_process *source = socket_process(&r->socket[SOURCE]);
	const struct record_process *destination = socket_process(&r->socket[DESTINATION]);

	return (source && source->pid == pid) || (destination && destination->pid == pid);
}

static bool pids_pass(const struct record_filter *f, const struct record *r)
{
	struct filter_kind kind = {0};

	for (unsigned i = 0; i < f->pid_count; i++)
		filter_kind_add(&kind, f->pids[i].negated, pid_matches(r, f->pids[i].pid));
	return filter_kind_passes(&kind);
}

static bool where_passes(const struct record_filter *f, const struct record *r)
{
	for (unsigned i = 0; i < f->where_count; i++)
		if (!condition_holds(f->where[i], r))
			return false;
	return true;
}

bool record_filter_passes(const struct record_filter *f, const struct filter *ends, const struct record *r)
{
	return mask_passes(&f->outcomes, r->outcome) && mask_passes(&f->closers, r->closer) && ends_pass(ends, r) &&
	       pids_pass(f, r) && texts_pass(&f->processes, r, process_matches) &&
	       texts_pass(&f->reasons, r, reason_matches) &&
	       (!f->expression || packet_expression_matches(f->expression, r)) && where_passes(f, r);
}

void record_filter_free(struct record_filter *f)
{
	for (unsigned i = 0; i < f->where_count; i++)
		condition_free(f->where[i]);
	packet_expression_free(f->expression);
	*f = (struct record_filter){0};
}
