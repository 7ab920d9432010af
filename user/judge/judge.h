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

struct judged {
	struct flow_key key;
	struct flow flow;
	uint32_t block;                            /* number + 1 of the block that its log was in; 0: none */
	struct flow_segment log[FLOW_LOG_CLOSING]; /* flow.log_len of them */
};

/*
 * Replays the log of a slot whose word is `word`; block: NULL where it has none. Returns false where an entry is not
 * whole yet: another CPU is writing it. by_time: entries go by their times, not as they were appended.
 */
bool judge(struct judged *j, const struct flow_slot *slot, uint64_t word, const struct flow_block *block, bool by_time);

#endif
