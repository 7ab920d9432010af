/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arrays and trees that grow while files are read.
 */
#ifndef TCPFIN_GROWN_H
#define TCPFIN_GROWN_H

#include <search.h>
#include <stdlib.h>

#include "user/base/exit_code.h"
#include "user/base/log.h"

/* Exits with a message where memory is short: nothing could be joined. */
static inline void *had(void *memory)
{
	if (memory)
		return memory;
	log_error("out of memory for records");
	exit(EXIT_RUNTIME);
}

/* The array with room for that many elements. */
static inline void *grown(void *old, size_t count, size_t size)
{
	return had(reallocarray(old, count, size));
}

/* The element of a tree that equals the key; NULL without one. */
static inline void *tree_find(void *const *tree, const void *key, int (*compare)(const void *, const void *))
{
	void *const *found = tfind(key, tree, compare);

	return found ? *found : NULL;
}

/* Adds an element that equals none yet. Hostile files cannot make a tree slow, as they could a table by hash. */
static inline void tree_add(void **tree, void *element, int (*compare)(const void *, const void *))
{
	had(tsearch(element, tree, compare));
}

#endif
