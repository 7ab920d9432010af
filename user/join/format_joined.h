/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A joined connection as bytes: JSON for programs, text for people. Pure, as formats are.
 */
#ifndef TCPFIN_FORMAT_JOINED_H
#define TCPFIN_FORMAT_JOINED_H

#include "user/base/buffer.h"
#include "user/join/joined.h"

#define JOINED_DATASET "tcpfin.joined"

/* One line, its newline included. views: their vantages. */
void format_joined_json(struct buffer *out, const struct joined *j, const struct views *views);
/* Several lines. unicode: the locale's character set is UTF-8. */
void format_joined_text(struct buffer *out, const struct joined *j, const struct views *views, bool unicode);

#endif
