/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What enum counter's members are called wherever users meet them.
 */
#ifndef TCPFIN_COUNTERS_H
#define TCPFIN_COUNTERS_H

#include "../bpf/core/record.h"

extern const char *const counter_names[COUNTERS];

#endif
