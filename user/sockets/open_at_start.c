// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where both ends are on this host, each of them has a socket. One whose port has a listener knows best; if neither
 * has, and they do not agree, nothing is known.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/address.h"
#include "user/sockets/open_at_start.h"

#define NOT_TOLD (-1)

#define OPEN_STATES                                                                            \
	(SOCKETS_IN(TCP_ESTABLISHED) | SOCKETS_IN(TCP_FIN_WAIT1) | SOCKETS_IN(TCP_FIN_WAIT2) | \
	 SOCKETS_IN(TCP_CLOSE_WAIT) | SOCKETS_IN(TCP_LAST_ACK) | SOCKETS_IN(TCP_CLOSING))

struct open_connection {
	struct ip_address addr[2]; /* as in the flow key */
	uint16_t port[2];
	uint8_t family;
	bool certain; /* a listener told */
	bool ended;
	int source;        /* side, NOT_TOLD */
	uint32_t inode[2]; /* of the socket at each side; 0: it has none, or is not ours */
};

static int compare_number(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_key(const void *a, const void *b)
{
	const struct open_connection *x = a, *y = b;
	int order = compare_number(x->family, y->family);

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
	uint32_t side = flow_side_of(&sent); /* ours */
	struct open_connection c = {
		.addr = {side ? sent.dst : sent.src, side ? sent.src : sent.dst},
		.port = {side ? sent.dport : sent.sport, side ? sent.sport : sent.dport},
		.family = s->family,
		.certain = e->listener,
		.source = (int)(e->pair.local_is_source ? side : !side),
	};

	c.inode[side] = s->inode;
	return c;
}

static void merge(struct open_connection *a, const struct open_connection *b)
{
	if (a->certain == b->certain && a->source != b->source)
		a->source = NOT_TOLD;
	else if (b->certain && !a->certain)
		a->source = b->source;
	a->certain |= b->certain;
	for (int side = 0; side < 2; side++)
		if (!a->inode[side])
			a->inode[side] = b->inode[side];
}

int open_at_start_from(struct open_at_start *k, const struct socket_snapshot *snapshot)
{
	size_t kept = 0;

	k->count = 0;
	k->list = calloc(snapshot->count + 1, sizeof(*k->list));
	if (!k->list)
		return -ENOMEM;
	for (size_t i = 0; i < snapshot->count; i++)
		k->list[i] = connection_of(&snapshot->entries[i]);
	qsort(k->list, snapshot->count, sizeof(*k->list), by_key);
	for (size_t i = 0; i < snapshot->count; i++) {
		if (kept && !by_key(&k->list[kept - 1], &k->list[i]))
			merge(&k->list[kept - 1], &k->list[i]);
		else
			k->list[kept++] = k->list[i];
	}
	k->count = kept;
	return 0;
}

int open_at_start_read(struct open_at_start *k)
{
	const struct filter all = {0};
	struct socket_snapshot snapshot;
	int err = socket_snapshot_take(&snapshot, OPEN_STATES, &all);

	*k = (struct open_at_start){0};
	err = err ? err : open_at_start_from(k, &snapshot);
	socket_snapshot_free(&snapshot);
	return err;
}

int open_at_start_find_holders(struct open_at_start *k, const char *proc)
{
	for (size_t i = 0; i < k->count; i++)
		for (int side = 0; side < 2; side++)
			if (socket_holders_want(&k->holders, k->list[i].inode[side]))
				return -ENOMEM;
	return socket_holders_search(&k->holders, proc);
}

static struct open_connection *find_known(const struct open_at_start *k, const struct flow_key *key)
{
	const struct open_connection wanted = {
		.addr = {key->addr[0], key->addr[1]},
		.port = {key->port[0], key->port[1]},
		.family = key->family,
	};
	struct open_connection *found = NULL;

	if (k->count)
		found = bsearch(&wanted, k->list, k->count, sizeof(wanted), by_key);
	return found && !found->ended ? found : NULL;
}

int open_at_start_source(const struct open_at_start *k, const struct flow_key *key)
{
	const struct open_connection *found = find_known(k, key);

	return found ? found->source : NOT_TOLD;
}

const struct process *open_at_start_holder(const struct open_at_start *k, const struct flow_key *key, unsigned side,
					   unsigned *holders)
{
	const struct open_connection *found = find_known(k, key);

	return socket_holders_of(&k->holders, found ? found->inode[side] : 0, holders);
}

void open_at_start_ended(struct open_at_start *k, const struct flow_key *key)
{
	struct open_connection *found = find_known(k, key);

	if (found)
		found->ended = true;
}

void open_at_start_free(struct open_at_start *k)
{
	free(k->list);
	socket_holders_free(&k->holders);
	*k = (struct open_at_start){0};
}
