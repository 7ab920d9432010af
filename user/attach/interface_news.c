// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A notification says that there is something to ask, and nothing else is read of it. Only interfaces are subscribed
 * to, no addresses and no routes.
 */
#include "user/attach/interface_news.h"

#include <errno.h>
#include <sys/socket.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

int interface_news_subscribe(int socket)
{
	struct sockaddr_nl links = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};

	return bind(socket, (struct sockaddr *)&links, sizeof(links)) ? -errno : 0;
}

bool interface_news_taken(int socket)
{
	char first[64]; /* the rest of a notification is cut off */
	bool news = false;

	while (recv(socket, first, sizeof(first), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		news = true;
	return news;
}
