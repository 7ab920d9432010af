/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a connection waits for, since when, and for how long: when it is reported, and when a wait is news.
 */
#ifndef TCPFIN_FLOW_WAIT_H
#define TCPFIN_FLOW_WAIT_H

#include "user/judge/flow.h"

/*
 * No SYN of one attempt comes after so many ns without a packet of it. The longest gap of Linux is 120 s
 * (tcp_syn_retries, RTO_MAX of include/net/tcp.h).
 */
#define FLOW_ATTEMPT_NS 135000000000ULL

#define FLOW_FOR_EVER (~0ULL)

/* Times in ns; FLOW_FOR_EVER: the wait has no end. */
struct flow_timeouts {
	__u64 settle; /* from the last step of a finished connection to its report */
	__u64 reset;  /* the same of an RST, whose alleged sender may go on; less than `settle`: no longer than that */
	/* A wait becomes news, and an interim record says so: */
	__u64 syn;   /* after the last segment of a handshake that nobody answers */
	__u64 close; /* after the last progress of a close that began */
	/* Nothing more is expected, and the connection is given up: */
	__u64 doubt;   /* after the last segment of one whose RST is not certain */
	__u64 attempt; /* after the last segment of a handshake that did not come about */
	__u64 repeat;  /* after the last segment of one that was refused: its SYN may be repeated */
	__u64 idle;    /* after the last segment of a close that began */
};

/* What an unproven or closing flow waits for. */
enum flow_wait {
	FLOW_WAIT_SETTLE,  /* it is done: for stragglers */
	FLOW_WAIT_REPEAT,  /* it was refused: for copies of its SYN, by some TCPs (Windows) half a second later */
	FLOW_WAIT_DOUBT,   /* its RST is not certain: for what it does afterwards */
	FLOW_WAIT_SYN,     /* for an answer */
	FLOW_WAIT_CLOSE,   /* for the next step of its close, be it for hours: a half open side may go on sending */
	FLOW_WAIT_NOTHING, /* it goes on: its reset was not accepted */
	FLOW_WAIT_IDLE,    /* it goes on, but for the recorder it opens still: FLOW_PAIRED, or no SYN-ACK captured */
	FLOW_WAITS,
};

/*
 * An RST ended it, as far as is known; but what is known is not enough to tell whether its receiver took it. Inside the
 * window, but with another number than is expected, it is taken by old receivers alone (RFC 5961 section 3.2), and the
 * challenge ACK of the others can be lost. One that its alleged sender denies is in doubt until the receiver answers;
 * where that one passes elsewhere, so is any.
 */
static inline bool flow_is_in_doubt(const struct flow *f)
{
	if ((f->state & FLOW_DONE) == FLOW_RESET && f->side[f->reset.side & 1].now.known & NUMBERS_ACK &&
	    !flow_hears_receiver(f))
		return true;
	return (f->state & (FLOW_DONE | FLOW_PROVEN)) == (FLOW_RESET | FLOW_PROVEN) &&
	       (f->reset.validity == RESET_UNKNOWN || f->doubt ||
		(f->reset.validity == RESET_IN_WINDOW && !(f->reset.fate & RESET_ANSWERED)) ||
		(f->reset.fate & (RESET_DENIED | RESET_ANSWERED)) == RESET_DENIED);
}

/* Did an RST answer its SYN? The client's TCP may send that SYN again, since it is still in SYN-SENT. */
static inline bool flow_is_refused(const struct flow *f)
{
	return (f->state & (FLOW_RESET | FLOW_PROVEN | FLOW_MIDSTREAM)) == FLOW_RESET &&
	       (f->open.seen & (OPEN_SYN | OPEN_SYNACK)) == OPEN_SYN && (f->reset.side & 1) != (f->open.source & 1);
}

