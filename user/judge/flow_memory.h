/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for connections, or the end of the program: without it connections would be lost that nobody counts.
 */
#ifndef TCPFIN_FLOW_MEMORY_H
#define TCPFIN_FLOW_MEMORY_H

#include <stdlib.h>

#include "user/base/exit_code.h"
#include "user/base/log.h"
#include "user/base/pages.h"

/* Returns memory, which an allocation has given. NULL ends the program. */
static inline void *must(void *memory)
{
	if (memory)
		return memory;
	log_error("out of memory for flows");
	exit(EXIT_RUNTIME);
}

/* pages_grow() that must succeed. */
static inline void *must_grow(void *memory, size_t old, size_t size)
{
	return must(pages_grow(memory, old, size));
}

#endif
