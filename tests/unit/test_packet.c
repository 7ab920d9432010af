// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The parser against bytes written by hand. Every packet lies at the end of memory of its exact size, so that a build
 * with the address sanitizer sees a read behind it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/core/packet.h"
#include "tests/unit/segments.h"

static const char *const verdict_names[PACKET_VERDICTS] = {
	"TCP",    "NOT_IP",     "NOT_TCP", "FRAGMENT",  "TRUNCATED",
	"BAD_IP", "BAD_LENGTH", "BAD_TCP", "MANY_TAGS", "DEEP_CHAIN",
};

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

static enum packet_verdict parse(const struct bytes *b, struct tcp_segment *s)
{
	const struct packet_meta meta = {.wire_len = b->len};

	return parse_cut(b, b->len, &meta, s);
}

static void expect(const struct bytes *b, enum packet_verdict wanted, struct tcp_segment *s, const char *what)
{
	enum packet_verdict got = parse(b, s);

	if (got != wanted)
		fail_msg("%s: %s, wanted %s", what, verdict_names[got], verdict_names[wanted]);
}

/* ---- whole packets ---- */

static void test_ipv4_fields(void **state)
{
	struct bytes b = {.len = 0};
	struct tcp_segment s;

	(void)state;
	put_ethernet(&b, 0x0800);
	put_ipv4(&b, 20 + 7);
	put_tcp_header(&b, 5, TCP_PSH | TCP_ACK, 0x01020304, 0xfffefdfc);
	put_fill(&b, 'x', 7);
	expect(&b, PACKET_TCP, &s, "plain IPv4");
	assert_true(s.src.hi == 0 && s.src.lo == 0x0a000001);
	assert_true(s.dst.hi == 0 && s.dst.lo == 0x0a000109);
	assert_int_equal(s.seq, 0x01020304);
	assert_true(s.ack == 0xfffefdfc);
	assert_int_equal(s.len, 7);
	assert_int_equal(s.sport, 40001);
	assert_int_equal(s.dport, 443);
	assert_int_equal(s.win, 64240);
	assert_int_equal(s.ip_id, 0x1234);
	assert_int_equal(s.vlan[0], PACKET_NO_TAG);
	assert_int_equal(s.vlan[1], PACKET_NO_TAG);
	assert_int_equal(s.family, 4);
	assert_int_equal(s.flags, TCP_PSH | TCP_ACK);
	assert_int_equal(s.ttl, 61);
	assert_int_equal(s.wscale, SEGMENT_NO_WSCALE);
	assert_int_equal(s.mptcp, SEGMENT_NO_MPTCP);
	assert_int_equal(s.partial, 0);
	assert_int_equal(s.options_len, 0);
	assert_int_equal(s.options_off, 14 + 20 + 20);
}

static void test_ipv6_fields(void **state)
{
	struct bytes b = {.len = 0};
	struct tcp_segment s;

	(void)state;
	put_ethernet(&b, 0x86dd);
	put_ipv6(&b, 6, 20 + 9);
	put_tcp_header(&b, 5, TCP_FIN | TCP_ACK, 7, 8);
	put_fill(&b, 'x', 9);
	expect(&b, PACKET_TCP, &s, "plain IPv6");
	assert_true(s.src.hi == 0x20010db800000000 && s.src.lo == 1);
	assert_true(s.dst.hi == 0x20010db800000000 && s.dst.lo == 9);
	assert_int_equal(s.family, 6);
	assert_int_equal(s.ttl, 62);
	assert_int_equal(s.ip_id, 0);
	assert_int_equal(s.partial, 0);
	assert_int_equal(s.len, 9);
	assert_int_equal(s.seq, 7);
	assert_int_equal(s.ack, 8);
	assert_int_equal(s.options_off, 14 + 40 + 20);
}

