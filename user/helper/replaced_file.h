/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that is replaced as a whole again and again: readers find what was written last, and never half of it. The
 * new content goes into a draft beside it, .NAME.tmp, which then takes its name. The helper keeps the right to do so
 * after the program has given up its own.
 */
#ifndef TCPFIN_REPLACED_FILE_H
#define TCPFIN_REPLACED_FILE_H

#include "user/base/buffer.h"
#include "user/cli/options.h"

enum replaced_file { REPLACED_METRICS, REPLACED_REPORT, REPLACED_FILES };

/*
 * Call before helper_start and after output_start, once for a file. path is the caller's, and stays. 0 or a negative
 * errno, for output_fault: one is that it is something else than a file, or one that is used otherwise.
 */
int replaced_file_start(enum replaced_file file, const char *path, const struct options *options);
/* Can it be written? Makes a draft and removes it; the file stays as it is. 0 or a negative errno. */
int replaced_file_try(enum replaced_file file);
/* Replaces the content. 0 or a negative errno, and then the file is as it was. */
int replaced_file_write(enum replaced_file file, const struct buffer *content);

#endif
