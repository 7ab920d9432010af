// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One record as one line of CSV (RFC 4180: a header, lines end in CR LF). The columns, their order and their values
 * come from the table in record_fields.h; here is how a value of each type is written.
 *
 * A column is called as its JSON field, with the name of the innermost object in front: tcp_outcome, timing_fin_to_ack,
 * source_ip; where both ends have such an object, with the end's name, too. Empty means null.
 */
#include "user/format/format.h"

#include "user/format/format_parts.h"
#include "user/record/community_id.h"
#include "user/record/record_fields.h"

static void csv_word(struct buffer *out, const char *word)
{
	if (word)
		buffer_text(out, word);
}

static void csv_text(struct buffer *out, const char *text)
{
	if (text)
		buffer_csv_string(out, text);
}

/* Where there are several. */
static void csv_names(struct buffer *out, const char *const *names)
{
	struct buffer text = {0};

	if (!names[0] || !names[1])
		return;
	format_names(&text, names, ' ');
	buffer_char(&text, '\0');
	buffer_csv_string(out, text.data);
	buffer_free(&text);
}

static void csv_number(struct buffer *out, struct field_number n)
{
	if (n.known)
		buffer_unsigned(out, n.value);
}

static void csv_bool(struct buffer *out, bool b)
{
	buffer_text(out, b ? "true" : "false");
}

static void csv_answer(struct buffer *out, enum answer answer)
{
	if (answer != UNTOLD)
		csv_bool(out, answer == YES);
}

/* ip: NULL where there is none. */
static void csv_address(struct buffer *out, const struct record *r, const uint8_t *ip)
{
	if (ip)
		format_address(out, r->family, ip);
}

static void csv_community_id(struct buffer *out, const struct record *r)
{
	char id[COMMUNITY_ID_SIZE];

	community_id(id, r->family, r->end);
	buffer_text(out, id);
}

/* A value of each type, appended to `out` for the record `r`. */
#define CSV_TIME(value) format_time(out, value)
#define CSV_DURATION(value) csv_number(out, value)
#define CSV_BYTES(value) csv_number(out, value)
#define CSV_COUNT(value) csv_number(out, value)
#define CSV_NUMBER(value) csv_number(out, value)
#define CSV_WORD(value) csv_word(out, value)
#define CSV_TEXT(value) csv_text(out, value)
#define CSV_NAMES(value) csv_names(out, value)
#define CSV_BOOL(value) csv_bool(out, value)
#define CSV_ANSWER(value) csv_answer(out, value)
#define CSV_ADDRESS(value) csv_address(out, r, value)
#define CSV_ID(value) csv_community_id(out, value)
#define CSV_FLAGS(value) format_flags(out, value)

#define CSV_FIELD(path, column, type, presence, value, meaning) \
	CSV_##type(value);                                      \
	buffer_char(out, ',');
#define NOT_IN_CSV(path, type, presence, meaning)

/* Puts the end of the line in the place of the last field's comma. */
static void csv_end_line(struct buffer *out)
{
	out->len--;
	buffer_text(out, "\r\n");
}

void format_csv_header(struct buffer *out)
{
	for (unsigned i = 0; i < record_field_count; i++) {
		if (!record_fields[i].column)
			continue;
		buffer_text(out, record_fields[i].column);
		buffer_char(out, ',');
	}
	csv_end_line(out);
}

void format_csv(struct buffer *out, const struct record *r)
{
	RECORD_FIELDS(CSV_FIELD, NOT_IN_CSV)
	csv_end_line(out);
}
