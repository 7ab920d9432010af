// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A link like "socket:[12345]" in /proc/PID/fd names a socket that the process holds. A host may have many more links
 * than sockets are asked for, so each is looked up in the sorted list of wanted inodes, and only of processes that hold
 * a wanted socket are name and user read.
 *
 * A process may end during the search: what is not there any more is passed over.
 */
#include "user/sockets/socket_holders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_ROOM 64
#define CGROUP_TEXT 8192 /* a line a hierarchy, of which there are about a dozen */

int socket_holders_want(struct socket_holders *s, uint32_t inode)
{
	if (!inode)
		return 0;
	if (!(s->wanted_count & (s->wanted_count - 1))) { /* full: grows by powers of two */
		size_t room = s->wanted_count ? 2 * s->wanted_count : 1;
		struct wanted_socket *list = reallocarray(s->wanted, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		s->wanted = list;
	}
	s->wanted[s->wanted_count++] = (struct wanted_socket){.inode = inode};
	return 0;
}

static int by_inode(const void *a, const void *b)
{
	const struct wanted_socket *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

static void sort_wanted(struct socket_holders *s)
{
	size_t kept = 0;

	if (!s->wanted_count)
		return;
	qsort(s->wanted, s->wanted_count, sizeof(*s->wanted), by_inode);
	for (size_t i = 0; i < s->wanted_count; i++)
		if (!kept || s->wanted[kept - 1].inode != s->wanted[i].inode)
			s->wanted[kept++] = s->wanted[i];
	s->wanted_count = kept;
}

static struct wanted_socket *find_wanted(const struct socket_holders *s, uint32_t inode)
{
	const struct wanted_socket key = {.inode = inode};

	if (!s->wanted_count)
		return NULL;
	return bsearch(&key, s->wanted, s->wanted_count, sizeof(key), by_inode);
}

/* Parses decimal digits that `end` follows. False for any other text, and for a number beyond 32 bits. */
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

/*
 * The inode of the socket that a link of /proc/PID/fd names, 0 for any other link. Sets *denied where reading it is
 * refused.
 */
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
	if (len > 0 && process->name[len - 1] == '\n') /* the kernel adds one; another before it belongs to the name */
		len--;
	process->name[len > 0 ? len : 0] = '\0';
}

static void read_identity(int directory, struct process *process)
{
	int fd = openat(directory, "cgroup", O_RDONLY | O_CLOEXEC);
	char text[CGROUP_TEXT];
	ssize_t len;

	if (fd < 0)
		return;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	cgroup_identity_of_process(&process->identity, text);
}

/* directory: a descriptor of /proc/PID. Returns the index of the new process, or -ENOMEM. */
static int add_process(struct socket_holders *s, int directory, int pid)
{
	struct process *process;
	struct stat status;

	if (s->process_count == s->process_room) {
		size_t room = s->process_room ? 2 * s->process_room : FIRST_ROOM;
		struct process *list = reallocarray(s->processes, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		s->processes = list;
		s->process_room = room;
	}
	process = &s->processes[s->process_count];
	*process = (struct process){.pid = pid};
	if (!fstat(directory, &status))
		process->uid = status.st_uid;
	read_name(directory, process);
	read_identity(directory, process);
	return (int)s->process_count++;
}

/*
 * Counts the process as a holder of each wanted socket among its links; two descriptors of one socket count once.
 * 0 or -ENOMEM.
 */
static int take_links(struct socket_holders *s, int directory, DIR *links, int pid)
{
	const struct dirent *entry;
	bool denied = false;
	int index = -1;

	while ((entry = readdir(links))) {
		struct wanted_socket *h = find_wanted(s, linked_socket(dirfd(links), entry->d_name, &denied));

		if (!h)
			continue;
		if (index < 0)
			index = add_process(s, directory, pid);
		if (index < 0)
			return index;
		if (h->last_pid == pid)
			continue;
		h->last_pid = pid;
		if (!h->holders++)
			h->first = (unsigned)index;
	}
	s->denied += denied;
	return 0;
}

/* Searches one process. name: its folder in the folder `proc`. 0 or -ENOMEM. */
static int look_into(struct socket_holders *s, int proc, const char *name, int pid)
{
	int directory = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd, err;
	DIR *links;

	if (directory < 0)
		return 0;
	fd = openat(directory, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->denied += fd < 0 && errno == EACCES;
	links = fd < 0 ? NULL : fdopendir(fd);
	err = links ? take_links(s, directory, links, pid) : 0;
	if (links)
		closedir(links);
	else if (fd >= 0)
		close(fd);
	close(directory);
	return err;
}

int socket_holders_search(struct socket_holders *s, const char *proc)
{
	const struct dirent *entry;
	bool any = false;
	uint32_t pid;
	int err = 0;
	DIR *all;

	sort_wanted(s);
	if (!s->wanted_count)
		return 0;
	all = opendir(proc);
	if (!all)
		return -errno;
	while (!err && (entry = readdir(all))) {
		if (!read_decimal(entry->d_name, '\0', &pid))
			continue;
		any = true;
		err = look_into(s, dirfd(all), entry->d_name, (int)pid);
	}
	closedir(all);
	return err ? err : any ? 0 : -ENOENT; /* /proc has at least this process: an empty folder is none */
}

const struct process *socket_holders_of(const struct socket_holders *s, uint32_t inode, unsigned *holders)
{
	const struct wanted_socket *h = inode ? find_wanted(s, inode) : NULL;

	if (holders)
		*holders = h ? h->holders : 0;
	return h && h->holders ? &s->processes[h->first] : NULL;
}

void socket_holders_free(struct socket_holders *s)
{
	free(s->wanted);
	free(s->processes);
	*s = (struct socket_holders){0};
}
