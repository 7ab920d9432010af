/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that is replaced as a whole again and again: readers find what was written last, and never half of it. The
 * new content goes into a draft beside it, .NAME.tmp, which then takes its name. A helper process keeps the right to
 * do so after the program has given up its own.
 */
#ifndef TCPFIN_REPLACED_FILE_H
#define TCPFIN_REPLACED_FILE_H

#include "user/base/buffer.h"

struct replaced_file {
	int helper;
};

/* Starts the helper; call before rights are given up. path is not kept. 0 or a negative errno. */
int replaced_file_start(struct replaced_file *f, const char *path);
/* Replaces the content. 0 or a negative errno, and then the file is as it was. */
int replaced_file_write(const struct replaced_file *f, const struct buffer *content);

#endif
