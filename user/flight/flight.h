/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flight recorder (-w): packets of the connections that are reported, with what is said of each. Of captures, all
 * their packets, which are read a second time for that (user/capture/kept_packets.c); live, the headers of those that
 * opened and closed them, as far as a ring still has them (user/live/seen_packets.c). Without the option all functions
 * do nothing; a pointer to struct flight may then be NULL.
 */
#ifndef TCPFIN_FLIGHT_H
#define TCPFIN_FLIGHT_H

#include "user/cli/options.h"
#include "user/flight/connection_spans.h"
#include "user/flight/packet_file.h"
#include "user/record/anonymizer.h"
#include "user/record/record.h"

struct flight;

/* A packet of a live watch. */
struct flight_seen {
	uint32_t source; /* names the interface: small numbers */
	uint32_t link;   /* LINKTYPE_ */
	const char *name;
	uint64_t time; /* ns since 1970 */
	const uint8_t *bytes;
	uint32_t captured, length;
	bool outgoing;
};

/* Where the packets of a connection are. */
struct flight_packets {
	uint64_t begun; /* captures: what connection_spans_begin has returned */
	/* Live: those that there are, in their order. */
	const struct flight_seen *seen;
	unsigned count;
	bool again; /* they were written before, for an earlier final record */
};

/* Comments of captures are kept in memory until the second reading: so many bytes of them at most. */
#define FLIGHT_COMMENTS (64u << 20)

/*
 * *flight is NULL without -w; to be freed by flight_free. options and anonymizer must outlive it; anonymizer: NULL, or
 * what has replaced the addresses of the records. An exit code; errors were logged.
 */
int flight_start(struct flight **flight, const struct options *options, struct anonymizer *anonymizer);
void flight_free(struct flight *flight);
/*
 * A file to be read and written that has no name, in the directory of -w, for what can be read once only. Call before
 * rights are given up. Returns the descriptor, the caller's, or a negative errno.
 */
int flight_spool(const struct flight *flight);
/* The connections of captures. */
struct connection_spans *flight_spans(struct flight *flight);
/*
 * The connection is reported by this record: its packets are kept. Captures: a later record of it takes the place of
 * this one. Live they are written with its final record, and what its record lists and is not among them is counted.
 */
void flight_keep(struct flight *flight, const struct flight_packets *packets, const struct record *r);
/* Captures: all have been reported. Packets may be written from here on, in their order. */
void flight_begin_writing(struct flight *flight);
/* Writes a packet of `count` connections that are kept, with the comment of each that it is the place for. */
void flight_write(struct flight *flight, struct kept_connection **of, unsigned count, const struct tcp_segment *s,
		  struct packet_to_write *p);
/* All is written. end: ns, when the captures end, whose other packets are not here; 0: that is not known. */
void flight_end(struct flight *flight, uint64_t end);
/* Live: writes what waits in memory, into the next file if one is due. Call regularly. */
void flight_poll(struct flight *flight);
/* Live: nothing more comes. */
void flight_finish(struct flight *flight);
/* Packets that are known to be missing in the file: counts as loss. */
void flight_add_lost(struct flight *flight, uint64_t packets);
uint64_t flight_lost(const struct flight *flight);

#endif
