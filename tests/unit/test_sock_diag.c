// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel's list of sockets, from answers made here: parsing, holders, groups, ages, and the output of states that a
 * live kernel does not show on request.
 */

#include "tests/unit/assert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/sockets/open_at_start.h"
#include "user/host/stuck.h"
#include "user/host/time_wait.h"

#define MANY 100000

/* ---- answers of the kernel ---- */

static const struct host_style wide; /* lines without end */

static char answer[4096];
static size_t answer_len;

static void *answer_add(uint16_t type, const void *body, size_t len)
{
	struct nlmsghdr *head = (void *)(answer + answer_len);

	*head = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(len), .nlmsg_type = type, .nlmsg_flags = NLM_F_MULTI};
	if (len)
		memcpy(NLMSG_DATA(head), body, len);
	answer_len += NLMSG_ALIGN(head->nlmsg_len);
	return NLMSG_DATA(head);
}

static struct inet_diag_msg message(int family, const char *local, uint16_t port, const char *peer, uint16_t peer_port)
{
	struct inet_diag_msg m = {
		.idiag_family = family,
		.idiag_state = TCP_CLOSE_WAIT,
		.id.idiag_sport = htons(port),
		.id.idiag_dport = htons(peer_port),
	};

	expect_int(inet_pton(family, local, m.id.idiag_src), 1);
	expect_int(inet_pton(family, peer, m.id.idiag_dst), 1);
	return m;
}

static struct tcp_sockets sockets;

static int parse(void)
{
	size_t len = answer_len;

	answer_len = 0;
	return sock_diag_parse(&sockets, answer, len);
}

static void forget(void)
{
	sock_diag_free(&sockets);
	answer_len = 0;
}

TEST(test_addresses)
{
	static const uint8_t v4[16] = {10, 0, 0, 1}, peer4[16] = {192, 0, 2, 7};
	struct inet_diag_msg m[] = {
		message(AF_INET, "10.0.0.1", 443, "192.0.2.7", 40000),
		message(AF_INET6, "::ffff:10.0.0.1", 443, "::ffff:192.0.2.7", 40000),
		message(AF_INET6, "fd00::1", 443, "fd00::2", 40000),
	};

	memset((char *)m[0].id.idiag_src + 4, 0xee,
	       12); /* the kernel leaves what is behind an IPv4 address as it was */
	for (size_t i = 0; i < COUNT(m); i++)
		answer_add(SOCK_DIAG_BY_FAMILY, &m[i], sizeof(m[i]));
	expect_int(parse(), 0);
	expect_int(sockets.count, 3);
	for (int i = 0; i < 2; i++) {
		expect_int(sockets.list[i].family, 4);
		assert_memory_equal(sockets.list[i].local.ip, v4, 16);
		assert_memory_equal(sockets.list[i].peer.ip, peer4, 16);
		expect_int(sockets.list[i].local.port, 443);
		expect_int(sockets.list[i].peer.port, 40000);
	}
	expect_int(sockets.list[2].family, 6);
	assert_memory_equal(sockets.list[2].local.ip, m[2].id.idiag_src, 16);
	forget();
}