static void test_not_ours(void **state)
{
	static const struct {
		const char *name;
		uint32_t ethertype, protocol;
		enum packet_verdict verdict;
	} table[] = {
		{"ARP", 0x0806, 6, PACKET_NOT_IP},          {"MPLS", 0x8847, 6, PACKET_NOT_IP},
		{"802.3 length", 60, 6, PACKET_NOT_IP},     {"UDP", 0x0800, 17, PACKET_NOT_TCP},
		{"ICMP", 0x0800, 1, PACKET_NOT_TCP},        {"IPv6 in IPv4", 0x0800, 41, PACKET_NOT_TCP},
		{"GRE", 0x0800, 47, PACKET_NOT_TCP},        {"ESP", 0x0800, 50, PACKET_NOT_TCP},
		{"an IPv6 type", 0x86dd, 6, PACKET_NOT_IP}, {"TCP", 0x0800, 6, PACKET_TCP},
	};
	struct tcp_segment s;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct bytes b = {.len = 0};

		put_ethernet(&b, table[i].ethertype);
		put_ipv4_header(&b, 5, 40, 0, table[i].protocol);
		put_tcp_header(&b, 5, TCP_ACK, 1, 1);
		expect(&b, table[i].verdict, &s, table[i].name);
	}
}

/* ---- link layer ---- */

static void test_tags(void **state)
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

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct bytes b = {.len = 0};
		struct packet_meta meta = {0};
		enum packet_verdict got;

		put_ethernet(&b, table[i].count ? table[i].types[0] : 0x0800);
		for (uint32_t n = 0; n < table[i].count; n++) /* priority and drop bit are no part of the identifier */
			put_tag(&b, 0xf000 | (100 + n), n + 1 < table[i].count ? table[i].types[n + 1] : 0x0800);
		put_ipv4(&b, 20);
		put_tcp_header(&b, 5, TCP_ACK, 1, 1);
		meta.wire_len = b.len;
		meta.vlan_present = table[i].metadata != 0;
		meta.vlan_tci = (uint16_t)(table[i].metadata ? table[i].metadata - 1 : 0);
		got = parse_cut(&b, b.len, &meta, &s);
		if (got != table[i].verdict)
			fail_msg("%s: %s", table[i].name, verdict_names[got]);
		if (got != PACKET_TCP)
			continue;
		assert_int_equal(s.vlan[0], table[i].vlan[0]);
		assert_int_equal(s.vlan[1], table[i].vlan[1]);
		assert_int_equal(s.options_off, b.len);
	}
}

static void test_links(void **state)
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
		{"IPv4 said, 6 there", PACKET_LINK_TYPED, 0x0800, 6, PACKET_NOT_IP},
		{"IPv6 said, 4 there", PACKET_LINK_TYPED, 0x86dd, 4, PACKET_NOT_IP},
	};
	struct tcp_segment s;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct packet_meta meta = {.link = (uint8_t)table[i].link, .ethertype = (uint16_t)table[i].ethertype};
		struct bytes b = {.len = 0};
		enum packet_verdict got;

		if (table[i].version == 6)
			put_ipv6(&b, 6, 20);
		else
			put_ipv4(&b, 20);
		b.data[0] = (uint8_t)(table[i].version << 4 | (b.data[0] & 15));
		put_tcp_header(&b, 5, TCP_ACK, 1, 1);
		meta.wire_len = b.len;
		got = parse_cut(&b, b.len, &meta, &s);
		if (got != table[i].verdict)
			fail_msg("%s: %s", table[i].name, verdict_names[got]);
		if (got == PACKET_TCP)
			assert_int_equal(s.options_off, b.len);
	}
}

/* A cooked capture of a VLAN interface: the link header announced a tag, which is in the bytes. */
static void test_typed_tag(void **state)
{
	struct packet_meta meta = {.link = PACKET_LINK_TYPED, .ethertype = 0x8100};
	struct bytes b = {.len = 0};
	struct tcp_segment s;

	(void)state;
	put_tag(&b, 42, 0x0800);
	put_ipv4(&b, 20);
	put_tcp_header(&b, 5, TCP_ACK, 1, 1);
	meta.wire_len = b.len;
	assert_int_equal(parse_cut(&b, b.len, &meta, &s), PACKET_TCP);
	assert_int_equal(s.vlan[0], 42);
	assert_int_equal(s.options_off, 4 + 20 + 20);
}

