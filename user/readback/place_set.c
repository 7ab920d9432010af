// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A value of JSON into a place of a record: each kind of place has the texts, numbers and ranges that fit it.
 */
#include "user/readback/record_places.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <time.h>

#include "user/base/clock.h"

#define TIME_MOST ((uint64_t)INT64_MAX)

static const char *set_number(const struct record_place *place, const struct json_value *v)
{
	unsigned bits = 8 * (unsigned)place->size - place->is_signed;
	uint64_t most = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;

	if (v->type != JSON_NUMBER)
		return "is no number";
	if (!v->whole)
		return "is no integer below 2^64";
	if (v->negative && v->number)
		return "is negative";
	if (v->number > most)
		return "is too large";
	memcpy(place->at, &v->number, place->size);
	return NULL;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first bytes of a number are the lowest");

/* n digits. -1 where there are fewer. */
static int take_number(const char **p, int n)
{
	int number = 0;

	for (; n; n--, ++*p) {
		if (**p < '0' || **p > '9')
			return -1;
		number = number * 10 + **p - '0';
	}
	return number;
}

/* RFC 3339 in UTC, with at most nine digits of the second. False: it is none. */
static bool read_time(const char *p, uint64_t *ns)
{
	static const struct {
		int digits;
		char behind;
	} parts[] = {{4, '-'}, {2, '-'}, {2, 'T'}, {2, ':'}, {2, ':'}, {2, '\0'}};
	int n[6], digits = 0;
	uint64_t fraction = 0;
	struct tm tm, made;
	time_t seconds;

	for (int i = 0; i < 6; i++) {
		n[i] = take_number(&p, parts[i].digits);
		if (n[i] < 0 || (parts[i].behind && *p++ != parts[i].behind))
			return false;
	}
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9' && digits < 9; digits++)
			fraction = fraction * 10 + (unsigned)(*p++ - '0');
	for (; digits < 9; digits++)
		fraction *= 10;
	tm = made = (struct tm){n[5], n[4], n[3], n[2], n[1] - 1, n[0] - 1900, .tm_isdst = 0};
	seconds = timegm(&made);
	*ns = (uint64_t)seconds * SECOND_NS + fraction;
	return !strcmp(p, "Z") && seconds >= 0 && (uint64_t)seconds < TIME_MOST / SECOND_NS &&
	       made.tm_sec == tm.tm_sec && made.tm_min == tm.tm_min && made.tm_hour == tm.tm_hour &&
	       made.tm_mday == tm.tm_mday;
}

static const char *set_time(const struct record_place *place, const struct json_value *v)
{
	if (v->type != JSON_STRING || !read_time(v->text, place->at))
		return "is no time such as 2026-11-22T06:07:35.565665123Z";
	return NULL;
}

static const char *set_bool(const struct record_place *place, const struct json_value *v)
{
	if (v->type != JSON_BOOL)
		return "is neither true nor false";
	*(bool *)place->at = v->truth;
	return NULL;
}

static const char *set_answer(const struct record_place *place, const struct json_value *v)
{
	if (v->type != JSON_BOOL)
		return "is neither true nor false";
	*(enum answer *)place->at = v->truth ? YES : NO;
	return NULL;
}

static const char *set_word(const struct record_place *place, const struct json_value *v)
{
	if (v->type != JSON_STRING)
		return "is no word";
	for (unsigned n = 0; n <= place->last; n++) {
		const char *word = place->word(n);

		if (word && !strcmp(word, v->text)) {
			memcpy(place->at, &n, place->size);
			return NULL;
		}
	}
	return "is a word that this version does not know";
}

static const char *set_flags(const struct record_place *place, const struct json_value *v)
{
	char text[10];

	if (v->type != JSON_STRING)
		return "is no word";
	for (unsigned flags = 0; flags < 256; flags++)
		if (!strcmp(flags_text((uint8_t)flags, text), v->text)) {
			*(uint8_t *)place->at = (uint8_t)flags;
			return NULL;
		}
	return "has letters that are no TCP flags in tcpdump's order";
}

static const char *set_text(const struct record_place *place, const struct json_value *v)
{
	if (v->type != JSON_STRING)
		return "is no text";
	if (place->kind == PLACE_POINTER) {
		*(const char **)place->at = v->text;
		return NULL;
	}
	if (strlen(v->text) >= place->size)
		return "is too long";
	memcpy(place->at, v->text, strlen(v->text) + 1);
	return NULL;
}

static const char *set_address(const struct record_place *place, const struct json_value *v)
{
	bool v6 = v->type == JSON_STRING && strchr(v->text, ':');

	if (v->type != JSON_STRING || inet_pton(v6 ? AF_INET6 : AF_INET, v->text, place->at) != 1)
		return "is no address";
	return NULL;
}

const char *record_place_set(const struct record_place *place, const struct json_value *v)
{
	static const char *(*const set[])(const struct record_place *place, const struct json_value *v) = {
		[PLACE_NUMBER] = set_number, [PLACE_TIME] = set_time,       [PLACE_BOOL] = set_bool,
		[PLACE_ANSWER] = set_answer, [PLACE_WORD] = set_word,       [PLACE_CHARS] = set_text,
		[PLACE_POINTER] = set_text,  [PLACE_ADDRESS] = set_address, [PLACE_FLAGS] = set_flags,
	};

	return place->kind == PLACE_NONE ? NULL : set[place->kind](place, v);
}

bool record_word_fits(const char *word)
{
	for (; *word; word++)
		if (!isalnum((unsigned char)*word) && !strchr("-_^", *word))
			return false;
	return true;
}
