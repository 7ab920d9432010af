// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The lines of user/ipfix/nfacctd.primitives for the enterprise's own elements, from the table in user/record
 * (`make man-fields`).
 */
#include <stdio.h>

#include "user/ipfix/elements.h"

int main(void)
{
	unsigned count;
	const struct ipfix_element *e = ipfix_elements(&count);

	for (unsigned i = 0; i < count; i++) {
		const char *len = e[i].is_text ? "vlen" : e[i].size == 1 ? "1" : "8";

		if (e[i].number)
			printf("name=%-40s field_type=32473:%-6u len=%-5s semantics=%s\n", e[i].name, e[i].number, len,
			       e[i].is_text ? "str" : "u_int");
	}
	return 0;
}
