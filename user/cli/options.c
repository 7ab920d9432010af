// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command line from one table: a row an option, a kind a type of value. Parsing, ranges, error messages, defaults
 * and --help are all read from the rows.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "user/base/log.h"
#include "user/cli/options.h"

#ifndef TCPFIN_VERSION
#define TCPFIN_VERSION "0.1.0"
#endif

#define MILLISECOND 1000000ULL
#define SECOND (1000 * MILLISECOND)
#define YEAR (365 * 86400 * SECOND)
#define MEBI (1u << 20)

static const struct options defaults = {
	.settle = 500 * MILLISECOND,
	.syn_timeout = 10 * SECOND,
	.close_timeout = 60 * SECOND,
	.idle_timeout = 7200 * SECOND,
	.max_flows = 65536,
	.max_closing = 16384,
	.max_unproven = 32768,
	.ring_bytes = 4 * MEBI,
};

struct row;

/* A type of value. Numbers have a scale, choices have names, the others neither. */
struct kind {
	/* Stores the value of text (NULL where the option has none): 0, a negative errno, or LEAVE. */
	int (*parse)(const struct row *row, void *where, const char *text);
	/* The stored value as it would be typed. */
	void (*print)(struct buffer *b, const struct kind *kind, uint64_t value);
	uint64_t scale;                  /* units of the stored number in one of the typed one, a power of ten */
	const char *(*name)(unsigned i); /* name of the stored value i */
	unsigned names;                  /* how many there are */
	const char *form;                /* end of the sentence "a NOUN is ..." in errors */
	bool once;                       /* a second, different value contradicts the first */
	bool list;                       /* values add up */
};

struct row {
	const char *group; /* heading, in the first row of a group */
	const char *name;
	char letter;
	const struct kind *kind;
	size_t where, size; /* of the member of struct options */
	uint64_t min, max;  /* numbers: of the stored value. kind_fixed: min is the value */
	uint64_t implied;   /* numbers: stored where no value is given; 0: it must be */
	const char *meta;   /* the value's name in --help; NULL: the option has none */
	const char *noun;   /* what the value is, in errors */
	const char *help;
};

#define LEAVE 1 /* all is done and well: --help, --version */

/* ---- numbers ---- */

/*
 * Decimal digits times scale; with a scale above 1, also a fraction down to one unit. Returns what follows, NULL where
 * there is no number or it does not fit.
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

static int read_number(const struct row *row, const char *text, uint64_t *value)
{
	const char *end = read_decimal(text, row->kind->scale, value);

	return !end || *end || *value < row->min || *value > row->max ? -EINVAL : 0;
}

static void store_number(const struct row *row, void *where, uint64_t value)
{
	if (row->size == sizeof(uint32_t))
		*(uint32_t *)where = (uint32_t)value;
	else
		*(uint64_t *)where = value;
}

static uint64_t default_number(const struct row *row)
{
	const void *where = (const char *)&defaults + row->where;

	return row->size == sizeof(uint32_t) ? *(const uint32_t *)where : *(const uint64_t *)where;
}

static int parse_number(const struct row *row, void *where, const char *text)
{
	uint64_t value = row->implied;
	int err = text ? read_number(row, text, &value) : 0;

	if (!err)
		store_number(row, where, value);
	return err;
}

static void print_number(struct buffer *b, const struct kind *kind, uint64_t value)
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

static const char byte_suffixes[] = "KMG";

static int parse_bytes(const struct row *row, void *where, const char *text)
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

static void print_bytes(struct buffer *b, const struct kind *kind, uint64_t value)
{
	unsigned suffix = 0;

	(void)kind;
	for (; value && value % 1024 == 0 && byte_suffixes[suffix]; suffix++)
		value /= 1024;
	buffer_unsigned(b, value);
	if (suffix)
		buffer_char(b, byte_suffixes[suffix - 1]);
}

static int parse_port(const struct row *row, void *where, const char *text)
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
	/* clang-format off: a row a case */
	static const char *const names[] = {
		[FORMAT_TEXT] = "text",
		[FORMAT_JSON] = "json",
		[FORMAT_CSV] = "csv",
		[FORMAT_LADDER] = "ladder",
	};
	/* clang-format on */

	return names[i];
}

