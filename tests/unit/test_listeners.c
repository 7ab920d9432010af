// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which listener a SYN is for, and what is said of it; whose answer belongs to which attempt to connect.
 */
#include "tests/unit/assert.h"

#include <arpa/inet.h>

#include "user/base/address.h"
#include "user/base/clock.h"
#include "user/sockets/listeners.h"

#define NOW (100 * SECOND_NS)

static struct ip_address address(const char *text)
{
	uint8_t ip[16] = {0};
	int family = strchr(text, ':') ? 6 : 4;

	expect_int(inet_pton(family == 6 ? AF_INET6 : AF_INET, text, ip), 1);
	return address_from_bytes(ip, family);
}

static struct tcp_socket on(const char *text, uint16_t port, uint32_t queue, uint32_t backlog)
{
	struct tcp_socket s = {.family = strchr(text, ':') ? 6 : 4, .unread = queue, .unacked = backlog};
	struct ip_address a = address(text);

	address_to_bytes(s.local.ip, &a, s.family);
	s.local.port = port;
	s.uid = 33;
	s.inode = 7;
	return s;
}

/* This host has 10.0.0.1 and fd00::1. */
static struct listener find(struct tcp_socket *list, size_t count, const char *to, uint16_t port)
{
	struct local_address local[] = {{address("10.0.0.1"), 4}, {address("fd00::1"), 6}};
	const struct listeners l = {
		.list = {.list = list, .count = count}, .local = local, .local_count = 2, .time = NOW};
	const struct listener_query q = {
		.addr = address(to),
		.port = port,
		.family = strchr(to, ':') ? 6 : 4,
		.ifindex = 2,
	};

	return listeners_find(&l, &q);
}

static void expect_state(struct tcp_socket listener, const char *to, uint16_t port, enum listener_state state)
{
	expect_int(find(&listener, 1, to, port).state, state);
}

/* The queue is full when it holds more than the backlog, and never before. */
TEST(test_full)
{
	struct tcp_socket s = on("10.0.0.1", 80, 129, 128);
	struct listener found = find(&s, 1, "10.0.0.1", 80);

	expect_int(found.state, LISTENER_FULL);
	expect_int(found.time, NOW);
	expect_int(found.queue, 129);
	expect_int(found.backlog, 128);
	expect_int(found.uid, 33);
	expect_int(found.inode, 7);
	expect_state(on("10.0.0.1", 80, 128, 128), "10.0.0.1", 80, LISTENER_READY);
	expect_state(on("10.0.0.1", 80, 0, 0), "10.0.0.1", 80, LISTENER_READY);
	expect_state(on("10.0.0.1", 80, 1, 0), "10.0.0.1", 80, LISTENER_FULL);
}

TEST(test_addresses)
{
	struct tcp_socket both = on("::", 80, 0, 1), one = on("::", 80, 0, 1), bound = on("0.0.0.0", 80, 0, 1);

	one.v6only = true;
	expect_state(both, "10.0.0.1", 80, LISTENER_READY);
	expect_state(both, "fd00::1", 80, LISTENER_READY);
	expect_state(one, "10.0.0.1", 80, LISTENER_NONE);
	expect_state(one, "fd00::1", 80, LISTENER_READY);
	expect_state(on("0.0.0.0", 80, 0, 1), "fd00::1", 80, LISTENER_NONE);
	expect_state(on("0.0.0.0", 80, 0, 1), "10.0.0.1", 81, LISTENER_NONE);
	expect_state(on("10.0.0.2", 80, 0, 1), "10.0.0.1", 80, LISTENER_NONE);
	expect_state(on("0.0.0.0", 80, 0, 1), "127.3.2.1", 80, LISTENER_READY);
	bound.device = 3;
	expect_state(bound, "10.0.0.1", 80, LISTENER_NONE);
	bound.device = 2;
	expect_state(bound, "10.0.0.1", 80, LISTENER_READY);
}

/* A host that routes says nothing of others' ports, whoever listens here. */
TEST(test_elsewhere)
{
	expect_state(on("0.0.0.0", 80, 9, 1), "10.0.0.9", 80, LISTENER_UNKNOWN);
	expect_state(on("::", 80, 9, 1), "fd00::9", 80, LISTENER_UNKNOWN);
}

/* The kernel prefers the listener whose address is the more exact one. */
TEST(test_most_exact)
{
	struct tcp_socket list[] = {on("::", 80, 9, 1), on("10.0.0.1", 80, 0, 2), on("0.0.0.0", 80, 9, 3)};

	expect_int(find(list, 3, "10.0.0.1", 80).backlog, 2);
	list[1].local.port = 81;
	expect_int(find(list, 3, "10.0.0.1", 80).backlog, 3);
	list[2].local.port = 81;
	expect_int(find(list, 3, "10.0.0.1", 80).backlog, 1);
}

/* Of several that share an end the kernel takes any. */
TEST(test_shared)
{
	struct tcp_socket list[] = {on("0.0.0.0", 80, 9, 1), on("0.0.0.0", 80, 9, 1)};

	expect_int(find(list, 2, "10.0.0.1", 80).state, LISTENER_FULL);
	list[0].unread = 0;
	expect_int(find(list, 2, "10.0.0.1", 80).state, LISTENER_UNKNOWN);
	list[1].unread = 0;
	expect_int(find(list, 2, "10.0.0.1", 80).state, LISTENER_READY);
}

/* The kernel is asked again only after a second. */
TEST(test_refresh)
{
	struct listeners l = {0};

	listeners_refresh(&l, NOW);
	expect_int(l.time, NOW);
	listeners_refresh(&l, NOW + SECOND_NS - 1);
	expect_int(l.time, NOW);
	listeners_refresh(&l, NOW + SECOND_NS);
	expect_int(l.time, NOW + SECOND_NS);
	listeners_free(&l);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
