// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The text format: rules that hold at every width of the line, and the exact values of each column.
 */
#define _XOPEN_SOURCE 700 /* wcwidth */
#include "tests/unit/assert.h"

#include <locale.h>
#include <time.h>
#include <wchar.h>

#include "tests/unit/sample_record.h"
#include "user/format/format.h"

static struct buffer b;

/* What was appended, as a string that lasts until the next call. */
static const char *text(void)
{
	buffer_char(&b, '\0');
	b.len = 0;
	return b.data;
}

static void long_address(struct record *r)
{
	sample_reset(r);
	memcpy(r->end[SOURCE].ip + 4, "\x11\x11\x22\x22\x33\x33\x44\x44\x55\x55\x66\x66", 12);
	memcpy(r->end[DESTINATION].ip + 4, "\x11\x11\x22\x22\x33\x33\x44\x44\x55\x55\x66\x66", 12);
	r->end[SOURCE].port = r->end[DESTINATION].port = 65535;
}

static void wide_names(struct record *r)
{
	sample_sockets(r);
	r->socket[SOURCE].process.pid = 4294967295;
	snprintf(r->socket[SOURCE].process.name, RECORD_NAME, "测试测试测试测试测试测试");
	snprintf(r->socket[DESTINATION].process.name, RECORD_NAME, "größer");
}

/* The widest word of each column. */
static void wide_words(struct record *r)
{
	sample_graceful(r);
	r->outcome = OUTCOME_UNFINISHED;
	r->missing = MISSING_DESTINATION_FIN;
	r->closer = DESTINATION;
	r->end[SOURCE] = r->end[DESTINATION] = (struct record_end){.ip = {255, 255, 255, 255}, .port = 65535};
	r->end[SOURCE].bytes = 99999999999;
	r->end[DESTINATION].bytes = 99999;
	for (int i = 0; i < TIMINGS; i++)
		r->timing[i] = 365 * 86400000000000;
}

static const struct sample {
	const char *name;
	void (*make)(struct record *r);
} samples[] = {
	{"graceful", sample_graceful}, {"reset", sample_reset},     {"unanswered", sample_unanswered},
	{"sockets", sample_sockets},   {"addresses", long_address}, {"names", wide_names},
	{"words", wide_words},
};

/* ---- rules at every width ---- */

/* The columns of a terminal that a line takes, up to its newline. Every byte is a character of the locale. */
static unsigned line_columns(const char *line)
{
	unsigned columns = 0;

	while (*line != '\n') {
		wchar_t c;
		int n = mbtowc(&c, line, MB_CUR_MAX);

		assert_true(n > 0);
		columns += (unsigned)wcwidth(c);
		line += n;
	}
	return columns;
}

/* The byte at that column of the line. */
static const char *at_column(const char *line, unsigned column)
{
	for (unsigned at = 0; at < column;) {
		wchar_t c;
		int n = mbtowc(&c, line, MB_CUR_MAX);

		assert_true(n > 0 && c != L'\n');
		at += (unsigned)wcwidth(c);
		line += n;
	}
	return line;
}

/* A value begins under its heading, a blank before it. */
static void check_places(const char *line, const struct text_layout *l)
{
	for (unsigned i = 0; i < l->count; i++) {
		const char *value = at_column(line, l->cells[i].begin);

		assert_true(*value != ' ' && *value != '\n');
		assert_true(!i || value[-1] == ' ');
	}
}

static void check_headings(const struct format_style *style)
{
	format_header(&b, FORMAT_TEXT, style);
	assert_true(line_columns(text()) <= style->layout.width);
	check_places(b.data, &style->layout);
	for (unsigned i = 0; i < style->layout.count; i++) {
		const char *title = text_column_title(style->layout.cells[i].column);

		if (style->layout.cells[i].width >= strlen(title))
			assert_memory_equal(b.data + style->layout.cells[i].begin, title, strlen(title));
	}
}

static void check_width(unsigned width, const enum text_column *chosen, unsigned count)
{
	struct format_style style = {.unicode = true};

	text_layout_fit(&style.layout, width, chosen, count, 0);
	check_headings(&style);
	for (size_t i = 0; i < COUNT(samples); i++) {
		struct record r;

		enter_row("%s at %u", samples[i].name, width);
		samples[i].make(&r);
		format_record(&b, FORMAT_TEXT, &style, &r);
		assert_true(line_columns(text()) <= width);
		assert_ptr_equal(strchr(b.data, '\n'), b.data + strlen(b.data) - 1); /* one row a connection */
		check_places(b.data, &style.layout);
	}
}

