// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tracepoints tell of each RST that a socket takes, and of each change of its state. What they have not told is
 * asked of the kernel's list of sockets, which needs no right.
 */
#include "user/live/survived_reset.h"

#include "user/base/address.h"
#include "user/judge/verdict.h"
#include "user/sockets/sock_diag.h"

/* Was a socket of this host asked when the RST came? */
static bool asked_socket(const struct judged *j)
{
	const struct flow_reset *reset = &j->flow.reset;

	for (unsigned i = 0; i < j->flow.log_len; i++)
		if (j->log[i].time == reset->time && j->log[i].side == reset->side && j->log[i].flags & TCP_RST)
			return j->log[i].mark & SEGMENT_SOCKET;
	return false;
}

static struct socket_end end_of(const struct flow_key *key, unsigned side)
{
	struct socket_end end = {.port = key->port[side]};

	address_to_bytes(end.ip, &key->addr[side], key->family);
	return end;
}

/* Does the kernel have the socket, in a state in which an RST would have ended it? */
static bool is_alive(const struct flow_key *key, unsigned side)
{
	const struct socket_end local = end_of(key, side), peer = end_of(key, !side);
	int state = sock_diag_state(key->family, &local, &peer);

	return state > 0 && state != TCP_TIME_WAIT && state != TCP_CLOSE && state != TCP_LISTEN;
}

bool survived_reset(struct socket_events *s, const struct judged *j, uint32_t netns)
{
	const struct flow_reset *reset = &j->flow.reset;
	unsigned receiver = !(reset->side & 1);
	struct socket_query query = socket_query_of(&j->key, &j->flow, netns);
	const struct closing_socket *socket;
	struct socket_join join;

	if (!s || reset->fate & RESET_FILTERED || !asked_socket(j))
		return false;
	query.reset.seen = false; /* why it was sent is the record's question */
	join = socket_events_find(s, &query);
	socket = join.side[receiver];
	if (join.lost[receiver] || (socket && socket->reset_received))
		return false;
	if (join.side[!receiver] && join.side[!receiver]->netns == netns)
		return false; /* this host has sent it: the other end is hardly here as well */
	if (socket && socket->step_count && socket->entered[0] > reset->time)
		return socket->states[0] != TCP_CLOSE; /* its own close; to CLOSE it may be the RST's doing */
	if (socket && socket->step_count && socket->states[socket->step_count - 1] == TCP_CLOSE)
		return false;
	return is_alive(&j->key, receiver);
}
