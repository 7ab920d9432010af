// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each value goes to the row of the table of fields that has its path, or to the members beside that table. Then the
 * record is checked as a whole: what reads records relies on it as if the judge had made it.
 */
#include "user/readback/record_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/readback/record_members.h"

struct row {
	const char *path;
	unsigned field; /* its number in the table of fields */
	struct record_place place;
	unsigned seen; /* the number of the line that had it last */
	bool element;  /* in an array: its value is left to record_members.c, or follows from other members */
};

struct record_reader {
	struct record_draft draft, blank;
	const char *fault; /* the first one of the line; the path is kept beside it */
	char fault_path[JSON_PATH];
	char unknown_path[JSON_PATH]; /* of the first value of the line that is not known */
	unsigned unknown;             /* how many there are */
	bool is_close, is_stray;
	unsigned line; /* counts, so that rows need not be cleared */
	unsigned row_count;
	struct row rows[];
};

/* ---- the table, by path ---- */

static int compare_rows(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->path, ((const struct row *)b)->path);
}

static struct row *find_row(struct record_reader *reader, const char *path)
{
	struct row key = {.path = path};

	return bsearch(&key, reader->rows, reader->row_count, sizeof(key), compare_rows);
}

static void add_rows(struct record_reader *reader)
{
	for (unsigned i = 0; i < record_field_count; i++) {
		const char *path = record_fields[i].path;

		if (!path || record_fields[i].type == FIELD_OBJECT)
			continue;
		reader->rows[reader->row_count++] = (struct row){.path = path,
								 .field = i,
								 .place = record_place(&reader->draft.record, i),
								 .element = strstr(path, "[]")};
	}
	qsort(reader->rows, reader->row_count, sizeof(reader->rows[0]), compare_rows);
}

/* ---- a record of which nothing is known ---- */

static void blank_number(const struct record_place *place)
{
	static const int64_t unseen = NUMBER_UNSEEN;

	if (place->kind == PLACE_NUMBER && place->is_signed)
		memcpy(place->at, &unseen, place->size);
}

static void make_blank(struct record_reader *reader)
{
	struct record *r = &reader->draft.record;

	for (unsigned i = 0; i < record_field_count; i++) {
		struct record_place place = record_place(r, i);

		if (record_fields[i].presence != FIELD_ALWAYS)
			blank_number(&place);
	}
	r->closer = r->time_wait = r->reset.by = NOBODY;
	r->reset.mptcp = SEGMENT_NO_MPTCP;
	r->conn_state = "OTH";
	for (int i = 0; i < EVIDENCES; i++)
		r->evidence[i] = -1;
	r->traffic[SOURCE].last_data = r->traffic[DESTINATION].last_data = NUMBER_UNSEEN;
	reader->blank = reader->draft;
}

struct record_reader *record_reader_new(void)
{
	struct record_reader *reader = calloc(1, sizeof(*reader) + record_field_count * sizeof(reader->rows[0]));

	if (!reader)
		return NULL;
	add_rows(reader);
	make_blank(reader);
	return reader;
}

void record_reader_free(struct record_reader *reader)
{
	free(reader);
}

/* ---- values ---- */

static void note_fault(struct record_reader *reader, const char *path, const char *fault)
{
	if (reader->fault || !fault)
		return;
	reader->fault = fault;
	snprintf(reader->fault_path, sizeof(reader->fault_path), "%s", *path ? path : "the line");
}

static const char *take_row(struct record_reader *reader, struct row *row, const struct json_value *value)
{
	enum record_field_presence presence = record_fields[row->field].presence;

	if (row->seen == reader->line)
		return "is there twice";
	row->seen = reader->line;
	if (value->type != JSON_NULL)
		return record_place_set(&row->place, value);
	return presence == FIELD_NULLABLE || presence == FIELD_OPTIONAL_NULLABLE ? NULL : "is null";
}

/* Objects and arrays are told by what is in them. */
static void note_unknown(struct record_reader *reader, const char *path, const struct json_value *value)
{
	if (value->type == JSON_OBJECT || value->type == JSON_ARRAY)
		return;
	if (!reader->unknown++)
		snprintf(reader->unknown_path, sizeof(reader->unknown_path), "%s", path);
}

static void take_value(void *context, const char *path, const struct json_value *value)
{
	struct record_reader *reader = context;
	struct row *row;
	const char *fault = NULL;

	if (!*path && value->type != JSON_OBJECT)
		note_fault(reader, path, "is no object");
	if (!strcmp(path, "event.dataset")) {
		reader->is_close = value->type == JSON_STRING && !strcmp(value->text, RECORD_DATASET);
		reader->is_stray = value->type == JSON_STRING && !strcmp(value->text, RECORD_STRAY_DATASET);
	}
	row = find_row(reader, path);
	if (row && !row->element && row->place.kind != PLACE_NONE)
		fault = take_row(reader, row, value);
	else if (!record_member_take(&reader->draft, path, value, &fault)) {
		if (!row)
			note_unknown(reader, path, value);
		else if (!row->element)
			fault = take_row(reader, row, value);
	}
	note_fault(reader, path, fault);
}

/* ---- the whole ---- */

/* Without these there is no record, whichever version wrote it; the last one is not of a stray. */
static const char *const needed[] = {"@timestamp",  "event.start",    "event.id",         "source.ip",
				     "source.port", "destination.ip", "destination.port", "tcp.outcome"};

static void check_needed(struct record_reader *reader)
{
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]) - reader->is_stray; i++)
		if (find_row(reader, needed[i])->seen != reader->line)
			note_fault(reader, needed[i], "is missing");
	if (reader->is_stray && !(reader->draft.stray.flags & (TCP_FIN | TCP_RST)))
		note_fault(reader, "tcp.flags", "are neither a FIN's nor an RST's");
}

