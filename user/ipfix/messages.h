/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPFIX messages (RFC 7011), which libfixbuf encodes: templates as records need them, and what the enterprise's own
 * elements mean (RFC 5610). They go to whatever sends them; nothing here knows of sockets.
 */
#ifndef TCPFIN_IPFIX_MESSAGES_H
#define TCPFIN_IPFIX_MESSAGES_H

#include "user/ipfix/elements.h"

#define IPFIX_TEMPLATES 512 /* at most; beyond them records have only what is common to all */

struct ipfix_messages;

/* A message of len bytes and how many records of connections are in it. bytes are valid during the call. */
typedef void ipfix_send(void *context, const uint8_t *bytes, size_t len, unsigned records);

/* largest: bytes of a message. enterprise, domain: numbers as in options. NULL where libfixbuf refuses. */
struct ipfix_messages *ipfix_messages_new(uint32_t enterprise, uint32_t domain, uint16_t largest, ipfix_send *send,
					  void *context);
void ipfix_messages_free(struct ipfix_messages *m);
/*
 * A transport session begins: sequence numbers begin at 0, no template is known to the collector, and what the elements
 * mean is sent. A message that was not sent is dropped. False where libfixbuf refuses.
 */
bool ipfix_messages_begin(struct ipfix_messages *m);
/* Sends again what the elements mean, and the templates in use; the others will be when they are used. */
void ipfix_messages_repeat(struct ipfix_messages *m);
/* Adds a record, which is sent once a message is full. False where it does not fit into any. */
bool ipfix_messages_add(struct ipfix_messages *m, struct ipfix_values *v);
/* Sends what waits. */
void ipfix_messages_flush(struct ipfix_messages *m);
/* How many records wait to be sent. */
unsigned ipfix_messages_waiting(const struct ipfix_messages *m);

#endif
