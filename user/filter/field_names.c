// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Short forms are made from the columns by one rule; what people say otherwise is a table of other names.
 */
#include "user/filter/field_names.h"

#include <stdio.h>
#include <string.h>

static const char *const groups[] = {"tcp_", "timing_", "event_", "network_", "observer_"};
/* Parts of a column that tell fields of one kind apart. */
static const char *const which_parts[] = {"source", "destination", "outer", "inner"};

/* Other words for short forms. A word with several rows stands for all of them. */
static const struct {
	const char *word, *means;
} others[] = {
	{"fin_retransmits", "retransmits_fin"},
	{"syn_retransmits", "retransmits_syn"},
	{"syn_ack_retransmits", "retransmits_syn_ack"},
	{"process", "process_name"},
	{"process", "holder_name"},
	{"pid", "process_pid"},
	{"pid", "holder_pid"},
	{"uid", "process_uid"},
	{"uid", "holder_uid"},
	{"unit", "process_unit"},
	{"unit", "holder_unit"},
	{"unit", "socket_unit"},
	{"unit", "listener_unit"},
	{"container", "container_id"},
	{"pod", "orchestrator_pod_uid"},
	{"how", "process_how"},
	{"reason", "reset_reason"},
	{"host", "ip"},
	{"interface", "interface_name"},
	{"interfaces", "tcp_interfaces"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_which(const char *part, size_t len)
{
	for (unsigned i = 0; i < COUNT(which_parts); i++)
		if (strlen(which_parts[i]) == len && !memcmp(part, which_parts[i], len))
			return true;
	return false;
}

/* The short form of a column. */
static void shorten(char text[NEAREST_NAME], const char *column)
{
	size_t len = 0;

	for (unsigned i = 0; i < COUNT(groups); i++)
		if (!strncmp(column, groups[i], strlen(groups[i]))) {
			column += strlen(groups[i]);
			break;
		}
	while (*column && len + strcspn(column, "_") + 2 < NEAREST_NAME) {
		size_t part = strcspn(column, "_");

		if (!is_which(column, part)) {
			if (len)
				text[len++] = '_';
			memcpy(text + len, column, part);
			len += part;
		}
		column += part + (column[part] == '_');
	}
	text[len] = '\0';
}

static bool same(const char *name, const char *word, size_t len)
{
	return strlen(name) == len && !memcmp(name, word, len);
}

/* Is the word the short form, or another word for it? */
static bool means(const char *word, size_t len, const char *short_form)
{
	if (same(short_form, word, len))
		return true;
	for (unsigned i = 0; i < COUNT(others); i++)
		if (same(others[i].word, word, len) && !strcmp(others[i].means, short_form))
			return true;
	return false;
}

static unsigned find_column(const char *word, size_t len, uint16_t which[CONDITION_EITHER])
{
	for (unsigned i = 0; i < record_field_count; i++)
		if (record_fields[i].column && same(record_fields[i].column, word, len)) {
			which[0] = (uint16_t)i;
			return 1;
		}
	return 0;
}

static unsigned find(const char *word, size_t len, uint16_t which[CONDITION_EITHER])
{
	unsigned found = find_column(word, len, which);
	char text[NEAREST_NAME];

	if (found)
		return found;
	for (unsigned i = 0; i < record_field_count && found < CONDITION_EITHER; i++) {
		if (!record_fields[i].column)
			continue;
		shorten(text, record_fields[i].column);
		if (means(word, len, text) &&
		    strcmp(record_fields[i].column, "event_type") != 0) /* type: network_type */
			which[found++] = (uint16_t)i;
	}
	return found;
}

/* The other words, the short forms and then the columns, so that what is short is suggested first. */
static bool suggestion(unsigned i, char text[NEAREST_NAME])
{
	const char *column;

	if (i < COUNT(others)) {
		snprintf(text, NEAREST_NAME, "%s", others[i].word);
		return true;
	}
	i -= COUNT(others);
	column = record_fields[i % record_field_count].column;
	if (!column)
		text[0] = '\0'; /* near to nothing */
	else if (i >= record_field_count)
		snprintf(text, NEAREST_NAME, "%s", column);
	else
		shorten(text, column);
	return i < 2 * record_field_count;
}

/* ---- the words of the contract ---- */

static const char *outcome_word(unsigned i)
{
	return i < OUTCOMES ? outcome_name((enum outcome)i) : NULL;
}

static const char *pattern_word(unsigned i)
{
	return i <= PATTERN_SIMULTANEOUS - 1 ? pattern_name((enum pattern)(i + 1)) : NULL;
}

static const char *role_word(unsigned i)
{
	if (i == NOBODY)
		return "unknown";
	return i <= NETWORK ? role_name((enum role)i) : NULL;
}

static const char *state_word(unsigned i)
{
	return i + 1 < TCP_STATES ? state_name((enum tcp_state)(i + 1)) : NULL;
}

static const char *missing_word(unsigned i)
{
	return i < MISSING_DESTINATION_FIN ? missing_name((enum missing)(i + 1)) : NULL;
}

static const char *phase_word(unsigned i)
{
	return i < PHASE_CLOSED ? phase_name((enum phase)(i + 1)) : NULL;
}

static const char *validity_word(unsigned i)
{
	return i <= RESET_OUT_OF_WINDOW ? validity_name((enum reset_validity)i) : NULL;
}

static const char *basis_word(unsigned i)
{
	return i < BASIS_UNKNOWN ? basis_name((enum basis)(i + 1)) : NULL;
}

static const char *how_word(unsigned i)
{
	return i < HOW_KERNEL ? how_name((enum how)(i + 1)) : NULL;
}

static const char *type_word(unsigned i)
{
	static const char *const words[] = {"ipv4", "ipv6", NULL};

	return words[i];
}

/* By short form. Fields that are not here can have any text. */
static const struct {
	const char *field;
	const char *(*word)(unsigned i);
} vocabularies[] = {
	{"outcome", outcome_word},   {"pattern", pattern_word},   {"closer", role_word},
	{"time_wait", role_word},    {"reset_by", role_word},     {"state", state_word},
	{"missing", missing_word},   {"reset_phase", phase_word}, {"reset_validity", validity_word},
	{"basis_reset", basis_word}, {"basis_fin", basis_word},   {"process_how", how_word},
	{"type", type_word},
};

static const char *word(unsigned which, unsigned i)
{
	char text[NEAREST_NAME];

	shorten(text, record_fields[which].column);
	for (unsigned n = 0; n < COUNT(vocabularies); n++)
		if (!strcmp(vocabularies[n].field, text))
			return vocabularies[n].word(i);
	return NULL;
}

/* ---- values ---- */

static enum record_field_type type(unsigned which)
{
	return record_fields[which].type;
}

static void value(struct field_value *v, const void *subject, unsigned which)
{
	record_field_value(v, subject, which);
}

const struct condition_names field_names = {
	.what = "field",
	.name = suggestion,
	.find = find,
	.type = type,
	.word = word,
	.value = value,
};
