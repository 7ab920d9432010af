/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --cleanup: filters of killed instances, for kernels without tcx.
 */
#ifndef TCPFIN_CLEANUP_H
#define TCPFIN_CLEANUP_H

#include "user/cli/options.h"

/* Removes them from the interfaces that are named or match, or from all. An exit code; errors have been logged. */
int cleanup_run(const struct options *options);

#endif
