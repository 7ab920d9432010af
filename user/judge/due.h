/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which connections are due, live and in captures: a wait that begins sets a timer, and when it fires the connection is
 * judged as it is then. What is due is reported; what has moved on waits again.
 */
#ifndef TCPFIN_DUE_H
#define TCPFIN_DUE_H

#include "bpf/core/flow_event.h"
#include "user/judge/flow_tables.h"
#include "user/judge/flow_views.h"
#include "user/judge/flow_wait.h"
#include "user/judge/half_views.h"
#include "user/judge/held_flows.h"
#include "user/judge/interim.h"
#include "user/judge/related.h"
#include "user/judge/silence.h"
#include "user/judge/timers.h"

/* How a connection is reported. */
struct due_report {
	bool stray;    /* only a stray segment speaks for it: it is no connection */
	bool cut;      /* the watch or the file ends while it goes on */
	bool interim;  /* its story goes on: another report follows */
	bool again;    /* it was reported before, and that report was no interim one */
	bool early;    /* it has not settled yet */
	bool glance;   /* it is only looked at, for due_look_at_waiting: nothing is reported */
	bool stuck;    /* then: its close stands still */
	bool counted;  /* what another interface saw of it was other, and was reported before */
	uint32_t half; /* slot + 1 of the view that heard its other side alone, at another interface; 0: none */
	/* Of captures: */
	const struct last_payload *payload; /* as it was when the close began; NULL: not known */
	const struct black_hole *hole;      /* large segments that its path swallowed; NULL: not known */
	uint64_t heard;                     /* ns: the last segment of an open connection; 0: not known */
	/* Of the segments that open or close it, with --all-segments of every one. */
	const struct flow_interfaces *seen_at;
	bool closes_only; /* they are all that open or close it: none has passed unseen */
	unsigned twins;   /* second sightings of its SYN and SYN-ACK, but for those that `traffic` counts */
	uint64_t begun;   /* what flow_table_config.begun returned for it */
	uint64_t until;   /* number of the last packet before the report; 0: they are not numbered */
	/* What other interfaces see of it is other, and is to be reported: */
	const struct related_peer *apart;
	unsigned aparts;
};

/* Interim records made at once, and those more that each second allows: no scan makes more. */
#define DUE_INTERIM_BURST 1000
#define DUE_INTERIM_A_SECOND 100

struct due {
	struct flow_tables *tables;
	struct flow_timeouts wait;
	/*
	 * Called for every connection that is to be reported. slot: where it was, for what else is kept by slot. j and
	 * how are valid during the call only.
	 */
	void (*report)(void *context, const struct judged *j, uint32_t slot, const struct due_report *how);
	/*
	 * Called for an RST that is to be reported as the end of an open connection: does the socket that it was sent
	 * to live on? NULL: nobody knows.
	 */
	bool (*survived)(void *context, const struct judged *j);
	/*
	 * Fetches what else the report of that connection will read: indexes by its addresses, ports and numbers or,
	 * with `near`, what they lead to. NULL: nothing.
	 */
	void (*fetch)(const void *context, const struct flow_slot *slot, bool near);
	void *context;
	uint64_t *counters; /* COUNTERS of them, for what user space counts; owned by the caller */

	struct timers timers;
	struct judged judged;
	struct interims interims; /* interims_begin: waits are reported when they are news */
	uint64_t interim_since;   /* ns: the time up to which interim records have been used up */
	struct held_flows held;   /* held_flows_begin: what comes behind a last record may amend it */
	struct flow_views views;  /* flow_views_begin: what several interfaces see of one connection is one report */
	struct judged other;      /* what another one saw */
};

/* Call in each poll: connections that are new are known for views of one before any of them is reported. */
void due_note_new(struct due *d);
/* Takes a notice of the recorder. now: ns. */
void due_notice(struct due *d, const struct notice *notice, uint64_t now);
/*
 * Takes an RST of no connection, which was seen at those interfaces: does it answer a SYN that passed another one? Then
 * it is part of that record.
 */
bool due_answer(struct due *d, const struct stray *x, const struct flow_interfaces *at, uint64_t now);
/* Judges what timers have made due. */
void due_expire(struct due *d, uint64_t now);
/*
 * Looks at slots first to end - 1 for what no notice told of: waits that are over, ends whose notice was lost. Where
 * every notice arrives, it finds nothing.
 */
void due_scan(struct due *d, uint32_t first, uint32_t end, uint64_t now);
/*
 * Call in each poll. What has come of connections whose last record names an RST that passed through this host: where
 * that shows something else, another record replaces it (again), at the latest when the connection ends.
 */
void due_look_at_held(struct due *d, uint64_t now);
/* Calls report with `glance` for each connection whose close has begun and goes on. */
void due_look_at_waiting(struct due *d, uint64_t now);
/*
 * Where few logs are left: refusals, and closes whose FINs are both acknowledged, are reported before they have
 * settled, and then the connections that have been in an interim record for longest are given up. now: ns.
 */
void due_relieve(struct due *d, uint64_t now);
/* What limits the connections of a capture. */
struct due_limit {
	uint32_t most; /* so many may be held */
	uint32_t keep; /* so many stay where there are more */
	uint32_t slot; /* slot + 1 of the newest one, which stays */
	/* ns: no segment of the connection in that slot came later. */
	uint64_t (*heard)(const void *context, uint32_t slot);
	const void *context;
};

/*
 * Where more connections than l->most are held, those that have been silent for longest are reported as they are: as at
 * the end of the file, at `now`. *held: how many were held before. 0 or -ENOMEM.
 */
int due_make_room(struct due *d, const struct due_limit *l, uint64_t now, uint32_t *held);
/* Removes the timers of connections that are gone. */
void due_drop_timers(struct due *d);
/* A round of ageing for the open connections in those slots; see flow_tables_age. */
void due_age(struct due *d, uint32_t first, uint32_t end);
/*
 * The end, at `now`: reports every connection that has begun to open or close, and with `open` the open ones, too.
 * Those whose close stands still for less than wait.close are cut. 0 or -ENOMEM.
 */
int due_finish(struct due *d, bool open, uint64_t now);
void due_free(struct due *d);

#endif
