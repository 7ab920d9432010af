/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects of one size, cut from large blocks: many of them lie in few pages, and all go at once.
 */
#ifndef TCPFIN_SLAB_H
#define TCPFIN_SLAB_H

#include <stddef.h>

struct slab_block;
struct slab_object;

/* Set size, at least a pointer's; the rest begins as zeroes. */
struct slab {
	size_t size;
	struct slab_object *unused; /* put back */
	char *at, *end;             /* never used so far */
	struct slab_block *blocks;
};

/* At the start of a cache line, with bytes of any value. NULL when memory is short. */
void *slab_get(struct slab *s);
void slab_put(struct slab *s, void *object);
/* Frees all objects. */
void slab_free(struct slab *s);
/* Large memory that is read here and there: as few pages as the system will give. */
void prefer_huge_pages(void *memory, size_t size);

#endif
