// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system call filter, from inside: each test enters it in a child, which exits with 0 if what it tried went as it
 * should.
 */
#define _GNU_SOURCE 1 /* unshare, posix_openpt */
#include "tests/unit/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/sockios.h>

#include "user/attach/interface_news.h"
#include "user/attach/interface_query.h"
#include "user/base/landlock.h"
#include "user/base/route_question.h"
#include "user/base/sandbox.h"

static int enter_for_live(void)
{
	return sandbox_enter(true);
}

static int enter_for_files(void)
{
	return sandbox_enter(false);
}

/* Runs it inside what `enter` enters, and returns the child's exit code. */
static int within(int (*enter)(void), int (*what)(void))
{
	int status = -1;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child)
		_exit(enter() ? 100 : what());
	expect_int(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int inside(bool live, int (*what)(void))
{
	return within(live ? enter_for_live : enter_for_files, what);
}

/* ---- what the loop needs ---- */

static int read_file(void)
{
	char byte;
	int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);

	return fd < 0 || read(fd, &byte, 1) != 1 || close(fd);
}

static int use_memory(void)
{
	for (size_t size = 1; size < 64u << 20; size *= 2) {
		char *p = malloc(size);

		if (!p)
			return 1;
		p[size - 1] = 1;
		free(p);
	}
	return 0;
}

static int look_at_interfaces(void)
{
	struct interface_found *list;
	struct ifreq ifr = {};
	char name[IF_NAMESIZE];
	int route = route_open(), count = interface_list(route, &list);
	int news = route_open();

	if (route < 0 || count < 1 || interface_news_subscribe(news) || interface_news_taken(news))
		return 1;
	free(list);
	interface_has_address(route, 1);
	return interface_index(route, "lo") != 1 || interface_index(route, "none-of-this") ||
	       interface_name(route, 1, name) || strcmp(name, "lo") ||
	       interface_name(route, 1u << 30, name) != -ENODEV || interface_xdp(route, 1) ||
	       interface_ioctl(route, "lo", SIOCGIFFLAGS, &ifr) || !(ifr.ifr_flags & IFF_LOOPBACK);
}

/* The abstract name that says: this instance lives. */
static int hold_name(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "\0tcpfin-trace/test_sandbox"};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a));
}

static int ask_for_sockets(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG) < 0;
}

static int tell_time(void)
{
	const struct timespec wait = {.tv_nsec = 1000000};
	struct timespec now;
	struct tm tm;

	return clock_gettime(CLOCK_REALTIME, &now) || !localtime_r(&now.tv_sec, &tm) || nanosleep(&wait, NULL);
}

static int write_descriptors(void)
{
	return dprintf(STDERR_FILENO, "%s", "") || fflush(stdout);
}

static int ask_about_privileges(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != -1 || errno != EPERM;
}

TEST(test_allowed)
{
	for (int live = 0; live < 2; live++) {
		enter_row("%s", live ? "live" : "of a file");
		expect_int(inside(live, read_file), 0);
		expect_int(inside(live, use_memory), 0);
		expect_int(inside(live, tell_time), 0);
		expect_int(inside(live, write_descriptors), 0);
	}
	expect_int(inside(true, look_at_interfaces), 0);
	expect_int(inside(true, hold_name), 0);
	expect_int(inside(true, ask_for_sockets), 0);
}

/* ---- what an intruder would like ---- */

static int refused(long result)
{
	return result != -1 || errno != EPERM;
}

static int open_to_write(void)
{
	return refused(open("/dev/null", O_WRONLY)) || refused(open("/dev/null", O_RDWR)) ||
	       refused(open("/dev/null", O_RDONLY | O_TRUNC)) || refused(open("/tmp", O_TMPFILE | O_RDWR, 0600)) ||
	       refused(open("/dev/null", O_RDONLY | O_CREAT, 0600)) || refused(unlink("/nothing"));
}

static int run_program(void)
{
	return refused(execl("/bin/true", "true", NULL)) || refused(fork()) || refused(unshare(CLONE_NEWNET));
}

