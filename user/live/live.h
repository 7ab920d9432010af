/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections of live interfaces: loads and attaches the BPF programs, collects what has ended and settled, and hands
 * it to the reporter.
 */
#ifndef TCPFIN_LIVE_H
#define TCPFIN_LIVE_H

#include "user/reporter.h"

/*
 * Watches until a signal (SIGINT, SIGTERM, SIGHUP), --duration, -c or the loss of the last interface. Returns an exit
 * code; errors have been said. Nothing is left attached. counters: COUNTERS of them, filled in at the end.
 */
int live_run(struct reporter *reporter, const struct options *options, uint64_t *counters);

#endif
