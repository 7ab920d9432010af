// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mremap moves pages by the page table. realloc would do so as well, but its caller could not tell what is zero
 * already. Huge pages take an address that is a multiple of their size, and moving there keeps them whole.
 */
#define _GNU_SOURCE 1 /* mremap */
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/base/pages.h"

#define HUGE_PAGE (2UL << 20)

static size_t round_up(size_t n, size_t unit)
{
	return (n + unit - 1) / unit * unit;
}

static size_t whole_pages(size_t size)
{
	return round_up(size, size < HUGE_PAGE ? (size_t)sysconf(_SC_PAGESIZE) : HUGE_PAGE);
}

/* Addresses for `size` bytes, a multiple of HUGE_PAGE, at such a multiple. MAP_FAILED where there are none. */
static char *reserve(size_t size)
{
	char *all = mmap(NULL, size + HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before;

	if (all == MAP_FAILED)
		return all;
	before = round_up((uintptr_t)all, HUGE_PAGE) - (uintptr_t)all;
	if (before)
		munmap(all, before);
	munmap(all + before + size, HUGE_PAGE - before);
	return all + before;
}

/* pages_grow to whole huge pages. A failed mremap leaves the old memory where it was. */
static void *grow_huge(void *memory, size_t old, size_t size)
{
	void *at = reserve(size), *grown;

	if (at == MAP_FAILED)
		return at;
	if (memory)
		grown = mremap(memory, old, size, MREMAP_MAYMOVE | MREMAP_FIXED, at);
	else
		grown = mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (grown == MAP_FAILED)
		munmap(at, size);
	else
		madvise(grown, size, MADV_HUGEPAGE); /* a hint: failure changes nothing */
	return grown;
}

void *pages_grow(void *memory, size_t old, size_t size)
{
	size_t whole = whole_pages(size);
	void *grown;

	if (memory && whole == whole_pages(old))
		return memory;
	if (whole >= HUGE_PAGE)
		grown = grow_huge(memory, whole_pages(old), whole);
	else if (memory)
		grown = mremap(memory, whole_pages(old), whole, MREMAP_MAYMOVE);
	else
		grown = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return grown == MAP_FAILED ? NULL : grown;
}

void pages_free(void *memory, size_t size)
{
	if (memory)
		munmap(memory, whole_pages(size));
}
