/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For every target: ending the program with the promise that was broken, and reading the input number by number.
 */
#ifndef TCPFIN_FUZZ_H
#define TCPFIN_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define expect(condition)                                          \
	do {                                                       \
		if (!(condition))                                  \
			fuzz_fail(__FILE__, __LINE__, #condition); \
	} while (0)

static inline _Noreturn void fuzz_fail(const char *file, int line, const char *condition)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	abort();
}

struct input {
	const uint8_t *pos, *end;
};

/* 0 once the input is at its end. */
static inline uint8_t take8(struct input *in)
{
	return in->pos < in->end ? *in->pos++ : 0;
}

static inline uint16_t take16(struct input *in)
{
	uint16_t high = take8(in);

	return (uint16_t)(high << 8 | take8(in));
}

static inline uint32_t take32(struct input *in)
{
	uint32_t high = take16(in);

	return high << 16 | take16(in);
}

static inline size_t input_left(const struct input *in)
{
	return (size_t)(in->end - in->pos);
}

#endif
