/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What became of an RST: did its receiver take it, and who made it? Two questions. The receiver's own later segments
 * answer the first; what its alleged sender goes on to do answers the second.
 */
#ifndef TCPFIN_RESET_FATE_H
#define TCPFIN_RESET_FATE_H

#include "user/judge/flow.h"

/* A segment of `side` comes while an RST stands as the end of the connection (FLOW_RESET). */
void reset_fate_step(struct flow *f, const struct tcp_segment *s, unsigned side);
/*
 * An RST of `side` comes. If its sender was believed to have survived an earlier one and now answers as a closed socket
 * does, the earlier one stands again. Returns whether it does.
 */
bool reset_fate_restore(struct flow *f, const struct tcp_segment *s, unsigned side);
/* The socket of this host that the RST was sent to lives on: it has not taken it. */
void reset_fate_survived(struct flow *f);
/* The receiver has challenged the RST: its sender sends another one, with the number expected. */
void reset_fate_challenged(struct flow *f);
/* Both FINs are acknowledged while an RST stands: it came behind its sender's close, or nobody acted on it. */
void reset_fate_graceful(struct flow *f);
/* The source's segment completes the handshake. Returns whether that counts, should an RST stand. */
bool reset_fate_handshake(struct flow *f, const struct tcp_segment *s);

#endif