static const char *hook_name(unsigned i)
{
	/* clang-format off: a row a case */
	static const char *const names[] = {
		[HOOK_AUTO] = "auto",
		[HOOK_XDP] = "xdp",
		[HOOK_XDP_GENERIC] = "xdp-generic",
		[HOOK_TC] = "tc",
	};
	/* clang-format on */

	return names[i];
}

static const char *outcome_name_at(unsigned i)
{
	return outcome_name((enum outcome)i);
}

/* "a, b or c" */
static void print_names(struct buffer *b, const struct kind *kind)
{
	for (unsigned i = 0; i < kind->names; i++) {
		if (i)
			buffer_text(b, i + 1 < kind->names ? ", " : " or ");
		buffer_text(b, kind->name(i));
	}
}

/* The value whose name is the first len bytes of text, or -1. */
static int find_name(const struct kind *kind, const char *text, size_t len)
{
	for (unsigned i = 0; i < kind->names; i++)
		if (strlen(kind->name(i)) == len && !memcmp(kind->name(i), text, len))
			return (int)i;
	return -1;
}

static int parse_name(const struct row *row, void *where, const char *text)
{
	int value = find_name(row->kind, text, strlen(text));

	if (value < 0)
		return -EINVAL;
	store_number(row, where, (uint64_t)value);
	return 0;
}

static void print_name(struct buffer *b, const struct kind *kind, uint64_t value)
{
	buffer_text(b, kind->name((unsigned)value));
}

/* NAME[,NAME]... into a mask */
static int parse_names(const struct row *row, void *where, const char *text)
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

/* ADDRESS of `len` bytes. Returns its family (4 or 6), or 0. */
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

static int parse_host(const struct row *row, void *where, const char *text)
{
	struct filter *f = where;
	size_t len = strcspn(text, "/");
	uint8_t ip[16] = {0};
	int family = read_address(text, len, ip);
	uint64_t bits = family == 4 ? 32 : 128, prefix = bits;

	(void)row;
	if (!family)
		return -EINVAL;
	if (text[len]) {
		const char *end = read_decimal(text + len + 1, 1, &prefix);

		if (!end || *end || prefix > bits)
			return -EINVAL;
	}
	if (f->host_count == FILTER_MAX)
		return -E2BIG;
	memcpy(f->hosts[f->host_count].ip, ip, sizeof(ip));
	f->hosts[f->host_count].family = family;
	f->hosts[f->host_count].prefix = (unsigned)prefix;
	f->host_count++;
	return 0;
}

static int parse_file(const struct row *row, void *where, const char *text)
{
	(void)row;
	if (!*text)
		return -EINVAL;
	*(const char **)where = text;
	return 0;
}

static int parse_flag(const struct row *row, void *where, const char *text)
{
	(void)row;
	(void)text;
	*(bool *)where = true;
	return 0;
}

static int parse_fixed(const struct row *row, void *where, const char *text)
{
	(void)text;
	*(int *)where = (int)row->min;
	return 0;
}

/* An option that asks for what is done anyway. */
static int parse_nothing(const struct row *row, void *where, const char *text)
{
	(void)row;
	(void)where;
	(void)text;
	return 0;
}

static int print_and_leave(const struct buffer *b)
{
	if (fwrite(b->data, 1, b->len, stdout) < b->len || fflush(stdout))
		return -EIO;
	return LEAVE;
}

static int parse_version(const struct row *row, void *where, const char *text)
{
	struct buffer b = {0};
	int err;

	(void)row;
	(void)where;
	(void)text;
	buffer_text(&b, "tcpfin-trace " TCPFIN_VERSION "\n");
	err = print_and_leave(&b);
	buffer_free(&b);
	return err;
}

static int parse_help(const struct row *row, void *where, const char *text);

