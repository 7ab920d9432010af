// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The close as two lifelines, an arrow a segment, and beside each lifeline the RFC 9293 state that side enters.
 *
 *	-->	a segment			==>	several plain ones, folded: len is their sum
 *	..>	a retransmission		--X	an RST
 *	--?	one its receiver does not act on
 *
 * Colour only repeats what the glyphs say. All widths are display columns; every glyph takes one.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "user/base/clock.h"
#include "user/format/duration.h"
#include "user/format/format.h"
#include "user/format/format_parts.h"
#include "user/format/ladder_states.h"

/* ---- glyphs ---- */

struct glyphs {
	const char *life, *life_folded; /* a side's line; and where time is left out */
	const char *stroke, *stroke_copy, *stroke_many;
	const char *right, *left, *reset, *ignored;
	const char *torn[2];
	const char *to, *times, *about;
};

static const struct glyphs glyphs_unicode = {
	.life = "│",
	.life_folded = "┊",
	.stroke = "─",
	.stroke_copy = "┄",
	.stroke_many = "═",
	.right = "▶",
	.left = "◀",
	.reset = "✗",
	.ignored = "?",
	.torn = {"╱", "╲"},
	.to = "→",
	.times = "×",
	.about = "≈",
};

static const struct glyphs glyphs_ascii = {
	.life = "|",
	.life_folded = ":",
	.stroke = "-",
	.stroke_copy = ".",
	.stroke_many = "=",
	.right = ">",
	.left = "<",
	.reset = "X",
	.ignored = "?",
	.torn = {"/", "\\"},
	.to = "->",
	.times = "x",
	.about = "~",
};

#define COLOR_NONE ""
#define COLOR_TITLE "\033[1m"
#define COLOR_SYN "\033[32m"
#define COLOR_FIN "\033[33m"
#define COLOR_RST "\033[31m"
#define COLOR_DIM "\033[2m"
#define COLOR_END "\033[0m"

/* ---- the page ---- */

enum {
	NARROWEST = 60,
	WIDEST = 120, /* longer arrows are only harder to follow */
	WIDE = 100,   /* from here on: the time of day, and the window */
	WIDTH_CLOCK = 16,
	WIDTH_SINCE = 6,
	WIDTH_STATE = 12, /* SYN-RECEIVED */
	LONGEST_UNIT = 64,
	LONGEST_NAME = 15, /* of an interface (IFNAMSIZ), of a process (TASK_COMM_LEN) */
	LONGEST_REASON = 40,
	LABEL_AT = 3,  /* columns from the lifeline to the text on an arrow */
	ARROW_END = 2, /* columns for a space and the arrow's head after the longest text */
};

struct ladder {
	struct buffer *out;
	const struct record *r;
	const struct glyphs *g;
	bool color, wide;
	unsigned columns;
	unsigned left;  /* column of the source's lifeline */
	unsigned inner; /* columns between the lifelines */
};

static void ladder_begin(struct ladder *l, struct buffer *out, const struct format_style *style, const struct record *r)
{
	unsigned columns = style->columns < NARROWEST ? NARROWEST : style->columns;

	l->out = out;
	l->r = r;
	l->g = style->unicode ? &glyphs_unicode : &glyphs_ascii;
	l->color = style->color;
	l->columns = columns > WIDEST ? WIDEST : columns;
	l->wide = columns >= WIDE;
	l->left = (l->wide ? WIDTH_CLOCK : 0) + WIDTH_SINCE + 1 + WIDTH_STATE + 1;
	l->inner = l->columns - l->left - 2 - 1 - WIDTH_STATE;
}

/* Display columns of text made here: ASCII and glyphs, one column a character. */
static unsigned text_columns(const char *text, size_t len)
{
	unsigned columns = 0;
	size_t i;

	for (i = 0; i < len; i++)
		columns += ((unsigned char)text[i] & 0xc0) != 0x80;
	return columns;
}

static void put_repeated(struct buffer *out, const char *glyph, unsigned n)
{
	while (n--)
		buffer_text(out, glyph);
}

