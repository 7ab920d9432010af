/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One direction of a connection at one interface and the other direction at another: asymmetric routes, two uplinks,
 * members of a bond. The recorder then has two slots, each of which has heard one side, and to each the connection
 * seems to open for ever. Both logs together are judged as one.
 */
#ifndef TCPFIN_HALF_VIEWS_H
#define TCPFIN_HALF_VIEWS_H

#include "bpf/core/stray.h"
#include "user/judge/flow_views.h"

/* Beside an index that has begun: 0 or -ENOMEM. It is freed with the index. */
int half_views_begin(struct flow_views *v);

/*
 * Judges the connection in slot n as flow_tables_judge does; where only one side of it was heard and another interface
 * has heard the other one, with both: j->half names that slot.
 */
bool half_views_judge(const struct flow_views *v, const struct flow_tables *t, uint32_t n, struct judged *j,
		      uint64_t *word);

/*
 * Does the view in slot n, of which `one` is made, agree with a connection that was judged with both sides? It has
 * heard one of them, and says nothing of the other one.
 */
bool half_views_agree(const struct flow *both, const struct flow *one, const struct flow_tables *t, uint32_t n);

/*
 * Takes an RST of no connection that was seen at those interfaces: the slot + 1 of a SYN at another one that it
 * answers, one a call, with which it is judged from here on; 0: no more. last: what the last call returned, at first 0.
 */
uint32_t half_views_answer(struct flow_views *v, const struct flow_tables *t, const struct stray *x,
			   const struct flow_interfaces *at, uint32_t last);

#endif
