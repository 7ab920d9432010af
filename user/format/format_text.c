// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One connection a line, in columns; what was not seen is "-".
 *
 * A value that is wider than its column is cut where the line has an end, so that every value stays under its heading.
 * Where it has none (a file, a pipe), nothing is cut, and a wide value shifts what follows.
 */
#include "user/format/format.h"

#include <string.h>
#include <time.h>

#include "user/base/clock.h"
#include "user/format/cells.h"
#include "user/format/duration.h"
#include "user/format/format_parts.h"

/* ---- values ---- */

/* With microseconds where there is room for them. */
static void put_time(struct buffer *out, uint64_t ns, unsigned width)
{
	size_t start = out->len;

	format_time_of_day(out, ns);
	if (width && width < 15)
		out->len = start + 8;
}

/* The process at each end of this host that closed or held the socket. */
static void put_processes(struct buffer *out, const struct record *r)
{
	size_t start = out->len;

	for (enum role role = SOURCE; role <= DESTINATION; role++) {
		const struct record_socket *s = &r->socket[role];

		if (!socket_process(s))
			continue;
		if (out->len > start)
			buffer_char(out, ' ');
		buffer_char(out, role == SOURCE ? '>' : '<');
		buffer_printable(out, s->process.name);
		format_deed(out, s);
		if (s->unread_bytes > 0)
			buffer_printf(out, ", %lld unread", (long long)s->unread_bytes);
	}
}

/* What an end of this host belongs to, behind the end's mark; nothing where that is not known. */
static void put_mark_and_name(struct buffer *out, size_t start, enum role role, const char *name,
			      void (*put)(struct buffer *, const char *))
{
	if (!name)
		return;
	if (out->len > start)
		buffer_char(out, ' ');
	buffer_char(out, role == SOURCE ? '>' : '<');
	put(out, name);
}

static void put_units(struct buffer *out, const struct record *r)
{
	size_t start = out->len;

	for (enum role role = SOURCE; role <= DESTINATION; role++)
		put_mark_and_name(out, start, role, record_unit(r, role), buffer_printable);
}

static void put_containers(struct buffer *out, const struct record *r)
{
	size_t start = out->len;

	for (enum role role = SOURCE; role <= DESTINATION; role++)
		put_mark_and_name(out, start, role, r->socket[role].names.container, format_container);
}

/* ", " between the notes that begin at `start`. */
static void put_separator(struct buffer *out, size_t start)
{
	if (out->len > start)
		buffer_text(out, ", ");
}

/* The kernel's reason for a reset, silence before the close, and what speaks against its alleged sender. */
static void put_notes(struct buffer *out, const struct record *r)
{
	size_t start = out->len;
	bool seen = r->reset.by != NOBODY, forged = seen && r->reset.forged == YES;

	if (r->reset.reason)
		buffer_printable(out, r->reset.reason);
	if (r->silence > (int64_t)SECOND_NS) {
		put_separator(out, start);
		buffer_text(out, r->silence_at_most ? "silent at most " : "silent ");
		buffer_duration(out, r->silence);
	}
	if (r->mtu_black_hole.bytes) {
		put_separator(out, start);
		buffer_printf(out, "path swallows %u bytes", r->mtu_black_hole.bytes);
	}
	if (r->listener.state == LISTENER_FULL || r->listener.state == LISTENER_NONE) {
		put_separator(out, start);
		buffer_text(out, r->listener.state == LISTENER_FULL ? "listen queue full" : "no listener");
	}
	if (forged) {
		put_separator(out, start);
		buffer_text(out, "forged RST");
	}
	if (seen && r->reset.ttl_differs) {
		put_separator(out, start);
		buffer_printf(out, "%sTTL %u", forged ? "" : "RST ", r->reset.ttl);
		if (r->reset.usual_ttl) /* else the record was read back, and its handshake is not listed */
			buffer_printf(out, " for %u", r->reset.usual_ttl);
		else
			buffer_text(out, " differs");
	}
}

/* What is more exactly known of the outcome; "" for nothing. */
static void put_detail(struct buffer *out, const struct record *r)
{
	const char *detail = NULL;

	if (r->stray && r->direction) {
		buffer_text(out, r->direction == DIRECTION_INGRESS ? " received" : " sent");
		return;
	}
	if (r->outcome == OUTCOME_UNFINISHED && missing_name(r->missing)) {
		buffer_text(out, " no ");
		format_words(out, missing_name(r->missing), ' ');
		return;
	}
	if (r->outcome == OUTCOME_GRACEFUL)
		detail = pattern_name(r->pattern);
	else if (r->outcome == OUTCOME_RESET)
		detail = phase_name(r->reset.phase);
	if (detail) {
		buffer_char(out, ' ');
		format_words(out, detail, '-');
	}
}

/* " so far" of an interim record, for which a longer word gives room: "unfinis. so far". */
static void put_so_far(struct buffer *out, size_t start, unsigned width)
{
	size_t most = width - strlen(" so far");

	if (width && out->len - start > most) {
		out->len = start + most - 1;
		buffer_char(out, '.');
	}
	buffer_text(out, " so far");
}

