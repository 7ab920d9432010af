/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions to the kernel about interfaces and addresses, by messages of rtnetlink(7). A socket is for one question at
 * a time: no news arrive at it.
 */
#ifndef TCPFIN_ROUTE_QUESTION_H
#define TCPFIN_ROUTE_QUESTION_H

#include <stddef.h>

#include <linux/rtnetlink.h>

/* A socket for questions, made in the caller's network namespace: a descriptor, the caller's, or a negative errno. */
int route_open(void);

struct route_question {
	struct nlmsghdr head; /* route_ask fills it in */
	union {
		struct ifinfomsg link;
		struct ifaddrmsg address;
	};
};

/* Called with each message of the answer. */
typedef void route_take(void *context, const struct nlmsghdr *h);
/*
 * Sends a question of that type (RTM_GETLINK, ...; flags: NLM_F_DUMP or 0) and passes on its answer. It is sent without
 * an address, which the system call filter asks for. 0 or a negative errno.
 */
int route_ask(int route, struct route_question *q, int type, int flags, route_take *take, void *context);
/* The attribute of that type among those in len bytes; NULL if there is none. */
const struct rtattr *route_attribute(const struct rtattr *a, size_t len, int type);

#endif
