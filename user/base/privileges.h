/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The capabilities that live watching needs to start, and giving up all that is not needed later.
 */
#ifndef TCPFIN_PRIVILEGES_H
#define TCPFIN_PRIVILEGES_H

#include <stdbool.h>

#include "user/base/sandbox.h"

/* Has this process the capability (CAP_...), or one that implies it? */
bool privileges_have(unsigned capability);
/* 0, or EXIT_PERMISSION after logging which capabilities are missing. */
int privileges_check(void);
/* The exit code for a negative errno: EXIT_PERMISSION for -EPERM and -EACCES, else EXIT_RUNTIME. */
int privileges_exit_code(int err);

/*
 * Was err, a negative errno of loading the packet programs, for want of CAP_PERFMON? Kernels before 6.12 may ask for
 * it.
 */
bool privileges_want_perfmon(int err);

/* Text on why a BPF program that reads the kernel's structures could not be loaded. err: a negative errno. */
const char *privileges_tracing_error(int err);
/*
 * To be called once everything is attached: root becomes nobody, all capabilities are dropped, and the system call
 * filter (sandbox.h) is set. net_admin: CAP_NET_ADMIN is kept, because removing clsact filters needs it. 0, or
 * EXIT_RUNTIME after logging why.
 */
int privileges_drop(bool net_admin);
/*
 * For the helper (user/helper/): it keeps its user, and of its capabilities only CAP_DAC_OVERRIDE where it opens files,
 * and CAP_SYS_ADMIN, CAP_SYS_PTRACE and CAP_NET_ADMIN where it enters network namespaces; its system call filter allows
 * what that takes. 0, or a negative errno: it must not go on.
 */
int privileges_keep_for_helper(const struct helper_work *work);
/*
 * For Kafka's process. Before its library starts threads: only reading the files that its settings name, and becoming
 * nobody, are left. 0, or a negative errno: it must not go on.
 */
int privileges_keep_for_keys(void);
/*
 * For the same, once they are read: root becomes nobody, and the system call filter is set, both for all threads. The
 * ids of other threads are changed by the C library, and with them go their capabilities. 0, or a negative errno.
 */
int privileges_drop_to_connect(void);
/* As privileges_drop(false), once a capture file is open: with the narrower filter that reading a file needs. */
int privileges_drop_all(void);

#endif
