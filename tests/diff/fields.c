// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A field's value is read as a little-endian number.
 */
#include <stdio.h>

#include "tests/diff/fields.h"

static uint64_t value_of(const struct field *f, const void *of)
{
	const unsigned char *at = (const unsigned char *)of + f->offset;
	uint64_t value = 0;

	for (size_t i = f->size; i > 0; i--)
		value = value << 8 | at[i - 1];
	return value;
}

bool fields_equal(const struct fields *f, const void *a, const void *b)
{
	for (size_t i = 0; i < f->count; i++)
		if (value_of(&f->field[i], a) != value_of(&f->field[i], b))
			return false;
	return true;
}

void fields_explain(const struct fields *f, const void *a, const void *b, const char *name_a, const char *name_b)
{
	for (size_t i = 0; i < f->count; i++) {
		uint64_t x = value_of(&f->field[i], a), y = value_of(&f->field[i], b);

		if (x != y)
			printf("#     %s: %s %llu (%#llx), %s %llu (%#llx)\n", f->field[i].name, name_a,
			       (unsigned long long)x, (unsigned long long)x, name_b, (unsigned long long)y,
			       (unsigned long long)y);
	}
}

size_t fields_bytes(const struct fields *f)
{
	size_t bytes = 0;

	for (size_t i = 0; i < f->count; i++)
		bytes += f->field[i].size;
	return bytes;
}
