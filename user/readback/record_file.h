/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The records of a file of JSON lines, one after another.
 */
#ifndef TCPFIN_RECORD_FILE_H
#define TCPFIN_RECORD_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "user/base/input_file.h"
#include "user/record/record.h"

#define RECORD_LINE_MOST (256 * 1024) /* bytes of a line; our own have at most some 10,000 */

struct record_file;

/*
 * Opens path ("-": standard input; not copied), packed or not, and reads nothing of it yet; waits for a FIFO's writer.
 * 0, or a negative errno with one line in error. -EINTR: a signal has asked to stop.
 */
int record_file_open(struct record_file **file, const char *path, char *error, size_t error_size);
/* The records of what `in` gives, which stays the caller's. 0, or -ENOMEM with one line in error. */
int record_file_over(struct record_file **file, struct input_file *in, char *error, size_t error_size);
/*
 * The next record, of a connection or a stray: 1, 0 at the end of the file, or a negative errno with a line in error,
 * which names the file and the number of the line that is broken. *record and its texts are good until the next call.
 * -EINTR as above.
 */
int record_file_next(struct record_file *file, const struct record **record, char *error, size_t error_size);
/* Lines so far that hold no record: well-formed JSON of other datasets. */
uint64_t record_file_others(const struct record_file *file);
/* Values so far in records that this version does not know. *first: the path of the first one, the file's. */
uint64_t record_file_unknown(const struct record_file *file, const char **first);
void record_file_close(struct record_file *file); /* NULL is nothing */

#endif