static inline enum flow_wait flow_waits_for(const struct flow *f)
{
	if (flow_is_in_doubt(f))
		return FLOW_WAIT_DOUBT;
	if (flow_is_refused(f) && !(f->state & FLOW_PAIRED)) /* that RST is not kept so long */
		return FLOW_WAIT_REPEAT;
	if (f->state & FLOW_DONE)
		return FLOW_WAIT_SETTLE;
	if (f->state & FLOW_BEGUN)
		return FLOW_WAIT_CLOSE;
	if (!(f->state & FLOW_PROVEN))
		return FLOW_WAIT_SYN;
	return flow_lacks_synack(f) || f->state & FLOW_PAIRED ? FLOW_WAIT_IDLE : FLOW_WAIT_NOTHING;
}

/* Did an RST find no place in the log that may have ended the connection, which goes by what is listed? */
static inline bool flow_may_have_ended(const struct flow *f)
{
	return !(f->state & FLOW_BEGUN) && f->reset.copies;
}

/* Is such a connection open, with nothing to wait for but its close? */
static inline bool flow_wait_is_open(enum flow_wait wait)
{
	return wait == FLOW_WAIT_NOTHING || wait == FLOW_WAIT_IDLE;
}

/* Since when it waits for its next step. Copies of what was sent before are no progress of a close. */
static inline __u64 flow_waits_since(const struct flow *f)
{
	switch (flow_waits_for(f)) {
	case FLOW_WAIT_SETTLE:
		return flow_end_time(f);
	case FLOW_WAIT_CLOSE:
		return f->t_progress;
	default:
		return f->t_last;
	}
}

static inline __u64 flow_time_after(__u64 since, __u64 wait)
{
	return wait > FLOW_FOR_EVER - since ? FLOW_FOR_EVER : since + wait;
}

/* From the end of a finished connection to its report. 0 is none: what comes at the same time belongs to it. */
static inline __u64 flow_settles_for(const struct flow *f, const struct flow_timeouts *t)
{
	__u64 settle = t->settle ? t->settle : 1;

	return (f->state & (FLOW_DONE | FLOW_PROVEN)) == (FLOW_RESET | FLOW_PROVEN) && t->reset > settle ? t->reset
													 : settle;
}

/*
 * When it is to be reported for good, if nothing comes. Never the time at which it began to wait: what comes at the
 * same time belongs to it.
 */
static inline __u64 flow_due(const struct flow *f, const struct flow_timeouts *t)
{
	switch (flow_waits_for(f)) {
	case FLOW_WAIT_SETTLE:
		return flow_time_after(flow_end_time(f), flow_settles_for(f, t));
	case FLOW_WAIT_REPEAT:
		return flow_time_after(f->t_last, t->repeat > t->settle ? t->repeat : t->settle + 1);
	case FLOW_WAIT_DOUBT:
		return flow_time_after(f->t_last, t->doubt);
	case FLOW_WAIT_SYN:
		return flow_time_after(f->t_last, t->attempt);
	case FLOW_WAIT_CLOSE:
	case FLOW_WAIT_IDLE:
		return flow_time_after(f->t_last > f->t_progress ? f->t_last : f->t_progress, t->idle);
	default:
		return FLOW_FOR_EVER;
	}
}

/* Is it to be reported for good at `now`? */
static inline bool flow_is_due(const struct flow *f, __u64 now, const struct flow_timeouts *t)
{
	return now >= flow_due(f, t);
}

/* When its wait is news, although it may go on. */
static inline __u64 flow_news_due(const struct flow *f, const struct flow_timeouts *t)
{
	switch (flow_waits_for(f)) {
	case FLOW_WAIT_REPEAT:
		return flow_time_after(f->t_last, t->settle ? t->settle : 1);
	case FLOW_WAIT_SYN:
		return flow_time_after(f->t_last, t->syn);
	case FLOW_WAIT_CLOSE:
		return flow_time_after(f->t_progress, t->close);
	default:
		return FLOW_FOR_EVER;
	}
}

#endif
