// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The groups of a span (user/top/span.h) as rows; what they leave is in the row of the others, so that sums hold.
 */
#include "user/report/problems.h"

#include <inttypes.h>

#include "user/format/duration.h"

static const struct groups groups = {{GROUP_OUTCOME, GROUP_PROCESS, GROUP_PEER, GROUP_PORT, GROUP_REASON}, 5};

struct span *problems_new(void)
{
	struct span *s = span_new();

	if (s)
		span_reset(s, &groups, 0, 0);
	return s;
}

bool problems_has(const struct record *r)
{
	return r->outcome != OUTCOME_GRACEFUL && r->outcome != OUTCOME_OPEN && r->outcome != OUTCOME_UNKNOWN;
}

/* ---- columns ---- */

static bool is_outcome(unsigned field)
{
	return groups.field[field] == GROUP_OUTCOME;
}

/* Columns that say something in at least one row: bits by field. */
static unsigned used_columns(const struct span_view *v)
{
	struct buffer text = {0};
	unsigned used = 0;

	for (unsigned i = 0; i < v->rows; i++)
		for (unsigned field = 0; field < groups.count; field++)
			if (groups_text(&groups, v->span->sketch.entry[v->row[i]].key.bytes, field, &text))
				used |= 1u << field;
	buffer_free(&text);
	return used;
}

static void put_head(struct buffer *out, const char *name, bool number, const char *sorted)
{
	buffer_printf(out, "<th scope=\"col\"%s%s%s%s><button type=\"button\">%s</button></th>",
		      number ? " class=\"n\"" : "", *sorted ? " aria-sort=\"" : "", sorted, *sorted ? "\"" : "", name);
}

static void put_heads(struct buffer *out, unsigned used)
{
	static const char *const names[] = {
		[GROUP_PROCESS] = "Process",     [GROUP_PEER] = "Peer",       [GROUP_PORT] = "Port",
		[GROUP_INTERFACE] = "Interface", [GROUP_OUTCOME] = "Outcome", [GROUP_REASON] = "Reason"};

	buffer_text(out, "<thead><tr>");
	put_head(out, "Count", true, "descending");
	for (unsigned field = 0; field < groups.count; field++)
		if (used & 1u << field)
			put_head(out, names[groups.field[field]], group_is_number(groups.field[field]), "");
	put_head(out, "Closed first by", false, "");
	put_head(out, "Lifetime p50", true, "");
	put_head(out, "p99", true, "");
	buffer_text(out, "</tr></thead>\n");
}

/* ---- rows ---- */

static void put_number(struct buffer *out, uint64_t sorted_by)
{
	buffer_printf(out, "<td class=\"n\" data-v=\"%" PRIu64 "\">", sorted_by);
}

static void put_percentile(struct buffer *out, const struct tally *t, unsigned percent)
{
	const struct quantiles *q = &t->timing[T_LIFETIME];
	uint64_t ns = q->count ? quantiles_percentile(q, percent) : 0;

	put_number(out, ns);
	buffer_duration(out, q->count ? (int64_t)ns : TIMING_UNSEEN);
	buffer_text(out, "</td>");
}

/* The closer of most of the group, and of how many where it is not all. */
static void put_closer(struct buffer *out, const struct tally *t)
{
	enum role most = SOURCE;

	for (enum role role = SOURCE; role <= NETWORK; role++)
		if (t->closer[role] > t->closer[most])
			most = role;
	buffer_printf(out, "<td>%s", role_or_unknown(most));
	if (t->closer[most] < t->connections)
		buffer_printf(out, ", %" PRIu64 "&#8239;%%", 100 * t->closer[most] / t->connections);
	buffer_text(out, "</td>");
}

static void put_tally(struct buffer *out, const struct tally *t)
{
	put_closer(out, t);
	put_percentile(out, t, 50);
	put_percentile(out, t, 99);
	buffer_text(out, "</tr>\n");
}

static void put_field(struct buffer *out, const uint8_t *key, unsigned field)
{
	struct buffer text = {0};
	bool known = groups_text(&groups, key, field, &text), number = group_is_number(groups.field[field]);

	buffer_text(out, number                              ? "<td class=\"n\">"
			 : groups.field[field] == GROUP_PEER ? "<td class=\"peer\">"
							     : "<td>");
	for (size_t i = 0; is_outcome(field) && i < text.len; i++)
		text.data[i] = text.data[i] == '_' ? ' ' : text.data[i];
	if (known)
		buffer_html_bytes(out, text.data, text.len);
	else
		buffer_text(out, "<span class=\"none\">–</span>");
	buffer_text(out, "</td>");
	buffer_free(&text);
}

static void put_row(struct buffer *out, const struct span_view *v, unsigned row, unsigned used)
{
	const struct tally *t = &v->span->tally[v->row[row]];

	buffer_text(out, "<tr>");
	put_number(out, t->connections);
	buffer_printf(out, "%" PRIu64 "</td>", t->connections);
	for (unsigned field = 0; field < groups.count; field++)
		if (used & 1u << field)
			put_field(out, v->span->sketch.entry[v->row[row]].key.bytes, field);
	put_tally(out, t);
}

/* A line below the groups, which is neither sorted nor searched. */
static void put_foot(struct buffer *out, const char *name, const struct tally *t, unsigned used)
{
	buffer_printf(out, "<tr><td class=\"n\">%" PRIu64 "</td><th scope=\"row\" colspan=\"%d\">%s</th>",
		      t->connections, __builtin_popcount(used), name);
	put_tally(out, t);
}

static void put_table(struct buffer *out, const struct span_view *v)
{
	unsigned used = used_columns(v);

	buffer_text(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"What went wrong, table\">"
			 "<table id=\"problems\">");
	put_heads(out, used);
	buffer_text(out, "<tbody>\n");
	for (unsigned i = 0; i < v->rows; i++)
		put_row(out, v, i, used);
	buffer_text(out, "</tbody><tfoot>");
	if (v->other.connections)
		put_foot(out, "others, too many groups to list", &v->other, used);
	put_foot(out, "all", &v->total, used);
	buffer_text(out, "</tfoot></table></div>\n");
	if (v->error)
		buffer_printf(out,
			      "<p class=\"note\">A row may lack up to %" PRIu64 " connections, which are with the "
			      "others: there were more groups than are followed at a time.</p>",
			      v->error);
}

void problems_html(struct buffer *out, const struct span *s)
{
	struct span_view view = {0};

	if (!s->connections) {
		buffer_text(out,
			    "<p class=\"none\">Nothing: every connection that was seen to end ended gracefully.</p>");
		return;
	}
	span_view(&view, s, ORDER_CONNECTIONS, SKETCH_KEYS, "");
	put_table(out, &view);
	span_view_free(&view);
}
