// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Types of option values, each with its parser and its printer: numbers, names, and what is neither.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/cli/option_values.h"
#include "user/cli/options.h"
#include "user/record/record.h"

/* ---- numbers ---- */

/*
 * Reads decimal digits times scale; with a scale above 1 also a fraction, down to one unit. Returns what follows the
 * number, or NULL where there is none or it does not fit into 64 bits.
 */
static const char *read_decimal(const char *text, uint64_t scale, uint64_t *value)
{
	const char *p = text;
	uint64_t n = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
			return NULL;
	if (__builtin_mul_overflow(n, scale, &n))
		return NULL;
	if (*p == '.' && p[1] >= '0' && p[1] <= '9') {
		for (p++; scale > 1 && *p >= '0' && *p <= '9'; p++) {
			scale /= 10;
			if (__builtin_add_overflow(n, (*p - '0') * scale, &n))
				return NULL;
		}
	}
	*value = n;
	return p == text ? NULL : p;
}

static int read_number(const struct option_row *row, const char *text, uint64_t *value)
{
	const char *end = read_decimal(text, row->kind->scale, value);

	return !end || *end || *value < row->min || *value > row->max ? -EINVAL : 0;
}

static void store_number(const struct option_row *row, void *where, uint64_t value)
{
	if (row->size == sizeof(uint32_t))
		*(uint32_t *)where = (uint32_t)value;
	else
		*(uint64_t *)where = value;
}

static int parse_number(const struct option_row *row, void *where, const char *text)
{
	uint64_t value = row->implied;
	int err = text ? read_number(row, text, &value) : 0;

	if (!err)
		store_number(row, where, value);
	return err;
}

static void print_number(struct buffer *b, const struct option_kind *kind, uint64_t value)
{
	uint64_t scale = kind->scale;

	buffer_unsigned(b, value / scale);
	value %= scale;
	if (value)
		buffer_char(b, '.');
	while (value) {
		scale /= 10;
		buffer_unsigned(b, value / scale);
		value %= scale;
	}
}

/* For powers of 1024, from the first on. */
static const char byte_suffixes[] = "KMG";

/* A power of two, in bytes or with one of the suffixes. */
static int parse_bytes(const struct option_row *row, void *where, const char *text)
{
	uint64_t value;
	const char *end = read_decimal(text, 1, &value), *suffix;
	unsigned shift = 0;

	if (!end)
		return -EINVAL;
	suffix = *end ? strchr(byte_suffixes, *end) : NULL;
	if (suffix) {
		shift = 10 * (unsigned)(suffix - byte_suffixes + 1);
		end++;
	}
	if (*end || value > row->max >> shift)
		return -EINVAL;
	value <<= shift;
	if (value < row->min || value & (value - 1))
		return -EINVAL;
	store_number(row, where, value);
	return 0;
}

static void print_bytes(struct buffer *b, const struct option_kind *kind, uint64_t value)
{
	unsigned suffix = 0;

	(void)kind;
	for (; value && value % 1024 == 0 && byte_suffixes[suffix]; suffix++)
		value /= 1024;
	buffer_unsigned(b, value);
	if (suffix)
		buffer_char(b, byte_suffixes[suffix - 1]);
}

static int parse_port(const struct option_row *row, void *where, const char *text)
{
	struct filter *f = where;
	uint64_t value;
	int err = read_number(row, text, &value);

	if (err)
		return err;
	if (f->port_count == FILTER_MAX)
		return -E2BIG;
	f->ports[f->port_count++] = (uint16_t)value;
	return 0;
}

/* ---- names ---- */

static const char *format_name(unsigned i)
{
	static const char *const names[] = {
		[FORMAT_TEXT] = "text",
		[FORMAT_JSON] = "json",
		[FORMAT_CSV] = "csv",
		[FORMAT_LADDER] = "ladder",
	};

	return names[i];
}

static const char *hook_name(unsigned i)
{
	static const char *const names[] = {
		[HOOK_AUTO] = "auto",
		[HOOK_XDP] = "xdp",
		[HOOK_XDP_GENERIC] = "xdp-generic",
		[HOOK_TC] = "tc",
	};

	return names[i];
}

static const char *outcome_name_at(unsigned i)
{
	return outcome_name((enum outcome)i);
}

void option_print_names(struct buffer *b, const struct option_kind *kind)
{
	for (unsigned i = 0; i < kind->names; i++) {
		if (i)
			buffer_text(b, i + 1 < kind->names ? ", " : " or ");
		buffer_text(b, kind->name(i));
	}
}

/* The value whose name is the first len bytes of text, or -1. */
static int find_name(const struct option_kind *kind, const char *text, size_t len)
{
	for (unsigned i = 0; i < kind->names; i++)
		if (strlen(kind->name(i)) == len && !memcmp(kind->name(i), text, len))
			return (int)i;
	return -1;
}

