/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocates objects of one size from large blocks, so that many lie in few pages; all are freed at once.
 */
#ifndef TCPFIN_SLAB_H
#define TCPFIN_SLAB_H

#include <stddef.h>

struct slab_block;
struct slab_object;

/* size: bytes of an object, at least a pointer's; set by the caller. All other fields begin as zeroes. */
struct slab {
	size_t size;
	struct slab_object *unused; /* list of objects put back */
	char *at, *end;             /* part of the newest block that was never used */
	struct slab_block *blocks;
};

/* An object at the start of a cache line, its bytes undefined. NULL when memory is short. */
void *slab_get(struct slab *s);
/* Puts an object back, for a later slab_get. */
void slab_put(struct slab *s, void *object);
/* Frees all objects. */
void slab_free(struct slab *s);
/* Asks for huge pages for `size` bytes at `memory`, which are read at random places. A hint: it may have no effect. */
void prefer_huge_pages(void *memory, size_t size);

#endif
