// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kinds of filter that need a record, one function each.
 */
#define _GNU_SOURCE 1 /* FNM_CASEFOLD */
#include "user/filter/record_filter.h"

#include <fnmatch.h>
#include <limits.h>
#include <string.h>

#define CONTAINER_SHORT 12 /* digits */

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

static bool name_matches(const struct filter_holder *h, const char *pattern)
{
	return h->name && !fnmatch(pattern, h->name, 0);
}

/* As systemctl(1) has it, a name without a suffix is a service's. */
static bool is_unit(const char *unit, const char *pattern)
{
	static const char service[] = ".service";
	size_t len = strlen(unit), suffix = sizeof(service) - 1;
	char name[NAME_MAX + 1];

	if (!fnmatch(pattern, unit, 0))
		return true;
	if (len < suffix || len > NAME_MAX || strcmp(unit + len - suffix, service) != 0)
		return false;
	memcpy(name, unit, len - suffix);
	name[len - suffix] = '\0';
	return !fnmatch(pattern, name, 0);
}

/* As docker(1) has it, the first digits of an identifier stand for it, if they are as many as it shows. */
static bool is_container(const char *container, const char *pattern)
{
	size_t len = strlen(pattern);

	return !fnmatch(pattern, container, 0) ||
	       (len >= CONTAINER_SHORT && strspn(pattern, "0123456789abcdef") == len &&
		!strncmp(pattern, container, len));
}

static bool unit_matches(const struct filter_holder *h, const char *pattern)
{
	return h->unit && is_unit(h->unit, pattern);
}

static bool container_matches(const struct filter_holder *h, const char *pattern)
{
	return h->container && is_container(h->container, pattern);
}

static bool texts_pass(const struct record_filter_texts *t, const struct filter_holder *holders, unsigned count,
		       bool (*matches)(const struct filter_holder *h, const char *pattern))
{
	struct filter_kind kind = {0};

	for (unsigned i = 0; i < t->count; i++)
		for (unsigned n = 0; n < count; n++)
			filter_kind_add(&kind, t->texts[i].negated, matches(&holders[n], t->texts[i].pattern));
	return filter_kind_passes(&kind);
}

static bool pids_pass(const struct record_filter *f, const struct filter_holder *holders, unsigned count)
{
	struct filter_kind kind = {0};

	for (unsigned i = 0; i < f->pid_count; i++)
		for (unsigned n = 0; n < count; n++)
			filter_kind_add(&kind, f->pids[i].negated, holders[n].pid == f->pids[i].pid);
	return filter_kind_passes(&kind);
}

bool record_filter_has_verdicts(const struct record_filter *f)
{
	return f->where_count || f->reasons.count || f->outcomes.wanted || f->outcomes.unwanted || f->closers.wanted ||
	       f->closers.unwanted;
}

bool record_filter_has_holders(const struct record_filter *f)
{
	return f->pid_count || f->processes.count || f->units.count || f->containers.count;
}

bool record_filter_holders_pass(const struct record_filter *f, const struct filter_holder *holders, unsigned count)
{
	return pids_pass(f, holders, count) && texts_pass(&f->processes, holders, count, name_matches) &&
	       texts_pass(&f->units, holders, count, unit_matches) &&
	       texts_pass(&f->containers, holders, count, container_matches);
}

/* Who the record names at an end. */
static struct filter_holder holder_of(const struct record *r, enum role role)
{
	return (struct filter_holder){
		.pid = record_process_pid(r, role),
		.name = record_process_name(r, role),
		.unit = record_unit(r, role),
		.container = r->socket[role].names.container,
	};
}

static bool ends_holders_pass(const struct record_filter *f, const struct record *r)
{
	struct filter_holder holders[2];

	if (!record_filter_has_holders(f))
		return true;
	for (enum role role = SOURCE; role <= DESTINATION; role++)
		holders[role] = holder_of(r, role);
	return record_filter_holders_pass(f, holders, 2);
}

static bool reason_matches(const struct record *r, const char *pattern)
{
	return r->reset.reason && !fnmatch(pattern, r->reset.reason, FNM_CASEFOLD);
}

static bool reasons_pass(const struct record_filter *f, const struct record *r)
{
	struct filter_kind kind = {0};

	for (unsigned i = 0; i < f->reasons.count; i++)
		filter_kind_add(&kind, f->reasons.texts[i].negated, reason_matches(r, f->reasons.texts[i].pattern));
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
	       ends_holders_pass(f, r) && reasons_pass(f, r) &&
	       (!f->expression || packet_expression_matches(f->expression, r)) && where_passes(f, r);
}

void record_filter_free(struct record_filter *f)
{
	for (unsigned i = 0; i < f->where_count; i++)
		condition_free(f->where[i]);
	packet_expression_free(f->expression);
	*f = (struct record_filter){0};
}
