// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * --where: what each comparison says of a record, by each type of field and each form of a name; and the one line that
 * each mistake gets.
 */
#include "tests/unit/assert.h"
#include "tests/unit/sample_record.h"
#include "user/filter/checks.h"
#include "user/filter/field_names.h"

static struct record r;
static char error[512];

/* A record with something known in every type of field. */
static void make_record(void)
{
	sample_graceful(&r);
	r.reset.reason = "TCP_ABORT_ON_CLOSE";
	r.reset.by = SOURCE;
	r.reset.forged = YES;
	r.socket[DESTINATION].how = HOW_CLOSE;
	r.socket[DESTINATION].process.pid = 1234;
	snprintf(r.socket[DESTINATION].process.name, RECORD_NAME, "nginx: worker");
}

static bool holds(const char *text)
{
	struct condition *c = condition_parse(&field_names, text, error, sizeof(error));
	bool result;

	if (!c)
		fail_msg("%s", error);
	result = condition_holds(c, &r);
	condition_free(c);
	return result;
}

TEST(test_comparisons)
{
	static const struct {
		const char *name;
		bool holds;
	} rows[] = {
		/* 36.02 ms, in every unit and with every operator */
		{"fin_to_ack = 36020000ns", true},
		{"fin_to_ack == 36020us", true},
		{"fin_to_ack != 36.02ms", false},
		{"fin_to_ack < 36.020001ms", true},
		{"fin_to_ack < 0.03602s", false},
		{"fin_to_ack <= 0.03602s", true},
		{"fin_to_ack > 0.03602s", false},
		{"fin_to_ack >= 36.02ms", true},
		{"fin_to_ack > 0", true},
		{"lifetime > 3m", true},
		{"lifetime > 3.5m", false},
		{"lifetime < 1h and lifetime < 1d", true},
		{"timing_fin_to_ack > 36ms", true}, /* the column */
		{"fin_retransmits = 0", true},
		{"retransmits_fin_source = 0", true},
		/* texts and words */
		{"outcome = graceful", true},
		{"outcome = GRACEFUL", true},
		{"outcome != reset", true},
		{"pattern = four-way", true},
		{"pattern = four_way", true},
		{"state = 'TIME-WAIT'", true},
		{"state_destination = closed", true},
		{"process = nginx*", true},
		{"process = 'nginx: worker'", true},
		{"process = \"nginx\"", false},
		{"process = curl", false},
		{"pid = 1234", true},
		{"how = close", true},
		{"reason = TCP_ABORT*", true},
		/* either end */
		{"port = 22", true},
		{"port != 22", false},
		{"port != 23", true},
		{"source_port = 22", false},
		{"destination_port = 22", true},
		{"ip = 192.168.0.0/16", true},
		{"source_ip = 110.42.175.115", false},
		{"ip = ::/0", false},
		/* moments and truth values */
		{"timestamp > 2026-11-22", true},
		{"timestamp < 2026-11-22T06:07Z", false},
		{"timestamp < 2026-11-22T06:07:36Z", true},
		{"midstream", false},
		{"reset_forged", true},
		{"reset_forged = false", false},
		{"not midstream", true},
		{"midstream = false", true},
		/* joined */
		{"port = 1 or port = 22 and closer = source", true},
		{"(port = 1 or port = 22) and closer = destination", false},
		{"not (port = 1 || !closer=destination)", false},
		{"port=22&&closer=source", true},
		{"not not port = 22", true},
	};

	make_record();
	FOR_EACH_ROW(rows, row)
		expect_int(holds(row->name), row->holds);
}

/* Nothing is known of it, so no comparison holds, whatever its operator. */
TEST(test_null)
{
	static const char *const comparisons[] = {
		"half_closed = 1s",   "half_closed != 1s",   "half_closed < 1s", "half_closed >= 0",
		"pattern = four_way", "pattern != four_way", "process != nginx", "pid != 1"};

	sample_nothing_seen(&r);
	r.family = 4;
	for (size_t i = 0; i < COUNT(comparisons); i++) {
		enter_row("%s", comparisons[i]);
		assert_false(holds(comparisons[i]));
	}
	assert_true(holds("not half_closed > 1s"));
}