/* ---- IPv4 ---- */

static void test_ipv4_header_lengths(void **state)
{
	struct tcp_segment s;

	(void)state;
	for (uint32_t words = 0; words < 16; words++) {
		struct bytes b = {.len = 0};
		uint32_t header = words < 5 ? 20 : words * 4;

		put_ethernet(&b, 0x0800);
		put_ipv4_header(&b, words, header + 20 + 3, 0, 6);
		put_tcp_header(&b, 5, TCP_ACK, 99, 1);
		put_fill(&b, 'x', 3);
		expect(&b, words < 5 ? PACKET_BAD_IP : PACKET_TCP, &s, "IHL");
		if (words < 5)
			continue;
		assert_int_equal(s.seq, 99);
		assert_int_equal(s.len, 3);
		assert_int_equal(s.options_off, 14 + header + 20);
	}
}

static void test_ipv4_total_length(void **state)
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

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct packet_meta meta = {.gso = (uint8_t)table[i].gso};
		struct bytes b = {.len = 0};
		enum packet_verdict got;

		put_ethernet(&b, 0x0800);
		put_ipv4_header(&b, 5, table[i].total, 0, 6);
		put_tcp_header(&b, 5, TCP_ACK, 1, 1);
		put_fill(&b, 'x', table[i].payload);
		meta.wire_len = b.len;
		got = parse_cut(&b, b.len, &meta, &s);
		if (got != table[i].verdict)
			fail_msg("%s: %s", table[i].name, verdict_names[got]);
		if (got == PACKET_TCP)
			assert_int_equal(s.len, table[i].len);
	}
}

/* A snapped capture: the payload was on the wire though it is not held. */
static void test_payload_not_captured(void **state)
{
	struct packet_meta meta = {.wire_len = 14 + 40 + 1000};
	struct bytes b = {.len = 0};
	struct tcp_segment s;

	(void)state;
	put_ethernet(&b, 0x0800);
	put_ipv4(&b, 20 + 1000);
	put_tcp_header(&b, 5, TCP_ACK, 1, 1);
	assert_int_equal(parse_cut(&b, b.len, &meta, &s), PACKET_TCP);
	assert_int_equal(s.len, 1000);
}

static void test_ipv4_fragments(void **state)
{
	static const struct {
		const char *name;
		uint32_t word;
		enum packet_verdict verdict;
		int partial;
		/* clang-format off: a row a case */
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
	/* clang-format on */
	struct tcp_segment s;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct bytes b = {.len = 0};

		put_ethernet(&b, 0x0800);
		put_ipv4_header(&b, 5, 48, table[i].word, 6);
		put_tcp_header(&b, 5, TCP_ACK, 1, 1);
		put_fill(&b, 'x', 8);
		expect(&b, table[i].verdict, &s, table[i].name);
		if (table[i].verdict == PACKET_TCP)
			assert_int_equal(s.partial, table[i].partial);
	}
}

/* A later fragment may be shorter than a TCP header. It is a fragment, not a cut packet. */
static void test_ipv4_small_fragment(void **state)
{
	struct bytes b = {.len = 0};
	struct tcp_segment s;

	(void)state;
	put_ethernet(&b, 0x0800);
	put_ipv4_header(&b, 5, 22, 0x0002, 6);
	put_fill(&b, 0, 2);
	expect(&b, PACKET_FRAGMENT, &s, "two bytes");
}

/* ---- IPv6 ---- */

