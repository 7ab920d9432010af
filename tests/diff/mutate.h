/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New conversations from captured ones.
 */
#ifndef TCPFIN_TEST_MUTATE_H
#define TCPFIN_TEST_MUTATE_H

#include "tests/diff/frames.h"
#include "tests/diff/random.h"

/*
 * Fills *out, which is empty, from a random capture of the pool and a few random changes. hash_seed: that of both
 * hosts, so that flows can be made to collide in the watch filter.
 */
void mutate(struct conversation *out, const struct pool *pool, struct random *r, uint64_t hash_seed);

#endif
