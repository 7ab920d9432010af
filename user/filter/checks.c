// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counts by name, and what is said of a check that holds.
 */
#include "user/filter/checks.h"

#include <stdio.h>
#include <string.h>

#include "user/base/log.h"

static const char *const names[CHECK_COUNTS] = {
	[CHECK_CONNECTIONS] = "connections",
	[CHECK_GRACEFUL + OUTCOME_GRACEFUL] = "graceful",
	[CHECK_GRACEFUL + OUTCOME_RESET] = "resets",
	[CHECK_GRACEFUL + OUTCOME_REFUSED] = "refused",
	[CHECK_GRACEFUL + OUTCOME_HANDSHAKE_RESET] = "handshake_resets",
	[CHECK_GRACEFUL + OUTCOME_UNANSWERED] = "unanswered",
	[CHECK_GRACEFUL + OUTCOME_UNFINISHED] = "unfinished",
	[CHECK_GRACEFUL + OUTCOME_OPEN] = "open",
	[CHECK_GRACEFUL + OUTCOME_UNKNOWN] = "unknown",
	[CHECK_LOST] = "lost",
	[CHECK_STUCK] = "stuck",
	[CHECK_FIN_WAIT_1] = "fin_wait_1",
	[CHECK_FIN_WAIT_2] = "fin_wait_2",
	[CHECK_CLOSE_WAIT] = "close_wait",
	[CHECK_CLOSING] = "closing",
	[CHECK_LAST_ACK] = "last_ack",
	[CHECK_TIME_WAIT] = "time_wait",
	[CHECK_PORTS_USED] = "ports_used",
};

static bool suggestion(unsigned i, char text[NEAREST_NAME])
{
	if (i < CHECK_COUNTS)
		snprintf(text, NEAREST_NAME, "%s", names[i]);
	return i < CHECK_COUNTS;
}

static unsigned find(const char *word, size_t len, uint16_t which[CONDITION_EITHER])
{
	for (unsigned i = 0; i < CHECK_COUNTS; i++)
		if (strlen(names[i]) == len && !memcmp(names[i], word, len)) {
			which[0] = (uint16_t)i;
			return 1;
		}
	return 0;
}

static enum record_field_type type(unsigned which)
{
	(void)which;
	return FIELD_COUNT;
}

static void value(struct field_value *v, const void *subject, unsigned which)
{
	const struct check_counts *counts = subject;

	v->known = true;
	v->number = counts->counts[which].number;
	v->whole = counts->counts[which].whole;
}

const struct condition_names check_names = {
	.what = "count",
	.name = suggestion,
	.find = find,
	.type = type,
	.value = value,
	.shares = true,
};

static bool is_beyond(unsigned which, const void *mask)
{
	return !(*(const unsigned *)mask & 1u << which);
}

const char *checks_beyond(const struct checks *c, unsigned mask)
{
	for (unsigned i = 0; i < c->count; i++)
		if (condition_uses(c->list[i], is_beyond, &mask))
			return condition_text(c->list[i]);
	return NULL;
}

bool checks_found(const struct checks *c, const struct check_counts *counts)
{
	bool found = false;

	for (unsigned i = 0; i < c->count; i++) {
		if (!condition_holds(c->list[i], counts))
			continue;
		found = true;
		log_warn("check found: %s", condition_text(c->list[i]));
	}
	return found;
}

void checks_free(struct checks *c)
{
	for (unsigned i = 0; i < c->count; i++)
		condition_free(c->list[i]);
	*c = (struct checks){0};
}
