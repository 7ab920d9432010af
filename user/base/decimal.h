/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading numbers that people type.
 */
#ifndef TCPFIN_DECIMAL_H
#define TCPFIN_DECIMAL_H

#include <stdint.h>

/*
 * Reads decimal digits times scale, a power of ten or a whole number; with a scale above 1 also a fraction, down to one
 * unit. Returns what follows the number, or NULL where there is none or it does not fit into 64 bits.
 */
const char *decimal_read(const char *text, uint64_t scale, uint64_t *value);

#endif
