// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Splits a path at its last slash.
 */
#define _GNU_SOURCE 1 /* O_PATH */
#include "user/helper/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

int directory_of(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX] = ".";
	int fd, above;

	*name = slash ? slash + 1 : path;
	if (slash && (size_t)(slash - path) + 2 > sizeof(directory))
		return -ENAMETOOLONG;
	if (slash) {
		memcpy(directory, path, (size_t)(slash - path) + 1);
		directory[slash - path + 1] = '\0';
	}
	fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); /* the helper closes those below */
	above = above < 0 ? -errno : above;
	close(fd);
	return above;
}