TEST(test_details)
{
	struct {
		struct inet_diag_msg m;
		struct rtattr head;
		struct tcp_info info;
	} __attribute__((packed)) body = {
		.m = message(AF_INET, "10.0.0.1", 443, "10.0.0.2", 40000),
		.head = {.rta_len = RTA_LENGTH(sizeof(body.info)), .rta_type = INET_DIAG_INFO},
		.info = {.tcpi_backoff = 3,
			 .tcpi_rto = 1600000,
			 .tcpi_rtt = 77,
			 .tcpi_last_data_sent = 5,
			 .tcpi_last_ack_recv = 9},
	};

	body.m.idiag_timer = 1;
	body.m.idiag_retrans = 4;
	body.m.idiag_expires = 1200;
	body.m.idiag_inode = 4242;
	body.m.idiag_uid = 33;
	body.m.idiag_rqueue = 11;
	body.m.idiag_wqueue = 12;
	answer_add(SOCK_DIAG_BY_FAMILY, &body, sizeof(body));
	/* An old kernel's: shorter. */
	body.head.rta_len = RTA_LENGTH(offsetof(struct tcp_info, tcpi_last_ack_recv));
	answer_add(SOCK_DIAG_BY_FAMILY, &body, sizeof(body.m) + body.head.rta_len);
	/* One whose length lies. */
	body.head.rta_len = 60000;
	answer_add(SOCK_DIAG_BY_FAMILY, &body, sizeof(body));
	expect_int(parse(), 0);
	expect_int(sockets.count, 3);
	for (int i = 0; i < 3; i++) {
		const struct tcp_socket *s = &sockets.list[i];

		expect_int(s->inode, 4242);
		expect_int(s->uid, 33);
		expect_int(s->unread, 11);
		expect_int(s->unacked, 12);
		expect_int(s->timer, TIMER_RETRANSMIT);
		expect_int(s->retransmits, 4);
		expect_int(s->expires, 1200);
		expect_int(s->detailed, i < 2);
		expect_int(s->rto, i < 2 ? 1600000 : 0);
		expect_int(s->backoff, i < 2 ? 3 : 0);
		expect_int(s->last_ack_received, i == 0 ? 9 : 0);
	}
	forget();
}

TEST(test_ends_of_a_dump)
{
	struct inet_diag_msg m = message(AF_INET, "10.0.0.1", 1, "10.0.0.2", 2);
	int zero = 0, denied = -EPERM;

	answer_add(SOCK_DIAG_BY_FAMILY, &m, sizeof(m));
	answer_add(NLMSG_DONE, &zero, sizeof(zero));
	answer_add(SOCK_DIAG_BY_FAMILY, &m, sizeof(m)); /* behind the end: none of it */
	expect_int(parse(), 1);
	expect_int(sockets.count, 1);
	answer_add(NLMSG_DONE, NULL, 0);
	expect_int(parse(), 1);
	answer_add(NLMSG_DONE, &denied, sizeof(denied));
	expect_int(parse(), -EPERM);
	answer_add(NLMSG_ERROR, &denied, sizeof(denied));
	expect_int(parse(), -EPERM);
	answer_add(NLMSG_ERROR, NULL, 0);
	expect_int(parse(), -EBADMSG);
	answer_add(SOCK_DIAG_BY_FAMILY, &m, sizeof(m) - 1);
	expect_int(parse(), -EBADMSG);
	m.idiag_family = AF_UNIX;
	answer_add(SOCK_DIAG_BY_FAMILY, &m, sizeof(m));
	expect_int(parse(), -EBADMSG);
	expect_int(sockets.count, 1);
	forget();
}

TEST(test_cut_answer)
{
	struct inet_diag_msg m = message(AF_INET, "10.0.0.1", 1, "10.0.0.2", 2);
	size_t len;

	answer_add(SOCK_DIAG_BY_FAMILY, &m, sizeof(m));
	len = answer_len;
	for (size_t i = 0; i < len; i++) {
		char *cut = malloc(i + 1);

		memcpy(cut, answer, i);
		expect_int(sock_diag_parse(&sockets, cut, i), 0);
		free(cut);
	}
	expect_int(sockets.count, 0);
	forget();
}

/* ---- processes ---- */

static char proc[] = "/tmp/tcpfin-test-XXXXXX";

static int make_proc(__attribute__((unused)) void **state)
{
	return mkdtemp(proc) ? 0 : -1;
}

static int remove_proc(__attribute__((unused)) void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", proc);
	return system(command);
}

