/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Visiting network namespaces: by a name of ip-netns(8), by a process that is in it, or all that are known here.
 */
#ifndef TCPFIN_NET_NAMESPACES_H
#define TCPFIN_NET_NAMESPACES_H

#include <limits.h>
#include <stdint.h>

#define NET_NAMESPACES_NAMED "/run/netns"

struct net_namespace {
	char name[NAME_MAX + 1]; /* of /run/netns, else the lowest number of a process in it; both lead there again */
	uint32_t inode;          /* number of the namespace in /proc/PID/ns/net */
	uint64_t device;         /* both together are unique */
};

/* Called inside the namespace, which is only lent. 0, or a negative errno, which ends the visits. */
typedef int net_namespace_visit(void *context, const struct net_namespace *namespace);

/*
 * Visits the namespace `which`, or with "all" each that has a name or a process, once, those with a name first. A file
 * /run/netns/NAME wins over a process of that number. The calling thread is back in its own namespace afterwards. It
 * needs CAP_SYS_ADMIN.
 *
 * 0, -ENOENT where there is no such namespace, -EPERM without the right, another negative errno, or what a visit
 * returned. With "all", namespaces that end meanwhile, or whose owner lets nobody in, are passed over.
 */
int net_namespaces_visit(const char *which, net_namespace_visit *visit, void *context);
/* The same without entering any: visit is called in the caller's own namespace. */
int net_namespaces_list(const char *which, net_namespace_visit *visit, void *context);

#endif