static void test_ipv6_chain_depth(void **state)
{
	struct tcp_segment s;

	(void)state;
	for (uint32_t headers = 0; headers < 12; headers++) {
		struct bytes b = {.len = 0};

		put_ethernet(&b, 0x86dd);
		put_ipv6(&b, headers ? 60 : 6, headers * 8 + 20 + 5);
		for (uint32_t i = 0; i < headers; i++) {
			put8(&b, i + 1 < headers ? 60 : 6);
			put8(&b, 0);
			put_fill(&b, 1, 6);
		}
		put_tcp_header(&b, 5, TCP_ACK, 77, 1);
		put_fill(&b, 'x', 5);
		expect(&b, headers <= PACKET_MAX_EXTENSIONS ? PACKET_TCP : PACKET_DEEP_CHAIN, &s, "chain");
		if (headers > PACKET_MAX_EXTENSIONS)
			continue;
		assert_int_equal(s.seq, 77);
		assert_int_equal(s.len, 5);
		assert_int_equal(s.options_off, 14 + 40 + headers * 8 + 20);
	}
}

/* One extension header of each kind and length; what is behind it is found by the kind's own unit. */
static void test_ipv6_extension_kinds(void **state)
{
	static const struct {
		const char *name;
		uint32_t kind, count, bytes; /* count: the second byte */
		enum packet_verdict verdict;
		/* clang-format off: a row a case */
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
		{"ESP", 50, 0, 8, PACKET_NOT_TCP},
		{"no next header", 59, 0, 8, PACKET_NOT_TCP},
		{"UDP", 17, 0, 8, PACKET_NOT_TCP},
		{"ICMPv6", 58, 0, 8, PACKET_NOT_TCP},
		{"IPv4 inside", 4, 0, 8, PACKET_NOT_TCP},
		{"experiment", 253, 0, 8, PACKET_NOT_TCP},
	};
	/* clang-format on */
	struct tcp_segment s;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct bytes b = {.len = 0};

		put_ethernet(&b, 0x86dd);
		put_ipv6(&b, table[i].kind, table[i].bytes + 20 + 4);
		put8(&b, 6);
		put8(&b, table[i].count);
		put_fill(&b, 0, table[i].bytes - 2);
		put_tcp_header(&b, 5, TCP_ACK, 78, 1);
		put_fill(&b, 'x', 4);
		expect(&b, table[i].verdict, &s, table[i].name);
		if (table[i].verdict != PACKET_TCP)
			continue;
		assert_int_equal(s.seq, 78);
		assert_int_equal(s.len, 4);
	}
}

static void test_ipv6_fragments(void **state)
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

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct bytes b = {.len = 0};

		put_ethernet(&b, 0x86dd);
		put_ipv6(&b, 44, 8 + 20 + 4);
		put8(&b, 6);
		put8(&b, table[i].reserved);
		put16(&b, table[i].word);
		put32(&b, 0xdeadbeef);
		put_tcp_header(&b, 5, TCP_ACK, 79, 1);
		put_fill(&b, 'x', 4);
		expect(&b, table[i].verdict, &s, table[i].name);
		if (table[i].verdict != PACKET_TCP)
			continue;
		assert_int_equal(s.seq, 79);
		assert_int_equal(s.partial, table[i].partial);
	}
}

static void test_ipv6_payload_length(void **state)
{
	static const struct {
		const char *name;
		uint32_t said, held; /* bytes behind the IPv6 header */
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

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct packet_meta meta = {.gso = (uint8_t)table[i].gso};
		struct bytes b = {.len = 0};
		enum packet_verdict got;

		put_ethernet(&b, 0x86dd);
		put_ipv6(&b, 6, table[i].said);
		put_tcp_header(&b, 5, TCP_ACK, 1, 1);
		put_fill(&b, 'x', table[i].held - 20);
		meta.wire_len = b.len;
		got = parse_cut(&b, b.len, &meta, &s);
		if (got != table[i].verdict)
			fail_msg("%s: %s", table[i].name, verdict_names[got]);
		if (got == PACKET_TCP)
			assert_int_equal(s.len, table[i].len);
	}
}

