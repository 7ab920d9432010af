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

int directory_of(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX] = ".";
	int fd;

	*name = slash ? slash + 1 : path;
	if (slash && (size_t)(slash - path) + 2 > sizeof(directory))
		return -ENAMETOOLONG;
	if (slash) {
		memcpy(directory, path, (size_t)(slash - path) + 1);
		directory[slash - path + 1] = '\0';
	}
	fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
