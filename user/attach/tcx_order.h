/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which program is the first in a tcx chain that ours is in. Loading the iterator needs CAP_PERFMON; asking it needs no
 * capability.
 */
#ifndef TCPFIN_TCX_ORDER_H
#define TCPFIN_TCX_ORDER_H

#include <stdint.h>

#include <linux/types.h>

#include "bpf/tcx_order_record.h"

struct tcx_order;

/* NULL if the kernel does not let us; the reason was logged. */
struct tcx_order *tcx_order_start(void);
/* Safe on NULL. */
void tcx_order_stop(struct tcx_order *a);

/* Lists the chains anew. 0, or a negative errno: then tcx_order_of must not be relied on. */
int tcx_order_look(struct tcx_order *a);
/* The first program of the chain that the link is in, as of the last tcx_order_look; NULL: it is ours. */
const struct tcx_order_record *tcx_order_of(const struct tcx_order *a, uint32_t link);

#endif
