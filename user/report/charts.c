// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each chart is a figure: title, legend with sums, bars with their numbers as titles, and the same as a table.
 */
#include "user/report/charts.h"

#include <inttypes.h>

#include "user/base/clock.h"
#include "user/format/duration.h"
#include "user/report/case_html.h"

#define HEIGHT 140 /* px of the highest bar */

/* clang-format off */
const struct chart chart_all = {
	"Connections that ended", "all outcomes", false,
	{{"graceful", "o-graceful", OUTCOME_GRACEFUL}, {"reset", "o-reset", OUTCOME_RESET},
	 {"refused", "o-refused", OUTCOME_REFUSED}, {"handshake reset", "o-handshake_reset", OUTCOME_HANDSHAKE_RESET},
	 {"unanswered", "o-unanswered", OUTCOME_UNANSWERED}, {"unfinished", "o-unfinished", OUTCOME_UNFINISHED},
	 {"unknown", "o-unknown", OUTCOME_UNKNOWN}, {"open", "o-open", OUTCOME_OPEN}}, 8};
const struct chart chart_wrong = {
	"What went wrong", "without graceful, open and unknown ones, on a scale of its own", false,
	{{"reset", "o-reset", OUTCOME_RESET}, {"refused", "o-refused", OUTCOME_REFUSED},
	 {"handshake reset", "o-handshake_reset", OUTCOME_HANDSHAKE_RESET},
	 {"unanswered", "o-unanswered", OUTCOME_UNANSWERED}, {"unfinished", "o-unfinished", OUTCOME_UNFINISHED}}, 5};
const struct chart chart_closers = {
	"Who closed first", "source: who opened the connection; network: a RST that neither end sent", true,
	{{"source", "c-source", SOURCE}, {"destination", "c-destination", DESTINATION}, {"both", "c-both", BOTH},
	 {"network", "c-network", NETWORK}, {"unknown", "o-unknown", NOBODY}}, 5};
/* clang-format on */

/* ---- bars over time ---- */

static uint64_t value(const struct chart *chart, const struct timeline_slot *slot, unsigned series)
{
	unsigned n = chart->series[series].value;

	return chart->closers ? slot->closer[n] : slot->outcome[n];
}

static uint64_t height(const struct chart *chart, const struct timeline_slot *slot)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < chart->count; i++)
		sum += value(chart, slot, i);
	return sum;
}

static uint64_t highest(const struct chart *chart, const struct timeline *t)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < t->count; i++)
		if (height(chart, &t->slot[i]) > most)
			most = height(chart, &t->slot[i]);
	return most;
}

static uint64_t sum(const struct chart *chart, const struct timeline *t, unsigned series)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < t->count; i++)
		all += value(chart, &t->slot[i], series);
	return all;
}

static void put_time(struct buffer *out, const struct timeline *t, unsigned slot)
{
	html_time(out, timeline_start(t, slot), timeline_length(t) < SECOND_NS);
}

static void put_legend(struct buffer *out, const struct timeline *t, const struct chart *chart)
{
	buffer_text(out, "<ul class=\"legend\">");
	for (unsigned i = 0; i < chart->count; i++) {
		uint64_t all = sum(chart, t, i);

		if (all)
			buffer_printf(out, "<li class=\"%s\">%s <b>%" PRIu64 "</b></li>", chart->series[i].css,
				      chart->series[i].name, all);
	}
	buffer_text(out, "</ul>");
}

static void put_bar_title(struct buffer *out, const struct timeline *t, const struct chart *chart, unsigned slot)
{
	buffer_text(out, "<title>");
	put_time(out, t, slot);
	for (unsigned i = 0; i < chart->count; i++)
		if (value(chart, &t->slot[slot], i))
			buffer_printf(out, "\n%s %" PRIu64, chart->series[i].name, value(chart, &t->slot[slot], i));
	buffer_text(out, "</title>");
}

/* The parts of a slot's bar. What is there is seen: a part has at least one px. */
static void put_bar(struct buffer *out, const struct timeline *t, const struct chart *chart, unsigned slot,
		    uint64_t most)
{
	double x = 100.0 * slot / t->count, width = 88.0 / t->count, y = HEIGHT;

	buffer_text(out, "<g>");
	put_bar_title(out, t, chart, slot);
	for (unsigned i = 0; i < chart->count; i++) {
		double part = (double)value(chart, &t->slot[slot], i) * HEIGHT / (double)most;

		if (part <= 0)
			continue;
		part = part < 1 ? 1 : part;
		y -= part;
		buffer_printf(out, "<rect class=\"%s\" x=\"%.2f%%\" width=\"%.2f%%\" y=\"%.1f\" height=\"%.1f\"/>",
			      chart->series[i].css, x, width, y < 0 ? 0 : y, part);
	}
	buffer_text(out, "</g>");
}

static void put_bars(struct buffer *out, const struct timeline *t, const struct chart *chart, uint64_t most)
{
	buffer_printf(out,
		      "<svg class=\"bars\" width=\"100%%\" height=\"%d\" role=\"img\" aria-label=\"%s over time, at "
		      "most %" PRIu64 " in a bar; the table below has the numbers\">",
		      HEIGHT, chart->title, most);
	buffer_printf(out, "<line x1=\"0\" x2=\"100%%\" y1=\"%d\" y2=\"%d\" class=\"grid\"/>", HEIGHT / 2, HEIGHT / 2);
	for (unsigned i = 0; i < t->count; i++)
		if (height(chart, &t->slot[i]))
			put_bar(out, t, chart, i, most);
	buffer_text(out, "</svg>");
}

static void put_axis(struct buffer *out, const struct timeline *t)
{
	buffer_text(out, "<p class=\"axis\"><span>");
	put_time(out, t, 0);
	buffer_text(out, "</span><span>");
	put_time(out, t, t->count);
	buffer_text(out, "</span></p>");
}