/* The detail only where it fits whole. */
static void put_outcome(struct buffer *out, const struct record *r, unsigned width)
{
	size_t start = out->len, plain, end = r->final ? 0 : strlen(" so far");

	if (r->stray)
		buffer_text(out, record_stray_segment(r)->flags & TCP_RST ? "stray RST" : "stray FIN");
	else
		format_words(out, outcome_name(r->outcome), '-');
	plain = out->len;
	put_detail(out, r);
	if (width && out->len - start + end > width)
		out->len = plain;
	if (!r->final)
		put_so_far(out, start, width);
}

static void put_closer(struct buffer *out, const struct record *r, unsigned width)
{
	const char *closer = role_name(r->closer);

	if (!closer)
		return;
	buffer_text(out, r->closer == DESTINATION && width && width < strlen(closer) ? "dest" : closer);
}

/* n units of `unit`, rounded. */
static unsigned in_units(uint64_t n, uint64_t unit)
{
	return (unsigned)((n + unit / 2) / unit);
}

/* Three digits from 100,000 on, in powers of 1000. */
static void put_bytes(struct buffer *out, int64_t bytes)
{
	static const char names[] = "kMGTPE";
	uint64_t n = (uint64_t)bytes, unit = 1000;
	const char *name = names;

	if (bytes < 0)
		return;
	if (n < 100000) {
		buffer_unsigned(out, n);
		return;
	}
	for (; name[1] && in_units(n, unit) >= 1000; name++)
		unit *= 1000;
	if (in_units(n, unit / 100) < 1000)
		buffer_printf(out, "%u.%02u%c", in_units(n, unit / 100) / 100, in_units(n, unit / 100) % 100, *name);
	else if (in_units(n, unit / 10) < 1000)
		buffer_printf(out, "%u.%u%c", in_units(n, unit / 10) / 10, in_units(n, unit / 10) % 10, *name);
	else
		buffer_printf(out, "%u%c", in_units(n, unit), *name);
}

static void put_end(struct buffer *out, const struct record *r, enum role role)
{
	format_endpoint(out, r->family, r->end[role].ip, r->end[role].port);
}

/* With the name of their network namespace where one was asked for: eth0, web/eth0. */
static void put_interfaces(struct buffer *out, const struct record *r)
{
	struct buffer names = {0};

	if (!r->interfaces[0])
		return;
	if (r->netns) {
		buffer_text(&names, r->netns);
		buffer_char(&names, '/');
	}
	format_names(&names, r->interfaces, ',');
	buffer_char(&names, '\0');
	buffer_printable(out, names.data);
	buffer_free(&names);
}

/* Of the columns that are a step's duration. */
static const enum timing timings[TEXT_COLUMNS] = {
	[TEXT_FIN_TO_ACK] = T_FIN_TO_ACK,
	[TEXT_HALF_CLOSED] = T_HALF_CLOSED,
	[TEXT_PEER_FIN_TO_ACK] = T_PEER_FIN_TO_ACK,
	[TEXT_CLOSE] = T_CLOSE,
	[TEXT_LIFETIME] = T_LIFETIME,
};

/* Appends the column's value; nothing for one that was not seen. width: 0 where there is room for all. */
static void put_value(struct buffer *out, const struct record *r, enum text_column column, unsigned width)
{
	switch (column) {
	case TEXT_DATE:
		return format_date(out, r->finish);
	case TEXT_TIME:
		return put_time(out, r->finish, width);
	case TEXT_INTERFACE:
		return put_interfaces(out, r);
	case TEXT_SOURCE:
		return put_end(out, r, SOURCE);
	case TEXT_DESTINATION:
		return put_end(out, r, DESTINATION);
	case TEXT_OUTCOME:
		return put_outcome(out, r, width);
	case TEXT_CLOSER:
		return put_closer(out, r, width);
	case TEXT_FIN_TO_ACK:
	case TEXT_HALF_CLOSED:
	case TEXT_PEER_FIN_TO_ACK:
	case TEXT_CLOSE:
	case TEXT_LIFETIME:
		return buffer_duration(out, r->timing[timings[column]]);
	case TEXT_SOURCE_BYTES:
		return put_bytes(out, r->end[SOURCE].bytes);
	case TEXT_DESTINATION_BYTES:
		return put_bytes(out, r->end[DESTINATION].bytes);
	case TEXT_PROCESS:
		return put_processes(out, r);
	case TEXT_UNIT:
		return put_units(out, r);
	case TEXT_CONTAINER:
		return put_containers(out, r);
	case TEXT_NOTES:
		return put_notes(out, r);
	default:
		return format_flags(out, r);
	}
}

/* ---- fitting ---- */

/* Cuts an endpoint in the middle: the port, and four characters of the address before it, stay. ASCII only. */
static void cut_middle(struct buffer *out, const struct format_style *style, size_t start, unsigned width)
{
	size_t len = out->len - start, port = len, tail;
	char text[64];

	memcpy(text, out->data + start, len);
	while (port && text[port - 1] != ':')
		port--;
	tail = len - port + 6;
	if (tail + 1 >= width)
		tail = width - 1;
	out->len = start + width - 1 - tail;
	buffer_text(out, cell_mark(style->unicode));
	buffer_bytes(out, text + len - tail, tail);
}

