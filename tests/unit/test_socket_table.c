// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The join of sockets and packets: which number, which namespace, which socket gives way.
 */
#include "tests/unit/assert.h"

#include <arpa/inet.h>

#include "user/base/clock.h"
#include "user/judge/verdict.h"
#include "user/sockets/socket_table.h"

/* The kernel's tables, in memory of ours. */
struct socket_tables {
	struct socket_table table;
	uint32_t turn[2];
	uint64_t lost[2];
};

#define WAIT (SECOND_NS * 2)

static struct socket_set *sockets_set(struct socket_tables *t, uint32_t table, uint32_t number)
{
	return table ? &t->table.answer_sets[number & t->table.answer_sets_mask]
		     : &t->table.sets[number & t->table.sets_mask];
}

static uint32_t sockets_turn(struct socket_tables *t, uint32_t table)
{
	return t->turn[table]++;
}

static uint32_t sockets_mask(const struct socket_tables *t, uint32_t table)
{
	return table ? t->table.answers_mask : t->table.sockets_mask;
}

static const struct flow_hash_key *sockets_key(const struct socket_tables *t)
{
	return &t->table.key;
}

static struct socket_answer *sockets_answer(struct socket_tables *t, uint32_t place)
{
	return &t->table.answers[place];
}

static struct closing_socket *sockets_socket(struct socket_tables *t, uint32_t place)
{
	return &t->table.sockets[place];
}

/* Side 0 is 10.0.0.1:40000, the client's; side 1 is 10.0.0.2:80. */
static const struct flow_key key = {
	.addr = {{0, 0x0a000001}, {0, 0x0a000002}},
	.port = {40000, 80},
	.family = 4,
};

#define UNSEEN_PORT 50000 /* local port of sockets whose connection no watched interface has seen */

static int sockets_known(struct socket_tables *t, const struct socket_hash *h)
{
	return h->ends.hash !=
	       flow_ends_of(4, &key.addr[0], UNSEEN_PORT, &key.addr[1], key.port[1], &t->table.key).hash;
}

static uint64_t sockets_wait(const struct socket_tables *t)
{
	(void)t;
	return WAIT >> SOCKET_TIME_SHIFT;
}

static void sockets_evicted(struct socket_tables *t, uint32_t table)
{
	t->lost[table]++;
}

#include "bpf/socket_record.h"

#define HERE 4026531840U
#define ELSEWHERE 4026532000U
#define CLIENT_ISN 1000
#define SERVER_ISN 2000

static struct flow handshake(void)
{
	return (struct flow){
		.open = {.isn = {CLIENT_ISN, SERVER_ISN}, .seen = OPEN_SYN | OPEN_SYNACK | OPEN_ACK, .source = 0},
		.t_first = 10 * SECOND_NS,
		.t_last = 20 * SECOND_NS,
	};
}

static struct socket_event event(unsigned side, uint32_t netns, uint32_t isn, uint64_t time)
{
	struct socket_event e = {.time = time, .netns = netns, .isn = isn, .kind = SOCKET_STATE};
	uint32_t addresses[2] = {htonl(0x0a000001), htonl(0x0a000002)};

	e.from = SOCKET_ESTABLISHED;
	memcpy(e.id.local, &addresses[side], 4);
	memcpy(e.id.remote, &addresses[!side], 4);
	e.id.local_port = key.port[side];
	e.id.remote_port = key.port[!side];
	e.id.family = 4;
	return e;
}

/* The client's socket of the connection whose server has that ISN. */
static struct socket_event client(uint32_t netns, uint32_t server_isn, uint8_t to, uint32_t flags)
{
	struct socket_event e = event(0, netns, server_isn, 15 * SECOND_NS);

	e.to = to;
	e.flags = flags;
	return e;
}

/* As the program at the tracepoint does. */
static void take(struct socket_tables *t, struct socket_event e)
{
	struct socket_hash h = socket_hash_of(&e.id, &t->table.key);
	int n = find_socket(t, &e, socket_hash(&h)), first = n == NO_PLACE;
	struct closing_socket *s;

	if (first)
		n = take_place(t, TABLE_SOCKETS, &h, e.time, -1);
	if (n == NO_PLACE)
		return;
	s = sockets_socket(t, n);
	if (first)
		socket_begin(s, &e);
	if (socket_note(s, &e))
		socket_close_note(&s->close, &e);
	socket_note_unaccepted(s, &e);
	place_unlock(&s->place, e.to == SOCKET_CLOSE ? SOCKET_CLOSED : 0, e.time);
	if (first)
		note_way(t, TABLE_SOCKETS, s->place.hash, s->place.turn);
}