static int parse_name(const struct option_row *row, void *where, const char *text)
{
	int value = find_name(row->kind, text, strlen(text));

	if (value < 0)
		return -EINVAL;
	store_number(row, where, (uint64_t)value);
	return 0;
}

static void print_name(struct buffer *b, const struct option_kind *kind, uint64_t value)
{
	buffer_text(b, kind->name((unsigned)value));
}

/* Adds NAME[,NAME]... to a mask. */
static int parse_names(const struct option_row *row, void *where, const char *text)
{
	for (;;) {
		size_t len = strcspn(text, ",");
		int value = find_name(row->kind, text, len);

		if (value < 0)
			return -EINVAL;
		*(uint32_t *)where |= 1u << value;
		if (!text[len])
			return 0;
		text += len + 1;
	}
}

/* ---- other values ---- */

/*
 * Reads an address of `len` characters into ip, in network byte order. Returns its family, 4 or 6, or 0 if it is none.
 */
static int read_address(const char *text, size_t len, uint8_t ip[16])
{
	char address[INET6_ADDRSTRLEN];

	if (len >= sizeof(address))
		return 0;
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(AF_INET, address, ip) == 1)
		return 4;
	return inet_pton(AF_INET6, address, ip) == 1 ? 6 : 0;
}

/* 0, or -EINVAL where text is no number up to bits. */
static int read_prefix(const char *text, uint64_t bits, uint64_t *prefix)
{
	const char *end = read_decimal(text, 1, prefix);

	return !end || *end || *prefix > bits ? -EINVAL : 0;
}

static int parse_host(const struct option_row *row, void *where, const char *text)
{
	struct filter *f = where;
	size_t len = strcspn(text, "/");
	uint8_t ip[16] = {0};
	int family = read_address(text, len, ip);
	uint64_t bits = family == 4 ? 32 : 128, prefix = bits;

	(void)row;
	if (!family || (text[len] && read_prefix(text + len + 1, bits, &prefix)))
		return -EINVAL;
	if (f->host_count == FILTER_MAX)
		return -E2BIG;
	memcpy(f->hosts[f->host_count].ip, ip, sizeof(ip));
	f->hosts[f->host_count].family = family;
	f->hosts[f->host_count].prefix = (unsigned)prefix;
	f->host_count++;
	return 0;
}

static int parse_file(const struct option_row *row, void *where, const char *text)
{
	(void)row;
	if (!*text)
		return -EINVAL;
	*(const char **)where = text;
	return 0;
}

static int parse_flag(const struct option_row *row, void *where, const char *text)
{
	(void)row;
	(void)text;
	*(bool *)where = true;
	return 0;
}

static int parse_fixed(const struct option_row *row, void *where, const char *text)
{
	(void)text;
	*(int *)where = (int)row->min;
	return 0;
}

static int parse_nothing(const struct option_row *row, void *where, const char *text)
{
	(void)row;
	(void)where;
	(void)text;
	return 0;
}

static int parse_help(const struct option_row *row, void *where, const char *text)
{
	(void)row;
	(void)where;
	(void)text;
	return OPTION_HELP;
}

static int parse_version(const struct option_row *row, void *where, const char *text)
{
	(void)row;
	(void)where;
	(void)text;
	return OPTION_VERSION;
}

/* ---- the kinds ---- */

const struct option_kind kind_flag = {.parse = parse_flag};
const struct option_kind kind_fixed = {.parse = parse_fixed, .once = true};
const struct option_kind kind_nothing = {.parse = parse_nothing};
const struct option_kind kind_count = {.parse = parse_number, .print = print_number, .scale = 1, .form = ""};
const struct option_kind kind_seconds = {
	.parse = parse_number, .print = print_number, .scale = SECOND_NS, .form = " seconds"};
const struct option_kind kind_milliseconds = {
	.parse = parse_number, .print = print_number, .scale = MS_NS, .form = " milliseconds"};
const struct option_kind kind_bytes = {
	.parse = parse_bytes, .print = print_bytes, .scale = 1, .form = " bytes, a power of two"};
const struct option_kind kind_port = {.parse = parse_port, .print = print_number, .scale = 1, .form = "", .list = true};
const struct option_kind kind_format = {.parse = parse_name,
					.print = print_name,
					.name = format_name,
					.names = FORMAT_LADDER + 1,
					.form = "",
					.once = true};
const struct option_kind kind_hook = {
	.parse = parse_name, .print = print_name, .name = hook_name, .names = HOOK_TC + 1, .form = "", .once = true};
const struct option_kind kind_outcomes = {
	.parse = parse_names, .name = outcome_name_at, .names = OUTCOMES, .form = "", .list = true};
const struct option_kind kind_host = {
	.parse = parse_host, .form = "an IPv4 or IPv6 address, with or without /PREFIX", .list = true};
const struct option_kind kind_file = {.parse = parse_file, .form = "a path, or - for standard input", .once = true};
const struct option_kind kind_help = {.parse = parse_help};
const struct option_kind kind_version = {.parse = parse_version};
