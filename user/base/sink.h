/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes records to standard output. Whatever error occurs, a file ends with a whole line.
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
 * Writes as much of the buffer as ends at a multiple of SINK_BLOCK in the file, and keeps the rest: writing whole
 * blocks of the page cache costs less than two thirds of writing parts of them. The file may then end with part of a
 * line, which later writes complete. Errors as sink_write.
 */
int sink_write_blocks(int fd, struct buffer *b);
/*
 * Writes the whole buffer, which need not be lines, and empties it. Where that fails, a file ends where it ended
 * before. Errors as sink_write.
 */
int sink_write_whole(int fd, struct buffer *b);
/* Writes `len` bytes, waiting as above. *done: how many were written. 0 or a negative errno. */
int sink_write_bytes(int fd, const void *bytes, size_t len, size_t *done);
#define SINK_BLOCK 65536 /* a power of two */

#endif
