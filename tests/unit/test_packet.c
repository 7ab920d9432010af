// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The parser against bytes written by hand. Every packet is copied into memory of its exact size, so that a build with
 * the address sanitizer detects a read behind its end.
 */
#include "tests/unit/assert.h"

#include <stdlib.h>
#include <string.h>

#include "bpf/core/header_walk.h"
#include "tests/unit/segments.h"
#include "tests/unit/words.h"
#include "tests/diff/random.h"

#define expect_verdict(seen, expected) expect_word(seen, expected, packet_verdicts)

/* The first `held` bytes of the packet are captured. */
static enum packet_verdict parse_cut(const struct bytes *b, uint32_t held, const struct packet_meta *meta,
				     struct tcp_segment *s)
{
	uint8_t *copy = malloc(held ? held : 1);
	enum packet_verdict verdict;
	struct cursor c;

	assert_non_null(copy);
	memcpy(copy, b->data, held);
	c.pos = copy;
	c.end = copy + held;
	memset(s, 0xa5, sizeof(*s));
	verdict = packet_parse(s, &c, meta);
	assert_true(c.pos >= copy && c.pos <= copy + held);
	free(copy);
	return verdict;
}

/* All of the packet is captured: wire_len is set here. */
static enum packet_verdict parse_with(const struct bytes *b, struct packet_meta meta, struct tcp_segment *s)
{
	meta.wire_len = b->len;
	return parse_cut(b, b->len, &meta, s);
}

static enum packet_verdict parse(const struct bytes *b, struct tcp_segment *s)
{
	return parse_with(b, (struct packet_meta){0}, s);
}

/* ---- whole packets ---- */

TEST(test_ipv4_fields)
{
	struct bytes b = {.len = 0};
	struct tcp_segment s;

	put_ethernet(&b, 0x0800);
	put_ipv4(&b, 20 + 7);
	put_tcp_header(&b, 5, TCP_PSH | TCP_ACK, 0x01020304, 0xfffefdfc);
	put_fill(&b, 'x', 7);
	expect_verdict(parse(&b, &s), PACKET_TCP);
	expect_int(s.src.hi, 0);
	expect_int(s.src.lo, 0x0a000001);
	expect_int(s.dst.hi, 0);
	expect_int(s.dst.lo, 0x0a000109);
	expect_int(s.seq, 0x01020304);
	expect_int(s.ack, 0xfffefdfc);
	expect_int(s.len, 7);
	expect_int(s.sport, 40001);
	expect_int(s.dport, 443);
	expect_int(s.win, 64240);
	expect_int(s.ip_id, 0x1234);
	expect_int(s.vlan[0], PACKET_NO_TAG);
	expect_int(s.vlan[1], PACKET_NO_TAG);
	expect_int(s.family, 4);
	expect_flags(s.flags, TCP_PSH | TCP_ACK, tcp_flags);
	expect_int(s.ttl, 61);
	expect_int(s.wscale, SEGMENT_NO_WSCALE);
	expect_int(s.mptcp, SEGMENT_NO_MPTCP);
	expect_int(s.partial, 0);
	expect_int(s.options_len, 0);
	expect_int(s.options_off, 14 + 20 + 20);
}

TEST(test_ipv6_fields)
{
	struct bytes b = {.len = 0};
	struct tcp_segment s;

	put_ethernet(&b, 0x86dd);
	put_ipv6(&b, 6, 20 + 9);
	put_tcp_header(&b, 5, TCP_FIN | TCP_ACK, 7, 8);
	put_fill(&b, 'x', 9);
	expect_verdict(parse(&b, &s), PACKET_TCP);
	expect_int(s.src.hi, 0x20010db800000000);
	expect_int(s.src.lo, 1);
	expect_int(s.dst.hi, 0x20010db800000000);
	expect_int(s.dst.lo, 9);
	expect_int(s.family, 6);
	expect_int(s.ttl, 62);
	expect_int(s.ip_id, 0);
	expect_int(s.partial, 0);
	expect_int(s.len, 9);
	expect_int(s.seq, 7);
	expect_int(s.ack, 8);
	expect_int(s.options_off, 14 + 40 + 20);
}

TEST(test_not_ours)
{
	static const struct {
		const char *name;
		uint32_t ethertype, protocol;
		enum packet_verdict verdict;
	} table[] = {
		{"ARP", 0x0806, 6, PACKET_NOT_IP},          {"PPPoE discovery", 0x8863, 6, PACKET_NOT_IP},
		{"802.3 length", 60, 6, PACKET_NOT_IP},     {"UDP", 0x0800, 17, PACKET_NOT_TCP},
		{"ICMP", 0x0800, 1, PACKET_NOT_TCP},        {"no IPv6 in IPv4", 0x0800, 41, PACKET_NOT_IP},
		{"L2TP", 0x0800, 115, PACKET_L2TP},         {"ESP", 0x0800, 50, PACKET_ESP},
		{"an IPv6 type", 0x86dd, 6, PACKET_NOT_IP}, {"TCP", 0x0800, 6, PACKET_TCP},
	};
	struct tcp_segment s;

	FOR_EACH_ROW(table, row) {
		struct bytes b = {.len = 0};

		put_ethernet(&b, row->ethertype);
		put_ipv4_header(&b, 5, 40, 0, row->protocol);
		put_tcp_header(&b, 5, TCP_ACK, 1, 1);
		expect_verdict(parse(&b, &s), row->verdict);
	}
}

/* ---- link layer ---- */

