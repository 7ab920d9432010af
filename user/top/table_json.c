// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A line for each group, for the others and for all. What was not seen is null.
 */
#include "user/top/table_json.h"

#include <inttypes.h>

#include "user/base/clock.h"
#include "user/format/format_parts.h"

struct line {
	const char *row; /* "group", "other" or "total" */
	unsigned rank;   /* from 1 on, of a group */
	const struct sketch_entry *entry;
	const struct tally *tally;
};

static void put_event(struct buffer *out, const struct span *s, const char *host)
{
	buffer_text(out, "{\"@timestamp\":\"");
	format_time(out, s->end + (uint64_t)s->wall_offset);
	buffer_text(out, "\",\"event\":{\"dataset\":\"tcpfin.rate\",\"kind\":\"metric\",\"start\":\"");
	format_time(out, s->start + (uint64_t)s->wall_offset);
	buffer_text(out, "\",\"end\":\"");
	format_time(out, s->end + (uint64_t)s->wall_offset);
	buffer_printf(out, "\",\"duration\":%" PRIu64 "}", s->end - s->start);
	if (host) {
		buffer_text(out, ",\"host\":{\"name\":");
		buffer_json_string(out, host);
		buffer_char(out, '}');
	}
}

/* The values of the fields that are grouped by; null in the lines of the others and of all. */
static void put_group(struct buffer *out, const struct groups *g, const struct sketch_entry *e)
{
	buffer_text(out, ",\"group\":");
	if (!e) {
		buffer_text(out, "null");
		return;
	}
	for (unsigned i = 0; i < g->count; i++) {
		buffer_text(out, i ? ",\"" : "{\"");
		buffer_text(out, group_name(g->field[i]));
		buffer_text(out, "\":");
		groups_json(g, e->key.bytes, i, out);
	}
	buffer_char(out, '}');
}

/* n / whole with that many digits behind the point, or null. */
static void put_ratio(struct buffer *out, const char *name, unsigned __int128 n, uint64_t whole, unsigned digits)
{
	uint64_t unit = 1;

	for (unsigned i = 0; i < digits; i++)
		unit *= 10;
	buffer_printf(out, ",\"%s\":", name);
	if (!whole) {
		buffer_text(out, "null");
		return;
	}
	n = (n * unit + whole / 2) / whole;
	buffer_unsigned(out, (uint64_t)(n / unit));
	buffer_char(out, '.');
	buffer_digits(out, (uint64_t)(n % unit), digits);
}

static void put_counts(struct buffer *out, const struct tally *t)
{
	buffer_text(out, ",\"outcome\":{");
	for (unsigned i = 0; i < OUTCOMES; i++)
		buffer_printf(out, "%s\"%s\":%" PRIu64, i ? "," : "", outcome_name((enum outcome)i), t->outcome[i]);
	buffer_text(out, "},\"closer\":{");
	for (unsigned i = 0; i <= NETWORK; i++)
		buffer_printf(out, "%s\"%s\":%" PRIu64, i ? "," : "", i == NOBODY ? "unknown" : role_name((enum role)i),
			      t->closer[i]);
	buffer_text(out, "},\"time_wait\":{");
	for (unsigned i = 0; i < NOBODY; i++)
		buffer_printf(out, "%s\"%s\":%" PRIu64, i ? "," : "", role_name((enum role)i), t->time_wait[i]);
	buffer_char(out, '}');
}

static void put_timings(struct buffer *out, const struct tally *t)
{
	buffer_text(out, ",\"timing\":{");
	for (unsigned i = 0; i < TIMINGS; i++) {
		const struct quantiles *q = &t->timing[i];

		buffer_printf(out, "%s\"%s\":{\"count\":%" PRIu64, i ? "," : "", timing_name((enum timing)i),
			      (uint64_t)q->count);
		if (q->count)
			buffer_printf(out, ",\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 "}", quantiles_percentile(q, 50),
				      quantiles_percentile(q, 99));
		else
			buffer_text(out, ",\"p50\":null,\"p99\":null}");
	}
	buffer_char(out, '}');
}

static void put_line(struct buffer *out, const struct span_view *v, const char *host, bool summary,
		     const struct line *l)
{
	const struct span *s = v->span;
	const struct tally *t = l->tally;

	put_event(out, s, host);
	buffer_printf(out, ",\"rate\":{\"span\":\"%s\",\"row\":\"%s\",\"rank\":", summary ? "run" : "interval", l->row);
	if (l->entry)
		buffer_unsigned(out, l->rank);
	else
		buffer_text(out, "null");
	put_group(out, &s->groups, l->entry);
	buffer_printf(out, ",\"connections\":%" PRIu64 ",\"missing_at_most\":%" PRIu64, t->connections,
		      l->entry ? l->entry->error : 0);
	put_ratio(out, "per_second", (unsigned __int128)t->connections * SECOND_NS, s->end - s->start, 3);
	put_ratio(out, "share", t->connections, v->total.connections, 6);
	put_counts(out, t);
	if (summary)
		buffer_text(out, ",\"half_closed\":null,\"stuck\":null");
	else
		buffer_printf(out, ",\"half_closed\":%" PRIu64 ",\"stuck\":%" PRIu64, t->half_closed, t->stuck);
	put_timings(out, t);
	buffer_text(out, "}}\n");
}

void table_json(struct buffer *out, const struct span_view *v, const char *host, bool summary)
{
	const struct span *s = v->span;
	struct line line;

	for (unsigned i = 0; i < v->rows; i++) {
		line = (struct line){"group", i + 1, &s->sketch.entry[v->row[i]], &s->tally[v->row[i]]};
		put_line(out, v, host, summary, &line);
	}
	line = (struct line){.row = "other", .tally = &v->other};
	put_line(out, v, host, summary, &line);
	line = (struct line){.row = "total", .tally = &v->total};
	put_line(out, v, host, summary, &line);
}
