// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A part of page.html is a name in double braces; each has its writer here.
 */
#include "user/report/page.h"

#include <inttypes.h>
#include <sha2.h>
#include <string.h>
#include <time.h>

#include "user/base/base64.h"
#include "user/base/clock.h"
#include "user/format/duration.h"
#include "user/format/format_parts.h"
#include "user/report/assets.h"
#include "user/report/case_html.h"
#include "user/report/charts.h"

/* ---- the policy ---- */

static void put_hash(struct buffer *out, const char *text)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	char digits[BASE64_SIZE(SHA256_DIGEST_LENGTH)];
	SHA2_CTX hash;

	SHA256Init(&hash);
	SHA256Update(&hash, (const uint8_t *)text, strlen(text));
	SHA256Final(digest, &hash);
	base64(digits, digest, sizeof(digest));
	buffer_printf(out, "'sha256-%s'", digits);
}

static void put_policy(struct buffer *out, const struct page_data *data)
{
	(void)data;
	buffer_text(out, "default-src 'none'; style-src ");
	put_hash(out, report_page_css);
	buffer_text(out, "; script-src ");
	put_hash(out, report_page_js);
	buffer_text(out, "; base-uri 'none'; form-action 'none'");
}

static void put_style(struct buffer *out, const struct page_data *data)
{
	(void)data;
	buffer_text(out, report_page_css);
}

static void put_script(struct buffer *out, const struct page_data *data)
{
	(void)data;
	buffer_text(out, report_page_js);
}

/* ---- what it is about ---- */

#define NAMES_SHOWN 5 /* more would fill the page's beginning */

static void put_list(struct buffer *out, const char *const *names, unsigned count)
{
	for (unsigned i = 0; i < count && i < NAMES_SHOWN; i++) {
		buffer_text(out, i ? ", " : "");
		buffer_html(out, names[i]);
	}
	if (count > NAMES_SHOWN)
		buffer_printf(out, " and %u more", count - NAMES_SHOWN);
}

static void put_origin(struct buffer *out, const struct page_data *data)
{
	const struct options *o = data->options;

	if (o->files.count) {
		put_list(out, o->files.paths, o->files.count);
		return;
	}
	put_list(out, o->interfaces.names, o->interfaces.count);
	if (!*data->host)
		return;
	buffer_text(out, " of ");
	buffer_html(out, data->host);
}

static void put_span(struct buffer *out, const struct page_data *data)
{
	char zone[32] = "";
	int64_t span = (int64_t)(data->last - data->first);

	if (!data->connections)
		return;
	strftime(zone, sizeof(zone), "%z (%Z)", format_local_time(data->first));
	html_time(out, data->first, false);
	buffer_text(out, " to ");
	html_time(out, data->last, false);
	buffer_char(out, ' ');
	buffer_html(out, zone);
	buffer_text(out, ", ");
	buffer_duration(out, data->last > data->first ? span : 0);
}

static void put_made(struct buffer *out, const struct page_data *data)
{
	(void)data;
	buffer_text(out, "tcpfin-trace " TCPFIN_VERSION ", ");
	html_time(out, clock_ns(CLOCK_REALTIME), false);
}

/* ---- the sums ---- */

static void put_share(struct buffer *out, uint64_t n, uint64_t all)
{
	uint64_t permille = all ? (1000 * n + all / 2) / all : 0;

	if (n && !permille)
		buffer_text(out, "&lt;0.1&#8239;%");
	else if (permille == 1000 && n != all)
		buffer_text(out, "&gt;99.9&#8239;%");
	else
		buffer_printf(out, "%" PRIu64 ".%" PRIu64 "&#8239;%%", permille / 10, permille % 10);
}

static void put_tiles(struct buffer *out, const struct page_data *data)
{
	buffer_printf(out, "<div class=\"tile\"><dt>connections</dt><dd>%" PRIu64 "</dd></div>\n", data->connections);
	for (unsigned i = 0; i < OUTCOMES; i++) {
		if (!data->outcome[i] && i != OUTCOME_GRACEFUL)
			continue;
		buffer_printf(out, "<div class=\"tile o-%s\"><dt>", outcome_name((enum outcome)i));
		html_outcome(out, (enum outcome)i);
		buffer_printf(out, "</dt><dd>%" PRIu64 " <small>", data->outcome[i]);
		put_share(out, data->outcome[i], data->connections);
		buffer_text(out, "</small></dd></div>\n");
	}
}

