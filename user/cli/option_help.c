// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the option table says to people: --help, --version, and one line for each mistake on the command line.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "user/base/log.h"
#include "user/cli/option_help.h"
#include "user/cli/options.h"

/* ---- help ---- */

#define HELP_COLUMN 32
#define HELP_WIDTH 80

static const char help_head[] = "Usage: tcpfin-trace [OPTIONS] INTERFACE... [EXPRESSION]\n"
				"       tcpfin-trace [OPTIONS] -r FILE... [EXPRESSION]\n"
				"       tcpfin-trace [OPTIONS] --stuck[=SECONDS] | --time-wait\n"
				"       tcpfin-trace --probe | --cleanup [INTERFACE...]\n"
				"Reports for every TCP connection how it closed, who closed it first, how long\n"
				"each step took, and what was left undone.\n";

static const char help_tail[] = "\nExamples:\n"
				"  tcpfin-trace eth0                               every close on eth0\n"
				"  tcpfin-trace --port=443 --outcome=reset,unfinished eth0 eth1\n"
				"                                                  what went wrong with HTTPS\n"
				"  tcpfin-trace --format=ladder -r trace.pcap      closes of a capture, drawn\n"
				"  tcpfin-trace --where='half_closed > 1s' eth0 'net 10.0.0.0/8 and port 443'\n"
				"                                                  slow applications\n"
				"  tcpfin-trace --format=json -r trace.pcap.gz | jq .tcp.timing\n";

/* Appends the words of text, in lines that span HELP_COLUMN to HELP_WIDTH. start: of the current line in b. */
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

static uint64_t default_number(const struct option_row *row, const struct options *defaults)
{
	const void *where = (const char *)defaults + row->where;

	return row->size == sizeof(uint32_t) ? *(const uint32_t *)where : *(const uint64_t *)where;
}

/* " (default 10)". A default below what may be typed stands for no limit. */
static void help_default(struct buffer *b, const struct option_row *row, const struct options *defaults)
{
	uint64_t value = row->implied ? row->implied : default_number(row, defaults);

	buffer_text(b, " (default ");
	if (value < row->min)
		buffer_text(b, "no limit");
	else
		row->kind->print(b, row->kind, value);
	buffer_char(b, ')');
}

/* What the row's kind adds to its text: names, default, repetition. */
static void help_kind(struct buffer *b, const struct option_row *row, const struct options *defaults)
{
	if (row->kind->names) {
		buffer_text(b, ": ");
		option_print_names(b, row->kind);
	}
	if (row->kind->list)
		buffer_text(b, " (may be repeated)");
	else if (row->kind->print)
		help_default(b, row, defaults);
}

static void help_name(struct buffer *b, const struct option_row *row)
{
	if (row->letter)
		buffer_printf(b, "  -%c, --%s", row->letter, row->name);
	else
		buffer_printf(b, "      --%s", row->name);
	if (row->meta)
		buffer_printf(b, row->implied ? "[=%s]" : "=%s", row->meta);
}

static void help_row(struct buffer *b, const struct option_row *row, const struct options *defaults)
{
	struct buffer text = {0};
	size_t start;

	if (row->group)
		buffer_printf(b, "\n%s:\n", row->group);
	start = b->len;
	help_name(b, row);
	buffer_text(&text, row->help);
	help_kind(&text, row, defaults);
	buffer_char(&text, '\0');
	help_words(b, start, text.data);
	buffer_free(&text);
}

/* Writes the text to standard output and frees it. 0 or -EIO. */
static int print(struct buffer *b)
{
	bool written = fwrite(b->data, 1, b->len, stdout) == b->len && !fflush(stdout);

	buffer_free(b);
	return written ? 0 : -EIO;
}

int option_help_print(const struct option_table *table)
{
	struct buffer b = {0};

	buffer_text(&b, help_head);
	for (size_t i = 0; i < table->count; i++)
		help_row(&b, &table->rows[i], table->defaults);
	buffer_text(&b, help_tail);
	return print(&b);
}

int option_version_print(void)
{
	struct buffer b = {0};

	buffer_text(&b, "tcpfin-trace " TCPFIN_VERSION "\n");
	return print(&b);
}

/* ---- errors ---- */

/* "a port is 1 to 65535" */
static void describe(struct buffer *b, const struct option_row *row)
{
	const struct option_kind *kind = row->kind;

	buffer_text(b, strchr("aeiou", row->noun[0]) ? "an " : "a ");
	buffer_text(b, row->noun);
	buffer_text(b, " is ");
	if (kind->names)
		option_print_names(b, kind);
	if (kind->scale) {
		kind->print(b, kind, row->min);
		buffer_text(b, " to ");
		kind->print(b, kind, row->max);
	}
	buffer_text(b, kind->form);
}

int option_refuse_value(const struct option_row *row, const char *text, int err)
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
	else if (err == -EBADMSG)
		buffer_text(&b, option_value_fault);
	else
		describe(&b, row);
	log_error("%.*s", (int)b.len, b.data);
	buffer_free(&b);
	return err == -EIO ? EXIT_RUNTIME : EXIT_USAGE;
}

/* How many long options begin with these len bytes? getopt_long takes none of them where there is more than one. */
static unsigned count_prefixed(const struct option_table *table, const char *text, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < table->count; i++)
		n += !strncmp(table->rows[i].name, text, len);
	return n;
}

int option_refuse_word(const struct option_table *table, int c, const struct option_row *row, const char *word)
{
	size_t len = strcspn(word, "=");

	if (c == ':')
		log_error("--%s needs a value: --%s=%s", row->name, row->name, row->meta);
	else if (row)
		log_error("--%s takes no value", row->name);
	else if (optopt)
		log_error("unknown option -%c; " SEE_HELP, optopt);
	else if (count_prefixed(table, word + 2, len - 2) > 1)
		log_error("option %.*s is ambiguous; " SEE_HELP, (int)len, word);
	else
		log_error("unknown option %.*s; " SEE_HELP, (int)len, word);
	return EXIT_USAGE;
}
