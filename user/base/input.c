// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Opening a FIFO waits for a writer, which a signal may end.
 */
#include "user/base/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "user/base/stop.h"

int input_open(const char *path, const char **name)
{
	int fd;

	if (!strcmp(path, "-")) {
		*name = "standard input";
		return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	}
	*name = path;
	do
		fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd < 0 && errno == EINTR && stop_go_on());
	return fd;
}
