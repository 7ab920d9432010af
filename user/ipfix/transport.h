/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way to the collector: a connected UDP or TCP socket. Its name is looked up and it is connected while the program
 * has its rights; later the helper makes the next socket, to the addresses that were found then. No call waits for the
 * collector, but for a capture, whose reading may wait.
 */
#ifndef TCPFIN_IPFIX_TRANSPORT_H
#define TCPFIN_IPFIX_TRANSPORT_H

#include "user/cli/options.h"

struct ipfix_transport;

/*
 * Finds the collector and connects, which with TCP takes a few seconds at most; offers the helper what it takes to do
 * so again. Call before rights are given up. While captures are read, sending may wait for a
 * slow collector. options must outlive it. *t: to be freed by
 * ipfix_transport_free. An exit code; errors have been logged.
 */
int ipfix_transport_open(struct ipfix_transport **t, const struct options *options);
void ipfix_transport_free(struct ipfix_transport *t);

/* What has become of it since the last call: */
enum ipfix_news {
	IPFIX_NOTHING_NEW,
	IPFIX_NEW_SESSION, /* a new connection: the collector knows nothing */
	IPFIX_BACK,        /* UDP: the collector was away, and nothing says so any more */
};
/* To be called again and again: sends what waits, notices losses, connects anew. now: ns of CLOCK_MONOTONIC. */
enum ipfix_news ipfix_transport_poll(struct ipfix_transport *t, uint64_t now);
/* Can anything be sent? */
bool ipfix_transport_is_open(const struct ipfix_transport *t);
/* Sends a message, or keeps it until the socket takes it. records: in it; lost where it cannot be sent. */
void ipfix_transport_send(struct ipfix_transport *t, const uint8_t *bytes, size_t len, unsigned records);
/* Nothing more comes: waits a little for what is on its way. */
void ipfix_transport_end(struct ipfix_transport *t);

/* Records that were lost elsewhere on the way to the collector. */
void ipfix_transport_count_lost(struct ipfix_transport *t, uint64_t records);
/* How many records are known not to have reached it. UDP loses more than it tells. */
uint64_t ipfix_transport_lost(const struct ipfix_transport *t);

#endif
