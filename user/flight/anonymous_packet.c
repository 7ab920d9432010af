// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The parser's own walk says where each header is, so that what it reads and what is replaced cannot differ. Checksums
 * are mended from the innermost one outwards, since each covers those inside it.
 */
#include "user/flight/anonymous_packet.h"

#include <stdbool.h>
#include <string.h>

#include "bpf/core/header_walk.h"
#include "user/base/pcapng_format.h"

/* The headers of a packet, by the parser. Offsets count from where the walk begins, behind the link header. */
struct headers {
	struct {
		uint32_t off, next; /* next: what begins there, enum walk_next */
	} at[PACKET_WALK_STEPS];
	unsigned count;
	uint32_t end; /* of the TCP header, or of what an ICMP error quotes of it */
	bool quoted;
};

/* A packet that is being made: as it was, and as it is written. Both have `len` bytes. */
struct rewriting {
	struct anonymizer *anonymizer;
	const uint8_t *was;
	uint8_t *is;
	uint32_t len;
};

static bool find_headers(struct headers *h, const struct packet_to_write *p)
{
	const struct cursor c = {.pos = p->packet.bytes + p->link_bytes, .end = p->packet.bytes + p->packet.captured};
	struct packet_walk w;
	struct tcp_segment s = {.family = 0};

	packet_walk_begin(&w, &s, &p->meta);
	for (h->count = 0; h->count < PACKET_WALK_STEPS;) {
		h->at[h->count].off = (uint32_t)w.off;
		h->at[h->count++].next = w.next;
		if (!packet_walk_step(&w, &s, &c))
			break;
	}
	h->quoted = w.verdict == PACKET_QUOTED;
	if (!h->quoted && w.verdict != PACKET_TCP)
		return false;
	h->end = (uint32_t)w.off + (h->quoted ? 8 : 20u + s.options_len);
	if (h->end > (uint32_t)(c.end - c.pos)) /* the options are cut */
		h->end = (uint32_t)(c.end - c.pos);
	return true;
}

/* ---- what is replaced ---- */

/* Bytes of a header from `first` to `end`, as far as they are here. */
static void fill(struct rewriting *r, uint32_t first, uint32_t end, uint8_t with)
{
	end = end < r->len ? end : r->len;
	if (first < end)
		memset(r->is + first, with, end - first);
}

#define IPV4_OPTION_NOP 1 /* RFC 791 section 3.1 */

static void replace_ip(struct rewriting *r, uint32_t off)
{
	uint8_t *ip = r->is + off;

	if (ip[0] >> 4 == 4) {
		anonymize_address(r->anonymizer, 4, ip + 12);
		anonymize_address(r->anonymizer, 4, ip + 16);
		fill(r, off + 20, off + (ip[0] & 15) * 4, IPV4_OPTION_NOP);
	} else {
		anonymize_address(r->anonymizer, 6, ip + 8);
		anonymize_address(r->anonymizer, 6, ip + 24);
	}
}

/*
 * A routing header lists addresses, a destination option has one (RFC 6275), an authentication header proves them. Zero
 * bytes are padding where options are (RFC 8200 section 4.2). What a fragment header says is not about addresses.
 */
static void empty_extension(struct rewriting *r, uint32_t off, uint32_t kind)
{
	uint32_t units = packet_extension_unit[kind], len = 8 + r->is[off + 1] * (units & 15);
	bool has_options = kind == 0 || kind == 60;

	if (kind != 44)
		fill(r, off + (has_options ? 2 : 4), off + len, 0);
}

/* TCP options, RFC 9293 section 3.2 and the RFC named. */
enum {
	OPTION_END,
	OPTION_NOP,
	OPTION_MSS,
	OPTION_WINDOW_SCALE,        /* 7323 */
	OPTION_SACK_PERMITTED,      /* 2018 */
	OPTION_SACK,                /* 2018 */
	OPTION_TIMESTAMPS = 8,      /* 7323 */
	OPTION_MPTCP = 30,          /* 8684 */
	MPTCP_ADD_ADDRESS_ = 3 << 4 /* 8684 section 3.4.1 */
};

/* Is it of those that carry no address? In others, 28 among them, proxies name their client. */
static bool option_stays(const uint8_t *option, unsigned len)
{
	switch (option[0]) {
	case OPTION_MSS:
	case OPTION_WINDOW_SCALE:
	case OPTION_SACK_PERMITTED:
	case OPTION_SACK:
	case OPTION_TIMESTAMPS:
		return true;
	case OPTION_MPTCP:
		return len > 2 && (option[2] & 0xf0) != MPTCP_ADD_ADDRESS_;
	}
	return false;
}

/* What is malformed, and what follows the last option, goes as well. */
static void replace_tcp_options(struct rewriting *r, uint32_t first, uint32_t end)
{
	uint32_t at = first, len;

	for (; at < end && r->is[at] != OPTION_END; at += len) {
		len = r->is[at] == OPTION_NOP ? 1 : at + 1 < end ? r->is[at + 1] : 0;
		if ((len < 2 && r->is[at] != OPTION_NOP) || at + len > end)
			break;
		if (r->is[at] != OPTION_NOP && !option_stays(r->is + at, len))
			fill(r, at, at + len, OPTION_NOP);
	}
	fill(r, at, end, OPTION_END);
}

