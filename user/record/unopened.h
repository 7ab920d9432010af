/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tunnels that are not opened: what is inside them is in no record, so that they were seen is said, once a kind.
 */
#ifndef TCPFIN_UNOPENED_H
#define TCPFIN_UNOPENED_H

#include <stdint.h>

#include "bpf/core/flow_event.h"

/* Logs a note for each kind that was counted and is not in *said, a set of bits that starts as 0. */
void unopened_note(const uint64_t counters[COUNTERS], unsigned *said);

#endif