/* ---- the table ---- */

static const struct kind kind_flag = {.parse = parse_flag};
static const struct kind kind_fixed = {.parse = parse_fixed, .once = true};
static const struct kind kind_nothing = {.parse = parse_nothing};
static const struct kind kind_count = {.parse = parse_number, .print = print_number, .scale = 1, .form = ""};
static const struct kind kind_seconds = {
	.parse = parse_number, .print = print_number, .scale = SECOND, .form = " seconds"};
static const struct kind kind_milliseconds = {
	.parse = parse_number, .print = print_number, .scale = MILLISECOND, .form = " milliseconds"};
static const struct kind kind_bytes = {
	.parse = parse_bytes, .print = print_bytes, .scale = 1, .form = " bytes, a power of two"};
static const struct kind kind_port = {.parse = parse_port, .print = print_number, .scale = 1, .form = "", .list = true};
static const struct kind kind_format = {.parse = parse_name,
					.print = print_name,
					.name = format_name,
					.names = FORMAT_LADDER + 1,
					.form = "",
					.once = true};
static const struct kind kind_hook = {
	.parse = parse_name, .print = print_name, .name = hook_name, .names = HOOK_TC + 1, .form = "", .once = true};
static const struct kind kind_outcomes = {
	.parse = parse_names, .name = outcome_name_at, .names = OUTCOMES, .form = "", .list = true};
static const struct kind kind_host = {
	.parse = parse_host, .form = "an IPv4 or IPv6 address, with or without /PREFIX", .list = true};
static const struct kind kind_file = {.parse = parse_file, .form = "a path, or - for standard input", .once = true};
static const struct kind kind_help = {.parse = parse_help};
static const struct kind kind_version = {.parse = parse_version};

#define FIELD(member) .where = offsetof(struct options, member), .size = sizeof(((struct options *)0)->member)

