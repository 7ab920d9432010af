// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel answers requests on interfaces (netdevice(7)) on a socket of any family, a netlink socket included; lists
 * come as messages of rtnetlink(7). The socket is for one question at a time: no news arrive at it.
 */
#include "user/attach/interface_query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

int interface_query_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return fd < 0 ? -errno : fd;
}

/* ---- requests by ioctl(2) ---- */

static int ask(int route, unsigned long request, struct ifreq *ifr)
{
	return ioctl(route, request, ifr) ? -errno : 0;
}

int interface_ioctl(int route, const char *name, unsigned long request, struct ifreq *ifr)
{
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
	return ask(route, request, ifr);
}

unsigned interface_index(int route, const char *name)
{
	struct ifreq ifr = {};

	if (strlen(name) >= IF_NAMESIZE)
		return 0;
	return interface_ioctl(route, name, SIOCGIFINDEX, &ifr) ? 0 : (unsigned)ifr.ifr_ifindex;
}

int interface_name(int route, unsigned ifindex, char name[IF_NAMESIZE])
{
	struct ifreq ifr = {.ifr_ifindex = (int)ifindex};
	int err = ask(route, SIOCGIFNAME, &ifr);

	if (!err)
		memcpy(name, ifr.ifr_name, IF_NAMESIZE);
	return err;
}

/* ---- questions by message ---- */

struct question {
	struct nlmsghdr head;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg address;
	};
};

/* Called with each message of the answer. */
typedef void take_message(void *context, const struct nlmsghdr *h);

/* Passes on the messages in len bytes of an answer. 1 once the answer is complete, 0 before, or a negative errno. */
static int take_part(struct nlmsghdr *h, size_t len, uint32_t question, take_message *take, void *context)
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

/* Sends a question and passes on its answer. 0 or a negative errno. */
static int question(int route, struct question *q, int type, int flags, take_message *take, void *context)
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

/* The attribute of that type among those in len bytes; NULL if there is none. */
static const struct rtattr *attribute(const struct rtattr *a, size_t len, int type)
{
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
	return NULL;
}

static const struct rtattr *link_attribute(const struct nlmsghdr *h, int type)
{
	return attribute(IFLA_RTA((struct ifinfomsg *)NLMSG_DATA(h)), IFLA_PAYLOAD(h), type);
}

static void take_xdp(void *context, const struct nlmsghdr *h)
{
	const struct rtattr *xdp = link_attribute(h, IFLA_XDP), *id;

	id = xdp ? attribute(RTA_DATA(xdp), RTA_PAYLOAD(xdp), IFLA_XDP_PROG_ID) : NULL;
	if (id)
		*(uint32_t *)context = *(const uint32_t *)RTA_DATA(id);
}

uint32_t interface_xdp(int route, unsigned ifindex)
{
	struct question q = {.link.ifi_index = (int)ifindex};
	uint32_t id = 0;

	return question(route, &q, RTM_GETLINK, 0, take_xdp, &id) ? 0 : id;
}

struct wanted_address {
	unsigned ifindex;
	bool found;
};

static void take_address(void *context, const struct nlmsghdr *h)
{
	struct wanted_address *wanted = context;
	const struct ifaddrmsg *address = NLMSG_DATA(h);

	wanted->found |= h->nlmsg_type == RTM_NEWADDR && address->ifa_index == wanted->ifindex;
}

bool interface_has_address(int route, unsigned ifindex)
{
	struct wanted_address wanted = {.ifindex = ifindex};
	struct question q = {.address.ifa_family = AF_UNSPEC};

	return question(route, &q, RTM_GETADDR, NLM_F_DUMP, take_address, &wanted) || wanted.found;
}

struct links {
	struct interface_found *list;
	int count, room, err;
};

static void take_link(void *context, const struct nlmsghdr *h)
{
	const struct rtattr *name = link_attribute(h, IFLA_IFNAME);
	struct links *links = context;
	struct interface_found *more;

	if (h->nlmsg_type != RTM_NEWLINK || !name || links->err)
		return;
	if (links->count == links->room) {
		more = realloc(links->list, (size_t)(2 * links->room + 16) * sizeof(*more));
		if (!more) {
			links->err = -ENOMEM;
			return;
		}
		links->list = more;
		links->room = 2 * links->room + 16;
	}
	links->list[links->count].ifindex = (unsigned)((const struct ifinfomsg *)NLMSG_DATA(h))->ifi_index;
	snprintf(links->list[links->count].name, IF_NAMESIZE, "%s", (const char *)RTA_DATA(name));
	links->count++;
}

int interface_list(int route, struct interface_found **list)
{
	struct question q = {.link.ifi_family = AF_UNSPEC};
	struct links links = {};
	int err = question(route, &q, RTM_GETLINK, NLM_F_DUMP, take_link, &links);

	err = err ? err : links.err;
	if (err) {
		free(links.list);
		return err;
	}
	*list = links.list;
	return links.count;
}
