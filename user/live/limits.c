// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Limits of this process that a watch would not fit into: descriptors (RLIMIT_NOFILE) and memory (cgroup).
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "user/base/exit_code.h"
#include "user/base/log.h"
#include "user/live/limits.h"

/* ---- descriptors ---- */

/* Programs, maps, links and event files beside those of an interface: 45 were counted; others come and go. */
#define DESCRIPTORS 64
#define DESCRIPTORS_PER_INTERFACE 6 /* programs, links, the order of a tcx chain */

/* Numbers below the limit that are free, counted up to `enough`. */
static unsigned free_descriptors(rlim_t limit, unsigned enough)
{
	unsigned found = 0;

	for (int fd = 0; (rlim_t)fd < limit && found < enough; fd++)
		found += fcntl(fd, F_GETFD) < 0;
	return found;
}

int limits_check_descriptors(unsigned interfaces)
{
	unsigned need = DESCRIPTORS + DESCRIPTORS_PER_INTERFACE * interfaces, found;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return EXIT_FINE;
	found = free_descriptors(limit.rlim_cur, need);
	if (found == need)
		return EXIT_FINE;
	limit.rlim_cur = limit.rlim_max;
	if (!setrlimit(RLIMIT_NOFILE, &limit))
		found = free_descriptors(limit.rlim_cur, need);
	if (found == need)
		return EXIT_FINE;
	log_error("Too many open files: this process may open %u more, and this watch may need %u (ulimit -n)", found,
		  need);
	return EXIT_RUNTIME;
}

/* ---- memory ---- */

#define PROGRAM_BYTES (14ULL << 20) /* least seen to be enough beside the tables */
#define CGROUP_PATH 4096

/* The number in a file of a cgroup; UINT64_MAX where there is none ("max"). */
static uint64_t limit_in(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[32] = "", *end = line;
	uint64_t value = UINT64_MAX;

	if (file && fgets(line, sizeof(line), file))
		value = strtoull(line, &end, 10);
	if (file)
		(void)fclose(file);
	return end == line ? UINT64_MAX : value;
}

/* The lowest limit of a group and those that it is in. group: its path, which is cut. */
static uint64_t lowest_limit(const char *root, const char *file, char *group)
{
	char path[2 * CGROUP_PATH], *end = group + strlen(group);
	uint64_t lowest = UINT64_MAX, limit;

	do {
		*end = 0;
		(void)snprintf(path, sizeof(path), "%s%s/%s", root, group, file);
		limit = limit_in(path);
		lowest = limit < lowest ? limit : lowest;
		end = strrchr(group, '/');
	} while (end);
	return lowest;
}

/* The limit that a line of /proc/self/cgroup leads to, "hierarchy:controllers:path"; see cgroups(7). */
static uint64_t limit_of_line(char *line)
{
	char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!path)
		return UINT64_MAX;
	path[strcspn(path, "\n")] = 0;
	*path++ = 0;
	if (!strcmp(controllers, ":memory"))
		return lowest_limit("/sys/fs/cgroup/memory", "memory.limit_in_bytes", path);
	return controllers[1] ? UINT64_MAX : lowest_limit("/sys/fs/cgroup", "memory.max", path);
}

static uint64_t cgroup_limit(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	uint64_t lowest = UINT64_MAX, limit;
	char line[CGROUP_PATH];

	while (file && fgets(line, sizeof(line), file)) {
		limit = limit_of_line(line);
		lowest = limit < lowest ? limit : lowest;
	}
	if (file)
		(void)fclose(file);
	return lowest;
}

int limits_check_memory(uint64_t table_bytes)
{
	uint64_t limit = cgroup_limit();

	if (limit >= table_bytes + PROGRAM_BYTES)
		return EXIT_FINE;
	log_error("no memory for tables of %llu MiB and the program's %llu: the limit of its cgroup is %llu MiB; lower "
		  "--max-flows, --max-closing or --ring",
		  (unsigned long long)(table_bytes >> 20), PROGRAM_BYTES >> 20, (unsigned long long)(limit >> 20));
	return EXIT_RUNTIME;
}
