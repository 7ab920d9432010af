// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Limits and use of the memory cgroups that this process is in, of either version; see cgroups(7).
 */
#include "user/base/memory_room.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CGROUP_PATH 4096

static const struct version {
	const char *root, *limit, *use; /* files of a group */
	const char *cached[2];          /* lines of its memory.stat: files that the kernel gives up when it must */
} versions[] = {
	{"/sys/fs/cgroup/memory",
	 "memory.limit_in_bytes",
	 "memory.usage_in_bytes",
	 {"total_inactive_file ", "total_active_file "}},
	{"/sys/fs/cgroup", "memory.max", "memory.current", {"inactive_file ", "active_file "}},
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The number behind that beginning of a line of the file; UINT64_MAX where there is none ("max"). */
static uint64_t number_in(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	char line[128], *end = NULL;
	size_t length = strlen(name);
	uint64_t value = UINT64_MAX;

	while (file && value == UINT64_MAX && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, length))
			value = strtoull(line + length, &end, 10);
		value = end == line + length ? UINT64_MAX : value;
	}
	if (file)
		(void)fclose(file);
	return value;
}

/* The same of a file of a group. */
static uint64_t number_of(const struct version *v, const char *group, const char *file, const char *name)
{
	char path[2 * CGROUP_PATH];

	(void)snprintf(path, sizeof(path), "%s%s/%s", v->root, group, file);
	return number_in(path, name);
}

static uint64_t limit_of(const struct version *v, const char *group)
{
	return number_of(v, group, v->limit, "");
}

static uint64_t room_of(const struct version *v, const char *group)
{
	uint64_t limit = limit_of(v, group), use = number_of(v, group, v->use, ""), cached;

	if (limit == UINT64_MAX || use == UINT64_MAX)
		return limit;
	for (int i = 0; i < 2; i++) {
		cached = number_of(v, group, "memory.stat", v->cached[i]);
		use -= cached == UINT64_MAX ? 0 : least(cached, use);
	}
	return limit - least(use, limit);
}

/* The least that a group and those that it is in say. group: its path, which is cut. */
static uint64_t least_of_all(const struct version *v, char *group,
			     uint64_t (*say)(const struct version *v, const char *group))
{
	char *end = group + strlen(group);
	uint64_t lowest = UINT64_MAX;

	do {
		*end = 0;
		lowest = least(lowest, say(v, group));
		end = strrchr(group, '/');
	} while (end);
	return lowest;
}

/* What the groups say that a line of /proc/self/cgroup leads to, "hierarchy:controllers:path". */
static uint64_t least_of_line(char *line, uint64_t (*say)(const struct version *v, const char *group))
{
	char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!path)
		return UINT64_MAX;
	path[strcspn(path, "\n")] = 0;
	*path++ = 0;
	if (!strcmp(controllers, ":memory"))
		return least_of_all(&versions[0], path, say);
	return controllers[1] ? UINT64_MAX : least_of_all(&versions[1], path, say);
}

static uint64_t ask_groups(uint64_t (*say)(const struct version *v, const char *group))
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	uint64_t lowest = UINT64_MAX;
	char line[CGROUP_PATH];

	while (file && fgets(line, sizeof(line), file))
		lowest = least(lowest, least_of_line(line, say));
	if (file)
		(void)fclose(file);
	return lowest;
}

uint64_t memory_limit(void)
{
	return ask_groups(limit_of);
}

uint64_t memory_room(void)
{
	uint64_t available = number_in("/proc/meminfo", "MemAvailable:"),
		 swap = number_in("/proc/meminfo", "SwapFree:");

	if (available != UINT64_MAX)
		available = (available + (swap == UINT64_MAX ? 0 : swap)) << 10;
	return least(ask_groups(room_of), available);
}