/* The process's cgroups, as /proc/PID/cgroup has them. */
static void put_into_cgroup(const char *pid, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/cgroup", proc, pid);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* Adds a process with these descriptors. comm: NULL if the process ended before its name was read. */
static void add_process(const char *pid, const char *comm, const char *const *links, unsigned count)
{
	char path[128], link[160];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", proc, pid);
	expect_int(mkdir(path, 0755), 0);
	if (comm) {
		snprintf(path, sizeof(path), "%s/%s/comm", proc, pid);
		file = fopen(path, "w");
		assert_non_null(file);
		fputs(comm, file);
		fclose(file);
	}
	snprintf(path, sizeof(path), "%s/%s/fd", proc, pid);
	if (links)
		expect_int(mkdir(path, 0755), 0);
	for (unsigned i = 0; i < count; i++) {
		snprintf(link, sizeof(link), "%s/%u", path, i);
		expect_int(symlink(links[i], link), 0);
	}
}

/* No test before this one has added a process. */
TEST(test_no_proc)
{
	struct socket_holders p = {0};

	expect_int(socket_holders_search(&p, "/nonexistent"), 0); /* nobody asked */
	expect_int(socket_holders_want(&p, 1), 0);
	expect_int(socket_holders_search(&p, "/nonexistent"), -ENOENT);
	expect_int(socket_holders_search(&p, proc), -ENOENT);
	assert_null(socket_holders_of(&p, 1, NULL));
	socket_holders_free(&p);
}

TEST(test_processes)
{
	static const char *const server[] = {"/dev/null", "socket:[100]", "socket:[101]", "socket:[100]", "pipe:[102]"};
	static const char *const odd[] = {"socket:[", "socket:[x]", "socket:[103", "socket:[99999999999]"};
	static const char *const gone[] = {"socket:[105]"};
	static const uint32_t wanted[] = {105, 100, 0, 102, 103, 100, 104, 101, 106};
	struct socket_holders p = {0};
	unsigned holders;

	add_process("7", "a\033[31m\n\n", server, COUNT(server));
	put_into_cgroup("7", "0::/system.slice/web.service\n");
	add_process("8", "odd\n", odd, COUNT(odd));
	add_process("9", NULL, gone, COUNT(gone));
	add_process("10", "no descriptors\n", NULL, 0);
	add_process("self", "no number\n", gone, COUNT(gone));
	for (size_t i = 0; i < COUNT(wanted); i++)
		expect_int(socket_holders_want(&p, wanted[i]), 0);
	expect_int(socket_holders_search(&p, proc), 0);
	expect_int(p.process_count, 2);
	expect_int(socket_holders_of(&p, 100, &holders)->pid, 7);
	expect_int(holders, 1);
	assert_string_equal(socket_holders_of(&p, 101, NULL)->name, "a\033[31m\n");
	expect_int(socket_holders_of(&p, 105, NULL)->pid, 9);
	assert_string_equal(socket_holders_of(&p, 105, NULL)->name, "");
	assert_string_equal(socket_holders_of(&p, 101, NULL)->identity.unit, "web.service");
	assert_string_equal(socket_holders_of(&p, 105, NULL)->identity.unit, "");
	for (uint32_t inode = 102; inode < 105; inode++)
		assert_null(socket_holders_of(&p, inode, &holders));
	expect_int(holders, 0);
	assert_null(socket_holders_of(&p, 106, NULL));
	assert_null(socket_holders_of(&p, 0, NULL));
	socket_holders_free(&p);
}

/* ---- local ports ---- */

TEST(test_local_ports)
{
	static const struct {
		const char *range, *reserved;
		unsigned usable;
	} good[] = {
		{"32768\t60999\n", "\n", 28232},   {"100 100\n", "", 1},       {"100 199", "150-159,170\n", 89},
		{"100 199", "1-65535", 0},         {"100 199", "150,150", 99}, {"100 199", "90-109,199-210", 89},
		{"100 199", "no list", 100},       {"100 199", "150-", 100},   {"100 199", "159-150", 100},
		{"1 65535", "65535,1-2\n", 65532}, {"100 199", "65536", 100},
	};
	static const char *const bad[] = {"", "x", "100", "200 100", "0 100", "1 65536", "-5 9"};
	struct local_ports p;

	for (size_t i = 0; i < COUNT(good); i++) {
		enter_row("%s but %s", good[i].range, good[i].reserved);
		assert_true(local_ports_parse(&p, good[i].range, good[i].reserved));
		expect_int(p.usable, good[i].usable);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		enter_row("%s", bad[i]);
		assert_false(local_ports_parse(&p, bad[i], ""));
	}
	assert_true(local_ports_parse(&p, "100 199", "150"));
	assert_true(local_ports_usable(&p, 100) && local_ports_usable(&p, 199));
	assert_false(local_ports_usable(&p, 99) || local_ports_usable(&p, 200) || local_ports_usable(&p, 150));
	assert_true(local_ports_inside(&p, 150));
	local_ports_take(&p, 150);
	local_ports_take(&p, 99);
	local_ports_take(&p, 101);
	local_ports_take(&p, 101);
	expect_int(p.usable, 98);
}

/* ---- ages ---- */

TEST(test_ages)
{
	static const struct {
		struct tcp_socket socket;
		int64_t age;
	} cases[] = {
		{{.state = TCP_CLOSE_WAIT, .detailed = true, .last_ack_received = 2500}, 2500 * MS_NS},
		{{.state = TCP_FIN_WAIT2, .detailed = true, .last_ack_received = 4000000000}, 4000000000 * MS_NS},
		{{.state = TCP_FIN_WAIT2, .timer = TIMER_TIME_WAIT, .expires = 45000}, 15 * SECOND_NS},
		{{.state = TCP_FIN_WAIT2, .timer = TIMER_TIME_WAIT, .expires = 60001}, AGE_UNKNOWN}, /* TCP_LINGER2 */
		/* 200 + 400 + 800 ms, and 600 of the fourth 1600 */
		{{.state = TCP_LAST_ACK,
		  .detailed = true,
		  .timer = TIMER_RETRANSMIT,
		  .backoff = 3,
		  .rto = 1600000,
		  .expires = 1000},
		 2000 * MS_NS},
		/* it is not run out yet */
		{{.state = TCP_FIN_WAIT1, .detailed = true, .timer = TIMER_RETRANSMIT, .rto = 200000, .expires = 204},
		 0},
		/* at its limit: what it began with is that of the round-trip time: 0.2 ... 102.4 s, and 20 of 120 s */
		{{.state = TCP_FIN_WAIT1,
		  .detailed = true,
		  .timer = TIMER_RETRANSMIT,
		  .backoff = 10,
		  .rto = 120000000,
		  .expires = 100000},
		 224600 * MS_NS},
		{{.state = TCP_FIN_WAIT1,
		  .detailed = true,
		  .timer = TIMER_RETRANSMIT,
		  .backoff = 255,
		  .rto = 120000000,
		  .expires = 120000},
		 (204600 + 245 * 120000LL) * MS_NS},
		{{.state = TCP_FIN_WAIT1, .detailed = true, .timer = TIMER_PROBE, .last_data_sent = 7000},
		 7 * SECOND_NS},
		{{.state = TCP_CLOSING, .detailed = true}, AGE_UNKNOWN},
		{{.state = TCP_LAST_ACK}, AGE_UNKNOWN},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		enter_row("case %zu", i);
		expect_ns(stuck_age(&cases[i].socket, 60000), cases[i].age);
	}
}

/* ---- stuck ---- */

static void add_socket(struct tcp_sockets *t, const struct tcp_socket *s)
{
	if (t->count == t->room) {
		t->room = t->room ? 2 * t->room : 16;
		t->list = realloc(t->list, t->room * sizeof(*s));
		assert_non_null(t->list);
	}
	t->list[t->count++] = *s;
}

static struct tcp_socket socket_of(uint8_t state, uint8_t host, uint16_t local, uint16_t peer)
{
	return (struct tcp_socket){
		.family = 4,
		.state = state,
		.detailed = true,
		.last_ack_received = 5000,
		.local = {{10, 0, 0, 1}, local},
		.peer = {{10, 0, 0, host}, peer},
	};
}

static const struct filter all = {0};

static char *text_of(struct buffer *b)
{
	buffer_char(b, '\0');
	return b->data;
}

TEST(test_stuck)
{
	static const char *const links[] = {"socket:[300]", "socket:[400]"};
	struct stuck_report r = {.least = 1000 * MS_NS, .snapshot.ports = {.first = 32768, .last = 60999}};
	struct tcp_socket s = socket_of(TCP_CLOSE_WAIT, 2, 80, 50000), listener = socket_of(TCP_LISTEN, 0, 80, 0);
	struct buffer out = {0};

	add_process("31", "web\033\n", links, COUNT(links));
	listener.inode = 300;
	memset(listener.local.ip, 0, 4);
	add_socket(&r.snapshot.listeners, &listener);
	add_socket(&r.snapshot.sockets, &s); /* not accepted: the listener's */
	s.inode = 400;
	s.last_ack_received = 6000;
	s.unread = 8;
	add_socket(&r.snapshot.sockets, &s);
	s.last_ack_received = 999; /* too young */
	add_socket(&r.snapshot.sockets, &s);
	s = socket_of(TCP_ESTABLISHED, 2, 80, 50000); /* not closing */
	add_socket(&r.snapshot.sockets, &s);
	s = socket_of(TCP_LAST_ACK, 3, 40000, 443); /* of unknown age, nobody's */
	s.unacked = 1;
	add_socket(&r.snapshot.sockets, &s);
	expect_int(socket_snapshot_sort(&r.snapshot, &all), 0);
	expect_int(stuck_select(&r, proc), 0);
	expect_int(r.count, 3);
	expect_int(r.closes[0].age, 6 * SECOND_NS);
	expect_int(r.closes[1].age, 5 * SECOND_NS);
	expect_int(r.closes[2].age, AGE_UNKNOWN);
	expect_int(r.closes[0].process->pid, 31);
	expect_int(r.closes[1].process->pid, 31);
	assert_null(r.closes[2].process);
	stuck_text(&out, &r, 0, &wide);
	text_of(&out);
	assert_non_null(strstr(out.data, "3 closes have stood still for 1.00s: 2 CLOSE-WAIT, 1 LAST-ACK\n"));
	assert_non_null(strstr(out.data, "\nweb\\x1b[31]"));
	assert_non_null(strstr(out.data, "this application: read 7 bytes and the end, and close\n"));
	assert_non_null(strstr(out.data, "this application: accept it, and close it\n"));
	assert_non_null(strstr(out.data, "the peer or the path: ACK of our FIN, sent again 0 times\n"));
	assert_non_null(strstr(out.data, "\n10.0.0.1  10.0.0.3:443 "));
	assert_null(strchr(out.data, '\033'));
	out.len = 0;
	stuck_json(&out, &r, 0);
	text_of(&out);
	assert_non_null(strstr(out.data, "\"destination\":{\"ip\":\"10.0.0.1\",\"port\":80,\"process\":{\"pid\":31,"
					 "\"name\":\"web\\u001b\","));
	assert_non_null(strstr(out.data, "\"source\":{\"ip\":\"10.0.0.1\",\"port\":40000,\"process\":null,"
					 "\"container\":{\"id\":null},\"orchestrator\":{\"pod\":{\"uid\":null}}}"));
	assert_non_null(strstr(out.data, "\"waits_for\":\"peer\",\"age\":null,"));
	buffer_free(&out);
	stuck_free(&r);
}

TEST(test_nothing_stuck)
{
	struct stuck_report r = {.least = 2000 * MS_NS};
	struct buffer out = {0};

	expect_int(socket_snapshot_sort(&r.snapshot, &all), 0);
	expect_int(stuck_select(&r, "/nonexistent"), 0);
	stuck_text(&out, &r, 0, &wide);
	assert_non_null(strstr(text_of(&out), "  no close has stood still for 2.00s\n"));
	buffer_free(&out);
	stuck_free(&r);
}

TEST(test_many_stuck)
{
	struct stuck_report r = {0};
	struct buffer out = {0};
	size_t lines = 0;

	for (unsigned i = 0; i < MANY; i++) {
		struct tcp_socket s = socket_of(TCP_CLOSE_WAIT, i % 200, 80, (uint16_t)i);

		s.inode = 1000 + i % (MANY / 2); /* as if inherited: each twice */
		s.last_ack_received = i * 7919 % MANY;
		add_socket(&r.snapshot.sockets, &s);
	}
	expect_int(socket_snapshot_sort(&r.snapshot, &all), 0);
	expect_int(stuck_select(&r, proc), 0);
	expect_int(r.count, MANY);
	expect_int(r.holders.wanted_count, MANY / 2);
	for (unsigned i = 1; i < MANY; i++)
		assert_true(r.closes[i - 1].age >= r.closes[i].age);
	stuck_text(&out, &r, 0, &wide);
	for (size_t i = 0; i < out.len; i++)
		lines += out.data[i] == '\n';
	assert_true(lines < 80);
	buffer_free(&out);
	stuck_free(&r);
}

/* ---- TIME-WAIT ---- */

static void add_time_wait(struct time_wait_report *r, uint8_t host, uint16_t local, uint16_t peer, uint32_t expires)
{
	struct tcp_socket s = socket_of(TCP_TIME_WAIT, host, local, peer);

	s.timer = TIMER_TIME_WAIT;
	s.expires = expires;
	add_socket(&r->snapshot.sockets, &s);
}

static const struct time_wait_group *group_all(struct time_wait_report *r, const char *range)
{
	assert_true(local_ports_parse(&r->snapshot.ports, range, ""));
	expect_int(socket_snapshot_sort(&r->snapshot, &all), 0);
	expect_int(time_wait_group(r), 0);
	return r->groups;
}

TEST(test_time_wait_groups)
{
	struct time_wait_report r = {0};
	struct tcp_socket listener = socket_of(TCP_LISTEN, 0, 40080, 0),
			  open = socket_of(TCP_ESTABLISHED, 2, 40005, 443);
	const struct time_wait_group *g;

	add_socket(&r.snapshot.listeners, &listener);
	add_socket(&r.snapshot.sockets, &open);
	for (uint16_t i = 0; i < 5; i++)
		add_time_wait(&r, 2, 40000 + i, 443, 49000 + 500 * i);
	add_time_wait(&r, 2, 40000, 444, 100);
	add_time_wait(&r, 2, 40080, 50001, 200);
	add_time_wait(&r, 2, 40080, 50002, 300);
	add_time_wait(&r, 2, 22, 61000, 400); /* nobody listens any more, and the port was not chosen by connect() */
	open.peer.port = 445;                 /* a group without TIME-WAIT */
	add_socket(&r.snapshot.sockets, &open);
	g = group_all(&r, "40000 40099");
	expect_int(r.count, 4);
	expect_int(r.sockets, 9);
	expect_int(g[0].count, 5);
	expect_int(g[0].recent, 2); /* 50.5 and 51 s to go; 50 is no longer recent */
	expect_int(g[0].ports_in_use, 6);
	expect_int(g[0].first_ends, 49000);
	expect_int(g[0].last_ends, 51000);
	expect_int(g[0].pair->port, 443);
	assert_true(g[0].pair->local_is_source);
	expect_int(r.snapshot.ports.usable, 99);
	expect_int(g[1].count, 2);
	assert_false(g[1].pair->local_is_source);
	expect_int(g[1].pair->port, 40080);
	for (int i = 2; i < 4; i++)
		expect_int(g[i].pair->port, g[i].pair->local_is_source ? 444 : 22);
	time_wait_free(&r);
}

/* The second in which no port is left: of `usable` ports, `old` end in `left` ms, and `recent` were taken just now. */
static int runs_out(unsigned usable, unsigned old, uint32_t left, unsigned recent)
{
	struct time_wait_report r = {0};
	char range[32];
	int seconds;

	for (unsigned i = 0; i < old + recent; i++)
		add_time_wait(&r, 2, (uint16_t)(40000 + i), 443, i < old ? left : 59999);
	snprintf(range, sizeof(range), "40000 %u", 40000 + usable - 1);
	seconds = group_all(&r, range)[0].runs_out;
	time_wait_free(&r);
	return seconds;
}

TEST(test_ports_run_out)
{
	expect_int(runs_out(100, 100, 30000, 0), 0);
	expect_int(runs_out(100, 99, 30000, 0), -1);
	expect_int(runs_out(100, 0, 0, 50), 10);      /* 5 a second, 50 are left */
	expect_int(runs_out(100, 40, 30000, 20), 20); /* 2 a second, 40 are left */
	expect_int(runs_out(100, 40, 15000, 20), 40); /* those of before are back by then */
	expect_int(runs_out(400, 0, 0, 50), -1);      /* 5 a second: 300 and the first 50 */
	expect_int(runs_out(1, 0, 0, 1), 0);
}

TEST(test_ports_unknown)
{
	struct time_wait_report r = {0};
	struct buffer out = {0};

	add_time_wait(&r, 2, 40000, 443, 30000);
	expect_int(socket_snapshot_sort(&r.snapshot, &all), 0);
	expect_int(time_wait_group(&r), 0);
	time_wait_json(&out, &r, 0);
	assert_non_null(strstr(text_of(&out), "\"local\":\"source\",\"count\":1,\"first_ends\":30000000000,"
					      "\"last_ends\":30000000000,\"per_second\":0.0,\"ports\":null}}\n"));
	out.len = 0;
	time_wait_text(&out, &r, 0, &wide);
	assert_null(strstr(text_of(&out), "usable"));
	buffer_free(&out);
	time_wait_free(&r);
}

/* ---- who opened what is open ---- */

/* The key that the packet path makes of a segment from 10.0.0.HOST. */
static struct flow_key key_of(uint8_t host, uint16_t port, uint8_t peer, uint16_t peer_port)
{
	struct tcp_segment s = {
		.src.lo = 0x0a000000 + host,
		.dst.lo = 0x0a000000 + peer,
		.sport = port,
		.dport = peer_port,
		.family = 4,
	};
	struct flow_key key = {.ifindex = 1, .family = 4};
	unsigned side = flow_side_of(&s);

	key.addr[side] = s.src;
	key.addr[!side] = s.dst;
	key.port[side] = s.sport;
	key.port[!side] = s.dport;
	return key;
}

/* The port of the side that opened the connection, 0 if unknown. */
static unsigned opener(const struct open_at_start *k, uint8_t host, uint16_t port, uint8_t peer, uint16_t peer_port)
{
	struct flow_key key = key_of(host, port, peer, peer_port), reverse = key_of(peer, peer_port, host, port);
	int side = open_at_start_source(k, &key, 0);

	expect_int(open_at_start_source(k, &reverse, 0), side);
	return side < 0 ? 0 : key.port[side];
}

/* Adds a socket of this host, 10.0.0.1, and that of the other end if both are on this host. */
static void add_open(struct socket_snapshot *s, uint8_t peer, uint16_t port, uint16_t peer_port)
{
	struct tcp_socket ours = socket_of(TCP_ESTABLISHED, peer, port, peer_port), other = ours;

	add_socket(&s->sockets, &ours);
	other.local = ours.peer;
	other.peer = ours.local;
	if (peer == 1)
		add_socket(&s->sockets, &other);
}

TEST(test_openers)
{
	struct socket_snapshot s = {.ports = {.first = 32768, .last = 60999}};
	struct tcp_socket listener = socket_of(TCP_LISTEN, 0, 40080, 0);
	struct open_at_start k = {0};

	expect_int(opener(&k, 1, 1, 2, 2), 0); /* nothing was read */
	add_socket(&s.listeners, &listener);
	add_open(&s, 2, 40080, 1000);  /* to our server, from a lower port */
	add_open(&s, 0, 40080, 1001);  /* from a lower address */
	add_open(&s, 2, 33000, 61000); /* from us */
	add_open(&s, 2, 22, 50000);    /* the listener has gone */
	add_open(&s, 1, 33001, 40080); /* both are ours, one has a listener */
	add_open(&s, 1, 33002, 33003); /* neither has: both look like clients */
	add_open(&s, 1, 33004, 80);    /* neither has, but they agree */
	add_open(&s, 1, 33005, 33005); /* with itself */
	expect_int(socket_snapshot_sort(&s, &all), 0);
	expect_int(open_at_start_from(&k, &s), 0);
	expect_int(k.count, 8);
	expect_int(opener(&k, 1, 40080, 2, 1000), 1000);
	expect_int(opener(&k, 1, 40080, 0, 1001), 1001);
	expect_int(opener(&k, 1, 33000, 2, 61000), 33000);
	expect_int(opener(&k, 1, 22, 2, 50000), 50000);
	expect_int(opener(&k, 1, 33001, 1, 40080), 33001);
	expect_int(opener(&k, 1, 33002, 1, 33003), 0);
	expect_int(opener(&k, 1, 33004, 1, 80), 33004);
	expect_int(opener(&k, 1, 33005, 1, 33005), 33005);
	expect_int(opener(&k, 1, 33000, 2, 61001), 0); /* another one */
	expect_int(opener(&k, 1, 33000, 3, 61000), 0);
	open_at_start_free(&k);
	socket_snapshot_free(&s);
}

/* Of a connection between both ends of this host, and of others, the sides whose sockets had sent no FIN. */
TEST(test_unclosed)
{
	struct socket_snapshot s = {.ports = {.first = 32768, .last = 60999}};
	const struct flow_key own = key_of(1, 33001, 1, 40080), waits = key_of(1, 33000, 2, 61000),
			      closed = key_of(1, 33002, 2, 61000);
	struct open_at_start k = {0};

	add_open(&s, 1, 33001, 40080);
	add_open(&s, 2, 33000, 61000);
	add_open(&s, 2, 33002, 61000);
	s.sockets.list[0].state = TCP_FIN_WAIT2;
	s.sockets.list[1].state = TCP_CLOSE_WAIT;
	s.sockets.list[3].state = TCP_FIN_WAIT1;
	expect_int(socket_snapshot_sort(&s, &all), 0);
	expect_int(open_at_start_from(&k, &s), 0);
	expect_int(open_at_start_unclosed(&k, &own, 0), 1u << (own.port[1] == 40080));
	expect_int(open_at_start_unclosed(&k, &waits, 0), 1u << (waits.port[1] == 33000));
	expect_int(open_at_start_unclosed(&k, &closed, 0), 0);
	open_at_start_ended(&k, &waits, 0);
	expect_int(open_at_start_unclosed(&k, &waits, 0), 0);
	open_at_start_free(&k);
	socket_snapshot_free(&s);
}

/* The pid of the process that holds the side's socket, 0 if none. */
static int holder(const struct open_at_start *k, const struct flow_key *key, uint16_t port, unsigned wanted_holders)
{
	unsigned holders;
	const struct process *p = open_at_start_holder(k, key, 0, key->port[1] == port, &holders);

	expect_int(holders, wanted_holders);
	return p ? p->pid : 0;
}

static uint32_t inode_of(int fd)
{
	struct stat status;

	expect_int(fstat(fd, &status), 0);
	return (uint32_t)status.st_ino;
}

/* Each end has its own holder; after the connection has ended, neither has one. */
TEST(test_holders)
{
	struct socket_snapshot s = {.ports = {.first = 32768, .last = 60999}};
	struct flow_key key = key_of(1, 33001, 1, 40080), orphan = key_of(1, 33000, 2, 61000);
	int ends[2];
	struct open_at_start k = {0};

	expect_int(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0); /* whatever sockets have inodes */
	add_open(&s, 1, 33001, 40080);
	add_open(&s, 2, 33000, 61000); /* waits to be accepted */
	s.sockets.list[0].inode = inode_of(ends[0]);
	s.sockets.list[1].inode = inode_of(ends[1]);
	expect_int(socket_snapshot_sort(&s, &all), 0);
	expect_int(open_at_start_from(&k, &s), 0);
	expect_int(holder(&k, &key, 33001, 0), 0); /* not looked for yet */
	close(ends[1]);
	expect_int(open_at_start_find_holders(&k, "/proc"), 0);
	expect_int(holder(&k, &key, 33001, 1), getpid());
	expect_int(holder(&k, &key, 40080, 0), 0); /* closed before we looked */
	expect_int(holder(&k, &orphan, 33000, 0), 0);
	open_at_start_ended(&k, &key, 0);
	expect_int(holder(&k, &key, 33001, 0), 0);
	expect_int(opener(&k, 1, 33001, 1, 40080), 0);
	expect_int(opener(&k, 1, 33000, 2, 61000), 33000); /* the other one goes on */
	close(ends[0]);
	open_at_start_free(&k);
	socket_snapshot_free(&s);
}

int main(void)
{
	return run_unit_tests(make_proc, remove_proc);
}
