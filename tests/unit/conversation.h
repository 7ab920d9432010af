/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A conversation as tests write it: segments between A and B, in numbers relative to two ISNs and in times since EPOCH.
 */
#ifndef TCPFIN_TEST_CONVERSATION_H
#define TCPFIN_TEST_CONVERSATION_H

#include "bpf/core/header_walk.h"
#include "user/judge/flow_step.h"
#include "tests/unit/segments.h"
#include "tests/unit/words.h"

#define MS 1000000ULL
#define SECOND (1000 * MS)
#define EPOCH (1767225600 * SECOND)

enum { A, B }; /* the source and the destination; also their sides, as A's address is the lower one */

#define SYN TCP_SYN
#define ACK TCP_ACK
#define FIN (TCP_FIN | TCP_ACK)
#define RST TCP_RST
#define PSH (TCP_PSH | TCP_ACK)

/* A time stamp (ns) as the time since EPOCH. */
#define expect_at(seen, since) expect_ns_at((int64_t)((seen)-EPOCH), (int64_t)(since), #seen, __FILE__, __LINE__)

/* Turns relative numbers and time into absolute ones. *id counts the packets, so that no two have one IP id. */
static inline void make_absolute(struct wire *w, const uint32_t isn[2], uint16_t *id)
{
	w->time += EPOCH;
	w->seq += isn[w->from];
	if (w->flags & ACK)
		w->ack += isn[!w->from];
	if (!w->id)
		w->id = ++*id;
}

/* The segment as the parser finds it in the packet's bytes. */
static inline struct tcp_segment parse_wire(const struct wire *w)
{
	const struct packet_meta meta = {.link = PACKET_LINK_IP, .wire_len = 65536};
	struct tcp_segment s = {.time = 0};
	struct bytes b = {.len = 0};
	struct cursor c;

	put_wire(&b, w);
	c.pos = b.data;
	c.end = b.data + b.len;
	expect_word(packet_parse(&s, &c, &meta), PACKET_TCP, packet_verdicts);
	if (s.flags & (SYN | RST)) {
		struct tcp_options options = {.len = s.options_len};

		memcpy(options.bytes, b.data + s.options_off, s.options_len);
		packet_options(&s, &options);
	}
	s.time = w->time;
	return s;
}

#endif
