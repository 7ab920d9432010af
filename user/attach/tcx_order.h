/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of others that have come before ours in a tcx chain, asked for without a capability. */
#ifndef TCPFIN_TCX_ORDER_H
#define TCPFIN_TCX_ORDER_H

#include <stdint.h>

#include <linux/types.h>

#include "bpf/tcx_order_record.h"

struct tcx_order;

/* programs: descriptors of ours, -1 for none. NULL, which has been said, where it cannot be had. */
struct tcx_order *tcx_order_start(const int programs[2]);
/* Safe on NULL. */
void tcx_order_stop(struct tcx_order *a);

/* Asks the kernel. 0, or a negative errno: then nothing is known. */
int tcx_order_look(struct tcx_order *a);
/* Who is the first of our link's chain, as of the last look; NULL: we are. */
const struct tcx_order_record *tcx_order_of(const struct tcx_order *a, uint32_t link);

#endif
