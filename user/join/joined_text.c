// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A joined connection for people: the verdict, a line for each view, one for each thing that the network did, and one
 * for each exchange.
 */
#include "user/format/duration.h"
#include "user/format/format_parts.h"
#include "user/join/format_joined.h"

#define PLACE_COLUMN 14 /* where a line goes on behind the place, or the deed */
#define VANTAGE_COLUMN 34

static void ends(struct buffer *out, const struct view *view, bool unicode)
{
	const struct record_end *source = view_end(view, SOURCE), *destination = view_end(view, DESTINATION);

	format_endpoint(out, view->record.family, source->ip, source->port);
	buffer_text(out, unicode ? " \u2192 " : " > ");
	format_endpoint(out, view->record.family, destination->ip, destination->port);
}

static void title(struct buffer *out, const struct joined *j, bool unicode)
{
	const struct view *near = j->way->views[0].view;
	unsigned compared;

	ends(out, near, unicode);
	buffer_text(out, ", ");
	format_words(out, outcome_name(j->outcome), ' ');
	if (j->closer == NETWORK)
		buffer_text(out, ", ended by the network");
	else if (j->closer == BOTH)
		buffer_text(out, ", both closed first");
	else if (j->closer != NOBODY)
		buffer_printf(out, ", the %s closed first", role_name(j->closer));
	buffer_char(out, '\n');
	format_date(out, near->record.start);
	buffer_char(out, ' ');
	format_time_of_day(out, near->record.start);
	compared = j->way->count + j->way->made;
	buffer_printf(out, ", %u view%s", compared + j->way->left_out, compared > 1 ? "s" : "");
	if (j->way->left_out)
		buffer_printf(out, ", the first %u of them compared", compared);
	buffer_text(out, "\n");
}

static void vantage(struct buffer *out, const struct vantage *at)
{
	buffer_printable(out, at->host ? at->host : at->file);
	if (!at->interface)
		return;
	buffer_char(out, ' ');
	buffer_printable(out, at->interface);
}

static void clock_of(struct buffer *out, const struct clock_offset *offset)
{
	int64_t ahead = offset->ahead < 0 ? -offset->ahead : offset->ahead;

	if (!offset->known) {
		buffer_text(out, ", clock unknown");
		return;
	}
	if (!offset->ahead && !offset->error)
		return;
	buffer_text(out, ", clock ");
	buffer_duration(out, ahead);
	buffer_text(out, offset->ahead < 0 ? " behind, to within " : " ahead, to within ");
	buffer_duration(out, offset->error);
}

static void one_view(struct buffer *out, const struct joined *j, unsigned n, const struct views *views, bool unicode)
{
	const struct joined_view *v = &j->way->views[n];
	const struct record *r = &v->view->record;
	enum role by = view_role(v->view, r->reset.by), closer = view_role(v->view, r->closer);
	size_t start = out->len;

	buffer_printf(out, "  %s", place_name(v->place));
	buffer_pad(out, start, PLACE_COLUMN);
	vantage(out, views->vantages[v->view->vantage]);
	buffer_pad(out, start, VANTAGE_COLUMN);
	if (n)
		ends(out, v->view, unicode);
	if (n)
		buffer_text(out, ", ");
	format_words(out, outcome_name(r->outcome), ' ');
	if (by != NOBODY)
		buffer_printf(out, " by the %s", role_name(by));
	else if (closer != NOBODY)
		buffer_printf(out, ", closed by %s%s", closer == BOTH ? "" : "the ", role_name(closer));
	buffer_text(out, r->final ? "" : ", not over");
	clock_of(out, &j->offset[n]);
	if (v->view->made)
		buffer_text(out, ", begun by a SYN that no end sent");
	else if (!v->placed && j->way->count > 1)
		buffer_text(out, ", place on the path unknown");
	buffer_char(out, '\n');
}

static void signed_duration(struct buffer *out, int64_t ns)
{
	if (ns < 0)
		buffer_char(out, '-');
	buffer_duration(out, ns < 0 ? -ns : ns);
}

static void deed(struct buffer *out, const struct joined *j, const struct path_entry *e)
{
	const struct record_segment *s = e->of.segment;
	size_t start = out->len;
	char flags[10];

	buffer_printf(out, "  %s", deed_name(e->deed));
	buffer_pad(out, start, PLACE_COLUMN);
	buffer_printf(out, "%s of the %s, seq %u len %u", flags_text(s->flags, flags), role_name(e->of.key.from),
		      s->seq, s->len);
	if (e->count > 1)
		buffer_printf(out, ", %u times", e->count);
	if (j->way->placed > 2)
		buffer_printf(out, ", between views %u and %u", e->near + 1, e->far + 1);
	if (e->timed) {
		buffer_text(out, ", at ");
		signed_duration(out, (int64_t)(e->of.time - j->way->views[e->view].view->record.start));
	}
	if (e->deed == DEED_DELAYED || e->deed == DEED_REORDERED) {
		buffer_text(out, ", by ");
		buffer_duration(out, e->delay);
	}
	buffer_text(out, e->deed == DEED_MADE ? ": no end sent it\n" : "\n");
}

static void shares(struct buffer *out, const char *name, const struct shares *s)
{
	size_t start = out->len;

	if (!s->known)
		return;
	buffer_text(out, "  ");
	format_words(out, name, ' ');
	buffer_pad(out, start, VANTAGE_COLUMN);
	signed_duration(out, s->out);
	buffer_text(out, " out, ");
	signed_duration(out, s->there);
	buffer_text(out, " there, ");
	signed_duration(out, s->back);
	buffer_text(out, " back, to within ");
	buffer_duration(out, s->error);
	buffer_char(out, '\n');
}

void format_joined_text(struct buffer *out, const struct joined *j, const struct views *views, bool unicode)
{
	title(out, j, unicode);
	for (unsigned n = 0; n < j->way->count + j->way->made; n++)
		one_view(out, j, n, views, unicode);
	for (unsigned i = 0; j->path && i < j->path->count; i++)
		deed(out, j, &j->path->entries[i]);
	if (!j->path && j->way->count > 1)
		buffer_text(out,
			    "  The order of the views is not known, so nothing is said of what is between them.\n");
	for (unsigned e = 0; e < EXCHANGES; e++)
		shares(out, exchange_name(e), &j->shares[e]);
	buffer_char(out, '\n');
}
