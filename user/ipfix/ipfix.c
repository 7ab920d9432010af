// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When what is sent: records within a second, and over UDP every minute what the collector must know to read them.
 */
#include "user/ipfix/ipfix.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>

#include "user/base/clock.h"
#include "user/base/exit_code.h"
#include "user/base/log.h"
#include "user/ipfix/messages.h"
#include "user/ipfix/transport.h"

#define FLUSH_NS SECOND_NS
#define REPEAT_NS (60 * SECOND_NS) /* RFC 7011 section 8.4 leaves it to the exporter */
#define POLL_RECORDS 64            /* a capture is read without a pause */
#define REFUSAL_MS 50              /* in which this host says that nobody listens */
/*
 * Bytes of a message. UDP: a packet of 1280 bytes, which IPv6 carries everywhere (RFC 8200 section 5) and IPv4 nearly
 * so, as nothing is known of the path (RFC 7011 section 10.3.3).
 */
#define UDP_BYTES 1232
#define TCP_BYTES 16384

struct ipfix {
	const struct options *options;
	struct ipfix_transport *transport;
	struct ipfix_messages *messages;
	bool begun;                       /* the collector has been told what elements mean */
	uint64_t next_flush, next_repeat; /* ns of CLOCK_MONOTONIC */
	uint64_t added;                   /* records */
	struct ipfix_values values;
};

static void send_message(void *context, const uint8_t *bytes, size_t len, unsigned records)
{
	struct ipfix *x = context;

	ipfix_transport_send(x->transport, bytes, len, records);
}

static void begin_session(struct ipfix *x, uint64_t now)
{
	ipfix_transport_count_lost(x->transport, ipfix_messages_waiting(x->messages));
	x->begun = ipfix_messages_begin(x->messages);
	x->next_flush = now + FLUSH_NS;
	x->next_repeat = now + REPEAT_NS;
}

/* ---- beginning and end ---- */

/* A collector over UDP that is not there is no error: it may come later. */
static int start(struct ipfix *x)
{
	const struct options *o = x->options;
	int code = ipfix_transport_open(&x->transport, o);

	if (code != EXIT_FINE)
		return code;
	x->messages = ipfix_messages_new(o->ipfix_enterprise, o->ipfix_domain,
					 o->ipfix_transport == IPFIX_TCP ? TCP_BYTES : UDP_BYTES, send_message, x);
	if (x->messages)
		begin_session(x, clock_ns(CLOCK_MONOTONIC));
	if (!x->begun) {
		log_error("--ipfix: messages cannot be made");
		return EXIT_RUNTIME;
	}
	poll(NULL, 0, REFUSAL_MS);
	ipfix_poll(x);
	return EXIT_FINE;
}

int ipfix_start(struct ipfix **place, const struct options *options)
{
	struct ipfix *x;
	int code;

	*place = NULL;
	if (!options->ipfix.text)
		return EXIT_FINE;
	x = calloc(1, sizeof(*x));
	if (!x) {
		log_error("out of memory");
		return EXIT_RUNTIME;
	}
	x->options = options;
	code = start(x);
	if (code == EXIT_FINE)
		*place = x;
	else
		ipfix_free(x);
	return code;
}

void ipfix_free(struct ipfix *x)
{
	if (!x)
		return;
	ipfix_messages_free(x->messages);
	ipfix_transport_free(x->transport);
	free(x);
}

void ipfix_end(struct ipfix *x)
{
	uint64_t lost;

	if (!x)
		return;
	ipfix_messages_flush(x->messages);
	ipfix_transport_end(x->transport);
	lost = ipfix_lost(x);
	if (lost)
		log_error("%" PRIu64 " records did not reach the IPFIX collector %s", lost, x->options->ipfix.text);
}

uint64_t ipfix_lost(const struct ipfix *x)
{
	return x ? ipfix_transport_lost(x->transport) : 0;
}

/* ---- records ---- */

void ipfix_add(struct ipfix *x, const struct record *r, enum answer forced)
{
	if (!x)
		return;
	if (++x->added % POLL_RECORDS == 0)
		ipfix_poll(x);
	if (x->begun && ipfix_transport_is_open(x->transport)) {
		ipfix_values_of(&x->values, r, forced);
		if (ipfix_messages_add(x->messages, &x->values))
			return;
	}
	ipfix_transport_count_lost(x->transport, 1);
}

void ipfix_poll(struct ipfix *x)
{
	uint64_t now;

	if (!x)
		return;
	now = clock_ns(CLOCK_MONOTONIC);
	switch (ipfix_transport_poll(x->transport, now)) {
	case IPFIX_NEW_SESSION:
		begin_session(x, now);
		break;
	case IPFIX_BACK:
		x->next_repeat = now;
		break;
	case IPFIX_NOTHING_NEW:
		break;
	}
	if (now >= x->next_flush) {
		ipfix_messages_flush(x->messages);
		x->next_flush = now + FLUSH_NS;
	}
	if (x->options->ipfix_transport == IPFIX_TCP || now < x->next_repeat || !ipfix_transport_is_open(x->transport))
		return;
	ipfix_messages_repeat(x->messages);
	x->next_repeat = now + REPEAT_NS;
}
