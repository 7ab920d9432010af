// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The checks of check.h. Each parser returns the place behind what it parsed, or NULL.
 */
#include "tests/fuzz/check.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

/* ---- the record ---- */

/* The step from a FIN to its ACK is not measured where the FIN that was seen is a copy, which the ACK may precede. */
static void check_acknowledged(const struct record *r, enum role role, enum timing to_ack)
{
	expect(r->timing[to_ack] >= 0 || !r->fin_original[role]);
}

/* Who closed first, and how, is unknown only where a FIN was captured as a copy alone, or its ACK may be missing. */
static void check_pattern(const struct record *r)
{
	bool sure = r->fin_original[SOURCE] && r->fin_original[DESTINATION] && r->timing[T_FIN_TO_ACK] >= 0;

	expect(r->pattern != PATTERN_NONE || !sure);
	expect(r->closer != NOBODY || r->pattern == PATTERN_NONE);
	expect((r->pattern == PATTERN_SIMULTANEOUS) == (r->closer == BOTH));
}

static void check_graceful(const struct record *r)
{
	enum role first = r->closer == BOTH ? SOURCE : r->closer;

	check_pattern(r);
	if (first == NOBODY)
		return;
	expect(r->time_wait == (r->late_reset ? NOBODY : r->closer));
	for (int i = 0; i < 2; i++)
		expect(r->end[i].state == STATE_CLOSED || r->end[i].state == STATE_TIME_WAIT);
	check_acknowledged(r, first, T_FIN_TO_ACK);
	check_acknowledged(r, first == SOURCE ? DESTINATION : SOURCE, T_PEER_FIN_TO_ACK);
	expect(r->midstream || r->timing[T_CLOSE] >= 0);
}

/*
 * Of a connection that was reset it is unknown who closed first only where the one FIN that was seen can have been the
 * second one; the network ended it only where the RST's alleged sender denied it, and no FIN came before.
 */
static void check_closer_of_reset(const struct record *r)
{
	bool no_fin = r->reset.phase == PHASE_ESTABLISHED || r->reset.phase == PHASE_HANDSHAKE ||
		      r->reset.phase == PHASE_NONE;
	bool one_fin = r->reset.phase == PHASE_HALF_CLOSED || r->reset.phase == PHASE_HANDSHAKE;

	expect(r->closer != NOBODY || r->reset.phase == PHASE_NONE || (one_fin && r->evidence[EVIDENCE_PEER_FIN] < 0));
	expect(r->closer != NETWORK || (no_fin && r->reset.forged == YES && r->evidence[EVIDENCE_FIN] < 0));
	expect(r->closer != BOTH || r->reset.phase == PHASE_CLOSING || r->reset.phase == PHASE_HANDSHAKE);
}

/* Who received the RST is closed; its alleged sender may be open only where another one sent it. */
static void check_reset(const struct record *r)
{
	expect(r->reset.by == SOURCE || r->reset.by == DESTINATION);
	expect(r->reset.phase != PHASE_CLOSED); /* PHASE_NONE: a FIN may have passed unseen */
	expect(r->reset.validity != RESET_OUT_OF_WINDOW);
	check_closer_of_reset(r);
	expect(r->end[!r->reset.by].state == STATE_CLOSED);
	expect(r->end[r->reset.by].state == STATE_CLOSED || r->reset.forged == YES);
	expect(r->outcome != OUTCOME_REFUSED || r->reset.by == DESTINATION);
	expect((r->outcome == OUTCOME_RESET) == (r->reset.phase != PHASE_HANDSHAKE));
}

static void check_outcome(const struct record *r)
{
	bool reset = r->outcome == OUTCOME_RESET || r->outcome == OUTCOME_REFUSED ||
		     r->outcome == OUTCOME_HANDSHAKE_RESET;

	expect(r->outcome < OUTCOMES);
	expect(r->outcome == OUTCOME_GRACEFUL || r->pattern == PATTERN_NONE);
	expect((reset || r->late_reset) == (r->reset.by != NOBODY));
	expect(!r->late_reset || r->outcome == OUTCOME_GRACEFUL);
	if (r->outcome == OUTCOME_GRACEFUL)
		check_graceful(r);
	else
		expect(r->time_wait == NOBODY);
	if (reset)
		check_reset(r);
	if (reset || r->outcome == OUTCOME_GRACEFUL)
		expect(r->missing == MISSING_NOTHING);
	if (r->outcome == OUTCOME_UNFINISHED)
		expect(r->missing != MISSING_NOTHING);
	if (r->outcome == OUTCOME_OPEN || r->outcome == OUTCOME_UNANSWERED)
		expect(r->closer == NOBODY);
}

