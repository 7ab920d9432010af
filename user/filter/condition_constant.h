/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The constants of a condition: reading one as the type of the value it is compared with, and comparing.
 */
#ifndef TCPFIN_CONDITION_CONSTANT_H
#define TCPFIN_CONDITION_CONSTANT_H

#include "user/record/record_fields.h"

enum operator{ EQUAL, UNEQUAL, LESS, AT_MOST, MORE, AT_LEAST };

struct constant {
	uint64_t number;  /* ns, bytes, a count, 0 or 1, thousandths of a percent; a prefix's length in bits */
	bool percent;     /* number is a share of the value's whole */
	const char *text; /* not owned, not NUL-terminated */
	size_t len;
	int family; /* of ip: 4 or 6 */
	uint8_t ip[16];
};

/* Can values of the type be compared with the operator? */
bool constant_takes(enum record_field_type type, enum operator op);
/*
 * Reads a token, a word or a text in quotes. shares: a percentage is allowed. NULL, or what the type asks for, as the
 * end of a message. text must outlive the constant.
 */
const char *constant_parse(struct constant *c, enum record_field_type type, const char *text, size_t len, bool shares);
/* Does `v op c` hold? v must be known. */
bool constant_holds(const struct constant *c, enum record_field_type type, const struct field_value *v,
		    enum operator op);
/* Is it that word of the contract, as any format prints it? "handshake-reset" is handshake_reset. */
bool constant_is_word(const struct constant *c, const char *word);

#endif
