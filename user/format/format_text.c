// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One connection a line, in columns; what was not seen is "-".
 *
 * TIME is the local time of day of the last step. FLAGS is what format_flags prints. After it come, for each end on
 * this host, the process that closed or held it (">nginx[1234] close", "<redis[77]+2 held"), the kernel's reason for a
 * reset, and what shows that another box has sent it ("forged RST, TTL 101 for 57").
 */
#include "user/format/format.h"

#include <string.h>

#include "user/format/duration.h"
#include "user/format/format_parts.h"

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
		format_deed(out, s);
		if (s->unread_bytes > 0)
			buffer_printf(out, ", %lld unread", (long long)s->unread_bytes);
	}
	if (r->reset.reason)
		buffer_printf(out, "  %s", r->reset.reason);
}

static void text_forged(struct buffer *out, const struct record *r)
{
	if (r->reset.by == NOBODY)
		return;
	if (r->reset.forged == YES)
		buffer_text(out, "  forged RST");
	if (r->reset.ttl_differs)
		buffer_printf(out, "%sTTL %u for %u", r->reset.forged == YES ? ", " : "  RST ", r->reset.ttl,
			      r->reset.usual_ttl);
}

static void text_outcome(struct buffer *out, const struct record *r)
{
	const char *detail = NULL;

	format_words(out, outcome_name(r->outcome), '-');
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

/* Returns how many of the bytes appended take no column on the screen. */
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

	format_time_of_day(out, r->finish);
	buffer_pad(out, start, COLUMN_SOURCE);
	format_endpoint(out, r->family, r->end[SOURCE].ip, r->end[SOURCE].port);
	buffer_pad(out, start, COLUMN_DESTINATION);
	format_endpoint(out, r->family, r->end[DESTINATION].ip, r->end[DESTINATION].port);
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
	text_forged(out, r);
	buffer_char(out, '\n');
	if (style->verbose) {
		buffer_text(out, "    ");
		format_explanation(out, r);
		buffer_char(out, '\n');
	}
}
