// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of fields as data: what can be asked about a field, without a record and of one.
 */
#include "user/record/record_fields.h"

#define FIELD_ROW(path, column, type, presence, value, meaning) {path, column, FIELD_##type, FIELD_##presence, meaning},
#define MEMBER_ROW(path, type, presence, meaning) {path, NULL, FIELD_##type, FIELD_##presence, meaning},

const struct record_field record_fields[] = {RECORD_FIELDS(FIELD_ROW, MEMBER_ROW)};
const unsigned record_field_count = sizeof(record_fields) / sizeof(record_fields[0]);

static void value_number(struct field_value *v, struct field_number n)
{
	v->known = n.known;
	v->number = n.value;
}

static void value_text(struct field_value *v, const char *text)
{
	v->known = text;
	v->text = text;
}

static void value_names(struct field_value *v, const char *const *names)
{
	v->known = names[0];
	v->names = names;
}

static void value_address(struct field_value *v, const struct record *r, const uint8_t *ip)
{
	v->known = ip != NULL;
	v->ip = ip;
	v->family = r->family;
}

static void value_id(struct field_value *v, const struct record *r)
{
	community_id(v->id, r->family, r->end);
	value_text(v, v->id);
}

/* A value of each type, stored in `v` for the record `r`. */
#define VALUE_TIME(value) value_number(v, number_known(value))
#define VALUE_DURATION(value) value_number(v, value)
#define VALUE_BYTES(value) value_number(v, value)
#define VALUE_COUNT(value) value_number(v, value)
#define VALUE_NUMBER(value) value_number(v, value)
#define VALUE_WORD(value) value_text(v, value)
#define VALUE_TEXT(value) value_text(v, value)
#define VALUE_NAMES(value) value_names(v, value)
#define VALUE_BOOL(value) value_number(v, number_known(value))
#define VALUE_ADDRESS(value) value_address(v, r, value)
#define VALUE_ANSWER(value) value_number(v, number_if((value) != UNTOLD, (value) == YES))
#define VALUE_ID(value) value_id(v, value)
#define VALUE_FLAGS(value) v->known = false

/* Rows are numbered as the compiler comes by them, so that a field is found by one jump. */
enum { FIRST_ROW = __COUNTER__ + 1 };
#define FIELD_CASE(path, column, type, presence, value, meaning) \
	case __COUNTER__ - FIRST_ROW:                            \
		VALUE_##type(value);                             \
		break;
#define MEMBER_CASE(path, type, presence, meaning) (void)__COUNTER__; /* it has a number, and no value */

void record_field_value(struct field_value *v, const struct record *r, unsigned field)
{
	*v = (struct field_value){0};
	switch (field) {
		RECORD_FIELDS(FIELD_CASE, MEMBER_CASE)
	}
}
