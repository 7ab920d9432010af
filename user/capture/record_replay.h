/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records that were written as JSON lines, through the same filters and formats as those that are made here.
 */
#ifndef TCPFIN_RECORD_REPLAY_H
#define TCPFIN_RECORD_REPLAY_H

#include "user/capture/capture_files.h"
#include "user/reporter.h"

/*
 * Reads to the end of all files, a signal, --duration of the records' time or -c; the records of several files in the
 * order of their last steps. All files hold records. Returns an exit code; errors have been logged.
 */
int record_replay(struct reporter *reporter, const struct options *options, struct capture_files *files);

#endif