static void put_color(const struct ladder *l, const char *color)
{
	if (l->color)
		buffer_text(l->out, color);
}

/* The part of text that begins at `at`: its end, and the columns it takes, which are at most `most`. */
static size_t part_end(const struct buffer *text, size_t at, unsigned most, unsigned *width)
{
	const char *separator = memchr(text->data + at, '\n', text->len - at);
	size_t end = separator ? (size_t)(separator - text->data) : text->len;

	*width = text_columns(text->data + at, end - at);
	if (*width <= most)
		return end;
	*width = most;
	return at + most;
}

/*
 * Prints the parts of text, which '\n' separates, with as many on a line as fit; further lines are indented. A part
 * longer than a line, such as a name full of escapes, is cut anywhere: it is ASCII.
 */
static void put_paragraph(const struct ladder *l, const struct buffer *text, const char *color)
{
	const unsigned indent = 2, most = l->columns - indent;
	unsigned column = 0, width;
	size_t at, end;

	put_color(l, color);
	for (at = 0; at < text->len; at = end + (end < text->len && text->data[end] == '\n')) {
		end = part_end(text, at, most, &width);
		if (end == at) /* two separators, as from a name with two spaces */
			continue;
		if (column && column + 1 + width > l->columns) {
			buffer_char(l->out, '\n');
			put_repeated(l->out, " ", indent);
			column = indent;
		} else if (column) {
			buffer_char(l->out, ' ');
			column++;
		}
		buffer_bytes(l->out, text->data + at, end - at);
		column += width;
	}
	put_color(l, *color ? COLOR_END : COLOR_NONE);
	buffer_char(l->out, '\n');
}

/* ---- words ---- */

static void put_date_and_time(struct buffer *out, uint64_t ns)
{
	format_date(out, ns);
	buffer_char(out, ' ');
	format_time_of_day(out, ns);
}

static bool is_reset(enum outcome outcome)
{
	return outcome == OUTCOME_RESET || outcome == OUTCOME_REFUSED || outcome == OUTCOME_HANDSHAKE_RESET;
}

static void put_outcome(struct buffer *out, const struct record *r)
{
	format_words(out, outcome_name(r->outcome), ' ');
	if (r->outcome == OUTCOME_GRACEFUL && r->pattern != PATTERN_NONE) {
		buffer_char(out, ' ');
		format_words(out, pattern_name(r->pattern), '-');
	}
	if (is_reset(r->outcome) && r->reset.by != NOBODY)
		buffer_printf(out, " by the %s", role_name(r->reset.by));
}

/* The step that was waited for. Without a FIN that is the end of the handshake. */
static void put_missing(struct buffer *out, const struct record *r)
{
	static const char *const steps[] = {
		[MISSING_SOURCE_ACK] = "the source's ACK of the",
		[MISSING_DESTINATION_ACK] = "the destination's ACK of the",
		[MISSING_SOURCE_FIN] = "the source's",
		[MISSING_DESTINATION_FIN] = "the destination's",
	};

	if (r->missing != MISSING_NOTHING)
		buffer_printf(out, ";\n%s: %s %s", r->outcome == OUTCOME_UNKNOWN ? "not seen" : "missing",
			      steps[r->missing], r->outcome == OUTCOME_UNANSWERED ? "SYN-ACK" : "FIN");
}

static void put_title(const struct ladder *l)
{
	const struct record_end *end = l->r->end;
	struct buffer text = {0};

	format_endpoint(&text, l->r->family, end[SOURCE].ip, end[SOURCE].port);
	buffer_printf(&text, " %s\n", l->g->to);
	format_endpoint(&text, l->r->family, end[DESTINATION].ip, end[DESTINATION].port);
	buffer_text(&text, ",\n");
	put_outcome(&text, l->r);
	if (!l->r->final)
		buffer_text(&text, ", so far");
	put_paragraph(l, &text, COLOR_TITLE);
	buffer_free(&text);
}

