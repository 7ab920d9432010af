/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clsact filters, for kernels without tcx, and removing those that killed instances have left.
 */
#ifndef TCPFIN_CLSACT_H
#define TCPFIN_CLSACT_H

#include <stdbool.h>

#define TCX_ORDER_TEXT 96 /* bytes of a text on which filter or program comes before ours */

/* Attaches a filter. direction: 0 ingress, 1 egress. program: a descriptor. 0, or a negative errno. */
int clsact_attach(unsigned ifindex, int direction, int program);
/*
 * Are `directions` filters of this process still attached? before_us is set, by direction, to a text on the first
 * filter there if that is not this process's, else to "". True, and nothing set, if the kernel cannot be asked.
 */
bool clsact_attached(unsigned ifindex, int directions, char before_us[2][TCX_ORDER_TEXT]);
/*
 * Removes this process's filters, and the qdisc if an instance of ours made it and nobody else uses it. Needs no
 * memory.
 */
void clsact_detach(unsigned ifindex);
/* Removes the filters of processes that have ended, and the qdisc likewise. Returns how many, or a negative errno. */
int clsact_clean(unsigned ifindex);
/* Logs how many clsact_clean has removed. */
void clsact_note_removed(const char *interface, int removed);

#endif
