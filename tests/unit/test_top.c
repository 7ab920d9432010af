// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of the whole run, which is added up from the intervals, against a span that counted every connection: as
 * long as the run has room for all groups, beyond that, and where closes that go on are counted at an interval's end.
 */
#include "tests/unit/assert.h"

#include "tests/unit/sample_record.h"
#include "user/top/table_json.h"
#include "user/top/top.h"

#define SECOND 1000000000ULL
#define INTERVALS 6
#define PER_INTERVAL 5000

static struct options options = {
	.files.count = 1, /* so that no host is named */
	.top = SECOND,
	.rows = 3,
	.format = FORMAT_JSON,
	.by = {{GROUP_PEER, GROUP_OUTCOME}, 2},
};

/* Three groups stand out; of the others, each interval has some that the one before did not have. */
static void make_record(struct record *r, unsigned interval, unsigned n, unsigned groups)
{
	uint32_t peer = n % 2 ? 1000000 + n % 12 / 4 : n * 2654435761U % groups + interval * groups / 2;

	sample_graceful(r);
	r->outcome = n % 3 ? OUTCOME_GRACEFUL : OUTCOME_RESET;
	r->timing[T_CLOSE] = (int64_t)n * (interval + 1) * 1000;
	memcpy(r->end[SOURCE].ip, &peer, sizeof(peer));
}

static void add(struct top *t, struct span *truth, unsigned interval, unsigned n, unsigned groups)
{
	struct record r;

	make_record(&r, interval, n, groups);
	top_add(t, &r);
	span_add(truth, &r);
}

/* As of a capture: what the interval's end has made due is counted in it, too. */
static void end_interval(struct top *t, struct span *truth, unsigned interval, unsigned groups, struct buffer *out)
{
	uint64_t end = top_due(t, (interval + 2) * SECOND, 0);
	struct record r;

	expect_int(end, (interval + 2) * SECOND);
	add(t, truth, interval, 1, groups);
	make_record(&r, interval + 100, 0, groups);
	top_add_waiting(t, &r, true);
	add(t, truth, interval + 200, 2, groups);
	top_table(t, end, out);
}

static void expect_summary(const struct span *truth, const struct buffer *out)
{
	struct span_view view = {0};
	struct buffer want = {0};

	span_view(&view, truth, ORDER_CONNECTIONS, options.rows, "");
	table_json(&want, &view, NULL, true);
	assert_true(out->len > want.len);
	assert_memory_equal(out->data + out->len - want.len, want.data, want.len);
	span_view_free(&view);
	buffer_free(&want);
}

TEST(test_the_run_is_all_of_its_intervals)
{
	static const unsigned groups[] = {1, 40, 120, SKETCH_KEYS, 3 * SKETCH_KEYS};
	struct span *truth = span_new();

	for (unsigned i = 0; i < COUNT(groups); i++) {
		struct top *t = top_new(&options, 0, false);
		struct buffer out = {0};

		enter_row("%u groups", groups[i]);
		span_reset(truth, &options.by, SECOND, 0);
		expect_int(top_due(t, SECOND, 0), 0);
		for (unsigned k = 0; k < INTERVALS; k++) {
			for (unsigned n = 0; n < PER_INTERVAL; n++)
				add(t, truth, k, n, groups[i]);
			end_interval(t, truth, k, groups[i], &out);
		}
		truth->end = (INTERVALS + 1) * SECOND;
		top_end(t, &out);
		expect_summary(truth, &out);
		buffer_free(&out);
		top_free(t);
	}
	leave_row(NULL);
	span_free(truth);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