/* clang-format off: a row a case */
static const struct row rows[] = {
	{.group = "Input",
	 .name = "read",
	 .letter = 'r',
	 .kind = &kind_file,
	 FIELD(read_file),
	 .meta = "FILE",
	 .noun = "file",
	 .help = "read a capture (pcap or pcapng; - is standard input) instead of interfaces"},
	{.name = "hook",
	 .kind = &kind_hook,
	 FIELD(hook),
	 .meta = "HOOK",
	 .noun = "hook",
	 .help = "where packets are seen"},
	{.name = "follow",
	 .kind = &kind_flag,
	 FIELD(follow),
	 .help = "wait for an interface that vanished, and watch it again once it is back"},
	{.name = "count",
	 .letter = 'c',
	 .kind = &kind_count,
	 FIELD(count),
	 .min = 1,
	 .max = 1000000000000ULL,
	 .meta = "N",
	 .noun = "count",
	 .help = "stop after N records"},
	{.name = "duration",
	 .letter = 'd',
	 .kind = &kind_seconds,
	 FIELD(duration),
	 .min = MILLISECOND,
	 .max = YEAR,
	 .meta = "SECONDS",
	 .noun = "duration",
	 .help = "stop after that time, fractions allowed"},

	{.group = "Filters (all is watched, what matches is reported)",
	 .name = "ipv4",
	 .letter = '4',
	 .kind = &kind_fixed,
	 FIELD(filter.family),
	 .min = 4,
	 .noun = "IP version",
	 .help = "IPv4 only"},
	{.name = "ipv6",
	 .letter = '6',
	 .kind = &kind_fixed,
	 FIELD(filter.family),
	 .min = 6,
	 .noun = "IP version",
	 .help = "IPv6 only"},
	{.name = "port",
	 .kind = &kind_port,
	 FIELD(filter),
	 .min = 1,
	 .max = 65535,
	 .meta = "PORT",
	 .noun = "port",
	 .help = "port of either end"},
	{.name = "host",
	 .kind = &kind_host,
	 FIELD(filter),
	 .meta = "ADDRESS[/PREFIX]",
	 .noun = "host",
	 .help = "address or network of either end"},
	{.name = "outcome",
	 .kind = &kind_outcomes,
	 FIELD(filter.outcomes),
	 .meta = "NAME[,NAME]",
	 .noun = "outcome",
	 .help = "how the connection ended"},
	{.name = "show-open",
	 .kind = &kind_flag,
	 FIELD(show_open),
	 .help = "also report what is still open at the end, or forgotten as idle"},
	{.name = "all-segments",
	 .kind = &kind_flag,
	 FIELD(all_segments),
	 .help = "count packets, bytes, retransmissions and flags of every connection"},
	{.name = "no-sockets",
	 .kind = &kind_flag,
	 FIELD(no_sockets),
	 .help = "do not ask this host's sockets which process closed, and why"},

	{.group = "Output",
	 .name = "format",
	 .kind = &kind_format,
	 FIELD(format),
	 .meta = "FORMAT",
	 .noun = "format",
	 .help = "form of the records"},
	{.name = "numeric", .letter = 'n', .kind = &kind_nothing, .help = "look up no names; it never does"},
	{.name = "verbose",
	 .letter = 'v',
	 .kind = &kind_flag,
	 FIELD(verbose),
	 .help = "explain each verdict in a sentence, say more on stderr"},
	{.name = "quiet", .letter = 'q', .kind = &kind_flag, FIELD(quiet), .help = "no notes and no summary on stderr"},
	{.name = "stats", .kind = &kind_flag, FIELD(stats), .help = "counters on stderr each second"},
	{.name = "strict", .kind = &kind_flag, FIELD(strict), .help = "exit with 4 when data was lost"},

	{.group = "Times",
	 .name = "settle",
	 .kind = &kind_milliseconds,
	 FIELD(settle),
	 .max = 60 * SECOND,
	 .meta = "MS",
	 .noun = "settling time",
	 .help = "how long a finished connection waits for late segments"},
	{.name = "syn-timeout",
	 .kind = &kind_seconds,
	 FIELD(syn_timeout),
	 .min = MILLISECOND,
	 .max = YEAR,
	 .meta = "SECONDS",
	 .noun = "timeout",
	 .help = "when a SYN is unanswered"},
	{.name = "close-timeout",
	 .kind = &kind_seconds,
	 FIELD(close_timeout),
	 .min = MILLISECOND,
	 .max = YEAR,
	 .meta = "SECONDS",
	 .noun = "timeout",
	 .help = "when a close that stands still is unfinished"},
	{.name = "idle-timeout",
	 .kind = &kind_seconds,
	 FIELD(idle_timeout),
	 .min = MILLISECOND,
	 .max = YEAR,
	 .meta = "SECONDS",
	 .noun = "timeout",
	 .help = "when a silent connection is forgotten"},

	{.group = "Limits",
	 .name = "max-flows",
	 .kind = &kind_count,
	 FIELD(max_flows),
	 .min = 1024,
	 .max = 16 * MEBI,
	 .meta = "N",
	 .noun = "table size",
	 .help = "established connections"},
	{.name = "max-closing",
	 .kind = &kind_count,
	 FIELD(max_closing),
	 .min = 1024,
	 .max = MEBI,
	 .meta = "N",
	 .noun = "table size",
	 .help = "closing connections"},
	{.name = "max-unproven",
	 .kind = &kind_count,
	 FIELD(max_unproven),
	 .min = 1024,
	 .max = MEBI / 2,
	 .meta = "N",
	 .noun = "table size",
	 .help = "handshakes in progress and strays"},
	{.name = "ring",
	 .kind = &kind_bytes,
	 FIELD(ring_bytes),
	 .min = 4096,
	 .max = 1024 * MEBI,
	 .meta = "BYTES",
	 .noun = "ring buffer",
	 .help = "kernel's ring buffer: a power of two, K, M and G allowed"},

	{.group = "Sockets of this host (no interface, no BPF)",
	 .name = "stuck",
	 .kind = &kind_seconds,
	 FIELD(stuck),
	 .min = MILLISECOND,
	 .max = YEAR,
	 .implied = SECOND,
	 .meta = "SECONDS",
	 .noun = "time",
	 .help = "closes that have stood still that long: who must act; a table every 5 seconds, once with -c 1"},
	{.name = "time-wait",
	 .kind = &kind_flag,
	 FIELD(time_wait),
	 .help = "who holds TIME-WAIT towards whom, and how full the local ports are; likewise"},

	{.group = "Repair",
	 .name = "cleanup",
	 .kind = &kind_flag,
	 FIELD(cleanup),
	 .help = "remove what killed instances have left on the interfaces, by default on all, and do nothing else"},

	{.group = "Help", .name = "help", .kind = &kind_help, .help = "this text"},
	{.name = "version", .kind = &kind_version, .help = "name and version"},
};
/* clang-format on */

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* ---- help ---- */

