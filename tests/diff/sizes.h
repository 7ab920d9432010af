/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sizes of the tables of both recorders: powers of two. Large enough that no conversation evicts anything or makes the
 * host's tables grow, small because each conversation clears them.
 */
#ifndef TCPFIN_TEST_SIZES_H
#define TCPFIN_TEST_SIZES_H

#define TEST_SLOTS 2048
#define TEST_SETS (TEST_SLOTS / 2)
#define TEST_BLOCKS 1024
#define TEST_LAST_SEEN_CELLS 8192

#endif
