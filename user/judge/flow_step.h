/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adding one segment to a flow.
 */
#ifndef TCPFIN_FLOW_STEP_H
#define TCPFIN_FLOW_STEP_H

#include "user/judge/flow.h"

/* What flow_step tells its caller. */
enum {
	STEP_PROVEN = 1, /* became FLOW_PROVEN */
	STEP_BEGUN = 2,  /* became FLOW_BEGUN */
	STEP_DONE = 4,   /* became FLOW_GRACEFUL or FLOW_RESET: the record is complete, settling starts */
};

/*
 * Adds a segment of side 0 or 1 to the flow and to its log, which holds f->log_len segments and has room for cap.
 * Returns STEP_ bits. A new flow is prepared by flow_init or flow_reopen. The same packet seen twice changes nothing
 * but `duplicates`.
 */
unsigned flow_step(struct flow *f, struct flow_segment *log, unsigned cap, const struct tcp_segment *s, unsigned side);

#endif