static void take_answer(struct socket_tables *t, struct socket_answer a)
{
	struct socket_hash h = socket_hash_of(&a.id, &t->table.key);
	int n = take_place(t, TABLE_ANSWERS, &h, a.time, -1);

	if (n == NO_PLACE)
		return;
	a.place = t->table.answers[n].place;
	t->table.answers[n] = a;
	place_unlock(&t->table.answers[n].place, SOCKET_CLOSED, a.time);
	note_way(t, TABLE_ANSWERS, a.place.hash, a.place.turn);
}

static struct socket_join find(struct socket_tables *t, struct flow f)
{
	struct socket_query query = socket_query_of(&key, &f, HERE);

	return socket_table_find(&t->table, &query);
}

#define ROOM 8

/* A set of each kind. */
static struct socket_tables *make_table(void)
{
	struct socket_tables *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->table = (struct socket_table){
		.sets = calloc(1, sizeof(struct socket_set)),
		.answer_sets = calloc(1, sizeof(struct socket_set)),
		.sockets = calloc(ROOM, sizeof(struct closing_socket)),
		.answers = calloc(ROOM, sizeof(struct socket_answer)),
		.sockets_mask = ROOM - 1,
		.answers_mask = ROOM - 1,
		.key = flow_hash_key_of(4711),
	};
	return t;
}

static void free_table(struct socket_tables **table)
{
	struct socket_tables *t = *table;

	free(t->table.sets);
	free(t->table.answer_sets);
	free(t->table.sockets);
	free(t->table.answers);
	free(t);
}

/* Tables that live as long as the test's block. */
#define TABLE __attribute__((cleanup(free_table))) struct socket_tables *t = make_table()

