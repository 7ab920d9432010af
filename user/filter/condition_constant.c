// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One reader for each type of constant, and one comparison for each.
 */
#define _GNU_SOURCE 1 /* strptime, timegm */
#include "user/filter/condition_constant.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "user/base/address.h"
#include "user/base/clock.h"
#include "user/base/decimal.h"

#define MAX_TEXT 128 /* bytes of a pattern or a value that is compared with one */
#define PERCENT 1000 /* units of one percent */

bool constant_takes(enum record_field_type type, enum operator op)
{
	if (op == EQUAL || op == UNEQUAL)
		return true;
	return type == FIELD_TIME || type == FIELD_DURATION || type == FIELD_BYTES || type == FIELD_COUNT ||
	       type == FIELD_NUMBER;
}

/* ---- reading ---- */

static const struct unit {
	const char *name;
	uint64_t scale;
} time_units[] = {{"ns", 1},
		  {"us", US_NS},
		  {"ms", MS_NS},
		  {"s", SECOND_NS},
		  {"m", 60 * SECOND_NS},
		  {"h", 3600 * SECOND_NS},
		  {"d", 86400 * SECOND_NS},
		  {NULL, 0}},
  byte_units[] = {{"", 1}, {"k", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}},
  no_units[] = {{"", 1}, {NULL, 0}};

/* Reads a number with one of the units; "0" needs none. */
static bool read_scaled(struct constant *c, const char *text, const struct unit *units)
{
	const char *unit = text + strspn(text, "0123456789."), *end;

	if (!strcmp(text, "0")) {
		c->number = 0;
		return true;
	}
	for (; units->name; units++) {
		if (strcasecmp(unit, units->name) != 0)
			continue;
		end = decimal_read(text, units->scale, &c->number);
		return end == unit;
	}
	return false;
}

static bool read_percent(struct constant *c, const char *text)
{
	const char *end = decimal_read(text, PERCENT, &c->number);

	c->percent = true;
	return end && !strcmp(end, "%");
}

static const char *read_number(struct constant *c, enum record_field_type type, const char *text, bool shares)
{
	if (shares && strchr(text, '%'))
		return read_percent(c, text) ? NULL : "a share is a number and %";
	if (type == FIELD_DURATION)
		return read_scaled(c, text, time_units) ? NULL : "a duration is a number and ns, us, ms, s, m, h or d";
	if (type == FIELD_BYTES)
		return read_scaled(c, text, byte_units) ? NULL : "bytes are a number, with or without k, M or G";
	return read_scaled(c, text, no_units) ? NULL : "a number is expected";
}

static const char *read_bool(struct constant *c, const char *text)
{
	c->number = !strcasecmp(text, "true") || !strcasecmp(text, "yes");
	if (c->number || !strcasecmp(text, "false") || !strcasecmp(text, "no"))
		return NULL;
	return "true or false is expected";
}

/* A moment in UTC; what is left out is 0. */
static const char *read_time(struct constant *c, const char *text)
{
	static const char *const forms[] = {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"};

	for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {0};
		const char *end = strptime(text, forms[i], &tm);

		if (!end || *end)
			continue;
		c->number = (uint64_t)timegm(&tm) * SECOND_NS;
		return NULL;
	}
	return "a time is written as 2026-11-28T10:00:00Z, or as a date";
}

static const char *read_address(struct constant *c, char *text)
{
	static const char form[] = "an address is expected, with or without /PREFIX";
	char *slash = strchr(text, '/');
	unsigned bits;

	if (slash)
		*slash = '\0';
	c->family = inet_pton(AF_INET, text, c->ip) == 1 ? 4 : inet_pton(AF_INET6, text, c->ip) == 1 ? 6 : 0;
	bits = c->family == 4 ? 32 : 128;
	c->number = bits;
	if (!c->family)
		return form;
	if (slash) {
		const char *end = decimal_read(slash + 1, 1, &c->number);

		if (!end || *end || c->number > bits)
			return form;
	}
	return NULL;
}

const char *constant_parse(struct constant *c, enum record_field_type type, const char *text, size_t len, bool shares)
{
	char word[MAX_TEXT];

	*c = (struct constant){.text = text, .len = len};
	if (!len)
		return "a value is expected";
	if (*text == '\'' || *text == '"') {
		if (len < 2 || text[len - 1] != *text)
			return "the quote is not closed";
		c->text++;
		c->len -= 2;
	}
	if (c->len >= sizeof(word))
		return "longer than 127 bytes";
	memcpy(word, c->text, c->len);
	word[c->len] = '\0';
	switch (type) {
	case FIELD_TIME:
		return read_time(c, word);
	case FIELD_BOOL:
	case FIELD_ANSWER:
		return read_bool(c, word);
	case FIELD_ADDRESS:
		return read_address(c, word);
	case FIELD_WORD:
	case FIELD_TEXT:
	case FIELD_NAMES:
	case FIELD_ID:
		return NULL;
	case FIELD_FLAGS:
		return "this column cannot be compared";
	default:
		return read_number(c, type, word, shares);
	}
}
_Static_assert(MAX_TEXT == 128, "a number in a message");

/* ---- comparing ---- */

bool constant_is_word(const struct constant *c, const char *text)
{
	for (size_t i = 0; i < c->len; i++) {
		char a = c->text[i] == '-' ? '_' : c->text[i], b = text[i] == '-' ? '_' : text[i];

		if (!b || strncasecmp(&a, &b, 1) != 0)
			return false;
	}
	return !text[c->len];
}

static bool text_matches(const struct constant *c, const char *text)
{
	char pattern[MAX_TEXT];

	snprintf(pattern, sizeof(pattern), "%.*s", (int)c->len, c->text);
	return !fnmatch(pattern, text, 0);
}

/* Is it one of them? */
static bool name_matches(const struct constant *c, const char *const *names)
{
	for (unsigned i = 0; i < RECORD_INTERFACES && names[i]; i++)
		if (text_matches(c, names[i]))
			return true;
	return false;
}

static bool address_matches(const struct constant *c, const struct field_value *v)
{
	return v->family == c->family && address_prefix_equal(c->ip, v->ip, (unsigned)c->number);
}

static bool compare_numbers(unsigned __int128 a, unsigned __int128 b, enum operator op)
{
	switch (op) {
	case EQUAL:
		return a == b;
	case UNEQUAL:
		return a != b;
	case LESS:
		return a < b;
	case AT_MOST:
		return a <= b;
	case MORE:
		return a > b;
	default:
		return a >= b;
	}
}

bool constant_holds(const struct constant *c, enum record_field_type type, const struct field_value *v,
		    enum operator op)
{
	if (type == FIELD_WORD)
		return constant_is_word(c, v->text) == (op == EQUAL);
	if (type == FIELD_TEXT || type == FIELD_ID)
		return text_matches(c, v->text) == (op == EQUAL);
	if (type == FIELD_NAMES)
		return name_matches(c, v->names) == (op == EQUAL);
	if (type == FIELD_ADDRESS)
		return address_matches(c, v) == (op == EQUAL);
	if (c->percent && !v->whole)
		return false;
	if (c->percent)
		return compare_numbers((unsigned __int128)v->number * 100 * PERCENT,
				       (unsigned __int128)c->number * v->whole, op);
	return compare_numbers(v->number, c->number, op);
}