#define HELP_COLUMN 32
#define HELP_WIDTH 80

static const char help_head[] = "Usage: tcpfin-trace [OPTIONS] INTERFACE...\n"
				"       tcpfin-trace [OPTIONS] -r FILE\n"
				"       tcpfin-trace [OPTIONS] --stuck[=SECONDS] | --time-wait\n"
				"       tcpfin-trace --cleanup [INTERFACE...]\n"
				"Says of every TCP connection how it closed, who closed it first, how long each\n"
				"step took, and what was left undone.\n";

static const char help_tail[] = "\nExamples:\n"
				"  tcpfin-trace eth0                               every close on eth0\n"
				"  tcpfin-trace --port=443 --outcome=reset,unfinished eth0 eth1\n"
				"                                                  what went wrong with HTTPS\n"
				"  tcpfin-trace --format=ladder -r trace.pcap      closes of a capture, drawn\n"
				"  zcat trace.pcap.gz | tcpfin-trace --format=json -r - | jq .tcp.timing\n";

/* The words of text in lines from HELP_COLUMN to HELP_WIDTH. start: of the current line. */
static void help_words(struct buffer *b, size_t start, const char *text)
{
	size_t len = strcspn(text, " ");

	buffer_pad(b, start, HELP_COLUMN);
	buffer_bytes(b, text, len);
	while (text[len]) {
		text += len + 1;
		len = strcspn(text, " ");
		if (b->len - start + 1 + len > HELP_WIDTH) {
			buffer_char(b, '\n');
			start = b->len;
			buffer_pad(b, start, HELP_COLUMN);
		} else {
			buffer_char(b, ' ');
		}
		buffer_bytes(b, text, len);
	}
	buffer_char(b, '\n');
}

/* What the row's kind adds to its text: names, default, repetition. */
static void help_kind(struct buffer *b, const struct row *row)
{
	const struct kind *kind = row->kind;

	if (kind->names) {
		buffer_text(b, ": ");
		print_names(b, kind);
	}
	if (kind->list) {
		buffer_text(b, " (may be repeated)");
	} else if (kind->print) {
		uint64_t value = row->implied ? row->implied : default_number(row);

		buffer_text(b, " (default ");
		if (value < row->min)
			buffer_text(b, "no limit");
		else
			kind->print(b, kind, value);
		buffer_char(b, ')');
	}
}

static void help_row(struct buffer *b, const struct row *row)
{
	struct buffer text = {0};
	size_t start;

	if (row->group)
		buffer_printf(b, "\n%s:\n", row->group);
	start = b->len;
	if (row->letter)
		buffer_printf(b, "  -%c, --%s", row->letter, row->name);
	else
		buffer_printf(b, "      --%s", row->name);
	if (row->meta)
		buffer_printf(b, row->implied ? "[=%s]" : "=%s", row->meta);
	buffer_text(&text, row->help);
	help_kind(&text, row);
	buffer_char(&text, '\0');
	help_words(b, start, text.data);
	buffer_free(&text);
}