static int run_memory(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED || refused(mprotect(page, 4096, PROT_READ | PROT_EXEC)) ||
	       mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED || errno != EPERM;
}

static int load_bpf(void)
{
	union bpf_attr attr = {};

	return refused(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr))) ||
	       refused(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr))) ||
	       refused(syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr)));
}

static int reach_others(void)
{
	struct sockaddr a = {.sa_family = AF_UNSPEC};

	return refused(connect(0, &a, sizeof(a))) || refused(listen(0, 1)) || refused(socket(AF_PACKET, SOCK_RAW, 0)) ||
	       refused(kill(getppid(), 0)) || refused(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL)) ||
	       refused(setuid(0));
}

/* No kind of socket that sends something without connect(), and none with more rights than the watch needs. */
static int make_sockets(void)
{
	static const int kinds[][3] = {
		{AF_INET, SOCK_DGRAM, 0},
		{AF_INET, SOCK_STREAM, 0},
		{AF_INET, SOCK_RAW, 6},
		{AF_INET6, SOCK_DGRAM, 0},
		{AF_INET6, SOCK_STREAM, 0},
		{AF_INET6, SOCK_RAW, 6},
		{AF_UNIX, SOCK_DGRAM, 0},
		{AF_UNIX, SOCK_SEQPACKET, 0},
		{AF_PACKET, SOCK_RAW, 0},
		{AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK},
		{AF_NETLINK, SOCK_RAW, NETLINK_AUDIT},
		{AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT},
		{AF_VSOCK, SOCK_STREAM, 0},
		{AF_ALG, SOCK_SEQPACKET, 0},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (refused(socket(kinds[i][0], kinds[i][1] | SOCK_CLOEXEC, kinds[i][2])))
			return (int)i + 1;
	return 0;
}

/* What could be done with a socket that was open before: standard output may be one. */
static int tcp_socket, udp_socket, unix_socket;

static int use_old_sockets(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0x7f000001)};
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};

	return refused(sendto(tcp_socket, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&a, sizeof(a))) ||
	       refused(connect(udp_socket, (struct sockaddr *)&a, sizeof(a))) ||
	       refused(connect(unix_socket, (struct sockaddr *)&name, sizeof(name))) ||
	       refused(listen(tcp_socket, 1)) || refused(accept(tcp_socket, NULL, NULL)) ||
	       refused(syscall(SYS_sendmmsg, udp_socket, NULL, 0, 0));
}

/* Calls that are ways round the others. */
static int go_round(void)
{
	return refused(syscall(SYS_io_uring_setup, 1, NULL)) || refused(syscall(SYS_memfd_create, "x", 0)) ||
	       refused(syscall(SYS_openat2, AT_FDCWD, "/tmp", NULL, 0)) || refused(syscall(SYS_clone3, NULL, 0)) ||
	       refused(syscall(SYS_userfaultfd, 0)) || refused(syscall(SYS_setns, 0, 0)) ||
	       refused(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0)) ||
	       refused(syscall(SYS_pidfd_open, getppid(), 0)) || refused(syscall(SYS_keyctl, 0, 0)) ||
	       refused(syscall(SYS_pkey_mprotect, NULL, 0, 0, -1)) || refused(syscall(SYS_personality, 0x400000)) ||
	       refused(ioctl(0, TIOCSTI, "x"));
}

TEST(test_refused)
{
	tcp_socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	udp_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unix_socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	for (int live = 0; live < 2; live++) {
		enter_row("%s", live ? "live" : "of a file");
		expect_int(inside(live, open_to_write), 0);
		expect_int(inside(live, run_program), 0);
		expect_int(inside(live, run_memory), 0);
		expect_int(inside(live, load_bpf), 0);
		expect_int(inside(live, reach_others), 0);
		expect_int(inside(live, make_sockets), 0);
		expect_int(inside(live, use_old_sockets), 0);
		expect_int(inside(live, go_round), 0);
		expect_int(inside(live, ask_about_privileges), 0);
	}
}