/* A name from outside may hold any byte and be of any length. Here each byte takes one column. */
static void put_name(struct buffer *out, const char *name, unsigned longest)
{
	unsigned i;

	for (i = 0; name[i] && i < longest; i++)
		buffer_char(out, name[i] > ' ' && name[i] <= '~' ? name[i] : '?');
}

static void put_circumstances(const struct ladder *l)
{
	const struct record *r = l->r;
	struct buffer text = {0};
	int i;

	put_date_and_time(&text, r->start);
	for (i = 0; i < RECORD_INTERFACES && r->interfaces[i]; i++) {
		buffer_text(&text, i ? ", " : "\non ");
		put_name(&text, r->interfaces[i], LONGEST_NAME);
	}
	if (r->netns) {
		buffer_text(&text, " in ");
		put_name(&text, r->netns, LONGEST_NAME);
	}
	for (i = 0; i < PACKET_MAX_TAGS; i++) {
		if (r->vlan[i] >= 0)
			buffer_printf(&text, ",\nVLAN %d", r->vlan[i]);
	}
	if (r->tunnel)
		buffer_printf(&text, ",\nin %s", tunnel_name(r->tunnel));
	if (r->tunnel && r->tunnel_id >= 0)
		buffer_printf(&text, " %lld", (long long)r->tunnel_id);
	if (r->timing[T_LIFETIME] >= 0) {
		buffer_text(&text, ",\nlasted ");
		buffer_duration(&text, r->timing[T_LIFETIME]);
	}
	put_paragraph(l, &text, COLOR_DIM);
	buffer_free(&text);
}

/* The process that closed or held the socket of an end on this host, in the words of the text format. */
static void put_process(struct buffer *text, const struct record_socket *s, enum role role)
{
	if (!socket_process(s))
		return;
	buffer_printf(text, ";\n%s: ", role_name(role));
	put_name(text, s->process.name, LONGEST_NAME);
	format_deed(text, s);
	if (s->unread_bytes > 0)
		buffer_printf(text, ",\n%lld unread", (long long)s->unread_bytes);
	if (s->names.unit) {
		buffer_text(text, ",\nunit ");
		put_name(text, s->names.unit, LONGEST_UNIT);
	}
	if (s->names.container) {
		buffer_text(text, ",\ncontainer ");
		format_container(text, s->names.container);
	}
}

static void put_sockets(struct buffer *text, const struct record *r)
{
	put_process(text, &r->socket[SOURCE], SOURCE);
	put_process(text, &r->socket[DESTINATION], DESTINATION);
	if (r->reset.reason) {
		buffer_text(text, ";\nRST: ");
		put_name(text, r->reset.reason, LONGEST_REASON);
	}
}

static void put_verdict(const struct ladder *l)
{
	const struct record *r = l->r;
	struct buffer text = {0};

	put_outcome(&text, r);
	if (r->closer == BOTH)
		buffer_text(&text, ";\nboth sides closed at once");
	else if (r->closer != NOBODY && !(is_reset(r->outcome) && r->closer == r->reset.by))
		buffer_printf(&text, ";\nthe %s closed first", role_name(r->closer));
	if (r->timing[T_CLOSE] >= 0) {
		buffer_text(&text, ";\nthe close took ");
		buffer_duration(&text, r->timing[T_CLOSE]);
	}
	put_missing(&text, r);
	if (r->late_reset)
		buffer_text(&text, ";\nlate RST");
	if (r->time_wait == BOTH)
		buffer_text(&text, ";\nboth hold TIME_WAIT");
	else if (r->time_wait != NOBODY)
		buffer_printf(&text, ";\nthe %s holds TIME_WAIT", role_name(r->time_wait));
	put_sockets(&text, r);
	put_paragraph(l, &text, COLOR_TITLE);
	buffer_free(&text);
}

/* The sentence of the text format, broken between any two words. Of names, only ASCII is drawn, as in put_name. */
static void put_explanation(const struct ladder *l)
{
	struct buffer text = {0};
	size_t i;

	format_explanation(&text, l->r);
	for (i = 0; i < text.len; i++) {
		if (text.data[i] == ' ')
			text.data[i] = '\n';
		else if (text.data[i] & 0x80)
			text.data[i] = '?';
	}
	put_paragraph(l, &text, COLOR_DIM);
	buffer_free(&text);
}

