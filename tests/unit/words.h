/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core's enumerators and flags by name, for the assertions of the unit tests.
 */
#ifndef TCPFIN_TEST_WORDS_H
#define TCPFIN_TEST_WORDS_H

#include "user/judge/flow_step.h"
#include "user/judge/flow_wait.h"
#include "tests/unit/assert.h"

#define WORDS __attribute__((unused)) static const struct word

WORDS tcp_flags[] = {
	WORD(TCP_FIN), WORD(TCP_SYN), WORD(TCP_RST), WORD(TCP_PSH),
	WORD(TCP_ACK), WORD(TCP_URG), WORD(TCP_ECE), WORD(TCP_CWR),
};

WORDS packet_verdicts[] = {
	WORD(PACKET_TCP),       WORD(PACKET_NOT_IP),       WORD(PACKET_NOT_TCP),       WORD(PACKET_FRAGMENT),
	WORD(PACKET_TRUNCATED), WORD(PACKET_BAD_IP),       WORD(PACKET_BAD_LENGTH),    WORD(PACKET_BAD_TCP),
	WORD(PACKET_MANY_TAGS), WORD(PACKET_DEEP_CHAIN),   WORD(PACKET_NESTED_TUNNEL), WORD(PACKET_ESP),
	WORD(PACKET_L2TP),      WORD(PACKET_OTHER_TUNNEL),
};
_Static_assert(COUNT(packet_verdicts) == PACKET_VERDICTS, "a verdict has no name");

WORDS open_flags[] = {
	WORD(OPEN_SYN),      WORD(OPEN_SYNACK),   WORD(OPEN_ACK),    WORD(OPEN_CROSSED),
	WORD(OPEN_SYN_DATA), WORD(OPEN_ACK_MORE), WORD(OPEN_INSIDE),
};

WORDS segment_marks[] = {
	WORD(SEGMENT_COPY),
	WORD(SEGMENT_IGNORED),
	WORD(SEGMENT_FOLDED),
	WORD(SEGMENT_RECALLED),
};

WORDS side_flags[] = {
	WORD(SIDE_FIN), WORD(SIDE_FIN_ACKED), WORD(SIDE_FIN_NEXT), WORD(SIDE_FIN_PARTIAL), WORD(SIDE_FIN_ANSWERS),
};

WORDS reset_validities[] = {
	WORD(RESET_UNKNOWN),
	WORD(RESET_EXACT),
	WORD(RESET_IN_WINDOW),
	WORD(RESET_OUT_OF_WINDOW),
};

WORDS flow_flags[] = {
	WORD(FLOW_PROVEN),     WORD(FLOW_MIDSTREAM), WORD(FLOW_BEGUN),    WORD(FLOW_GRACEFUL), WORD(FLOW_RESET),
	WORD(FLOW_LATE_RESET), WORD(FLOW_REPLACED),  WORD(FLOW_REPEATED), WORD(FLOW_REOPENED),
};

WORDS step_flags[] = {WORD(STEP_PROVEN), WORD(STEP_BEGUN), WORD(STEP_DONE)};

WORDS flow_waits[] = {
	WORD(FLOW_WAIT_SETTLE), WORD(FLOW_WAIT_REPEAT), WORD(FLOW_WAIT_DOUBT),
	WORD(FLOW_WAIT_SYN),    WORD(FLOW_WAIT_CLOSE),  WORD(FLOW_WAIT_NOTHING),
};
_Static_assert(COUNT(flow_waits) == FLOW_WAITS, "a wait has no name");

#endif
