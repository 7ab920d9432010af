// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Conversations of a capture: black holes are kept only while a large segment is outstanding, and follow their cell as
 * the cells double; the beginning of one conversation takes no cell from another.
 */
#include "tests/unit/assert.h"

#include "user/capture/conversations.h"

#define CELLS 16
#define MS 1000000ULL

/* Two conversations of one cell, of which the first one's is another when the cells have doubled. */
#define MINE (((uint64_t)CELLS | 3) << 32 | 0x11110000)
#define OTHER (3ULL << 32 | 0x22220000)

/* A conversation of two sides that have sent 100 bytes each. */
struct talk {
	struct conversations all;
	struct last_seen numbers;
	uint64_t now;
};

static void begin(struct talk *t)
{
	*t = (struct talk){.now = MS};
	assert_int_equal(conversations_open(&t->all, CELLS, true), 0);
	for (unsigned i = 0; i < 2; i++)
		t->numbers.side[i] =
			(struct last_seen_side){.end = 100, .ack = 100, .win = 1000, .tag = last_seen_tag(MINE)};
}

/* A segment of the first conversation, or with `hash` of another, whose numbers are not known. */
static void say(struct talk *t, uint64_t hash, unsigned side, uint8_t flags, uint32_t seq, uint32_t len, uint32_t ack)
{
	static const struct last_seen unknown;
	const struct tcp_segment s = {.family = 4,
				      .time = t->now += 10 * MS,
				      .flags = flags,
				      .seq = seq,
				      .len = len,
				      .ack = ack,
				      .win = 1000};

	conversations_note(&t->all, hash == MINE ? &t->numbers : &unknown, &s, side, hash);
	if (hash == MINE && !(flags & TCP_CONTROL))
		last_seen_note(&t->numbers, &s, side, hash);
}

/* Side 0 sends a large segment so often that the smaller copy behind it, which is acknowledged, tells of its size. */
static void swallow(struct talk *t)
{
	for (unsigned i = 0; i < 5; i++)
		say(t, MINE, 0, TCP_ACK, 100, 1400, 100);
	say(t, MINE, 0, TCP_ACK, 100, 500, 100);
	say(t, MINE, 1, TCP_ACK, 100, 0, 600);
}

/* Of a segment that is acknowledged nothing is left, and the next one takes its place. */
TEST(test_one_hole_serves_all)
{
	struct talk t;

	begin(&t);
	for (uint32_t i = 0; i < 100; i++) {
		say(&t, MINE, 0, TCP_ACK, 100 + i * 1400, 1400, 100);
		assert_non_null(conversations_hole(&t.all, MINE));
		say(&t, MINE, 1, TCP_ACK, 100, 0, 100 + (i + 1) * 1400);
		assert_null(conversations_hole(&t.all, MINE));
	}
	expect_int(t.all.open_count, 1);
	conversations_close(&t.all);
}

TEST(test_small_segments_have_none)
{
	struct talk t;

	begin(&t);
	for (unsigned i = 0; i < 5; i++)
		say(&t, MINE, 0, TCP_ACK, 100, 500, 100);
	assert_null(conversations_hole(&t.all, MINE));
	expect_int(t.all.open_count, 0);
	conversations_close(&t.all);
}

TEST(test_swallowed_stays)
{
	struct talk t;

	begin(&t);
	swallow(&t);
	say(&t, MINE, 0, TCP_ACK, 600, 100, 100);
	say(&t, MINE, 1, TCP_ACK, 100, 0, 700);
	assert_non_null(conversations_hole(&t.all, MINE));
	expect_int(conversations_hole(&t.all, MINE)->side[0].bytes, 1400);
	expect_int(conversations_hole(&t.all, MINE)->side[0].passed, 500);
	conversations_close(&t.all);
}

/* A scan of ports, or a close, has no part in what is remembered of who shares the cell. */
TEST(test_beginnings_displace_nobody)
{
	static const uint8_t flags[] = {TCP_SYN, TCP_SYN | TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST};
	struct talk t;

	begin(&t);
	swallow(&t);
	for (unsigned i = 0; i < COUNT(flags); i++)
		say(&t, OTHER, 0, flags[i], 7, 0, 0);
	assert_non_null(conversations_find(&t.all, MINE));
	assert_non_null(conversations_hole(&t.all, MINE));
	say(&t, OTHER, 0, TCP_ACK, 7, 0, 7);
	assert_null(conversations_find(&t.all, MINE));
	assert_null(conversations_hole(&t.all, OTHER));
	conversations_close(&t.all);
}

TEST(test_cells_double)
{
	struct talk t;

	begin(&t);
	swallow(&t);
	conversations_grow(&t.all, 4 * CELLS);
	assert_non_null(conversations_hole(&t.all, MINE));
	expect_int(conversations_hole(&t.all, MINE)->side[0].bytes, 1400);
	say(&t, OTHER, 0, TCP_ACK, 7, 0, 7); /* in the other half of what was the cell */
	assert_non_null(conversations_hole(&t.all, MINE));
	expect_int(t.all.free, 0);
	conversations_close(&t.all);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