static int ask_kernel(void)
{
	union bpf_attr attr = {};

	return refused(socket(AF_UNIX, SOCK_STREAM, 0)) || refused(socket(AF_INET, SOCK_DGRAM, 0)) ||
	       refused(socket(AF_NETLINK, SOCK_RAW, 0)) || refused(sendto(0, "", 0, 0, NULL, 0)) ||
	       refused(syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr))) ||
	       refused(syscall(SYS_bpf, BPF_ITER_CREATE, &attr, sizeof(attr)));
}

TEST(test_refused_with_a_file)
{
	expect_int(inside(false, ask_kernel), 0);
}

/* ---- Landlock alone ---- */

static int denied(long result)
{
	return result != -1 || errno != EACCES;
}

static int write_past_landlock(void)
{
	char byte;
	int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);

	return fd < 0 || read(fd, &byte, 1) != 1 || denied(open("/dev/null", O_WRONLY)) ||
	       denied(open("/tmp/tcpfin-landlock", O_WRONLY | O_CREAT, 0600)) ||
	       denied(mkdir("/tmp/tcpfin-landlock", 0700)) || denied(execl("/bin/true", "true", NULL));
}

/* Where the kernel has it: what a call that the filter forgot would still not be able to do. */
TEST(test_landlock)
{
	int status = -1;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child)
		_exit(landlock_enter(false) ? 100 : write_past_landlock());
	expect_int(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 100)
		skip();
	expect_int(WEXITSTATUS(status), 0);
}

/* ---- a terminal ---- */

static int terminal; /* a descriptor of one */

static int set_terminal(void)
{
	struct termios state;

	return tcgetattr(terminal, &state) || tcsetattr(terminal, TCSADRAIN, &state);
}

static int type_into_terminal(void)
{
	return refused(ioctl(terminal, TIOCSTI, "x"));
}

/* Typing into it, which would give another process's rights, is refused either way. */
TEST(test_terminal)
{
	terminal = posix_openpt(O_RDWR | O_NOCTTY);
	assert_true(terminal >= 0);
	expect_int(inside(true, set_terminal), 1);
	expect_int(inside(true, type_into_terminal), 0);
	sandbox_allow_terminal();
	expect_int(inside(true, set_terminal), 0);
	expect_int(inside(true, type_into_terminal), 0);
	close(terminal);
}

/* ---- a listening socket ---- */

static int listening, other_listening;

static int accept_there(void)
{
	return accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) != -1 || errno != EAGAIN;
}

static int accept_elsewhere(void)
{
	return refused(accept4(other_listening, NULL, NULL, SOCK_CLOEXEC)) || refused(accept(listening, NULL, NULL));
}

static int listen_to_nobody(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd >= 0 && !listen(fd, 1) ? fd : -1;
}

/* --metrics opens the filter for one socket, and for nothing else that it refused before. */
TEST(test_listening)
{
	listening = listen_to_nobody();
	other_listening = listen_to_nobody();
	assert_true(listening >= 0 && other_listening >= 0);
	expect_int(inside(true, accept_there), 1);
	sandbox_allow_accept(listening);
	expect_int(inside(true, accept_there), 0);
	expect_int(inside(false, accept_there), 1);
	expect_int(inside(true, accept_elsewhere), 0);
	expect_int(inside(true, reach_others), 0);
	expect_int(inside(true, make_sockets), 0);
	expect_int(inside(true, open_to_write), 0);
	sandbox_allow_accept(-1);
	close(listening);
	close(other_listening);
}

/* ---- a collector ---- */

static int collector; /* a UDP socket that is connected */

static int write_to_collector(void)
{
	return write(collector, "x", 1) != 1 || send(collector, "x", 1, 0) != 1;
}

