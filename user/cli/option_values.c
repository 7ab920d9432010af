// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Types of option values, each with its parser and its printer: numbers, names, and what is neither.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/base/decimal.h"
#include "user/cli/option_values.h"
#include "user/cli/options.h"
#include "user/filter/field_names.h"
#include "user/record/groups.h"
#include "user/record/record.h"

/* ---- numbers ---- */

static int read_number(const struct option_row *row, const char *text, uint64_t *value)
{
	const char *end = decimal_read(text, row->kind->scale, value);

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
	const char *end = decimal_read(text, 1, &value), *suffix;
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

#define MILLION 1000000

/* A number and a suffix of 1024's powers; without one, millions of bytes, as tcpdump's -C has it. */
static int parse_file_size(const struct option_row *row, void *where, const char *text)
{
	uint64_t value, unit = MILLION;
	const char *end = decimal_read(text, 1, &value), *suffix;

	if (!end)
		return -EINVAL;
	suffix = *end ? strchr(byte_suffixes, toupper((unsigned char)*end)) : NULL;
	if (suffix) {
		unit = 1ULL << 10 * (unsigned)(suffix - byte_suffixes + 1);
		end++;
	}
	if (*end || !value || value > row->max / unit)
		return -EINVAL;
	store_number(row, where, value * unit);
	return 0;
}

/* Passes over a "!" in front, which is stored. */
static const char *read_negation(const char *text, bool *negated)
{
	*negated = *text == '!';
	return text + *negated;
}

/* PORT or PORT-PORT, with or without "!" in front. */
static int parse_port(const struct option_row *row, void *where, const char *text)
{
	struct filter *f = where;
	struct filter_ports ports;
	uint64_t first, last;
	const char *p = read_negation(text, &ports.negated);

	p = decimal_read(p, 1, &first);
	last = first;
	if (p && *p == '-')
		p = decimal_read(p + 1, 1, &last);
	if (!p || *p || first < row->min || last > row->max || first > last)
		return -EINVAL;
	if (f->port_count == FILTER_MAX)
		return -E2BIG;
	ports.first = (uint16_t)first;
	ports.last = (uint16_t)last;
	f->ports[f->port_count++] = ports;
	return 0;
}

static int parse_pid(const struct option_row *row, void *where, const char *text)
{
	struct record_filter *f = where;
	struct record_filter_pids pid;
	uint64_t value;
	int err = read_number(row, read_negation(text, &pid.negated), &value);

	if (err)
		return err;
	if (f->pid_count == FILTER_MAX)
		return -E2BIG;
	pid.pid = (uint32_t)value;
	f->pids[f->pid_count++] = pid;
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

static const char *color_name(unsigned i)
{
	static const char *const names[] = {
		[COLOR_AUTO] = "auto",
		[COLOR_ALWAYS] = "always",
		[COLOR_NEVER] = "never",
	};

	return names[i];
}

static const char *transport_name(unsigned i)
{
	static const char *const names[] = {[IPFIX_UDP] = "udp", [IPFIX_TCP] = "tcp"};

	return names[i];
}

static const char *outcome_name_at(unsigned i)
{
	return outcome_name((enum outcome)i);
}

static const char *closer_name_at(unsigned i)
{
	const char *name = role_name((enum role)i);

	return name ? name : "unknown";
}

void option_print_names(struct buffer *b, const struct option_kind *kind)
{
	for (unsigned i = 0; i < kind->names; i++) {
		if (i)
			buffer_text(b, i + 1 < kind->names ? ", " : " or ");
		buffer_text(b, kind->name(i));
	}
}

/* The text format prints "handshake-reset" for handshake_reset, so both are taken. */
static bool name_equal(const char *name, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] != name[i] && !(text[i] == '-' && name[i] == '_'))
			return false;
	return true;
}

