// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The drawing of user/format/format_ladder.c in SVG. What marks a segment is in its form as well as in its colour:
 *
 *	dashed		a retransmission		thick	several plain ones, folded
 *	a cross at the end	an RST			?	one its receiver does not act on
 */
#include "user/report/ladder_svg.h"

#include "user/format/duration.h"
#include "user/format/format.h"
#include "user/format/format_parts.h"
#include "user/format/ladder_states.h"

enum { HEAD = 24, ROW = 40, GAP = 30, LABEL = 14, ARROW = 22, SLANT = 8 }; /* px */

#define LEFT "25%"
#define RIGHT "75%"

struct drawing {
	struct buffer *out;
	const struct record *r;
	unsigned y;
	enum tcp_state shown[2];
};

static void put_text(const struct drawing *d, const char *x, unsigned y, const char *css, const char *text)
{
	buffer_printf(d->out, "<text x=\"%s\" y=\"%u\" class=\"%s\">", x, y, css);
	buffer_html(d->out, text);
	buffer_text(d->out, "</text>");
}

/* ---- one segment ---- */

static const char *css_of(const struct drawing *d, unsigned i)
{
	const struct record_segment *s = &d->r->segments[i];

	if (!ladder_acted_on(d->r, i))
		return "ignored";
	return s->flags & TCP_RST ? "rst" : s->flags & TCP_FIN ? "fin" : s->flags & TCP_SYN ? "syn" : "plain";
}

/* The step of the close that was read from the segment; NULL: none. */
static const char *evidence_of(const struct record *r, unsigned i)
{
	static const char *const steps[EVIDENCES] = {
		[EVIDENCE_FIN] = "first FIN",       [EVIDENCE_FIN_ACK] = "its ACK",
		[EVIDENCE_PEER_FIN] = "second FIN", [EVIDENCE_PEER_FIN_ACK] = "last ACK",
		[EVIDENCE_RESET] = "the RST",
	};

	for (unsigned step = EVIDENCES; step--;)
		if (r->evidence[step] == (int)i)
			return steps[step];
	return NULL;
}

static void put_since(const struct drawing *d, unsigned i)
{
	const struct record_segment *s = &d->r->segments[i];
	struct buffer text = {0};

	if (!i)
		return;
	if ((s->mark | s[-1].mark) & SEGMENT_JUMPED)
		buffer_text(&text, "?");
	else if (s->t < s[-1].t)
		buffer_text(&text, "early");
	else
		buffer_duration(&text, (int64_t)(s->t - s[-1].t));
	buffer_char(&text, '\0');
	put_text(d, "0", d->y + LABEL, "since", text.data);
	buffer_free(&text);
}

static void put_label(const struct drawing *d, unsigned i)
{
	const struct record_segment *s = &d->r->segments[i];
	struct buffer text = {0};
	char flags[10];

	buffer_text(&text, flags_text(s->flags, flags));
	if (s->count > 1)
		buffer_printf(&text, " ×%u", s->count);
	buffer_printf(&text, " seq %u", s->seq);
	if (s->flags & TCP_ACK)
		buffer_printf(&text, " ack %u", s->ack);
	if (s->len)
		buffer_printf(&text, " len %u", s->len);
	if (!ladder_acted_on(d->r, i))
		buffer_text(&text, " ignored");
	else if (s->mark & SEGMENT_COPY)
		buffer_text(&text, " again");
	buffer_char(&text, '\0');
	put_text(d, "50%", d->y + LABEL, "label", text.data);
	buffer_free(&text);
}

/* The head points along the arrow; its corners are px, so that it keeps its form in any width. */
static void put_head(const struct drawing *d, unsigned i, bool rightward)
{
	const struct record_segment *s = &d->r->segments[i];
	const char *x = rightward ? RIGHT : LEFT;
	unsigned y = d->y + ARROW + SLANT;
	int back = rightward ? -1 : 1;

	if (!ladder_acted_on(d->r, i)) {
		buffer_printf(d->out, "<text x=\"%s\" y=\"%u\" dx=\"%d\" class=\"mark\">?</text>", x, y + 5, back * 8);
		return;
	}
	buffer_printf(d->out, "<svg x=\"%s\" y=\"%u\" overflow=\"visible\"><path d=\"", x, y);
	if (s->flags & TCP_RST)
		buffer_printf(d->out, "M%d,-5L%d,5M%d,5L%d,-5", back * 11, back, back * 11, back);
	else
		buffer_printf(d->out, "M%d,-5L0,0L%d,5", back * 9, back * 9);
	buffer_text(d->out, "\"/></svg>");
}

static void put_arrow(const struct drawing *d, unsigned i)
{
	const struct record_segment *s = &d->r->segments[i];
	bool rightward = s->from == SOURCE;
	const char *evidence = evidence_of(d->r, i);

	buffer_printf(d->out, "<g class=\"%s%s%s%s\">", css_of(d, i), s->mark & SEGMENT_COPY ? " copy" : "",
		      s->count > 1 ? " many" : "", evidence ? " evident" : "");
	buffer_printf(d->out, "<line x1=\"%s\" y1=\"%u\" x2=\"%s\" y2=\"%u\"/>", rightward ? LEFT : RIGHT, d->y + ARROW,
		      rightward ? RIGHT : LEFT, d->y + ARROW + SLANT);
	put_head(d, i, rightward);
	put_label(d, i);
	if (evidence)
		put_text(d, "100%", d->y + LABEL, "evidence", evidence);
	buffer_text(d->out, "</g>");
}