/* By an address in the call a datagram would go to anybody. */
static int write_elsewhere(void)
{
	const struct sockaddr_in elsewhere = {
		.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct iovec part = {(char[]){"x"}, 1};
	const struct msghdr message = {
		.msg_name = (void *)&elsewhere, .msg_namelen = sizeof(elsewhere), .msg_iov = &part, .msg_iovlen = 1};
	const struct sockaddr *to = (const struct sockaddr *)&elsewhere;

	return refused(sendto(collector, "x", 1, 0, to, sizeof(elsewhere))) ||
	       refused(sendmsg(collector, &message, 0)) || refused(connect(collector, to, sizeof(elsewhere)));
}

/* --ipfix opens the filter for nothing: what is connected already may be written to. */
TEST(test_collector)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(here);
	int receiving = socket(AF_INET, SOCK_DGRAM, 0);

	collector = socket(AF_INET, SOCK_DGRAM, 0);
	assert_false(bind(receiving, (struct sockaddr *)&here, len));
	assert_false(getsockname(receiving, (struct sockaddr *)&here, &len));
	assert_false(connect(collector, (struct sockaddr *)&here, len));
	expect_int(inside(true, write_to_collector), 0);
	expect_int(inside(true, write_elsewhere), 0);
	expect_int(inside(false, write_elsewhere), 0);
	close(collector);
	close(receiving);
}

/* ---- Kafka's process ---- */

/* Those of librdkafka, and of the C library that resolves names. */
static int make_its_sockets(void)
{
	static const int kinds[][3] = {
		{AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP},
		{AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP},
		{AF_INET, SOCK_STREAM, IPPROTO_TCP},
		{AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0},
		{AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0},
		{AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0},
		{AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0},
		{AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (socket(kinds[i][0], kinds[i][1], kinds[i][2]) < 0)
			return (int)i + 1;
	return 0;
}

static int make_other_sockets(void)
{
	static const int kinds[][3] = {
		{AF_INET, SOCK_RAW, IPPROTO_TCP},
		{AF_INET6, SOCK_RAW, IPPROTO_ICMPV6},
		{AF_INET, SOCK_DGRAM, IPPROTO_ICMP},
		{AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6},
		{AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE},
		{AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE},
		{AF_INET, SOCK_STREAM, IPPROTO_SCTP},
		{AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP},
		{AF_INET, SOCK_STREAM, IPPROTO_MPTCP},
		{AF_INET6, SOCK_STREAM, IPPROTO_MPTCP},
		{AF_INET, SOCK_DCCP, IPPROTO_DCCP},
		{AF_INET, SOCK_PACKET, 3},
		{AF_UNIX, SOCK_STREAM, 0},
		{AF_UNIX, SOCK_DGRAM, 0},
		{AF_PACKET, SOCK_RAW, 0},
		{AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG},
		{AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK},
		{AF_VSOCK, SOCK_STREAM, 0},
		{AF_ALG, SOCK_SEQPACKET, 0},
		{AF_BLUETOOTH, SOCK_RAW, 0},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (refused(socket(kinds[i][0], kinds[i][1] | SOCK_CLOEXEC, kinds[i][2])))
			return (int)i + 1;
	return 0;
}

/* It connects, and nobody connects to it; signals of a socket would reach another process. */
static int serve_others(void)
{
	const struct f_owner_ex owner = {F_OWNER_PID, getppid()};
	int pair[2];

	return refused(listen(tcp_socket, 1)) || refused(accept(tcp_socket, NULL, NULL)) ||
	       refused(accept4(tcp_socket, NULL, NULL, 0)) || refused(fcntl(tcp_socket, F_SETOWN, getppid())) ||
	       refused(fcntl(tcp_socket, F_SETOWN_EX, &owner)) || refused(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

TEST(test_connector)
{
	tcp_socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	expect_int(within(sandbox_enter_connector, make_its_sockets), 0);
	expect_int(within(sandbox_enter_connector, make_other_sockets), 0);
	expect_int(within(sandbox_enter_connector, serve_others), 0);
	expect_int(within(sandbox_enter_connector, read_file), 0);
	expect_int(within(sandbox_enter_connector, use_memory), 0);
	expect_int(within(sandbox_enter_connector, open_to_write), 0);
	expect_int(within(sandbox_enter_connector, run_program), 0);
	expect_int(within(sandbox_enter_connector, run_memory), 0);
	expect_int(within(sandbox_enter_connector, load_bpf), 0);
	close(tcp_socket);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
