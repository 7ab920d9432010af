// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The states that each side enters, segment by segment, without a drawing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "user/format/ladder_states.h"
#include "tests/unit/sample_closes.h"

/* Appends "SOURCE/DESTINATION " with the states that differ from those in `last`, and updates those. */
static void add_changes(char text[512], const struct ladder_states *states, enum tcp_state last[2])
{
	const enum tcp_state source = ladder_state(states, SOURCE), destination = ladder_state(states, DESTINATION);

	if (source == last[SOURCE] && destination == last[DESTINATION])
		return;
	snprintf(text + strlen(text), 512 - strlen(text), "%s%s/%s", *text ? " " : "",
		 source == last[SOURCE] ? "" : state_name(source),
		 destination == last[DESTINATION] ? "" : state_name(destination));
	last[SOURCE] = source;
	last[DESTINATION] = destination;
}

/* expected: "SYN-SENT/ ESTABLISHED/SYN-RECEIVED ...", a word for each segment by which a side enters a state. */
static void assert_states(const struct record *r, const char *expected)
{
	struct ladder_states states;
	enum tcp_state last[2];
	char text[512] = "";

	ladder_states_begin(&states, r);
	last[SOURCE] = ladder_state(&states, SOURCE);
	last[DESTINATION] = ladder_state(&states, DESTINATION);
	for (unsigned i = 0; i < r->segment_count; i++) {
		ladder_states_step(&states, r, i);
		add_changes(text, &states, last);
	}
	assert_string_equal(text, expected);
}

static void begins_closed_or_established(void **state)
{
	struct ladder_states states;
	struct record r;

	(void)state;
	begin(&r);
	ladder_states_begin(&states, &r);
	assert_int_equal(ladder_state(&states, SOURCE), STATE_ESTABLISHED);
	add(&r, 0, DESTINATION, S | A, 0, 1, 0);
	ladder_states_begin(&states, &r);
	assert_int_equal(ladder_state(&states, SOURCE), STATE_CLOSED);
	assert_int_equal(ladder_state(&states, DESTINATION), STATE_CLOSED);
	/* without the SYN: the answer to the SYN-ACK opens both */
	add(&r, 1 * MS_NS, SOURCE, A, 1, 1, 0);
	assert_states(&r, "/SYN-RECEIVED ESTABLISHED/ESTABLISHED");
}

static void walks_states_of_closes(void **state)
{
	struct record r;

	(void)state;
	four_way(&r);
	assert_states(&r, "SYN-SENT/ /SYN-RECEIVED ESTABLISHED/ESTABLISHED FIN-WAIT-1/ FIN-WAIT-2/CLOSE-WAIT "
			  "/LAST-ACK TIME-WAIT/CLOSED");
	three_way(&r);
	assert_states(&r, "SYN-SENT/ /SYN-RECEIVED ESTABLISHED/ESTABLISHED /FIN-WAIT-1 LAST-ACK/FIN-WAIT-2 "
			  "CLOSED/TIME-WAIT");
	simultaneous(&r);
	assert_states(&r, "SYN-SENT/ /SYN-RECEIVED ESTABLISHED/ESTABLISHED FIN-WAIT-1/ /FIN-WAIT-1 "
			  "CLOSING/TIME-WAIT TIME-WAIT/");
	/* the last ACK is missing: the destination's FIN is repeated in vain */
	four_way(&r);
	r.segment_count--;
	mark(add(&r, 200 * MS_NS, DESTINATION, F | A, 4478, 3344, 0), SEGMENT_COPY, 1);
	verdict(&r, OUTCOME_UNFINISHED, SOURCE, STATE_FIN_WAIT_2, STATE_LAST_ACK);
	assert_states(&r, "SYN-SENT/ /SYN-RECEIVED ESTABLISHED/ESTABLISHED FIN-WAIT-1/ FIN-WAIT-2/CLOSE-WAIT "
			  "/LAST-ACK");
}

static void walks_states_without_handshake(void **state)
{
	struct record r;

	(void)state;
	begin(&r);
	r.midstream = true;
	/* a FIN with data: only the number after both acknowledges it */
	add(&r, 0, SOURCE, F | A, 1, 1, 10);
	add(&r, 1 * MS_NS, DESTINATION, A, 1, 11, 0);
	add(&r, 1 * MS_NS, DESTINATION, A, 1, 12, 0);
	assert_states(&r, "FIN-WAIT-1/ FIN-WAIT-2/CLOSE-WAIT");
	/* a forged FIN changes nothing */
	mark(&r.segments[0], SEGMENT_IGNORED, 1);
	assert_states(&r, "");
}

/* RFC 9293 section 3.5, figure 8 */
static void walks_states_of_crossed_syns(void **state)
{
	struct record r;

	(void)state;
	begin(&r);
	add(&r, 0, SOURCE, S, 0, 0, 0);
	add(&r, 1 * MS_NS, DESTINATION, S, 0, 0, 0);
	add(&r, 1 * MS_NS, SOURCE, S | A, 0, 1, 0);
	add(&r, 1 * MS_NS, DESTINATION, S | A, 0, 1, 0);
	add(&r, 1 * MS_NS, SOURCE, A, 1, 1, 0);
	assert_states(&r, "SYN-SENT/ /SYN-SENT SYN-RECEIVED/ ESTABLISHED/SYN-RECEIVED /ESTABLISHED");
}

