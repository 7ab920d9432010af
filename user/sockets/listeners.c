// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sock_diag tells a listener's queue and backlog, and needs no right. A host that routes sees SYNs to others' ports, so
 * the addresses of this host are asked for as well.
 */
#include "user/sockets/listeners.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>

#include "user/base/address.h"
#include "user/base/clock.h"
#include "user/base/route_question.h"

#define ADDRESSES 32 /* for which memory is got at a time */

/* ---- what the kernel says ---- */

static void add_address(struct listeners *l, const struct local_address *address)
{
	struct local_address *more = l->local;

	if (l->local_count % ADDRESSES == 0)
		more = realloc(l->local, (l->local_count + ADDRESSES) * sizeof(*l->local));
	if (!more) {
		l->short_of_memory = true;
		return;
	}
	l->local = more;
	l->local[l->local_count++] = *address;
}

/* Of an IPv4 address IFA_ADDRESS may be the other end's; IPv6 has IFA_LOCAL only where it differs. */
static void take_address(void *context, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	const struct rtattr *local = route_attribute(IFA_RTA(m), IFA_PAYLOAD(h), IFA_LOCAL);
	const struct rtattr *a = local ? local : route_attribute(IFA_RTA(m), IFA_PAYLOAD(h), IFA_ADDRESS);
	int family = m->ifa_family == AF_INET ? 4 : m->ifa_family == AF_INET6 ? 6 : 0;
	size_t size = family == 4 ? 4 : 16;
	struct listeners *l = context;
	uint8_t ip[16] = {0};

	if (h->nlmsg_type != RTM_NEWADDR || !family || !a || RTA_PAYLOAD(a) < size)
		return;
	memcpy(ip, RTA_DATA(a), size);
	add_address(l, &(struct local_address){.addr = address_from_bytes(ip, family), .family = (uint8_t)family});
}

/* False: they cannot be had. */
static bool read_addresses(struct listeners *l)
{
	struct route_question q = {.address.ifa_family = AF_UNSPEC};
	int route = route_open(), err = route;

	if (route >= 0) {
		err = route_ask(route, &q, RTM_GETADDR, NLM_F_DUMP, take_address, l);
		close(route);
	}
	return !err && !l->short_of_memory;
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
