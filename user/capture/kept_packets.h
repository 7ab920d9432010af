/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The second reading of captures, for -w: the packets of the connections that were reported.
 */
#ifndef TCPFIN_KEPT_PACKETS_H
#define TCPFIN_KEPT_PACKETS_H

#include "user/capture/capture_files.h"
#include "user/flight/flight.h"

/*
 * Before anything is read, and before rights are given up: gives a spool to each file that cannot be read twice, such
 * as a pipe. 0 or a negative errno with a line in error. Nothing without flight.
 */
int kept_packets_prepare(const struct flight *flight, struct capture_files *files, char *error, size_t size);
/* Reads the first `count` packets again, and writes those that are kept. end: ns, when the captures end. */
void kept_packets_write(struct flight *flight, struct capture_files *files, uint64_t count, uint64_t end);

#endif
