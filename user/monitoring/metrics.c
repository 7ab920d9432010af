// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counts records.
 */
#include "user/monitoring/metrics.h"

#include <stdlib.h>

const enum timing metrics_steps[METRICS_STEPS] = {T_FIN_TO_ACK, T_HALF_CLOSED, T_PEER_FIN_TO_ACK, T_CLOSE};

static const enum group_field group_fields[METRICS_GROUPS] = {GROUP_PROCESS, GROUP_PEER, GROUP_UNIT, GROUP_CONTAINER};

struct metrics *metrics_new(uint64_t now)
{
	struct metrics *m = calloc(1, sizeof(*m));

	for (unsigned i = 0; m && i < METRICS_GROUPS; i++)
		shown_groups_begin(&m->groups[i], group_fields[i], now);
	return m;
}

void metrics_free(struct metrics *m)
{
	free(m);
}

unsigned metrics_detail(const struct record *r)
{
	switch (r->outcome) {
	case OUTCOME_GRACEFUL:
		return r->pattern ? DETAIL_PATTERN + r->pattern - 1 : DETAIL_NONE;
	case OUTCOME_RESET:
	case OUTCOME_REFUSED:
	case OUTCOME_HANDSHAKE_RESET:
		return r->reset.by != NOBODY && r->reset.phase ? DETAIL_PHASE + r->reset.phase - 1 : DETAIL_NONE;
	case OUTCOME_UNFINISHED:
		return r->missing ? DETAIL_MISSING + r->missing - 1 : DETAIL_NONE;
	default:
		return DETAIL_NONE;
	}
}

/* Where the reset's reason is counted. */
static uint64_t *reason_count(struct metrics *m, const char *reason)
{
	const char *name = reason ? reason : "unknown";
	size_t size = sizeof(m->reasons[0].name);
	unsigned i = 0;

	while (i < m->reason_count && strncmp(m->reasons[i].name, name, size - 1) != 0)
		i++;
	if (i == METRICS_REASONS)
		return &m->reasons_other;
	if (i == m->reason_count) {
		memcpy(m->reasons[i].name, name, strnlen(name, size - 1));
		m->reason_count++;
	}
	return &m->reasons[i].resets;
}

/* Every RST that a record names counts, also one that came after a close. */
static void add_reset(struct metrics *m, const struct record *r)
{
	if (r->reset.by == NOBODY)
		return;
	m->resets[r->reset.by][r->reset.phase][r->reset.validity][r->reset.forged]++;
	++*reason_count(m, r->reset.reason);
}

void metrics_add_waiting(struct metrics_now *now, const struct record *r, bool stuck)
{
	bool source = r->missing == MISSING_SOURCE_ACK || r->missing == MISSING_SOURCE_FIN;
	enum role turn = source ? SOURCE : DESTINATION;

	if (stuck && r->missing != MISSING_NOTHING)
		now->stuck[r->end[turn].state][turn]++;
}

static void add_duration(struct duration_histogram *h, int64_t ns)
{
	if (ns >= 0)
		duration_histogram_add(h, (uint64_t)ns);
}

static void add_durations(struct metrics *m, const struct record *r)
{
	for (unsigned i = 0; i < METRICS_STEPS; i++)
		add_duration(&m->steps[i], r->timing[metrics_steps[i]]);
	add_duration(&m->handshake, r->timing[T_INITIAL_RTT]);
	add_duration(&m->lifetime, r->timing[T_LIFETIME]);
}

void metrics_add(struct metrics *m, const struct record *r)
{
	m->connections[r->outcome][metrics_detail(r)][r->closer]++;
	add_reset(m, r);
	m->retransmits_syn += r->syn_retransmits;
	m->retransmits_syn_ack += r->synack_retransmits;
	for (unsigned role = SOURCE; role <= DESTINATION; role++)
		m->retransmits_fin[role] += r->end[role].fin_retransmits;
	add_durations(m, r);
	for (unsigned i = 0; i < METRICS_GROUPS; i++)
		shown_groups_add(&m->groups[i], r);
}
