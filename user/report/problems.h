/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of what went wrong: connections that were not graceful, by outcome, process, peer, port and reason.
 */
#ifndef TCPFIN_PROBLEMS_H
#define TCPFIN_PROBLEMS_H

#include "user/base/buffer.h"
#include "user/top/span.h"

/* NULL where memory is short; to be freed by span_free. */
struct span *problems_new(void);
/* Is the connection one of the table? What is open or was not seen went not wrong. */
bool problems_has(const struct record *r);
void problems_html(struct buffer *out, const struct span *s);

#endif
