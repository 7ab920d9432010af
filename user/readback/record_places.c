// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The accessors of the table of fields with another meaning: in this file they stand for the member itself. So a row of
 * record_fields.h that prints number_seen(r->silence) says here that the number read belongs into r->silence.
 */
#include "user/readback/record_places.h"

/* ---- words by their numbers ---- */

#define WORDS(function, type)                          \
	static const char *function##_word(unsigned n) \
	{                                              \
		return function((type)n);              \
	}

WORDS(outcome_name, enum outcome)
WORDS(tunnel_name, enum packet_tunnel)
WORDS(pattern_name, enum pattern)
WORDS(role_name, enum role)
WORDS(role_or_unknown, enum role)
WORDS(state_name, enum tcp_state)
WORDS(missing_name, enum missing)
WORDS(how_name, enum how)
WORDS(listener_state_name, enum listener_state)
WORDS(phase_name, enum phase)
WORDS(validity_name, enum reset_validity)
WORDS(basis_name, enum basis)
WORDS(mptcp_name, uint8_t)

/* ---- places ---- */

static struct record_place nowhere(void)
{
	return (struct record_place){.kind = PLACE_NONE};
}

static struct record_place place_of(enum place_kind kind, void *at, size_t size, bool is_signed)
{
	return (struct record_place){.kind = kind, .at = at, .size = size, .is_signed = is_signed};
}

static struct record_place place_of_word(void *at, size_t size, const char *(*word)(unsigned), unsigned last)
{
	return (struct record_place){.kind = PLACE_WORD, .at = at, .size = size, .word = word, .last = last};
}

#define PLACE(kind, member) place_of(kind, &(member), sizeof(member), false)
#define IS_SIGNED(member) ((__typeof__(member))-1 < (__typeof__(member))1)
#define NUMBER(member) place_of(PLACE_NUMBER, &(member), sizeof(member), IS_SIGNED(member))
#define WORD(member, word, last) place_of_word(&(member), sizeof(member), word, last)
#define IS_POINTER(member) __builtin_types_compatible_p(__typeof__(member), const char *)
#define TEXT(member) PLACE(IS_POINTER(member) ? PLACE_POINTER : PLACE_CHARS, member)

/* What is derived from other members goes nowhere. */
static uint64_t derived_number;

#define number_seen(member) member
#define number_known(member) member
#define number_if(known, member) member
#undef derived
#undef fixed
#undef word_member
#undef word_if
#undef text_if
#undef bool_if
#undef answer_if
#undef address_if
#undef SOCKET_NUMBER
#define derived(value) nowhere()
#define fixed(value) nowhere()
#define word_member(member) TEXT(member)
#define word_if(known, place) place
#define text_if(known, member) member
#define bool_if(known, member) member
#define answer_if(known, member) member
#define address_if(known, member) member
#define SOCKET_NUMBER(s, member) (s)->member
#define record_duration(r) derived_number
#define outcome_name(member) WORD(member, outcome_name_word, OUTCOMES - 1)
#define tunnel_name(member) WORD(member, tunnel_name_word, TUNNEL_GENEVE)
#define pattern_name(member) WORD(member, pattern_name_word, PATTERN_SIMULTANEOUS)
#define role_name(member) WORD(member, role_name_word, NETWORK)
#define role_or_unknown(member) WORD(member, role_or_unknown_word, NETWORK)
#define state_name(member) WORD(member, state_name_word, TCP_STATES - 1)
#define missing_name(member) WORD(member, missing_name_word, MISSING_DESTINATION_FIN)
#define how_name(member) WORD(member, how_name_word, HOW_KERNEL)
#define listener_state_name(member) WORD(member, listener_state_name_word, LISTENER_FULL)
#define phase_name(member) WORD(member, phase_name_word, PHASE_CLOSED)
#define validity_name(member) WORD(member, validity_name_word, RESET_OUT_OF_WINDOW)
#define basis_name(member) WORD(member, basis_name_word, BASIS_UNKNOWN)
#define mptcp_name(member) WORD(member, mptcp_name_word, 8)

#define PLACE_OF_TIME(value) PLACE(PLACE_TIME, value)
#define PLACE_OF_DURATION(value) NUMBER(value)
#define PLACE_OF_BYTES(value) NUMBER(value)
#define PLACE_OF_COUNT(value) NUMBER(value)
#define PLACE_OF_NUMBER(value) NUMBER(value)
#define PLACE_OF_WORD(value) value
#define PLACE_OF_TEXT(value) TEXT(value)
#define PLACE_OF_BOOL(value) PLACE(PLACE_BOOL, value)
#define PLACE_OF_ADDRESS(value) PLACE(PLACE_ADDRESS, value)
#define PLACE_OF_ANSWER(value) PLACE(PLACE_ANSWER, value)
#define PLACE_OF_ID(value) derived(value)
#define PLACE_OF_FLAGS(value) derived(value)
#define PLACE_OF_NAMES(value) derived(value)

#define FIELD_CASE(path, column, type, presence, value, meaning) \
	if (number++ == field)                                   \
		return PLACE_OF_##type(value);
#define MEMBER_CASE(path, type, presence, meaning) number++;

struct record_place record_place(struct record *r, unsigned field)
{
	unsigned number = 0;

	RECORD_FIELDS(FIELD_CASE, MEMBER_CASE)
	return (struct record_place){.kind = PLACE_NONE};
}
