// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests and answers are datagrams of one size. A request is a number from a closed list and nothing else: whoever
 * has taken over the program can name neither a file nor a place.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/base/privileges.h"
#include "user/helper/helper.h"

/* Room for one descriptor beside a message. */
union beside {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* ---- the helper ---- */

/* Signals from a terminal or a supervisor are meant for the program. The helper ends when the program has ended. */
static void ignore_signals(void)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGPIPE};

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
}

/* Sends 0 with the descriptor, or HELPER_DONE or the error alone. */
static void send_answer(int to, int result)
{
	bool alone = result < 0 || result == HELPER_DONE;
	int32_t error = alone ? result : 0;
	struct iovec body = {&error, sizeof(error)};
	union beside beside = {0};
	struct msghdr message = {.msg_iov = &body, .msg_iovlen = 1};
	struct cmsghdr *head;

	if (!alone) {
		message.msg_control = beside.bytes;
		message.msg_controllen = sizeof(beside.bytes);
		head = CMSG_FIRSTHDR(&message);
		*head = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(head), &result, sizeof(result));
	}
	sendmsg(to, &message, MSG_NOSIGNAL);
}

/* Answers until the program has ended. A message that is no request of the list ends the helper. */
static void serve(int program, helper_answer *answer, void *context)
{
	uint32_t request;

	while (read(program, &request, sizeof(request)) == sizeof(request) && request < HELPER_REQUESTS) {
		int result = answer(context, (enum helper_request)request);

		send_answer(program, result);
		if (result >= 0 && result != HELPER_DONE)
			close(result);
	}
}

static void close_others(int program, int kept)
{
	for (int fd = 0; fd < 3; fd++) /* a reader of our output must see its end */
		if (fd != program && fd != kept)
			close(fd);
}

static _Noreturn void run(int program, helper_answer *answer, void *context, int kept)
{
	prctl(PR_SET_NAME, "tcpfin-helper");
	ignore_signals();
	close_others(program, kept);
	if (!privileges_keep_files())
		serve(program, answer, context);
	_exit(0);
}

int helper_start(helper_answer *answer, void *context, int kept)
{
	int ends[2], err;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	child = fork();
	if (!child) {
		close(ends[0]);
		run(ends[1], answer, context, kept);
	}
	err = -errno;
	close(ends[1]);
	if (child > 0)
		return ends[0];
	close(ends[0]);
	return err;
}

/* ---- the program ---- */

/* The descriptor in the answer, HELPER_DONE, or a negative errno. */
static int read_answer(const struct msghdr *message, int32_t error)
{
	const struct cmsghdr *head = CMSG_FIRSTHDR(message);
	int fd;

	if (error < 0 || error == HELPER_DONE)
		return error;
	if (!head || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	return fd;
}

int helper_ask(int helper, enum helper_request request)
{
	uint32_t number = request;
	int32_t error;
	struct iovec body = {&error, sizeof(error)};
	union beside beside;
	struct msghdr message = {
		.msg_iov = &body, .msg_iovlen = 1, .msg_control = beside.bytes, .msg_controllen = sizeof(beside.bytes)};
	ssize_t n;

	if (write(helper, &number, sizeof(number)) != sizeof(number))
		return -errno;
	do
		n = recvmsg(helper, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(error))
		return n < 0 ? -errno : -EPIPE;
	return read_answer(&message, error);
}