static void check_numbers(const struct record *r)
{
	for (int i = 0; i < TIMINGS; i++)
		expect(r->timing[i] >= TIMING_UNSEEN);
	for (int i = 0; i < 2; i++) {
		expect(r->end[i].bytes >= NUMBER_UNSEEN && r->end[i].bytes <= UINT32_MAX);
		expect(r->end[i].wscale >= NUMBER_UNSEEN && r->end[i].wscale <= 14);
	}
	expect(r->half_closed_bytes >= NUMBER_UNSEEN && r->half_closed_bytes <= UINT32_MAX);
	expect(r->segment_count <= RECORD_SEGMENTS);
	for (unsigned i = 0; i < r->segment_count; i++)
		expect(r->segments[i].from <= DESTINATION && r->segments[i].count);
	for (int i = 0; i < EVIDENCES; i++)
		expect(r->evidence[i] >= -1 && r->evidence[i] < (int)r->segment_count);
	expect(r->completeness >= 0 && r->completeness < 64);
}

void check_record(const struct record *r)
{
	expect(r->family == 4 || r->family == 6);
	expect(memchr(r->history, 0, sizeof(r->history)));
	expect(r->conn_state);
	check_numbers(r);
	check_outcome(r);
}

/* ---- text ---- */

/* A character of UTF-8 (RFC 3629, table of section 4). *c: its code point. */
static const char *utf8_character(const char *p, const char *end, uint32_t *c)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	unsigned char lead = (unsigned char)*p++;
	int more = lead < 0x80 ? 0 : lead >> 5 == 6 ? 1 : lead >> 4 == 14 ? 2 : lead >> 3 == 30 ? 3 : -1;

	if (more < 0 || end - p < more)
		return NULL;
	*c = more ? lead & (0x3fu >> more) : lead;
	for (int i = 0; i < more; i++, p++) {
		if (((unsigned char)*p & 0xc0) != 0x80)
			return NULL;
		*c = *c << 6 | ((unsigned char)*p & 0x3f);
	}
	return *c < least[more] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? NULL : p;
}

/* "[ digits m", from behind its ESC: color, the only sequence allowed. */
static const char *sgr_sequence(const char *p, const char *end)
{
	if (p == end || *p++ != '[')
		return NULL;
	while (p < end && ((*p >= '0' && *p <= '9') || *p == ';'))
		p++;
	return p < end && *p == 'm' ? p + 1 : NULL;
}

void check_printable(const char *text, size_t len, bool color, bool crlf)
{
	const char *p = text, *end = text + len;
	uint32_t c;

	while (p < end) {
		p = utf8_character(p, end, &c);
		expect(p);
		if (c == '\033' && color) {
			p = sgr_sequence(p, end);
			expect(p);
		} else if (c == '\r' && crlf) {
			expect(p < end && *p == '\n');
		} else {
			expect(c == '\n' || (c >= 0x20 && c < 0x7f) || c >= 0xa0);
			expect((c < 0x2028 || c > 0x202e) && (c < 0x2066 || c > 0x2069) && c != 0x61c && c != 0xfeff);
		}
	}
	expect(!len || text[len - 1] == '\n');
}

/* ---- JSON ---- */

#define JSON_DEPTH 8
#define JSON_NAMES 64

static const char *json_value(const char *p, const char *end, int depth);

static const char *json_token(const char *p, const char *end, const char *token)
{
	size_t len = strlen(token);

	return p && (size_t)(end - p) >= len && !memcmp(p, token, len) ? p + len : NULL;
}

static const char *json_escape(const char *p, const char *end)
{
	if (p == end)
		return NULL;
	if (*p != 'u')
		return memchr("\"\\/bfnrt", *p, 8) ? p + 1 : NULL;
	if (end - ++p < 4)
		return NULL;
	for (int i = 0; i < 4; i++)
		if (!memchr("0123456789abcdefABCDEF", p[i], 22))
			return NULL;
	return p + 4;
}

