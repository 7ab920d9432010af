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

static bool unit_matches(const struct record *r, const char *pattern)
{
	const char *source = r->socket[SOURCE].names.unit, *destination = r->socket[DESTINATION].names.unit;

	return (source && is_unit(source, pattern)) || (destination && is_unit(destination, pattern));
}

static bool container_matches(const struct record *r, const char *pattern)
{
	const char *source = r->socket[SOURCE].names.container;
	const char *destination = r->socket[DESTINATION].names.container;

	return (source && is_container(source, pattern)) || (destination && is_container(destination, pattern));
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
	       texts_pass(&f->units, r, unit_matches) && texts_pass(&f->containers, r, container_matches) &&
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