TEST(test_every_width)
{
	for (unsigned width = TEXT_NARROWEST; width <= 320; width++)
		check_width(width, NULL, 0);
}

/* The same for what users choose, in any order. */
TEST(test_chosen_columns)
{
	const enum text_column some[] = {TEXT_FLAGS, TEXT_PROCESS, TEXT_DATE, TEXT_SOURCE, TEXT_CLOSE};
	enum text_column all[TEXT_COLUMNS];

	for (unsigned i = 0; i < TEXT_COLUMNS; i++)
		all[i] = TEXT_COLUMNS - 1 - i;
	for (unsigned width = TEXT_NARROWEST; width <= 320; width++) {
		check_width(width, some, COUNT(some));
		check_width(width, all, TEXT_COLUMNS);
	}
}

static bool has(unsigned width, enum text_column column)
{
	struct text_layout l;

	text_layout_fit(&l, width, NULL, 0, 0);
	for (unsigned i = 0; i < l.count; i++)
		if (l.cells[i].column == column)
			return true;
	return false;
}

/* What a line of the usual widths says. */
TEST(test_what_fits)
{
	assert_true(has(60, TEXT_SOURCE) && has(60, TEXT_DESTINATION) && has(60, TEXT_OUTCOME));
	assert_true(has(80, TEXT_TIME) && has(80, TEXT_CLOSER));
	assert_true(has(120, TEXT_PROCESS) && has(120, TEXT_LIFETIME));
	for (unsigned column = TEXT_TIME; column < TEXT_COLUMNS; column++)
		assert_true(column == TEXT_CLOSE || column == TEXT_UNIT || column == TEXT_CONTAINER ||
			    has(260, column));
}

/* -v: sentences are divided between words, and only there, unless a word is longer than the line. */
TEST(test_explanation_wraps)
{
	for (unsigned width = TEXT_NARROWEST; width <= 200; width += 20) {
		struct format_style style = {.verbose = true};
		struct record r;
		const char *line;

		enter_row("%u columns", width);
		text_layout_fit(&style.layout, width, NULL, 0, 0);
		sample_graceful(&r);
		format_record(&b, FORMAT_TEXT, &style, &r);
		for (line = strchr(text(), '\n') + 1; *line; line = strchr(line, '\n') + 1) {
			assert_true(strchr(line, '\n') - line <= width);
			assert_memory_equal(line, "    ", 4);
			assert_true(line[4] != ' ');
		}
	}
}

/* ---- values ---- */

/* The value that a column alone shows, on a line of that width; 0: without an end. */
static const char *value(const struct record *r, enum text_column column, unsigned width)
{
	struct format_style style = {0};

	text_layout_fit(&style.layout, width, &column, 1, 0);
	if (width)
		style.layout.cells[0].width = width;
	format_record(&b, FORMAT_TEXT, &style, r);
	b.len--; /* the newline */
	return text();
}

TEST(test_outcomes)
{
	struct record r;

	sample_graceful(&r);
	assert_string_equal(value(&r, TEXT_OUTCOME, 0), "graceful four-way");
	assert_string_equal(value(&r, TEXT_OUTCOME, 17), "graceful four-way");
	assert_string_equal(value(&r, TEXT_OUTCOME, 16), "graceful");
	r.pattern = PATTERN_SIMULTANEOUS;
	assert_string_equal(value(&r, TEXT_OUTCOME, 0), "graceful simultaneous");
	r.outcome = OUTCOME_UNFINISHED;
	r.missing = MISSING_DESTINATION_FIN;
	assert_string_equal(value(&r, TEXT_OUTCOME, 0), "unfinished no destination fin");
	r.missing = MISSING_SOURCE_ACK;
	assert_string_equal(value(&r, TEXT_OUTCOME, 0), "unfinished no source ack");
	r.missing = MISSING_NOTHING;
	assert_string_equal(value(&r, TEXT_OUTCOME, 0), "unfinished");
	r.outcome = OUTCOME_RESET;
	r.reset.phase = PHASE_ESTABLISHED;
	assert_string_equal(value(&r, TEXT_OUTCOME, 0), "reset established");
	r.outcome = OUTCOME_HANDSHAKE_RESET;
	assert_string_equal(value(&r, TEXT_OUTCOME, 15), "handshake-reset");
}

TEST(test_closers)
{
	struct record r;

	sample_graceful(&r);
	assert_string_equal(value(&r, TEXT_CLOSER, 6), "source");
	r.closer = DESTINATION;
	assert_string_equal(value(&r, TEXT_CLOSER, 11), "destination");
	assert_string_equal(value(&r, TEXT_CLOSER, 10), "dest");
	r.closer = NOBODY;
	assert_string_equal(value(&r, TEXT_CLOSER, 11), "-");
	r.closer = NETWORK;
	assert_string_equal(value(&r, TEXT_CLOSER, 7), "network");
}