static void put_table(struct buffer *out, const struct timeline *t, const struct chart *chart)
{
	buffer_text(out, "<details class=\"numbers\"><summary>Numbers</summary><div class=\"scroll\" tabindex=\"0\">"
			 "<table><thead><tr><th scope=\"col\">from</th>");
	for (unsigned i = 0; i < chart->count; i++)
		buffer_printf(out, "<th scope=\"col\" class=\"n\">%s</th>", chart->series[i].name);
	buffer_text(out, "</tr></thead><tbody>");
	for (unsigned slot = 0; slot < t->count; slot++) {
		if (!height(chart, &t->slot[slot]))
			continue;
		buffer_text(out, "<tr><th scope=\"row\">");
		put_time(out, t, slot);
		buffer_text(out, "</th>");
		for (unsigned i = 0; i < chart->count; i++)
			buffer_printf(out, "<td class=\"n\">%" PRIu64 "</td>", value(chart, &t->slot[slot], i));
		buffer_text(out, "</tr>\n");
	}
	buffer_text(out, "</tbody></table></div></details>");
}

void chart_time(struct buffer *out, const struct timeline *t, const struct chart *chart)
{
	uint64_t most = highest(chart, t);

	buffer_printf(out, "<figure class=\"chart\"><figcaption><h3>%s</h3><p class=\"note\">%s", chart->title,
		      chart->note);
	if (!most) {
		buffer_text(out, "</p></figcaption><p class=\"none\">None.</p></figure>\n");
		return;
	}
	buffer_text(out, "; a bar is ");
	buffer_duration(out, (int64_t)timeline_length(t));
	buffer_printf(out, ", the highest has %" PRIu64 "</p>", most);
	put_legend(out, t, chart);
	buffer_text(out, "</figcaption>");
	put_bars(out, t, chart, most);
	put_axis(out, t);
	put_table(out, t, chart);
	buffer_text(out, "</figure>\n");
}

/* ---- distributions ---- */

static const char *const decades[SPREAD_DECADES + 1] = {"1 µs", "10 µs", "100 µs", "1 ms",   "10 ms", "100 ms",
							"1 s",  "10 s",  "100 s",  "1000 s", "10⁴ s", "10⁵ s"};

/* Every decade has a line; where there are many, every third one has its name. */
static void put_decades(struct buffer *out, const struct bin_range *range)
{
	unsigned bins = range->last - range->first + 1, each = bins > 15 ? 3 : 1;

	for (unsigned bin = range->first; bin <= range->last + 1; bin++) {
		double x = 100.0 * (bin - range->first) / bins;

		if (bin % 3)
			continue;
		buffer_printf(out, "<line class=\"grid\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"94\"/>", x, x);
		if (bin / 3 % each == 0)
			buffer_printf(out, "<text x=\"%.2f%%\" y=\"108\" class=\"%s\">%s</text>", x,
				      x < 1    ? "tick first"
				      : x > 99 ? "tick last"
					       : "tick",
				      decades[bin / 3]);
	}
}

static void put_bin(struct buffer *out, const struct spread *s, const struct bin_range *range, unsigned bin,
		    uint64_t most)
{
	unsigned bins = range->last - range->first + 1;
	double x = 100.0 * (bin - range->first) / bins, part = (double)s->bin[bin] * 90 / (double)most;

	part = part < 1.5 ? 1.5 : part;
	buffer_printf(out, "<g><title>");
	buffer_duration(out, (int64_t)spread_start(bin));
	buffer_text(out, " to ");
	buffer_duration(out, (int64_t)spread_start(bin + 1));
	buffer_printf(out, ": %" PRIu64 "</title><rect x=\"%.2f%%\" width=\"%.2f%%\" y=\"%.1f\" height=\"%.1f\"/></g>",
		      s->bin[bin], x, 94.0 / bins, 94 - part, part);
}

static void put_percentiles(struct buffer *out, const struct spread *s)
{
	static const unsigned percents[] = {50, 90, 99};

	buffer_printf(out, "<dl class=\"percentiles\"><div><dt>seen</dt><dd>%" PRIu64 "</dd></div>", s->all.values);
	for (unsigned i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		buffer_printf(out, "<div><dt>p%u</dt><dd>", percents[i]);
		buffer_duration(out, (int64_t)histogram_percentile(&s->all, percents[i]));
		buffer_text(out, "</dd></div>");
	}
	buffer_text(out, "<div><dt>max</dt><dd>");
	buffer_duration(out, (int64_t)s->all.max);
	buffer_text(out, "</dd></div></dl>");
}

void chart_spread(struct buffer *out, const struct spread *s, const struct bin_range *range, const char *name,
		  const char *meaning)
{
	uint64_t most = 0;

	buffer_printf(out, "<figure class=\"spread\"><figcaption><h3>%s</h3><p class=\"note\">%s</p></figcaption>",
		      name, meaning);
	if (!s->all.values) {
		buffer_text(out, "<p class=\"none\">Never seen.</p></figure>\n");
		return;
	}
	for (unsigned bin = 0; bin < SPREAD_BINS; bin++)
		most = s->bin[bin] > most ? s->bin[bin] : most;
	buffer_printf(out,
		      "<svg class=\"bins\" width=\"100%%\" height=\"112\" role=\"img\" aria-label=\"%s, on a "
		      "logarithmic scale\">",
		      name);
	put_decades(out, range);
	for (unsigned bin = range->first; bin <= range->last; bin++)
		if (s->bin[bin])
			put_bin(out, s, range, bin, most);
	buffer_text(out, "</svg>");
	put_percentiles(out, s);
	buffer_text(out, "</figure>\n");
}
