/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where records go: standard output. Whatever becomes of it, it ends with a whole line.
 */
#ifndef TCPFIN_SINK_H
#define TCPFIN_SINK_H

#include "user/base/buffer.h"

/*
 * Writes the whole buffer and empties it, waiting where the descriptor does not take it at once. 0, -EPIPE when the
 * reader has gone, or another negative errno.
 */
int sink_write(int fd, struct buffer *b);

/*
 * Of a large buffer, writes what ends at a multiple of SINK_BLOCK in the file, and keeps the rest: a file takes whole
 * blocks of its cache for less than two thirds of what pieces of them cost. The last line may stand there in part then.
 */
int sink_write_blocks(int fd, struct buffer *b);
#define SINK_BLOCK 65536 /* a power of two */

#endif