static void replace(struct rewriting *r, const struct headers *h, unsigned i)
{
	uint32_t off = h->at[i].off, next = h->at[i].next;

	if (next == WALK_ETHERNET)
		fill(r, off, off + 12, 0);
	else if (next == WALK_IP)
		replace_ip(r, off);
	else if (next == PROTOCOL_TCP_ && !h->quoted)
		replace_tcp_options(r, off + 20, h->end);
	else if (next < 256 && packet_extension_unit[next])
		empty_extension(r, off, next);
}

/* ---- checksums ---- */

static uint32_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

/* RFC 1071: the sum of the 16-bit words, not complemented. */
static uint32_t sum_words(const uint8_t *bytes, uint32_t len)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i + 1 < len; i += 2)
		sum += load_be16(bytes + i);
	if (len & 1)
		sum += (uint32_t)bytes[len - 1] << 8;
	return fold(sum);
}

/* The sum of what the bytes have become, less that of what they were. */
static uint32_t sum_change(const struct rewriting *r, uint32_t first, uint32_t len)
{
	return sum_words(r->is + first, len) + (0xffff ^ sum_words(r->was + first, len));
}

/* The same of both addresses of the IP header. */
static uint32_t addresses_change(const struct rewriting *r, uint32_t ip)
{
	return r->is[ip] >> 4 == 4 ? sum_change(r, ip + 12, 8) : sum_change(r, ip + 8, 32);
}

/*
 * Mends the checksum at `field`, which covers the range and, where ip is not NULL, the addresses of the IP header that
 * begins there (RFC 1624 section 3).
 */
static void mend(struct rewriting *r, uint32_t field, uint32_t first, uint32_t end, const uint32_t *ip)
{
	uint32_t sum;

	end = end < r->len ? end : r->len;
	if (field + 2 > end)
		return;
	sum = (0xffff ^ load_be16(r->was + field)) + sum_change(r, first, end - first);
	sum = fold(sum + (ip ? addresses_change(r, *ip) : 0));
	r->is[field] = (uint8_t)(~sum >> 8);
	r->is[field + 1] = (uint8_t)~sum;
}

/* 0 says that there is no checksum, and all ones stand for a sum of 0 (RFC 768). */
static void mend_udp(struct rewriting *r, uint32_t off, uint32_t ip)
{
	if (!load_be16(r->was + off + 6))
		return;
	mend(r, off + 6, off, r->len, &ip);
	if (!load_be16(r->is + off + 6))
		r->is[off + 6] = r->is[off + 7] = 0xff;
}

/* ip: offset of the IP header that the header is behind. */
static void mend_header(struct rewriting *r, uint32_t off, uint32_t next, uint32_t ip)
{
	switch (next) {
	case WALK_IP:
		if (r->is[off] >> 4 == 4)
			mend(r, off + 10, off, off + (r->is[off] & 15) * 4, NULL);
		break;
	case PROTOCOL_TCP_:
		mend(r, off + 16, off, r->len, &ip);
		break;
	case PROTOCOL_UDP_:
		mend_udp(r, off, ip);
		break;
	case PROTOCOL_ICMP_:
		mend(r, off + 2, off, r->len, NULL);
		break;
	case PROTOCOL_ICMPV6_:
		mend(r, off + 2, off, r->len, &ip);
		break;
	case PROTOCOL_GRE_:
		if (r->is[off] & 0x80)
			mend(r, off + 4, off, r->len, NULL);
		break;
	}
}

static uint32_t ip_before(const struct headers *h, unsigned i)
{
	while (i && h->at[i].next != WALK_IP)
		i--;
	return h->at[i].off;
}

/* ---- the packet ---- */

/* Link headers that have an address of the sender: where it is. */
static void clear_link_address(uint8_t *header, uint32_t link)
{
	if (link == PCAPNG_LINK_SLL)
		memset(header + 6, 0, 8);
	else if (link == PCAPNG_LINK_SLL2)
		memset(header + 12, 0, 8);
}

bool anonymous_packet_make(struct anonymizer *a, struct packet_to_write *p, struct buffer *headers)
{
	struct headers h;
	struct rewriting r;

	if (!find_headers(&h, p))
		return false;
	headers->len = 0;
	buffer_bytes(headers, p->packet.bytes, p->link_bytes + h.end);
	clear_link_address((uint8_t *)headers->data, p->from.link);
	r = (struct rewriting){.anonymizer = a,
			       .was = p->packet.bytes + p->link_bytes,
			       .is = (uint8_t *)headers->data + p->link_bytes,
			       .len = h.end};
	for (unsigned i = 0; i < h.count; i++)
		replace(&r, &h, i);
	for (unsigned i = h.count; i-- > 0;)
		mend_header(&r, h.at[i].off, h.at[i].next, ip_before(&h, i));
	p->packet.bytes = (const uint8_t *)headers->data;
	p->packet.captured = (uint32_t)headers->len;
	return true;
}
