/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a cgroup's path says of the processes in it: the systemd unit, the container, the pod. It asks nobody: managers
 * write these names into the path, each in a form of its own.
 */
#ifndef TCPFIN_CGROUP_IDENTITY_H
#define TCPFIN_CGROUP_IDENTITY_H

#include <limits.h>

#define CGROUP_POD 37 /* a UUID as text, its NUL included */

/* "" for what the path does not say. Names may hold any bytes but slash and NUL. */
struct cgroup_identity {
	char unit[NAME_MAX + 1];      /* the innermost one: "nginx.service", "session-4.scope" */
	char slice[NAME_MAX + 1];     /* the innermost one: "system.slice" */
	char container[NAME_MAX + 1]; /* its id, or the name that its manager knows it by; the innermost one */
	char pod[CGROUP_POD];         /* its uid, with dashes as Kubernetes writes it */
};

/*
 * text: all of /proc/PID/cgroup, a line a hierarchy. The unified one says most where it is used; beside it, or in its
 * place, may be those of version 1, of which systemd's own comes first.
 */
void cgroup_identity_of_process(struct cgroup_identity *identity, const char *text);
/* path: within its hierarchy. */
void cgroup_identity_read(struct cgroup_identity *identity, const char *path);

#endif
