// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each slot has its turn once a second, and the kernel is asked at most once a second. So an answer comes at most two
 * seconds behind the repetition that it is about, and it bears its time.
 */
#include "user/live/attempts.h"

#include <errno.h>
#include <stdlib.h>

#include "bpf/core/flow_log.h"

/* Under a flood of SYNs the others wait for the next turn: a host may have thousands of listeners to look through. */
#define MOST_A_TURN 128

int attempts_begin(struct attempts *a, uint32_t slots)
{
	a->list = calloc(slots, sizeof(*a->list));
	return a->list ? 0 : -ENOMEM;
}

void attempts_free(struct attempts *a)
{
	free(a->list);
	listeners_free(&a->listeners);
	*a = (struct attempts){0};
}

/*
 * How often the destination has let something wait: SYNs that it did not answer or, where its queue became full behind
 * its SYN-ACK, SYN-ACKs that it repeated to a source that had answered.
 */
static uint32_t repetitions(const struct flow_slot *slot)
{
	uint64_t word = __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE);
	const struct flow_open *o = &slot->open;

	if (!word_phase(word) || word & (PHASE_REPORTED | PHASE_MIDSTREAM) || !(o->seen & OPEN_SYN))
		return 0;
	if (!(o->seen & OPEN_SYNACK))
		return o->syn_copies;
	return o->seen & OPEN_ACK ? o->synack_copies : 0;
}

static struct listener ask(struct attempts *a, const struct flow_slot *slot, uint64_t now)
{
	unsigned to = !(slot->open.source & 1);
	const struct listener_query q = {
		.addr = slot->addr[to],
		.port = slot->port[to],
		.family = slot->family,
		.ifindex = slot->ifindex,
	};

	listeners_refresh(&a->listeners, now);
	return listeners_find(&a->listeners, &q);
}

/* A queue that was full once explains the wait, whatever it is later. Returns whether a listener was looked for. */
static bool look_at(struct attempts *a, uint32_t n, const struct flow_slot *slot, uint64_t now)
{
	struct attempt *attempt = &a->list[n];
	uint32_t copies = repetitions(slot);
	struct listener answer;

	if (!copies || (attempt->t_syn == slot->open.t_syn && attempt->copies == copies))
		return false;
	if (attempt->t_syn != slot->open.t_syn)
		*attempt = (struct attempt){.t_syn = slot->open.t_syn};
	answer = ask(a, slot, now);
	if (!(slot->open.seen & OPEN_ACK) && answer.time < slot->open.t_ack)
		return true; /* the kernel was asked before that SYN came: again in the next turn */
	attempt->copies = copies;
	if (answer.state && attempt->listener.state != LISTENER_FULL)
		attempt->listener = answer;
	return true;
}

void attempts_scan(struct attempts *a, const struct flow_tables *t, uint32_t first, uint32_t end, uint64_t now)
{
	unsigned asked = 0;

	for (uint32_t n = first; n < end && asked < MOST_A_TURN; n++)
		asked += look_at(a, n, &t->slots[n], now);
}

const struct listener *attempts_listener(const struct attempts *a, uint32_t slot, const struct flow *f)
{
	const struct attempt *attempt = &a->list[slot];

	if (!(f->open.seen & OPEN_SYN) || !(f->open.syn_copies | f->open.synack_copies))
		return NULL; /* nothing had to be repeated: what is listed is not worth fetching */
	return attempt->t_syn == f->open.t_syn && attempt->listener.state ? &attempt->listener : NULL;
}
