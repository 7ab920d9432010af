/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel says of an interface. Each question goes through a netlink socket: of all sockets only such a one can
 * send nothing to anybody but the kernel, so the sandbox allows no other kind that sends. if_nametoindex(3) and
 * if_indextoname(3) take a datagram socket, and so fail in the sandbox.
 */
#ifndef TCPFIN_INTERFACE_QUERY_H
#define TCPFIN_INTERFACE_QUERY_H

#include <net/if.h>
#include <stdbool.h>

/* ioctl(2) `request` on the interface of that name, which is set in *ifr. 0 or a negative errno. */
int interface_ioctl(const char *name, unsigned long request, struct ifreq *ifr);

/* The interface's number; 0: there is none of that name, or it cannot be asked for. */
unsigned interface_index(const char *name);

/* Sets name. 0, -ENODEV where no interface has that number, or another negative errno. */
int interface_name(unsigned ifindex, char name[IF_NAMESIZE]);

#endif
