/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where records go: standard output, whole lines only.
 */
#ifndef TCPFIN_SINK_H
#define TCPFIN_SINK_H

#include "buffer.h"

/*
 * Writes the whole buffer and empties it, waiting where the descriptor does not take it at once. 0, -EPIPE when the
 * reader has gone, or another negative errno.
 */
int sink_write(int fd, struct buffer *b);

#endif
