// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Groups of records, and tables of them: every row against a count of its own, and rows and the others against the
 * whole, however many groups there are.
 */
#include "tests/unit/assert.h"

#include <locale.h>

#include "tests/unit/sample_record.h"
#include "user/format/cells.h"
#include "user/top/table_columns.h"
#include "user/top/table_json.h"
#include "user/top/table_text.h"

#define SECOND 1000000000ULL

static struct span *span;
static struct span_view view;

static void begin(const char *by)
{
	struct groups groups = {0};

	expect_int(groups_parse(&groups, by), 0);
	if (!span)
		span = span_new();
	span_reset(span, &groups, 100 * SECOND, 0);
}

static void set_peer(struct record *r, uint32_t peer)
{
	memcpy(r->end[SOURCE].ip, &peer, sizeof(peer));
}

/* ---- groups ---- */

static void expect_group(const struct record *r, const char *by, const char *want)
{
	struct groups groups = {0};
	struct group_key key;
	struct buffer text = {0};

	expect_int(groups_parse(&groups, by), 0);
	groups_key(&groups, r, &key);
	for (unsigned i = 0; i < groups.count; i++) {
		if (i)
			buffer_char(&text, '|');
		if (!groups_text(&groups, key.bytes, i, &text))
			buffer_char(&text, '-');
	}
	buffer_char(&text, '\0');
	assert_string_equal(text.data, want);
	buffer_free(&text);
}

TEST(test_groups_of_records)
{
	struct record r;

	sample_graceful(&r);
	expect_group(&r, "process,peer,port,interface,outcome,reason", "-|192.168.139.29|22|eth0|graceful|-");
	sample_reset(&r);
	expect_group(&r, "outcome,peer,interface", "reset|2001:db8::1|-");
	/* the source's process is named, so the other end is the peer */
	sample_sockets(&r);
	expect_group(&r, "reason,peer,process", "TCP_ABORT_ON_CLOSE|110.42.175.115|a\\x1b\"b");
	/* both are: the destination serves */
	sample_held(&r);
	expect_group(&r, "peer,process", "192.168.139.29|k\\x0a\"e");
	/* but the one that reset it comes first */
	r.outcome = OUTCOME_RESET;
	expect_group(&r, "peer,process", "110.42.175.115|a\\x1b\"b");
	expect_group(&r, "unit,container", "we\\x1b\"b.service|" SAMPLE_CONTAINER);
	r.outcome = OUTCOME_GRACEFUL;
	expect_group(&r, "container,unit", "deb12|sshd.service");
	/* the end that serves belongs to nothing that is known */
	r.socket[DESTINATION].names = (struct cgroup_names){0};
	expect_group(&r, "container,unit", SAMPLE_CONTAINER "|we\\x1b\"b.service");
	sample_unanswered(&r);
	expect_group(&r, "unit,container", "-|-");
	expect_group(&r, "interface,port", "a\"b,\\x1b\\x0a\\xff|0");
	/* a socket without a process is this host's end, too */
	sample_graceful(&r);
	r.socket[SOURCE].known = true;
	expect_group(&r, "peer", "110.42.175.115");
}

TEST(test_lists_of_groups)
{
	struct groups g = {{GROUP_PORT}, 1};

	for (unsigned i = 0; i < GROUP_FIELDS; i++)
		assert_true(group_width(i) >= strlen(group_title(i)));
	assert_int_not_equal(groups_parse(&g, ""), 0);
	assert_int_not_equal(groups_parse(&g, "peer,"), 0);
	assert_int_not_equal(groups_parse(&g, "peer,peer"), 0);
	assert_int_not_equal(groups_parse(&g, "peers"), 0);
	assert_int_not_equal(groups_parse(&g, "pee"), 0);
	expect_int(g.count, 1);
	expect_int(g.field[0], GROUP_PORT);
	expect_int(groups_parse(&g, "reason,container,outcome,interface,unit,port,peer,process"), 0);
	expect_int(g.count, GROUP_FIELDS);
}

/* ---- sums ---- */

static void add_counts(struct tally *sum, const struct tally *t)
{
	sum->connections += t->connections;
	sum->half_closed += t->half_closed;
	sum->stuck += t->stuck;
	for (unsigned i = 0; i < OUTCOMES; i++)
		sum->outcome[i] += t->outcome[i];
	for (unsigned i = 0; i <= NETWORK; i++)
		sum->closer[i] += t->closer[i];
	for (unsigned i = 0; i < NOBODY; i++)
		sum->time_wait[i] += t->time_wait[i];
	for (unsigned i = 0; i < TIMINGS; i++)
		sum->timing[i].count += t->timing[i].count;
}

