// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mremap moves pages by the page table. realloc would do so as well, but its caller could not tell what is zero
 * already.
 */
#define _GNU_SOURCE 1 /* mremap */
#include <sys/mman.h>
#include <unistd.h>

#include "user/base/pages.h"

#define HUGE_FROM (8UL << 20)

/* mremap takes whole pages. */
static size_t whole_pages(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + page - 1) / page * page;
}

void *pages_grow(void *memory, size_t old, size_t size)
{
	size_t whole = whole_pages(size);
	void *grown;

	if (memory)
		grown = mremap(memory, whole_pages(old), whole, MREMAP_MAYMOVE);
	else
		grown = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (grown == MAP_FAILED)
		return NULL;
	if (whole >= HUGE_FROM)
		madvise(grown, whole, MADV_HUGEPAGE); /* a hint: failure changes nothing */
	return grown;
}

void pages_free(void *memory, size_t size)
{
	if (memory)
		munmap(memory, whole_pages(size));
}