TEST(test_times)
{
	struct record r;

	sample_graceful(&r);
	assert_string_equal(value(&r, TEXT_DATE, 0), "2026-11-22");
	assert_string_equal(value(&r, TEXT_TIME, 0), "06:07:35.565665");
	assert_string_equal(value(&r, TEXT_TIME, 14), "06:07:35");
	assert_string_equal(value(&r, TEXT_FIN_TO_ACK, 0), "36.0ms");
	assert_string_equal(value(&r, TEXT_HALF_CLOSED, 0), "1.97ms");
	assert_string_equal(value(&r, TEXT_PEER_FIN_TO_ACK, 0), "68us");
	assert_string_equal(value(&r, TEXT_CLOSE, 0), "38.1ms");
	assert_string_equal(value(&r, TEXT_LIFETIME, 0), "3m16s");
	r.timing[T_LIFETIME] = TIMING_UNSEEN;
	assert_string_equal(value(&r, TEXT_LIFETIME, 0), "-");
}

TEST(test_zone)
{
	struct record r;

	sample_graceful(&r);
	r.finish += 1000000000; /* a second that no other test has shown in its zone */
	setenv("TZ", "XXX-5:30", 1);
	tzset();
	value(&r, TEXT_TIME, 0);
	setenv("TZ", "UTC", 1);
	tzset();
	assert_string_equal(b.data, "11:37:36.565665");
}

TEST(test_bytes)
{
	static const struct {
		const char *name; /* the value, too */
		int64_t bytes;
	} rows[] = {
		{"-", NUMBER_UNSEEN}, {"0", 0},
		{"99999", 99999},     {"100k", 100000},
		{"100k", 100499},     {"101k", 100500},
		{"999k", 999499},     {"1.00M", 999500},
		{"1.00M", 1000000},   {"1.23M", 1234567},
		{"12.3M", 12345678},  {"123M", 123456789},
		{"1.00G", 999999999}, {"4.29G", 4294967295},
		{"9.22E", INT64_MAX},
	};
	struct record r;

	sample_graceful(&r);
	FOR_EACH_ROW(rows, row) {
		r.end[SOURCE].bytes = r.end[DESTINATION].bytes = row->bytes;
		assert_string_equal(value(&r, TEXT_SOURCE_BYTES, 0), row->name);
		assert_string_equal(value(&r, TEXT_DESTINATION_BYTES, 0), row->name);
	}
}