static int parse_help(const struct row *row, void *where, const char *text)
{
	struct buffer b = {0};
	int err;

	(void)row;
	(void)where;
	(void)text;
	buffer_text(&b, help_head);
	for (size_t i = 0; i < ROWS; i++)
		help_row(&b, &rows[i]);
	buffer_text(&b, help_tail);
	err = print_and_leave(&b);
	buffer_free(&b);
	return err;
}

/* ---- errors ---- */

#define SEE_HELP "see tcpfin-trace --help"

/* "a port is 1 to 65535" */
static void describe(struct buffer *b, const struct row *row)
{
	const struct kind *kind = row->kind;

	buffer_text(b, strchr("aeiou", row->noun[0]) ? "an " : "a ");
	buffer_text(b, row->noun);
	buffer_text(b, " is ");
	if (kind->names)
		print_names(b, kind);
	if (kind->scale) {
		kind->print(b, kind, row->min);
		buffer_text(b, " to ");
		kind->print(b, kind, row->max);
	}
	buffer_text(b, kind->form);
}

/* One line for a value refused, and the exit code. */
static int refuse(const struct row *row, const char *text, int err)
{
	struct buffer b = {0};

	buffer_text(&b, "--");
	buffer_text(&b, row->name);
	if (text)
		buffer_printf(&b, " %s", *text ? text : "\"\"");
	buffer_text(&b, ": ");
	if (err == -EEXIST)
		buffer_printf(&b, "two %ss given; choose one", row->noun);
	else if (err == -E2BIG)
		buffer_printf(&b, "more than %d %ss given; give fewer", FILTER_MAX, row->noun);
	else if (err == -EIO)
		buffer_text(&b, "cannot write to standard output");
	else
		describe(&b, row);
	log_error("%.*s", (int)b.len, b.data);
	buffer_free(&b);
	return err == -EIO ? EXIT_RUNTIME : EXIT_USAGE;
}

/* How many long options begin with these len bytes? More than one: getopt_long takes none of them. */
static unsigned count_prefixed(const char *text, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < ROWS; i++)
		n += !strncmp(rows[i].name, text, len);
	return n;
}

/* What getopt_long refused: c is ':' for a missing value, else '?'. row: the option, NULL where there is none. */
static int refuse_word(int c, const struct row *row, const char *word)
{
	size_t len = strcspn(word, "=");

	if (c == ':')
		log_error("--%s needs a value: --%s=%s", row->name, row->name, row->meta);
	else if (row)
		log_error("--%s takes no value", row->name);
	else if (optopt)
		log_error("unknown option -%c; " SEE_HELP, optopt);
	else if (count_prefixed(word + 2, len - 2) > 1)
		log_error("option %.*s is ambiguous; " SEE_HELP, (int)len, word);
	else
		log_error("unknown option %.*s; " SEE_HELP, (int)len, word);
	return EXIT_USAGE;
}

/* ---- parsing ---- */

/* What getopt_long returns for a row: above all letters. */
#define ROW_VALUE 256

static const struct row *row_of(int value)
{
	for (size_t i = 0; i < ROWS; i++)
		if (value == (int)(ROW_VALUE + i) || (value && value == rows[i].letter))
			return &rows[i];
	return NULL;
}

static int argument_of(const struct row *row)
{
	return !row->meta ? no_argument : row->implied ? optional_argument : required_argument;
}

/* The leading ':' makes getopt_long tell a missing value from an unknown option. */
static void fill_getopt(struct option longs[ROWS + 1], char shorts[2 * ROWS + 2])
{
	char *p = shorts;

	*p++ = ':';
	for (size_t i = 0; i < ROWS; i++) {
		longs[i] = (struct option){rows[i].name, argument_of(&rows[i]), NULL, (int)(ROW_VALUE + i)};
		if (!rows[i].letter)
			continue;
		*p++ = rows[i].letter;
		if (rows[i].meta)
			*p++ = ':';
	}
	*p = '\0';
	longs[ROWS] = (struct option){0};
}

