// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Limits of this process that a watch would not fit into: descriptors (RLIMIT_NOFILE) and memory (cgroup).
 */
#include <fcntl.h>
#include <sys/resource.h>

#include "user/base/exit_code.h"
#include "user/base/log.h"
#include "user/base/memory_room.h"
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

int limits_check_memory(uint64_t table_bytes)
{
	uint64_t limit = memory_limit();

	if (limit >= table_bytes + PROGRAM_BYTES)
		return EXIT_FINE;
	log_error("no memory for tables of %llu MiB and the program's %llu: the limit of its cgroup is %llu MiB; lower "
		  "--max-flows, --max-closing or --ring",
		  (unsigned long long)(table_bytes >> 20), PROGRAM_BYTES >> 20, (unsigned long long)(limit >> 20));
	return EXIT_RUNTIME;
}
