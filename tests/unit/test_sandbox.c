// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system call filter, from inside: each test enters it in a child, which exits with 0 if what it tried went as it
 * should.
 */
#define _GNU_SOURCE 1 /* unshare */
#include "tests/unit/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "user/base/sandbox.h"

/* Runs it inside, and returns the child's exit code. */
static int inside(bool live, int (*what)(void))
{
	int status = -1;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		int err = sandbox_enter(live);

		_exit(err ? 100 : what());
	}
	expect_int(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
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
	struct ifaddrs *list;
	char name[IF_NAMESIZE];

	if (getifaddrs(&list))
		return 1;
	freeifaddrs(list);
	return if_nametoindex("lo") != 1 || !if_indextoname(1, name);
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

TEST(test_refused)
{
	for (int live = 0; live < 2; live++) {
		enter_row("%s", live ? "live" : "of a file");
		expect_int(inside(live, open_to_write), 0);
		expect_int(inside(live, run_program), 0);
		expect_int(inside(live, run_memory), 0);
		expect_int(inside(live, load_bpf), 0);
		expect_int(inside(live, reach_others), 0);
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

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
