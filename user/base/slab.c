// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Blocks double in size up to a huge page: a look-up in many megabytes of flows then misses the cache but not the TLB,
 * and one page fault serves thousands of flows.
 */
#include <sanitizer/asan_interface.h> /* its macros are empty without -fsanitize=address */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/base/slab.h"

#define CACHE_LINE 64UL
#define FIRST_BLOCK (64 * 1024UL)
#define HUGE_PAGE (2 * 1024 * 1024UL)

struct slab_block {
	struct slab_block *next;
	size_t size;
};

struct slab_object {
	struct slab_object *next;
};

static size_t round_up(size_t n, size_t unit)
{
	return (n + unit - 1) / unit * unit;
}

void prefer_huge_pages(void *memory, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), skipped = round_up((uintptr_t)memory, page) - (uintptr_t)memory;

	if (size > skipped)
		madvise((char *)memory + skipped, size - skipped, MADV_HUGEPAGE); /* a hint: failure changes nothing */
}

static struct slab_block *slab_grow(struct slab *s)
{
	size_t size = !s->blocks ? FIRST_BLOCK : s->blocks->size < HUGE_PAGE ? s->blocks->size * 2 : HUGE_PAGE;
	struct slab_block *block = aligned_alloc(size < HUGE_PAGE ? CACHE_LINE : HUGE_PAGE, size);

	if (!block)
		return NULL;
	if (size == HUGE_PAGE)
		prefer_huge_pages(block, size);
	block->size = size;
	block->next = s->blocks;
	s->blocks = block;
	s->at = (char *)block + CACHE_LINE;
	s->end = (char *)block + size;
	ASAN_POISON_MEMORY_REGION(s->at, size - CACHE_LINE);
	return block;
}

void *slab_get(struct slab *s)
{
	struct slab_object *object = s->unused;
	size_t room = round_up(s->size, CACHE_LINE);

	if (object) {
		ASAN_UNPOISON_MEMORY_REGION(object, s->size);
		s->unused = object->next;
		return object;
	}
	if ((size_t)(s->end - s->at) < room && !slab_grow(s))
		return NULL;
	object = (struct slab_object *)s->at;
	ASAN_UNPOISON_MEMORY_REGION(object, s->size);
	s->at += room;
	return object;
}

void slab_put(struct slab *s, void *memory)
{
	struct slab_object *object = memory;

	object->next = s->unused;
	s->unused = object;
	ASAN_POISON_MEMORY_REGION(object, s->size);
}

void slab_free(struct slab *s)
{
	while (s->blocks) {
		struct slab_block *block = s->blocks;

		s->blocks = block->next;
		free(block);
	}
	*s = (struct slab){.size = s->size};
}
