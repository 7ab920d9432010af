/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table of groups as JSON, one object a line: tcpfin-trace-record(5) has its fields (event.dataset tcpfin.rate).
 */
#ifndef TCPFIN_TABLE_JSON_H
#define TCPFIN_TABLE_JSON_H

#include "user/top/span.h"

/* host: NULL for a capture file. summary: the span is the whole run. */
void table_json(struct buffer *out, const struct span_view *v, const char *host, bool summary);

#endif
