// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The one decoder of UTF-8, for text that is printed and text that is read.
 */
#include "user/base/utf8.h"

int32_t utf8_next(const unsigned char **p)
{
	unsigned char lead = *(*p)++, low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	int more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
	int32_t c = lead & (0x3f >> more);

	if (lead < 0x80)
		return lead;
	if (lead < 0xc2 || lead > 0xf4)
		return -1;
	for (; more; more--) {
		if (**p < low || **p > high)
			return -1;
		c = c << 6 | (*(*p)++ & 0x3f);
		low = 0x80;
		high = 0xbf;
	}
	return c;
}
