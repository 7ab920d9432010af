// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where both ends are on this host, each of them has a socket. A socket whose port has a listener decides which end
 * opened the connection; if neither port has one and the sockets disagree, that is unknown.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/address.h"
#include "user/sockets/open_at_start.h"

#define SOURCE_UNKNOWN (-1)

#define OPEN_STATES                                                                            \
	(SOCKETS_IN(TCP_ESTABLISHED) | SOCKETS_IN(TCP_FIN_WAIT1) | SOCKETS_IN(TCP_FIN_WAIT2) | \
	 SOCKETS_IN(TCP_CLOSE_WAIT) | SOCKETS_IN(TCP_LAST_ACK) | SOCKETS_IN(TCP_CLOSING))

struct open_connection {
	struct ip_address addr[2]; /* as in the flow key */
	uint16_t port[2];
	uint32_t netns; /* inode number of its namespace; 0: no namespace was asked for */
	uint8_t family;
	bool certain; /* a listener shows which side opened it */
	bool ended;
	int source;        /* the side that opened it, or SOURCE_UNKNOWN */
	uint32_t inode[2]; /* of each side's socket; 0: it has none, or the side is another host */
	uint8_t unclosed;  /* bits of the sides whose socket had sent no FIN */
};

static int compare_number(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_key(const void *a, const void *b)
{
	const struct open_connection *x = a, *y = b;
	int order = compare_number(x->netns, y->netns);

	order = order ? order : compare_number(x->family, y->family);

	for (int side = 0; side < 2 && !order; side++) {
		order = compare_number(x->addr[side].hi, y->addr[side].hi);
		order = order ? order : compare_number(x->addr[side].lo, y->addr[side].lo);
		order = order ? order : compare_number(x->port[side], y->port[side]);
	}
	return order;
}

static struct open_connection connection_of(const struct snapshot_entry *e)
{
	const struct tcp_socket *s = e->socket;
	struct tcp_segment sent = {
		.src = address_from_bytes(s->local.ip, s->family),
		.dst = address_from_bytes(s->peer.ip, s->family),
		.sport = s->local.port,
		.dport = s->peer.port,
	};
	uint32_t side = flow_side_of(&sent); /* the local end's */
	struct open_connection c = {
		.addr = {side ? sent.dst : sent.src, side ? sent.src : sent.dst},
		.port = {side ? sent.dport : sent.sport, side ? sent.sport : sent.dport},
		.netns = e->of ? e->of->namespace.inode : 0,
		.family = s->family,
		.certain = e->listener,
		.source = (int)(e->pair.local_is_source ? side : !side),
	};

	c.inode[side] = s->inode;
	if (SOCKETS_IN(s->state) & (SOCKETS_IN(TCP_ESTABLISHED) | SOCKETS_IN(TCP_CLOSE_WAIT)))
		c.unclosed = (uint8_t)(1u << side);
	return c;
}

/* Merges what the socket of the other end shows of the same connection. */
static void merge(struct open_connection *a, const struct open_connection *b)
{
	if (a->certain == b->certain && a->source != b->source)
		a->source = SOURCE_UNKNOWN;
	else if (b->certain && !a->certain)
		a->source = b->source;
	a->certain |= b->certain;
	a->unclosed |= b->unclosed;
	for (int side = 0; side < 2; side++)
		if (!a->inode[side])
			a->inode[side] = b->inode[side];
}

int open_at_start_from(struct open_at_start *o, const struct socket_snapshot *snapshot)
{
	size_t kept = 0, count = 0;

	o->count = 0;
	o->list = calloc(socket_snapshot_count(snapshot) + 1, sizeof(*o->list));
	if (!o->list)
		return -ENOMEM;
	for (; snapshot; snapshot = snapshot->next)
		for (size_t i = 0; i < snapshot->count; i++)
			o->list[count++] = connection_of(&snapshot->entries[i]);
	qsort(o->list, count, sizeof(*o->list), by_key);
	for (size_t i = 0; i < count; i++) {
		if (kept && !by_key(&o->list[kept - 1], &o->list[i]))
			merge(&o->list[kept - 1], &o->list[i]);
		else
			o->list[kept++] = o->list[i];
	}
	o->count = kept;
	return 0;
}

int open_at_start_read(struct open_at_start *o, const char *netns)
{
	const struct filter all = {0};
	struct socket_snapshot snapshot;
	int err = socket_snapshot_take(&snapshot, OPEN_STATES, &all, netns);

	*o = (struct open_at_start){.by_namespace = netns};
	err = err ? err : open_at_start_from(o, &snapshot);
	for (size_t i = 0; i < snapshot.listeners.count && !err; i++)
		err = socket_holders_want(&o->holders, snapshot.listeners.list[i].inode);
	socket_snapshot_free(&snapshot);
	return err;
}

int open_at_start_find_holders(struct open_at_start *o, const char *proc)
{
	for (size_t i = 0; i < o->count; i++)
		for (int side = 0; side < 2; side++)
			if (socket_holders_want(&o->holders, o->list[i].inode[side]))
				return -ENOMEM;
	return socket_holders_search(&o->holders, proc);
}

static struct open_connection *find_open(const struct open_at_start *o, const struct flow_key *key, uint32_t netns)
{
	const struct open_connection wanted = {
		.addr = {key->addr[0], key->addr[1]},
		.port = {key->port[0], key->port[1]},
		.netns = o->by_namespace ? netns : 0,
		.family = key->family,
	};
	struct open_connection *found = NULL;

	if (o->count)
		found = bsearch(&wanted, o->list, o->count, sizeof(wanted), by_key);
	return found && !found->ended ? found : NULL;
}

int open_at_start_source(const struct open_at_start *o, const struct flow_key *key, uint32_t netns)
{
	const struct open_connection *found = find_open(o, key, netns);

	return found ? found->source : SOURCE_UNKNOWN;
}

unsigned open_at_start_unclosed(const struct open_at_start *o, const struct flow_key *key, uint32_t netns)
{
	const struct open_connection *found = find_open(o, key, netns);

	return found ? found->unclosed : 0;
}

const struct process *open_at_start_holder(const struct open_at_start *o, const struct flow_key *key, uint32_t netns,
					   unsigned side, unsigned *holders)
{
	const struct open_connection *found = find_open(o, key, netns);

	return socket_holders_of(&o->holders, found ? found->inode[side] : 0, holders);
}

const struct process *open_at_start_listener(const struct open_at_start *o, uint32_t inode)
{
	return socket_holders_of(&o->holders, inode, NULL);
}

void open_at_start_ended(struct open_at_start *o, const struct flow_key *key, uint32_t netns)
{
	struct open_connection *found = find_open(o, key, netns);

	if (found)
		found->ended = true;
}

void open_at_start_free(struct open_at_start *o)
{
	free(o->list);
	socket_holders_free(&o->holders);
	*o = (struct open_at_start){0};
}
