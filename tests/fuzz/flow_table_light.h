/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The flow table in memory that is cheap to clear: its evidence is megabytes, of which an input touches a page or two.
 * The block lies in front of a page that nobody may touch, since ASan does not know of it.
 */
#ifndef TCPFIN_FUZZ_FLOW_TABLE_LIGHT_H
#define TCPFIN_FUZZ_FLOW_TABLE_LIGHT_H

#include <stdlib.h>
#include <sys/mman.h>

#include "../../user/slab.h"
#include "fuzz.h"

#define LIGHT_PAGE 4096UL
#define LIGHT_BYTES (1UL << 20) /* from here on */

static struct light_block {
	char *pages;
	size_t size;
	void *used; /* NULL while free */
} light_block;

static void *light_calloc(size_t n, size_t size)
{
	struct light_block *b = &light_block;
	size_t bytes = n * size;

	if (bytes < LIGHT_BYTES)
		return calloc(n, size);
	expect(!b->used);
	if (!b->pages) {
		b->size = (bytes + LIGHT_PAGE - 1) / LIGHT_PAGE * LIGHT_PAGE;
		b->pages = mmap(NULL, b->size + LIGHT_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		expect(b->pages != MAP_FAILED && !mprotect(b->pages + b->size, LIGHT_PAGE, PROT_NONE));
	}
	b->used = b->pages + b->size - bytes;
	return b->used;
}

static void light_free(void *memory)
{
	struct light_block *b = &light_block;

	if (!memory || memory != b->used) {
		free(memory);
		return;
	}
	b->used = NULL;
	expect(!madvise(b->pages, b->size, MADV_DONTNEED));
}

#define calloc(n, size) light_calloc(n, size)
#define free(memory) light_free(memory)
#define prefer_huge_pages(memory, size) ((void)(memory)) /* one of them takes as long to clear as all of an input */
#include "../../user/flow_table.c"
#undef calloc
#undef free
#undef prefer_huge_pages

#endif
