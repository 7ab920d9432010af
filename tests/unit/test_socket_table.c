// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The join of sockets and packets: which number, which namespace, which socket is evicted.
 */
#include "tests/unit/assert.h"

#include <arpa/inet.h>

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

static struct socket_table *make_table(void)
{
	struct socket_table *t = socket_table_new(HERE, SECOND_NS, 4, 4);

	assert_non_null(t);
	return t;
}

static void free_table(struct socket_table **t)
{
	socket_table_free(*t);
}

/* A table that lives as long as the test's block. */
#define TABLE __attribute__((cleanup(free_table))) struct socket_table *table = make_table()

TEST(test_number)
{
	TABLE;

	take(table, client(HERE, SERVER_ISN + 1, SOCKET_FIN_WAIT1, 0));
	assert_null(find(table, handshake()).side[0]);
	take(table, client(HERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	expect_int(find(table, handshake()).side[0]->isn, SERVER_ISN);
	assert_null(find(table, handshake()).side[1]);
}

/* The ISN finds the socket in any namespace, unless sockets of two namespaces have it. */
TEST(test_number_elsewhere)
{
	TABLE;

	take(table, client(ELSEWHERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	expect_int(find(table, handshake()).side[0]->netns, ELSEWHERE);
	take(table, client(HERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	assert_null(find(table, handshake()).side[0]);
}

TEST(test_midstream)
{
	TABLE;
	struct flow f = handshake();

	f.open.seen = 0;
	take(table, client(ELSEWHERE, 1, SOCKET_FIN_WAIT1, 0));
	assert_null(find(table, f).side[0]);
	take(table, client(HERE, 2, SOCKET_FIN_WAIT1, 0));
	expect_int(find(table, f).side[0]->isn, 2);
	take(table, client(HERE, 3, SOCKET_FIN_WAIT1, 0)); /* the tuple was used twice: which one? */
	assert_null(find(table, f).side[0]);
}

TEST(test_midstream_time)
{
	TABLE;
	struct flow f = handshake();

	f.open.seen = 0;
	take(table, event(0, HERE, 1, 5 * SECOND_NS));
	assert_null(find(table, f).side[0]);
	take(table, event(1, HERE, 1, 25 * SECOND_NS));
	assert_null(find(table, f).side[1]);
}

/* Without a SYN-ACK, only the client's own ISN is known. */
TEST(test_own_number)
{
	TABLE;
	struct flow f = handshake();

	f.open.seen = OPEN_SYN;
	take(table, client(HERE, SERVER_ISN, SOCKET_CLOSE, 0));
	assert_null(find(table, f).side[0]);
	take(table, client(HERE, CLIENT_ISN, SOCKET_CLOSE, SOCKET_OWN_ISN));
	expect_int(find(table, f).side[0]->isn, CLIENT_ISN);
}

/* The first call by a process closes the socket, whatever comes before and after; without a call, the kernel does. */
TEST(test_who_closed)
{
	TABLE;
	const struct closing_socket *s;

	take(table, client(HERE, SERVER_ISN, SOCKET_CLOSE_WAIT, 0));
	s = find(table, handshake()).side[0];
	expect_int(s->close.to, 0);
	take(table, client(HERE, SERVER_ISN, SOCKET_LAST_ACK, SOCKET_PROCESS));
	take(table, client(HERE, SERVER_ISN, SOCKET_CLOSE, 0));
	expect_int(s->close.to, SOCKET_LAST_ACK);
	expect_int(s->step_count, 3);
	expect_int(s->states[2], SOCKET_CLOSE);
}

TEST(test_steps_are_bounded)
{
	TABLE;

	for (int i = 0; i < SOCKET_STEPS + 3; i++)
		take(table, client(HERE, SERVER_ISN, SOCKET_CLOSE_WAIT, 0));
	expect_int(find(table, handshake()).side[0]->step_count, SOCKET_STEPS);
}

TEST(test_oldest_out)
{
	TABLE;

	take(table, client(HERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	for (uint32_t i = 1; i < 4; i++)
		take(table, client(HERE, SERVER_ISN + i, SOCKET_FIN_WAIT1, 0));
	assert_non_null(find(table, handshake()).side[0]);
	expect_int(socket_table_evicted(table), 0);
	for (uint32_t i = 4; i < 100; i++) {
		take(table, client(HERE, SERVER_ISN + i, SOCKET_FIN_WAIT1, 0));
		assert_null(find(table, handshake()).side[0]);
		expect_int(socket_table_evicted(table), i - 4); /* the first one had been joined */
	}
	take(table, client(HERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	assert_non_null(find(table, handshake()).side[0]);
}

/* Evicting a socket is no loss once its connection can no longer be reported. */
TEST(test_not_missed)
{
	TABLE;
	struct socket_event late = event(0, HERE, SERVER_ISN + 9, 16 * SECOND_NS - 1);

	for (uint32_t i = 0; i < 3; i++)
		take(table, client(HERE, SERVER_ISN + i, SOCKET_CLOSE, 0));
	take(table, client(HERE, SERVER_ISN + 3, SOCKET_CLOSE_WAIT, 0)); /* not closed: it may take long */
	take(table, late);
	expect_int(socket_table_evicted(table), 1);
	late.time++;
	for (uint32_t i = 0; i < 2; i++) {
		late.isn++;
		take(table, late);
	}
	expect_int(socket_table_evicted(table), 1);
	late.isn++;
	take(table, late);
	expect_int(socket_table_evicted(table), 2);
}

/* An answer is found by the numbers of the RST, and does not evict a closing socket. */
TEST(test_answer)
{
	TABLE;
	struct socket_event answer = event(1, 0, 0, 15 * SECOND_NS);
	struct flow f = handshake();

	take(table, client(HERE, SERVER_ISN, SOCKET_FIN_WAIT1, 0));
	answer.kind = SOCKET_RESET_ANSWER;
	answer.number = 4711;
	for (int i = 0; i<9; i++, answer.id.remote_port += i> 1)
		socket_table_take(table, &answer, "NO_SOCKET");
	assert_non_null(find(table, f).side[0]);
	answer.id.remote_port = 40000;
	socket_table_take(table, &answer, "TCP_ABORT_ON_DATA");
	f.state = FLOW_RESET;
	f.reset = (struct flow_reset){.time = 15 * SECOND_NS, .seq = 4711, .side = 1};
	assert_string_equal(find(table, f).reset_reason, "TCP_ABORT_ON_DATA");
	f.reset.seq++;
	assert_null(find(table, f).reset_reason);
	f.reset.seq--;
	f.reset.time += SECOND_NS;
	assert_null(find(table, f).reset_reason);
	f.reset.time -= SECOND_NS;
	f.reset.side = 0;
	assert_null(find(table, f).reset_reason);
}

TEST(test_answer_to_syn)
{
	TABLE;
	struct socket_event answer = event(1, 0, 0, 15 * SECOND_NS);
	struct flow f = handshake();

	answer.kind = SOCKET_RESET_ANSWER;
	answer.flags = SOCKET_BY_ACK;
	answer.number = CLIENT_ISN + 1;
	socket_table_take(table, &answer, "NO_SOCKET");
	f.open.seen = OPEN_SYN;
	f.reset = (struct flow_reset){.time = 15 * SECOND_NS, .ack = CLIENT_ISN + 1, .side = 1};
	assert_string_equal(find(table, f).reset_reason, "NO_SOCKET");
	f.reset.ack++;
	assert_null(find(table, f).reset_reason);
}

/* A socket's reason explains only a RST from its own side. */
TEST(test_own_reset)
{
	TABLE;
	struct socket_event e = client(HERE, SERVER_ISN, 0, 0);
	struct flow f = handshake();

	e.kind = SOCKET_RESET_SENT;
	socket_table_take(table, &e, "TCP_STATE");
	assert_null(find(table, f).reset_reason);
	f.state = FLOW_RESET;
	f.reset = (struct flow_reset){.time = 16 * SECOND_NS, .side = 0};
	assert_string_equal(find(table, f).reset_reason, "TCP_STATE");
	f.reset.side = 1;
	assert_null(find(table, f).reset_reason);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