/* Rows and the others have in all what the whole has. */
static void check_sums(const struct tally *total)
{
	struct tally sum = {0};

	for (unsigned i = 0; i < view.rows; i++)
		add_counts(&sum, &span->tally[view.row[i]]);
	add_counts(&sum, &view.other);
	expect_int(sum.connections, total->connections);
	expect_int(sum.half_closed, total->half_closed);
	expect_int(sum.stuck, total->stuck);
	assert_memory_equal(sum.outcome, total->outcome, sizeof(sum.outcome));
	assert_memory_equal(sum.closer, total->closer, sizeof(sum.closer));
	assert_memory_equal(sum.time_wait, total->time_wait, sizeof(sum.time_wait));
	for (unsigned i = 0; i < TIMINGS; i++)
		expect_int(sum.timing[i].count, total->timing[i].count);
}

static void vary(struct record *r, unsigned i)
{
	(i % 3 == 0 ? sample_graceful : i % 3 == 1 ? sample_counted : sample_unanswered)(r);
	if (i % 5 == 0) {
		r->outcome = OUTCOME_RESET;
		r->closer = NOBODY;
		r->time_wait = NOBODY;
	}
	r->timing[T_CLOSE] = i % 7 ? (int64_t)i * 1000 : TIMING_UNSEEN;
}

TEST(test_sums_with_any_number_of_groups)
{
	static const unsigned groups[] = {1, 10, SKETCH_KEYS, SKETCH_KEYS + 1, 100000};
	static const unsigned rows[] = {0, 1, 10, SKETCH_KEYS};
	struct record r;

	for (unsigned i = 0; i < COUNT(groups); i++) {
		struct tally total = {0};

		begin("peer,outcome");
		for (unsigned n = 0; n < 100000; n++) {
			vary(&r, n);
			set_peer(&r, n * 2654435761U % groups[i]);
			span_add(span, &r);
			total.connections++;
			total.outcome[r.outcome]++;
			total.closer[r.closer]++;
			if (r.time_wait < NOBODY)
				total.time_wait[r.time_wait]++;
			for (unsigned t = 0; t < TIMINGS; t++)
				total.timing[t].count += r.timing[t] >= 0;
			if (n % 100 == 0) {
				r.missing = n % 200 ? MISSING_SOURCE_ACK : MISSING_SOURCE_FIN;
				span_add_waiting(span, &r, n % 300 == 0);
				total.half_closed += n % 200 == 0;
				total.stuck += n % 300 == 0;
			}
		}
		for (unsigned j = 0; j < COUNT(rows); j++)
			for (unsigned order = 0; order < ORDERS; order++) {
				enter_row("%u groups, %u rows, order %u", groups[i], rows[j], order);
				span_view(&view, span, (enum span_order)order, rows[j], "");
				check_sums(&total);
				assert_true(view.rows <= rows[j]);
				assert_true(view.error <= span->sketch.added / SKETCH_KEYS);
			}
		leave_row(NULL);
	}
}

/* Percentiles of the others, which nobody has counted by themselves. */
TEST(test_percentiles_of_the_others)
{
	struct record r;
	uint64_t p99;

	begin("peer");
	for (unsigned n = 0; n < 10000; n++) {
		sample_graceful(&r);
		set_peer(&r, n < 6000 ? 1 : 2);
		r.timing[T_CLOSE] = n < 6000 ? 1000000 : (n - 5999) * 1000000LL;
		span_add(span, &r);
	}
	span_view(&view, span, ORDER_CONNECTIONS, 1, "");
	expect_int(view.other.connections, 4000);
	p99 = quantiles_percentile(&view.other.timing[T_CLOSE], 99);
	assert_true(p99 > 3960000000 - 3960000000 / 16 && p99 < 3960000000 + 3960000000 / 16);
}

/* ---- orders and filters ---- */

static uint32_t peer_of(unsigned row)
{
	uint32_t peer;

	memcpy(&peer, span->sketch.entry[view.row[row]].key.bytes + 1, sizeof(peer));
	return peer;
}

