/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names of the counters wherever users meet them: in the summary, in --stats, in the documents.
 */
#ifndef TCPFIN_COUNTERS_H
#define TCPFIN_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/core/flow_event.h"

extern const char *const counter_names[COUNTERS]; /* by enum counter; none is NULL */

/* Does the counter tell how this program works, and nothing about connections that a user would act on? */
bool counter_is_internal(unsigned counter);

/* Does the counter count connections that should have been reported, or exported, and were not? */
bool counter_is_loss(unsigned counter);

/* The sum of those counters. */
uint64_t counters_lost(const uint64_t counters[COUNTERS]);

#endif
