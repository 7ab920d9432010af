// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The judge on logs written by hand: order of the replay, what found no place, and logs that are not whole yet.
 */
#include "tests/unit/assert.h"

#include "bpf/core/watch.h"
#include "tests/unit/small_tables.h"

static struct small_tables s;
static struct judged j;

static bool judge_slot(uint32_t n, bool by_time)
{
	return judge(&j, &s.slots[n], s.slots[n].word, s.slots[n].block ? &s.blocks[s.slots[n].block - 1] : NULL,
		     by_time);
}

TEST(test_open_connection)
{
	uint32_t n;

	begin_tables(&s);
	n = put_connection(&s, PHASE_OPEN, false);
	assert_true(judge_slot(n, false));
	expect_flags(j.flow.state, FLOW_PROVEN | FLOW_REOPENED, flow_flags);
	expect_int(j.flow.log_len, 0);
	expect_int(j.flow.t_first, EPOCH);
}

/* Segments that came before the SYN-ACK or the ACK are replayed before them: by count, or by their times. */
TEST(test_entries_inside_the_handshake)
{
	for (int by_time = 0; by_time < 2; by_time++) {
		struct flow_block *b;
		uint32_t n;

		enter_row(by_time ? "by time" : "by count");
		begin_tables(&s);
		n = put_connection(&s, PHASE_OPEN | PHASE_WATCHED, false);
		b = put_block(&s, n);
		put_entry(&s, n, EPOCH + MS / 2, B, ACK, 7, 9);
		put_entry(&s, n, EPOCH + 3 * MS / 2, B, RST, 77777, 0);
		b->before_synack = 1;
		b->before_ack = 2;
		assert_true(judge_slot(n, by_time));
		expect_int(j.flow.log_len, 5);
		expect_flags(j.log[0].flags, SYN, tcp_flags);
		expect_flags(j.log[1].flags, ACK, tcp_flags);
		expect_flags(j.log[2].flags, SYN | ACK, tcp_flags);
		expect_flags(j.log[3].flags, RST, tcp_flags);
		expect_flags(j.log[4].flags, ACK, tcp_flags);
		assert_true(j.flow.state & FLOW_PROVEN);
	}
}

/*
 * Nothing was known of the numbers, and a FIN was forged: the real one is that which the other side acknowledges. The
 * forged one may come before it or behind it, with any number.
 */
TEST(test_real_fin_is_the_acknowledged_one)
{
	static const uint32_t forged[] = {5, 700, 1 << 28, 3u << 30};

	for (unsigned i = 0; i < 2 * COUNT(forged); i++) {
		bool before = i & 1;
		uint32_t n;

		enter_row("%u", i);
		begin_tables(&s);
		n = put_connection(&s, PHASE_OPEN | PHASE_FIN | PHASE_WATCHED, false);
		put_block(&s, n);
		if (before)
			put_entry(&s, n, EPOCH + SECOND, A, FIN, 1101 + forged[i / 2], 9);
		put_entry(&s, n, EPOCH + 2 * SECOND, A, PSH, 1101, 2001);
		put_entry(&s, n, EPOCH + 3 * SECOND, A, FIN, 1101, 2001);
		if (!before)
			put_entry(&s, n, EPOCH + 3 * SECOND + MS, A, FIN, 1101 + forged[i / 2], 9);
		put_entry(&s, n, EPOCH + 4 * SECOND, B, FIN, 2001, 1102);
		put_entry(&s, n, EPOCH + 5 * SECOND, A, ACK, 1102, 2002);
		assert_true(judge_slot(n, true));
		assert_true(j.flow.state & FLOW_GRACEFUL);
		expect_at(j.flow.side[A].t_fin, 3 * SECOND);
	}
}

