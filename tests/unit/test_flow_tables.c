// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User space's hand on the tables: what it takes out leaves nothing behind, and what changed meanwhile is left alone.
 */
#include "tests/unit/assert.h"

#include "bpf/core/watch.h"
#include "tests/unit/small_tables.h"

#define CLOSING (PHASE_OPEN | PHASE_FIN | PHASE_WATCHED)

static struct small_tables s;
static const struct flow nothing;

TEST(test_take_leaves_nothing)
{
	uint32_t n;

	begin_tables(&s);
	n = put_connection(&s, CLOSING, false);
	put_block(&s, n);
	put_entry(&s, n, EPOCH + SECOND, A, FIN, 1001, 2001);
	assert_true(flow_tables_take(&s.t, n, s.slots[n].word, &nothing, false));
	expect_int(s.slots[n].word, WORD_GENERATION);
	expect_int(s.slots[n].block, 0);
	expect_int(s.blocks[0].slot, 0);
	expect_int(s.blocks[0].entry[0].bits, 0);
	expect_int(free_in(&s, 0), SLOTS);
	expect_int(free_in(&s, 1), BLOCKS / 2);
	expect_int(s.watch[s.slots[n].hash], 0);
	expect_int(ways_used(&s), 0);
}

/* The recorder appended between judgement and taking: nothing is changed, and the second try has the whole log. */
TEST(test_take_loses_the_race)
{
	uint64_t word;
	uint32_t n;

	begin_tables(&s);
	n = put_connection(&s, CLOSING, false);
	put_block(&s, n);
	word = s.slots[n].word;
	put_entry(&s, n, EPOCH + SECOND, A, FIN, 1001, 2001);
	assert_false(flow_tables_take(&s.t, n, word, &nothing, false));
	assert_false(flow_tables_go_on(&s.t, n, word, &nothing));
	expect_int(s.slots[n].word, word + WORD_ENTRY);
	expect_int(s.slots[n].block, 1);
	expect_int(s.watch[s.slots[n].hash], 1);
	expect_int(ways_used(&s), 1);
	assert_true(flow_tables_take(&s.t, n, word + WORD_ENTRY, &nothing, false));
}

/* So many serve to recognise copies; the oldest gives its slot, unless another connection has taken it over. */
TEST(test_buried)
{
	uint32_t n[3];

	begin_tables(&s);
	for (unsigned i = 0; i < COUNT(n); i++)
		n[i] = put_connection(&s, CLOSING, false);
	for (unsigned i = 0; i < COUNT(n); i++)
		assert_true(flow_tables_take(&s.t, n[i], s.slots[n[i]].word, &nothing, true));
	expect_int(word_phase(s.slots[n[0]].word), 0);
	assert_true(s.slots[n[1]].word & PHASE_REPORTED && s.slots[n[2]].word & PHASE_REPORTED);
	expect_int(free_in(&s, 0), SLOTS - 2);
	expect_int(ways_used(&s), 2);
	s.slots[n[1]].word = WORD_GENERATION | PHASE_OPENING; /* the recorder's */
	n[0] = put_connection(&s, CLOSING, false);
	assert_true(flow_tables_take(&s.t, n[0], s.slots[n[0]].word, &nothing, true));
	expect_int(s.slots[n[1]].word, WORD_GENERATION | PHASE_OPENING);
	flow_tables_free(&s.t);
}

/* What stood in a second set is counted by the first one, until it goes. */
TEST(test_spilled_goes_back)
{
	uint32_t n[2], set;

	begin_tables(&s);
	n[0] = put_connection(&s, CLOSING, true);
	set = s.slots[n[0]].hash & (SETS - 1);
	expect_int(s.sets[set].spilled, 1);
	assert_true(flow_tables_take(&s.t, n[0], s.slots[n[0]].word, &nothing, false));
	expect_int(s.sets[set].spilled, 0);
	n[1] = put_connection(&s, CLOSING, true);
	set = s.slots[n[1]].hash & (SETS - 1);
	assert_true(flow_tables_take(&s.t, n[1], s.slots[n[1]].word, &nothing, true));
	expect_int(s.sets[set].spilled, 1); /* it serves to recognise copies */
	flow_tables_free(&s.t);
}

/* An RST that was not acted on: the connection is open again, without its log. */
TEST(test_go_on)
{
	const struct flow f = {.open.resets_ignored = 1};
	uint32_t n;

	begin_tables(&s);
	n = put_connection(&s, PHASE_OPEN | PHASE_RESET | PHASE_WATCHED, false);
	put_block(&s, n);
	put_entry(&s, n, EPOCH + SECOND, A, RST, 1001, 0);
	assert_true(flow_tables_go_on(&s.t, n, s.slots[n].word, &f));
	expect_int(s.slots[n].word, PHASE_OPEN);
	expect_int(s.slots[n].open.resets_ignored, 1);
	expect_int(s.established, 1);
	expect_int(s.watch[s.slots[n].hash], 0);
	expect_int(free_in(&s, 1), BLOCKS / 2);
}

/*
 * One whose handshake was completed behind the RST is open; one older than the watch has nothing left to be judged
 * by.
 */
TEST(test_go_on_from_elsewhere)
{
	struct flow f = {.open.seen = OPEN_SYN | OPEN_SYNACK | OPEN_ACK, .open.t_ack = EPOCH + 9 * MS};
	uint32_t n;

	begin_tables(&s);
	n = put_connection(&s, PHASE_OPENING | PHASE_RESET | PHASE_WATCHED, false);
	assert_true(flow_tables_go_on(&s.t, n, s.slots[n].word, &f));
	expect_int(s.slots[n].word, PHASE_OPEN);
	expect_int(s.slots[n].open.t_ack, EPOCH + 9 * MS);
	expect_int(s.established, 1);
	n = put_connection(&s, PHASE_OPEN | PHASE_MIDSTREAM | PHASE_RESET | PHASE_WATCHED, false);
	assert_true(flow_tables_go_on(&s.t, n, s.slots[n].word, &f));
	expect_int(s.slots[n].word, WORD_GENERATION);
	expect_int(s.established, 1);
	expect_int(ways_used(&s), 1);
}

/* A connection is forgotten after so many rounds without a segment, and a segment begins the count anew. */
TEST(test_age)
{
	uint32_t n;

	begin_tables(&s);
	n = put_connection(&s, PHASE_OPEN, false);
	for (int again = 0; again < 2; again++) {
		for (int i = 0; i < FLOW_IDLE_ROUNDS; i++) {
			assert_false(flow_tables_age(&s.t, n));
			expect_int(s.watch[s.slots[n].hash], 1);
		}
		if (again)
			break;
		s.slots[n].word &= ~(uint64_t)(PHASE_PROBE | PHASE_WATCHED); /* as the recorder does */
		s.watch[s.slots[n].hash]--;
	}
	assert_true(flow_tables_age(&s.t, n));
	n = put_connection(&s, CLOSING, false);
	for (int i = 0; i < 3 * FLOW_IDLE_ROUNDS; i++)
		assert_false(flow_tables_age(&s.t, n)); /* its close has a wait of its own */
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
