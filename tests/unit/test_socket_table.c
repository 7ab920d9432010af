// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The join of sockets and packets: which number, which namespace, which socket is evicted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "user/base/clock.h"
#include "user/judge/verdict.h"
#include "user/sockets/socket_table.h"

#define HERE 4026531840U
#define ELSEWHERE 4026532000U
#define CLIENT_ISN 1000
#define SERVER_ISN 2000

/* Side 0 is 10.0.0.1:40000, the client's; side 1 is 10.0.0.2:80. */
static const struct flow_key key = {
	.addr = {{0, 0x0a000001}, {0, 0x0a000002}},
	.port = {40000, 80},
	.family = 4,
};

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

	memcpy(e.id.local, &addresses[side], 4);
	memcpy(e.id.remote, &addresses[!side], 4);
	e.id.local_port = key.port[side];
	e.id.remote_port = key.port[!side];
	e.id.family = 4;
	return e;
}

/* The client's socket of the connection whose server has that ISN. */
static struct socket_event client(uint32_t netns, uint32_t server_isn, uint8_t to, uint8_t flags)
{
	struct socket_event e = event(0, netns, server_isn, 15 * SECOND_NS);

	e.to = to;
	e.flags = flags;
	return e;
}

static void take(struct socket_table *t, struct socket_event e)
{
	socket_table_take(t, &e, NULL);
}

static struct socket_join find(struct socket_table *t, struct flow f)
{
	struct socket_query query = socket_query_of(&key, &f);

	return socket_table_find(t, &query);
}

static int make_table(void **state)
{
	*state = socket_table_new(HERE, SECOND_NS, 4, 4);
	return !*state;
}

static int free_table(void **state)
{
	socket_table_free(*state);
	return 0;
}

