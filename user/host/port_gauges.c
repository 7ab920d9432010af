// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pairs of hosts that hold the most local ports, of those that have sockets in TIME-WAIT.
 */
#include "user/host/port_gauges.h"

#include <stdlib.h>

#include "user/base/clock.h"
#include "user/format/format_parts.h"
#include "user/host/time_wait.h"

#define LOOK_NS (5 * SECOND_NS)

static int by_ports(const void *a, const void *b)
{
	const struct time_wait_group *x = a, *y = b;

	if (x->ports_in_use != y->ports_in_use)
		return x->ports_in_use < y->ports_in_use ? 1 : -1;
	return memcmp(x->pair, y->pair, sizeof(*x->pair));
}

static void copy_text(char text[METRICS_PORT_TEXT], const struct buffer *b)
{
	size_t len = b->len < METRICS_PORT_TEXT ? b->len : METRICS_PORT_TEXT - 1;

	memcpy(text, b->data, len);
	text[len] = '\0';
}

static void take_group(struct metrics_ports *p, const struct time_wait_group *g)
{
	const struct host_pair *pair = g->pair;
	struct buffer text = {0};

	format_address(&text, pair->family, pair->source);
	copy_text(p->pairs[p->count].source, &text);
	text.len = 0;
	format_endpoint(&text, pair->family, pair->destination, pair->port);
	copy_text(p->pairs[p->count].destination, &text);
	p->pairs[p->count].used = g->ports_in_use;
	p->count++;
	buffer_free(&text);
}

static void take_report(struct metrics_ports *p, struct time_wait_report *r)
{
	p->known = true;
	p->count = 0;
	p->time_wait = r->sockets;
	p->usable = r->snapshot.ports.usable;
	qsort(r->groups, r->count, sizeof(*r->groups), by_ports);
	for (size_t i = 0; i < r->count && p->count < METRICS_PORT_PAIRS; i++)
		if (r->groups[i].pair->local_is_source)
			take_group(p, &r->groups[i]);
}

void port_gauges_observe(const struct options *options, struct metrics_now *now)
{
	struct time_wait_report r = {0};

	if (now->ports.next > now->time)
		return;
	now->ports.next = now->time + LOOK_NS;
	if (!time_wait_take(&r, &options->filter, NULL))
		take_report(&now->ports, &r);
	time_wait_free(&r);
}