static void put_warning(struct buffer *out, const struct page_data *data)
{
	if (data->lost)
		buffer_printf(out,
			      "<p class=\"warning\"><strong>Not complete:</strong> %" PRIu64 " connections or packets "
			      "were lost and are in no figure of this page.</p>",
			      data->lost);
}

/* ---- charts and lists ---- */

static void put_time(struct buffer *out, const struct page_data *data)
{
	chart_time(out, &data->timeline, &chart_all);
	chart_time(out, &data->timeline, &chart_wrong);
	chart_time(out, &data->timeline, &chart_closers);
}

/* All distributions have one scale, so that they can be compared. It begins and ends with a decade. */
static struct bin_range range_of(const struct page_data *data)
{
	struct bin_range range = {SPREAD_BINS - 1, 0};

	for (unsigned step = 0; step < PAGE_STEPS; step++)
		for (unsigned bin = 0; bin < SPREAD_BINS; bin++) {
			if (!data->steps[step].bin[bin])
				continue;
			range.first = bin < range.first ? bin : range.first;
			range.last = bin > range.last ? bin : range.last;
		}
	range.first -= range.first % 3;
	range.last += 2 - range.last % 3;
	return range;
}

static void put_steps(struct buffer *out, const struct page_data *data)
{
	static const struct {
		const char *name, *meaning;
	} steps[PAGE_STEPS] = {
		[STEP_HANDSHAKE] = {"Handshake", "SYN to the ACK that completes it: the round trip"},
		[STEP_FIN_TO_ACK] = {"FIN to its ACK", "the closer's FIN until the other side acknowledged it"},
		[STEP_HALF_CLOSED] = {"Half-closed", "from that ACK to the other side's own FIN: its application"},
		[STEP_CLOSE] = {"Whole close", "first FIN to last ACK"},
		[STEP_SILENCE] = {"Silence", "last payload to what ended the connection"},
	};
	struct bin_range range = range_of(data);

	for (unsigned step = 0; step < PAGE_STEPS; step++)
		chart_spread(out, &data->steps[step], &range, steps[step].name, steps[step].meaning);
}

static void put_problems(struct buffer *out, const struct page_data *data)
{
	problems_html(out, data->problems);
}

static void put_cases(struct buffer *out, const struct page_data *data)
{
	if (!data->worst.count)
		buffer_text(out,
			    "<p class=\"none\">None: nothing went wrong, and no close took longer than a second.</p>");
	for (unsigned i = 0; i < data->worst.count; i++)
		buffer_bytes(out, data->worst.cases[i].html.data, data->worst.cases[i].html.len);
}

/* ---- the page ---- */

static const struct {
	const char *name;
	void (*put)(struct buffer *out, const struct page_data *data);
} parts[] = {
	{"policy", put_policy}, {"style", put_style}, {"script", put_script},     {"origin", put_origin},
	{"span", put_span},     {"made", put_made},   {"tiles", put_tiles},       {"warning", put_warning},
	{"time", put_time},     {"steps", put_steps}, {"problems", put_problems}, {"cases", put_cases},
};

/* Appends the part whose name begins at `name`. Returns what follows its braces. */
static const char *put_part(struct buffer *out, const struct page_data *data, const char *name)
{
	const char *end = strstr(name, "}}");

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strlen(parts[i].name) == (size_t)(end - name) && !memcmp(parts[i].name, name, (size_t)(end - name)))
			parts[i].put(out, data);
	return end + 2;
}

void page_html(struct buffer *out, struct page_data *data)
{
	const char *p = report_page_html, *brace;

	worst_sort(&data->worst);
	while ((brace = strstr(p, "{{"))) {
		buffer_bytes(out, p, (size_t)(brace - p));
		p = put_part(out, data, brace + 2);
	}
	buffer_text(out, p);
}
