// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests and replies are datagrams, each of one size and nothing but numbers and a name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/base/privileges.h"
#include "user/base/side_process.h"
#include "user/helper/helper.h"

/* Room for one descriptor beside a message. */
union beside {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

static struct offer {
	helper_answer *answer; /* NULL: not offered */
	void *context;
} offers[HELPER_REQUESTS];

#define MOST_GIVEN 4          /* directories: of the output files, and of the files that are replaced */
static int given[MOST_GIVEN]; /* descriptors that are the helper's once it is there */
static unsigned given_count;
static int withheld = -1; /* a descriptor that the helper closes */
static int helper = -1;   /* descriptor to ask it by; -1: there is none yet */

/* ---- the helper ---- */

/* Sends the reply, and its descriptor if it has one. */
static void send_reply(int to, struct helper_reply *reply)
{
	struct iovec body = {reply, sizeof(*reply)};
	union beside beside = {0};
	struct msghdr message = {.msg_iov = &body, .msg_iovlen = 1};
	struct cmsghdr *head;

	if (reply->descriptor >= 0) {
		message.msg_control = beside.bytes;
		message.msg_controllen = sizeof(beside.bytes);
		head = CMSG_FIRSTHDR(&message);
		*head = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(head), &reply->descriptor, sizeof(int));
	}
	sendmsg(to, &message, MSG_NOSIGNAL);
}

/* Answers by what was offered. */
static void answer_by_offer(const struct helper_question *question, struct helper_reply *reply)
{
	const struct offer *offer = &offers[question->request];

	memset(reply, 0, sizeof(*reply));
	reply->descriptor = -1;
	reply->error = offer->answer ? offer->answer(offer->context, question, reply) : -EOPNOTSUPP;
}

/*
 * Waits for a question; descriptors beside it are not taken. False where the message is none, or the program has ended.
 * One byte more is read than a question has, since what is longer would be cut off in silence.
 */
static bool hear(int program, struct helper_question *question)
{
	char message[sizeof(*question) + 1];

	if (read(program, message, sizeof(message)) != sizeof(*question))
		return false;
	memcpy(question, message, sizeof(*question));
	return question->request < HELPER_REQUESTS;
}

/* Answers until the program has ended. A message that is no request of the list ends the helper. */
static void serve(int program)
{
	struct helper_question question;
	struct helper_reply reply;

	while (hear(program, &question)) {
		answer_by_offer(&question, &reply);
		send_reply(program, &reply);
		if (reply.descriptor >= 0)
			close(reply.descriptor);
	}
}

static void close_standard(int program)
{
	for (int fd = 0; fd < 3; fd++) /* a reader of our output must see its end */
		if (fd != program)
			close(fd);
}

static _Noreturn void run(int program)
{
	const struct helper_work work = {.files = offers[HELPER_NEXT_FILE].answer || offers[HELPER_DRAFT].answer,
					 .namespaces = offers[HELPER_LINK].answer,
					 .collector = offers[HELPER_COLLECTOR].answer};

	side_process_begin("tcpfin-helper");
	close_standard(program);
	if (withheld >= 0)
		close(withheld);
	if (!privileges_keep_for_helper(&work))
		serve(program);
	_exit(0);
}

void helper_offer(enum helper_request request, helper_answer *answer, void *context)
{
	offers[request] = (struct offer){answer, context};
}

void helper_give(int descriptor)
{
	if (given_count < MOST_GIVEN)
		given[given_count++] = descriptor;
}

void helper_withhold(int descriptor)
{
	withheld = descriptor;
}

static bool has_offers(void)
{
	for (int i = 0; i < HELPER_REQUESTS; i++)
		if (offers[i].answer)
			return true;
	return false;
}

int helper_start(void)
{
	int ends[2], err;
	pid_t child;

	if (helper >= 0 || !has_offers())
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	child = fork();
	if (!child) {
		close(ends[0]);
		run(ends[1]);
	}
	err = -errno;
	close(ends[1]);
	if (child > 0) {
		helper = ends[0];
		while (given_count)
			close(given[--given_count]);
		return 0;
	}
	close(ends[0]);
	return err;
}

int helper_reply_descriptor(struct helper_reply *reply, int descriptor)
{
	if (descriptor < 0)
		return descriptor;
	reply->descriptor = descriptor;
	return 0;
}

/* ---- the program ---- */

/* Closes all descriptors beside a message that is not believed. */
static void close_beside(struct msghdr *message)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head))
		for (size_t at = CMSG_LEN(0); head->cmsg_type == SCM_RIGHTS && at + sizeof(int) <= head->cmsg_len;
		     at += sizeof(int)) {
			int fd;

			memcpy(&fd, (char *)head + at, sizeof(fd));
			close(fd);
		}
}

/*
 * Is the message a reply? It has that size, and one descriptor at most, which comes with success alone; its error is
 * none or a negative errno, and its name ends.
 */
static bool is_reply(struct msghdr *message, ssize_t size, const struct helper_reply *reply)
{
	const struct cmsghdr *head = CMSG_FIRSTHDR(message);

	return size == sizeof(*reply) && !(message->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && reply->error <= 0 &&
	       reply->error > -4096 && memchr(reply->name, '\0', sizeof(reply->name)) &&
	       (!head || (!reply->error && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof(int))));
}

/* 0, or a negative errno where the helper is gone or talks nonsense (-EPROTO). */
static int receive(struct helper_reply *reply)
{
	struct iovec body = {reply, sizeof(*reply)};
	union beside beside;
	struct msghdr message = {
		.msg_iov = &body, .msg_iovlen = 1, .msg_control = beside.bytes, .msg_controllen = sizeof(beside.bytes)};
	ssize_t n;

	do
		n = recvmsg(helper, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	if (!is_reply(&message, n, reply)) {
		close_beside(&message);
		return -EPROTO;
	}
	reply->descriptor = -1;
	if (CMSG_FIRSTHDR(&message))
		memcpy(&reply->descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return 0;
}

static int ask(const struct helper_question *question, struct helper_reply *reply)
{
	int err;

	if (helper < 0) {
		answer_by_offer(question, reply);
		return reply->error;
	}
	if (write(helper, question, sizeof(*question)) != sizeof(*question))
		return -errno;
	err = receive(reply);
	return err ? err : reply->error;
}

int helper_ask(const struct helper_question *question, struct helper_reply *reply)
{
	int err = ask(question, reply);

	if (err || reply->descriptor < 0)
		return err;
	close(reply->descriptor); /* nobody has asked for it */
	return -EPROTO;
}

int helper_ask_descriptor(const struct helper_question *question)
{
	struct helper_reply reply = {.descriptor = -1};
	int err = ask(question, &reply);

	return err ? err : reply.descriptor < 0 ? -EPROTO : reply.descriptor;
}