/* given: by row, the value of the option so far ("" for none), NULL where it was not given. */
static bool contradicts(const char *const given[ROWS], const struct row *row, const char *text)
{
	for (size_t i = 0; i < ROWS; i++)
		if (given[i] && rows[i].where == row->where && (&rows[i] != row || strcmp(given[i], text) != 0))
			return true;
	return false;
}

static int set_option(struct options *o, const char *given[ROWS], const struct row *row, const char *text)
{
	const char *value = text ? text : "";

	if (row->kind->once && contradicts(given, row, value))
		return -EEXIST;
	given[row - rows] = value;
	return row->kind->parse(row, (char *)o + row->where, text);
}

/* Why it cannot be an interface, or NULL. The kernel's rule (dev_valid_name), and what is commonly meant else. */
static const char *interface_fault(const struct options *o, const char *name)
{
	if (!strcmp(name, "any"))
		return "not supported; name the interfaces, ip link shows them";
	if (!*name || strlen(name) >= IFNAMSIZ)
		return "an interface name has 1 to 15 bytes; ip link shows them";
	for (const char *p = name; *p; p++)
		if (*p == '/' || *p == ':' || (unsigned char)*p <= ' ' || *p == 0x7f)
			return "no interface has such a name; ip link shows them, -r reads a file";
	for (unsigned i = 0; i < o->interface_count; i++)
		if (!strcmp(o->interfaces[i], name))
			return "named twice";
	return o->interface_count == OPTIONS_MAX_INTERFACES ? "more than 64 interfaces; name fewer" : NULL;
}
_Static_assert(OPTIONS_MAX_INTERFACES == 64 && IFNAMSIZ == 16, "numbers in messages");

static int take_interfaces(struct options *o, char **names)
{
	for (; *names; names++) {
		const char *fault = interface_fault(o, *names);

		if (fault) {
			log_error("interface %s: %s", **names ? *names : "\"\"", fault);
			return EXIT_USAGE;
		}
		o->interfaces[o->interface_count++] = *names;
	}
	return -1;
}

/* What does not go with --stuck and --time-wait, or NULL. */
static const char *sockets_fault(const struct options *o)
{
	if (o->stuck && o->time_wait)
		return "give --stuck or --time-wait, not both";
	if (o->read_file || o->interface_count || o->follow || o->cleanup)
		return "--stuck and --time-wait are about this host's sockets, not interfaces or files";
	return o->format > FORMAT_JSON ? "--stuck and --time-wait have the formats text and json" : NULL;
}

/* What no single option can tell. */
static int check_together(const struct options *o)
{
	const char *fault = NULL;

	if (o->stuck || o->time_wait)
		fault = sockets_fault(o);
	else if (o->read_file && o->interface_count)
		fault = "give interfaces or -r FILE, not both";
	else if (o->read_file && (o->follow || o->cleanup))
		fault = "--follow and --cleanup are about interfaces, not files";
	else if (!o->read_file && !o->interface_count && !o->cleanup)
		fault = "name an interface, or a capture with -r FILE; " SEE_HELP;
	else if (o->filter.outcomes & 1u << OUTCOME_OPEN && !o->show_open)
		fault = "--outcome open: open connections are reported only with --show-open; add it";
	if (!fault)
		return -1;
	log_error("%s", fault);
	return EXIT_USAGE;
}

int options_parse(struct options *o, int argc, char **argv)
{
	const char *given[ROWS] = {0};
	struct option longs[ROWS + 1];
	char shorts[2 * ROWS + 2];
	int c, err;

	*o = defaults;
	fill_getopt(longs, shorts);
	opterr = 0;
	optind = 0; /* glibc: start afresh */
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == '?' || c == ':')
			return refuse_word(c, row_of(optopt), argv[optind - 1]);
		err = set_option(o, given, row_of(c), optarg);
		if (err < 0)
			return refuse(row_of(c), optarg, err);
		if (err == LEAVE)
			return EXIT_FINE;
	}
	err = take_interfaces(o, argv + optind);
	return err < 0 ? check_together(o) : err;
}
