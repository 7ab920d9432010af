/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A system call filter: what the program may still ask of the kernel once everything is attached, or a file is open.
 */
#ifndef TCPFIN_SANDBOX_H
#define TCPFIN_SANDBOX_H

#include <stdbool.h>

/*
 * From now on, for good: what is not in the tables fails with EPERM. live: what watching interfaces takes is in them,
 * sockets and maps. Sets no_new_privs, too. 0, or a negative errno when the kernel has no such filters.
 */
int sandbox_enter(bool live);

#endif
