/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Landlock (landlock(7)), which takes rights to files and to the network away from a process that has no other.
 */
#ifndef TCPFIN_LANDLOCK_H
#define TCPFIN_LANDLOCK_H

#include <stdbool.h>

/*
 * From now on this thread, and those that it starts, change, create, remove and execute no file, bind no TCP socket,
 * connect one only with `connect`, and reach no abstract socket and no process outside, as far as the kernel's Landlock
 * knows these (5.13 knows files, 6.7 TCP, 6.12 the last two). Reading is free, and descriptors that are open keep their
 * rights. Sets no_new_privs. 0, or a negative errno where the kernel has no Landlock.
 */
int landlock_enter(bool connect);

#endif
