// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A namespace is known by its device and inode number: it may have several names and many processes. At most two are
 * open at a time, however many there are.
 */
#define _GNU_SOURCE 1 /* setns */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/log.h"
#include "user/sockets/net_namespaces.h"

#define PROCESSES "/proc"

struct visits {
	net_namespace_visit *visit;
	void *context;
	int home; /* this thread's own namespace; -1: nothing is entered */
	struct seen {
		dev_t device;
		ino_t inode;
	} * seen; /* owned */
	size_t count, room;
};

static bool is_seen(const struct visits *v, const struct stat *s)
{
	for (size_t i = 0; i < v->count; i++)
		if (v->seen[i].inode == s->st_ino && v->seen[i].device == s->st_dev)
			return true;
	return false;
}

/* 0 or -ENOMEM */
static int see(struct visits *v, const struct stat *s)
{
	struct seen *more;

	if (v->count == v->room) {
		more = realloc(v->seen, (2 * v->room + 16) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		v->seen = more;
		v->room = 2 * v->room + 16;
	}
	v->seen[v->count++] = (struct seen){s->st_dev, s->st_ino};
	return 0;
}

/* Sockets that were made in the wrong namespace would be a lie: who cannot come home does not go on. */
static void go_home(const struct visits *v)
{
	if (!setns(v->home, CLONE_NEWNET))
		return;
	log_error("cannot return to the first network namespace: %s", strerror(errno));
	abort();
}

/* Visits the namespace behind fd, unless that was done. */
static int visit_open(struct visits *v, int fd, const char *name)
{
	struct net_namespace namespace;
	struct stat s;
	int err;

	if (fstat(fd, &s))
		return -errno;
	if (is_seen(v, &s))
		return 0;
	if (v->home >= 0 && setns(fd, CLONE_NEWNET))
		return -errno;
	snprintf(namespace.name, sizeof(namespace.name), "%s", name);
	namespace.inode = (uint32_t)s.st_ino;
	namespace.device = s.st_dev;
	err = see(v, &s);
	err = err ? err : v->visit(v->context, &namespace);
	if (v->home >= 0)
		go_home(v);
	return err;
}

static int visit_path(struct visits *v, const char *path, const char *name)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err; /* a FIFO may lie there */

	if (fd < 0)
		return -errno;
	err = visit_open(v, fd, name);
	close(fd);
	return err;
}

static bool is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

/* Visits the namespace of that name, or of that process. */
static int visit_one(struct visits *v, const char *name)
{
	char path[NAME_MAX + 32];
	int err;

	if (strlen(name) > NAME_MAX || strchr(name, '/') || *name == '.')
		return -ENOENT;
	snprintf(path, sizeof(path), NET_NAMESPACES_NAMED "/%s", name);
	err = visit_path(v, path, name);
	if (err != -ENOENT || !is_number(name))
		return err == -EINVAL ? -ENOENT : err; /* a file that is no namespace */
	snprintf(path, sizeof(path), PROCESSES "/%s/ns/net", name);
	return visit_path(v, path, name);
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
	unsigned long x = strtoul((*a)->d_name, NULL, 10), y = strtoul((*b)->d_name, NULL, 10);

	return (x > y) - (x < y);
}

static int wants_number(const struct dirent *entry)
{
	return is_number(entry->d_name);
}

static int wants_name(const struct dirent *entry)
{
	return *entry->d_name != '.';
}

/* Could the namespace not be entered, while others may? It ended, is no namespace, or belongs to another user's. */
static bool is_closed(int err)
{
	return err == -ENOENT || err == -ESRCH || err == -EINVAL || err == -EACCES || err == -EPERM;
}

/* Visits what the directory names. tail: of the path behind each name. */
static int visit_directory(struct visits *v, const char *directory, int (*wants)(const struct dirent *),
			   int (*order)(const struct dirent **, const struct dirent **), const char *tail)
{
	struct dirent **list;
	char path[NAME_MAX + 64];
	int count = scandir(directory, &list, wants, order), err = 0;

	if (count < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s%s", directory, list[i]->d_name, tail);
		if (!err)
			err = visit_path(v, path, list[i]->d_name);
		if (is_closed(err))
			err = 0;
		free(list[i]);
	}
	free(list);
	return err;
}

static int visit_all(struct visits *v)
{
	int err = visit_directory(v, NET_NAMESPACES_NAMED, wants_name, alphasort, "");

	return err ? err : visit_directory(v, PROCESSES, wants_number, by_number, "/ns/net");
}

int net_namespaces_visit(const char *which, net_namespace_visit *visit, void *context)
{
	struct visits v = {.visit = visit, .context = context};
	int err;

	v.home = open(PROCESSES "/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (v.home < 0)
		return -errno;
	err = setns(v.home, CLONE_NEWNET) ? -errno : 0; /* without the right, before anything is passed over */
	if (!err)
		err = strcmp(which, "all") ? visit_one(&v, which) : visit_all(&v);
	close(v.home);
	free(v.seen);
	return err;
}

int net_namespaces_list(const char *which, net_namespace_visit *visit, void *context)
{
	struct visits v = {.visit = visit, .context = context, .home = -1};
	int err = strcmp(which, "all") ? visit_one(&v, which) : visit_all(&v);

	free(v.seen);
	return err;
}
