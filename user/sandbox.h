/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A system call filter: what the program may still ask of the kernel once everything is attached.
 */
#ifndef TCPFIN_SANDBOX_H
#define TCPFIN_SANDBOX_H

/*
 * From now on, for good: what is not in the table fails with EPERM. Sets no_new_privs, too. 0, or a negative errno
 * when the kernel has no such filters.
 */
int sandbox_enter(void);

#endif