TEST(test_tags)
{
	static const struct {
		const char *name;
		uint32_t types[9], count; /* ethertypes that announce a tag */
		uint32_t metadata;        /* tag beside the bytes, plus 1; 0: none */
		enum packet_verdict verdict;
		uint32_t vlan[2];
	} table[] = {
		{"none", {0}, 0, 0, PACKET_TCP, {PACKET_NO_TAG, PACKET_NO_TAG}},
		{"802.1Q", {0x8100}, 1, 0, PACKET_TCP, {100, PACKET_NO_TAG}},
		{"802.1ad alone", {0x88a8}, 1, 0, PACKET_TCP, {100, PACKET_NO_TAG}},
		{"QinQ", {0x88a8, 0x8100}, 2, 0, PACKET_TCP, {100, 101}},
		{"QinQ by 0x9100", {0x9100, 0x8100}, 2, 0, PACKET_TCP, {100, 101}},
		{"802.1Q twice", {0x8100, 0x8100}, 2, 0, PACKET_TCP, {100, 101}},
		{"three", {0x88a8, 0x8100, 0x8100}, 3, 0, PACKET_MANY_TAGS, {0}},
		{"eight",
		 {0x8100, 0x8100, 0x8100, 0x8100, 0x8100, 0x8100, 0x8100, 0x8100},
		 8,
		 0,
		 PACKET_MANY_TAGS,
		 {0}},
		{"metadata", {0}, 0, 1 + 7, PACKET_TCP, {7, PACKET_NO_TAG}},
		{"metadata with priority", {0}, 0, 1 + (5 << 13 | 7), PACKET_TCP, {7, PACKET_NO_TAG}},
		{"metadata, tag 0", {0}, 0, 1, PACKET_TCP, {0, PACKET_NO_TAG}},
		{"metadata and bytes", {0x8100}, 1, 1 + 7, PACKET_TCP, {7, 100}},
		{"metadata and two", {0x88a8, 0x8100}, 2, 1 + 7, PACKET_MANY_TAGS, {0}},
	};
	struct tcp_segment s;

	FOR_EACH_ROW(table, row) {
		struct bytes b = {.len = 0};
		struct packet_meta meta = {0};

		put_ethernet(&b, row->count ? row->types[0] : 0x0800);
		for (uint32_t n = 0; n < row->count; n++) /* priority and drop bit are no part of the identifier */
			put_tag(&b, 0xf000 | (100 + n), n + 1 < row->count ? row->types[n + 1] : 0x0800);
		put_ipv4(&b, 20);
		put_tcp_header(&b, 5, TCP_ACK, 1, 1);
		meta.vlan_present = row->metadata != 0;
		meta.vlan_tci = (uint16_t)(row->metadata ? row->metadata - 1 : 0);
		expect_verdict(parse_with(&b, meta, &s), row->verdict);
		if (row->verdict != PACKET_TCP)
			continue;
		expect_int(s.vlan[0], row->vlan[0]);
		expect_int(s.vlan[1], row->vlan[1]);
		expect_int(s.options_off, b.len);
	}
}

TEST(test_links)
{
	static const struct {
		const char *name;
		enum packet_link link;
		uint32_t ethertype, version;
		enum packet_verdict verdict;
	} table[] = {
		{"L3, version 4", PACKET_LINK_IP, 0, 4, PACKET_TCP},
		{"L3, version 6", PACKET_LINK_IP, 0, 6, PACKET_TCP},
		{"L3, version 5", PACKET_LINK_IP, 0, 5, PACKET_NOT_IP},
		{"L3, version 0", PACKET_LINK_IP, 0, 0, PACKET_NOT_IP},
		{"typed IPv4", PACKET_LINK_TYPED, 0x0800, 4, PACKET_TCP},
		{"typed IPv6", PACKET_LINK_TYPED, 0x86dd, 6, PACKET_TCP},
		{"typed ARP", PACKET_LINK_TYPED, 0x0806, 4, PACKET_NOT_IP},
		{"IPv4 announced, 6 there", PACKET_LINK_TYPED, 0x0800, 6, PACKET_NOT_IP},
		{"IPv6 announced, 4 there", PACKET_LINK_TYPED, 0x86dd, 4, PACKET_NOT_IP},
	};
	struct tcp_segment s;

	FOR_EACH_ROW(table, row) {
		struct packet_meta meta = {.link = (uint8_t)row->link, .ethertype = (uint16_t)row->ethertype};
		struct bytes b = {.len = 0};

		if (row->version == 6)
			put_ipv6(&b, 6, 20);
		else
			put_ipv4(&b, 20);
		b.data[0] = (uint8_t)(row->version << 4 | (b.data[0] & 15));
		put_tcp_header(&b, 5, TCP_ACK, 1, 1);
		expect_verdict(parse_with(&b, meta, &s), row->verdict);
		if (row->verdict == PACKET_TCP)
			expect_int(s.options_off, b.len);
	}
}

/* A cooked capture of a VLAN interface: the link header announced a tag, which is in the bytes. */
TEST(test_typed_tag)
{
	struct packet_meta meta = {.link = PACKET_LINK_TYPED, .ethertype = 0x8100};
	struct bytes b = {.len = 0};
	struct tcp_segment s;

	put_tag(&b, 42, 0x0800);
	put_ipv4(&b, 20);
	put_tcp_header(&b, 5, TCP_ACK, 1, 1);
	expect_verdict(parse_with(&b, meta, &s), PACKET_TCP);
	expect_int(s.vlan[0], 42);
	expect_int(s.options_off, 4 + 20 + 20);
}

/* ---- IPv4 ---- */

TEST(test_ipv4_header_lengths)
{
	struct tcp_segment s;

	for (uint32_t words = 0; words < 16; words++) {
		struct bytes b = {.len = 0};
		uint32_t header = words < 5 ? 20 : words * 4;

		enter_row("header of %u words", words);
		put_ethernet(&b, 0x0800);
		put_ipv4_header(&b, words, header + 20 + 3, 0, 6);
		put_tcp_header(&b, 5, TCP_ACK, 99, 1);
		put_fill(&b, 'x', 3);
		expect_verdict(parse(&b, &s), words < 5 ? PACKET_BAD_IP : PACKET_TCP);
		if (words < 5)
			continue;
		expect_int(s.seq, 99);
		expect_int(s.len, 3);
		expect_int(s.options_off, 14 + header + 20);
	}
}

