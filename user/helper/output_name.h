/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names of the files that -o writes one after another.
 */
#ifndef TCPFIN_OUTPUT_NAME_H
#define TCPFIN_OUTPUT_NAME_H

#include <limits.h>
#include <stdbool.h>
#include <time.h>

struct output_name {
	const char *form;         /* the last part of -o's path */
	bool dated;               /* form holds conversions of strftime(3) */
	unsigned number;          /* how many files had the same name before */
	char plain[NAME_MAX + 1]; /* the name without its number; "": there was none yet */
	char text[NAME_MAX + 1];  /* the name */
};

/*
 * The next file's name, in n->text: form with the local time `now` put in, and where that is the name before, a number
 * behind it (as tcpdump numbers its files: FILE, FILE1, FILE2). 0, or -EINVAL for a name that is empty or has a slash,
 * or -ENAMETOOLONG; n stays as it was then.
 */
int output_name_next(struct output_name *n, time_t now);

#endif
