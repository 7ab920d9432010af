/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's notifications that interfaces of a network namespace have come, gone or changed (rtnetlink(7)).
 */
#ifndef TCPFIN_INTERFACE_NEWS_H
#define TCPFIN_INTERFACE_NEWS_H

#include <stdbool.h>

/*
 * From now on the kernel notes there what becomes of the interfaces of the namespace in which the netlink socket was
 * made. 0 or a negative errno.
 */
int interface_news_subscribe(int socket);
/*
 * Has anything come since the last call? What it was is for the caller to ask: notifications may have been dropped,
 * which counts as news.
 */
bool interface_news_taken(int socket);

#endif