/* RFC 2675: payload length 0 and a hop-by-hop jumbo option; the packet's real length counts. */
static void test_ipv6_jumbo(void **state)
{
	struct bytes b = {.len = 0};
	struct tcp_segment s;

	(void)state;
	put_ethernet(&b, 0x86dd);
	put_ipv6(&b, 0, 0);
	put8(&b, 6);
	put8(&b, 0);
	put16(&b, 0xc204);
	put32(&b, 8 + 20 + 3000);
	put_tcp_header(&b, 5, TCP_ACK, 1, 1);
	put_fill(&b, 'x', 3000);
	expect(&b, PACKET_TCP, &s, "jumbo");
	assert_int_equal(s.len, 3000);
}

/* ---- TCP ---- */

static void test_tcp_data_offset(void **state)
{
	struct tcp_segment s;

	(void)state;
	for (uint32_t words = 0; words < 16; words++) {
		struct bytes b = {.len = 0};
		uint32_t header = words < 5 ? 20 : words * 4;

		put_ethernet(&b, 0x0800);
		put_ipv4(&b, header + 2);
		put_tcp_header(&b, words, TCP_SYN, 1, 0);
		put_fill(&b, 1, header - 20);
		put_fill(&b, 'x', 2);
		expect(&b, words < 5 ? PACKET_BAD_TCP : PACKET_TCP, &s, "data offset");
		if (words < 5)
			continue;
		assert_int_equal(s.options_len, header - 20);
		assert_int_equal(s.len, 2);
	}
}

/* A data offset beyond the end that IP gives. */
static void test_tcp_header_longer_than_ip(void **state)
{
	struct bytes b = {.len = 0};
	struct tcp_segment s;

	(void)state;
	put_ethernet(&b, 0x0800);
	put_ipv4(&b, 20);
	put_tcp_header(&b, 6, TCP_SYN, 1, 0);
	put_fill(&b, 0, 4); /* padding of the frame */
	expect(&b, PACKET_BAD_LENGTH, &s, "offset 6 of 20 bytes");
}

static void test_tcp_all_flags(void **state)
{
	struct tcp_segment s;

	(void)state;
	for (uint32_t flags = 0; flags < 256; flags++) {
		struct bytes b = {.len = 0};

		put_ethernet(&b, 0x0800);
		put_ipv4(&b, 20);
		put_tcp_header(&b, 5, flags, 1, 0);
		expect(&b, PACKET_TCP, &s, "flags");
		assert_int_equal(s.flags, flags);
	}
}

