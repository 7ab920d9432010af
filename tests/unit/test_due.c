// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When connections are reported: at the end of their wait, not before, once, and also where no notice came.
 */
#include "tests/unit/assert.h"

#include "bpf/core/watch.h"
#include "user/judge/due.h"
#include "tests/unit/small_tables.h"

#define FINS_ACKED (PHASE_OPEN | PHASE_FINS | PHASE_FINS_ACKED)
#define END (EPOCH + 3 * SECOND) /* of finished() */

static struct small_tables s;
static struct due d;
static uint64_t counters[COUNTERS];
static unsigned reported;

static void report(void *context, const struct judged *j, uint32_t slot, const struct due_report *how)
{
	(void)context;
	(void)slot;
	(void)j;
	reported += !how->stray;
}

static void set_up(uint64_t settle)
{
	begin_tables(&s);
	reported = 0;
	memset(counters, 0, sizeof(counters));
	d = (struct due){
		.tables = &s.t,
		.wait = {.settle = settle,
			 .syn = 10 * SECOND,
			 .close = 60 * SECOND,
			 .doubt = 10 * SECOND,
			 .attempt = 10 * SECOND,
			 .repeat = settle,
			 .idle = 60 * SECOND},
		.report = report,
		.counters = counters,
	};
}

static void tear_down(void)
{
	due_free(&d);
	flow_tables_free(&s.t);
}

/* A connection that closed gracefully, its last step at END. */
static uint32_t finished(void)
{
	uint32_t n = put_connection(&s, FINS_ACKED, false);

	put_block(&s, n);
	put_entry(&s, n, EPOCH + SECOND, A, FIN, 1001, 2001);
	put_entry(&s, n, EPOCH + 2 * SECOND, B, FIN, 2001, 1002);
	put_entry(&s, n, END, A, ACK, 1002, 2002);
	return n;
}

static void send_notice(uint32_t n, enum notice_kind kind, uint64_t time)
{
	const struct notice notice = {
		.time = time, .slot = n + 1, .generation = (uint32_t)(s.slots[n].word >> 32), .kind = kind};

	due_notice(&d, &notice, time);
}

TEST(test_settles)
{
	set_up(SECOND / 2);
	send_notice(finished(), NOTICE_ENDED, END);
	due_expire(&d, END + SECOND / 2 - 1);
	expect_int(reported, 0);
	due_expire(&d, END + SECOND / 2);
	expect_int(reported, 1);
	due_expire(&d, END + 100 * SECOND);
	due_scan(&d, 0, SLOTS, END + 100 * SECOND);
	assert_int_equal(due_finish(&d, true, END + 100 * SECOND), 0);
	expect_int(reported, 1);
	tear_down();
}

/*
 * Without a wait a connection is due as soon as time goes on. The timer of its last segment's own time must not fire
 * for ever.
 */
TEST(test_settles_at_once)
{
	set_up(0);
	send_notice(finished(), NOTICE_ENDED, END);
	due_expire(&d, END);
	due_expire(&d, END + 1);
	expect_int(reported, 1);
	tear_down();
}

/* The slot has another connection by the time the timer fires. */
TEST(test_notice_of_another_generation)
{
	uint32_t n;

	set_up(SECOND / 2);
	n = finished();
	send_notice(n, NOTICE_ENDED, END);
	s.slots[n].word += WORD_GENERATION;
	due_expire(&d, END + SECOND);
	expect_int(reported, 0);
	tear_down();
}

/* The ring was full: looking at the slots finds the end, and not before it has settled. */
TEST(test_lost_notice)
{
	set_up(SECOND / 2);
	finished();
	due_scan(&d, 0, SLOTS, END + SECOND / 4);
	expect_int(reported, 0);
	due_scan(&d, 0, SLOTS, END + 2 * SECOND);
	due_expire(&d, END + 2 * SECOND);
	expect_int(reported, 1);
	tear_down();
}

/* A close that stands still: from its last progress on. */
TEST(test_close_stands_still)
{
	uint32_t n;

	set_up(SECOND / 2);
	n = put_connection(&s, PHASE_OPEN | PHASE_FIN | PHASE_WATCHED, false);
	put_block(&s, n);
	put_entry(&s, n, EPOCH + SECOND, A, FIN, 1001, 2001);
	send_notice(n, NOTICE_BEGUN, EPOCH + SECOND);
	put_entry(&s, n, EPOCH + 30 * SECOND, B, ACK, 2001, 1002);
	due_expire(&d, EPOCH + 61 * SECOND);
	expect_int(reported, 0);
	due_expire(&d, EPOCH + 90 * SECOND);
	expect_int(reported, 1);
	expect_int(s.watch[s.slots[n].hash], 0);
	tear_down();
}

TEST(test_replaced_at_once)
{
	uint32_t n;

	set_up(SECOND / 2);
	n = finished();
	s.slots[n].word |= PHASE_REPLACED;
	send_notice(n, NOTICE_REPLACED, END);
	expect_int(reported, 1);
	expect_int(word_phase(s.slots[n].word), 0); /* nothing of it recognises the other's segments */
	tear_down();
}

/* Open ones are reported at the end only where that is asked for, and are taken out either way. */
TEST(test_finish)
{
	for (int open = 0; open < 2; open++) {
		enter_row("open %d", open);
		set_up(SECOND / 2);
		put_connection(&s, PHASE_OPEN, false);
		finished();
		assert_int_equal(due_finish(&d, open, END), 0);
		expect_int(reported, 1 + (unsigned)open);
		expect_int(free_in(&s, 0), SLOTS);
		expect_int(s.established, 0);
		tear_down();
	}
}

TEST(test_idle)
{
	set_up(SECOND / 2);
	put_connection(&s, PHASE_OPEN, false);
	for (int i = 0; i < FLOW_IDLE_ROUNDS; i++)
		due_age(&d, 0, SLOTS);
	expect_int(reported, 0);
	due_age(&d, 0, SLOTS);
	expect_int(reported, 1);
	expect_int(counters[COUNT_IDLE_FORGOTTEN], 1);
	expect_int(free_in(&s, 0), SLOTS);
	tear_down();
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