TEST(test_ipv4_total_length)
{
	static const struct {
		const char *name;
		uint32_t total, payload; /* payload: bytes behind the TCP header in the packet */
		int gso;
		enum packet_verdict verdict;
		uint32_t len;
	} table[] = {
		{"exact", 50, 10, 0, PACKET_TCP, 10},
		{"padding", 40, 6, 0, PACKET_TCP, 0},
		{"padding behind payload", 45, 10, 0, PACKET_TCP, 5},
		{"0: a TSO packet", 0, 10, 0, PACKET_TCP, 10},
		{"one too long", 51, 10, 0, PACKET_BAD_LENGTH, 0},
		{"65535", 0xffff, 10, 0, PACKET_BAD_LENGTH, 0},
		{"one too short for TCP", 39, 10, 0, PACKET_BAD_LENGTH, 0},
		{"1", 1, 10, 0, PACKET_BAD_LENGTH, 0},
		{"header only", 20, 10, 0, PACKET_BAD_LENGTH, 0},
		{"GRO: one segment's length", 45, 3000, 1, PACKET_TCP, 3000},
		{"GRO: longer than there is", 0xffff, 10, 1, PACKET_TCP, 10},
		{"GRO: 0", 0, 3000, 1, PACKET_TCP, 3000},
	};
	struct tcp_segment s;

	FOR_EACH_ROW(table, row) {
		struct packet_meta meta = {.gso = (uint8_t)row->gso};
		struct bytes b = {.len = 0};

		put_ethernet(&b, 0x0800);
		put_ipv4_header(&b, 5, row->total, 0, 6);
		put_tcp_header(&b, 5, TCP_ACK, 1, 1);
		put_fill(&b, 'x', row->payload);
		expect_verdict(parse_with(&b, meta, &s), row->verdict);
		if (row->verdict == PACKET_TCP)
			expect_int(s.len, row->len);
	}
}

/* A snapped capture: the payload was on the wire though it is not held. */
TEST(test_payload_not_captured)
{
	struct packet_meta meta = {.wire_len = 14 + 40 + 1000};
	struct bytes b = {.len = 0};
	struct tcp_segment s;

	put_ethernet(&b, 0x0800);
	put_ipv4(&b, 20 + 1000);
	put_tcp_header(&b, 5, TCP_ACK, 1, 1);
	expect_verdict(parse_cut(&b, b.len, &meta, &s), PACKET_TCP);
	expect_int(s.len, 1000);
}

TEST(test_ipv4_fragments)
{
	static const struct {
		const char *name;
		uint32_t word;
		enum packet_verdict verdict;
		int partial;
	} table[] = {
		{"whole", 0, PACKET_TCP, 0},
		{"do not fragment", 0x4000, PACKET_TCP, 0},
		{"reserved bit", 0x8000, PACKET_TCP, 0},
		{"first", 0x2000, PACKET_TCP, 1},
		{"second", 0x2001, PACKET_FRAGMENT, 0},
		{"last", 0x00b9, PACKET_FRAGMENT, 0},
		{"half way", 0x1000, PACKET_FRAGMENT, 0},
		{"at the end", 0x1fff, PACKET_FRAGMENT, 0},
		{"DF and offset", 0x4001, PACKET_FRAGMENT, 0},
	};
	struct tcp_segment s;

	FOR_EACH_ROW(table, row) {
		struct bytes b = {.len = 0};

		put_ethernet(&b, 0x0800);
		put_ipv4_header(&b, 5, 48, row->word, 6);
		put_tcp_header(&b, 5, TCP_ACK, 1, 1);
		put_fill(&b, 'x', 8);
		expect_verdict(parse(&b, &s), row->verdict);
		if (row->verdict == PACKET_TCP)
			expect_int(s.partial, row->partial);
	}
}

/* A later fragment may be shorter than a TCP header. It is a fragment, not a cut packet. */
TEST(test_ipv4_small_fragment)
{
	struct bytes b = {.len = 0};
	struct tcp_segment s;

	put_ethernet(&b, 0x0800);
	put_ipv4_header(&b, 5, 22, 0x0002, 6);
	put_fill(&b, 0, 2);
	expect_verdict(parse(&b, &s), PACKET_FRAGMENT);
}

/* One authentication header: its second byte counts words of four bytes, two of which it leaves out (RFC 4302). */
TEST(test_ipv4_authentication)
{
	static const struct {
		const char *name;
		uint32_t words, kind, count, bytes; /* words: of the IPv4 header */
		enum packet_verdict verdict;
	} table[] = {
		{"ICV of 96 bits", 5, 51, 4, 24, PACKET_TCP},
		{"shortest", 5, 51, 0, 8, PACKET_TCP},
		{"longest", 5, 51, 255, 1028, PACKET_TCP},
		{"behind IPv4 options", 9, 51, 4, 24, PACKET_TCP},
		{"destination options are IPv6's", 5, 60, 0, 8, PACKET_NOT_TCP},
		{"hop-by-hop options are IPv6's", 5, 0, 0, 8, PACKET_NOT_TCP},
	};
	struct tcp_segment s;

	FOR_EACH_ROW(table, row) {
		struct bytes b = {.len = 0};

		put_ethernet(&b, 0x0800);
		put_ipv4_header(&b, row->words, row->words * 4 + row->bytes + 20 + 3, 0x4000, row->kind);
		put8(&b, 6);
		put8(&b, row->count);
		put_fill(&b, 0, row->bytes - 2);
		put_tcp_header(&b, 5, TCP_ACK, 80, 1);
		put_fill(&b, 'x', 3);
		expect_verdict(parse(&b, &s), row->verdict);
		if (row->verdict != PACKET_TCP)
			continue;
		expect_int(s.seq, 80);
		expect_int(s.len, 3);
		expect_int(s.options_off, b.len - 3);
	}
}

/* Eight authentication headers of IPv4 in a row are as many as those of IPv6. */
TEST(test_ipv4_chain_depth)
{
	struct tcp_segment s;

	for (uint32_t headers = 1; headers < 12; headers++) {
		struct bytes b = {.len = 0};

		enter_row("%u authentication headers", headers);
		put_ethernet(&b, 0x0800);
		put_ipv4_header(&b, 5, 20 + headers * 12 + 20, 0, 51);
		for (uint32_t i = 0; i < headers; i++) {
			put8(&b, i + 1 < headers ? 51 : 6);
			put8(&b, 1);
			put_fill(&b, 1, 10);
		}
		put_tcp_header(&b, 5, TCP_ACK, 81, 1);
		expect_verdict(parse(&b, &s), headers <= PACKET_MAX_EXTENSIONS ? PACKET_TCP : PACKET_DEEP_CHAIN);
	}
}

