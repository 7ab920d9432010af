// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The same segment at another interface follows within the time that a host takes to forward it. An RST that its sender
 * repeats comes by the same interface, and is another one.
 */
#include "user/live/stray_queue.h"

#include <errno.h>
#include <stdlib.h>

#include "user/base/address.h"
#include "user/base/clock.h"

#define FORWARDED_NS (100 * MS_NS)

int stray_queue_begin(struct stray_queue *q)
{
	q->list = calloc(STRAY_QUEUE, sizeof(*q->list));
	return q->list ? 0 : -ENOMEM;
}

void stray_queue_free(struct stray_queue *q)
{
	free(q->list);
	q->list = NULL;
}

bool stray_queue_put(struct stray_queue *q, const struct stray *x)
{
	if (!q->list || q->in - q->out == STRAY_QUEUE)
		return false;
	q->list[q->in++ % STRAY_QUEUE] = *x;
	return true;
}

/* One that was taken with another stray has no interface any more. */
static bool is_taken(const struct stray *x)
{
	return !x->ifindex;
}

/* A router lowers the TTL, and a VLAN device takes away the tag. */
static bool is_same_segment(const struct stray *a, const struct stray *b)
{
	return address_equal(&a->src, &b->src) && address_equal(&a->dst, &b->dst) && a->family == b->family &&
	       a->sport == b->sport && a->dport == b->dport && a->seq == b->seq && a->ack == b->ack &&
	       a->len == b->len && a->win == b->win && a->ip_id == b->ip_id && a->flags == b->flags &&
	       a->tunnel == b->tunnel;
}

/* Is the interface another one than those, and of their network namespace? */
static bool is_new_view(const struct stray_queue *q, const struct flow_interfaces *at, uint32_t ifindex)
{
	for (unsigned i = 0; i < RECORD_INTERFACES && at->number[i]; i++)
		if (at->number[i] == ifindex || !q->one_network(q->context, at->number[i], ifindex))
			return false;
	return true;
}

/* Takes the views of x from the queue. Returns how many they are; as many as there is room for are in at. */
static int take_views(struct stray_queue *q, const struct stray *x, struct flow_interfaces *at)
{
	unsigned count = 1;

	for (uint32_t n = q->out; n != q->in; n++) {
		struct stray *other = &q->list[n % STRAY_QUEUE];

		if (other->head.time > x->head.time + FORWARDED_NS)
			break;
		if (is_taken(other) || !is_same_segment(x, other) || !is_new_view(q, at, other->ifindex))
			continue;
		if (count < RECORD_INTERFACES)
			at->number[count] = other->ifindex;
		count++;
		other->ifindex = 0;
	}
	return (int)count - 1;
}

int stray_queue_take(struct stray_queue *q, uint64_t until, struct stray *x, struct flow_interfaces *at)
{
	while (q->out != q->in && is_taken(&q->list[q->out % STRAY_QUEUE]))
		q->out++;
	if (q->out == q->in || q->list[q->out % STRAY_QUEUE].head.time > until)
		return -1;
	*x = q->list[q->out++ % STRAY_QUEUE];
	*at = (struct flow_interfaces){{x->ifindex}};
	return take_views(q, x, at);
}
