/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said of a connection beside its packets: verdict, process and sentence, and at which segment.
 */
#ifndef TCPFIN_PACKET_COMMENT_H
#define TCPFIN_PACKET_COMMENT_H

#include "user/base/buffer.h"
#include "user/record/record.h"

/* Appends a line with ends and verdict, one with each process that the record names, and the sentence. */
void packet_comment_put(struct buffer *out, const struct record *r);
/*
 * The segment that decided: an RST that ended the connection, or the last acknowledgment of a graceful close; else the
 * last one listed. NULL where none is.
 */
const struct record_segment *packet_comment_place(const struct record *r);

/*
 * The comments of connections as the comment of a section: how many there are, and as many of the comments as it holds.
 */
struct comment_list {
	struct buffer text;
	uint64_t count, left_out;
};

/* comment: NULL where it is not known. */
void comment_list_add(struct comment_list *list, const char *comment);
/* Empties it. */
void comment_list_clear(struct comment_list *list);
/* what: behind the number of connections; it ends with a NUL. */
void comment_list_put(struct buffer *out, const struct comment_list *list, const char *what);

#endif