/* Names the states that are not shown yet. */
static void put_states(struct drawing *d, const enum tcp_state now[2])
{
	for (int role = SOURCE; role <= DESTINATION; role++) {
		if (now[role] == d->shown[role])
			continue;
		put_text(d, role == SOURCE ? "23.5%" : "76.5%", d->y + ARROW + SLANT + 4,
			 role == SOURCE ? "state left" : "state", state_name(now[role]));
		d->shown[role] = now[role];
	}
}

/* ---- what the log does not list ---- */

/* A row with a text, where time or segments are left out. */
static void put_gap(struct drawing *d, const struct buffer *text)
{
	buffer_printf(d->out, "<text x=\"50%%\" y=\"%u\" class=\"gap\">", d->y + GAP / 2 + 4);
	buffer_html_bytes(d->out, text->data, text->len);
	buffer_text(d->out, "</text>");
	d->y += GAP;
}

static void put_unlisted(struct drawing *d, unsigned opening)
{
	const char *about = d->r->bytes_approximate ? "≈" : "";
	int64_t right = ladder_bytes_before_close(d->r, SOURCE, opening),
		left = ladder_bytes_before_close(d->r, DESTINATION, opening);
	struct buffer text = {0};

	if (right)
		buffer_printf(&text, "%s%lld bytes →", about, (long long)right);
	if (left)
		buffer_printf(&text, "%s← %s%lld bytes", right ? "   " : "", about, (long long)left);
	if (text.len)
		put_gap(d, &text);
	buffer_free(&text);
}

static void put_note(struct drawing *d, const char *note)
{
	struct buffer text = {0};

	buffer_text(&text, note);
	put_gap(d, &text);
	buffer_free(&text);
}

static void put_lost(struct drawing *d)
{
	struct buffer text = {0};

	buffer_printf(&text, "%u more not kept", d->r->segments_lost);
	put_gap(d, &text);
	buffer_free(&text);
}

/* ---- the drawing ---- */

static void put_segments(struct drawing *d)
{
	unsigned opening = ladder_opening_count(d->r);
	struct ladder_states states;
	enum tcp_state now[2];

	ladder_states_begin(&states, d->r);
	d->shown[SOURCE] = d->shown[DESTINATION] = ladder_state(&states, SOURCE);
	for (unsigned i = 0; i <= d->r->segment_count; i++) {
		if (i == opening)
			put_unlisted(d, opening);
		if (i == d->r->segment_count)
			break;
		ladder_states_step(&states, d->r, i);
		now[SOURCE] = ladder_state(&states, SOURCE);
		now[DESTINATION] = ladder_state(&states, DESTINATION);
		put_since(d, i);
		put_arrow(d, i);
		put_states(d, now);
		d->y += ROW;
	}
}

/* The verdict may know more than the listed segments show, so the last states are its states. */
static void put_last_states(struct drawing *d)
{
	enum tcp_state last[2];
	bool more = false;

	for (int role = SOURCE; role <= DESTINATION; role++) {
		last[role] = d->r->end[role].state == STATE_UNKNOWN ? d->shown[role] : d->r->end[role].state;
		more |= last[role] != d->shown[role];
	}
	d->y -= more ? ARROW - 6 : 0;
	put_states(d, last);
	d->y += more ? ROW : 0;
}

static void put_rows(struct drawing *d)
{
	put_text(d, LEFT, 14, "end", "source");
	put_text(d, RIGHT, 14, "end", "destination");
	if (d->r->midstream)
		put_note(d, "handshake not seen");
	put_segments(d);
	if (d->r->segments_lost)
		put_lost(d);
	put_last_states(d);
}

static void put_life(struct buffer *out, const char *x, unsigned end)
{
	buffer_printf(out, "<line class=\"life\" x1=\"%s\" x2=\"%s\" y1=\"%u\" y2=\"%u\"/>", x, x, HEAD - 4, end);
}

void ladder_svg(struct buffer *out, const struct record *r)
{
	struct buffer rows = {0}, flags = {0};
	struct drawing d = {.out = &rows, .r = r, .y = HEAD};

	put_rows(&d);
	buffer_printf(
		out,
		"<svg class=\"ladder\" width=\"100%%\" height=\"%u\" role=\"img\"><title>Segments in order: ", d.y + 4);
	format_flags(&flags, r);
	buffer_html_bytes(out, flags.data, flags.len);
	buffer_text(out, "</title>");
	put_life(out, LEFT, d.y);
	put_life(out, RIGHT, d.y);
	buffer_bytes(out, rows.data, rows.len);
	buffer_text(out, "</svg>\n");
	buffer_free(&rows);
	buffer_free(&flags);
}
