/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clsact filters, for kernels without tcx, and what killed instances have left of them.
 */
#ifndef TCPFIN_CLSACT_H
#define TCPFIN_CLSACT_H

#include <stdbool.h>

#define TCX_ORDER_TEXT 96 /* bytes of a text that says which filter comes before ours */

/* direction: 0 ingress, 1 egress. program: a descriptor. 0, or a negative errno. */
int clsact_attach(unsigned ifindex, int direction, int program);
/*
 * Are as many filters of this process there as directions were attached? before_us, by direction: the first filter there
 * where that is not this process's, else "".
 */
bool clsact_attached(unsigned ifindex, int directions, char before_us[2][TCX_ORDER_TEXT]);
/* Takes this process's filters off, and the qdisc if we made it and nobody else uses it. */
void clsact_detach(unsigned ifindex);
/* Does the same for filters whose process is gone. Returns their number, or a negative errno. */
int clsact_clean(unsigned ifindex);

#endif
