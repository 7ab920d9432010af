/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A system call filter (seccomp(2)) for the time after everything is attached, or a capture file is open.
 */
#ifndef TCPFIN_SANDBOX_H
#define TCPFIN_SANDBOX_H

#include <stdbool.h>

/*
 * From now on, a system call that is not in the tables of sandbox.c fails with EPERM; that cannot be undone. live:
 * calls for watching interfaces, on sockets and maps, are allowed as well. Also sets no_new_privs. 0, or a negative
 * errno if the kernel has no such filters.
 */
int sandbox_enter(bool live);

/* Call before it: the terminal may be given back as it was, and stderr to it. Else a terminal is only looked at. */
void sandbox_allow_terminal(void);
/*
 * Call before it: connections may be accepted on that listening socket, and on no other; they are read and answered.
 * Of a live watch only.
 */
void sandbox_allow_accept(int listening);

/* What the helper does. */
struct helper_work {
	bool files;      /* opens and creates output files */
	bool namespaces; /* enters network namespaces, and makes netlink sockets and links of BPF programs there */
	bool collector;  /* makes sockets, UDP and TCP, that are connected */
};
/* For the helper: files and answers are always allowed, the rest as it is needed. Otherwise as sandbox_enter. */
int sandbox_enter_helper(const struct helper_work *work);
/* For Kafka's process, all its threads: it may resolve names, connect, and read files. Otherwise as sandbox_enter. */
int sandbox_enter_connector(void);

#endif