TEST(test_ends)
{
	struct record r;

	long_address(&r);
	assert_string_equal(value(&r, TEXT_SOURCE, 0), "[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
	assert_string_equal(value(&r, TEXT_SOURCE, 46), "[2001:db8:1111:2222:3333:4444:5555:6666]:65535");
	assert_string_equal(value(&r, TEXT_SOURCE, 45), "[2001:db8:1111:2222:3333:4444:555+6666]:65535");
	assert_string_equal(value(&r, TEXT_SOURCE, 21), "[2001:db8+6666]:65535");
}

TEST(test_processes)
{
	struct record r;

	sample_sockets(&r);
	assert_string_equal(value(&r, TEXT_PROCESS, 0), ">a\\x1b\"b[1234] close, 300 unread");
	assert_string_equal(value(&r, TEXT_PROCESS, 16), ">a\\x1b\"b[1234] +");
	assert_string_equal(value(&r, TEXT_UNIT, 0), ">we\\x1b\"b.service <sshd.service");
	assert_string_equal(value(&r, TEXT_CONTAINER, 0), ">0123456789ab <deb12");
	assert_string_equal(value(&r, TEXT_NOTES, 0), "TCP_ABORT_ON_CLOSE");
	sample_held(&r);
	assert_non_null(strstr(value(&r, TEXT_PROCESS, 0), "[1234] close, 300 unread <k\\x0a\"e[77]+2 held"));
	sample_graceful(&r);
	assert_string_equal(value(&r, TEXT_PROCESS, 0), "-");
	assert_string_equal(value(&r, TEXT_UNIT, 0), "-");
	assert_string_equal(value(&r, TEXT_CONTAINER, 0), "-");
	assert_string_equal(value(&r, TEXT_NOTES, 0), "-");
	sample_reset(&r);
	assert_string_equal(value(&r, TEXT_NOTES, 0), "RST TTL 200 for 64");
}

static void check_flags(const struct record *r, const char *want)
{
	assert_string_equal(value(r, TEXT_FLAGS, 0), want);
}

TEST(test_flags)
{
	struct record r;

	sample_graceful(&r);
	r.end[SOURCE].bytes = r.end[DESTINATION].bytes = 0;
	check_flags(&r, ">S <S. >. >F. <. <F. >.");
	/* all that was carried is listed: in the FIN, and in the half-closed time; copies do not count */
	r.end[SOURCE].bytes = r.segments[3].len = 10;
	r.end[DESTINATION].bytes = r.segments[4].len = 20;
	check_flags(&r, ">S <S. >. >F. <. <F. >.");
	r.segments[4].mark = SEGMENT_COPY;
	check_flags(&r, ">S <S. >. ... >F. <.~ <F. >.");
	r.segments[4].mark = SEGMENT_COPY | SEGMENT_IGNORED;
	r.segments[4].count = 4000000000;
	check_flags(&r, ">S <S. >. ... >F. <.*4000000000~! <F. >.");
	/* the handshake's ACK was not seen; a folded one is not it */
	r.segments[2] = r.segments[6];
	r.segments[2].mark = SEGMENT_FOLDED;
	r.segments[2].count = 2;
	r.segment_count = 3;
	check_flags(&r, ">S <S. ... >.*2");
	/* still open */
	r.segments[2].mark = 0;
	r.segments[2].count = 1;
	check_flags(&r, ">S <S. >. ...");
	r.segment_count = 0;
	r.segments_lost = 3;
	check_flags(&r, "... (3 lost)");
	r.end[SOURCE].bytes = r.end[DESTINATION].bytes = NUMBER_UNSEEN;
	check_flags(&r, "(3 lost)");
}

/* ---- style ---- */

/* The longest outcome that there is. */
static void sample_unfinished_so_far(struct record *r)
{
	sample_graceful(r);
	r->outcome = OUTCOME_UNFINISHED;
	r->missing = MISSING_DESTINATION_FIN;
	r->final = false;
}

TEST(test_color)
{
	static const struct {
		const char *name; /* the line */
		void (*make)(struct record *r);
	} rows[] = {
		{"\033[32mgraceful four-way\033[0m                    source\n", sample_graceful},
		{"\033[31mreset half-closed\033[0m                    destination\n", sample_reset},
		{"\033[33munfinished no destination fin so far\033[0m source\n", sample_unfinished_so_far},
		{"\033[33munanswered\033[0m                           -\n", sample_unanswered},
	};
	const enum text_column columns[] = {TEXT_OUTCOME, TEXT_CLOSER};
	struct format_style style = {.color = true};

	text_layout_fit(&style.layout, 80, columns, 2, 0);
	FOR_EACH_ROW(rows, row) {
		struct record r;

		row->make(&r);
		format_record(&b, FORMAT_TEXT, &style, &r);
		assert_string_equal(text(), row->name);
	}
}

/* A line with the date comes between records of different days, and only there. */
TEST(test_days)
{
	const enum text_column dated[] = {TEXT_DATE};
	struct format_style style = {0};
	struct record r;
	int day = 0;

	text_layout_fit(&style.layout, 80, NULL, 0, 0);
	sample_graceful(&r);
	format_text_day(&b, &style, &r, &day);
	assert_string_equal(text(), "");
	r.finish += 3600000000000;
	format_text_day(&b, &style, &r, &day);
	assert_string_equal(text(), "");
	r.finish += 86400000000000;
	format_text_day(&b, &style, &r, &day);
	assert_string_equal(text(), "2026-11-23\n");
	format_text_day(&b, &style, &r, &day);
	assert_string_equal(text(), "");
	text_layout_fit(&style.layout, 80, dated, 1, 0);
	r.finish += 86400000000000;
	format_text_day(&b, &style, &r, &day);
	assert_string_equal(text(), ""); /* the column says it */
}

/* Without an end nothing is cut, and there is a line for each record. */
TEST(test_endless)
{
	struct format_style style = {0};
	struct record r;

	format_header(&b, FORMAT_TEXT, &style);
	assert_memory_equal(text(), "DATE        TIME             SOURCE ", 36);
	long_address(&r);
	format_record(&b, FORMAT_TEXT, &style, &r);
	assert_non_null(strstr(text(),
			       " [2001:db8:1111:2222:3333:4444:5555:6666]:65535 [fe80:0:1111:2222:3333:4444:5555:"
			       "6666]:65535 reset half-closed "));
}

static int set_up(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	return !setlocale(LC_CTYPE, "C.UTF-8");
}

static int tear_down(void **state)
{
	(void)state;
	buffer_free(&b);
	return 0;
}

int main(void)
{
	return run_unit_tests(set_up, tear_down);
}
