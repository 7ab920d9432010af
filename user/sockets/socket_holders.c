// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Links like "socket:[12345]" say which process holds which socket. There may be many more of them than we ask for, so
 * each is looked up in the sorted list of wanted inodes, and only processes that hold one are read any further.
 *
 * Processes come and go meanwhile: whatever is not there any more is passed over.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/sockets/socket_holders.h"

#define FIRST_ROOM 64
#define LINKS_AT_A_TIME 1024 /* some milliseconds */

int socket_holders_want(struct socket_holders *p, uint32_t inode)
{
	if (!inode)
		return 0;
	if (!(p->holder_count & (p->holder_count - 1))) { /* full: it grows by powers of two */
		size_t room = p->holder_count ? 2 * p->holder_count : 1;
		struct socket_holder *list = reallocarray(p->holder, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		p->holder = list;
	}
	p->holder[p->holder_count++] = (struct socket_holder){.inode = inode};
	return 0;
}

static int by_inode(const void *a, const void *b)
{
	const struct socket_holder *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

static void sort_wanted(struct socket_holders *p)
{
	size_t kept = 0;

	if (!p->holder_count)
		return;
	qsort(p->holder, p->holder_count, sizeof(*p->holder), by_inode);
	for (size_t i = 0; i < p->holder_count; i++)
		if (!kept || p->holder[kept - 1].inode != p->holder[i].inode)
			p->holder[kept++] = p->holder[i];
	p->holder_count = kept;
}

static struct socket_holder *find_wanted(const struct socket_holders *p, uint32_t inode)
{
	const struct socket_holder key = {.inode = inode};

	if (!p->holder_count)
		return NULL;
	return bsearch(&key, p->holder, p->holder_count, sizeof(key), by_inode);
}

/* Decimal digits and then `end`. False for anything else, and for what does not fit. */
static bool read_decimal(const char *text, char end, uint32_t *value)
{
	const char *p = text;
	uint32_t n = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
			return false;
	*value = n;
	return p > text && *p == end;
}

/* The inode behind a link of /proc/PID/fd, or 0 where it is no socket. denied: raised where we may not know. */
static uint32_t linked_socket(int directory, const char *name, bool *denied)
{
	static const char prefix[] = "socket:[";
	char target[64];
	ssize_t len = readlinkat(directory, name, target, sizeof(target) - 1);
	uint32_t inode;

	*denied |= len < 0 && errno == EACCES;
	if (len < 0)
		return 0;
	target[len] = '\0';
	if (strncmp(target, prefix, sizeof(prefix) - 1) != 0)
		return 0;
	return read_decimal(target + sizeof(prefix) - 1, ']', &inode) ? inode : 0;
}

static void read_name(int directory, struct process *process)
{
	int fd = openat(directory, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return;
	len = read(fd, process->name, sizeof(process->name) - 1);
	close(fd);
	if (len > 0 && process->name[len - 1] == '\n') /* the kernel's; another one in front of it is the name's */
		len--;
	process->name[len > 0 ? len : 0] = '\0';
}

/* directory: /proc/PID. The index of the process, or -ENOMEM. */
static int add_process(struct socket_holders *p, int directory, int pid)
{
	struct process *process;
	struct stat status;

	if (p->count == p->room) {
		size_t room = p->room ? 2 * p->room : FIRST_ROOM;
		struct process *list = reallocarray(p->list, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		p->list = list;
		p->room = room;
	}
	process = &p->list[p->count];
	*process = (struct process){.pid = pid};
	if (!fstat(directory, &status))
		process->uid = status.st_uid;
	read_name(directory, process);
	return (int)p->count++;
}

/* Two descriptors of one process for one socket count once. */
static int take_links(struct socket_holders *p, int directory, DIR *links, int pid)
{
	const struct dirent *entry;
	bool denied = false;
	int index = -1;

	while ((entry = readdir(links))) {
		struct socket_holder *h = find_wanted(p, linked_socket(dirfd(links), entry->d_name, &denied));

		if (++p->links % LINKS_AT_A_TIME == 0 && p->meanwhile)
			p->meanwhile(p->context);
		if (!h)
			continue;
		if (index < 0)
			index = add_process(p, directory, pid);
		if (index < 0)
			return index;
		if (h->last == pid)
			continue;
		h->last = pid;
		if (!h->holders++)
			h->process = (unsigned)index;
	}
	p->denied += denied;
	return 0;
}

static int look_into(struct socket_holders *p, int proc, const char *name, int pid)
{
	int directory = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd, err;
	DIR *links;

	if (directory < 0)
		return 0;
	fd = openat(directory, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p->denied += fd < 0 && errno == EACCES;
	links = fd < 0 ? NULL : fdopendir(fd);
	err = links ? take_links(p, directory, links, pid) : 0;
	if (links)
		closedir(links);
	else if (fd >= 0)
		close(fd);
	close(directory);
	return err;
}

int socket_holders_find(struct socket_holders *p, const char *proc)
{
	const struct dirent *entry;
	bool any = false;
	uint32_t pid;
	int err = 0;
	DIR *all;

	sort_wanted(p);
	if (!p->holder_count)
		return 0;
	all = opendir(proc);
	if (!all)
		return -errno;
	while (!err && (entry = readdir(all))) {
		if (!read_decimal(entry->d_name, '\0', &pid))
			continue;
		any = true;
		err = look_into(p, dirfd(all), entry->d_name, (int)pid);
	}
	closedir(all);
	return err ? err : any ? 0 : -ENOENT; /* an empty folder is no /proc: we are in it */
}

const struct process *socket_holders_holder(const struct socket_holders *p, uint32_t inode, unsigned *holders)
{
	const struct socket_holder *h = inode ? find_wanted(p, inode) : NULL;

	if (holders)
		*holders = h ? h->holders : 0;
	return h && h->holders ? &p->list[h->process] : NULL;
}

void socket_holders_free(struct socket_holders *p)
{
	free(p->holder);
	free(p->list);
	*p = (struct socket_holders){0};
}
