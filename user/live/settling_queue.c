// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "user/live/settling_queue.h"

#define FIRST_ROOM 1024

void settling_queue_free(struct settling_queue *s)
{
	free(s->flow);
	*s = (struct settling_queue){0};
}

static struct settling_flow *at(const struct settling_queue *s, uint32_t i)
{
	return &s->flow[(s->first + i) & (s->room - 1)];
}

static bool grow(struct settling_queue *s)
{
	uint32_t room = s->room ? 2 * s->room : FIRST_ROOM;
	struct settling_flow *flow = room > s->room ? reallocarray(NULL, room, sizeof(*flow)) : NULL;

	if (!flow)
		return false;
	for (uint32_t i = 0; i < s->count; i++)
		flow[i] = *at(s, i);
	free(s->flow);
	s->flow = flow;
	s->room = room;
	s->first = 0;
	return true;
}

bool settling_queue_append(struct settling_queue *s, const struct flow_key *key, uint64_t due)
{
	if (s->count == s->room && !grow(s))
		return false;
	*at(s, s->count++) = (struct settling_flow){*key, due};
	return true;
}

bool settling_queue_prepend(struct settling_queue *s, const struct flow_key *key)
{
	if (s->count == s->room && !grow(s))
		return false;
	s->first--;
	s->count++;
	*at(s, 0) = (struct settling_flow){*key, 0};
	return true;
}

bool settling_queue_take(struct settling_queue *s, uint64_t now, struct flow_key *key)
{
	if (!s->count || at(s, 0)->due > now)
		return false;
	*key = at(s, 0)->key;
	s->first++;
	s->count--;
	return true;
}
