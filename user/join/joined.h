/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection as all of its views together show it.
 */
#ifndef TCPFIN_JOINED_H
#define TCPFIN_JOINED_H

#include "user/join/path.h"

/* The steps of a connection that go from one end to the other and back. */
enum exchange { SYN_TO_SYNACK, SYNACK_TO_ACK, FIN_TO_ACK, PEER_FIN_TO_ACK, EXCHANGES };

/* ns, each way between the outermost views; an error of the clocks makes one longer and the other shorter. */
struct shares {
	bool known;
	int64_t out;   /* the first segment's way */
	int64_t there; /* from its coming to the answer's leaving, at the other view: no error */
	int64_t back;  /* the answer's way */
	int64_t error; /* of out and back */
};

struct joined {
	const struct way *way;
	const struct path *path; /* NULL: fewer than two views are placed */
	const struct clocks *clocks;
	bool final;
	enum outcome outcome;
	enum role closer; /* NOBODY, or NETWORK: a segment that no end sent ended it */
	struct clock_offset
		offset[JOINED_VIEWS]; /* how far the view's clock is ahead of the first view's, at its start */
	struct shares shares[EXCHANGES];
};

/* "syn_to_synack", ...: as the timings of a record. */
const char *exchange_name(enum exchange exchange);

/* The members point to way, path and clocks, which must outlive them. */
void joined_make(struct joined *j, const struct way *way, const struct path *path, const struct clocks *clocks);

#endif
