// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "settling.h"

#define FIRST_ROOM 1024

void settling_free(struct settling *s)
{
	free(s->flow);
	*s = (struct settling){0};
}

static struct settling_flow *at(const struct settling *s, uint32_t i)
{
	return &s->flow[(s->first + i) & (s->room - 1)];
}

static bool grow(struct settling *s)
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

bool settling_append(struct settling *s, const struct flow_key *key, uint64_t due)
{
	if (s->count == s->room && !grow(s))
		return false;
	*at(s, s->count++) = (struct settling_flow){*key, due};
	return true;
}

bool settling_prepend(struct settling *s, const struct flow_key *key)
{
	if (s->count == s->room && !grow(s))
		return false;
	s->first--;
	s->count++;
	*at(s, 0) = (struct settling_flow){*key, 0};
	return true;
}

bool settling_take(struct settling *s, uint64_t now, struct flow_key *key)
{
	if (!s->count || at(s, 0)->due > now)
		return false;
	*key = at(s, 0)->key;
	s->first++;
	s->count--;
	return true;
}