/* ---- rows: margin, lifeline, what is between, lifeline, margin ---- */

static void put_heads(const struct ladder *l)
{
	const char *const source = "source", *const destination = "destination";
	unsigned at = l->left - 3, next = l->left + 1 + l->inner - 5; /* centred on the lifelines */

	put_repeated(l->out, " ", at);
	buffer_text(l->out, source);
	put_repeated(l->out, " ", next - at - 6);
	buffer_text(l->out, destination);
	buffer_char(l->out, '\n');
}

/* What stands left of the source's lifeline. i: the segment whose time is shown; negative: none. */
static void put_margin(const struct ladder *l, int i, const char *state)
{
	const struct record_segment *s = l->r->segments;
	struct buffer text = {0};

	if (l->wide && i >= 0)
		format_time_of_day(&text, l->r->start + s[i].t);
	if (l->wide)
		buffer_printf(l->out, "%-*.*s", WIDTH_CLOCK, (int)text.len, text.len ? text.data : "");
	text.len = 0;
	if (i > 0 && (s[i].mark | s[i - 1].mark) & SEGMENT_JUMPED)
		buffer_char(&text, '-'); /* a time stamp is wrong */
	else if (i > 0 && s[i].t < s[i - 1].t)
		buffer_text(&text, "early"); /* its time stamp is before that of the segment drawn above */
	else if (i > 0)
		buffer_duration(&text, s[i].t - s[i - 1].t);
	if (text.len > WIDTH_SINCE) {
		text.len = 0;
		buffer_text(&text, ">99d");
	}
	buffer_printf(l->out, "%*.*s %*s ", WIDTH_SINCE, (int)text.len, text.len ? text.data : "", WIDTH_STATE, state);
	buffer_free(&text);
}

static void end_row(const struct ladder *l, const char *state)
{
	if (*state)
		buffer_printf(l->out, " %s", state);
	buffer_char(l->out, '\n');
}

/* Text between the lifelines, as far from them as the text on arrows. */
static void put_row(const struct ladder *l, const char *life, const struct buffer *text)
{
	put_margin(l, -1, "");
	buffer_text(l->out, life);
	put_repeated(l->out, " ", LABEL_AT);
	buffer_bytes(l->out, text->data, text->len);
	put_repeated(l->out, " ", l->inner - LABEL_AT - text_columns(text->data, text->len));
	buffer_text(l->out, life);
	end_row(l, "");
}

static void put_states_row(const struct ladder *l, const char *const entered[2])
{
	put_margin(l, -1, entered[SOURCE]);
	buffer_text(l->out, l->g->life);
	put_repeated(l->out, " ", l->inner);
	buffer_text(l->out, l->g->life);
	end_row(l, entered[DESTINATION]);
}

/* ---- labels ---- */

/* The text on an arrow, in pieces between which it can be broken. Each piece fits the narrowest page. */
struct label {
	char piece[8][24];
	unsigned count;
};

static void __attribute__((format(printf, 2, 3))) label_add(struct label *label, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(label->piece[label->count++], sizeof(label->piece[0]), format, args);
	va_end(args);
}

/* brief: without the pieces that are printed only where there is room for them. */
static void label_make(const struct ladder *l, struct label *label, unsigned i, bool brief)
{
	const struct record_segment *s = &l->r->segments[i];
	char flags[10];

	label->count = 0;
	label_add(label, "%-2s", flags_text(s->flags, flags));
	if (s->count > 1)
		label_add(label, "%s%u", l->g->times, s->count);
	label_add(label, "seq %u", s->seq);
	if (s->flags & TCP_ACK)
		label_add(label, "ack %u", s->ack);
	if (s->len || !brief)
		label_add(label, "len %u", s->len);
	if (l->wide && !brief)
		label_add(label, "win %u", s->win);
	if (!ladder_acted_on(l->r, i))
		label_add(label, "ignored");
	else if ((s->mark & SEGMENT_COPY) && !brief)
		label_add(label, "again");
}

