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

/*
 * When payload that had not been sent before passed, kept for whoever used a cell last as struct last_seen is. Times in
 * ns; 0: none.
 */
struct last_payload {
	__u64 any;    /* the last segment without SYN, FIN or RST */
	__u64 last;   /* the last payload of either side */
	__u64 before; /* the last payload before `open` */
	__u64 open;   /* the first payload that the other side has not acknowledged yet */
	__u32 seq;    /* its number */
	__u32 tag;    /* whose times these are: last_seen_tag */
	__u8 side;    /* who sent it */
};

/* Payload that had not been sent before. */
static inline void last_payload_open(struct last_payload *p, const struct tcp_segment *s, __u64 side)
{
	if (!p->open) {
		p->before = p->last;
		p->open = s->time;
		p->seq = s->seq;
		p->side = (__u8)side;
	}
	p->last = s->time;
}

/* Notes a segment without SYN, FIN or RST. numbers: what was remembered of the connection before it. */
static inline void last_payload_note(struct last_payload *p, const struct last_seen *numbers,
				     const struct tcp_segment *s, __u64 side, __u64 hash)
{
	const struct last_seen_side *me = &numbers->side[side & 1];
	__u32 tag = last_seen_tag(hash);

	if (p->tag != tag)
		*p = (struct last_payload){.tag = tag};
	p->any = s->time;
	if (p->open && p->side != side && s->flags & TCP_ACK && seq_after(s->ack, p->seq))
		p->open = 0;
	/* What was sent before is no sign of life of the application; nor is a keep-alive's byte. */
	if (s->len && !(last_seen_is_of(me, hash) && !seq_after(s->seq + s->len, me->end)))
		last_payload_open(p, s, side);
}

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
