// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A side process holds nothing of the program but what it was given.
 */
#define _GNU_SOURCE 1 /* close_range */
#include "user/base/side_process.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

void side_process_begin(const char *name)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGPIPE};

	prctl(PR_SET_NAME, name);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void side_process_close_others(int *kept, unsigned count)
{
	unsigned first = 0;

	qsort(kept, count, sizeof(*kept), by_number);
	for (unsigned i = 0; i < count; i++) {
		if ((unsigned)kept[i] > first)
			close_range(first, (unsigned)kept[i] - 1, 0);
		first = (unsigned)kept[i] + 1;
	}
	close_range(first, ~0U, 0);
}
