/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets written byte by byte after the RFCs' header diagrams, so that the parser is tested against something that
 * shares no code with it.
 */
#ifndef TCPFIN_TEST_SEGMENTS_H
#define TCPFIN_TEST_SEGMENTS_H

#include <stdint.h>
#include <string.h>

/* ---- bytes ---- */

struct bytes {
	uint8_t data[4096];
	uint32_t len;
};

static inline void put8(struct bytes *b, uint32_t value)
{
	b->data[b->len++] = (uint8_t)value;
}

static inline void put16(struct bytes *b, uint32_t value)
{
	put8(b, value >> 8);
	put8(b, value);
}

static inline void put32(struct bytes *b, uint32_t value)
{
	put16(b, value >> 16);
	put16(b, value);
}

static inline void put_fill(struct bytes *b, uint8_t value, uint32_t count)
{
	while (count--)
		put8(b, value);
}

static inline void put_bytes(struct bytes *b, const void *data, uint32_t len)
{
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

/* ---- headers ---- */

static inline void put_ethernet(struct bytes *b, uint32_t ethertype)
{
	put_bytes(b, "\x02\0\0\0\0\x0b\x02\0\0\0\0\x0a", 12);
	put16(b, ethertype);
}

/* A VLAN tag, for behind an ethertype that announces it. ethertype: of what follows. */
static inline void put_tag(struct bytes *b, uint32_t tci, uint32_t ethertype)
{
	put16(b, tci);
	put16(b, ethertype);
}

/* words: header length in 32-bit words; those above 5 are options. total: the packet's length in the header. */
static inline void put_ipv4_header(struct bytes *b, uint32_t words, uint32_t total, uint32_t fragment,
				   uint32_t protocol)
{
	put8(b, 0x40 | words);
	put8(b, 0);
	put16(b, total);
	put16(b, 0x1234);
	put16(b, fragment);
	put8(b, 61);
	put8(b, protocol);
	put16(b, 0);
	put32(b, 0x0a000001); /* 10.0.0.1 */
	put32(b, 0x0a000109); /* 10.0.1.9 */
	if (words > 5)
		put_fill(b, 1, (words - 5) * 4);
}

/* TCP in IPv4 without options or fragments. l4: bytes of TCP header and payload. */
static inline void put_ipv4(struct bytes *b, uint32_t l4)
{
	put_ipv4_header(b, 5, 20 + l4, 0x4000, 6);
}

/* From 2001:db8::1 to 2001:db8::9. payload: the payload length in the header. */
static inline void put_ipv6(struct bytes *b, uint32_t next, uint32_t payload)
{
	put32(b, 0x60000000);
	put16(b, payload);
	put8(b, next);
	put8(b, 62);
	put_bytes(b, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	put_bytes(b, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09", 16);
}

/* words: data offset. The bytes of options above 5 words are the caller's. Ports 40001 and 443. */
static inline void put_tcp_header(struct bytes *b, uint32_t words, uint32_t flags, uint32_t seq, uint32_t ack)
{
	put16(b, 40001);
	put16(b, 443);
	put32(b, seq);
	put32(b, ack);
	put8(b, words << 4);
	put8(b, flags);
	put16(b, 64240);
	put32(b, 0);
}

/* ---- whole segments, for flows ---- */

/* One segment between 10.0.0.1:40001 (the source) and 10.0.1.9:443. */
struct wire {
	uint64_t time; /* ns */
	uint32_t seq, ack, len;
	uint16_t port; /* of the source; 0: 40001 */
	uint16_t win;  /* 0: 64240 */
	uint16_t id;   /* of IPv4 */
	uint8_t flags;
	uint8_t from;      /* 0 the source, 1 the destination */
	uint8_t ttl;       /* 0: 64 */
	uint8_t wscale;    /* of a SYN, plus one; 0: none */
	uint16_t fragment; /* IPv4 flags and offset */
	uint8_t mptcp;     /* subtype of an MPTCP option, plus one; 0: none */
};

/* The packet from its IPv4 header on, without the payload: only the header's total length counts it. */
static inline void put_wire(struct bytes *b, const struct wire *w)
{
	uint32_t source = w->port ? w->port : 40001, options = (w->wscale ? 4 : 0) + (w->mptcp ? 4 : 0);

	put8(b, 0x45);
	put8(b, 0);
	put16(b, 40 + options + w->len);
	put16(b, w->id);
	put16(b, w->fragment);
	put8(b, w->ttl ? w->ttl : 64);
	put8(b, 6);
	put16(b, 0);
	put32(b, w->from ? 0x0a000109 : 0x0a000001);
	put32(b, w->from ? 0x0a000001 : 0x0a000109);
	put16(b, w->from ? 443 : source);
	put16(b, w->from ? source : 443);
	put32(b, w->seq);
	put32(b, w->ack);
	put8(b, (5 + options / 4) << 4);
	put8(b, w->flags);
	put16(b, w->win ? w->win : 64240);
	put32(b, 0);
	if (w->wscale) {
		put8(b, 1);
		put8(b, 3);
		put8(b, 3);
		put8(b, w->wscale - 1u);
	}
	if (w->mptcp) {
		put8(b, 30);
		put8(b, 4);
		put16(b, (w->mptcp - 1u) << 12);
	}
}

#endif
