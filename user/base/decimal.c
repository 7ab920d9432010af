// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Decimal numbers with a fraction, as integers of a smaller unit.
 */
#include "user/base/decimal.h"

#include <stddef.h>

const char *decimal_read(const char *text, uint64_t scale, uint64_t *value)
{
	const char *p = text;
	uint64_t n = 0, power = 1;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *p - '0', &n))
			return NULL;
	if (__builtin_mul_overflow(n, scale, &n))
		return NULL;
	if (*p == '.' && p[1] >= '0' && p[1] <= '9') {
		for (p++; power < scale && *p >= '0' && *p <= '9'; p++) {
			power *= 10;
			if (__builtin_add_overflow(n, (*p - '0') * scale / power, &n))
				return NULL;
		}
	}
	*value = n;
	return p == text ? NULL : p;
}