static void test_number(void **state)
{
	take(*state, client(HERE, SERVER_ISN + 1, SOCKET_FIN_WAIT1, 0));
	assert_null(find(*state, handshake()).side[0]);
	take(*state, client(HERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	assert_int_equal(find(*state, handshake()).side[0]->isn, SERVER_ISN);
	assert_null(find(*state, handshake()).side[1]);
}

/* The ISN finds the socket in any namespace, unless sockets of two namespaces have it. */
static void test_number_elsewhere(void **state)
{
	take(*state, client(ELSEWHERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	assert_int_equal(find(*state, handshake()).side[0]->netns, ELSEWHERE);
	take(*state, client(HERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	assert_null(find(*state, handshake()).side[0]);
}

static void test_midstream(void **state)
{
	struct flow f = handshake();

	f.open.seen = 0;
	take(*state, client(ELSEWHERE, 1, SOCKET_FIN_WAIT1, 0));
	assert_null(find(*state, f).side[0]);
	take(*state, client(HERE, 2, SOCKET_FIN_WAIT1, 0));
	assert_int_equal(find(*state, f).side[0]->isn, 2);
	take(*state, client(HERE, 3, SOCKET_FIN_WAIT1, 0)); /* the tuple was used twice: which one? */
	assert_null(find(*state, f).side[0]);
}

static void test_midstream_time(void **state)
{
	struct flow f = handshake();

	f.open.seen = 0;
	take(*state, event(0, HERE, 1, 5 * SECOND_NS));
	assert_null(find(*state, f).side[0]);
	take(*state, event(1, HERE, 1, 25 * SECOND_NS));
	assert_null(find(*state, f).side[1]);
}

/* Without a SYN-ACK, only the client's own ISN is known. */
static void test_own_number(void **state)
{
	struct flow f = handshake();

	f.open.seen = OPEN_SYN;
	take(*state, client(HERE, SERVER_ISN, SOCKET_CLOSE, 0));
	assert_null(find(*state, f).side[0]);
	take(*state, client(HERE, CLIENT_ISN, SOCKET_CLOSE, SOCKET_OWN_ISN));
	assert_int_equal(find(*state, f).side[0]->isn, CLIENT_ISN);
}

/* The first call by a process closes the socket, whatever comes before and after; without a call, the kernel does. */
static void test_who_closed(void **state)
{
	const struct closing_socket *s;

	take(*state, client(HERE, SERVER_ISN, SOCKET_CLOSE_WAIT, 0));
	s = find(*state, handshake()).side[0];
	assert_int_equal(s->close.to, 0);
	take(*state, client(HERE, SERVER_ISN, SOCKET_LAST_ACK, SOCKET_PROCESS));
	take(*state, client(HERE, SERVER_ISN, SOCKET_CLOSE, 0));
	assert_int_equal(s->close.to, SOCKET_LAST_ACK);
	assert_int_equal(s->step_count, 3);
	assert_int_equal(s->states[2], SOCKET_CLOSE);
}

static void test_steps_are_bounded(void **state)
{
	for (int i = 0; i < SOCKET_STEPS + 3; i++)
		take(*state, client(HERE, SERVER_ISN, SOCKET_CLOSE_WAIT, 0));
	assert_int_equal(find(*state, handshake()).side[0]->step_count, SOCKET_STEPS);
}

static void test_oldest_out(void **state)
{
	take(*state, client(HERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	for (uint32_t i = 1; i < 4; i++)
		take(*state, client(HERE, SERVER_ISN + i, SOCKET_FIN_WAIT1, 0));
	assert_non_null(find(*state, handshake()).side[0]);
	assert_int_equal(socket_table_evicted(*state), 0);
	for (uint32_t i = 4; i < 100; i++) {
		take(*state, client(HERE, SERVER_ISN + i, SOCKET_FIN_WAIT1, 0));
		assert_null(find(*state, handshake()).side[0]);
		assert_int_equal(socket_table_evicted(*state), i - 4); /* the first one had been joined */
	}
	take(*state, client(HERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	assert_non_null(find(*state, handshake()).side[0]);
}

/* Evicting a socket is no loss once its connection can no longer be reported. */
static void test_not_missed(void **state)
{
	struct socket_event late = event(0, HERE, SERVER_ISN + 9, 16 * SECOND_NS - 1);

	for (uint32_t i = 0; i < 3; i++)
		take(*state, client(HERE, SERVER_ISN + i, SOCKET_CLOSE, 0));
	take(*state, client(HERE, SERVER_ISN + 3, SOCKET_CLOSE_WAIT, 0)); /* not closed: it may take long */
	take(*state, late);
	assert_int_equal(socket_table_evicted(*state), 1);
	late.time++;
	for (uint32_t i = 0; i < 2; i++) {
		late.isn++;
		take(*state, late);
	}
	assert_int_equal(socket_table_evicted(*state), 1);
	late.isn++;
	take(*state, late);
	assert_int_equal(socket_table_evicted(*state), 2);
}

/* An answer is found by the numbers of the RST, and does not evict a closing socket. */
static void test_answer(void **state)
{
	struct socket_event answer = event(1, 0, 0, 15 * SECOND_NS);
	struct flow f = handshake();

	take(*state, client(HERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	answer.kind = SOCKET_RESET_ANSWER;
	answer.number = 4711;
	for (int i = 0; i<9; i++, answer.id.remote_port += i> 1)
		socket_table_take(*state, &answer, "NO_SOCKET");
	assert_non_null(find(*state, f).side[0]);
	answer.id.remote_port = 40000;
	socket_table_take(*state, &answer, "TCP_ABORT_ON_DATA");
	f.state = FLOW_RESET;
	f.reset = (struct flow_reset){.time = 15 * SECOND_NS, .seq = 4711, .side = 1};
	assert_string_equal(find(*state, f).reset_reason, "TCP_ABORT_ON_DATA");
	f.reset.seq++;
	assert_null(find(*state, f).reset_reason);
	f.reset.seq--;
	f.reset.time += SECOND_NS;
	assert_null(find(*state, f).reset_reason);
	f.reset.time -= SECOND_NS;
	f.reset.side = 0;
	assert_null(find(*state, f).reset_reason);
}

static void test_answer_to_syn(void **state)
{
	struct socket_event answer = event(1, 0, 0, 15 * SECOND_NS);
	struct flow f = handshake();

	answer.kind = SOCKET_RESET_ANSWER;
	answer.flags = SOCKET_BY_ACK;
	answer.number = CLIENT_ISN + 1;
	socket_table_take(*state, &answer, "NO_SOCKET");
	f.open.seen = OPEN_SYN;
	f.reset = (struct flow_reset){.time = 15 * SECOND_NS, .ack = CLIENT_ISN + 1, .side = 1};
	assert_string_equal(find(*state, f).reset_reason, "NO_SOCKET");
	f.reset.ack++;
	assert_null(find(*state, f).reset_reason);
}

/* A socket's reason explains only a RST from its own side. */
static void test_own_reset(void **state)
{
	struct socket_event e = client(HERE, SERVER_ISN, 0, 0);
	struct flow f = handshake();

	e.kind = SOCKET_RESET_SENT;
	socket_table_take(*state, &e, "TCP_STATE");
	assert_null(find(*state, f).reset_reason);
	f.state = FLOW_RESET;
	f.reset = (struct flow_reset){.time = 16 * SECOND_NS, .side = 0};
	assert_string_equal(find(*state, f).reset_reason, "TCP_STATE");
	f.reset.side = 1;
	assert_null(find(*state, f).reset_reason);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_table, free_table)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_number),
		TEST(test_number_elsewhere),
		TEST(test_midstream),
		TEST(test_midstream_time),
		TEST(test_own_number),
		TEST(test_who_closed),
		TEST(test_steps_are_bounded),
		TEST(test_oldest_out),
		TEST(test_not_missed),
		TEST(test_answer),
		TEST(test_answer_to_syn),
		TEST(test_own_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
