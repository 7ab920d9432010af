// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Recursive descent over text that ends with a NUL. No grammar rule accepts a NUL, so the end needs no other check.
 */
#include "user/readback/json.h"

#include <string.h>

#include "user/base/utf8.h"

struct parser {
	char *p;
	const char *fault; /* the first one; p then stays where it was found */
	json_visitor visit;
	void *context;
	unsigned depth;
	size_t path_len;
	char path[JSON_PATH];
};

static void fail(struct parser *j, const char *fault)
{
	if (!j->fault)
		j->fault = fault;
}

static void skip_space(struct parser *j)
{
	j->p += strspn(j->p, " \t\r\n");
}

/* Moves over the character. False: another one stands there. */
static bool take(struct parser *j, char c)
{
	if (*j->p != c || !c)
		return false;
	j->p++;
	return true;
}

static void visit(struct parser *j, const struct json_value *value)
{
	if (!j->fault)
		j->visit(j->context, j->path, value);
}

/* ---- strings ---- */

/* Four hexadecimal digits; -1 where there are fewer. */
static int32_t take_hex(struct parser *j)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	int32_t n = 0;

	for (int i = 0; i < 4; i++, j->p++) {
		const char *digit = *j->p ? strchr(digits, *j->p) : NULL;

		if (!digit)
			return -1;
		n = n << 4 | (int32_t)((digit - digits) % 16);
	}
	return n;
}

/* What stands for the character behind \u: a code point, or -1 for a surrogate without its other half. */
static int32_t take_code_point(struct parser *j)
{
	int32_t c = take_hex(j), low;

	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c > 0xdbff || !take(j, '\\') || !take(j, 'u'))
		return -1;
	low = take_hex(j);
	return low >= 0xdc00 && low <= 0xdfff ? 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff)) : -1;
}

static char *put_utf8(char *to, int32_t c)
{
	int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const int lead[] = {0, 0xc0, 0xe0, 0xf0};

	*to++ = (char)(lead[more] | c >> 6 * more);
	while (more--)
		*to++ = (char)(0x80 | (c >> 6 * more & 0x3f));
	return to;
}

/* Unescapes what stands behind a backslash. Returns where the next character goes. */
static char *take_escape(struct parser *j, char *to)
{
	static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *letter = *j->p ? strchr(letters, *j->p) : NULL;
	int32_t c;

	if (letter) {
		j->p++;
		*to = values[letter - letters];
		return to + 1;
	}
	c = take(j, 'u') ? take_code_point(j) : -1;
	if (c > 0)
		return put_utf8(to, c);
	fail(j, c ? "an escape that JSON does not have" : "U+0000 in a string");
	return to;
}

/* Copies one character of UTF-8. Returns where the next one goes. */
static char *take_character(struct parser *j, char *to)
{
	const unsigned char *p = (const unsigned char *)j->p;
	int32_t c = utf8_next(&p);
	size_t len = (size_t)((const char *)p - j->p);

	if (c < 0x20) {
		fail(j, c < 0   ? "text that is not UTF-8"
			: *j->p ? "a control character in a string"
				: "an unfinished string");
		return to;
	}
	memmove(to, j->p, len);
	j->p += len;
	return to + len;
}

/* Unescapes a string in place: it never becomes longer. NULL with a fault. */
static char *take_string(struct parser *j)
{
	char *text, *to;

	if (!take(j, '"')) {
		fail(j, "no string where one must be");
		return NULL;
	}
	text = to = j->p;
	while (!j->fault && !take(j, '"'))
		to = take(j, '\\') ? take_escape(j, to) : take_character(j, to);
	if (j->fault)
		return NULL;
	*to = '\0';
	return text;
}

/* ---- numbers and words ---- */

/* Digits, at least one, into *n where it is not NULL. False: they do not fit. */
static bool take_digits(struct parser *j, uint64_t *n)
{
	bool fits = true;

	if (*j->p < '0' || *j->p > '9')
		fail(j, "no digit where one must be");
	for (; *j->p >= '0' && *j->p <= '9'; j->p++)
		fits = fits &&
		       (!n || (!__builtin_mul_overflow(*n, 10, n) && !__builtin_add_overflow(*n, *j->p - '0', n)));
	return fits;
}

