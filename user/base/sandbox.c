// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The system call filter is tables. A row allows a call, or a call with certain values of some arguments. No row
 * creates a file, starts a program, loads BPF code or reaches another process or host: records and messages go to
 * descriptors that are already open, or that the helper (user/helper/) hands over. The helper has a table of its own.
 * Below the filter lies Landlock, which refuses the same by what is done, not by which call.
 */
#define _GNU_SOURCE 1 /* O_TMPFILE, CLONE_NEWNET */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <seccomp.h>

#include "user/base/landlock.h"
#include "user/base/sandbox.h"

struct condition {
	unsigned argument;    /* its number */
	uint64_t mask, value; /* (argument & mask) must be equal to value; mask 0: no condition */
};

struct rule {
	int call;
	struct condition conditions[3]; /* all must hold; those without one are last */
};

#define ALLOW(name)                    \
	{                              \
		.call = SCMP_SYS(name) \
	}
#define ALLOW_BITS(name, n, bits, wanted)       \
	{                                       \
		SCMP_SYS(name),                 \
		{                               \
			{                       \
				n, bits, wanted \
			}                       \
		}                               \
	}
#define ALLOW_IF(name, n, wanted) ALLOW_BITS(name, n, 0xffffffff, wanted)

#define ALLOW_SOCKET(family, type, protocol)                               \
	{                                                                  \
		SCMP_SYS(socket),                                          \
		{                                                          \
			{0, ANY, family}, {1, ANY, (type) | SOCK_CLOEXEC}, \
			{                                                  \
				2, ANY, protocol                           \
			}                                                  \
		}                                                          \
	}
#define ANY 0xffffffff /* all bits of an int */

/* The same, whether or not it is non-blocking and closed on exec(). */
#define ALLOW_PLAIN_SOCKET(family, type, protocol)                                                    \
	{                                                                                             \
		SCMP_SYS(socket),                                                                     \
		{                                                                                     \
			{0, ANY, family}, {1, ANY & ~(unsigned)(SOCK_NONBLOCK | SOCK_CLOEXEC), type}, \
			{                                                                             \
				2, ANY, protocol                                                      \
			}                                                                             \
		}                                                                                     \
	}

/* Without an address, to whom the socket is connected already; MSG_FASTOPEN would connect it. */
#define ALLOW_CONNECTED(name)                    \
	{                                        \
		SCMP_SYS(name),                  \
		{                                \
			{3, MSG_FASTOPEN, 0},    \
			{                        \
				4, UINT64_MAX, 0 \
			}                        \
		}                                \
	}

/* Flags of open() that let it change a file or create one. */
#define OPEN_CHANGES (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

/* For every process but the helper: what is open already, files to read, memory, time. */
static const struct rule shared_rules[] = {
	ALLOW(read),
	ALLOW(readv),
	ALLOW(write),
	ALLOW(writev),
	ALLOW(recvmsg), /* of the helper, which hands over the next output file; of a connection */
	ALLOW(poll),
	ALLOW(ppoll),
	ALLOW(shutdown),
	ALLOW(close),

	/* files: read only */
	ALLOW_BITS(openat, 2, OPEN_CHANGES, O_RDONLY),
	ALLOW(fstat),
	ALLOW(newfstatat),
	ALLOW(lseek),

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
	ALLOW(exit),
	ALLOW(exit_group),
};

/* For live watching and for reading a capture file, beside those. */
static const struct rule common_rules[] = {
	/* output */
	ALLOW(ftruncate), /* takes back half a line on a full disk */
	ALLOW(dup2),      /* puts the next output file in the place of standard output */
	ALLOW(dup3),      /* what dup2() calls where there is no dup2 */

	/* input */
	ALLOW(pread64),
	ALLOW(readlink),
	ALLOW(readlinkat),
	ALLOW(getdents64),
	ALLOW(statx),
	ALLOW(access),
	ALLOW(faccessat),
	ALLOW(faccessat2),
	ALLOW_IF(fcntl, 1, F_DUPFD_CLOEXEC),
	ALLOW_IF(fcntl, 1, F_GETFD),
	ALLOW_IF(fcntl, 1, F_GETFL),

	/* the terminal: is it one, how wide */
	ALLOW_IF(ioctl, 1, TCGETS),
	ALLOW_IF(ioctl, 1, TIOCGWINSZ),

	ALLOW(sched_getaffinity),
};

