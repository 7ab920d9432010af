/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names of cgroups by their numbers. The kernel's programs note the number alone; it must still have its names once
 * the cgroup is gone. So all paths are read at the start, and from then on the kernel tells what changes.
 */
#ifndef TCPFIN_CGROUP_PATHS_H
#define TCPFIN_CGROUP_PATHS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/socket_event.h"
#include "user/sockets/cgroup_identity.h"

#define CGROUPS_MAX 65536 /* that are known at a time */
#define CGROUPS_GONE 4096 /* of these, that have been removed: the latest ones */

/* What a process runs in. NULL: not known. Names may hold any bytes but slash and NUL. */
struct cgroup_names {
	const char *unit;      /* of systemd: "nginx.service" */
	const char *container; /* its id, or the name that its manager knows it by */
	const char *pod;       /* its uid */
};

struct cgroup_paths;

/* Empty; NULL without memory. */
struct cgroup_paths *cgroup_paths_new(void);
void cgroup_paths_free(struct cgroup_paths *p);

/*
 * Reads all cgroups below the places where cgroup file systems are mounted. mounts: "/proc/self/mountinfo". Returns
 * how many could not be kept, because there are too many.
 */
unsigned cgroup_paths_read(struct cgroup_paths *p, const char *mounts);
/* What the kernel tells. */
void cgroup_paths_change(struct cgroup_paths *p, const struct cgroup_news *news);

/*
 * The names of a process or socket by its cgroups' numbers, 0 for one that it has none of: those of both hierarchies
 * together, version 2 first. They are valid until the next change.
 */
struct cgroup_names cgroup_paths_find(const struct cgroup_paths *p, uint64_t unified, uint32_t legacy);

/* The names in an identity, which must outlive them. */
struct cgroup_names cgroup_names_of(const struct cgroup_identity *identity);

/* Is there a hierarchy of version 1 that has "pids"? text: of /proc/self/cgroup. */
bool cgroup_paths_has_legacy(const char *text);

#endif
