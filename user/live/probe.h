/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --probe: what this host offers to a watch, and what is lost without each.
 */
#ifndef TCPFIN_PROBE_H
#define TCPFIN_PROBE_H

#include "user/cli/options.h"

/*
 * Tries each feature and prints a line about it. On the interfaces named, every hook is attached and detached at once;
 * nothing is left attached, and no program of others is replaced. Returns an exit code; EXIT_PERMISSION without the
 * rights to try. Errors have been logged.
 */
int probe_run(const struct options *options);

#endif