TEST(test_mistakes)
{
	static const struct {
		const char *name, *error;
	} rows[] = {
		{"", "at its end: a field is expected"},
		{"half_clsed > 1s", "at 1, \"half_clsed\": no such field; near: half_closed"},
		{"closer = source and prot = 22", "at 21, \"prot\": no such field; near: pod, port"},
		{"xyzzy = 1", "at 1, \"xyzzy\": no such field"},
		{"half_closed", "at its end: a comparison is expected: = != < <= > >="},
		{"half_closed >", "at its end: a value is expected"},
		{"half_closed > 1", "at 15, \"1\": a duration is a number and ns, us, ms, s, m, h or d"},
		{"half_closed > 1 s", "at 15, \"1\": a duration is a number and ns, us, ms, s, m, h or d"},
		{"half_closed > 99999999999999999999s",
		 "at 15, \"99999999999999999999s\": a duration is a number and ns, us, ms, s, m, h or d"},
		{"port = x", "at 8, \"x\": a number is expected"},
		{"port = 5%", "at 8, \"5%\": a number is expected"},
		{"bytes > 5x", "at 9, \"5x\": bytes are a number, with or without k, M or G"},
		{"closer > source", "at 8, \">\": what is no number is compared with = or !="},
		{"closer = client", "at 10, \"client\": it is one of source, destination, both, unknown, network"},
		{"midstream = maybe", "at 13, \"maybe\": true or false is expected"},
		{"ip = 10.0.0.0/33", "at 6, \"10.0.0.0/33\": an address is expected, with or without /PREFIX"},
		{"timestamp > now", "at 13, \"now\": a time is written as 2026-11-28T10:00:00Z, or as a date"},
		{"process = 'nginx", "at 11, \"'nginx\": the quote is not closed"},
		{"(port = 1", "at its end: \")\", \"and\" or \"or\" is expected"},
		{"port = 1 port = 2", "at 10, \"port\": \"and\" or \"or\" is expected"},
		{"port = 1)", "at 9, \")\": \"and\" or \"or\" is expected"},
		{"flags = S", "at 9, \"S\": this column cannot be compared"},
	};

	FOR_EACH_ROW(rows, row) {
		assert_null(condition_parse(&field_names, row->name, error, sizeof(error)));
		assert_string_equal(error, row->error);
	}
}

TEST(test_depth)
{
	char text[4096] = "";

	for (int i = 0; i < 2000; i++)
		text[i] = '(';
	assert_null(condition_parse(&field_names, text, error, sizeof(error)));
	assert_non_null(strstr(error, "more than 32 parentheses and nots deep"));
	for (int i = 0; i < 2000; i++)
		text[i] = '!';
	assert_null(condition_parse(&field_names, text, error, sizeof(error)));
}

/* Every column has a name that is found, but those that cannot be compared. */
TEST(test_every_column)
{
	for (unsigned i = 0; i < record_field_count; i++) {
		const char *column = record_fields[i].column;
		uint16_t which[CONDITION_EITHER];

		if (!column)
			continue;
		enter_row("%s", column);
		expect_int(field_names.find(column, strlen(column), which), 1);
		expect_int(which[0], i);
	}
}

/* ---- --check ---- */

static bool check_holds(const char *text, const struct check_counts *counts)
{
	struct condition *c = condition_parse(&check_names, text, error, sizeof(error));
	bool result;

	if (!c)
		fail_msg("%s", error);
	result = condition_holds(c, counts);
	condition_free(c);
	return result;
}

TEST(test_checks)
{
	static const struct {
		const char *name;
		bool holds;
	} rows[] = {
		{"resets > 0", true},
		{"resets > 3", false},
		{"resets >= 1.5%", true},
		{"resets > 1.5%", false},
		{"resets = 1.5%", true},
		{"connections = 200", true},
		{"lost > 0", false},
		{"lost >= 0%", false}, /* of nothing there is no share */
		{"unknown = 0 and refused = 0", true},
	};
	struct check_counts counts = {0};

	counts.counts[CHECK_CONNECTIONS].number = 200;
	for (unsigned i = 0; i < OUTCOMES; i++)
		counts.counts[CHECK_GRACEFUL + i].whole = 200;
	counts.counts[CHECK_GRACEFUL + OUTCOME_RESET].number = 3;
	FOR_EACH_ROW(rows, row)
		expect_int(check_holds(row->name, &counts), row->holds);
}

/* A count that a mode does not make would never let a check hold, and nobody would know. */
TEST(test_counts_of_modes)
{
	static const struct {
		const char *name;
		unsigned mask;
	} rows[] = {
		{"resets > 0", CHECKS_OF_RECORDS},      {"unknown > 0", CHECKS_OF_RECORDS},
		{"lost > 0", CHECKS_OF_RECORDS},        {"stuck > 0", CHECKS_OF_STUCK},
		{"close_wait > 0", CHECKS_OF_STUCK},    {"last_ack > 0", CHECKS_OF_STUCK},
		{"time_wait > 0", CHECKS_OF_TIME_WAIT}, {"ports_used > 0 and time_wait > 0", CHECKS_OF_TIME_WAIT},
	};
	const unsigned masks[] = {CHECKS_OF_RECORDS, CHECKS_OF_STUCK, CHECKS_OF_TIME_WAIT};

	FOR_EACH_ROW(rows, row) {
		struct checks checks = {.count = 1};

		checks.list[0] = condition_parse(&check_names, row->name, error, sizeof(error));
		assert_non_null(checks.list[0]);
		for (size_t i = 0; i < COUNT(masks); i++)
			expect_int(!checks_beyond(&checks, masks[i]), masks[i] == row->mask);
		checks_free(&checks);
	}
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
