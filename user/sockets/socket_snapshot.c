// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which end is the server: the local one if its port has a listener; else the peer, if the local port is one that
 * connect() may choose; else the end with the lower port, as in records of connections whose handshake was not seen.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/sockets/socket_snapshot.h"

static int by_port(const void *a, const void *b)
{
	const struct tcp_socket *x = a, *y = b;

	return (int)x->local.port - (int)y->local.port;
}

static bool any_address(const struct socket_end *end)
{
	static const uint8_t any[16];

	return !memcmp(end->ip, any, sizeof(any));
}

/* A listener on :: also accepts IPv4, unless IPV6_V6ONLY is set. */
static bool listens_for(const struct tcp_socket *listener, const struct tcp_socket *s)
{
	if (any_address(&listener->local))
		return listener->family == s->family || (listener->family == 6 && !listener->v6only);
	return listener->family == s->family && !memcmp(listener->local.ip, s->local.ip, sizeof(s->local.ip));
}

static const struct tcp_socket *find_listener(const struct tcp_sockets *listeners, const struct tcp_socket *s)
{
	size_t low = 0, high = listeners->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (listeners->list[middle].local.port < s->local.port)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < listeners->count && listeners->list[low].local.port == s->local.port; low++)
		if (listens_for(&listeners->list[low], s))
			return &listeners->list[low];
	return NULL;
}

static bool local_is_source(const struct socket_snapshot *snapshot, const struct snapshot_entry *e)
{
	if (e->listener)
		return false;
	if (local_ports_inside(&snapshot->ports, e->socket->local.port))
		return true;
	return e->socket->local.port >= e->socket->peer.port;
}

static void describe(const struct socket_snapshot *snapshot, struct snapshot_entry *e)
{
	const struct socket_end *source, *destination;

	e->listener = find_listener(&snapshot->listeners, e->socket);
	e->pair.family = e->socket->family;
	e->pair.local_is_source = local_is_source(snapshot, e);
	source = e->pair.local_is_source ? &e->socket->local : &e->socket->peer;
	destination = e->pair.local_is_source ? &e->socket->peer : &e->socket->local;
	e->pair.port = destination->port;
	memcpy(e->pair.source, source->ip, sizeof(source->ip));
	memcpy(e->pair.destination, destination->ip, sizeof(destination->ip));
}

static bool passes(const struct filter *filter, const struct tcp_socket *s)
{
	const struct filter_end ends[2] = {{s->local.ip, s->local.port}, {s->peer.ip, s->peer.port}};

	return filter_passes(filter, s->family, ends);
}

int socket_snapshot_sort(struct socket_snapshot *s, const struct filter *filter)
{
	if (s->listeners.count)
		qsort(s->listeners.list, s->listeners.count, sizeof(*s->listeners.list), by_port);
	s->entries = calloc(s->sockets.count + 1, sizeof(*s->entries));
	if (!s->entries)
		return -ENOMEM;
	for (size_t i = 0; i < s->sockets.count; i++) {
		if (!passes(filter, &s->sockets.list[i]))
			continue;
		s->entries[s->count].socket = &s->sockets.list[i];
		s->entries[s->count].of = s;
		describe(s, &s->entries[s->count++]);
	}
	return 0;
}

/* The settings of the namespace that this thread is in. */
static void read_settings(struct snapshot_settings *settings)
{
	long fin_timeout = local_setting("tcp_fin_timeout"); /* s */

	*settings = (struct snapshot_settings){
		.fin_timeout = fin_timeout < 0 ? 0 : (uint32_t)fin_timeout * 1000,
		.max_tw_buckets = local_setting("tcp_max_tw_buckets"),
		.tw_reuse = local_setting("tcp_tw_reuse"),
	};
}

static int take_one(struct socket_snapshot *s, uint32_t states, const struct filter *filter)
{
	int err;

	local_ports_read(&s->ports);
	read_settings(&s->settings);
	err = sock_diag_read(&s->sockets, states);
	err = err ? err : sock_diag_read(&s->listeners, SOCKETS_IN(TCP_LISTEN));
	return err ? err : socket_snapshot_sort(s, filter);
}

/* What is taken in each namespace, and where the next one goes. */
struct taking {
	struct socket_snapshot *into, **last;
	uint32_t states;
	const struct filter *filter;
};

static int take_next(void *context, const struct net_namespace *namespace)
{
	struct taking *t = context;
	struct socket_snapshot *s = t->into;

	if (!s)
		s = *t->last = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	t->into = NULL;
	t->last = &s->next;
	s->namespace = *namespace;
	return take_one(s, t->states, t->filter);
}

int socket_snapshot_take(struct socket_snapshot *s, uint32_t states, const struct filter *filter, const char *netns)
{
	struct taking t = {.into = s, .states = states, .filter = filter};

	*s = (struct socket_snapshot){0};
	return netns ? net_namespaces_visit(netns, take_next, &t) : take_one(s, states, filter);
}

static void free_one(struct socket_snapshot *s)
{
	sock_diag_free(&s->sockets);
	sock_diag_free(&s->listeners);
	free(s->entries);
	s->entries = NULL;
	s->count = 0;
}

void socket_snapshot_free(struct socket_snapshot *s)
{
	struct socket_snapshot *next;

	free_one(s);
	for (struct socket_snapshot *other = s->next; other; other = next) {
		next = other->next;
		free_one(other);
		free(other);
	}
	s->next = NULL;
}

size_t socket_snapshot_count(const struct socket_snapshot *s)
{
	size_t count = 0;

	for (; s; s = s->next)
		count += s->count;
	return count;
}

void socket_snapshot_json(struct buffer *out, const struct socket_snapshot *s)
{
	if (!*s->namespace.name)
		return;
	buffer_text(out, ",\"netns\":{\"name\":");
	buffer_json_string(out, s->namespace.name);
	buffer_printf(out, ",\"inode\":%u}", s->namespace.inode);
}

const char *host_pair_type(const struct host_pair *pair)
{
	return pair->family == 4 ? "ipv4" : "ipv6";
}
