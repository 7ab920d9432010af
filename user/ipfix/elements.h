/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The information elements of IPFIX (RFC 7012) that a record has, and their values. What the standard has goes into
 * its elements, with biflows by RFC 5103: the record's source is the initiator, its destination the reverse direction.
 * Every other field of a record is an element of an enterprise's own: its number is the place of its column in CSV,
 * counted from 1, which no later version changes.
 */
#ifndef TCPFIN_IPFIX_ELEMENTS_H
#define TCPFIN_IPFIX_ELEMENTS_H

#include "user/record/record_fields.h"

#define IPFIX_ELEMENTS 256      /* at most */
#define IPFIX_VALUES_BYTES 4096 /* of all their values in memory, without texts */
#define IPFIX_TEXTS_BYTES 2048  /* of all texts of a record; longer ones are cut */
#define IPFIX_NAME 64

/* A text as libfixbuf has it (fbVarfield_t). */
struct ipfix_text {
	size_t len;
	uint8_t *bytes;
};

struct ipfix_element {
	char name[IPFIX_NAME];
	unsigned number;                  /* among the enterprise's own; 0: one of the standard, known by its name */
	const struct record_field *field; /* of an enterprise's own; NULL */
	unsigned row;                     /* of that field in the table */
	uint16_t size;                    /* bytes in memory: 1, 2, 4, 8 or 16 */
	bool is_text;                     /* then size is that of struct ipfix_text */
	uint16_t offset;                  /* of its value in struct ipfix_values */
};

/* All elements in the order of templates: the standard's, then the enterprise's. Made by the first call. */
const struct ipfix_element *ipfix_elements(unsigned *count);

/* Which elements a record has: bit i % 64 of word i / 64. What is not known is in no template, and never 0. */
struct ipfix_presence {
	uint64_t words[IPFIX_ELEMENTS / 64];
};

/* The part of it that nearly all records have in common. */
struct ipfix_presence ipfix_common(const struct ipfix_presence *p);

static inline bool ipfix_has(const struct ipfix_presence *p, unsigned element)
{
	return p->words[element / 64] >> element % 64 & 1;
}

struct ipfix_values {
	struct ipfix_presence known;
	/* At the elements' offsets; numbers in host byte order. What is not known is 0. */
	_Alignas(16) uint8_t bytes[IPFIX_VALUES_BYTES];
	uint16_t size;
	uint8_t texts[IPFIX_TEXTS_BYTES];
	size_t texts_len;
};

/* forced: did the watch or the capture end while the connection went on? */
void ipfix_values_of(struct ipfix_values *v, const struct record *r, enum answer forced);

#endif
