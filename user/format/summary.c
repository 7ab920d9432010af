// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counts and percentiles over all records, in constant memory.
 */
#include "user/format/summary.h"

#include <inttypes.h>

#include "user/format/duration.h"

static const enum timing summary_timings[SUMMARY_TIMINGS] = {
	T_INITIAL_RTT, T_FIN_TO_ACK, T_HALF_CLOSED, T_CLOSE, T_LIFETIME,
};

/* ---- the summary ---- */

void summary_add(struct summary *s, const struct record *r)
{
	int64_t ns;
	int i;

	s->records++;
	s->outcome[r->outcome]++;
	if (r->outcome == OUTCOME_GRACEFUL) {
		s->pattern[r->pattern]++;
		s->closer[r->closer]++;
	} else if (r->outcome == OUTCOME_RESET) {
		s->reset_by[r->reset.forged == YES ? NETWORK : r->reset.by]++;
	}
	s->black_holes += r->mtu_black_hole.bytes != 0;
	if (r->outcome == OUTCOME_RESET && r->silence >= (int64_t)SUMMARY_SILENCE)
		histogram_add(&s->reset_silence, (uint64_t)r->silence);
	for (i = 0; i < SUMMARY_TIMINGS; i++) {
		ns = r->timing[summary_timings[i]];
		if (ns != TIMING_UNSEEN)
			histogram_add(&s->timing[i], ns);
	}
}

/* Appends the separator and "word count", and makes the separator a comma; nothing for a count of 0. */
static void summary_part(struct buffer *out, const char **separator, const char *word, uint64_t count)
{
	if (!count)
		return;
	buffer_printf(out, "%s%s %" PRIu64, *separator, word, count);
	*separator = ", ";
}

static void summary_roles(struct buffer *out, const char *separator, const uint64_t count[NETWORK + 1])
{
	int i;

	for (i = 0; i <= NETWORK; i++)
		summary_part(out, &separator, role_name(i) ? role_name(i) : "unknown", count[i]);
}

static void summary_graceful(struct buffer *out, const struct summary *s)
{
	const char *separator = "  ";
	int i;

	for (i = PATTERN_FOUR_WAY; i <= PATTERN_SIMULTANEOUS; i++)
		summary_part(out, &separator, pattern_name(i), s->pattern[i]);
	summary_roles(out, "; closer ", s->closer);
}

static void summary_outcomes(struct buffer *out, const struct summary *s)
{
	int i;

	for (i = 0; i < OUTCOMES; i++) {
		if (!s->outcome[i])
			continue;
		buffer_printf(out, "  %-15s  %10" PRIu64, outcome_name(i), s->outcome[i]);
		if (i == OUTCOME_GRACEFUL)
			summary_graceful(out, s);
		else if (i == OUTCOME_RESET)
			summary_roles(out, "  by ", s->reset_by);
		buffer_char(out, '\n');
	}
}

static void summary_duration(struct buffer *out, uint64_t ns)
{
	struct buffer text = {0};

	buffer_duration(&text, ns);
	buffer_printf(out, " %7.*s", (int)text.len, text.data);
	buffer_free(&text);
}

static void summary_timing(struct buffer *out, enum timing timing, const struct histogram *h)
{
	static const unsigned percents[] = {50, 90, 99};
	unsigned i;

	buffer_printf(out, "  %-15s  %9" PRIu64, timing_name(timing), h->values);
	for (i = 0; i < sizeof(percents) / sizeof(percents[0]); i++)
		summary_duration(out, histogram_percentile(h, percents[i]));
	summary_duration(out, h->max);
	buffer_char(out, '\n');
}

/*
 * "resets after about 350s of silence: 12": where an idle time-out of a box in the path is the cause, silences are
 * alike. Those of the fullest bucket and its neighbours are counted, within about 10 % of each other.
 */
static void summary_silence(struct buffer *out, const struct histogram *h)
{
	unsigned fullest = 0;
	uint64_t near;

	for (unsigned i = 1; i + 1 < HISTOGRAM_BUCKETS; i++)
		if (h->bucket[i] > h->bucket[fullest])
			fullest = i;
	if (!h->values)
		return;
	near = h->bucket[fullest - 1] + h->bucket[fullest] + h->bucket[fullest + 1];
	buffer_text(out, "resets after about ");
	buffer_duration(out, (int64_t)histogram_within(h, log_bucket_middle(fullest, HISTOGRAM_STEPS)));
	buffer_printf(out, " of silence: %" PRIu64, near);
	if (near < h->values)
		buffer_printf(out, " (after 10 s or more: %" PRIu64 ")", h->values);
	buffer_char(out, '\n');
}

void summary_print(struct buffer *out, const struct summary *s)
{
	const char *header = "timing                  seen     p50     p90     p99     max\n";
	int i;

	buffer_printf(out, "%" PRIu64 " connection%s\n", s->records, s->records == 1 ? "" : "s");
	summary_outcomes(out, s);
	summary_silence(out, &s->reset_silence);
	if (s->black_holes)
		buffer_printf(out, "large segments swallowed by the path: %" PRIu64 "\n", s->black_holes);
	for (i = 0; i < SUMMARY_TIMINGS; i++) {
		if (!s->timing[i].values)
			continue;
		buffer_text(out, header);
		header = "";
		summary_timing(out, summary_timings[i], &s->timing[i]);
	}
}

void summary_print_counters(struct buffer *out, const uint64_t counters[COUNTERS], const char *const names[COUNTERS],
			    bool all)
{
	int i;

	for (i = 0; i < COUNTERS; i++) {
		if (counters[i] && (all || !counter_is_internal(i)))
			buffer_printf(out, "  %-26s  %10" PRIu64 "\n", names[i], counters[i]);
	}
}
