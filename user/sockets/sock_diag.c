// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One dump for each address family, read in large pieces: a hundred thousand sockets take some thousand calls.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

#include "user/sockets/sock_diag.h"

#define ANSWER_BYTES (64 * 1024) /* the kernel sends at most 32 KiB at a time */
#define FIRST_ROOM 256

static struct tcp_socket *next_place(struct tcp_sockets *t)
{
	if (t->count == t->room) {
		size_t room = t->room ? 2 * t->room : FIRST_ROOM;
		struct tcp_socket *list = reallocarray(t->list, room, sizeof(*list));

		if (!list)
			return NULL;
		t->list = list;
		t->room = room;
	}
	memset(&t->list[t->count], 0, sizeof(*t->list));
	return &t->list[t->count++];
}

/* Is it an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2)? */
static bool is_mapped(const void *ip)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(ip, prefix, sizeof(prefix));
}

static void take_ends(struct tcp_socket *s, const struct inet_diag_msg *m)
{
	bool mapped = m->idiag_family == AF_INET6 && is_mapped(m->id.idiag_src);
	const uint8_t *local = (const uint8_t *)m->id.idiag_src, *peer = (const uint8_t *)m->id.idiag_dst;
	size_t len = m->idiag_family == AF_INET || mapped ? 4 : 16;

	s->family = len == 4 ? 4 : 6;
	memcpy(s->local.ip, mapped ? local + 12 : local, len);
	memcpy(s->peer.ip, mapped ? peer + 12 : peer, len);
	s->local.port = ntohs(m->id.idiag_sport);
	s->peer.port = ntohs(m->id.idiag_dport);
}

/* Newer kernels append fields to tcp_info; those that an older kernel does not send stay 0. */
static void take_info(struct tcp_socket *s, const void *data, size_t len)
{
	struct tcp_info info = {0};

	memcpy(&info, data, len < sizeof(info) ? len : sizeof(info));
	s->detailed = true;
	s->backoff = info.tcpi_backoff;
	s->rto = info.tcpi_rto;
	s->rtt = info.tcpi_rtt;
	s->last_data_sent = info.tcpi_last_data_sent;
	s->last_ack_received = info.tcpi_last_ack_recv;
}

static int take_socket(struct tcp_sockets *t, const struct nlmsghdr *head)
{
	const struct inet_diag_msg *m = NLMSG_DATA(head);
	int len = (int)head->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*m));
	struct tcp_socket *s;

	if (len < 0 || (m->idiag_family != AF_INET && m->idiag_family != AF_INET6))
		return -EBADMSG;
	s = next_place(t);
	if (!s)
		return -ENOMEM;
	take_ends(s, m);
	s->state = m->idiag_state;
	s->timer = m->idiag_timer;
	s->retransmits = m->idiag_retrans;
	s->expires = m->idiag_expires;
	s->uid = m->idiag_uid;
	s->inode = m->idiag_inode;
	s->device = m->id.idiag_if;
	s->unread = m->idiag_rqueue;
	s->unacked = m->idiag_wqueue;
	for (const struct rtattr *a = (const void *)(m + 1); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == INET_DIAG_INFO)
			take_info(s, RTA_DATA(a), RTA_PAYLOAD(a));
		if (a->rta_type == INET_DIAG_SKV6ONLY && RTA_PAYLOAD(a) >= 1)
			s->v6only = *(const uint8_t *)RTA_DATA(a);
	}
	return 0;
}

/* The errno in the payload of NLMSG_ERROR or NLMSG_DONE. */
static int answer_error(const struct nlmsghdr *head)
{
	int err;

	if (head->nlmsg_len < NLMSG_LENGTH(sizeof(err)))
		return head->nlmsg_type == NLMSG_DONE ? 0 : -EBADMSG;
	memcpy(&err, NLMSG_DATA(head), sizeof(err));
	return err < 0 ? err : 0;
}

int sock_diag_parse(struct tcp_sockets *t, const void *answer, size_t len)
{
	const struct nlmsghdr *head = answer;
	int err;

	for (; NLMSG_OK(head, len); head = NLMSG_NEXT(head, len)) {
		if (head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR) {
			err = answer_error(head);
			return err ? err : 1;
		}
		if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY)
			continue;
		err = take_socket(t, head);
		if (err)
			return err;
	}
	return 0;
}

static int open_diag(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	return fd < 0 ? -errno : fd;
}

/* flags: NLM_F_DUMP for a list, 0 for the one socket that the question names. */
static int ask(int fd, const struct inet_diag_req_v2 *question, uint16_t flags)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 body;
	} request = {
		.head =
			{
				.nlmsg_len = sizeof(request),
				.nlmsg_type = SOCK_DIAG_BY_FAMILY,
				.nlmsg_flags = NLM_F_REQUEST | flags,
			},
		.body = *question,
	};

	return send(fd, &request, sizeof(request), 0) < 0 ? -errno : 0;
}

static int ask_for_all(int fd, uint8_t family, uint32_t states)
{
	const struct inet_diag_req_v2 question = {
		.sdiag_family = family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_ext = 1 << (INET_DIAG_INFO - 1),
		.idiag_states = states,
	};

	return ask(fd, &question, NLM_F_DUMP);
}

/* As sock_diag_parse, of the next answer. */
static int take_answer(int fd, struct tcp_sockets *t, char *answer)
{
	ssize_t len;

	do
		len = recv(fd, answer, ANSWER_BYTES, MSG_TRUNC);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	if (len == 0 || len > ANSWER_BYTES)
		return -EBADMSG;
	return sock_diag_parse(t, answer, (size_t)len);
}

static int take_answers(int fd, struct tcp_sockets *t, char *answer)
{
	int err = 0;

	while (!err)
		err = take_answer(fd, t, answer);
	return err < 0 ? err : 0;
}

int sock_diag_read(struct tcp_sockets *t, uint32_t states)
{
	int fd = open_diag(), err;
	char *answer = malloc(ANSWER_BYTES);

	err = fd < 0 ? fd : answer ? ask_for_all(fd, AF_INET, states) : -ENOMEM;
	err = err ? err : take_answers(fd, t, answer);
	err = err ? err : ask_for_all(fd, AF_INET6, states);
	if (!err) {
		err = take_answers(fd, t, answer);
		if (err == -ENOENT) /* a kernel without IPv6 */
			err = 0;
	}
	free(answer);
	if (fd >= 0)
		close(fd);
	return err;
}

int sock_diag_state(uint8_t family, const struct socket_end *local, const struct socket_end *peer)
{
	struct inet_diag_req_v2 question = {
		.sdiag_family = family == 4 ? AF_INET : AF_INET6,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = ~0u,
		.id = {.idiag_sport = htons(local->port),
		       .idiag_dport = htons(peer->port),
		       .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}},
	};
	struct tcp_sockets found = {0};
	char *answer = malloc(ANSWER_BYTES);
	int fd = open_diag(), err, state;

	memcpy(question.id.idiag_src, local->ip, sizeof(local->ip));
	memcpy(question.id.idiag_dst, peer->ip, sizeof(peer->ip));
	err = fd < 0 ? fd : answer ? ask(fd, &question, 0) : -ENOMEM;
	err = err ? err : take_answer(fd, &found, answer);
	state = found.count ? found.list[0].state : 0;
	sock_diag_free(&found);
	free(answer);
	if (fd >= 0)
		close(fd);
	return err < 0 && err != -ENOENT ? err : state;
}

void sock_diag_free(struct tcp_sockets *t)
{
	free(t->list);
	*t = (struct tcp_sockets){0};
}
