// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counts of a group of connections.
 */
#include "user/top/tally.h"

void tally_add(struct tally *t, const struct record *r)
{
	t->connections++;
	t->outcome[r->outcome]++;
	t->closer[r->closer]++;
	if (r->time_wait < NOBODY)
		t->time_wait[r->time_wait]++;
	for (unsigned i = 0; i < TIMINGS; i++)
		if (r->timing[i] >= 0)
			quantiles_add(&t->timing[i], (uint64_t)r->timing[i]);
}

void tally_add_waiting(struct tally *t, const struct record *r, bool stuck)
{
	t->half_closed += r->missing == MISSING_SOURCE_FIN || r->missing == MISSING_DESTINATION_FIN;
	t->stuck += stuck;
}

void tally_merge(struct tally *t, const struct tally *more)
{
	t->connections += more->connections;
	for (unsigned i = 0; i < OUTCOMES; i++)
		t->outcome[i] += more->outcome[i];
	for (unsigned i = 0; i <= NETWORK; i++)
		t->closer[i] += more->closer[i];
	for (unsigned i = 0; i < NOBODY; i++)
		t->time_wait[i] += more->time_wait[i];
	t->half_closed += more->half_closed;
	t->stuck += more->stuck;
	for (unsigned i = 0; i < TIMINGS; i++)
		quantiles_merge(&t->timing[i], &more->timing[i]);
}

uint64_t tally_resets(const struct tally *t)
{
	return t->outcome[OUTCOME_RESET] + t->outcome[OUTCOME_REFUSED] + t->outcome[OUTCOME_HANDSHAKE_RESET];
}

void tally_reset(struct tally *t)
{
	struct tally empty = {0};

	for (unsigned i = 0; i < TIMINGS; i++) {
		quantiles_reset(&t->timing[i]);
		empty.timing[i] = t->timing[i];
	}
	*t = empty;
}

void tally_free(struct tally *t)
{
	for (unsigned i = 0; i < TIMINGS; i++)
		quantiles_free(&t->timing[i]);
	*t = (struct tally){0};
}
