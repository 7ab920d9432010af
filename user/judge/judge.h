/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log -> flow: replays what the recorder kept of a connection, in the order of time.
 */
#ifndef TCPFIN_JUDGE_H
#define TCPFIN_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/core/flow_log.h"
#include "user/judge/flow.h"
#include "user/sockets/flow_key.h"

/* Interfaces at which a connection was seen, in that order, by number as in keys; 0 ends them where they are fewer. */
struct flow_interfaces {
	uint32_t number[RECORD_INTERFACES];
};

struct judged {
	struct flow_key key;
	struct flow flow;
	uint32_t slot;                             /* that was judged */
	uint32_t block;                            /* number + 1 of the block that its log was in; 0: none */
	uint32_t half;                             /* slot + 1 of the view that heard the other side; 0: none */
	uint64_t half_word;                        /* of that slot, as it was judged */
	struct flow_interfaces half_at;            /* that heard the other side alone; first 0: none */
	uint64_t first[2];                         /* ns: the first segment of the view, and of `half` */
	struct flow_segment log[FLOW_LOG_CLOSING]; /* flow.log_len of them */
};

/*
 * Replays the log of a slot whose word is `word`; block: NULL where it has none. Returns false where an entry is not
 * whole yet: another CPU is writing it. by_time: entries go by their times, not as they were appended.
 */
bool judge(struct judged *j, const struct flow_slot *slot, uint64_t word, const struct flow_block *block, bool by_time);

/* Two views of one connection, each of which has heard one side. */
struct judge_pair {
	const struct flow_slot *slot;      /* what both have seen of the handshake */
	uint64_t word;                     /* its phase: PHASE_MIDSTREAM and PHASE_REPLACED count */
	const struct flow_block *block[2]; /* by side, of the view that has heard it; NULL: none */
	unsigned entries[2];               /* of those */
	uint8_t begun_late;                /* as in struct flow */
};

/* The same of two logs, whose entries go by their times. */
bool judge_pair(struct judged *j, const struct judge_pair *p);

#endif
