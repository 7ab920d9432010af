/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the value of each field belongs in a record, and setting it from JSON. It follows from the table of fields, so
 * that a field added there is read back, too.
 */
#ifndef TCPFIN_RECORD_PLACES_H
#define TCPFIN_RECORD_PLACES_H

#include "user/readback/json.h"
#include "user/record/record_fields.h"

enum place_kind {
	PLACE_NONE,    /* follows from other members, or is read by record_members.c */
	PLACE_NUMBER,  /* an integer of `size` bytes; for those that may be unseen a signed one */
	PLACE_TIME,    /* uint64_t: ns since 1970 */
	PLACE_BOOL,    /* bool */
	PLACE_ANSWER,  /* enum answer */
	PLACE_WORD,    /* an enum, by its words */
	PLACE_CHARS,   /* an array of `size` characters */
	PLACE_POINTER, /* const char *; the text is that of the line read */
	PLACE_ADDRESS, /* 16 bytes in network byte order */
	PLACE_FLAGS,   /* uint8_t: TCP flags by tcpdump's letters */
};

struct record_place {
	enum place_kind kind;
	void *at;
	size_t size;
	bool is_signed;
	const char *(*word)(unsigned number); /* PLACE_WORD: the word of that number, NULL for those that are null */
	unsigned last;                        /* the highest such number */
};

/* The place in `r` of the field with that number in the table of fields. */
struct record_place record_place(struct record *r, unsigned field);

/* NULL, or why the value cannot stand there. */
const char *record_place_set(const struct record_place *place, const struct json_value *value);

/* Every word that a record has for the contract is made of letters, digits and -_^, whatever was read. */
bool record_word_fits(const char *word);

#endif
