/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Structs are compared by tables of their fields, so that padding does not count and a difference has a name.
 */
#ifndef TCPFIN_TEST_FIELDS_H
#define TCPFIN_TEST_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct field {
	const char *name;
	size_t offset, size; /* size: at most 8 */
};

struct fields {
	const struct field *field;
	size_t count;
};

#define FIELD(type, member)                                                  \
	{                                                                    \
#member, offsetof(type, member), sizeof(((type *)0)->member) \
	}
#define FIELDS(table)                                     \
	{                                                 \
		table, sizeof(table) / sizeof((table)[0]) \
	}

bool fields_equal(const struct fields *f, const void *a, const void *b);
/* A line on stdout for every field that differs. */
void fields_explain(const struct fields *f, const void *a, const void *b, const char *name_a, const char *name_b);
/* Bytes that the table covers: what it lacks of the struct must be padding. */
size_t fields_bytes(const struct fields *f);

#endif