/* Can the column's values have other characters than those of ASCII? */
static bool has_names(enum text_column column)
{
	return column == TEXT_INTERFACE || column == TEXT_PROCESS || column == TEXT_UNIT || column == TEXT_CONTAINER ||
	       column == TEXT_NOTES;
}

/* Makes the value from `start` on fit. Returns how many columns it takes. */
static unsigned fit(struct buffer *out, const struct format_style *style, size_t start, const struct text_cell *cell,
		    bool limited)
{
	unsigned columns, room = limited ? cell->width : (unsigned)-1;
	size_t len = out->len - start;

	if (cell_fitting(out->data + start, len, room, &columns) == len)
		return columns;
	if (cell->column != TEXT_SOURCE && cell->column != TEXT_DESTINATION)
		return cell_cut(out, style->unicode, start, room);
	cut_middle(out, style, start, room);
	return room;
}

/* ---- lines ---- */

static const char *outcome_color(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_GRACEFUL:
		return "\033[32m"; /* green */
	case OUTCOME_RESET:
	case OUTCOME_REFUSED:
	case OUTCOME_HANDSHAKE_RESET:
		return "\033[31m"; /* red */
	default:
		return "\033[33m"; /* yellow */
	}
}

/* One value. Returns the columns that it takes. */
static unsigned put_cell(struct buffer *out, const struct format_style *style, const struct text_cell *cell,
			 bool limited, const struct record *r)
{
	bool color = style->color && cell->column == TEXT_OUTCOME;
	unsigned columns;
	size_t start;

	if (color)
		buffer_text(out, outcome_color(r->outcome));
	start = out->len;
	put_value(out, r, cell->column, limited ? cell->width : 0);
	if (out->len == start)
		buffer_char(out, '-');
	columns = (unsigned)(out->len - start);
	if ((limited && columns > cell->width) || has_names(cell->column))
		columns = fit(out, style, start, cell, limited);
	if (color)
		buffer_text(out, "\033[0m");
	return columns;
}

/* Where the style has no layout: lines without an end. */
static const struct text_layout *layout_of(const struct format_style *style)
{
	static struct text_layout endless;

	if (style->layout.count)
		return &style->layout;
	if (!endless.count)
		text_layout_fit(&endless, 0, NULL, 0, 1u << TEXT_INTERFACE);
	return &endless;
}

/* A line of the layout: with a record its values, without one the headings. */
static void put_line(struct buffer *out, const struct format_style *style, const struct record *r)
{
	const struct text_layout *l = layout_of(style);
	unsigned at = 0;

	for (const struct text_cell *cell = l->cells; cell < l->cells + l->count; cell++) {
		if (cell > l->cells) {
			unsigned begin = cell->begin > at ? cell->begin : at + 1;

			cell_spaces(out, begin - at);
			at = begin;
		}
		if (r) {
			at += put_cell(out, style, cell, l->width, r);
		} else {
			const char *title = text_column_title(cell->column);
			size_t start = out->len;

			buffer_text(out, title);
			at += fit(out, style, start, cell, l->width);
		}
	}
	buffer_char(out, '\n');
}

/* The explanation, in lines of the layout's width below its record. */
static void put_explanation(struct buffer *out, const struct format_style *style, const struct record *r)
{
	unsigned width = layout_of(style)->width, room = width > 8 ? width - 4 : 0;
	struct buffer text = {0};
	size_t at = 0;

	format_explanation(&text, r);
	while (at < text.len) {
		unsigned columns;
		size_t n = room ? cell_fitting(text.data + at, text.len - at, room, &columns) : text.len, whole = n;

		while (at + n < text.len && whole && text.data[at + whole] != ' ')
			whole--;
		n = whole ? whole : n;
		buffer_text(out, "    ");
		buffer_bytes(out, text.data + at, at + n < text.len ? n : text.len - at);
		buffer_char(out, '\n');
		at += n;
		while (at < text.len && text.data[at] == ' ')
			at++;
	}
	buffer_free(&text);
}

void format_text_header(struct buffer *out, const struct format_style *style)
{
	put_line(out, style, NULL);
}

void format_text(struct buffer *out, const struct format_style *style, const struct record *r)
{
	put_line(out, style, r);
	if (style->verbose)
		put_explanation(out, style, r);
}

/* Has the layout a column with the date? */
static bool has_date(const struct text_layout *l)
{
	for (unsigned i = 0; i < l->count; i++)
		if (l->cells[i].column == TEXT_DATE)
			return true;
	return false;
}

void format_text_day(struct buffer *out, const struct format_style *style, const struct record *r, int *day)
{
	const struct tm *tm;
	int before = *day;

	if (has_date(layout_of(style)))
		return;
	tm = format_local_time(r->finish);
	*day = (tm->tm_year << 9) + tm->tm_yday + 1;
	if (!before || before == *day)
		return;
	format_date(out, r->finish);
	buffer_char(out, '\n');
}
