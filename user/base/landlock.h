/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Landlock (landlock(7)), which takes rights to files and to the network away from a process that has no other.
 */
#ifndef TCPFIN_LANDLOCK_H
#define TCPFIN_LANDLOCK_H

/*
 * From now on this process changes, creates, removes and executes no file, binds and connects no TCP socket, and
 * reaches no abstract socket and no process outside, as far as the kernel's Landlock knows these (5.13 knows files, 6.7
 * TCP, 6.12 the last two). Reading is free, and descriptors that are open keep their rights. Sets no_new_privs. 0, or a
 * negative errno where the kernel has no Landlock.
 */
int landlock_enter(void);

#endif