/* ---- between link and IP ---- */

TEST(test_mpls)
{
	struct tcp_segment s;

	for (uint32_t labels = 1; labels < 12; labels++) {
		struct bytes b = {.len = 0};

		enter_row("%u labels", labels);
		put_ethernet(&b, 0x8847);
		for (uint32_t i = 0; i < labels; i++) /* label 0x45000 looks like IPv4 where it is taken for it */
			put32(&b, 0x45000u << 12 | (i + 1 == labels) << 8 | 63);
		put_ipv4(&b, 20 + 6);
		put_tcp_header(&b, 5, TCP_ACK, 82, 1);
		put_fill(&b, 'x', 6);
		expect_verdict(parse(&b, &s), labels <= PACKET_MAX_LABELS ? PACKET_TCP : PACKET_DEEP_CHAIN);
		if (labels > PACKET_MAX_LABELS)
			continue;
		expect_int(s.seq, 82);
		expect_int(s.len, 6);
	}
}

TEST(test_pppoe)
{
	static const struct {
		const char *name;
		uint32_t version, code, protocol, protocol_bytes, ip; /* version and type */
		enum packet_verdict verdict;
	} table[] = {
		{"IPv4", 0x11, 0, 0x0021, 2, 4, PACKET_TCP},
		{"IPv6", 0x11, 0, 0x0057, 2, 6, PACKET_TCP},
		{"IPv4, protocol in one byte", 0x11, 0, 0x21, 1, 4, PACKET_TCP},
		{"IPv6, protocol in one byte", 0x11, 0, 0x57, 1, 6, PACKET_TCP},
		{"IPv6 announced, 4 there", 0x11, 0, 0x0057, 2, 4, PACKET_NOT_IP},
		{"LCP", 0x11, 0, 0xc021, 2, 4, PACKET_NOT_IP},
		{"compressed", 0x11, 0, 0x00fd, 2, 4, PACKET_NOT_IP},
		{"another version", 0x21, 0, 0x0021, 2, 4, PACKET_NOT_IP},
		{"discovery's code", 0x11, 9, 0x0021, 2, 4, PACKET_NOT_IP},
	};
	struct tcp_segment s;

	FOR_EACH_ROW(table, row) {
		struct bytes b = {.len = 0};

		put_ethernet(&b, 0x8864);
		put8(&b, row->version);
		put8(&b, row->code);
		put32(&b, 0x00010000); /* the length is not looked at: that of IP counts */
		if (row->protocol_bytes == 2)
			put16(&b, row->protocol);
		else
			put8(&b, row->protocol);
		if (row->ip == 4)
			put_ipv4(&b, 20 + 6);
		else
			put_ipv6(&b, 6, 20 + 6);
		put_tcp_header(&b, 5, TCP_ACK, 83, 1);
		put_fill(&b, 'x', 6);
		expect_verdict(parse(&b, &s), row->verdict);
		if (row->verdict == PACKET_TCP)
			expect_int(s.len, 6);
	}
}

/* ---- tunnels ---- */

static void put_udp(struct bytes *b, uint32_t port)
{
	put16(b, 50000);
	put16(b, port);
	put32(b, 0);
}

