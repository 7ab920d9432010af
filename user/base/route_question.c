// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An answer may come in several parts; its messages bear the question's number.
 */
#include "user/base/route_question.h"

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>

int route_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return fd < 0 ? -errno : fd;
}

/* Passes on the messages in len bytes of an answer. 1 once the answer is complete, 0 before, or a negative errno. */
static int take_part(struct nlmsghdr *h, size_t len, uint32_t question, route_take *take, void *context)
{
	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_seq != question)
			continue; /* of an answer that was given up */
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
		take(context, h);
		if (!(h->nlmsg_flags & NLM_F_MULTI))
			return 1;
	}
	return 0;
}

int route_ask(int route, struct route_question *q, int type, int flags, route_take *take, void *context)
{
	static uint32_t number;
	static _Alignas(struct nlmsghdr) char answer[32768];
	int done = 0;

	q->head = (struct nlmsghdr){.nlmsg_len = sizeof(*q),
				    .nlmsg_type = (uint16_t)type,
				    .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
				    .nlmsg_seq = ++number};
	if (send(route, q, sizeof(*q), 0) < 0)
		return -errno;
	while (!done) {
		ssize_t len = recv(route, answer, sizeof(answer), 0);

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return len ? -errno : -EPIPE;
		done = take_part((void *)answer, (size_t)len, q->head.nlmsg_seq, take, context);
	}
	return done < 0 ? done : 0;
}

const struct rtattr *route_attribute(const struct rtattr *a, size_t len, int type)
{
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
	return NULL;
}
