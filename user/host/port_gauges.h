/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TIME-WAIT and local ports as metrics, from the kernel's list of this host's sockets.
 */
#ifndef TCPFIN_PORT_GAUGES_H
#define TCPFIN_PORT_GAUGES_H

#include "user/cli/options.h"
#include "user/monitoring/metrics.h"

/*
 * Fills in now->ports. The list of many sockets takes long, so that it is asked for at most every five seconds; in
 * between, and where the kernel does not say, it stays as it is.
 */
void port_gauges_observe(const struct options *options, struct metrics_now *now);

#endif
