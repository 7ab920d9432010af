// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the page of --report counts: slots of time that hold every connection whatever their span and order, bins of
 * durations, and which connections are the worst.
 */
#include "tests/unit/assert.h"

#include "user/base/clock.h"
#include "user/report/spread.h"
#include "user/report/timeline.h"
#include "user/report/worst.h"

static uint64_t sum(const struct timeline *t)
{
	uint64_t all = 0;

	for (unsigned slot = 0; slot < TIMELINE_SLOTS; slot++)
		for (unsigned i = 0; i < OUTCOMES; i++)
			all += t->slot[slot].outcome[i];
	return all;
}

static void add_at(struct timeline *t, uint64_t ns)
{
	struct record r = {.finish = ns, .outcome = OUTCOME_GRACEFUL, .closer = SOURCE};

	timeline_add(t, &r);
}

/* From the middle to both ends, over ever longer spans: nothing is lost, and each time lies in a slot. */
TEST(test_timeline_holds_all)
{
	static const uint64_t spans[] = {0,
					 1,
					 MS_NS,
					 119 * MS_NS,
					 120 * MS_NS,
					 SECOND_NS,
					 3600 * SECOND_NS,
					 86400 * SECOND_NS,
					 20000 * 86400 * SECOND_NS};
	const uint64_t middle = 25000ULL * 86400 * SECOND_NS + 123456789;
	struct timeline t = {0};
	uint64_t added = 0;

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		add_at(&t, middle + spans[i]);
		add_at(&t, middle - spans[i]);
		added += 2;
		assert_int_equal(sum(&t), added);
		assert_true(t.count <= TIMELINE_SLOTS);
		assert_true(timeline_start(&t, 0) <= middle - spans[i]);
		assert_true(timeline_start(&t, t.count) > middle + spans[i]);
		assert_int_equal(t.slot[t.count - 1].outcome[OUTCOME_GRACEFUL] > 0, 1);
	}
}

TEST(test_timeline_slot_of_each_time)
{
	struct timeline t = {0};

	for (unsigned i = 0; i < 100; i++)
		add_at(&t, (1000 + 7 * i) * (uint64_t)SECOND_NS);
	assert_int_equal(timeline_length(&t), 10 * SECOND_NS);
	assert_int_equal(timeline_start(&t, 0), 1000 * SECOND_NS);
	assert_int_equal(t.slot[0].outcome[OUTCOME_GRACEFUL], 2); /* 1000 and 1007 */
	assert_int_equal(t.slot[1].closer[SOURCE], 1);            /* 1014 */
	assert_int_equal(t.count, 70);
}

TEST(test_spread_bins)
{
	static const struct {
		uint64_t ns;
		unsigned bin;
	} rows[] = {
		{0, 0},          {US_NS, 0}, {2 * US_NS - 1, 0}, {2 * US_NS, 1},       {5 * US_NS, 2},
		{10 * US_NS, 3}, {MS_NS, 9}, {SECOND_NS, 18},    {50 * SECOND_NS, 23}, {UINT64_MAX, SPREAD_BINS - 1}};
	struct spread s = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(spread_bin(rows[i].ns), rows[i].bin);
		spread_add(&s, rows[i].ns);
	}
	assert_int_equal(s.bin[0], 3);
	assert_int_equal(s.all.values, sizeof(rows) / sizeof(rows[0]));
}

static void add_worst(struct worst *w, enum outcome outcome, uint16_t port, int64_t lifetime)
{
	struct record r = {.family = 4, .final = true, .outcome = outcome, .closer = SOURCE, .silence = NUMBER_UNSEEN};

	for (int i = 0; i < TIMINGS; i++)
		r.timing[i] = TIMING_UNSEEN;
	for (int i = 0; i < EVIDENCES; i++)
		r.evidence[i] = -1;
	r.timing[T_LIFETIME] = lifetime;
	r.reset.by = outcome == OUTCOME_RESET ? SOURCE : NOBODY;
	r.end[DESTINATION].port = port;
	worst_add(w, &r);
}

/* The longest of a kind stay, in their order. */
TEST(test_worst_of_a_kind)
{
	struct worst w = {0};

	for (int64_t i = 1; i <= 10; i++)
		add_worst(&w, OUTCOME_RESET, 443, i * 7 % 11 * MS_NS);
	add_worst(&w, OUTCOME_GRACEFUL, 443, MS_NS);
	worst_sort(&w);
	assert_int_equal(w.count, WORST_OF_A_KIND);
	for (int i = 0; i < WORST_OF_A_KIND; i++)
		assert_int_equal(w.cases[i].cost, (10 - i) * MS_NS);
	worst_free(&w);
}

/* A scan of a thousand ports, before and after the others, leaves them their places. */
TEST(test_worst_ranks_share_the_page)
{
	struct worst w = {0};
	unsigned refused = 0, unanswered = 0;

	for (uint16_t port = 1; port <= 1000; port++)
		add_worst(&w, OUTCOME_RESET, port, MS_NS);
	for (uint16_t port = 1; port <= 9; port++) {
		add_worst(&w, OUTCOME_REFUSED, port, MS_NS);
		add_worst(&w, OUTCOME_UNANSWERED, port, MS_NS);
	}
	for (uint16_t port = 1001; port <= 2000; port++)
		add_worst(&w, OUTCOME_RESET, port, SECOND_NS);
	worst_sort(&w);
	assert_int_equal(w.count, WORST_CASES);
	for (unsigned i = 0; i < w.count; i++) {
		buffer_char(&w.cases[i].html, '\0');
		refused += strstr(w.cases[i].html.data, "o-refused") != NULL;
		unanswered += strstr(w.cases[i].html.data, "o-unanswered") != NULL;
	}
	assert_int_equal(refused, 9);
	assert_int_equal(unanswered, 9);
	assert_int_equal(w.cases[0].cost, SECOND_NS);
	worst_free(&w);
}

TEST(test_html_text)
{
	static const struct {
		const char *text, *html;
	} rows[] = {{"plain é €", "plain é €"},
		    {"</script>", "&lt;/script&gt;"},
		    {"a\"b'c&d", "a&quot;b&#39;c&amp;d"},
		    {"\u202e\u2028\x1b", "\\xe2\\x80\\xae\\xe2\\x80\\xa8\\x1b"},
		    {"\xff<", "\\xff&lt;"},
		    {"", ""}};
	struct buffer b = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		b.len = 0;
		buffer_html(&b, rows[i].text);
		buffer_char(&b, '\0');
		assert_string_equal(b.data, rows[i].html);
	}
	buffer_free(&b);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
