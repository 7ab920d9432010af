// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system call filter is two tables. A row allows a call, or a call with a certain value of one argument. No row
 * creates a file, starts a program, loads BPF code or reaches another host: records and messages go to descriptors that
 * are already open, or that the helper (user/helper/) hands over. The helper has a table of its own.
 */
#define _GNU_SOURCE 1 /* O_TMPFILE */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <linux/bpf.h>
#include <linux/sockios.h>
#include <seccomp.h>

#include "user/base/sandbox.h"

struct rule {
	int call;
	unsigned argument;    /* number of the argument that is compared, if mask is not 0 */
	uint64_t mask, value; /* (argument & mask) must be equal to value */
};

#define ALLOW(name)                    \
	{                              \
		.call = SCMP_SYS(name) \
	}
#define ALLOW_BITS(name, n, bits, wanted)       \
	{                                       \
		SCMP_SYS(name), n, bits, wanted \
	}
#define ALLOW_IF(name, n, wanted) ALLOW_BITS(name, n, 0xffffffff, wanted)

/* Flags of open() that let it change a file or create one. */
#define OPEN_CHANGES (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

/* For live watching and for reading a capture file. */
static const struct rule common_rules[] = {
	/* output */
	ALLOW(write),
	ALLOW(writev),
	ALLOW(poll),
	ALLOW(ppoll),
	ALLOW(ftruncate), /* takes back half a line on a full disk */
	ALLOW(recvmsg),   /* of the helper, which hands over the next output file */
	ALLOW(dup2),      /* puts it in the place of standard output */
	ALLOW(dup3),      /* what dup2() calls where there is no dup2 */

	/* input: read only */
	ALLOW_BITS(openat, 2, OPEN_CHANGES, O_RDONLY),
	ALLOW(read),
	ALLOW(pread64),
	ALLOW(readv),
	ALLOW(readlink),
	ALLOW(readlinkat),
	ALLOW(getdents64),
	ALLOW(lseek),
	ALLOW(fstat),
	ALLOW(newfstatat),
	ALLOW(statx),
	ALLOW(access),
	ALLOW(faccessat),
	ALLOW(faccessat2),
	ALLOW(close),
	ALLOW_IF(fcntl, 1, F_DUPFD_CLOEXEC),
	ALLOW_IF(fcntl, 1, F_GETFD),
	ALLOW_IF(fcntl, 1, F_GETFL),

	/* the terminal: is it one, how wide */
	ALLOW_IF(ioctl, 1, TCGETS),
	ALLOW_IF(ioctl, 1, TIOCGWINSZ),

	/* memory, never executable */
	ALLOW(brk),
	ALLOW_BITS(mmap, 2, PROT_EXEC, 0),
	ALLOW_BITS(mprotect, 2, PROT_EXEC, 0),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(madvise),

	/* time, signals, the end */
	ALLOW(clock_gettime),
	ALLOW(gettimeofday),
	ALLOW(nanosleep),
	ALLOW(clock_nanosleep),
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigaction),
	ALLOW(rt_sigreturn),
	ALLOW(restart_syscall),
	ALLOW(futex),
	ALLOW(getpid),
	ALLOW(gettid),
	ALLOW(getrandom),
	ALLOW(sched_getaffinity),
	ALLOW(exit),
	ALLOW(exit_group),
};

/* For live watching only. */
static const struct rule live_rules[] = {
	/* counters; programs and links by their numbers */
	ALLOW_IF(bpf, 0, BPF_MAP_LOOKUP_ELEM),
	ALLOW_IF(bpf, 0, BPF_OBJ_GET_INFO_BY_FD),
	ALLOW_IF(bpf, 0, BPF_ITER_CREATE), /* to list tcx chains */
	ALLOW_IF(bpf, 0, BPF_LINK_CREATE), /* --follow: to attach to an interface that is back */

	/* interfaces: index, name, state, link type, driver, addresses; removing clsact filters */
	ALLOW_IF(socket, 0, AF_UNIX),
	ALLOW_IF(socket, 0, AF_INET),
	ALLOW_IF(socket, 0, AF_NETLINK),
	ALLOW(bind),
	ALLOW(getsockname),
	ALLOW(setsockopt),
	ALLOW(sendto),
	ALLOW(sendmsg),
	ALLOW(recvfrom),
	ALLOW_IF(ioctl, 1, SIOCGIFINDEX),
	ALLOW_IF(ioctl, 1, SIOCGIFNAME),
	ALLOW_IF(ioctl, 1, SIOCGIFFLAGS),
	ALLOW_IF(ioctl, 1, SIOCGIFHWADDR),
	ALLOW_IF(ioctl, 1, SIOCETHTOOL),
};

/* For the helper that opens output files (user/helper/). */
static const struct rule helper_rules[] = {
	ALLOW(openat), /* with what is in its own memory, never with what the program sends */
	ALLOW(close),        ALLOW(read),
	ALLOW(sendmsg),      ALLOW(clock_gettime),
	ALLOW(rt_sigreturn), ALLOW(restart_syscall),
	ALLOW(brk),          ALLOW_BITS(mmap, 2, PROT_EXEC, 0),
	ALLOW(munmap),       ALLOW(exit_group),
};

static int add_rule(scmp_filter_ctx filter, const struct rule *rule)
{
	struct scmp_arg_cmp compare = SCMP_CMP64(rule->argument, SCMP_CMP_MASKED_EQ, rule->mask, rule->value);

	/* Not seccomp_rule_add_exact_array(): a call that the architecture lacks is no error. */
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rule->call, rule->mask ? 1 : 0, &compare);
}

static int add_rules(scmp_filter_ctx filter, const struct rule *rules, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = add_rule(filter, &rules[i]);
	return err;
}

/* Enters a filter of two tables. 0 or a negative errno. */
static int enter(const struct rule *first, size_t first_count, const struct rule *second, size_t second_count)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err;

	if (!filter)
		return -ENOMEM;
	err = add_rules(filter, first, first_count);
	err = err ? err : add_rules(filter, second, second_count);
	err = err ? err : seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

#define TABLE(rules) rules, sizeof(rules) / sizeof((rules)[0])

int sandbox_enter(bool live)
{
	return live ? enter(TABLE(common_rules), TABLE(live_rules)) : enter(TABLE(common_rules), NULL, 0);
}

int sandbox_enter_helper(void)
{
	return enter(TABLE(helper_rules), NULL, 0);
}
