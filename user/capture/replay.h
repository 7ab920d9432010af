/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections of a capture file, through the same core as live ones.
 */
#ifndef TCPFIN_REPLAY_H
#define TCPFIN_REPLAY_H

#include "user/reporter.h"

/*
 * Reads to the end of the file, a signal, --duration of packet time or -c. Returns an exit code; errors have been
 * said, after what the file had until then has been reported. counters: COUNTERS of them, filled in.
 */
int replay_run(struct reporter *reporter, const struct options *options, uint64_t *counters);

#endif