TEST(test_what_found_no_place)
{
	struct flow_block *b;
	uint32_t n;

	begin_tables(&s);
	n = put_connection(&s, PHASE_OPEN | PHASE_FIN | PHASE_WATCHED, false);
	b = put_block(&s, n);
	put_entry(&s, n, EPOCH + SECOND, A, FIN, 1001, 2001);
	b->rest[B].plain = (3ULL << REST_SHIFT) + 4000;
	b->rest[A].fins = 300;
	b->progress = EPOCH + 2 * SECOND;
	assert_true(judge_slot(n, false));
	expect_int(j.flow.side[A].fin_copies, 255);
	expect_int(j.flow.lost, 300);
	expect_int(j.flow.log_len, 2);
	expect_flags(j.log[1].mark, SEGMENT_FOLDED, segment_marks);
	expect_int(j.log[1].side, B);
	expect_int(j.log[1].count, 3);
	expect_int(j.log[1].len, 4000);
	expect_int(j.flow.t_last, EPOCH + 2 * SECOND);
}

/* It is listed where its numbers stand: ahead of what had a place reserved, and behind the rest of the list. */
TEST(test_list_is_in_order)
{
	for (int by_time = 0; by_time < 2; by_time++) {
		struct flow_block *b;
		uint32_t n;

		enter_row(by_time ? "by time" : "by count");
		begin_tables(&s);
		n = put_connection(&s, PHASE_OPEN | PHASE_FINS | PHASE_WATCHED, false);
		b = put_block(&s, n);
		for (unsigned i = 0; i < BLOCK_COMMON; i++)
			put_entry(&s, n, EPOCH + SECOND + i * MS, A, ACK, 1001, 2001);
		put_entry(&s, n, EPOCH + 2 * SECOND, A, FIN, 1001, 2001);
		put_entry(&s, n, EPOCH + 3 * SECOND, B, ACK, 2001, 1002);
		b->rest[B].plain = (3ULL << REST_SHIFT) + 4000;
		b->progress = EPOCH + 9 * SECOND;
		assert_true(judge_slot(n, by_time));
		expect_flags(j.log[j.flow.log_len - 3].mark, SEGMENT_FOLDED, segment_marks);
		for (unsigned i = 1; i < j.flow.log_len; i++)
			assert_true(j.log[i - 1].time <= j.log[i].time);
		expect_int(j.flow.t_last, EPOCH + 9 * SECOND);
	}
}

TEST(test_midstream)
{
	uint32_t n;

	begin_tables(&s);
	n = put_connection(&s, PHASE_OPEN | PHASE_MIDSTREAM | PHASE_WATCHED, false);
	s.slots[n].open.seen = 0;
	put_block(&s, n);
	assert_false(judge_slot(n, false)); /* nothing is known of it */
	put_entry(&s, n, EPOCH, B, FIN, 5000, 6000);
	put_entry(&s, n, EPOCH + MS, A, ACK, 6000, 5001);
	assert_true(judge_slot(n, false));
	expect_flags(j.flow.state, FLOW_MIDSTREAM | FLOW_BEGUN | FLOW_PROVEN, flow_flags);
	expect_int(j.flow.side[B].t_fin_acked, EPOCH + MS);
}

/* Another CPU has its place in the log, and writes it now. */
TEST(test_entry_that_is_not_whole)
{
	uint32_t n;

	begin_tables(&s);
	n = put_connection(&s, PHASE_OPEN | PHASE_FIN | PHASE_WATCHED, false);
	put_block(&s, n);
	put_entry(&s, n, EPOCH + SECOND, A, FIN, 1001, 2001);
	put_entry(&s, n, EPOCH + SECOND + MS, B, ACK, 2001, 1002);
	s.blocks[0].entry[1].bits &= (uint8_t)~ENTRY_WHOLE;
	assert_false(judge_slot(n, false));
	s.blocks[0].entry[1].bits |= ENTRY_WHOLE;
	assert_true(judge_slot(n, false));
	assert_true(j.flow.side[A].seen & SIDE_FIN_ACKED);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
