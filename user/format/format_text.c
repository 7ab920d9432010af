// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One connection a line, in columns. What was not seen is "-".
 *
 * TIME is the local time of day of the last step. FLAGS is the order of the segments: ">" from source, "<" from
 * destination, then tcpdump's letters, then
 *	*N	N plain data segments or ACKs, or N equal copies
 *	~	a retransmission
 *	!	a segment that its receiver would not act on
 * "..." stands once for what was carried between the handshake and the close and is not listed; "(N lost)" for
 * segments that found no place in the log. Where an end is on this host, who closed it follows, and how (">nginx[1234]
 * close"), and behind that the kernel's reason of a reset.
 */
#include "user/format/format.h"

#include <string.h>
#include <time.h>

#include "user/base/clock.h"
#include "user/format/duration.h"

#define NS_PER_US 1000ULL

/* Where columns begin. Each fits its widest word, addresses of IPv4 included, and two spaces. */
enum {
	COLUMN_SOURCE = 17,
	COLUMN_DESTINATION = COLUMN_SOURCE + 23,
	COLUMN_OUTCOME = COLUMN_DESTINATION + 23,
	COLUMN_CLOSER = COLUMN_OUTCOME + 31,
	COLUMN_FIN_TO_ACK = COLUMN_CLOSER + 13,
	COLUMN_HALF_CLOSED = COLUMN_FIN_TO_ACK + 9,
	COLUMN_PEER_FIN_TO_ACK = COLUMN_HALF_CLOSED + 13,
	COLUMN_LIFETIME = COLUMN_PEER_FIN_TO_ACK + 9,
	COLUMN_FLAGS = COLUMN_LIFETIME + 10,
};

/* Leading segments that are the handshake; all later ones belong to the close. */
static unsigned text_handshake(const struct record *r)
{
	const struct record_segment *s = r->segments, *end = s + r->segment_count;

	while (s < end && (s->flags & TCP_SYN))
		s++;
	if (s > r->segments && s < end && s->from == SOURCE && !(s->flags & TCP_CONTROL) && !(s->mark & SEGMENT_FOLDED))
		s++;
	return s - r->segments;
}

/* Did a side carry more than what is listed? */
static bool text_carried(const struct record *r)
{
	int64_t listed[2] = {0, 0};
	unsigned i;

	for (i = 0; i < r->segment_count; i++) {
		const struct record_segment *s = &r->segments[i];

		if (!(s->mark & (SEGMENT_COPY | SEGMENT_IGNORED)))
			listed[s->from != SOURCE] += s->len;
	}
	return r->end[SOURCE].bytes > listed[SOURCE] || r->end[DESTINATION].bytes > listed[DESTINATION];
}

/* Parts of FLAGS are set apart; `start` is where FLAGS begins. */
static void text_space(struct buffer *out, size_t start)
{
	if (out->len > start)
		buffer_char(out, ' ');
}

static void text_segment(struct buffer *out, size_t start, const struct record_segment *s)
{
	char flags[10];

	text_space(out, start);
	buffer_char(out, s->from == SOURCE ? '>' : '<');
	buffer_text(out, flags_text(s->flags, flags));
	if (s->count > 1) {
		buffer_char(out, '*');
		buffer_unsigned(out, s->count);
	}
	if (s->mark & SEGMENT_COPY)
		buffer_char(out, '~');
	if (s->mark & SEGMENT_IGNORED)
		buffer_char(out, '!');
}

/* The segments in order, as the head of this file explains. */
void format_flags(struct buffer *out, const struct record *r)
{
	unsigned handshake = text_handshake(r), i;
	size_t start = out->len;

	for (i = 0; i < handshake; i++)
		text_segment(out, start, &r->segments[i]);
	if (r->midstream || text_carried(r)) {
		text_space(out, start);
		buffer_text(out, "...");
	}
	for (; i < r->segment_count; i++)
		text_segment(out, start, &r->segments[i]);
	if (r->segments_lost) {
		text_space(out, start);
		buffer_printf(out, "(%u lost)", r->segments_lost);
	}
}

/* "[1234] close" or "[1234]+2 held": what follows a process's name. */
static void text_deed(struct buffer *out, const struct record_socket *s)
{
	buffer_printf(out, "[%u]", s->process.pid);
	if (s->process.holders > 1)
		buffer_printf(out, "+%u", s->process.holders - 1);
	buffer_printf(out, " %s", s->process.holders ? "held" : how_name(s->how));
}

/* The process at each end of this host that closed or held the socket; and the kernel's reason for a reset. */
static void text_sockets(struct buffer *out, const struct record *r)
{
	enum role role;

	for (role = SOURCE; role <= DESTINATION; role++) {
		const struct record_socket *s = &r->socket[role];

		if (!socket_process(s))
			continue;
		buffer_text(out, role == SOURCE ? "  >" : "  <");
		buffer_printable(out, s->process.name);
		text_deed(out, s);
		if (s->unread_bytes > 0)
			buffer_printf(out, ", %lld unread", (long long)s->unread_bytes);
	}
	if (r->reset.reason)
		buffer_printf(out, "  %s", r->reset.reason);
}

void format_clock(struct buffer *out, const struct tm *tm)
{
	buffer_digits(out, (uint64_t)tm->tm_hour, 2);
	buffer_char(out, ':');
	buffer_digits(out, (uint64_t)tm->tm_min, 2);
	buffer_char(out, ':');
	buffer_digits(out, (uint64_t)tm->tm_sec, 2);
}

/* Many records end in one second, and the zone stays what it was at the start: that second's local time is kept. */
static void text_time(struct buffer *out, uint64_t ns)
{
	static time_t second = -1;
	static struct tm tm;

	if (second != (time_t)(ns / SECOND_NS)) {
		second = ns / SECOND_NS;
		localtime_r(&second, &tm);
	}
	format_clock(out, &tm);
	buffer_char(out, '.');
	buffer_digits(out, ns % SECOND_NS / NS_PER_US, 6);
}

static void text_end(struct buffer *out, const struct record *r, enum role role)
{
	if (r->family == 6)
		buffer_char(out, '[');
	format_address(out, r->family, r->end[role].ip);
	if (r->family == 6)
		buffer_char(out, ']');
	buffer_char(out, ':');
	buffer_unsigned(out, r->end[role].port);
}

/* The contract's words with another character for their underscores. */
static void text_word(struct buffer *out, const char *word, char instead)
{
	for (; *word; word++)
		buffer_char(out, *word == '_' ? instead : *word);
}

static void text_outcome(struct buffer *out, const struct record *r)
{
	const char *detail = NULL;

	text_word(out, outcome_name(r->outcome), '-');
	if (r->outcome == OUTCOME_UNFINISHED && missing_name(r->missing)) {
		buffer_text(out, " no ");
		text_word(out, missing_name(r->missing), ' ');
		return;
	}
	if (r->outcome == OUTCOME_GRACEFUL)
		detail = pattern_name(r->pattern);
	else if (r->outcome == OUTCOME_RESET)
		detail = phase_name(r->reset.phase);
	if (detail) {
		buffer_char(out, ' ');
		text_word(out, detail, '-');
	}
}

static const char *text_color(enum outcome outcome)
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

/* Returns how many bytes it appended that take no place on the screen. */
static size_t text_colored_outcome(struct buffer *out, const struct record *r)
{
	static const char end[] = "\033[0m";
	const char *begin = text_color(r->outcome);

	buffer_text(out, begin);
	text_outcome(out, r);
	buffer_text(out, end);
	return strlen(begin) + strlen(end);
}

static void text_timing(struct buffer *out, size_t start, size_t column, int64_t ns)
{
	buffer_pad(out, start, column);
	buffer_duration(out, ns);
}

void format_text_header(struct buffer *out)
{
	static const struct {
		size_t column;
		const char *title;
		/* clang-format off: a row a case */
	} titles[] = {
		{COLUMN_SOURCE, "SOURCE"},
		{COLUMN_DESTINATION, "DESTINATION"},
		{COLUMN_OUTCOME, "OUTCOME"},
		{COLUMN_CLOSER, "CLOSER"},
		{COLUMN_FIN_TO_ACK, "FIN>ACK"},
		{COLUMN_HALF_CLOSED, "HALF-CLOSED"},
		{COLUMN_PEER_FIN_TO_ACK, "FIN>ACK"},
		{COLUMN_LIFETIME, "LIFETIME"},
		{COLUMN_FLAGS, "FLAGS"},
	};
	/* clang-format on */
	size_t start = out->len, i;

	buffer_text(out, "TIME");
	for (i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
		buffer_pad(out, start, titles[i].column);
		buffer_text(out, titles[i].title);
	}
	buffer_char(out, '\n');
}

void format_text(struct buffer *out, const struct format_style *style, const struct record *r)
{
	const char *closer = role_name(r->closer);
	size_t start = out->len;

	text_time(out, r->finish);
	buffer_pad(out, start, COLUMN_SOURCE);
	text_end(out, r, SOURCE);
	buffer_pad(out, start, COLUMN_DESTINATION);
	text_end(out, r, DESTINATION);
	buffer_pad(out, start, COLUMN_OUTCOME);
	if (style->color)
		start += text_colored_outcome(out, r);
	else
		text_outcome(out, r);
	buffer_pad(out, start, COLUMN_CLOSER);
	buffer_text(out, closer ? closer : "-");
	text_timing(out, start, COLUMN_FIN_TO_ACK, r->timing[T_FIN_TO_ACK]);
	text_timing(out, start, COLUMN_HALF_CLOSED, r->timing[T_HALF_CLOSED]);
	text_timing(out, start, COLUMN_PEER_FIN_TO_ACK, r->timing[T_PEER_FIN_TO_ACK]);
	text_timing(out, start, COLUMN_LIFETIME, r->timing[T_LIFETIME]);
	buffer_pad(out, start, COLUMN_FLAGS);
	format_flags(out, r);
	text_sockets(out, r);
	buffer_char(out, '\n');
	if (style->verbose) {
		buffer_text(out, "    ");
		format_explanation(out, r);
		buffer_char(out, '\n');
	}
}