/* For live watching only. */
static const struct rule live_rules[] = {
	/* counters; programs and links by their numbers */
	ALLOW_IF(bpf, 0, BPF_MAP_LOOKUP_ELEM),
	ALLOW_IF(bpf, 0, BPF_OBJ_GET_INFO_BY_FD),
	ALLOW_IF(bpf, 0, BPF_ITER_CREATE), /* to list tcx chains */
	ALLOW_IF(bpf, 0, BPF_LINK_CREATE), /* --follow: to attach to an interface that is back */

	/*
	 * Interfaces: index, name, state, link type, driver, addresses; clsact filters; this host's sockets. What is
	 * sent on these netlink sockets reaches the kernel only. The stream socket holds a name: without connect() and
	 * listen() it neither sends nor receives.
	 */
	ALLOW_SOCKET(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
	ALLOW_SOCKET(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG),
	ALLOW_SOCKET(AF_UNIX, SOCK_STREAM, 0),
	ALLOW(bind),
	ALLOW(getsockname),
	ALLOW(setsockopt),
	ALLOW_CONNECTED(sendto),
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
	ALLOW(renameat),     ALLOW(renameat2),
	ALLOW(unlinkat), /* a file that is replaced as a whole, and its draft */
};

/* For the helper that enters network namespaces, beside those. */
static const struct rule namespace_rules[] = {
	ALLOW_IF(setns, 1, CLONE_NEWNET),
	ALLOW_SOCKET(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
	ALLOW_IF(bpf, 0, BPF_PROG_LOAD), /* the program that numbers an interface */
	ALLOW_IF(bpf, 0, BPF_LINK_CREATE),
	ALLOW_IF(fcntl, 1, F_DUPFD_CLOEXEC), /* libbpf wants no standard descriptor */
	/* which namespaces there are: names and processes */
	ALLOW(fstat),
	ALLOW(newfstatat),
	ALLOW(getdents64),
	ALLOW(lseek),
	ALLOW(mremap),
};

/* For the helper that connects to a collector, beside those. */
static const struct rule collector_rules[] = {
	ALLOW_SOCKET(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0),
	ALLOW_SOCKET(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
	ALLOW_SOCKET(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0),
	ALLOW_SOCKET(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0),
	ALLOW(connect), /* with what is in its own memory */
};

/*
 * For Kafka's process, beside the shared ones: its library has threads, resolves names and connects. It makes no
 * process; clone3() hides its flags from filters, so that the C library is told to use clone().
 */
static const struct rule connector_rules[] = {
	/* threads */
	ALLOW_BITS(clone, 0, CLONE_THREAD, CLONE_THREAD),
	ALLOW(set_robust_list),
	ALLOW(rseq),
	ALLOW(sched_yield),
	ALLOW_IF(prctl, 0, PR_SET_NAME),
	ALLOW(getuid),
	ALLOW(geteuid),
	ALLOW(uname),
	ALLOW(pipe2),
	/* the C library's questions to name servers, and which of its own addresses leads to one that they named */
	ALLOW_SOCKET(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
	ALLOW(bind),
	ALLOW(getsockname),
	ALLOW_PLAIN_SOCKET(AF_INET, SOCK_DGRAM, 0),
	ALLOW_PLAIN_SOCKET(AF_INET6, SOCK_DGRAM, 0),
	ALLOW_PLAIN_SOCKET(AF_INET, SOCK_STREAM, 0), /* where an answer is too long for a datagram */
	ALLOW_PLAIN_SOCKET(AF_INET6, SOCK_STREAM, 0),
	/* connections */
	ALLOW_PLAIN_SOCKET(AF_INET, SOCK_STREAM, IPPROTO_TCP),
	ALLOW_PLAIN_SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
	ALLOW(connect),
	ALLOW(setsockopt),
	ALLOW(getsockopt),
	ALLOW(getpeername),
	ALLOW_IF(fcntl, 1, F_GETFL),
	ALLOW_IF(fcntl, 1, F_SETFL), /* non-blocking */
	ALLOW_IF(fcntl, 1, F_GETFD),
	ALLOW_IF(fcntl, 1, F_SETFD), /* closed on exec() */
	ALLOW_IF(ioctl, 1, FIONBIO),
	ALLOW_IF(ioctl, 1, FIONREAD),
	ALLOW(sendto),
	ALLOW(sendmsg),
	ALLOW(sendmmsg),
	ALLOW(recvfrom),
};

/* For --top in a terminal only, to give it back as it was. */
static const struct rule terminal_rules[] = {
	ALLOW_IF(ioctl, 1, TCSETSW),
	ALLOW_IF(dup2, 1, STDERR_FILENO),
	ALLOW_IF(dup3, 1, STDERR_FILENO),
};
static bool terminal_allowed;

void sandbox_allow_terminal(void)
{
	terminal_allowed = true;
}

/* For a live watch that answers scrapers, beside accept() on one socket: no row opens another one. */
static const struct rule server_rules[] = {
	ALLOW(epoll_wait), ALLOW(epoll_pwait), ALLOW(epoll_ctl),
	ALLOW_BITS(sendmsg, 2, MSG_FASTOPEN, 0), /* of libmicrohttpd; it could name an address */
};
static int listening_socket = -1;

void sandbox_allow_accept(int listening)
{
	listening_socket = listening;
}

static int add_rule(scmp_filter_ctx filter, const struct rule *rule)
{
	struct scmp_arg_cmp compare[3];
	unsigned n = 0;

	for (const struct condition *c = rule->conditions; n < 3 && c->mask; c++)
		compare[n++] = SCMP_CMP64(c->argument, SCMP_CMP_MASKED_EQ, c->mask, c->value);
	/* Not seccomp_rule_add_exact_array(): a call that the architecture lacks is no error. */
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rule->call, n, compare);
}

static int add_rules(scmp_filter_ctx filter, const struct rule *rules, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = add_rule(filter, &rules[i]);
	return err;
}

/* Adds a table, unless an error came before. */
#define ADD(err, filter, rules) ((err) ? (err) : add_rules(filter, rules, sizeof(rules) / sizeof((rules)[0])))

/* A filter that allows nothing; NULL where memory is short, which *err then says. */
static scmp_filter_ctx filter_new(int *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	*err = filter ? 0 : -ENOMEM;
	return filter;
}

/* Enters the filter, unless an error came before, and frees it. 0 or a negative errno. */
static int enter(scmp_filter_ctx filter, int err)
{
	err = err ? err : seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

/* Connections on the socket that is listened on, and their answers. */
static int add_server(scmp_filter_ctx filter, int err)
{
	const struct rule accept_rule = ALLOW_IF(accept4, 0, (unsigned)listening_socket);

	if (listening_socket < 0)
		return err;
	err = err ? err : add_rule(filter, &accept_rule);
	return ADD(err, filter, server_rules);
}

int sandbox_enter(bool live)
{
	int err;
	scmp_filter_ctx filter = filter_new(&err);

	landlock_enter(false); /* where the kernel has it */
	err = ADD(err, filter, shared_rules);
	err = ADD(err, filter, common_rules);
	if (terminal_allowed)
		err = ADD(err, filter, terminal_rules);
	if (live)
		err = add_server(filter, ADD(err, filter, live_rules));
	return enter(filter, err);
}

int sandbox_enter_helper(const struct helper_work *work)
{
	int err;
	scmp_filter_ctx filter = filter_new(&err);

	err = ADD(err, filter, helper_rules);
	if (work->namespaces)
		err = ADD(err, filter, namespace_rules);
	if (work->collector)
		err = ADD(err, filter, collector_rules);
	return enter(filter, err);
}

/* The filter will hold for all threads that there are. */
static int prepare_for_threads(scmp_filter_ctx filter)
{
	int err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

	return err ? err : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

int sandbox_enter_connector(void)
{
	int err;
	scmp_filter_ctx filter = filter_new(&err);

	err = err ? err : prepare_for_threads(filter);
	err = ADD(err, filter, shared_rules);
	err = ADD(err, filter, connector_rules);
	return enter(filter, err);
}
