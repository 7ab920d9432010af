/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What live watching needs from the system to start, and giving up what is not needed any more.
 */
#ifndef TCPFIN_PRIVILEGES_H
#define TCPFIN_PRIVILEGES_H

#include <stdbool.h>

/* 0, or EXIT_PERMISSION after naming the capability that is missing. */
int privileges_check(void);
/* The exit code for a negative errno: EXIT_PERMISSION where a permission was missing, else EXIT_RUNTIME. */
int privileges_exit_code(int err);

/* Why a program that reads the kernel's structures could not be loaded, in words. err: a negative errno. */
const char *privileges_tracing_error(int err);
/*
 * Once everything is attached: root becomes nobody, every capability goes, the system call filter comes. net_admin:
 * CAP_NET_ADMIN stays, for clsact filters, which have to be taken off. 0, or EXIT_RUNTIME after saying why.
 */
int privileges_drop(bool net_admin);
/* The same once a file is open to be read: for that, the filter is narrower. */
int privileges_drop_all(void);

#endif
