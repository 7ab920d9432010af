// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * To be preloaded: realloc() fails as soon as there is a file whose path is in FAIL_REALLOC. What only malloc() and
 * calloc() give is still had, so that the program comes as far as its own growing buffers.
 */
#define _GNU_SOURCE 1 /* RTLD_NEXT */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void *realloc(void *memory, size_t size)
{
	static void *(*real)(void *, size_t);
	const char *path = getenv("FAIL_REALLOC");
	int err = errno; /* of the caller: a look for the file must not change it */

	if (path && !access(path, F_OK)) {
		errno = ENOMEM;
		return NULL;
	}
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "realloc");
	errno = err;
	return real(memory, size);
}
