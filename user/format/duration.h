/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Durations for people: three significant digits and the unit that fits.
 */
#ifndef TCPFIN_DURATION_H
#define TCPFIN_DURATION_H

#include "user/base/buffer.h"

/* "740ns", "1.50us", "68us", "1.97ms", "36.0ms", "2.50s", "3m16s", "2h05m", "3d04h"; "0", and "-" for unseen (< 0). */
void buffer_duration(struct buffer *b, int64_t ns);

#endif
