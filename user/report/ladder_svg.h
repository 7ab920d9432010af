/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The close as two lifelines, drawn as SVG: an arrow a segment, the state that each side enters, and which segments the
 * verdict rests on. As wide as its place: positions across are shares of the width.
 */
#ifndef TCPFIN_LADDER_SVG_H
#define TCPFIN_LADDER_SVG_H

#include "user/base/buffer.h"
#include "user/record/record.h"

void ladder_svg(struct buffer *out, const struct record *r);

#endif
