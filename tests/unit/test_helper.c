// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The helper and the program, each with a peer that is not what it should be: messages of another length, unknown
 * requests, errors that are none, descriptors that nobody asked for, ends that are gone or never read.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>

#include "tests/unit/assert.h"
#include "user/helper/helper.c"

#define PIPED 64 /* questions, more than a socket holds unread replies to */

static int answers; /* how often a request was answered, in the process that answers */

static int open_null(void *context, const struct helper_question *question, struct helper_reply *reply)
{
	(void)context;
	(void)question;
	answers++;
	return helper_reply_descriptor(reply, open("/dev/null", O_RDONLY | O_CLOEXEC));
}

/* How many descriptors are open. */
static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* ---- the helper, asked by us ---- */

/* A helper that ends when it has served: its exit code is the number of its answers. */
static pid_t serving(int *end)
{
	int ends[2];
	pid_t child;

	assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), errno);
	helper_offer(HELPER_SAME_FILE, open_null, NULL);
	child = fork();
	if (!child) {
		close(ends[0]);
		alarm(20);
		serve(ends[1]);
		_exit(answers);
	}
	close(ends[1]);
	*end = ends[0];
	return child;
}

static int served(pid_t child, int end)
{
	int status;

	close(end);
	expect_int(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Sends so many bytes that begin with the request, then a proper question, which must not be answered. */
static void ends_at(uint32_t request, size_t len)
{
	static const struct helper_question proper = {.request = HELPER_SAME_FILE};
	char bytes[2 * sizeof(proper)] = {0};
	int end;
	pid_t child = serving(&end);

	memcpy(bytes, &request, sizeof(request));
	expect_int(send(end, bytes, len, MSG_NOSIGNAL), len);
	send(end, &proper, sizeof(proper), MSG_NOSIGNAL);
	expect_int(served(child, end), 0);
}

TEST(test_helper_ends_at_nonsense)
{
	const size_t whole = sizeof(struct helper_question);

	ends_at(HELPER_SAME_FILE, 1);
	ends_at(HELPER_SAME_FILE, whole - 1);
	ends_at(HELPER_SAME_FILE, whole + 1);
	ends_at(HELPER_SAME_FILE, 2 * whole);
	ends_at(HELPER_REQUESTS, whole);
	ends_at(~0u, whole);
	ends_at(1u << 31, whole);
}

TEST(test_helper_refuses_what_is_not_offered)
{
	struct helper_question question = {.request = HELPER_LINK};
	struct helper_reply reply;
	int end;
	pid_t child = serving(&end);

	expect_int(send(end, &question, sizeof(question), 0), sizeof(question));
	expect_int(recv(end, &reply, sizeof(reply), 0), sizeof(reply));
	expect_int(reply.error, -EOPNOTSUPP);
	question.request = HELPER_SAME_FILE; /* and goes on */
	expect_int(send(end, &question, sizeof(question), 0), sizeof(question));
	expect_int(recv(end, &reply, sizeof(reply), 0), sizeof(reply));
	expect_int(reply.error, 0);
	expect_int(served(child, end), 1);
}

/* It waits with its answers, keeps no descriptor, and ends with the program. */
TEST(test_helper_waits_for_who_never_reads)
{
	const struct helper_question question = {.request = HELPER_SAME_FILE};
	int end;
	pid_t child = serving(&end);

	for (int i = 0; i < PIPED; i++)
		send(end, &question, sizeof(question), MSG_NOSIGNAL | MSG_DONTWAIT);
	served(child, end);
}

/* ---- the program, answered by us ---- */

/* Sends the reply of that length with so many descriptors, and asks. */
static int answered(const struct helper_reply *reply, size_t len, int descriptors, bool for_descriptor)
{
	const struct helper_question question = {.request = HELPER_SAME_FILE};
	struct helper_reply taken;
	struct iovec body = {(void *)(uintptr_t)reply, len};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} beside = {0};
	struct msghdr message = {.msg_iov = &body, .msg_iovlen = 1};
	int ends[2], result;

	assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), errno);
	if (descriptors) {
		message.msg_control = beside.bytes;
		message.msg_controllen = CMSG_SPACE((size_t)descriptors * sizeof(int));
		beside.head = (struct cmsghdr){.cmsg_len = CMSG_LEN((size_t)descriptors * sizeof(int)),
					       .cmsg_level = SOL_SOCKET,
					       .cmsg_type = SCM_RIGHTS};
		for (int i = 0; i < descriptors; i++)
			memcpy(CMSG_DATA(&beside.head) + i * sizeof(int), &ends[1], sizeof(int));
	}
	expect_int(sendmsg(ends[1], &message, 0), len);
	helper = ends[0];
	result = for_descriptor ? helper_ask_descriptor(&question) : helper_ask(&question, &taken);
	helper = -1;
	close(ends[0]);
	close(ends[1]);
	return result;
}

TEST(test_program_believes_no_nonsense)
{
	struct helper_reply fine = {0}, positive = {.error = 7}, failed = {.error = -EACCES}, far = {.error = -70000},
			    endless = {0};
	int before = open_descriptors();

	memset(endless.name, 'x', sizeof(endless.name));
	expect_int(answered(&fine, sizeof(fine), 0, false), 0);
	expect_int(answered(&failed, sizeof(failed), 0, true), -EACCES);
	expect_int(answered(&fine, sizeof(fine) - 1, 0, false), -EPROTO);
	expect_int(answered(&fine, 1, 1, true), -EPROTO);
	expect_int(answered(&positive, sizeof(positive), 0, true), -EPROTO);
	expect_int(answered(&positive, sizeof(positive), 1, true), -EPROTO);
	expect_int(answered(&far, sizeof(far), 0, false), -EPROTO);
	expect_int(answered(&failed, sizeof(failed), 1, true), -EPROTO);
	expect_int(answered(&endless, sizeof(endless), 0, false), -EPROTO);
	expect_int(answered(&fine, sizeof(fine), 0, true), -EPROTO);
	expect_int(answered(&fine, sizeof(fine), 1, false), -EPROTO);
	expect_int(answered(&fine, sizeof(fine), 2, true), -EPROTO);
	if (!getenv("QEMU_USER")) /* which leaves descriptors open that its guest has no room for */
		expect_int(answered(&fine, sizeof(fine), 4, true), -EPROTO);
	expect_int(open_descriptors(), before);
}

TEST(test_program_takes_one_descriptor)
{
	const struct helper_reply fine = {0};
	int fd = answered(&fine, sizeof(fine), 1, true);

	assert_true(fd >= 0);
	expect_int(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

TEST(test_program_notices_dead_helper)
{
	const struct helper_question question = {.request = HELPER_SAME_FILE};
	struct helper_reply reply;
	int ends[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), errno);
	close(ends[1]);
	helper = ends[0];
	expect_int(helper_ask(&question, &reply), -EPIPE);
	expect_int(helper_ask_descriptor(&question), -EPIPE);
	helper = -1;
	close(ends[0]);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN); /* as the program does */
	return run_unit_tests(NULL, NULL);
}
