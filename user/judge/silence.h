/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a connection was silent before what ended it: idle time-outs of boxes in the path show in it.
 */
#ifndef TCPFIN_SILENCE_H
#define TCPFIN_SILENCE_H

#include "bpf/core/last_seen.h"
#include "bpf/core/traffic.h"
#include "user/judge/flow.h"
#include "user/sockets/socket_table.h"

/* When payload that had not been sent before passed. Times in ns; 0: none. */
struct last_payload {
	uint64_t last;      /* the last payload of either side */
	uint64_t before;    /* the last payload before `open` */
	uint64_t open;      /* the first payload that the other side has not acknowledged yet */
	uint32_t seq;       /* its number */
	uint8_t side;       /* who sent it */
	bool unseen;        /* numbers show payload behind `last` that the capture lacks */
	bool unseen_before; /* and such payload between `before` and `open` */
	/*
	 * Bits of the sides whose highest number is known to be that of payload, or of the SYN: no FIN of such a side
	 * has passed unseen.
	 */
	uint8_t sent_payload;
};

/* When the close began: the first FIN, or the RST if that came earlier. ns; 0: it has not. */
uint64_t silence_end(const struct flow *f);

struct silence {
	int64_t ns;    /* NUMBER_UNSEEN: not known */
	bool at_most;  /* there may have been payload in between */
	bool answered; /* it ended with payload that an RST answered, or nothing */
};

/*
 * From the last payload either way to whichever came first: the first FIN, the RST, or payload that nothing but an RST
 * answered. p: as it was when the close began; NULL where that is not known. t: traffic; NULL where it was not counted.
 * Without both, the sockets of this host tell, with the accuracy of a jiffy.
 */
struct silence silence_before_close(const struct flow *f, const struct last_payload *p, const struct traffic *t,
				    const struct socket_join *sockets);

#endif