/* Appends as many pieces as fit into room columns, from piece `from` on; returns the next one. */
static unsigned label_take(const struct label *label, unsigned from, unsigned room, struct buffer *text)
{
	unsigned used = 0, i;

	for (i = from; i < label->count; i++) {
		unsigned width = text_columns(label->piece[i], strlen(label->piece[i]));

		if (i > from && used + 1 + width > room)
			break;
		if (i > from)
			buffer_char(text, ' ');
		buffer_text(text, label->piece[i]);
		used += (i > from) + width;
	}
	return i;
}

/* ---- arrows ---- */

static const char *arrow_color(const struct record_segment *s, bool ignored)
{
	if (ignored || (s->mark & SEGMENT_COPY))
		return COLOR_DIM;
	if (s->flags & TCP_RST)
		return COLOR_RST;
	if (s->flags & TCP_FIN)
		return COLOR_FIN;
	return s->flags & TCP_SYN ? COLOR_SYN : COLOR_NONE;
}

static void put_arrow(const struct ladder *l, unsigned i, const struct buffer *text)
{
	const struct record_segment *s = &l->r->segments[i];
	const struct glyphs *g = l->g;
	bool rightward = s->from == SOURCE, ignored = !ladder_acted_on(l->r, i);
	const char *stroke = s->mark & SEGMENT_COPY ? g->stroke_copy : s->count > 1 ? g->stroke_many : g->stroke;
	const char *head = ignored ? g->ignored : s->flags & TCP_RST ? g->reset : rightward ? g->right : g->left;
	const char *color = arrow_color(s, ignored);
	unsigned rest = l->inner - LABEL_AT - text_columns(text->data, text->len) - ARROW_END;

	put_color(l, color);
	buffer_text(l->out, rightward ? stroke : head);
	buffer_text(l->out, stroke);
	buffer_char(l->out, ' ');
	buffer_bytes(l->out, text->data, text->len);
	buffer_char(l->out, ' ');
	put_repeated(l->out, stroke, rest);
	buffer_text(l->out, rightward ? head : stroke);
	put_color(l, *color ? COLOR_END : COLOR_NONE);
}

/* A text that needs more than one line has its last line on the arrow, and the others above it. */
static void put_segment(const struct ladder *l, unsigned i, const char *const entered[2])
{
	const unsigned room = l->inner - LABEL_AT - ARROW_END;
	struct buffer text = {0};
	struct label label;
	unsigned next;

	label_make(l, &label, i, false);
	if (label_take(&label, 0, room, &text) < label.count) {
		label_make(l, &label, i, true);
		text.len = 0;
		next = label_take(&label, 0, room, &text);
		while (next < label.count) {
			put_row(l, l->g->life, &text);
			text.len = 0;
			next = label_take(&label, next, room, &text);
		}
	}
	put_margin(l, i, entered[SOURCE]);
	buffer_text(l->out, l->g->life);
	put_arrow(l, i, &text);
	buffer_text(l->out, l->g->life);
	end_row(l, entered[DESTINATION]);
	buffer_free(&text);
}

/* ---- what the log does not list ---- */

static void put_bytes(struct buffer *text, const struct ladder *l, int64_t bytes, const char *unit_end)
{
	buffer_text(text, l->r->bytes_approximate ? l->g->about : "");
	buffer_signed(text, bytes);
	buffer_printf(text, " byte%s%s", bytes == 1 ? "" : "s", unit_end);
}

/* What was carried between handshake and close, each way, on one row where it fits. */
static void put_unlisted(const struct ladder *l, unsigned opening)
{
	int64_t right = ladder_bytes_before_close(l->r, SOURCE, opening),
		left = ladder_bytes_before_close(l->r, DESTINATION, opening);
	const unsigned room = l->inner - 2 * LABEL_AT;
	struct buffer text = {0}, back = {0};
	unsigned used, back_columns;

	if (right) {
		put_bytes(&text, l, right, " ");
		buffer_text(&text, l->g->right);
	}
	if (left) {
		buffer_printf(&back, "%s ", l->g->left);
		put_bytes(&back, l, left, "");
	}
	used = text_columns(text.data, text.len);
	back_columns = text_columns(back.data, back.len);
	if (right && left && used + 2 + back_columns > room) {
		put_row(l, l->g->life_folded, &text);
		text.len = used = 0;
	}
	if (left) {
		put_repeated(&text, " ", room - used - back_columns);
		buffer_bytes(&text, back.data, back.len);
	}
	if (text.len)
		put_row(l, l->g->life_folded, &text);
	buffer_free(&text);
	buffer_free(&back);
}