static bool is_end(enum role role)
{
	return role == SOURCE || role == DESTINATION;
}

/* Roles and entries that other code takes for indices. */
static void check_indices(struct record_reader *reader)
{
	const struct record *r = &reader->draft.record;

	if (!is_end(r->reset.by) && r->reset.by != NOBODY)
		note_fault(reader, "tcp.reset.by", "is neither source nor destination");
	if (r->time_wait == NETWORK)
		note_fault(reader, "tcp.time_wait", "is neither source, destination nor both");
	for (int i = 0; i < EVIDENCES; i++)
		if (r->evidence[i] >= (int)r->segment_count)
			note_fault(reader, "tcp.evidence", "names an entry that tcp.segments does not have");
	for (int i = 0; i < 2; i++)
		if (r->end[i].wscale > UINT8_MAX)
			note_fault(reader, "tcp.window_scale", "is no shift count");
}

static void check_words(struct record_reader *reader)
{
	const struct record *r = &reader->draft.record;

	if (strlen(r->id) != EVENT_ID_SIZE - 1 || !record_word_fits(r->id))
		note_fault(reader, "event.id", "is no identifier of 32 digits");
	if (!record_word_fits(r->conn_state) || !record_word_fits(r->history))
		note_fault(reader, "tcp.conn_state, tcp.history", "have other characters than Zeek's");
}

/* Which family is it? An IPv6 address is all 16 bytes; the reader of one knows it by its colon. */
static void take_family(void *context, const char *path, const struct json_value *value)
{
	struct record_reader *reader = context;
	struct record *r = &reader->draft.record;
	int family;

	if (value->type != JSON_STRING)
		return;
	if (strcmp(path, "source.ip") != 0 && strcmp(path, "destination.ip") != 0 && strcmp(path, "tcp.icmp.by") != 0)
		return;
	family = strchr(value->text, ':') ? 6 : 4;
	if (r->family && r->family != family)
		note_fault(reader, path, "is of another family than the other address");
	r->family = family;
}

/* The TTL of the first listed SYN of a side; 0 where none is listed. */
static uint8_t handshake_ttl(const struct record *r, enum role role)
{
	for (unsigned i = 0; i < r->segment_count; i++)
		if (r->segments[i].from == role && r->segments[i].flags & TCP_SYN)
			return r->segments[i].ttl;
	return 0;
}

/* The TTLs of the RST and of its sender's handshake, from the listed segments. */
static void recall_ttl(struct record *r)
{
	int reset = r->evidence[EVIDENCE_RESET];

	if (reset < 0 || (unsigned)reset >= r->segment_count)
		return;
	r->reset.ttl = r->segments[reset].ttl;
	r->reset.usual_ttl = handshake_ttl(r, r->reset.by);
}

/* What the marks of segments say beside their own members. */
static void mark_segments(struct record_draft *d)
{
	struct record *r = &d->record;

	for (unsigned i = 0; i < r->segment_count; i++) {
		struct record_segment *s = &r->segments[i];
		bool has_header = r->reset.by != NOBODY || s->mark & SEGMENT_IGNORED;

		if (s->count > 1 && !(s->mark & SEGMENT_COPY))
			s->mark |= SEGMENT_FOLDED;
		if (r->family == 4 && has_header && d->without_ip_id & 1u << i)
			s->mark |= SEGMENT_RECALLED;
	}
}

static void visit(void *context, const char *path, const struct json_value *value)
{
	take_value(context, path, value);
	take_family(context, path, value);
}

/* The segment that a stray is, and what follows from there being no other one. */
static void complete_stray(struct record_draft *d)
{
	struct record *r = &d->record;

	r->stray = true;
	r->outcome = OUTCOME_UNKNOWN;
	r->final = true;
	r->midstream = true;
	r->reset.by = d->stray.flags & TCP_RST ? SOURCE : NOBODY;
	r->segments[0] = d->stray;
	r->segments[0].from = SOURCE;
	r->segments[0].count = 1;
	r->segment_count = 1;
}

/* Checks a line that is JSON, and says what it is. */
static enum line_kind judge_line(struct record_reader *reader, char *error, size_t error_size)
{
	bool known = reader->is_close || reader->is_stray;

	if (!known && !(reader->fault && !strcmp(reader->fault_path, "the line")))
		return LINE_OTHER;
	if (known) {
		check_needed(reader);
		check_indices(reader);
		check_words(reader);
	}
	if (!reader->fault)
		return LINE_RECORD;
	snprintf(error, error_size, "%s %s", reader->fault_path, reader->fault);
	return LINE_BROKEN;
}

unsigned record_reader_unknown(const struct record_reader *reader, const char **first)
{
	*first = reader->unknown_path;
	return reader->unknown;
}

enum line_kind record_reader_take(struct record_reader *reader, char *line, size_t len, const struct record **record,
				  char *error, size_t error_size)
{
	enum line_kind kind;
	const char *fault;
	size_t at;

	reader->line++;
	reader->draft = reader->blank;
	reader->fault = NULL;
	reader->is_close = reader->is_stray = false;
	reader->unknown = 0;
	fault = json_read(line, len, visit, reader, &at);
	if (fault) {
		snprintf(error, error_size, "byte %zu: %s", at + 1, fault);
		return LINE_BROKEN;
	}
	kind = judge_line(reader, error, error_size);
	mark_segments(&reader->draft);
	recall_ttl(&reader->draft.record);
	if (reader->is_stray)
		complete_stray(&reader->draft);
	*record = &reader->draft.record;
	return kind;
}
