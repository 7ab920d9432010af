/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits of this process that a watch would not fit into. They are asked about before anything is loaded: in the middle
 * of it, libbpf and the kernel's killer of processes do not say what is short.
 */
#ifndef TCPFIN_LIMITS_H
#define TCPFIN_LIMITS_H

#include <stdint.h>

/*
 * Can a watch of that many interfaces open what it needs (RLIMIT_NOFILE)? The soft limit is raised if that is too low.
 * Returns an exit code; an error has been said.
 */
int limits_check_descriptors(unsigned interfaces);

/*
 * Do tables of that many bytes fit into the memory of this process's cgroup (version 1 or 2), beside the program? A
 * limit that cannot be read is taken for none. Returns an exit code; an error has been said.
 */
int limits_check_memory(uint64_t table_bytes);

#endif
