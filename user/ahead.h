/* SPDX-License-Identifier: GPL-2.0 */
/* Programs of others that have come before ours in a tcx chain, asked for without a capability. */
#ifndef TCPFIN_AHEAD_H
#define TCPFIN_AHEAD_H

#include <stdint.h>

#include <linux/types.h>

#include "../bpf/ahead_record.h"

struct ahead;

/* programs: descriptors of ours, -1 for none. NULL, which has been said, where it cannot be had. */
struct ahead *ahead_start(const int programs[2]);
/* Safe on NULL. */
void ahead_stop(struct ahead *a);

/* Asks the kernel. 0, or a negative errno: then nothing is known. */
int ahead_look(struct ahead *a);
/* Who is the first of our link's chain, as of the last look; NULL: we are. */
const struct ahead_record *ahead_of(const struct ahead *a, uint32_t link);

#endif
