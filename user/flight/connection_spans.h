/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which packets of captures belong to which connection. Packets are numbered in the order in which they are read, from
 * 1 on. A connection has those of its tuple from its first one until the next connection of the tuple begins, and until
 * its own report if that comes later: then both have what lies in between, since a SYN within a connection does not
 * tell whose segments follow. It is known only later which connections are kept, so captures are read twice: first
 * connections begin, end and are kept, then each packet is looked up.
 *
 * Memory: 24 to 48 bytes a connection while captures are read for the first time; 300 for each that is kept, and
 * its comment.
 */
#ifndef TCPFIN_CONNECTION_SPANS_H
#define TCPFIN_CONNECTION_SPANS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/core/flow_hash.h"

struct connection_spans;

/* A connection whose packets are kept. */
struct kept_connection {
	uint64_t begun; /* what connection_spans_begin has returned */
	char *comment;  /* owned; NULL: none, or it has been taken */
	/* The segment that the comment is for: */
	uint64_t time; /* ns; 0: not known */
	uint32_t seq;
	uint8_t flags;
	unsigned skip; /* without its time: how many like it come before */
};

/* NULL where memory is short. All functions below exit then. */
struct connection_spans *connection_spans_new(void);
void connection_spans_free(struct connection_spans *s); /* NULL is nothing */

/* The tuple of a segment, of either side: a keyed hash that nobody outside can make two of equal. */
uint64_t connection_spans_tuple(const struct connection_spans *s, const struct tcp_segment *segment);
/*
 * A connection begins with packet `number`. midstream: earlier packets of the tuple that belong to no other connection
 * are its own. Returns what names it.
 */
uint64_t connection_spans_begin(struct connection_spans *s, uint64_t tuple, uint64_t number, bool midstream);
/* It was reported when packet `number` had been read. One that never is was none: its packets are those of another. */
void connection_spans_end(struct connection_spans *s, uint64_t begun, uint64_t number);
/* It is kept: the same one again for the same `begun`. The result is valid until the next call. */
struct kept_connection *connection_spans_keep(struct connection_spans *s, uint64_t begun);
/* All have begun. From here on connection_spans_of may be called. */
void connection_spans_seal(struct connection_spans *s);
#define CONNECTION_SPANS_MOST 4 /* connections that a packet is told to belong to */

/* The kept connections that a packet belongs to, the latest first. Returns how many. Numbers must not descend. */
unsigned connection_spans_of(struct connection_spans *s, uint64_t tuple, uint64_t number,
			     struct kept_connection *of[CONNECTION_SPANS_MOST]);
/* Those that are kept, in the order of connection_spans_keep. */
const struct kept_connection *connection_spans_kept(const struct connection_spans *s, uint64_t *count);

#endif