TEST(test_number)
{
	TABLE;
	take(t, client(HERE, SERVER_ISN + 1, SOCKET_FIN_WAIT1, 0));
	assert_null(find(t, handshake()).side[0]);
	take(t, client(HERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	expect_int(find(t, handshake()).side[0]->isn, SERVER_ISN);
	assert_null(find(t, handshake()).side[1]);
}

/* The ISN finds the socket in any namespace, unless sockets of two namespaces have it. */
TEST(test_number_elsewhere)
{
	TABLE;
	take(t, client(ELSEWHERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	expect_int(find(t, handshake()).side[0]->netns, ELSEWHERE);
	take(t, client(HERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	assert_null(find(t, handshake()).side[0]);
}

TEST(test_midstream)
{
	TABLE;
	struct flow f = handshake();

	f.open.seen = 0;
	take(t, client(ELSEWHERE, 1, SOCKET_FIN_WAIT1, 0));
	assert_null(find(t, f).side[0]);
	take(t, client(HERE, 2, SOCKET_FIN_WAIT1, 0));
	expect_int(find(t, f).side[0]->isn, 2);
	take(t, client(HERE, 3, SOCKET_FIN_WAIT1, 0)); /* the tuple was used twice: which one? */
	assert_null(find(t, f).side[0]);
}

TEST(test_midstream_time)
{
	TABLE;
	struct flow f = handshake();

	f.open.seen = 0;
	take(t, event(0, HERE, 1, 5 * SECOND_NS));
	assert_null(find(t, f).side[0]);
	take(t, event(1, HERE, 1, 25 * SECOND_NS));
	assert_null(find(t, f).side[1]);
}

/* Without a SYN-ACK, only the client's own ISN is known. */
TEST(test_own_number)
{
	TABLE;
	struct flow f = handshake();

	f.open.seen = OPEN_SYN;
	take(t, client(HERE, SERVER_ISN, SOCKET_CLOSE, 0));
	assert_null(find(t, f).side[0]);
	take(t, client(HERE, CLIENT_ISN, SOCKET_CLOSE, SOCKET_OWN_ISN));
	expect_int(find(t, f).side[0]->isn, CLIENT_ISN);
}

/* The first call by a process closes the socket, whatever comes before and after; without a call, the kernel does. */
TEST(test_who_closed)
{
	TABLE;
	const struct closing_socket *s;

	take(t, client(HERE, SERVER_ISN, SOCKET_CLOSE_WAIT, 0));
	s = find(t, handshake()).side[0];
	expect_int(s->close.to, 0);
	take(t, client(HERE, SERVER_ISN, SOCKET_LAST_ACK, SOCKET_PROCESS));
	take(t, client(HERE, SERVER_ISN, SOCKET_CLOSE, 0));
	s = find(t, handshake()).side[0];
	expect_int(s->close.to, SOCKET_LAST_ACK);
	expect_int(s->step_count, 3);
	expect_int(s->states[2], SOCKET_CLOSE);
	expect_int(s->lost, 0);
}

static unsigned flags_after_reset(uint8_t from, uint32_t first_flags)
{
	TABLE;
	struct socket_event e = client(HERE, SERVER_ISN, SOCKET_CLOSE, first_flags);

	if (from == SOCKET_CLOSE_WAIT)
		take(t, client(HERE, SERVER_ISN, SOCKET_CLOSE_WAIT, 0));
	e.from = from;
	take(t, e);
	e.kind = SOCKET_RESET_SENT;
	e.from = e.to = 0;
	e.flags = SOCKET_UNACCEPTED;
	take(t, e);
	return find(t, handshake()).side[0]->close.flags;
}

/* A reset behind the change to CLOSE names the listener's process, unless a segment or a call may have done it. */
TEST(test_unaccepted)
{
	expect_int(flags_after_reset(SOCKET_ESTABLISHED, 0), SOCKET_PROCESS | SOCKET_UNACCEPTED);
	expect_int(flags_after_reset(SOCKET_CLOSE_WAIT, 0), SOCKET_PROCESS | SOCKET_UNACCEPTED);
	expect_int(flags_after_reset(SOCKET_SYN_RECV, 0), 0);
	expect_int(flags_after_reset(SOCKET_FIN_WAIT2, 0), 0);
	expect_int(flags_after_reset(SOCKET_ESTABLISHED, SOCKET_PROCESS), SOCKET_PROCESS);
}

/* CLOSE from a state behind the own FIN proves that a call was made, not whose: nobody is said to have closed. */
TEST(test_call_was_lost)
{
	TABLE;
	static const uint8_t from[] = {SOCKET_FIN_WAIT1, SOCKET_FIN_WAIT2, SOCKET_CLOSING, SOCKET_LAST_ACK};

	for (unsigned i = 0; i < 4; i++) {
		struct socket_event e = client(HERE, SERVER_ISN + i, SOCKET_CLOSE, 0);
		struct flow f = handshake();

		e.from = from[i];
		take(t, e);
		f.open.isn[1] += i;
		expect_int(find(t, f).side[0]->close.to, 0);
		assert_true(find(t, f).lost[0]);
		t->table.since = f.t_first; /* older than the tracepoints: nothing was lost */
		assert_false(find(t, f).lost[0]);
		t->table.since = 0;
	}
}

/* From a state before it, nobody but the kernel closes without a call. */
TEST(test_kernel_closes)
{
	TABLE;
	struct socket_event e = client(HERE, SERVER_ISN, SOCKET_CLOSE, 0);

	e.from = SOCKET_CLOSE_WAIT;
	take(t, e);
	expect_int(find(t, handshake()).side[0]->close.to, SOCKET_CLOSE);
}

TEST(test_steps_are_bounded)
{
	TABLE;
	for (int i = 0; i < SOCKET_STEPS + 3; i++)
		take(t, client(HERE, SERVER_ISN, SOCKET_CLOSE_WAIT, 0));
	expect_int(find(t, handshake()).side[0]->step_count, SOCKET_STEPS);
}

/* What a record has gives way first; one that was wanted is counted. */
TEST(test_giving_way)
{
	TABLE;
	struct flow f = handshake();
	unsigned n = ROOM, found = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct socket_event e = client(HERE, SERVER_ISN + i, SOCKET_CLOSE, 0);

		e.time += i * SECOND_NS / 10;
		take(t, e);
	}
	expect_int(t->lost[TABLE_SOCKETS], 0);
	f.open.isn[1] = SERVER_ISN + 3;
	assert_non_null(find(t, f).side[0]); /* reported */
	for (uint32_t i = 0; i < 3; i++) {
		struct socket_event e = client(HERE, SERVER_ISN + n + i, SOCKET_CLOSE, 0);

		e.time += WAIT - SECOND_NS / 10; /* too early for anything to be old */
		take(t, e);
		expect_int(t->lost[TABLE_SOCKETS], i);
	}
	for (uint32_t i = 0; i < n + 3; i++) {
		f.open.isn[1] = SERVER_ISN + i;
		found += find(t, f).side[0] != NULL;
	}
	expect_int(found, n);
	assert_non_null(find(t, f).side[0]);
}

/* Giving way is no loss once the connection can no longer be reported; a socket that is not closed may take long. */
TEST(test_not_missed)
{
	TABLE;
	unsigned n = ROOM;

	take(t, client(HERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	for (uint32_t i = 1; i < 3 * n; i++) {
		struct socket_event e = client(HERE, SERVER_ISN + i, SOCKET_CLOSE, 0);

		e.time += i / (n - 1) * (WAIT + SECOND_NS);
		take(t, e);
	}
	expect_int(t->lost[TABLE_SOCKETS], 0);
	assert_non_null(find(t, handshake()).side[0]);
}

/* What no watched interface has seen gives way uncounted, and gets no place of what one has. */
TEST(test_unseen)
{
	TABLE;
	struct flow f = handshake();

	for (uint32_t i = 0; i < 1000; i++) {
		struct socket_event e = client(HERE, i, i % 2 ? SOCKET_CLOSE : SOCKET_FIN_WAIT1, 0);

		e.id.local_port = UNSEEN_PORT;
		take(t, e);
	}
	for (uint32_t i = 0; i < ROOM; i++)
		take(t, client(HERE, SERVER_ISN + i, SOCKET_CLOSE, 0));
	for (uint32_t i = 0; i < 1000; i++) {
		struct socket_event e = client(HERE, i, SOCKET_FIN_WAIT1, 0);

		e.id.local_port = UNSEEN_PORT;
		take(t, e);
	}
	expect_int(t->lost[TABLE_SOCKETS], 0);
	for (uint32_t i = 0; i < ROOM; i++) {
		f.open.isn[1] = SERVER_ISN + i;
		assert_non_null(find(t, f).side[0]);
	}
}

/* A place that is being written is read by nobody and taken by nobody. */
TEST(test_busy)
{
	TABLE;

	take(t, client(HERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	for (unsigned i = 0; i < ROOM; i++)
		t->table.sockets[i].place.word |= SOCKET_BUSY | SOCKET_USED;
	assert_null(find(t, handshake()).side[0]);
	take(t, client(HERE, SERVER_ISN + 1, SOCKET_CLOSE, 0));
	expect_int(t->lost[TABLE_SOCKETS], 1);
}

/* A place is found by its socket's address alone, and an entry that holds another address is none. */
TEST(test_place_of_address)
{
	const uint64_t address = 0xffff888012345640, next = address + 0x40;
	uint64_t entry = socket_place_by_address(address, SOCKET_PLACES_MAX - 1);

	expect_int(socket_place_of_address(entry, address), SOCKET_PLACES_MAX - 1);
	assert_true(socket_place_of_address(entry, next) >= SOCKET_PLACES_MAX);
	assert_true(socket_place_of_address(0, address) >= SOCKET_PLACES_MAX);
	assert_true(socket_place_index(address) < SOCKET_ADDRESSES);
	assert_true(socket_place_index(address) != socket_place_index(next));
}

/* The ends of a connection have neighbouring sets, and tags of their own. */
TEST(test_sets_side_by_side)
{
	const struct flow_hash_key hash_key = flow_hash_key_of(4711);
	struct socket_event ends[2] = {event(0, HERE, 0, 0), event(1, HERE, 0, 0)};
	uint32_t hash[2];

	for (unsigned i = 0; i < 2; i++) {
		struct socket_hash h = socket_hash_of(&ends[i].id, &hash_key);

		hash[i] = socket_hash(&h);
	}
	expect_int((hash[0] ^ hash[1]) & SOCKET_TURNS, 1);
	assert_true((hash[0] ^ hash[1]) & ~SOCKET_TURNS);
}

static struct socket_answer answer_of(uint32_t number, bool by_ack, uint16_t reason)
{
	struct socket_event e = event(1, 0, 0, 15 * SECOND_NS);

	return (struct socket_answer){.id = e.id, .time = e.time, .number = number, .reason = reason, .by_ack = by_ack};
}

/* An answer is found by the numbers of the RST, and takes no socket's place. */
TEST(test_answer)
{
	TABLE;
	struct flow f = handshake();

	take(t, client(HERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	for (unsigned i = 0; i < 40; i++)
		take_answer(t, answer_of(i, false, 1));
	assert_non_null(find(t, f).side[0]);
	assert_true(t->lost[TABLE_ANSWERS] > 0);
	take_answer(t, answer_of(4711, false, 7));
	f.state = FLOW_RESET;
	f.reset = (struct flow_reset){.time = 15 * SECOND_NS, .seq = 4711, .side = 1};
	expect_int(find(t, f).reason, 7);
	f.reset.seq++;
	expect_int(find(t, f).reason, 0);
	f.reset.seq--;
	f.reset.time += SECOND_NS;
	expect_int(find(t, f).reason, 0);
	f.reset.time -= SECOND_NS;
	f.reset.side = 0;
	expect_int(find(t, f).reason, 0);
}

TEST(test_answer_to_syn)
{
	TABLE;
	struct flow f = handshake();

	take_answer(t, answer_of(CLIENT_ISN + 1, true, 7));
	f.open.seen = OPEN_SYN;
	f.reset = (struct flow_reset){.time = 15 * SECOND_NS, .ack = CLIENT_ISN + 1, .side = 1};
	expect_int(find(t, f).reason, 7);
	f.reset.ack++;
	expect_int(find(t, f).reason, 0);
}

/* A socket's reason explains only an RST from its own side. */
TEST(test_own_reset)
{
	TABLE;
	struct socket_event e = client(HERE, SERVER_ISN, 0, 0);
	struct flow f = handshake();

	e.kind = SOCKET_RESET_SENT;
	e.reason = 7;
	take(t, e);
	expect_int(find(t, f).reason, 0);
	f.state = FLOW_RESET;
	f.reset = (struct flow_reset){.time = 16 * SECOND_NS, .side = 0};
	expect_int(find(t, f).reason, 7);
	f.reset.side = 1;
	expect_int(find(t, f).reason, 0);
}

/* ---- silence ---- */

#define JIFFY (4 * MS_NS)
#define OF_SILENCE 2000 /* jiffies: eight seconds */
#define SENT_END 5000

/* The client's socket meets its end OF_SILENCE after it sent, and a second later after it received. */
static struct socket_event silent_client(uint8_t to, uint32_t flags)
{
	struct socket_event e = client(HERE, SERVER_ISN, to, flags);

	e.sent_ago = OF_SILENCE;
	e.received_ago = OF_SILENCE - 250;
	e.sent_end = SENT_END;
	return e;
}

static struct flow closed_by(unsigned side)
{
	struct flow f = handshake();

	f.state = FLOW_PROVEN | FLOW_BEGUN;
	f.side[side].seen = SIDE_FIN;
	f.side[side].t_fin = 15 * SECOND_NS;
	return f;
}

static struct flow reset_by(unsigned side)
{
	struct flow f = handshake();

	f.state = FLOW_PROVEN | FLOW_BEGUN | FLOW_RESET;
	f.reset = (struct flow_reset){.time = 15 * SECOND_NS, .side = (uint8_t)side};
	return f;
}

static struct silence silence_of(struct socket_tables *t, struct socket_event e, struct flow f)
{
	struct socket_join sockets;

	t->table.jiffy = JIFFY;
	take(t, e);
	sockets = find(t, f);
	return silence_before_close(&f, NULL, NULL, &sockets);
}

static void expect_silence(struct silence s, int64_t ns, bool at_most)
{
	expect_int(s.ns, ns);
	expect_int(s.at_most, at_most);
}

/* It is counted from the last payload of either side. */
TEST(test_silence)
{
	for (unsigned side = 0; side < 2; side++) {
		TABLE;

		expect_silence(silence_of(t, silent_client(SOCKET_FIN_WAIT1, 0), closed_by(side)),
			       (OF_SILENCE - 250) * JIFFY, false);
	}
}

/* Payload that only a RST answers ends it, and hides what its sender sent before. */
TEST(test_silence_before_reset)
{
	TABLE;
	struct socket_event e = silent_client(SOCKET_CLOSE, SOCKET_SENT_UNACKED);

	e.sent_ago = 1;
	expect_silence(silence_of(t, e, reset_by(1)), (OF_SILENCE - 250 - 1) * JIFFY, true);
}

/* Payload that was on its way when the FIN was sent, and was acknowledged later, ends none. */
TEST(test_silence_before_late_acknowledgment)
{
	for (unsigned acked = 0; acked < 2; acked++) {
		TABLE;
		struct socket_event e = silent_client(SOCKET_FIN_WAIT1, SOCKET_SENT_UNACKED);
		struct flow f = closed_by(0);

		e.sent_ago = 10;
		f.side[1].now = (struct numbers){.ack = SENT_END - !acked, .known = NUMBERS_ACK};
		expect_silence(silence_of(t, e, f), acked ? 10 * JIFFY : (OF_SILENCE - 250 - 10) * JIFFY, !acked);
	}
}

/* The payload of the first FIN is what the kernel saw last, and hides what came before. */
TEST(test_silence_before_fin_with_data)
{
	TABLE;
	struct socket_event e = silent_client(SOCKET_CLOSE_WAIT, 0);
	struct flow f = closed_by(1);

	e.received_ago = 0;
	f.side[1].seen |= SIDE_FIN_DATA;
	expect_silence(silence_of(t, e, f), OF_SILENCE * JIFFY, true);
}

/* What close() left to be sent passes behind it. */
TEST(test_silence_before_unsent)
{
	TABLE;
	struct socket_event e = silent_client(SOCKET_FIN_WAIT1, SOCKET_PROCESS);

	e.unsent = 1;
	expect_silence(silence_of(t, e, closed_by(0)), (OF_SILENCE - 250) * JIFFY, true);
}

/* A socket whose first events are lost says nothing, and the other end's does. */
TEST(test_silence_of_the_other_end)
{
	TABLE;
	struct socket_event e = event(1, HERE, CLIENT_ISN, 15 * SECOND_NS + MS_NS);

	take(t, client(HERE, SERVER_ISN, SOCKET_FIN_WAIT2, 0));
	t->table.sockets[0].lost = true;
	e.to = SOCKET_CLOSE_WAIT;
	e.sent_ago = 500;
	e.received_ago = SOCKET_NO_PAYLOAD;
	expect_silence(silence_of(t, e, closed_by(0)), 500 * JIFFY - MS_NS, false);
}

/* Without payload there is none, nor where the socket had begun its close before the first event that is known. */
TEST(test_silence_unknown)
{
	TABLE;
	struct socket_event e = silent_client(SOCKET_FIN_WAIT1, 0);
	struct flow f = closed_by(0);
	const struct socket_join none = {0};

	e.sent_ago = e.received_ago = SOCKET_NO_PAYLOAD;
	expect_silence(silence_of(t, e, f), NUMBER_UNSEEN, false);
	expect_silence(silence_before_close(&f, NULL, NULL, &none), NUMBER_UNSEEN, false);
}

/* ---- what the path swallows ---- */

static struct socket_event awaiting(uint8_t to, uint32_t number, uint32_t copies)
{
	struct socket_event e = client(HERE, SERVER_ISN, to, 0);

	e.from = to == SOCKET_CLOSE_WAIT ? SOCKET_ESTABLISHED : SOCKET_CLOSE_WAIT;
	e.awaited = 1400;
	e.awaited_seq = number;
	e.awaited_copies = copies;
	return e;
}

/* Is a segment swallowed that was sent again so often before the other end's FIN, and so often in all? */
static bool is_swallowed(uint32_t before, uint32_t copies, uint32_t number)
{
	TABLE;
	struct closing_socket *s = &t->table.sockets[0];

	take(t, awaiting(SOCKET_CLOSE_WAIT, 5000, before));
	take(t, awaiting(SOCKET_CLOSE, number, copies));
	assert_true(!s->swallowed || (s->awaited == 1400 && s->awaited_copies == copies));
	return s->swallowed;
}

TEST(test_swallowed)
{
	assert_true(is_swallowed(1, 3, 5000));
	assert_true(is_swallowed(4, 9, 5000));
	assert_false(is_swallowed(0, 9, 5000)); /* nobody was heard between the copies */
	assert_false(is_swallowed(2, 3, 5000)); /* one more may have been lost with the FIN */
	assert_false(is_swallowed(2, 9, 6000)); /* that one came through */
	assert_false(is_swallowed(2, 0, 5000)); /* so did all */
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
