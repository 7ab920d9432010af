/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BPF object: which of its programs this watch needs, how large its tables are, and loading it.
 */
#ifndef TCPFIN_LOADER_H
#define TCPFIN_LOADER_H

#include "user/attach/interfaces.h"
#include "user/sockets/socket_events.h"

struct tcpfin_trace_bpf;

/* How many of each the tables hold. */
struct table_sizes {
	uint32_t sets; /* a power of two */
	uint32_t slots;
	uint32_t openings; /* connections that may be opening in one set */
	uint32_t closing_blocks, opening_blocks;
	uint32_t cells, lost_sets; /* powers of two */
};

struct table_sizes loader_sizes(const struct options *options);

/*
 * Loads what the planned interfaces need. *skeleton is to be destroyed either way. An exit code; errors have been
 * said.
 */
int loader_load(struct tcpfin_trace_bpf **skeleton, const struct options *options, const struct interfaces *interfaces);
/* As loader_load, but silent: 0 or a negative errno. */
int loader_try(struct tcpfin_trace_bpf **skeleton, const struct options *options, const struct interfaces *interfaces);
/* Says why the object could not be loaded. err: a negative errno. Returns the exit code. */
int loader_error(const struct options *options, int err);
/* What the sockets' programs want to know of the loaded object. */
struct socket_packets loader_socket_packets(const struct tcpfin_trace_bpf *skeleton);
/* The programs that the hooks take; -1 for those that were not loaded. */
struct attach_programs loader_programs(const struct tcpfin_trace_bpf *skeleton, const struct options *options);
/* What the programs that number interfaces need (--netns). */
struct entry_maps loader_entry_maps(const struct tcpfin_trace_bpf *skeleton, const struct options *options);
/* Bytes of kernel memory that the tables take. */
uint64_t loader_table_bytes(const struct options *options);

#endif