/* The value whose name is the first len bytes of text, or -1. */
static int find_name(const struct option_kind *kind, const char *text, size_t len)
{
	for (unsigned i = 0; i < kind->names; i++)
		if (strlen(kind->name(i)) == len && name_equal(kind->name(i), text, len))
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

/* Adds NAME[,NAME]... to a mask; "!" in front is of the name that follows. */
static int parse_names(const struct option_row *row, void *where, const char *text)
{
	struct record_filter_mask *mask = where;

	for (;;) {
		bool negated;
		size_t len;
		int value;

		text = read_negation(text, &negated);
		len = strcspn(text, ",");
		value = find_name(row->kind, text, len);
		if (value < 0)
			return -EINVAL;
		*(negated ? &mask->unwanted : &mask->wanted) |= 1u << value;
		if (!text[len])
			return 0;
		text += len + 1;
	}
}

/* NAME[,NAME]..., in that order, each once. */
static int parse_columns(const struct option_row *row, void *where, const char *text)
{
	struct option_columns *columns = where;

	for (;; text++) {
		size_t len = strcspn(text, ",");
		int value = find_name(row->kind, text, len);

		for (unsigned i = 0; value >= 0 && i < columns->count; i++)
			if (columns->list[i] == (enum text_column)value)
				value = -1;
		if (value < 0)
			return -EINVAL;
		columns->list[columns->count++] = (enum text_column)value;
		text += len;
		if (!*text)
			return 0;
	}
}

static int parse_groups(const struct option_row *row, void *where, const char *text)
{
	(void)row;
	return groups_parse(where, text);
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
	const char *end = decimal_read(text, 1, prefix);

	return !end || *end || *prefix > bits ? -EINVAL : 0;
}

/* PORT, ADDRESS:PORT or [ADDRESS]:PORT; an IPv6 address takes the brackets, which tell its last part from the port. */
static int parse_listen(const struct option_row *row, void *where, const char *text)
{
	struct option_listen l = {.text = text, .family = 4, .address = {127, 0, 0, 1}};
	const char *colon = strrchr(text, ':'), *end;
	bool brackets = colon && *text == '[' && colon[-1] == ']';
	uint64_t port;

	if (brackets)
		l.family = read_address(text + 1, (size_t)(colon - text) - 2, l.address);
	else if (colon)
		l.family = read_address(text, (size_t)(colon - text), l.address);
	end = decimal_read(colon ? colon + 1 : text, 1, &port);
	if (!l.family || (l.family == 6) != brackets || !end || *end || port < row->min || port > row->max)
		return -EINVAL;
	l.port = (uint16_t)port;
	*(struct option_listen *)where = l;
	return 0;
}

/*
 * HOST:PORT or [ADDRESS]:PORT; an IPv6 address takes the brackets, and may end in %INTERFACE. Whether there is such a
 * host is found when it is looked up.
 */
static int parse_collector(const struct option_row *row, void *where, const char *text)
{
	struct option_collector c = {.text = text};
	const char *colon = strrchr(text, ':'), *end, *host = text;
	bool brackets = colon && *text == '[' && colon[-1] == ']';
	size_t len = colon ? (size_t)(colon - text) : 0;
	uint8_t address[16];
	uint64_t port;

	if (brackets) {
		host++;
		len -= 2;
	}
	end = colon ? decimal_read(colon + 1, 1, &port) : NULL;
	if (!len || len >= sizeof(c.host) || !end || *end || port < row->min || port > row->max)
		return -EINVAL;
	if (brackets ? read_address(host, strcspn(host, "%]"), address) != 6 : strcspn(host, ":[]% ") != len)
		return -EINVAL;
	memcpy(c.host, host, len);
	snprintf(c.port, sizeof(c.port), "%u", (unsigned)port);
	*(struct option_collector *)where = c;
	return 0;
}

#define TOPIC_MAX 249 /* bytes: Kafka's limit */
#define TOPIC_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static bool is_topic(const char *topic)
{
	size_t len = strlen(topic);

	return len && len <= TOPIC_MAX && strspn(topic, TOPIC_CHARACTERS) == len && strcmp(topic, ".") != 0 &&
	       strcmp(topic, "..") != 0;
}

/* The last slash divides the two; librdkafka reads the brokers. */
static int parse_kafka(const struct option_row *row, void *where, const char *text)
{
	const char *slash = strrchr(text, '/');
	struct option_kafka *k = where;
	char *copy;

	(void)row;
	if (!slash || slash == text || !is_topic(slash + 1))
		return -EINVAL;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(k->brokers);
	k->brokers = copy;
	k->topic = copy + (slash - text) + 1;
	k->topic[-1] = '\0';
	return 0;
}

static int parse_host(const struct option_row *row, void *where, const char *text)
{
	struct filter *f = where;
	struct filter_host host = {0};
	const char *address = read_negation(text, &host.negated);
	size_t len = strcspn(address, "/");
	uint64_t bits, prefix;

	(void)row;
	host.family = read_address(address, len, host.ip);
	prefix = bits = host.family == 4 ? 32 : 128;
	if (!host.family || (address[len] && read_prefix(address + len + 1, bits, &prefix)))
		return -EINVAL;
	if (f->host_count == FILTER_MAX)
		return -E2BIG;
	host.prefix = (unsigned)prefix;
	f->hosts[f->host_count++] = host;
	return 0;
}

static int parse_pattern(const struct option_row *row, void *where, const char *text)
{
	struct record_filter_texts *t = where;
	struct record_filter_text pattern;

	(void)row;
	pattern.pattern = read_negation(text, &pattern.negated);
	if (!*pattern.pattern)
		return -EINVAL;
	if (t->count == FILTER_MAX)
		return -E2BIG;
	t->texts[t->count++] = pattern;
	return 0;
}

char option_value_fault[512];

/* Adds a condition to a list of *count. */
static int add_condition(struct condition *list[FILTER_MAX], unsigned *count, const struct condition_names *names,
			 const char *text)
{
	struct condition *c;

	if (*count == FILTER_MAX)
		return -E2BIG;
	c = condition_parse(names, text, option_value_fault, sizeof(option_value_fault));
	if (!c)
		return -EBADMSG;
	list[(*count)++] = c;
	return 0;
}

static int parse_where(const struct option_row *row, void *where, const char *text)
{
	struct record_filter *f = where;

	(void)row;
	return add_condition(f->where, &f->where_count, &field_names, text);
}

static int parse_check(const struct option_row *row, void *where, const char *text)
{
	struct checks *c = where;

	(void)row;
	return add_condition(c->list, &c->count, &check_names, text);
}

static int parse_interface(const struct option_row *row, void *where, const char *text)
{
	const char *fault = option_interfaces_add(where, text);

	(void)row;
	if (fault)
		snprintf(option_value_fault, sizeof(option_value_fault), "%s", fault);
	return fault ? -EBADMSG : 0;
}

static int parse_file(const struct option_row *row, void *where, const char *text)
{
	(void)row;
	*(const char **)where = text;
	return *text ? 0 : -EINVAL;
}

static int parse_netns(const struct option_row *row, void *where, const char *text)
{
	(void)row;
	*(const char **)where = text;
	return *text && !strchr(text, '/') ? 0 : -EINVAL;
}

static int parse_files(const struct option_row *row, void *where, const char *text)
{
	(void)row;
	return *text ? option_files_add(where, text) : -EINVAL;
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
const struct option_kind kind_file_size = {
	.parse = parse_file_size, .print = print_bytes, .scale = 1, .form = " bytes; a plain number counts millions"};
const struct option_kind kind_port = {.parse = parse_port,
				      .print = print_number,
				      .scale = 1,
				      .form = ", or FIRST-LAST, with or without !",
				      .list = true};
const struct option_kind kind_pid = {
	.parse = parse_pid, .print = print_number, .scale = 1, .form = ", with or without !", .list = true};
const struct option_kind kind_format = {.parse = parse_name,
					.print = print_name,
					.name = format_name,
					.names = FORMAT_LADDER + 1,
					.form = "",
					.once = true};
const struct option_kind kind_color = {.parse = parse_name,
				       .print = print_name,
				       .name = color_name,
				       .names = COLOR_NEVER + 1,
				       .form = "",
				       .once = true};
const struct option_kind kind_columns = {
	.parse = parse_columns, .name = text_column_name, .names = TEXT_COLUMNS, .form = ", each once", .once = true};
const struct option_kind kind_groups = {
	.parse = parse_groups, .name = group_name, .names = GROUP_FIELDS, .form = ", each once", .once = true};
const struct option_kind kind_hook = {
	.parse = parse_name, .print = print_name, .name = hook_name, .names = HOOK_TC + 1, .form = "", .once = true};
const struct option_kind kind_outcomes = {
	.parse = parse_names, .name = outcome_name_at, .names = OUTCOMES, .form = "", .list = true};
const struct option_kind kind_closers = {
	.parse = parse_names, .name = closer_name_at, .names = NETWORK + 1, .form = "", .list = true};
const struct option_kind kind_host = {
	.parse = parse_host, .form = "an IPv4 or IPv6 address, with or without /PREFIX", .list = true};
const struct option_kind kind_patterns = {
	.parse = parse_pattern, .form = "a text, * and ? stand for others", .list = true};
const struct option_kind kind_where = {.parse = parse_where, .form = "a condition", .list = true};
const struct option_kind kind_check = {.parse = parse_check, .form = "a condition", .list = true};
const struct option_kind kind_interfaces = {.parse = parse_interface, .form = "a name", .list = true};
const struct option_kind kind_listen = {.parse = parse_listen,
					.form = "PORT, ADDRESS:PORT or [ADDRESS]:PORT, with a port from 1 to 65535",
					.once = true};
const struct option_kind kind_collector = {
	.parse = parse_collector, .form = "HOST:PORT or [ADDRESS]:PORT, with a port from 1 to 65535", .once = true};
const struct option_kind kind_transport = {.parse = parse_name,
					   .print = print_name,
					   .name = transport_name,
					   .names = IPFIX_TCP + 1,
					   .form = "",
					   .once = true};
const struct option_kind kind_kafka = {
	.parse = parse_kafka,
	.form = "BROKERS/TOPIC: HOST:PORT[,HOST:PORT...] and a name of letters, digits, '.', '_' and '-'",
	.once = true};
const struct option_kind kind_file = {.parse = parse_file, .form = "a path", .once = true};
const struct option_kind kind_netns = {
	.parse = parse_netns, .form = "a name of ip-netns(8), a process number or all", .once = true};
const struct option_kind kind_files = {.parse = parse_files, .form = "a path, or - for standard input", .list = true};
const struct option_kind kind_help = {.parse = parse_help};
const struct option_kind kind_version = {.parse = parse_version};
