/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What enum counter's members are called wherever users meet them.
 */
#ifndef TCPFIN_COUNTERS_H
#define TCPFIN_COUNTERS_H

#include <stdint.h>

#include "bpf/core/flow_event.h"

extern const char *const counter_names[COUNTERS];

/* What should have been recorded and was not. */
uint64_t counters_lost(const uint64_t counters[COUNTERS]);

#endif
