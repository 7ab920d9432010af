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
static unsigned reported, interim, again, interfaces, aparts, counted;

static void report(void *context, const struct judged *j, uint32_t slot, const struct due_report *how)
{
	(void)context;
	(void)slot;
	(void)j;
	for (interfaces = 0; interfaces < RECORD_INTERFACES && how->seen_at->number[interfaces];)
		interfaces++;
	aparts = how->aparts;
	counted += !how->counted;
	interim += how->interim;
	again += how->again;
	reported += !how->stray && !how->interim;
}

static void set_up(uint64_t settle)
{
	begin_tables(&s);
	reported = interim = again = counted = 0;
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

static unsigned asked, survivals; /* RSTs that the socket was asked about, and that it will say it has not taken */

static bool survived(void *context, const struct judged *j)
{
	(void)context;
	(void)j;
	return asked++ < survivals;
}

/* An open connection, and two RSTs of A with the number that B expects, the last one at END. */
static uint32_t reset_twice(void)
{
	uint32_t n = put_connection(&s, PHASE_OPEN | PHASE_RESET, false);

	put_block(&s, n);
	put_entry(&s, n, EPOCH + SECOND, B, ACK, 2001, 1001);
	put_entry(&s, n, END - SECOND / 4, A, RST, 1001, 0);
	put_entry(&s, n, END, A, RST, 1001, 0);
	d.survived = survived;
	asked = 0;
	return n;
}

/* An RST that a packet filter has dropped: the connection is open again, and both are counted. */
TEST(test_socket_survives)
{
	uint32_t n;

	set_up(SECOND / 2);
	survivals = 2;
	n = reset_twice();
	send_notice(n, NOTICE_ENDED, END);
	due_expire(&d, END + SECOND / 4);
	expect_int(asked, 0);
	due_expire(&d, END + SECOND / 2);
	expect_int(asked, 2);
	expect_int(reported, 0);
	expect_int(s.slots[n].word & 0xff, PHASE_OPEN);
	expect_int(s.slots[n].open.resets_ignored, 2);
	tear_down();
}

/* The first one was dropped and the second one taken. */
TEST(test_socket_survives_once)
{
	set_up(SECOND / 2);
	survivals = 1;
	send_notice(reset_twice(), NOTICE_ENDED, END);
	due_expire(&d, END + SECOND / 2);
	expect_int(asked, 2);
	expect_int(reported, 1);
	expect_int(d.judged.flow.open.resets_ignored, 1);
	expect_int(d.judged.flow.reset.time == END, 1);
	tear_down();
}

/* The watch ends before they have settled. */
TEST(test_socket_survives_the_watch)
{
	set_up(SECOND / 2);
	survivals = 2;
	reset_twice();
	assert_int_equal(due_finish(&d, false, END + 1), 0);
	expect_int(asked, 2);
	expect_int(reported, 0);
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

/* ---- interim records ---- */

static void set_up_live(void)
{
	set_up(SECOND / 2);
	d.wait.attempt = d.wait.repeat = 135 * SECOND;
	d.wait.idle = 8100 * SECOND;
	assert_int_equal(interims_begin(&d.interims, SLOTS), 0);
}

/* A half closed connection, since EPOCH + 1 s. */
static uint32_t half_closed(void)
{
	uint32_t n = put_connection(&s, PHASE_OPEN | PHASE_FIN | PHASE_WATCHED, false);

	put_block(&s, n);
	put_entry(&s, n, EPOCH + SECOND, A, FIN, 1001, 2001);
	return n;
}

static void look_at(uint64_t time)
{
	due_expire(&d, time);
	due_scan(&d, 0, SLOTS, time);
}

/* Once for a wait, once more for the next one, and the last record when it has ended. */
TEST(test_wait_is_news_once)
{
	uint32_t n;

	set_up_live();
	n = half_closed();
	look_at(EPOCH + 60 * SECOND);
	expect_int(interim, 0);
	for (unsigned i = 61; i < 8000; i += 61)
		look_at(EPOCH + i * SECOND);
	expect_int(interim, 1);
	expect_int(reported, 0);
	put_entry(&s, n, EPOCH + 7000 * SECOND, B, FIN, 2001, 1002);
	s.slots[n].word |= PHASE_FIN << 1 | PHASE_FIN_ACKED;
	look_at(EPOCH + 7059 * SECOND);
	expect_int(interim, 1);
	look_at(EPOCH + 7060 * SECOND);
	expect_int(interim, 2);
	put_entry(&s, n, EPOCH + 8000 * SECOND, A, ACK, 1002, 2002);
	s.slots[n].word |= PHASE_FIN_ACKED << 1;
	look_at(EPOCH + 8001 * SECOND);
	expect_int(reported, 1);
	expect_int(interim, 2);
	expect_int(again, 0);
	tear_down();
}

/* A close that nothing ends. */
TEST(test_wait_is_given_up)
{
	set_up_live();
	half_closed();
	look_at(EPOCH + 8100 * SECOND);
	expect_int(reported, 0);
	look_at(EPOCH + 8101 * SECOND);
	expect_int(reported, 1);
	tear_down();
}

/* The end of the watch is the end of each wait. */
TEST(test_last_record_at_the_end)
{
	set_up_live();
	half_closed();
	look_at(EPOCH + 61 * SECOND);
	assert_int_equal(due_finish(&d, false, EPOCH + 62 * SECOND), 0);
	expect_int(interim, 1);
	expect_int(reported, 1);
	tear_down();
}

/* No more at once than a burst; the others are counted, and still get their last records. */
TEST(test_interim_records_are_limited)
{
	set_up_live();
	d.interim_since = EPOCH + 61 * SECOND - SECOND / DUE_INTERIM_A_SECOND; /* one is left */
	half_closed();
	half_closed();
	look_at(EPOCH + 61 * SECOND);
	expect_int(interim, 1);
	expect_int(counters[COUNT_INTERIM_LIMITED], 1);
	assert_int_equal(due_finish(&d, false, EPOCH + 62 * SECOND), 0);
	expect_int(reported, 2);
	tear_down();
}

/* Blocks are scarce: those in interim records are given up; one that is not in a record yet keeps its block. */
TEST(test_full_table_gives_up_the_oldest)
{
	set_up_live();
	half_closed();
	look_at(EPOCH + 61 * SECOND);
	while (free_in(&s, 1) > 0)
		half_closed();
	due_relieve(&d, EPOCH + 61 * SECOND);
	expect_int(reported, 1);
	expect_int(counters[COUNT_INTERIM_EVICTED], 1);
	due_relieve(&d, EPOCH + 61 * SECOND);
	expect_int(reported, 1);
	tear_down();
}

/* The blocks are taken by closes that settle: each gives way once it is 50 ms old, the oldest first. */
TEST(test_full_table_does_not_settle)
{
	unsigned closes;

	set_up(SECOND / 2);
	for (closes = 0; free_in(&s, 1) > 0; closes++)
		send_notice(finished(), NOTICE_ENDED, END);
	due_relieve(&d, END + 49 * MS);
	expect_int(reported, 0);
	due_relieve(&d, END + 50 * MS);
	assert_true(reported > 0 && reported < closes);
	expect_int(counters[COUNT_SETTLED_EARLY], reported);
	assert_false(flow_tables_scarce(&s.t, TABLES_CLOSING));
	due_expire(&d, END + SECOND / 2);
	expect_int(reported, closes);
	tear_down();
}

/* A close that may still be another one waits as long as ever, and longer than those behind it. */
TEST(test_full_table_leaves_doubt)
{
	uint32_t n;

	set_up(SECOND / 2);
	n = put_connection(&s, PHASE_OPEN | PHASE_RESET, false);
	put_block(&s, n);
	put_entry(&s, n, END, A, TCP_RST, 1001, 0);
	send_notice(n, NOTICE_ENDED, END);
	while (free_in(&s, 1) > 0)
		half_closed();
	due_relieve(&d, END + 100 * MS);
	expect_int(reported, 0);
	expect_int(counters[COUNT_SETTLED_EARLY], 0);
	due_expire(&d, END + 20 * SECOND);
	expect_int(reported, 1);
	tear_down();
}

/* ---- views of one connection ---- */

static bool same_network = true;

static bool one_network(const void *context, uint32_t a, uint32_t b)
{
	(void)context;
	return a != b && same_network;
}

static void set_up_views(bool same)
{
	set_up_live();
	same_network = same;
	d.views.one_network = one_network;
	assert_int_equal(flow_views_begin(&d.views, SLOTS), 0);
}

/* Two interfaces have seen the whole close; the second one a little later. */
static void seen_twice(void)
{
	uint32_t first = finished(), second = finished();

	s.slots[first].ifindex = 1;
	s.slots[second].ifindex = 2;
	s.slots[second].open.t_syn += MS;
	send_notice(first, NOTICE_ENDED, END);
	send_notice(second, NOTICE_ENDED, END + MS);
}

TEST(test_views_are_joined)
{
	set_up_views(true);
	seen_twice();
	due_expire(&d, END + SECOND);
	expect_int(reported, 1);
	expect_int(interfaces, 2);
	expect_int(counters[COUNT_VIEWS_JOINED], 1);
	tear_down();
}

/* Equal addresses, ports and numbers in two network namespaces. */
TEST(test_views_of_two_networks)
{
	set_up_views(false);
	seen_twice();
	due_expire(&d, END + SECOND);
	expect_int(reported, 2);
	expect_int(interfaces, 1);
	expect_int(counted, 2);
	tear_down();
}

/* Equal addresses and ports on two networks that have one namespace (VRFs): the initial sequence numbers differ. */
TEST(test_views_of_two_connections)
{
	set_up_views(true);
	seen_twice();
	s.slots[1].open.isn[0]++;
	due_expire(&d, END + SECOND);
	expect_int(reported, 2);
	expect_int(counted, 2);
	expect_int(aparts, 0);
	tear_down();
}

/* One interface has not seen the close, since a box between them kept it: two reports, of one connection. */
TEST(test_views_that_differ)
{
	uint32_t first, second;

	set_up_views(true);
	first = finished();
	second = put_connection(&s, PHASE_OPEN, false);
	s.slots[first].ifindex = 1;
	s.slots[second].ifindex = 2;
	flow_views_note(&d.views, &s.t, second);
	send_notice(first, NOTICE_ENDED, END);
	due_expire(&d, END + SECOND);
	expect_int(reported, 1);
	expect_int(interfaces, 1);
	expect_int(aparts, 1);
	assert_int_equal(due_finish(&d, true, END + 2 * SECOND), 0);
	expect_int(reported, 2);
	expect_int(counted, 1);
	tear_down();
}

/* A wait that both interfaces see is told once, and given up once. */
TEST(test_views_that_wait)
{
	uint32_t first, second;

	set_up_views(true);
	first = half_closed();
	second = half_closed();
	s.slots[first].ifindex = 1;
	s.slots[second].ifindex = 2;
	look_at(EPOCH + 61 * SECOND);
	expect_int(interim, 1);
	expect_int(interfaces, 2);
	due_look_at_waiting(&d, EPOCH + 61 * SECOND);
	expect_int(interim, 2);
	look_at(EPOCH + 8101 * SECOND);
	expect_int(reported, 1);
	expect_int(interfaces, 2);
	tear_down();
}

/* ---- behind a last record ---- */

/* A forwarded connection that an RST of A has ended, with the number that B expects, at END. */
static uint32_t reset_on_the_way(void)
{
	uint32_t n = put_connection(&s, PHASE_OPEN | PHASE_RESET | PHASE_WATCHED, false);

	put_block(&s, n)->no_socket = 1;
	for (unsigned side = 0; side < 2; side++)
		s.blocks[s.slots[n].block - 1].side[side].before = (struct numbers){
			.end = side == A ? 1001 : 2001,
			.ack = side == A ? 2001 : 1001,
			.win = 1000,
			.known = NUMBERS_END | NUMBERS_ACK,
		};
	put_entry(&s, n, END, A, RST, 1001, 0);
	return n;
}

/* It has its record half a second behind the RST. room: so many can be held. */
static uint32_t told_reset(uint32_t room)
{
	uint32_t n;

	set_up_live();
	d.wait.settle = SECOND / 2;
	assert_int_equal(held_flows_begin(&d.held, room), 0);
	n = reset_on_the_way();
	send_notice(n, NOTICE_ENDED, END);
	due_expire(&d, END + SECOND / 2);
	expect_int(reported, 1);
	return n;
}

/* It is looked at now, and half a second later. */
static void look_at_held(uint64_t now)
{
	due_look_at_held(&d, now);
	due_look_at_held(&d, now + SECOND / 2);
}

/* B acknowledges what A has sent behind the RST: it goes on, and its close is in a record that replaces the first. */
TEST(test_held_goes_on)
{
	uint32_t n = told_reset(1);

	expect_int(s.slots[n].word & PHASE_REPORTED, PHASE_REPORTED);
	expect_int(s.watch[s.slots[n].hash], 1);
	look_at_held(END + 2 * SECOND);
	put_entry(&s, n, END + 3 * SECOND, A, ACK, 1101, 2001);
	put_entry(&s, n, END + 3 * SECOND + MS, B, ACK, 2001, 1101);
	look_at_held(END + 4 * SECOND);
	expect_int(reported, 1);
	expect_int(s.slots[n].word & 0xffffffff, PHASE_OPEN);
	expect_int(s.slots[n].open.resets_ignored, 1);
	expect_int(s.watch[s.slots[n].hash], 0);
	expect_int(s.established, 1);
	expect_int(s.t.held, 0);
	s.slots[n].word |= FINS_ACKED | PHASE_WATCHED;
	s.watch[s.slots[n].hash]++;
	s.established--;
	put_block(&s, n);
	put_entry(&s, n, END + 5 * SECOND, A, FIN | ACK, 1101, 2001);
	put_entry(&s, n, END + 5 * SECOND, B, FIN | ACK, 2001, 1102);
	put_entry(&s, n, END + 5 * SECOND, A, ACK, 1102, 2002);
	send_notice(n, NOTICE_ENDED, END + 5 * SECOND);
	due_expire(&d, END + 6 * SECOND);
	expect_int(reported, 2);
	expect_int(again, 1);
	expect_int(interim, 0);
	tear_down();
}

/* A goes on and B answers as a closed socket does: another record, once. Then all is known of that RST. */
TEST(test_held_is_denied)
{
	uint32_t n = told_reset(1);

	put_entry(&s, n, END + 3 * SECOND, A, ACK, 1101, 2001);
	put_entry(&s, n, END + 3 * SECOND + MS, B, RST, 2001, 0);
	look_at_held(END + 4 * SECOND);
	expect_int(reported, 2);
	expect_int(again, 1);
	expect_int(d.judged.flow.reset.fate & (RESET_DENIED | RESET_ANSWERED), RESET_DENIED | RESET_ANSWERED);
	expect_int(s.t.held, 0);
	expect_int(s.slots[n].block, 0);
	tear_down();
}

/* What says nothing else, as a copy of the RST, makes no record. Then nothing comes: the log is given back. */
TEST(test_held_is_released)
{
	uint32_t n = told_reset(1), blocks = free_in(&s, 1);

	put_entry(&s, n, END + SECOND, A, RST, 1001, 0);
	look_at_held(END + 2 * SECOND);
	due_look_at_held(&d, END + 136 * SECOND);
	expect_int(free_in(&s, 1), blocks);
	due_look_at_held(&d, END + 138 * SECOND);
	expect_int(free_in(&s, 1), blocks + 1);
	expect_int(s.watch[s.slots[n].hash], 0);
	expect_int(s.slots[n].word & (PHASE_REPORTED | PHASE_WATCHED), PHASE_REPORTED);
	assert_int_equal(due_finish(&d, true, END + 140 * SECOND), 0);
	expect_int(reported, 1);
	tear_down();
}

/* The next one takes the place of the oldest. Where logs are scarce, none is held. */
TEST(test_held_give_way)
{
	uint32_t first = told_reset(1), second = reset_on_the_way();

	send_notice(second, NOTICE_ENDED, END);
	due_expire(&d, END + SECOND);
	expect_int(reported, 2);
	expect_int(s.slots[first].block, 0);
	assert_true(s.slots[second].block);
	put_block(&s, put_connection(&s, PHASE_OPEN | PHASE_FIN, false));
	due_relieve(&d, END + SECOND);
	expect_int(s.slots[second].block, 0);
	expect_int(s.t.held, 0);
	expect_int(d.held.count, 0);
	tear_down();
}

/* Another connection has the tuple by the time: the former one stays as it was reported. */
TEST(test_held_is_over)
{
	uint32_t n = told_reset(1), other = put_connection(&s, PHASE_OPEN, false);
	uint64_t place = (uint64_t)s.slots[n].hash << 32;

	s.slots[other].hash = s.slots[n].hash;
	s.sets[second_set(place) & (SETS - 1)].way[SET_WAYS - 1] = way_make(way_tag(place), other + 1, WAY_HELD, 0);
	put_entry(&s, n, END + 3 * SECOND, A, ACK, 1101, 2001);
	put_entry(&s, n, END + 3 * SECOND + MS, B, ACK, 2001, 1101);
	look_at_held(END + 4 * SECOND);
	expect_int(s.slots[n].word & PHASE_REPORTED, PHASE_REPORTED);
	expect_int(reported, 1);
	tear_down();
}

/* A socket of this host was there, or this host has sent the RST: nothing more is to be learnt. */
TEST(test_held_are_forwarded)
{
	for (unsigned way = 0; way < 3; way++) {
		uint32_t n;

		set_up_live();
		assert_int_equal(held_flows_begin(&d.held, 1), 0);
		n = reset_on_the_way();
		if (!way)
			s.blocks[s.slots[n].block - 1].no_socket = 0;
		else
			s.blocks[s.slots[n].block - 1].entry[0].bits |= way == 1 ? ENTRY_SOCKET : ENTRY_FILTER;
		send_notice(n, NOTICE_ENDED, END);
		due_expire(&d, END + SECOND);
		expect_int(reported, 1);
		expect_int(d.held.count, 0);
		expect_int(s.slots[n].block, 0);
		tear_down();
	}
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
