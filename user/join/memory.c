// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory is asked for as if there were enough of it; the kernel kills who uses more than there is. So the limits are
 * looked at again whenever a quarter of what was left is taken.
 */
#define _GNU_SOURCE 1 /* tdestroy */

#include "user/join/memory.h"

#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/exit_code.h"
#include "user/base/log.h"
#include "user/base/memory_room.h"

#define RESERVE (8ULL << 20) /* bytes that are left for all else */
#define NODE 64              /* bytes of a tree's node, and of what malloc() adds, at most */
#define MIB(bytes) ((unsigned long long)(bytes) >> 20)

static uint64_t taken;     /* bytes, by arrays, texts and nodes */
static uint64_t looked_at; /* taken may become as much before the limits are looked at */

static _Noreturn void end_short(uint64_t room)
{
	uint64_t limit = memory_limit();

	if (limit == UINT64_MAX)
		log_error("out of memory for records: they take %llu MiB, and %llu MiB are left", MIB(taken),
			  MIB(room));
	else
		log_error("out of memory for records: they take %llu MiB, and %llu MiB are left; the cgroup's limit is "
			  "%llu MiB",
			  MIB(taken), MIB(room), MIB(limit));
	exit(EXIT_RUNTIME);
}

/* Exits if so many bytes more may be too many. Sorting, and pages that are not used yet, take a part of the others. */
static void take(size_t bytes)
{
	uint64_t room, needed;

	taken += bytes;
	if (taken < looked_at)
		return;
	room = memory_room();
	needed = bytes + RESERVE + taken / 16;
	if (room < needed)
		end_short(room);
	looked_at = taken + (room - needed) / 4;
}

static void *had(void *memory)
{
	if (memory)
		return memory;
	log_error("out of memory for records");
	exit(EXIT_RUNTIME);
}

void *memory_array(size_t count, size_t size)
{
	take(count * size);
	return had(calloc(count ? count : 1, size));
}

void *memory_grown(void *array, size_t count, size_t *room, size_t size)
{
	size_t more = *room / 8 + 16;

	if (count < *room)
		return array;
	take(more * size);
	*room += more;
	return had(reallocarray(array, *room, size));
}

char *memory_copy(const char *text)
{
	take(strlen(text) + NODE);
	return had(strdup(text));
}

void *tree_find(void *const *tree, const void *key, int (*compare)(const void *, const void *))
{
	void *const *found = tfind(key, tree, compare);

	return found ? *found : NULL;
}

void tree_add(void **tree, void *element, int (*compare)(const void *, const void *))
{
	take(NODE);
	had(tsearch(element, tree, compare));
}

void tree_free(void *tree)
{
	tdestroy(tree, free);
}
