/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection as HTML: a line that opens to the sentence on its verdict, its ladder and its steps.
 */
#ifndef TCPFIN_CASE_HTML_H
#define TCPFIN_CASE_HTML_H

#include "user/base/buffer.h"
#include "user/record/record.h"

void case_html(struct buffer *out, const struct record *r);

/* "handshake reset": the outcome's words. */
void html_outcome(struct buffer *out, enum outcome outcome);
/* Local date and time; with fractions of a second where exact. */
void html_time(struct buffer *out, uint64_t ns, bool exact);

#endif
