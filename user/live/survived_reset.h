/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An RST is seen where it passes the interface. Behind that a packet filter of this host may drop it (rules against
 * forged RSTs do), so that the socket never has it: the kernel is asked for its word before such an RST is reported.
 */
#ifndef TCPFIN_SURVIVED_RESET_H
#define TCPFIN_SURVIVED_RESET_H

#include "user/judge/judge.h"
#include "user/sockets/socket_events.h"

/*
 * Has the socket of this host that the connection's RST was sent to not taken it? False as well where that socket is
 * none of this network namespace, or is not known. netns: inode number of the interface's.
 */
bool survived_reset(struct socket_events *s, const struct judged *j, uint32_t netns);

#endif