/* Tunnels over IPv4; what follows the tunnel's header is an Ethernet frame, IPv4 or IPv6, with TCP of 6 bytes. */
TEST(test_tunnels)
{
	static const struct {
		const char *name;
		uint32_t protocol, port; /* port: of UDP */
		const char *header;
		uint32_t header_len;
		int ethernet, ip;
		enum packet_verdict verdict;
		uint32_t tunnel, id;
	} table[] = {
		{"VXLAN", 17, 4789, "\x08\0\0\0\0\0\x07\0", 8, 1, 4, PACKET_TCP, TUNNEL_VXLAN | TUNNEL_HAS_ID, 7},
		{"VXLAN, all bits", 17, 4789, "\x88\1\2\3\xff\xff\xff\1", 8, 1, 6, PACKET_TCP,
		 TUNNEL_VXLAN | TUNNEL_HAS_ID, 0xffffff},
		{"VXLAN with a protocol, Ethernet", 17, 4789, "\x0c\0\0\3\0\0\x07\0", 8, 1, 4, PACKET_TCP,
		 TUNNEL_VXLAN | TUNNEL_HAS_ID, 7},
		{"VXLAN with a protocol, IPv6", 17, 4789, "\x0c\0\0\2\0\0\x07\0", 8, 0, 6, PACKET_TCP,
		 TUNNEL_VXLAN | TUNNEL_HAS_ID, 7},
		{"VXLAN with another protocol", 17, 4789, "\x0c\0\0\4\0\0\x07\0", 8, 1, 4, PACKET_OTHER_TUNNEL, 0, 0},
		{"VXLAN, a reserved bit", 17, 4789, "\x18\0\0\3\0\0\x07\0", 8, 1, 4, PACKET_NOT_TCP, 0, 0},
		{"VXLAN, no VNI", 17, 4789, "\0\0\0\0\0\0\x07\0", 8, 1, 4, PACKET_NOT_TCP, 0, 0},
		{"VXLAN, no Ethernet", 17, 4789, "\x08\0\0\0\0\0\x07\0", 8, 0, 4, PACKET_NOT_IP, 0, 0},
		{"Geneve", 17, 6081, "\0\0\x65\x58\0\0\x09\0", 8, 1, 4, PACKET_TCP, TUNNEL_GENEVE | TUNNEL_HAS_ID, 9},
		{"Geneve, option, control bit", 17, 6081, "\1\x80\x86\xdd\0\0\0\0\0\0\0\0", 12, 0, 6, PACKET_TCP,
		 TUNNEL_GENEVE | TUNNEL_HAS_ID, 0},
		{"Geneve, other", 17, 6081, "\0\0\x08\x06\0\0\0\0", 8, 0, 4, PACKET_OTHER_TUNNEL, 0, 0},
		{"GRE", 47, 0, "\0\0\x08\0", 4, 0, 4, PACKET_TCP, TUNNEL_GRE, 0},
		{"GRE, checksum", 47, 0, "\x80\0\x08\0\1\2\0\0", 8, 0, 4, PACKET_TCP, TUNNEL_GRE, 0},
		{"GRE, sequence", 47, 0, "\x10\0\x86\xdd\1\2\3\4", 8, 0, 6, PACKET_TCP, TUNNEL_GRE, 0},
		{"GRE, key", 47, 0, "\x20\0\x08\0\1\2\3\4", 8, 0, 4, PACKET_TCP, TUNNEL_GRE | TUNNEL_HAS_ID,
		 0x01020304},
		{"GRE, everything", 47, 0, "\xb0\0\x08\0\1\2\0\0\0\0\0\5\0\0\0\6", 16, 0, 4, PACKET_TCP,
		 TUNNEL_GRE | TUNNEL_HAS_ID, 5},
		{"GRE, Ethernet, small key", 47, 0, "\x20\0\x65\x58\0\x0f\xff\xff", 8, 1, 4, PACKET_TCP,
		 TUNNEL_GRE | TUNNEL_HAS_ID, 0x0fffff},
		{"NVGRE, first network", 47, 0, "\x20\0\x65\x58\0\x10\0\xff", 8, 1, 4, PACKET_TCP,
		 TUNNEL_GRE | TUNNEL_HAS_ID, 0x1000},
		{"GRE, routing", 47, 0, "\x40\0\x08\0\0\0\0\0", 8, 0, 4, PACKET_OTHER_TUNNEL, 0, 0},
		{"GRE, version 1", 47, 0, "\x30\1\x88\x0b\0\0\0\0", 8, 0, 4, PACKET_OTHER_TUNNEL, 0, 0},
		{"IPv4 in IPv4", 4, 0, "", 0, 0, 4, PACKET_TCP, TUNNEL_IPIP, 0},
		{"IPv6 in IPv4", 41, 0, "", 0, 0, 6, PACKET_TCP, TUNNEL_IPIP, 0},
		{"IPv4 announced, 6 there", 4, 0, "", 0, 0, 6, PACKET_NOT_IP, 0, 0},
		{"GTP-U", 17, 2152, "\x30\xff\0\x28\0\0\0\1", 8, 0, 4, PACKET_OTHER_TUNNEL, 0, 0},
		{"ESP in UDP", 17, 4500, "\0\0\0\1\0\0\0\1", 8, 0, 4, PACKET_ESP, 0, 0},
		{"IKE", 17, 4500, "\0\0\0\0\0\0\0\1", 8, 0, 4, PACKET_NOT_TCP, 0, 0},
		{"L2TP in UDP", 17, 1701, "\x40\2\0\0\0\0\0\0", 8, 0, 4, PACKET_L2TP, 0, 0},
		{"GRE in GRE", 47, 0, "\0\0\x08\0\x45\0\0\x40\0\0\0\0\x40\x2f\0\0\1\1\1\1\2\2\2\2\0\0\x08\0", 28, 0, 4,
		 PACKET_NESTED_TUNNEL, 0, 0},
	};
	struct tcp_segment s;

	FOR_EACH_ROW(table, row) {
		struct bytes b = {.len = 0};

		put_ethernet(&b, 0x0800);
		put_ipv4_header(&b, 5, 0, 0, row->protocol);
		if (row->protocol == 17)
			put_udp(&b, row->port);
		put_bytes(&b, row->header, row->header_len);
		if (row->ethernet)
			put_ethernet(&b, row->ip == 4 ? 0x0800 : 0x86dd);
		if (row->ip == 4)
			put_ipv4(&b, 20 + 6);
		else
			put_ipv6(&b, 6, 20 + 6);
		put_tcp_header(&b, 5, TCP_ACK, 84, 1);
		put_fill(&b, 'x', 6);
		expect_verdict(parse(&b, &s), row->verdict);
		if (row->verdict != PACKET_TCP)
			continue;
		expect_int(s.family, row->ip);
		expect_int(s.seq, 84);
		expect_int(s.len, 6);
		expect_int(s.tunnel, row->tunnel);
		if (row->tunnel & TUNNEL_HAS_ID)
			expect_int(s.tunnel_id, row->id);
		else
			expect_int(s.vlan[0], PACKET_NO_TAG);
		expect_int(s.options_off, b.len - 6);
	}
}

/* ---- IPv6 ---- */

TEST(test_ipv6_chain_depth)
{
	struct tcp_segment s;

	for (uint32_t headers = 0; headers < 12; headers++) {
		struct bytes b = {.len = 0};

		enter_row("%u extension headers", headers);
		put_ethernet(&b, 0x86dd);
		put_ipv6(&b, headers ? 60 : 6, headers * 8 + 20 + 5);
		for (uint32_t i = 0; i < headers; i++) {
			put8(&b, i + 1 < headers ? 60 : 6);
			put8(&b, 0);
			put_fill(&b, 1, 6);
		}
		put_tcp_header(&b, 5, TCP_ACK, 77, 1);
		put_fill(&b, 'x', 5);
		expect_verdict(parse(&b, &s), headers <= PACKET_MAX_EXTENSIONS ? PACKET_TCP : PACKET_DEEP_CHAIN);
		if (headers > PACKET_MAX_EXTENSIONS)
			continue;
		expect_int(s.seq, 77);
		expect_int(s.len, 5);
		expect_int(s.options_off, 14 + 40 + headers * 8 + 20);
	}
}