static void test_tcp_options(void **state)
{
	static const struct {
		const char *name;
		uint8_t bytes[PACKET_OPTIONS_MAX];
		uint32_t len, wscale, mptcp;
		/* clang-format off: a row a case */
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
		{"forty NOPs",
		 {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
		 40,
		 0xff,
		 0xff},
		{"at the end of forty",
		 {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 5},
		 40,
		 5,
		 0xff},
		{"cut by forty",
		 {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3},
		 40,
		 0xff,
		 0xff},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct tcp_segment s = {.wscale = SEGMENT_NO_WSCALE, .mptcp = SEGMENT_NO_MPTCP};
		struct tcp_options options = {.len = table[i].len};

		memcpy(options.bytes, table[i].bytes, sizeof(options.bytes));
		packet_options(&s, &options);
		if (s.wscale != table[i].wscale || s.mptcp != table[i].mptcp)
			fail_msg("%s: window scale %u, MPTCP %u", table[i].name, s.wscale, s.mptcp);
	}
}

/* Whatever bytes the options are, the walk ends inside of them. */
static void test_tcp_options_any_bytes(void **state)
{
	uint64_t x = 88172645463325252;

	(void)state;
	for (int round = 0; round < 300000; round++) {
		struct tcp_segment s = {.wscale = SEGMENT_NO_WSCALE, .mptcp = SEGMENT_NO_MPTCP};
		struct tcp_options *options = malloc(sizeof(*options));

		assert_non_null(options);
		for (unsigned i = 0; i < PACKET_OPTIONS_MAX; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			options->bytes[i] = (uint8_t)(x >> 32) % (round & 1 ? 6 : 255);
		}
		options->len = (uint32_t)(x % (PACKET_OPTIONS_MAX + 1));
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
 * Cut by the capture: the headers that are there decide. Cut on the wire: IP says more than there is, and no receiver
 * would take it.
 */
static void check_cuts(const struct cut *c)
{
	for (uint32_t held = 0; held <= c->bytes.len; held++) {
		struct packet_meta meta = {
			.wire_len = c->bytes.len,
			.link = (uint8_t)c->link,
			.ethertype = c->ethertype,
		};
		struct tcp_segment s;
		enum packet_verdict got = parse_cut(&c->bytes, held, &meta, &s);

		if (got != (held >= c->tcp + 20 ? PACKET_TCP : PACKET_TRUNCATED))
			fail_msg("%s, %u captured: %s", c->name, held, verdict_names[got]);
		if (got == PACKET_TCP)
			assert_int_equal(s.len, 6);
		meta.wire_len = held;
		got = parse_cut(&c->bytes, held, &meta, &s);
		if (held == c->bytes.len ? got != PACKET_TCP : got != PACKET_TRUNCATED && got != PACKET_BAD_LENGTH)
			fail_msg("%s, %u on the wire: %s", c->name, held, verdict_names[got]);
	}
}

static void test_cut_at_every_byte(void **state)
{
	static struct cut cuts[8];
	size_t n = 0;

	(void)state;
	put_cut_ipv4(&cuts[n++], "IPv4", 0, 5, 5);
	put_cut_ipv4(&cuts[n++], "a tag", 1, 5, 5);
	put_cut_ipv4(&cuts[n++], "two tags", 2, 5, 5);
	put_cut_ipv4(&cuts[n++], "IPv4 options", 0, 15, 5);
	put_cut_ipv4(&cuts[n++], "TCP options", 0, 5, 15);
	put_cut_ipv6(&cuts[n++], "IPv6 extension headers");
	put_cut_l3(&cuts[n++], "L3", PACKET_LINK_IP);
	put_cut_l3(&cuts[n++], "typed", PACKET_LINK_TYPED);
	for (size_t i = 0; i < n; i++)
		check_cuts(&cuts[i]);
}

/* The hook may say a length below what it holds, or none: nothing may wrap. */
static void test_wire_length_lies(void **state)
{
	(void)state;
	for (int ipv6 = 0; ipv6 < 2; ipv6++)
		for (uint32_t wire = 0; wire < 80; wire++) {
			struct packet_meta meta = {.wire_len = wire};
			struct bytes b = {.len = 0};
			struct tcp_segment s;

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
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4_fields),
		cmocka_unit_test(test_ipv6_fields),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_typed_tag),
		cmocka_unit_test(test_ipv4_header_lengths),
		cmocka_unit_test(test_ipv4_total_length),
		cmocka_unit_test(test_payload_not_captured),
		cmocka_unit_test(test_ipv4_fragments),
		cmocka_unit_test(test_ipv4_small_fragment),
		cmocka_unit_test(test_ipv6_chain_depth),
		cmocka_unit_test(test_ipv6_extension_kinds),
		cmocka_unit_test(test_ipv6_fragments),
		cmocka_unit_test(test_ipv6_payload_length),
		cmocka_unit_test(test_ipv6_jumbo),
		cmocka_unit_test(test_tcp_data_offset),
		cmocka_unit_test(test_tcp_header_longer_than_ip),
		cmocka_unit_test(test_tcp_all_flags),
		cmocka_unit_test(test_tcp_options),
		cmocka_unit_test(test_tcp_options_any_bytes),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_wire_length_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
