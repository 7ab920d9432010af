/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel says of the interfaces of one network namespace: the one in which the netlink socket `route` was
 * made, wherever the caller is. Of all sockets only a netlink socket can send nothing to anybody but the kernel, so the
 * sandbox allows no other kind that sends. if_nametoindex(3) and if_indextoname(3) take a datagram socket, and so fail
 * in the sandbox.
 */
#ifndef TCPFIN_INTERFACE_QUERY_H
#define TCPFIN_INTERFACE_QUERY_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

/* ioctl(2) `request` on the interface of that name, which is set in *ifr. 0 or a negative errno. */
int interface_ioctl(int route, const char *name, unsigned long request, struct ifreq *ifr);

/* The interface's number; 0: there is none of that name, or it cannot be asked for. */
unsigned interface_index(int route, const char *name);

/* Sets name. 0, -ENODEV where no interface has that number, or another negative errno. */
int interface_name(int route, unsigned ifindex, char name[IF_NAMESIZE]);

/* The id of the XDP program that is attached to the interface, in whichever mode; 0: none, or it cannot be asked. */
uint32_t interface_xdp(int route, unsigned ifindex);

/* Has the interface an IPv4 or IPv6 address, link-local ones included? True as well if the kernel cannot be asked. */
bool interface_has_address(int route, unsigned ifindex);

struct interface_found {
	unsigned ifindex;
	char name[IF_NAMESIZE];
};

/* Sets *list to all interfaces, to be freed by the caller. Returns how many, or a negative errno and no list. */
int interface_list(int route, struct interface_found **list);

#endif
