// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel answers requests on interfaces (netdevice(7)) on a socket of any family.
 */
#include "user/attach/interface_query.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/sockios.h>

static int ask(unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), err = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, request, ifr))
		err = -errno;
	close(fd);
	return err;
}

int interface_ioctl(const char *name, unsigned long request, struct ifreq *ifr)
{
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
	return ask(request, ifr);
}

unsigned interface_index(const char *name)
{
	struct ifreq ifr = {};

	if (strlen(name) >= IF_NAMESIZE)
		return 0;
	return interface_ioctl(name, SIOCGIFINDEX, &ifr) ? 0 : (unsigned)ifr.ifr_ifindex;
}

int interface_name(unsigned ifindex, char name[IF_NAMESIZE])
{
	struct ifreq ifr = {.ifr_ifindex = (int)ifindex};
	int err = ask(SIOCGIFNAME, &ifr);

	if (!err)
		memcpy(name, ifr.ifr_name, IF_NAMESIZE);
	return err;
}
