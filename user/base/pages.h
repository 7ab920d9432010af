/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for tables that grow: zeroed, had from the kernel page by page as it is first touched, and never copied.
 */
#ifndef TCPFIN_PAGES_H
#define TCPFIN_PAGES_H

#include <stddef.h>

/*
 * Makes `old` bytes at `memory` into `size` bytes; what is added is zero. NULL, 0: new memory. It may move. NULL where
 * memory is short: what was there stays as it is. From 2 MiB on it asks for huge pages: a look-up in many megabytes
 * then misses the cache but not the TLB.
 */
void *pages_grow(void *memory, size_t old, size_t size);
void pages_free(void *memory, size_t size); /* memory may be NULL */

#endif
