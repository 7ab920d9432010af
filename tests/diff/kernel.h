/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real BPF object, run a packet at a time with BPF_PROG_TEST_RUN, and its maps in the hands of user/judge/.
 */
#ifndef TCPFIN_TEST_KERNEL_H
#define TCPFIN_TEST_KERNEL_H

#include "tests/diff/host.h"

enum program { XDP, TC, TC_L3, PROGRAMS };

extern const char *const program_names[PROGRAMS];

/* Devices of test runs are loopback. */
#define TEST_IFINDEX 1

struct kernel;

/* NULL after a line on stderr. The process stays on the CPU it has then. */
struct kernel *kernel_open(uint64_t hash_seed, bool all_segments);
void kernel_close(struct kernel *k);

/* The next conversation: where reports go, and the time-outs. */
void kernel_begin(struct kernel *k, const struct flow_timeouts *timeouts, struct reports *reports);
/* 0, or a negative errno: the kernel does not take the packet. */
int kernel_run(struct kernel *k, enum program program, const struct hook_packet *p);
void kernel_counters(struct kernel *k, uint64_t counters[COUNTERS]);
/* The segment that went to the tables last. */
void kernel_segment(struct kernel *k, struct tcp_segment *s);
/* Its tables, of the conversation at hand. */
struct recorded kernel_recorded(const struct kernel *k);
void kernel_cell(const struct kernel *k, uint32_t hash, struct cell *cell);
void kernel_saturate(struct kernel *k, uint32_t hash);

/* The reader polls once. */
void kernel_consume(struct kernel *k);
/* Looks at all slots and reports what is due. idle_round: with a round of ageing of the established flows. */
void kernel_expire(struct kernel *k, uint64_t now, bool idle_round);
/* Reports everything, established flows included. */
void kernel_finish(struct kernel *k);
/* Empties the tables for the next conversation; cells are left. */
void kernel_clear(struct kernel *k);
void kernel_clear_cell(struct kernel *k, uint32_t hash);

#endif
