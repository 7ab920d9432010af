/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arrays that grow while files are read.
 */
#ifndef TCPFIN_GROWN_H
#define TCPFIN_GROWN_H

#include <stdlib.h>

#include "user/base/exit_code.h"
#include "user/base/log.h"

/* The array with room for that many elements. Exits with a message where memory is short: nothing could be joined. */
static inline void *grown(void *old, size_t count, size_t size)
{
	void *list = reallocarray(old, count, size);

	if (list)
		return list;
	log_error("out of memory for records");
	exit(EXIT_RUNTIME);
}

#endif
