// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sock_diag tells a listener's queue and backlog, and needs no right. A host that routes sees SYNs to others' ports, so
 * the addresses of this host are asked for as well.
 */
#include "user/sockets/listeners.h"

#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include "user/base/address.h"
#include "user/base/clock.h"

/* ---- what the kernel says ---- */

static bool take_address(struct local_address *to, const struct sockaddr *from)
{
	uint8_t ip[16] = {0};

	if (!from || (from->sa_family != AF_INET && from->sa_family != AF_INET6))
		return false;
	to->family = from->sa_family == AF_INET ? 4 : 6;
	if (to->family == 4)
		memcpy(ip, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
	else
		memcpy(ip, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
	to->addr = address_from_bytes(ip, to->family);
	return true;
}

/* False: they cannot be had. */
static bool read_addresses(struct listeners *l)
{
	struct ifaddrs *all;
	size_t count = 0;

	if (getifaddrs(&all))
		return false;
	for (const struct ifaddrs *a = all; a; a = a->ifa_next)
		count++;
	l->local = calloc(count + 1, sizeof(*l->local));
	for (const struct ifaddrs *a = all; l->local && a; a = a->ifa_next)
		l->local_count += take_address(&l->local[l->local_count], a->ifa_addr);
	freeifaddrs(all);
	return l->local;
}

void listeners_refresh(struct listeners *l, uint64_t now)
{
	if (l->time && now - l->time < SECOND_NS)
		return;
	listeners_free(l);
	l->time = now;
	l->failed = !read_addresses(l) || sock_diag_read(&l->list, SOCKETS_IN(TCP_LISTEN));
}

void listeners_free(struct listeners *l)
{
	sock_diag_free(&l->list);
	free(l->local);
	*l = (struct listeners){0};
}

/* ---- whose SYN it is ---- */

static bool is_local(const struct listeners *l, const struct listener_query *q)
{
	if (q->family == 4 && q->addr.lo >> 24 == IN_LOOPBACKNET)
		return true;
	for (size_t i = 0; i < l->local_count; i++)
		if (l->local[i].family == q->family && address_equal(&l->local[i].addr, &q->addr))
			return true;
	return false;
}

/* How exactly the listener's end is the one that was asked for: the kernel takes the highest; 0: it is another one. */
static unsigned fitness(const struct tcp_socket *s, const struct listener_query *q)
{
	struct ip_address addr = address_from_bytes(s->local.ip, s->family), any = {0};

	if (s->local.port != q->port || (s->device && s->device != q->ifindex))
		return 0;
	if (!address_equal(&addr, &any))
		return s->family == q->family && address_equal(&addr, &q->addr) ? 6 + !!s->device : 0;
	if (s->family == q->family)
		return 4 + !!s->device;
	return q->family == 4 && !s->v6only ? 2 + !!s->device : 0; /* a socket of IPv6 that takes IPv4 as well */
}

static bool is_full(const struct tcp_socket *s)
{
	return s->unread > s->unacked; /* sk_acceptq_is_full() */
}

struct listener listeners_find(const struct listeners *l, const struct listener_query *q)
{
	struct listener found = {.time = l->time};
	const struct tcp_socket *best = NULL;
	unsigned fits = 0, full = 0, count = 0;

	if (l->failed || !l->time || !is_local(l, q))
		return found;
	for (size_t i = 0; i < l->list.count; i++) {
		const struct tcp_socket *s = &l->list.list[i];
		unsigned fit = fitness(s, q);

		if (!fit || fit < fits)
			continue;
		if (fit > fits)
			full = count = 0;
		fits = fit;
		count++;
		full += is_full(s);
		best = s;
	}
	if (best && full && full < count)
		return found;
	found.state = !best ? LISTENER_NONE : full ? LISTENER_FULL : LISTENER_READY;
	if (best) {
		found.queue = best->unread;
		found.backlog = best->unacked;
		found.uid = best->uid;
		found.inode = best->inode;
	}
	return found;
}
