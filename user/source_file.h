/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Connections of a capture file, through the same core as live ones.
 */
#ifndef TCPFIN_SOURCE_FILE_H
#define TCPFIN_SOURCE_FILE_H

#include "reporter.h"

/*
 * Reads to the end of the file, a signal, --duration of packet time or -c. Returns an exit code; errors have been
 * said, after what the file had until then has been reported. counters: COUNTERS of them, filled in.
 */
int source_file_run(struct reporter *reporter, const struct options *options, uint64_t *counters);

#endif