/* After an RST the verdict says what is left; one that the connection survived changes nothing. */
static void walks_states_of_resets(void **state)
{
	struct record r;

	(void)state;
	refused(&r);
	assert_states(&r, "SYN-SENT/ CLOSED/");
	reset_after_own_fin(&r);
	assert_states(&r, "SYN-SENT/ /SYN-RECEIVED ESTABLISHED/ESTABLISHED FIN-WAIT-1/ FIN-WAIT-2/CLOSE-WAIT "
			  "CLOSED/CLOSED");
	four_way(&r);
	add(&r, 1 * MS_NS, DESTINATION, R, 4479, 0, 0);
	r.late_reset = true;
	reset_by(&r, DESTINATION, PHASE_CLOSED, RESET_EXACT);
	r.evidence[EVIDENCE_RESET] = 7;
	r.end[SOURCE].state = STATE_CLOSED;
	assert_states(&r, "SYN-SENT/ /SYN-RECEIVED ESTABLISHED/ESTABLISHED FIN-WAIT-1/ FIN-WAIT-2/CLOSE-WAIT "
			  "/LAST-ACK TIME-WAIT/CLOSED CLOSED/");
	/* a scan: the source never had a connection */
	begin(&r);
	add(&r, 0, SOURCE, S, 0, 0, 0);
	add(&r, 1 * MS_NS, DESTINATION, S | A, 0, 1, 0);
	add(&r, 1 * MS_NS, SOURCE, R, 1, 0, 0);
	reset_by(&r, SOURCE, PHASE_HANDSHAKE, RESET_EXACT);
	assert_states(&r, "SYN-SENT/ /SYN-RECEIVED CLOSED/CLOSED");
	begin(&r);
	handshake(&r);
	add(&r, 1 * MS_NS, DESTINATION, R, 5, 0, 0);
	add(&r, 1 * MS_NS, SOURCE, A, 1, 1, 0);
	verdict(&r, OUTCOME_OPEN, NOBODY, STATE_ESTABLISHED, STATE_ESTABLISHED);
	assert_states(&r, "SYN-SENT/ /SYN-RECEIVED ESTABLISHED/ESTABLISHED");
}

/* What comes again, and what comes after the RST, changes nothing. */
static void copies_and_stragglers_change_nothing(void **state)
{
	struct record r;

	(void)state;
	four_way(&r);
	mark(add(&r, 1 * MS_NS, DESTINATION, F | A, 4478, 3344, 0), SEGMENT_COPY, 1);
	mark(add(&r, 1 * MS_NS, SOURCE, A, 3344, 4479, 0), SEGMENT_COPY, 1);
	assert_states(&r, "SYN-SENT/ /SYN-RECEIVED ESTABLISHED/ESTABLISHED FIN-WAIT-1/ FIN-WAIT-2/CLOSE-WAIT "
			  "/LAST-ACK TIME-WAIT/CLOSED");
	refused(&r);
	add(&r, 1 * MS_NS, SOURCE, F | A, 1, 1, 0);
	assert_states(&r, "SYN-SENT/ CLOSED/");
}

/* The ISN of the source wraps soon: its FIN's number is on the other side of 0. */
static void fin_beyond_the_wrap(void **state)
{
	struct record r;

	(void)state;
	begin(&r);
	handshake(&r);
	add(&r, 1 * MS_NS, SOURCE, F | A, 17, 1, 0);
	assert_int_equal(r.segments[3].raw_seq, 1);
	add(&r, 1 * MS_NS, DESTINATION, A, 1, 17, 0);
	assert_states(&r, "SYN-SENT/ /SYN-RECEIVED ESTABLISHED/ESTABLISHED FIN-WAIT-1/");
	add(&r, 1 * MS_NS, DESTINATION, A, 1, 18, 0);
	assert_states(&r, "SYN-SENT/ /SYN-RECEIVED ESTABLISHED/ESTABLISHED FIN-WAIT-1/ FIN-WAIT-2/CLOSE-WAIT");
}

/*
 * Without evidence of one, every RST counts if the verdict names who sent it; with evidence, none before that one does.
 */
static void acts_on_resets_of_the_verdict(void **state)
{
	struct record r;

	(void)state;
	begin(&r);
	handshake(&r);
	add(&r, 1 * MS_NS, DESTINATION, R, 5, 0, 0);
	add(&r, 1 * MS_NS, DESTINATION, R, 1, 0, 0);
	assert_false(ladder_acted_on(&r, 3));
	assert_true(ladder_acted_on(&r, 2));
	reset_by(&r, DESTINATION, PHASE_ESTABLISHED, RESET_EXACT);
	assert_true(ladder_acted_on(&r, 3));
	r.evidence[EVIDENCE_RESET] = 4;
	assert_false(ladder_acted_on(&r, 3));
	assert_true(ladder_acted_on(&r, 4));
	mark(&r.segments[4], SEGMENT_IGNORED, 1);
	assert_false(ladder_acted_on(&r, 4));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_closed_or_established),
		cmocka_unit_test(walks_states_of_closes),
		cmocka_unit_test(walks_states_without_handshake),
		cmocka_unit_test(walks_states_of_crossed_syns),
		cmocka_unit_test(walks_states_of_resets),
		cmocka_unit_test(copies_and_stragglers_change_nothing),
		cmocka_unit_test(fin_beyond_the_wrap),
		cmocka_unit_test(acts_on_resets_of_the_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
