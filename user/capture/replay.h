/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections of a capture file, through the same core as live ones.
 */
#ifndef TCPFIN_REPLAY_H
#define TCPFIN_REPLAY_H

#include "user/reporter.h"

/*
 * Reads to the end of the file, a signal, --duration of packet time or -c, and reports what was read until then.
 * Returns an exit code; errors have been logged. counters: COUNTERS of them, counted up as packets are read.
 */
int replay_run(struct reporter *reporter, const struct options *options, uint64_t *counters);

#endif