static const char *json_string(const char *p, const char *end)
{
	p = json_token(p, end, "\"");
	while (p && p < end && *p != '"') {
		if ((unsigned char)*p < 0x20)
			return NULL;
		p = *p == '\\' ? json_escape(p + 1, end) : p + 1;
	}
	return p ? json_token(p, end, "\"") : NULL;
}

static const char *json_digits(const char *p, const char *end)
{
	const char *begin = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p > begin ? p : NULL;
}

/* Integers: the writers write no other numbers. */
static const char *json_number(const char *p, const char *end)
{
	return *p == '0' ? p + 1 : json_digits(p, end);
}

static const char *json_array(const char *p, const char *end, int depth)
{
	const char *next = json_token(p, end, "]");

	if (next)
		return next;
	for (;;) {
		p = json_value(p, end, depth);
		next = json_token(p, end, "]");
		if (next || !p)
			return next;
		p = json_token(p, end, ",");
	}
}

static const char *json_object(const char *p, const char *end, int depth)
{
	const char *names[JSON_NAMES], *next = json_token(p, end, "}");
	unsigned n = 0;

	while (p && !next) {
		names[n] = p;
		p = json_string(p, end);
		if (!p)
			return NULL;
		for (unsigned i = 0; i < n; i++)
			expect(memcmp(names[i], names[n], (size_t)(p - names[n])));
		expect(++n < JSON_NAMES);
		p = json_value(json_token(p, end, ":"), end, depth);
		next = json_token(p, end, "}");
		if (!next)
			p = json_token(p, end, ",");
	}
	return next;
}

static const char *json_word(const char *p, const char *end)
{
	static const char *const words[] = {"true", "false", "null"};

	for (int i = 0; i < 3; i++)
		if (json_token(p, end, words[i]))
			return json_token(p, end, words[i]);
	return NULL;
}

static const char *json_value(const char *p, const char *end, int depth)
{
	if (!p || p == end || depth == JSON_DEPTH)
		return NULL;
	switch (*p) {
	case '{':
		return json_object(p + 1, end, depth + 1);
	case '[':
		return json_array(p + 1, end, depth + 1);
	case '"':
		return json_string(p, end);
	case '0' ... '9':
		return json_number(p, end);
	default:
		return json_word(p, end);
	}
}

unsigned check_json_lines(const char *text, size_t len)
{
	const char *p = text, *end = text + len;
	unsigned lines = 0;

	check_printable(text, len, false, false);
	for (; p < end; lines++) {
		expect(*p == '{');
		p = json_token(json_value(p, end, 0), end, "\n");
		expect(p);
	}
	return lines;
}

/* ---- CSV ---- */

/* A field is quoted as a whole or has no quote. */
static const char *csv_field(const char *p, const char *end)
{
	if (p < end && *p == '"') {
		do {
			p = memchr(p + 1, '"', (size_t)(end - p - 1));
		} while (p && ++p < end && *p == '"');
		return p;
	}
	while (p < end && !memchr("\",\r\n", *p, 4))
		p++;
	return p;
}

unsigned check_csv_lines(const char *text, size_t len)
{
	const char *p = text, *end = text + len;
	unsigned lines = 0, expected = 0;

	check_printable(text, len, false, true);
	for (; p < end; lines++) {
		unsigned fields = 1;

		while ((p = csv_field(p, end)) && p < end && *p == ',') {
			p++;
			fields++;
		}
		p = json_token(p, end, "\r\n");
		expect(p);
		expect(!lines || fields == expected);
		expected = fields;
	}
	return lines;
}

/* ---- all formats ---- */

/* More than the longest record, so that one without an end is found. */
#define RECORD_BYTES 65536

static void check_format(const struct record *r, enum format format, const struct format_style *style)
{
	struct buffer b = {0};

	format_header(&b, format, style);
	format_record(&b, format, style, r);
	expect(b.len && b.len < RECORD_BYTES);
	if (format == FORMAT_JSON)
		expect(check_json_lines(b.data, b.len) == 1);
	else if (format == FORMAT_CSV)
		expect(check_csv_lines(b.data, b.len) == 2);
	else
		check_printable(b.data, b.len, style->color, false);
	buffer_free(&b);
}

void check_formats(const struct record *r, const struct format_style *style)
{
	for (enum format format = FORMAT_TEXT; format <= FORMAT_LADDER; format++)
		check_format(r, format, style);
}