/* One extension header of each kind and length; the kind's own unit of length says where the next header is. */
TEST(test_ipv6_extension_kinds)
{
	static const struct {
		const char *name;
		uint32_t kind, count, bytes; /* count: the second byte */
		enum packet_verdict verdict;
	} table[] = {
		{"hop-by-hop", 0, 0, 8, PACKET_TCP},
		{"hop-by-hop, 16", 0, 1, 16, PACKET_TCP},
		{"routing", 43, 2, 24, PACKET_TCP},
		{"destination", 60, 0, 8, PACKET_TCP},
		{"destination, longest", 60, 255, 2048, PACKET_TCP},
		{"mobility", 135, 0, 8, PACKET_TCP},
		{"host identity", 139, 4, 40, PACKET_TCP},
		{"shim6", 140, 0, 8, PACKET_TCP},
		{"AH, ICV of 96 bits", 51, 4, 24, PACKET_TCP},
		{"AH, shortest", 51, 0, 8, PACKET_TCP},
		{"AH, longest", 51, 255, 1028, PACKET_TCP},
		{"AH, no multiple of 8", 51, 3, 20, PACKET_TCP},
		{"ESP", 50, 0, 8, PACKET_ESP},
		{"no next header", 59, 0, 8, PACKET_NOT_TCP},
		{"UDP", 17, 0, 8, PACKET_NOT_TCP},
		{"ICMPv6", 58, 0, 8, PACKET_NOT_TCP},
		{"no IPv4 inside", 4, 0, 8, PACKET_NOT_IP},
		{"experiment", 253, 0, 8, PACKET_NOT_TCP},
	};
	struct tcp_segment s;

	FOR_EACH_ROW(table, row) {
		struct bytes b = {.len = 0};

		put_ethernet(&b, 0x86dd);
		put_ipv6(&b, row->kind, row->bytes + 20 + 4);
		put8(&b, 6);
		put8(&b, row->count);
		put_fill(&b, 0, row->bytes - 2);
		put_tcp_header(&b, 5, TCP_ACK, 78, 1);
		put_fill(&b, 'x', 4);
		expect_verdict(parse(&b, &s), row->verdict);
		if (row->verdict != PACKET_TCP)
			continue;
		expect_int(s.seq, 78);
		expect_int(s.len, 4);
	}
}

TEST(test_ipv6_fragments)
{
	static const struct {
		const char *name;
		uint32_t reserved, word; /* the second byte has no meaning: it is no length */
		enum packet_verdict verdict;
		int partial;
	} table[] = {
		{"atomic", 0, 0, PACKET_TCP, 0},          {"first", 0, 1, PACKET_TCP, 1},
		{"reserved byte", 255, 1, PACKET_TCP, 1}, {"reserved bits", 0, 6, PACKET_TCP, 0},
		{"second", 0, 8 | 1, PACKET_FRAGMENT, 0}, {"last", 0, 0xfff8, PACKET_FRAGMENT, 0},
	};
	struct tcp_segment s;

	FOR_EACH_ROW(table, row) {
		struct bytes b = {.len = 0};

		put_ethernet(&b, 0x86dd);
		put_ipv6(&b, 44, 8 + 20 + 4);
		put8(&b, 6);
		put8(&b, row->reserved);
		put16(&b, row->word);
		put32(&b, 0xdeadbeef);
		put_tcp_header(&b, 5, TCP_ACK, 79, 1);
		put_fill(&b, 'x', 4);
		expect_verdict(parse(&b, &s), row->verdict);
		if (row->verdict != PACKET_TCP)
			continue;
		expect_int(s.seq, 79);
		expect_int(s.partial, row->partial);
	}
}

TEST(test_ipv6_payload_length)
{
	static const struct {
		const char *name;
		uint32_t declared, held; /* bytes behind the IPv6 header */
		int gso;
		enum packet_verdict verdict;
		uint32_t len;
	} table[] = {
		{"exact", 30, 30, 0, PACKET_TCP, 10},           {"padding", 20, 26, 0, PACKET_TCP, 0},
		{"0: BIG TCP", 0, 30, 0, PACKET_TCP, 10},       {"one too long", 31, 30, 0, PACKET_BAD_LENGTH, 0},
		{"too short", 19, 30, 0, PACKET_BAD_LENGTH, 0}, {"1", 1, 30, 0, PACKET_BAD_LENGTH, 0},
		{"GRO", 25, 2000, 1, PACKET_TCP, 1980},
	};
	struct tcp_segment s;

	FOR_EACH_ROW(table, row) {
		struct packet_meta meta = {.gso = (uint8_t)row->gso};
		struct bytes b = {.len = 0};

		put_ethernet(&b, 0x86dd);
		put_ipv6(&b, 6, row->declared);
		put_tcp_header(&b, 5, TCP_ACK, 1, 1);
		put_fill(&b, 'x', row->held - 20);
		expect_verdict(parse_with(&b, meta, &s), row->verdict);
		if (row->verdict == PACKET_TCP)
			expect_int(s.len, row->len);
	}
}

/* RFC 2675: payload length 0 and a hop-by-hop jumbo option; the packet's real length counts. */
TEST(test_ipv6_jumbo)
{
	struct bytes b = {.len = 0};
	struct tcp_segment s;

	put_ethernet(&b, 0x86dd);
	put_ipv6(&b, 0, 0);
	put8(&b, 6);
	put8(&b, 0);
	put16(&b, 0xc204);
	put32(&b, 8 + 20 + 3000);
	put_tcp_header(&b, 5, TCP_ACK, 1, 1);
	put_fill(&b, 'x', 3000);
	expect_verdict(parse(&b, &s), PACKET_TCP);
	expect_int(s.len, 3000);
}

/* ---- TCP ---- */

TEST(test_tcp_data_offset)
{
	struct tcp_segment s;

	for (uint32_t words = 0; words < 16; words++) {
		struct bytes b = {.len = 0};
		uint32_t header = words < 5 ? 20 : words * 4;

		enter_row("data offset %u", words);
		put_ethernet(&b, 0x0800);
		put_ipv4(&b, header + 2);
		put_tcp_header(&b, words, TCP_SYN, 1, 0);
		put_fill(&b, 1, header - 20);
		put_fill(&b, 'x', 2);
		expect_verdict(parse(&b, &s), words < 5 ? PACKET_BAD_TCP : PACKET_TCP);
		if (words < 5)
			continue;
		expect_int(s.options_len, header - 20);
		expect_int(s.len, 2);
	}
}

