/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One history: a script played by two ends over a network, and what a capture has of it. The same as ../history.py, by
 * the same rules and with the same names, a few hundred times as fast; with windows that are full, hosts that have
 * begun anew, and ends that are used again, which that one has not.
 *
 * Numbers count on beyond 2^32, and begin above it, so that what is in front of the first one is no negative number.
 */
#ifndef TCPFIN_HISTORY_H
#define TCPFIN_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/core/packet.h"
#include "tests/diff/random.h"

#define MS 1000000ULL
#define SECOND (1000 * MS)
#define ORDER (1ULL << 32)
#define HISTORY_WINDOW 64000

enum { SENT_MAX = 384, EVENTS_MAX = 256, KEPT_MAX = 24, EARLY_MAX = 48, LOSSES_MAX = 128, WRITES_MAX = 6 };

struct sent {
	uint64_t seq, ack;
	uint64_t sent, seen; /* ns; seen: where the capture is */
	uint32_t length;
	uint32_t stamp; /* TSval (RFC 7323); 0: without */
	uint16_t ip_id;
	uint8_t side, flags;
	bool forged, passed; /* passed: it came by where the capture is */
	bool hidden;         /* and is not in it */
	bool shut;           /* it offers no window */
	bool scaled;         /* of a SYN: it has the option; else: so is its window */
};

static inline uint64_t sent_end(const struct sent *s)
{
	return s->seq + s->length + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
}

enum end_state { END_CLOSED, END_LISTEN, END_SYN_SENT, END_SYN_RECEIVED, END_SYNCHRONIZED };

enum heard { HEARD_OPEN, HEARD_SYN_ACK, HEARD_DATA, HEARD_FIN, HEARD_ACKED, HEARD_RESET };

struct history;

/* What happens at a time, and what an application makes of what its TCP tells it. */
typedef void action(struct history *h, unsigned side, uint64_t value);
typedef void listener(struct history *h, unsigned side, enum heard what);

/* One end of the connection. */
struct end {
	enum end_state state;
	uint64_t isn, una, nxt, peer_isn, rcv; /* rcv: meaningful once knows_peer */
	uint64_t fin;                          /* number behind the own FIN; 0: none was sent */
	uint64_t taken;                        /* payload bytes */
	uint64_t ended_by;                     /* number of the RST that it took; 0: none */
	struct kept {
		uint64_t seq, end;
		uint32_t length;
		uint8_t flags;
	} kept[KEPT_MAX]; /* sent and not acknowledged, oldest first */
	struct early {
		uint64_t seq, end;
		uint8_t flags;
	} early[EARLY_MAX]; /* came ahead of their turn */
	unsigned kept_count, early_count;
	unsigned timer, tries;
	uint32_t syn_data; /* bytes that the SYN carries */
	bool takes_syn_data, knows_peer, peer_fin, fin_knew_peer, reset;
	bool deaf;            /* the host is gone */
	bool fills;           /* what comes next fills its window */
	bool shut, peer_shut; /* its window is full; it knows that the peer's is */
	bool stamps, scaled;  /* it offers these options; from the other's SYN on: they are in use */
	int64_t set_back;     /* ms by which the clock of its stamps is behind */
	uint32_t recent;      /* TS.Recent */
	uint64_t last_acked;  /* Last.ACK.sent */
	uint8_t syn_flags;    /* ECN bits of its SYN */
	unsigned syn_plain;   /* from which repetition on its SYN lacks them, and a source's the options; 0: none */
	listener *heard;
};

struct event {
	uint64_t time;
	uint32_t order;
	unsigned side;
	action *act;
	uint64_t value;
};

/* Probabilities, in percent. */
struct quality {
	unsigned lost, copied, reordered, joined;
};

/* What both applications have said so far, and what the script wants of them. */
struct play {
	const struct script *script;
	uint32_t request[WRITES_MAX], response[WRITES_MAX];
	unsigned requests, responses;
	uint32_t early; /* bytes in the SYN */
	unsigned done;  /* bits of enum once */
	action *then;   /* once request and response have arrived */
	uint64_t wait;  /* ns from the peer's FIN to the answer */
	unsigned data;  /* writes before it */
	bool aborts;    /* and it is an RST */
	uint32_t last;  /* bytes with the first FIN */
	unsigned forger;
	uint8_t forgery;
	int64_t distance;
	uint32_t forged_length;
	uint64_t beyond;
	uint32_t age; /* ms by which the stamp of a forgery is old */
};

enum left_out { LEFT_NOTHING, LEFT_BEGINNING, LEFT_END, LEFT_SOME };

struct history {
	uint64_t number;
	struct random random;
	struct quality quality;
	uint64_t now, delay[2], last[2][2]; /* delay: between each end and the capture; last: arrivals by side, place */
	uint32_t order;
	uint16_t ids[2];
	struct end end[2];
	struct play play;
	enum left_out left_out;
	bool ipv6, mirrored;  /* mirrored: the capture has each packet twice */
	bool source_is_high;  /* of the two addresses it has the higher one */
	unsigned lost_syns;   /* so many of the source's SYNs are lost for certain */
	unsigned dropped_old; /* segments that a receiver has dropped for their stamp */
	unsigned event_count, sent_count, passed_count, losses_count;
	struct event events[EVENTS_MAX];
	struct sent sent[SENT_MAX];
	uint16_t passed[SENT_MAX]; /* in the order of time: which of `sent` came by */
	struct {
		uint64_t seq, end;
		unsigned side, times;
	} losses[LOSSES_MAX];
};

/* A way to open and close a connection. */
struct script {
	const char *name;
	void (*begin)(struct history *h, unsigned side);
	unsigned side;
};

extern const struct script scripts[];
extern const unsigned script_count;

void history_make(struct history *h, uint64_t seed, uint64_t number);

/* Ends the program where a history is longer than there is room for. */
void history_room(bool enough, const char *what);

/* 0 ... n - 1 */
static inline uint64_t history_below(struct history *h, uint64_t n)
{
	return n <= UINT32_MAX ? random_below(&h->random, (uint32_t)n) : random_next(&h->random) % n;
}

static inline uint64_t history_between(struct history *h, uint64_t least, uint64_t above)
{
	return least + history_below(h, above - least);
}

/* ---- network.c ---- */

void network_after(struct history *h, uint64_t wait, action *act, unsigned side, uint64_t value);
void network_run(struct history *h, uint64_t until);
bool network_happens(struct history *h, unsigned percent);
void network_transmit(struct history *h, const struct sent *s);
/* A forgery, which begins where the capture is. */
void network_inject(struct history *h, const struct sent *s);

/* ---- endpoint.c ---- */

/* TSval of what the side sends now. */
uint32_t end_stamp(const struct history *h, unsigned side);
void end_connect(struct history *h, unsigned side);
void end_write(struct history *h, unsigned side, uint32_t length);
/* FIN, with the last payload. */
void end_close(struct history *h, unsigned side, uint32_t length);
void end_abort(struct history *h, unsigned side);
/* seq: 0 stands for the next number. */
void end_send(struct history *h, unsigned side, uint8_t flags, uint64_t seq, uint32_t length);
void end_receive(struct history *h, unsigned side, const struct sent *s);

static inline bool end_fin_acked(const struct end *e)
{
	return e->fin && e->una >= e->fin;
}

#endif