TEST(test_orders)
{
	static const struct {
		const char *name;
		enum span_order order;
		uint32_t peers[3];
	} rows[] = {
		{"connections", ORDER_CONNECTIONS, {3, 2, 1}},
		{"resets", ORDER_RESETS, {2, 3, 1}},
		{"waiting", ORDER_WAITING, {1, 3, 2}},
		{"close", ORDER_CLOSE, {1, 2, 3}},
		{"group", ORDER_GROUP, {1, 2, 3}},
	};
	struct record r;

	begin("peer");
	for (uint32_t peer = 1; peer <= 3; peer++)
		for (uint32_t n = 0; n < peer; n++) {
			sample_graceful(&r);
			set_peer(&r, peer);
			r.outcome = peer == 2 ? OUTCOME_RESET : OUTCOME_GRACEFUL;
			r.timing[T_CLOSE] = 1000000 / peer;
			span_add(span, &r);
		}
	set_peer(&r, 1);
	span_add_waiting(span, &r, true);
	FOR_EACH_ROW(rows, row) {
		span_view(&view, span, row->order, 10, "");
		expect_int(view.rows, 3);
		for (unsigned i = 0; i < 3; i++)
			expect_int(peer_of(i), row->peers[i]);
	}
	span_view(&view, span, ORDER_CONNECTIONS, 10, "2.0.0.0");
	expect_int(view.rows, 1);
	expect_int(peer_of(0), 2);
	expect_int(view.other.connections, 4);
	span_view(&view, span, ORDER_CONNECTIONS, 10, "nobody");
	expect_int(view.rows, 0);
	expect_int(view.other.connections, 6);
}

/* ---- the layout ---- */

/* No line is wider than the terminal; cells stand in order, apart, and inside of it; the counts are always there. */
static void check_layout(unsigned width)
{
	struct table_layout l;
	bool counts = false;
	unsigned end = 0;

	table_layout(&l, &view, width);
	for (unsigned i = 0; i < l.count; i++) {
		assert_true(l.cells[i].width > 0 && (!i || l.cells[i].begin > end));
		assert_true(!i || l.cells[i - 1].group || !l.cells[i].group);
		end = l.cells[i].begin + l.cells[i].width;
		counts |= !l.cells[i].group && l.cells[i].which == TABLE_CONNECTIONS;
	}
	assert_true(counts);
	assert_true(end <= width || !width);
}

static void check_lines(unsigned width, bool unicode)
{
	struct table_style style = {.width = width, .unicode = unicode};
	struct buffer out = {0};
	char *line, *end;

	table_head(&out, &view, &style);
	table_body(&out, &view, &style);
	buffer_char(&out, '\0');
	for (line = out.data; *line; line = end + 1) {
		unsigned columns;

		end = strchr(line, '\n');
		assert_non_null(end);
		cell_fitting(line, (size_t)(end - line), (unsigned)-1, &columns);
		assert_true(columns <= width || !width);
	}
	buffer_free(&out);
}

TEST(test_widths)
{
	static const char *const by[] = {"port", "process,peer,reason", "process,peer,port,interface,outcome,reason"};
	struct record r;

	setlocale(LC_ALL, "C.UTF-8");
	for (unsigned i = 0; i < COUNT(by); i++) {
		begin(by[i]);
		for (unsigned n = 0; n < 5; n++) {
			(n % 2 ? sample_reset : sample_sockets)(&r);
			if (n == 2)
				snprintf(r.socket[SOURCE].process.name, RECORD_NAME,
					 "\xe6\x97\xa5\xe6\x9c\xac server of names");
			span_add(span, &r);
		}
		span->rest.connections = 99999999; /* as wide as it gets */
		span->end = span->start + SECOND;
		span_view(&view, span, ORDER_CONNECTIONS, 10, "");
		for (unsigned width = TABLE_NARROWEST; width < 400; width++) {
			enter_row("by %s, %u columns", by[i], width);
			check_layout(width);
			check_lines(width, true);
			check_lines(width, false);
		}
		check_layout(0);
		leave_row(NULL);
	}
}

/* Counts as wide as their columns, and wider. */
TEST(test_large_counts)
{
	static const struct {
		const char *name;
		uint64_t n;
		const char *want;
	} rows[] = {
		{"none", 0, "0"},
		{"eight digits", 99999999, "99999999"},
		{"nine digits", 100000000, "100000k"},
		{"the most", UINT64_MAX, "18446P"},
	};
	struct buffer out = {0};

	FOR_EACH_ROW(rows, row) {
		struct tally t = {.connections = row->n};

		out.len = 0;
		table_value(&out, TABLE_CONNECTIONS, &t, &t, SECOND);
		buffer_char(&out, '\0');
		assert_string_equal(out.data, row->want);
	}
	buffer_free(&out);
}

TEST(test_nothing_counted)
{
	struct table_style style = {.width = 80};
	struct buffer out = {0};

	begin("port");
	span_view(&view, span, ORDER_CONNECTIONS, 10, "");
	table_body(&out, &view, &style);
	expect_int(out.len, 0);
	buffer_free(&out);
}

int main(void)
{
	int failed = run_unit_tests(NULL, NULL);

	span_view_free(&view);
	span_free(span);
	return failed;
}