static void take_number(struct parser *j)
{
	struct json_value value = {.type = JSON_NUMBER, .negative = take(j, '-')};

	if (*j->p == '0' && j->p[1] >= '0' && j->p[1] <= '9') {
		fail(j, "a number that begins with 0");
		return;
	}
	value.whole = take_digits(j, &value.number);
	if (take(j, '.')) {
		value.whole = false;
		take_digits(j, NULL);
	}
	if (take(j, 'e') || take(j, 'E')) {
		value.whole = false;
		if (!take(j, '+'))
			take(j, '-');
		take_digits(j, NULL);
	}
	visit(j, &value);
}

static void take_word(struct parser *j)
{
	static const struct {
		const char *word;
		struct json_value value;
	} words[] = {
		{"null", {.type = JSON_NULL}},
		{"true", {.type = JSON_BOOL, .truth = true}},
		{"false", {.type = JSON_BOOL}},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strncmp(j->p, words[i].word, strlen(words[i].word))) {
			j->p += strlen(words[i].word);
			visit(j, &words[i].value);
			return;
		}
	fail(j, *j->p ? "no value where one must be" : "the line ends within a value");
}

/* ---- objects and arrays ---- */

static void take_value(struct parser *j);

/* Lengthens the path. Brackets are for arrays alone, so that no name can look like a place in one. */
static void path_add(struct parser *j, const char *separator, const char *name)
{
	size_t room = JSON_PATH - 1 - j->path_len, len = strnlen(separator, room);

	memcpy(j->path + j->path_len, separator, len);
	j->path_len += len;
	for (room -= len; *name && room; name++, room--)
		j->path[j->path_len++] = *name == '[' ? '?' : *name;
	j->path[j->path_len] = '\0';
}

static void path_cut(struct parser *j, size_t len)
{
	j->path_len = len;
	j->path[len] = '\0';
}

static void take_member(struct parser *j)
{
	size_t len = j->path_len;
	const char *name;

	skip_space(j);
	name = take_string(j);
	if (!name)
		return;
	skip_space(j);
	if (!take(j, ':')) {
		fail(j, "no colon behind a name");
		return;
	}
	path_add(j, len ? "." : "", name);
	take_value(j);
	path_cut(j, len);
}

static void take_element(struct parser *j)
{
	size_t len = j->path_len;

	path_add(j, "[]", "");
	take_value(j);
	path_cut(j, len);
}

/* What is between the brackets, the first of which was taken. */
static void take_list(struct parser *j, char end, void (*take_one)(struct parser *j))
{
	if (++j->depth > JSON_DEPTH)
		fail(j, "more than 16 objects or arrays within each other");
	skip_space(j);
	if (!take(j, end)) {
		do
			if (!j->fault)
				take_one(j);
		while (!j->fault && take(j, ','));
		if (!j->fault && !take(j, end))
			fail(j,
			     *j->p ? "no comma or closing bracket where one must be" : "the line ends within a record");
	}
	j->depth--;
}
_Static_assert(JSON_DEPTH == 16, "number in a message");

static void take_value(struct parser *j)
{
	skip_space(j);
	if (*j->p == '"') {
		struct json_value value = {.type = JSON_STRING, .text = take_string(j)};

		visit(j, &value);
	} else if (take(j, '{')) {
		visit(j, &(struct json_value){.type = JSON_OBJECT});
		take_list(j, '}', take_member);
	} else if (take(j, '[')) {
		visit(j, &(struct json_value){.type = JSON_ARRAY});
		take_list(j, ']', take_element);
	} else if (*j->p == '-' || (*j->p >= '0' && *j->p <= '9')) {
		take_number(j);
	} else {
		take_word(j);
	}
	if (!j->fault)
		skip_space(j);
}

const char *json_read(char *text, size_t len, json_visitor visitor, void *context, size_t *at)
{
	struct parser j = {.p = text, .visit = visitor, .context = context};

	take_value(&j);
	if (!j.fault && j.p != text + len)
		fail(&j, *j.p ? "more behind the end of the value" : "a NUL byte");
	*at = (size_t)(j.p - text);
	return j.fault;
}
