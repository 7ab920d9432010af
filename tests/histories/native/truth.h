/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record that a history calls for. What happened is known from both ends, what can be said of it from what passed
 * the capture's place (tcpfin-trace-record(5)). What the capture lacks can leave a field undecided.
 */
#ifndef TCPFIN_HISTORY_TRUTH_H
#define TCPFIN_HISTORY_TRUTH_H

#include "tests/histories/native/history.h"
#include "user/record/record.h"

enum field {
	FIELD_OUTCOME,
	FIELD_PATTERN,
	FIELD_CLOSER,
	FIELD_TIME_WAIT,
	FIELD_MISSING,
	FIELD_FIN_TO_ACK,
	FIELD_HALF_CLOSED,
	FIELD_PEER_FIN_TO_ACK,
	FIELD_CLOSE,
	FIELD_RESET_BY,
	FIELD_RESET_PHASE,
	FIELD_RESET_VALIDITY,
	FIELD_RESET_FORGED,
	FIELD_LATE_RESET,
	FIELD_MIDSTREAM,
	FIELD_ISN, /* of the source; the destination's follows, as of all pairs */
	FIELD_BYTES = FIELD_ISN + 2,
	FIELD_FINS = FIELD_BYTES + 2, /* copies of the FIN */
	FIELD_SYNS = FIELD_FINS + 2,  /* of the SYN, of the SYN-ACK */
	FIELDS = FIELD_SYNS + 2
};

extern const char *const truth_names[FIELDS];

#define NOTHING (-1) /* null, none or unknown */

struct fields {
	int64_t value[FIELDS];
	uint32_t named;     /* bits: the fields that the history says something of */
	uint32_t undecided; /* those that what is left out would have decided */
};

/* Those that are times of steps, and those that depend on how long it was between two segments. */
#define FIELDS_OF_STEPS (0xfu << FIELD_FIN_TO_ACK)
#define FIELDS_OF_COPIES (3u << FIELD_FINS | 3u << FIELD_SYNS)
#define FIELDS_OF_TIME (FIELDS_OF_STEPS | 1u << FIELD_PATTERN | 1u << FIELD_LATE_RESET | FIELDS_OF_COPIES)

void truth_fields(struct fields *f, const struct history *h);
void record_fields_of(struct fields *f, const struct record *r);

#endif