static void put_unseen_opening(const struct ladder *l)
{
	struct buffer text = {0};

	buffer_text(&text, "handshake not seen");
	put_row(l, l->g->life_folded, &text);
	buffer_free(&text);
}

/* The log keeps the first segments, so those that found no place came after them: the page is torn here. */
static void put_torn(const struct ladder *l)
{
	const unsigned width = l->inner + 2, shortest = 4; /* tears */
	struct buffer text = {0};
	unsigned tears, i;

	buffer_printf(&text, " %u segment%s not kept ", l->r->segments_lost, l->r->segments_lost == 1 ? "" : "s");
	if (text.len + shortest > width) {
		text.len = 0;
		buffer_printf(&text, " %u not kept ", l->r->segments_lost);
	}
	tears = width - text.len;
	put_margin(l, -1, "");
	put_color(l, COLOR_RST);
	for (i = 0; i < tears; i++) {
		if (i == tears / 2)
			buffer_bytes(l->out, text.data, text.len);
		buffer_text(l->out, l->g->torn[i % 2]);
	}
	put_color(l, COLOR_END);
	buffer_char(l->out, '\n');
	buffer_free(&text);
}

/* ---- the drawing ---- */

/* entered: the names of the states in `now` that are not in `shown`, else "". Makes `shown` a copy of `now`. */
static bool states_entered(const enum tcp_state now[2], enum tcp_state shown[2], const char *entered[2])
{
	int side;

	for (side = SOURCE; side <= DESTINATION; side++) {
		entered[side] = now[side] == shown[side] ? "" : state_name(now[side]);
		shown[side] = now[side];
	}
	return *entered[SOURCE] || *entered[DESTINATION];
}

/* The verdict may know more than the listed segments show, so the last states are its states. */
static void put_last_states(const struct ladder *l, enum tcp_state shown[2])
{
	const char *entered[2];
	enum tcp_state last[2];
	int side;

	for (side = SOURCE; side <= DESTINATION; side++)
		last[side] = l->r->end[side].state == STATE_UNKNOWN ? shown[side] : l->r->end[side].state;
	if (states_entered(last, shown, entered))
		put_states_row(l, entered);
}

static void put_segments(const struct ladder *l)
{
	unsigned opening = ladder_opening_count(l->r), i;
	enum tcp_state shown[2], now[2];
	const char *entered[2];
	struct ladder_states states;

	if (l->r->midstream)
		put_unseen_opening(l);
	ladder_states_begin(&states, l->r);
	shown[SOURCE] = shown[DESTINATION] = ladder_state(&states, SOURCE);
	for (i = 0; i <= l->r->segment_count; i++) {
		if (i == opening)
			put_unlisted(l, opening);
		if (i == l->r->segment_count)
			break;
		ladder_states_step(&states, l->r, i);
		now[SOURCE] = ladder_state(&states, SOURCE);
		now[DESTINATION] = ladder_state(&states, DESTINATION);
		states_entered(now, shown, entered);
		put_segment(l, i, entered);
	}
	if (l->r->segments_lost)
		put_torn(l);
	put_last_states(l, shown);
}

void format_ladder(struct buffer *out, const struct format_style *style, const struct record *r)
{
	struct ladder l;

	ladder_begin(&l, out, style, r);
	put_title(&l);
	put_circumstances(&l);
	put_heads(&l);
	put_segments(&l);
	put_verdict(&l);
	if (style->verbose)
		put_explanation(&l);
	buffer_char(out, '\n');
}
