/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes hold which sockets: inode numbers are looked up in /proc/PID/fd, once for many sockets.
 *
 * Order of use: zeroes, socket_holders_want for each socket, socket_holders_search, socket_holders_of, and
 * socket_holders_free.
 */
#ifndef TCPFIN_SOCKET_HOLDERS_H
#define TCPFIN_SOCKET_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/sockets/cgroup_identity.h"

struct process {
	int pid;
	uint32_t uid;
	char name[64]; /* /proc/PID/comm: any bytes, for printers to escape; "" if the process ended before */
	struct cgroup_identity identity; /* of its cgroup */
};

struct wanted_socket {
	uint32_t inode;
	unsigned holders; /* how many processes hold it */
	unsigned first;   /* index of the first one found; meaningless without holders */
	int last_pid;     /* of the last one found */
};

struct socket_holders {
	struct wanted_socket *wanted; /* sorted by inode once searched; owned */
	size_t wanted_count;
	struct process *processes; /* those that hold a wanted socket; owned */
	size_t process_count, process_room;
	unsigned denied; /* processes whose descriptors we may not read */
};

/* Adds a socket to those to be searched; inode 0 is nobody's and not added. 0 or -ENOMEM. */
int socket_holders_want(struct socket_holders *s, uint32_t inode);
/* Searches all processes for the wanted sockets. proc: "/proc". 0, or a negative errno where that cannot be read. */
int socket_holders_search(struct socket_holders *s, const char *proc);
/* The first process found to hold the socket, NULL if none was. holders, if not NULL: set to how many there are. */
const struct process *socket_holders_of(const struct socket_holders *s, uint32_t inode, unsigned *holders);
void socket_holders_free(struct socket_holders *s);

#endif
