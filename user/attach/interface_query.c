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
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

#include "user/base/route_question.h"

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

static const struct rtattr *link_attribute(const struct nlmsghdr *h, int type)
{
	return route_attribute(IFLA_RTA((struct ifinfomsg *)NLMSG_DATA(h)), IFLA_PAYLOAD(h), type);
}

static void take_xdp(void *context, const struct nlmsghdr *h)
{
	const struct rtattr *xdp = link_attribute(h, IFLA_XDP), *id;

	id = xdp ? route_attribute(RTA_DATA(xdp), RTA_PAYLOAD(xdp), IFLA_XDP_PROG_ID) : NULL;
	if (id)
		*(uint32_t *)context = *(const uint32_t *)RTA_DATA(id);
}

uint32_t interface_xdp(int route, unsigned ifindex)
{
	struct route_question q = {.link.ifi_index = (int)ifindex};
	uint32_t id = 0;

	return route_ask(route, &q, RTM_GETLINK, 0, take_xdp, &id) ? 0 : id;
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
	struct route_question q = {.address.ifa_family = AF_UNSPEC};

	return route_ask(route, &q, RTM_GETADDR, NLM_F_DUMP, take_address, &wanted) || wanted.found;
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
	struct route_question q = {.link.ifi_family = AF_UNSPEC};
	struct links links = {};
	int err = route_ask(route, &q, RTM_GETLINK, NLM_F_DUMP, take_link, &links);

	err = err ? err : links.err;
	if (err) {
		free(links.list);
		return err;
	}
	*list = links.list;
	return links.count;
}
