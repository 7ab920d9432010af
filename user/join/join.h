/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --join: files of records of several agents -> one record for each connection.
 */
#ifndef TCPFIN_JOIN_H
#define TCPFIN_JOIN_H

#include "user/cli/options.h"

/* Reads the files of options, and writes to standard output. Returns an exit code. */
int join_run(const struct options *options);

#endif