/* A data offset beyond the end that IP gives. */
TEST(test_tcp_header_longer_than_ip)
{
	struct bytes b = {.len = 0};
	struct tcp_segment s;

	put_ethernet(&b, 0x0800);
	put_ipv4(&b, 20);
	put_tcp_header(&b, 6, TCP_SYN, 1, 0);
	put_fill(&b, 0, 4); /* padding of the frame */
	expect_verdict(parse(&b, &s), PACKET_BAD_LENGTH);
}

TEST(test_tcp_all_flags)
{
	struct tcp_segment s;

	for (uint32_t flags = 0; flags < 256; flags++) {
		struct bytes b = {.len = 0};

		enter_row("flags %#x", flags);
		put_ethernet(&b, 0x0800);
		put_ipv4(&b, 20);
		put_tcp_header(&b, 5, flags, 1, 0);
		expect_verdict(parse(&b, &s), PACKET_TCP);
		expect_flags(s.flags, flags, tcp_flags);
	}
}

TEST(test_tcp_options)
{
	static const struct {
		const char *name;
		uint8_t bytes[PACKET_OPTIONS_MAX];
		uint32_t len, wscale, mptcp;
	} table[] = {
		{"none", {0}, 0, 0xff, 0xff},
		{"window scale", {3, 3, 7}, 3, 7, 0xff},
		{"window scale 0", {3, 3, 0}, 3, 0, 0xff},
		{"window scale 14", {3, 3, 14}, 3, 14, 0xff},
		{"window scale above 14", {3, 3, 15}, 3, 14, 0xff},
		{"window scale 255", {3, 3, 255}, 3, 14, 0xff},
		{"behind NOPs", {1, 1, 1, 3, 3, 9}, 6, 9, 0xff},
		{"as Linux sends it", {2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7}, 20, 7, 0xff},
		{"the last one counts", {3, 3, 7, 3, 3, 8}, 6, 8, 0xff},
		{"behind the end", {0, 3, 3, 7}, 4, 0xff, 0xff},
		{"before the end", {3, 3, 7, 0}, 4, 7, 0xff},
		{"length 0", {2, 0, 3, 3, 7}, 5, 0xff, 0xff},
		{"length 1", {2, 1, 3, 3, 7}, 5, 0xff, 0xff},
		{"length 255", {2, 255, 3, 3, 7}, 5, 0xff, 0xff},
		{"read before a broken one", {3, 3, 7, 2, 0}, 5, 7, 0xff},
		{"wrong length of window scale", {3, 4, 7, 7}, 4, 0xff, 0xff},
		{"window scale without its value", {1, 3, 3}, 3, 0xff, 0xff},
		{"kind without length", {1, 1, 3}, 3, 0xff, 0xff},
		{"empty option of unknown kind", {254, 2, 3, 3, 7}, 5, 7, 0xff},
		{"MPTCP capable", {30, 12, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12, 0xff, 0},
		{"MPTCP fast close", {30, 12, 0x70, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12, 0xff, 7},
		{"MPTCP reset", {30, 4, 0x8f, 2}, 4, 0xff, 8},
		{"MPTCP without subtype", {30, 2, 3, 3, 6}, 5, 6, 0xff},
		{"both", {3, 3, 7, 30, 4, 0x80, 1}, 7, 7, 8},
		{"forty NOPs", {[0 ... 39] = 1}, 40, 0xff, 0xff},
		{"at the end of forty", {[0 ... 36] = 1, 3, 3, 5}, 40, 5, 0xff},
		{"cut by forty", {[0 ... 37] = 1, 3, 3}, 40, 0xff, 0xff},
	};

	FOR_EACH_ROW(table, row) {
		struct tcp_segment s = {.wscale = SEGMENT_NO_WSCALE, .mptcp = SEGMENT_NO_MPTCP};
		struct tcp_options options = {.len = row->len};

		memcpy(options.bytes, row->bytes, sizeof(options.bytes));
		packet_options(&s, &options);
		expect_int(s.wscale, row->wscale);
		expect_int(s.mptcp, row->mptcp);
	}
}

/* Random option bytes: the walk ends inside of them, and what it finds is in range. */
TEST(test_tcp_options_any_bytes)
{
	struct random random = {0};

	for (int round = 0; round < 300000; round++) {
		struct tcp_segment s = {.wscale = SEGMENT_NO_WSCALE, .mptcp = SEGMENT_NO_MPTCP};
		struct tcp_options *options = malloc(sizeof(*options));

		assert_non_null(options);
		for (unsigned i = 0; i < PACKET_OPTIONS_MAX; i++)
			options->bytes[i] = (uint8_t)random_below(&random, round & 1 ? 6 : 255);
		options->len = random_below(&random, PACKET_OPTIONS_MAX + 1);
		packet_options(&s, options);
		assert_true(s.wscale <= 14 || s.wscale == SEGMENT_NO_WSCALE);
		assert_true(s.mptcp <= 15 || s.mptcp == SEGMENT_NO_MPTCP);
		free(options);
	}
}

/* ---- cut packets ---- */

struct cut {
	const char *name;
	struct bytes bytes;
	uint32_t tcp; /* where the TCP header begins */
	enum packet_link link;
	uint16_t ethertype;
};

static void put_cut_ipv4(struct cut *c, const char *name, uint32_t tags, uint32_t ip_words, uint32_t tcp_words)
{
	c->name = name;
	put_ethernet(&c->bytes, tags ? 0x8100 : 0x0800);
	for (; tags; tags--)
		put_tag(&c->bytes, 5, tags > 1 ? 0x8100 : 0x0800);
	put_ipv4_header(&c->bytes, ip_words, ip_words * 4 + tcp_words * 4 + 6, 0, 6);
	c->tcp = c->bytes.len;
	put_tcp_header(&c->bytes, tcp_words, TCP_SYN, 1, 1);
	put_fill(&c->bytes, 1, (tcp_words - 5) * 4);
	put_fill(&c->bytes, 'x', 6);
}

static void put_cut_ipv6(struct cut *c, const char *name)
{
	c->name = name;
	put_ethernet(&c->bytes, 0x86dd);
	put_ipv6(&c->bytes, 0, 8 + 8 + 24 + 20 + 6);
	put_bytes(&c->bytes, "\x2c\0\x01\x04\0\0\0\0", 8);
	put_bytes(&c->bytes, "\x33\0\0\0\0\0\0\x01", 8);
	put_bytes(&c->bytes, "\x06\x04", 2);
	put_fill(&c->bytes, 0, 22);
	c->tcp = c->bytes.len;
	put_tcp_header(&c->bytes, 5, TCP_SYN, 1, 1);
	put_fill(&c->bytes, 'x', 6);
}

/* An authentication header behind IPv4, labels and a PPPoE session in front. */
static void put_cut_headers(struct cut *c, const char *name, uint32_t ethertype)
{
	c->name = name;
	put_ethernet(&c->bytes, ethertype);
	if (ethertype == 0x8847)
		put_bytes(&c->bytes, "\0\x06\x40\x3f\0\x0c\x81\x3f", 8);
	else
		put_bytes(&c->bytes, "\x11\0\0\1\0\0\0\x21", 8);
	put_ipv4_header(&c->bytes, 5, 20 + 24 + 20 + 6, 0, 51);
	put_bytes(&c->bytes, "\x06\x04", 2);
	put_fill(&c->bytes, 0, 22);
	c->tcp = c->bytes.len;
	put_tcp_header(&c->bytes, 5, TCP_SYN, 1, 1);
	put_fill(&c->bytes, 'x', 6);
}

static void put_cut_vxlan(struct cut *c, const char *name)
{
	c->name = name;
	put_ethernet(&c->bytes, 0x0800);
	put_ipv4_header(&c->bytes, 5, 0, 0, 17);
	put_udp(&c->bytes, 4789);
	put_bytes(&c->bytes, "\x08\0\0\0\0\0\x07\0", 8);
	put_ethernet(&c->bytes, 0x8100);
	put_tag(&c->bytes, 5, 0x0800);
	put_ipv4(&c->bytes, 26);
	c->tcp = c->bytes.len;
	put_tcp_header(&c->bytes, 5, TCP_SYN, 1, 1);
	put_fill(&c->bytes, 'x', 6);
}

static void put_cut_l3(struct cut *c, const char *name, enum packet_link link)
{
	c->name = name;
	c->link = link;
	c->ethertype = 0x0800;
	put_ipv4(&c->bytes, 26);
	c->tcp = c->bytes.len;
	put_tcp_header(&c->bytes, 5, TCP_SYN, 1, 1);
	put_fill(&c->bytes, 'x', 6);
}

/*
 * A packet cut by the capture is parsed if its TCP header was captured. One that was shorter on the wire than its IP
 * header says is never parsed: no receiver would take it.
 */
static void check_cuts(const struct cut *c)
{
	for (uint32_t held = 0; held <= c->bytes.len; held++) {
		struct packet_meta meta = {
			.wire_len = c->bytes.len,
			.link = (uint8_t)c->link,
			.ethertype = c->ethertype,
		};
		bool whole_header = held >= c->tcp + 20, whole = held == c->bytes.len;
		enum packet_verdict got;
		struct tcp_segment s;

		enter_row("%s, %u bytes captured", c->name, held);
		expect_verdict(parse_cut(&c->bytes, held, &meta, &s), whole_header ? PACKET_TCP : PACKET_TRUNCATED);
		if (whole_header)
			expect_int(s.len, 6);
		enter_row("%s, %u bytes on the wire", c->name, held);
		meta.wire_len = held;
		got = parse_cut(&c->bytes, held, &meta, &s);
		if (whole || got != PACKET_BAD_LENGTH)
			expect_verdict(got, whole ? PACKET_TCP : PACKET_TRUNCATED);
	}
}

TEST(test_cut_at_every_byte)
{
	static struct cut cuts[11];
	size_t n = 0;

	put_cut_ipv4(&cuts[n++], "IPv4", 0, 5, 5);
	put_cut_ipv4(&cuts[n++], "a tag", 1, 5, 5);
	put_cut_ipv4(&cuts[n++], "two tags", 2, 5, 5);
	put_cut_ipv4(&cuts[n++], "IPv4 options", 0, 15, 5);
	put_cut_ipv4(&cuts[n++], "TCP options", 0, 5, 15);
	put_cut_ipv6(&cuts[n++], "IPv6 extension headers");
	put_cut_headers(&cuts[n++], "MPLS", 0x8847);
	put_cut_headers(&cuts[n++], "PPPoE", 0x8864);
	put_cut_vxlan(&cuts[n++], "VXLAN");
	put_cut_l3(&cuts[n++], "L3", PACKET_LINK_IP);
	put_cut_l3(&cuts[n++], "typed", PACKET_LINK_TYPED);
	for (size_t i = 0; i < n; i++)
		check_cuts(&cuts[i]);
}

/* The hook may report a length below what it holds, or none: no subtraction may wrap. */
TEST(test_wire_length_lies)
{
	for (int ipv6 = 0; ipv6 < 2; ipv6++)
		for (uint32_t wire = 0; wire < 80; wire++) {
			struct packet_meta meta = {.wire_len = wire};
			struct bytes b = {.len = 0};
			struct tcp_segment s;

			enter_row("IPv%u, %u bytes on the wire", ipv6 ? 6 : 4, wire);
			put_ethernet(&b, ipv6 ? 0x86dd : 0x0800);
			if (ipv6)
				put_ipv6(&b, 6, 0);
			else
				put_ipv4_header(&b, 5, 0, 0, 6);
			put_tcp_header(&b, 5, TCP_ACK, 1, 1);
			if (parse_cut(&b, b.len, &meta, &s) == PACKET_TCP)
				assert_true(s.len <= wire);
			else
				assert_true(wire < b.len);
		}
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
