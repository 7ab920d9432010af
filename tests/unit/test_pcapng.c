// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pcapng files written block by block from the format's text (draft-ietf-opsawg-pcapng): each kind of packet block,
 * time stamps, sections and interfaces, and blocks whose lengths are wrong.
 */
#define _GNU_SOURCE 1 /* mkdtemp, pipe2 */
#include "tests/unit/capture_bytes.h"
#include "user/capture/pcapng.h"

enum { INTERFACE = 1, OLD_PACKET = 2, SIMPLE = 3, NAMES = 4, STATISTICS = 5, ENHANCED = 6, CUSTOM = 0xbad };

#define SLL_AND_SYN 56

/* ---- writing ---- */

static size_t block_start;

static void begin_block(uint32_t type)
{
	block_start = file.len;
	put32(type);
	put32(0);
}

/* Overwrites 32 bits of the file. */
static void patch32(size_t at, uint32_t n)
{
	size_t len = file.len;

	file.len = at;
	put32(n);
	file.len = len;
}

static void end_block(void)
{
	while (file.len % 4)
		put("", 1);
	patch32(block_start + 4, (uint32_t)(file.len + 4 - block_start));
	put32((uint32_t)(file.len + 4 - block_start));
}

/* A section whose own length is not said. It sets the byte order of what follows. */
static void put_section(bool big, unsigned major, unsigned minor)
{
	file.big = big;
	begin_block(0x0a0d0d0a);
	put32(0x1a2b3c4d);
	put16(major);
	put16(minor);
	put32(0xffffffff);
	put32(0xffffffff);
	end_block();
}

static void begin_pcapng(bool big)
{
	file.len = 0;
	put_section(big, 1, 0);
}

static void put_option(unsigned code, const void *value, unsigned len)
{
	put16(code);
	put16(len);
	put(value, len);
	while (file.len % 4)
		put("", 1);
}

static void begin_interface(unsigned link_type, uint32_t snaplen)
{
	begin_block(INTERFACE);
	put16(link_type);
	put16(0);
	put32(snaplen);
}

static void put_interface(unsigned link_type, uint8_t resolution)
{
	begin_interface(link_type, 0);
	put_option(9, &resolution, 1);
	put_option(0, "", 0);
	end_block();
}

static void put_named_interface(unsigned link_type, const char *name, unsigned len)
{
	begin_interface(link_type, 0);
	put_option(2, name, len);
	end_block();
}

static void put_packet(uint32_t interface, uint64_t time, const void *data, uint32_t len)
{
	begin_block(ENHANCED);
	put32(interface);
	put32(time >> 32);
	put32(time);
	put32(len);
	put32(len);
	put(data, len);
	end_block();
}

/* The SYN behind a header of Linux cooked capture. */
static const uint8_t *sll_syn(void)
{
	static uint8_t frame[SLL_AND_SYN] = {[14] = 0x08, 0x00};

	memcpy(frame + 16, ipv4_syn, 40);
	return frame;
}

/* ---- reading ---- */

static void expect_next_is_the_syn(uint8_t family, uint32_t interface, uint64_t time)
{
	read_packet();
	expect_the_syn(family);
	expect_int(packet.interface, interface);
	expect_ns(packet.time, time);
}

static void expect_broken(const char *about)
{
	expect_error(next(), -EBADMSG, path, about);
	pcap_file_close(source);
}

/* ---- packet blocks ---- */

TEST(test_enhanced_packets)
{
	for (int big = 0; big < 2; big++) {
		begin_pcapng(big);
		put_interface(101, 9);
		put_packet(0, 1700000000123456789, ipv4_syn, 40);
		put_packet(0, 4102444800000000001, ipv6_syn, 60);
		open_saved();
		expect_next_is_the_syn(4, 0, 1700000000123456789);
		expect_int(packet.meta.wire_len, 40);
		expect_next_is_the_syn(6, 0, 4102444800000000001);
		close_at_end();
	}
}

/* Padding and options behind the bytes are none of the packet's. */
TEST(test_packet_options)
{
	begin_pcapng(false);
	put_interface(101, 9);
	begin_block(ENHANCED);
	put32(0);
	put32(0);
	put32(5);
	put32(41);
	put32(1541);
	put(ipv4_syn, 40);
	put("x", 1);
	put("\0\0", 3);
	put_option(1, "a comment", 9);
	put_option(0, "", 0);
	end_block();
	open_saved();
	expect_next_is_the_syn(4, 0, 5);
	expect_int(packet.bytes.end - packet.bytes.pos, 41);
	expect_int(packet.meta.wire_len, 1541);
	close_at_end();
}

static void put_simple_packet(uint32_t len, const void *data, uint32_t captured)
{
	begin_block(SIMPLE);
	put32(len);
	put(data, captured);
	end_block();
}

/* They have neither a time nor an interface, and only the first interface's snap length says how much was captured. */
TEST(test_simple_packets)
{
	for (int big = 0; big < 2; big++) {
		begin_pcapng(big);
		begin_interface(101, 41);
		end_block();
		put_interface(113, 9);
		put_simple_packet(40, ipv4_syn, 40);
		put_simple_packet(60, ipv6_syn, 41);
		put_section(big, 1, 0);
		put_interface(101, 9);
		put_simple_packet(60, ipv6_syn, 60);
		open_saved();
		expect_next_is_the_syn(4, 0, 0);
		read_packet();
		expect_int(packet.bytes.end - packet.bytes.pos, 41);
		expect_int(packet.meta.wire_len, 60);
		expect_next_is_the_syn(6, 2, 0);
		close_at_end();
	}
}

/* The obsolete block: 16 bits of interface, and 16 of packets dropped. */
TEST(test_old_packets)
{
	for (int big = 0; big < 2; big++) {
		begin_pcapng(big);
		put_interface(113, 6);
		put_interface(101, 6);
		begin_block(OLD_PACKET);
		put16(1);
		put16(0xffff);
		put32(0);
		put32(7);
		put32(40);
		put32(1540);
		put(ipv4_syn, 40);
		end_block();
		open_saved();
		expect_next_is_the_syn(4, 1, 7000);
		expect_int(packet.meta.wire_len, 1540);
		close_at_end();
	}
}

TEST(test_other_blocks)
{
	static const uint32_t types[] = {NAMES, STATISTICS, 0, 7, 10, CUSTOM, 0x40000bad, 0x80000042, 0xffffffff};

	begin_pcapng(true);
	for (size_t i = 0; i < COUNT(types); i++) {
		begin_block(types[i]);
		put(ipv6_syn, 4 * i);
		end_block();
	}
	put_interface(101, 9);
	for (size_t i = 0; i < COUNT(types); i++) {
		begin_block(types[i]);
		put(ipv6_syn, 4 * i);
		end_block();
		put_packet(0, i, ipv4_syn, 40);
	}
	open_saved();
	for (size_t i = 0; i < COUNT(types); i++)
		expect_next_is_the_syn(4, 0, i);
	close_at_end();
}

TEST(test_captured_more_than_there_was)
{
	begin_pcapng(false);
	put_interface(101, 9);
	put_packet(0, 1, ipv4_syn, 40);
	patch32(file.len - 4 - 40 - 4, 30);
	open_saved();
	read_packet();
	expect_int(packet.bytes.end - packet.bytes.pos, 30);
	expect_int(packet.meta.wire_len, 30);
	close_at_end();
}

/* ---- time ---- */

#define LAST_SECOND 18446744072000000000ULL

TEST(test_resolutions)
{
	static const struct {
		uint8_t resolution;
		uint64_t stamp, time;
	} rows[] = {
		{0, 1700000000, 1700000000000000000},
		{3, 1700000000123, 1700000000123000000},
		{6, 1700000000123456, 1700000000123456000},
		{9, 1700000000123456789, 1700000000123456789},
		{9, 0x8000000000000000, 0x8000000000000000},
		{10, 17000000001234567895ULL, 1700000000123456789},
		{19, 12345678901234567890ULL, 1234567890},
		{0x80, 1700000000, 1700000000000000000},
		{0x80 | 10, 1700000000ULL << 10 | 513, 1700000000500976562},
		{0x80 | 20, 1700000000ULL << 20 | 1, 1700000000000000953},
		{0x80 | 32, 1700000000ULL << 32 | 0x80000001, 1700000000500000000},
		{0x80 | 63, 0xc000000000000000, 1500000000},
		{0x80 | 63, UINT64_MAX, 1999999999},
		{0, 18446744071, 18446744071000000000ULL},
		{0, 18446744073, LAST_SECOND},
		{0, 1ULL << 40, LAST_SECOND},
		{0, UINT64_MAX, LAST_SECOND},
		{9, UINT64_MAX, LAST_SECOND},
	};

	for (int big = 0; big < 2; big++) {
		begin_pcapng(big);
		for (size_t i = 0; i < COUNT(rows); i++) {
			put_interface(101, rows[i].resolution);
			put_packet((uint32_t)i, rows[i].stamp, ipv4_syn, 40);
		}
		open_saved();
		for (size_t i = 0; i < COUNT(rows); i++)
			expect_next_is_the_syn(4, (uint32_t)i, rows[i].time);
		close_at_end();
	}
}

TEST(test_microseconds_by_default)
{
	begin_pcapng(false);
	begin_interface(101, 0);
	end_block();
	put_packet(0, 1700000000123456, ipv4_syn, 40);
	open_saved();
	expect_next_is_the_syn(4, 0, 1700000000123456000);
	close_at_end();
}

TEST(test_resolutions_beyond_64_bits)
{
	static const uint8_t resolutions[] = {20, 0x7f, 0x80 | 64, 0xff};

	for (size_t i = 0; i < COUNT(resolutions); i++) {
		begin_pcapng(false);
		put_interface(101, 6);
		put_interface(101, resolutions[i]);
		open_saved();
		expect_broken("resolution of interface 1");
	}
}

TEST(test_offsets)
{
	static const struct {
		uint8_t resolution;
		int64_t offset;
		uint64_t stamp, time;
	} rows[] = {
		{6, 1700000000, 5, 1700000000000005000},
		{9, -10, 12000000001, 2000000001},
		{6, -10, 5000000, 0},
		{6, INT64_MIN, 1, 0},
		{6, INT64_MAX, 1, LAST_SECOND},
		{0, INT64_MAX, UINT64_MAX, LAST_SECOND},
		{0, -10, UINT64_MAX, LAST_SECOND},
		{0x80 | 1, 3, 3, 4500000000},
	};

	for (int big = 0; big < 2; big++) {
		begin_pcapng(big);
		for (size_t i = 0; i < COUNT(rows); i++) {
			begin_interface(101, 0);
			put16(14);
			put16(8);
			put_number((uint64_t)rows[i].offset, 8);
			put_option(9, &rows[i].resolution, 1);
			end_block();
			put_packet((uint32_t)i, rows[i].stamp, ipv4_syn, 40);
		}
		open_saved();
		for (size_t i = 0; i < COUNT(rows); i++)
			expect_next_is_the_syn(4, (uint32_t)i, rows[i].time);
		close_at_end();
	}
}

/* ---- sections and interfaces ---- */

TEST(test_link_types_and_snap_lengths)
{
	begin_pcapng(false);
	begin_interface(101, 40);
	end_block();
	begin_interface(113, 65535);
	end_block();
	put_packet(0, 1, ipv4_syn, 40);
	put_packet(1, 2, sll_syn(), SLL_AND_SYN);
	put_packet(0, 3, ipv6_syn, 60); /* more than its interface's snap length */
	open_saved();
	expect_next_is_the_syn(4, 0, 1000);
	expect_next_is_the_syn(4, 1, 2000);
	expect_int(packet.meta.wire_len, 40);
	expect_next_is_the_syn(6, 0, 3000);
	close_at_end();
}

/* Each section has its byte order, and numbers its interfaces from 0. */
TEST(test_sections)
{
	for (int big = 0; big < 2; big++) {
		begin_pcapng(big);
		put_named_interface(101, "eth0", 4);
		put_named_interface(113, "any", 3);
		put_packet(1, 1, sll_syn(), SLL_AND_SYN);
		put_section(!big, 1, 2);
		put_named_interface(113, "wlan0", 5);
		put_packet(0, 2, sll_syn(), SLL_AND_SYN);
		put_section(big, 1, 0);
		put_section(!big, 1, 0);
		put_interface(101, 9);
		put_packet(0, 3, ipv4_syn, 40);
		open_saved();
		expect_next_is_the_syn(4, 1, 1000);
		assert_string_equal(pcap_file_interface_name(source, packet.interface), "any");
		expect_next_is_the_syn(4, 2, 2000);
		assert_string_equal(pcap_file_interface_name(source, packet.interface), "wlan0");
		expect_next_is_the_syn(4, 3, 3);
		assert_null(pcap_file_interface_name(source, packet.interface));
		assert_string_equal(pcap_file_interface_name(source, 0), "eth0");
		assert_null(pcap_file_interface_name(source, 4));
		close_at_end();
	}
}

TEST(test_interfaces_of_another_section)
{
	begin_pcapng(false);
	put_interface(101, 9);
	put_interface(101, 9);
	put_packet(1, 1, ipv4_syn, 40);
	put_section(false, 1, 0);
	put_interface(101, 9);
	put_packet(1, 2, ipv4_syn, 40);
	open_saved();
	expect_next_is_the_syn(4, 1, 1);
	expect_broken("interface 1, where 1 are described");

	begin_pcapng(false);
	put_simple_packet(40, ipv4_syn, 40);
	open_saved();
	expect_broken("interface 0, where 0 are described");

	begin_pcapng(false);
	put_interface(101, 9);
	put_packet(0xffffffff, 2, ipv4_syn, 40);
	open_saved();
	expect_broken("interface 4294967295");
}

TEST(test_sections_refused)
{
	static const uint16_t versions[][2] = {{0, 0}, {1, 1}, {1, 3}, {2, 0}, {256, 0}};

	for (size_t i = 0; i < COUNT(versions); i++) {
		file.len = 0;
		put_section(false, versions[i][0], versions[i][1]);
		save();
		expect_error(open_path(path), -EBADMSG, path, "of the pcapng format is unknown");
		begin_pcapng(false);
		put_section(false, versions[i][0], versions[i][1]);
		open_saved();
		expect_broken("of the pcapng format is unknown");
	}
	begin_pcapng(false);
	put_section(false, 1, 0);
	patch32(28 + 8, 0x1a2b3c4e);
	open_saved();
	expect_broken("without a byte order");
	begin_pcapng(false);
	patch32(4, 24);
	patch32(20, 24);
	save();
	expect_error(open_path(path), -EBADMSG, path,
		     "no readable capture (pcap or pcapng): broken: a section's header");
}

/* Names are the file's: nothing is made of their bytes, but they have an end. */
TEST(test_interface_names)
{
	static char longest[1000];

	memset(longest, 'n', sizeof(longest));
	begin_pcapng(false);
	put_named_interface(101, "\033[31m\n\xff", 7);
	put_named_interface(101, longest, sizeof(longest));
	put_named_interface(101, "a\0b", 3);
	put_named_interface(101, "", 0);
	put_packet(3, 1, ipv4_syn, 40);
	open_saved();
	expect_next_is_the_syn(4, 3, 1000);
	assert_string_equal(pcap_file_interface_name(source, 0), "\033[31m\n\xff");
	expect_int(strlen(pcap_file_interface_name(source, 1)), 255);
	assert_string_equal(pcap_file_interface_name(source, 2), "a");
	assert_string_equal(pcap_file_interface_name(source, 3), "");
	close_at_end();
}

TEST(test_interface_options)
{
	begin_pcapng(false);
	begin_interface(101, 0);
	put_option(3, "described at some length", 24);
	put_option(0x8000, "unknown", 7);
	put_option(9, "\x09", 1);
	put_option(0, "", 0);
	put_option(9, "\xff", 1); /* behind the end of the options */
	end_block();
	put_packet(0, 1, ipv4_syn, 40);
	open_saved();
	expect_next_is_the_syn(4, 0, 1);
	close_at_end();
}

TEST(test_interface_options_refused)
{
	static const struct {
		unsigned code, len; /* len: what the option says */
		const char *about;
	} rows[] = {
		{2, 0xffff, "option is too short"},
		{2, 5, "option is too short"},
		{9, 0, "resolution"},
		{9, 2, "resolution"},
		{14, 4, "offset"},
		{14, 5, "option is too short"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		begin_pcapng(false);
		begin_interface(101, 0);
		put16(rows[i].code);
		put16(rows[i].len);
		put32(6);
		end_block();
		open_saved();
		expect_broken(rows[i].about);
	}
	begin_pcapng(false);
	begin_block(INTERFACE);
	put32(101);
	end_block();
	open_saved();
	expect_broken("interface's block is too short");
}

TEST(test_most_interfaces)
{
	begin_pcapng(false);
	for (int i = 0; i < 65536; i++) {
		begin_interface(i & 1 ? 101 : 113, 0);
		end_block();
	}
	put_packet(65535, 1, ipv4_syn, 40);
	begin_interface(101, 0);
	end_block();
	open_saved();
	expect_next_is_the_syn(4, 65535, 1000);
	expect_broken("more than 65536 interfaces");
}

/* ---- link types that are not read ---- */

TEST(test_unread_among_others)
{
	struct tcp_segment s;
	char text[256];

	begin_pcapng(false);
	put_interface(105, 9);
	put_interface(101, 9);
	put_packet(0, 1, ipv4_syn, 40);
	put_packet(1, 2, ipv4_syn, 40);
	put_packet(0, 3, ipv4_syn, 40);
	open_saved();
	expect_int(pcap_file_unread(source, text, sizeof(text)), 0);
	read_packet();
	expect_verdict(parse(&s), PACKET_NOT_IP);
	expect_int(packet.interface, 0);
	expect_next_is_the_syn(4, 1, 2);
	read_packet();
	expect_verdict(parse(&s), PACKET_NOT_IP);
	expect_int(next(), 0);
	expect_int(pcap_file_unread(source, text, sizeof(text)), 2);
	assert_string_equal(text, "2 packets were not looked at: link type 105 (IEEE802_11, 802.11) is not supported");
	pcap_file_close(source);
}

/* Each link type is named with its number of packets; what has no room of its own is counted. */
TEST(test_unread_kinds)
{
	char text[4096];

	begin_pcapng(false);
	put_interface(101, 9);
	for (unsigned i = 0; i < PCAPNG_UNREAD_LINKS + 2; i++)
		put_interface(147 + i % 15 + (i >= 15 ? 100 + i : 0), 9);
	put_packet(1, 1, ipv4_syn, 40);
	put_packet(2, 2, ipv4_syn, 40);
	put_packet(1, 3, ipv4_syn, 40);
	open_saved();
	while (next() == 1)
		;
	expect_int(pcap_file_unread(source, text, sizeof(text)), 3);
	assert_string_equal(text, "3 packets were not looked at: 2 of link type 147 (no name, unknown), "
				  "1 of link type 148 (no name, unknown); these are not supported");
	pcap_file_close(source);
}

TEST(test_unread_many_kinds)
{
	char text[4096];

	begin_pcapng(false);
	put_interface(101, 9);
	for (unsigned i = 0; i < PCAPNG_UNREAD_LINKS + 2; i++) {
		put_interface(300 + i, 9);
		put_packet(1 + i, i, ipv4_syn, 40);
	}
	open_saved();
	while (next() == 1)
		;
	expect_int(pcap_file_unread(source, text, sizeof(text)), PCAPNG_UNREAD_LINKS + 2);
	assert_non_null(strstr(text, "1 of link type 315"));
	assert_non_null(strstr(text, ", 2 of others; these are not supported"));
	expect_int(pcap_file_unread(source, text, 60), PCAPNG_UNREAD_LINKS + 2); /* cut, not overrun */
	expect_int(strlen(text), 59);
	pcap_file_close(source);
}

TEST(test_unread_only)
{
	for (int packets = 0; packets < 2; packets++) {
		begin_pcapng(false);
		put_interface(105, 9);
		put_interface(147, 9);
		if (packets)
			put_packet(0, 1, ipv4_syn, 40);
		open_saved();
		expect_error(next(), -EPROTONOSUPPORT, path, "link type 105 (IEEE802_11, 802.11) is not supported");
		pcap_file_close(source);
	}
}

TEST(test_no_interfaces)
{
	begin_pcapng(false);
	open_saved();
	close_at_end();
}

/* ---- broken blocks ---- */

TEST(test_block_lengths)
{
	static const struct {
		uint32_t length;
		const char *about;
	} rows[] = {
		{0, "length is 0, less than 12"},
		{1, "less than 12"},
		{8, "less than 12"},
		{11, "less than 12"},
		{73, "no multiple of 4"},
		{0x7fffffff, "no multiple of 4"},
		{0xffffffff, "no multiple of 4"},
		{0x80000000, "length is 2147483648, bigger than 16777216"},
		{0xfffffffc, "bigger than"},
		{16777220, "bigger than"},
		{16777216, "truncated"},
		{76, "truncated"},
		{68, "length is 68, and "},
		{12, "length is 12, and "},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		begin_pcapng(i & 1);
		put_interface(101, 9);
		put_packet(0, 1, ipv4_syn, 40);
		put_packet(0, 2, ipv4_syn, 40);
		patch32(block_start + 4, rows[i].length);
		open_saved();
		expect_next_is_the_syn(4, 0, 1);
		expect_broken(rows[i].about);
	}
}

TEST(test_trailing_lengths)
{
	static const uint32_t lengths[] = {0, 12, 68, 71, 73, 76, 0x80000000, 0xffffffff};

	for (size_t i = 0; i < COUNT(lengths); i++) {
		begin_pcapng(i & 1);
		put_interface(101, 9);
		put_packet(0, 1, ipv4_syn, 40);
		put_packet(0, 2, ipv4_syn, 40);
		patch32(file.len - 4, lengths[i]);
		put_packet(0, 3, ipv4_syn, 40);
		open_saved();
		expect_next_is_the_syn(4, 0, 1);
		expect_broken("at its end");
	}
}

/* A captured length that the block does not hold, in each kind of packet block. */
TEST(test_captured_lengths)
{
	static const uint32_t types[] = {ENHANCED, OLD_PACKET, SIMPLE}, lengths[] = {41, 0x80000000, 0xffffffff};

	for (size_t i = 0; i < COUNT(types) * COUNT(lengths); i++) {
		uint32_t type = types[i % COUNT(types)], length = lengths[i / COUNT(types)];

		begin_pcapng(i & 1);
		put_interface(101, 9);
		if (type == SIMPLE) {
			put_simple_packet(length, ipv4_syn, 40);
		} else {
			put_packet(0, 1, ipv4_syn, 40);
			patch32(block_start, type);
			patch32(block_start + 20, length);
			patch32(block_start + 24, 0xffffffff);
		}
		open_saved();
		expect_broken("packet's block is too short");
	}
}

TEST(test_short_packet_blocks)
{
	static const uint32_t types[] = {ENHANCED, OLD_PACKET, SIMPLE};

	for (size_t i = 0; i < COUNT(types); i++)
		for (size_t len = 0; len < (types[i] == SIMPLE ? 4 : 20); len += 4) {
			begin_pcapng(false);
			put_interface(101, 9);
			begin_block(types[i]);
			put(ipv6_syn + 8, len);
			end_block();
			open_saved();
			expect_broken("packet's block is too short");
		}
}

/* A block of 16 MiB, the largest, is passed over, and the packet behind it is read. */
TEST(test_largest_block)
{
	static const uint8_t body[16777216 - 12];

	begin_pcapng(false);
	put_interface(101, 9);
	begin_block(CUSTOM);
	put(body, sizeof(body));
	end_block();
	put_packet(0, 1, ipv4_syn, 40);
	open_saved();
	expect_next_is_the_syn(4, 0, 1);
	close_at_end();
}

/* The file ends after each of its bytes: what is whole is read, and the rest is an error. */
TEST(test_cut_files)
{
	size_t whole, ends[3];

	begin_pcapng(false);
	put_interface(101, 9);
	ends[0] = file.len;
	put_packet(0, 1, ipv4_syn, 40);
	ends[1] = file.len;
	put_packet(0, 1, ipv4_syn, 40);
	whole = ends[2] = file.len;
	for (size_t len = 1; len <= whole; len++) {
		file.len = len;
		save();
		if (len < 28) {
			expect_error(open_path(path), -EBADMSG, path, "no readable capture");
			continue;
		}
		expect_int(open_path(path), 0);
		for (unsigned i = 1; i < 3; i++)
			if (len >= ends[i])
				expect_next_is_the_syn(4, 0, 1);
		if (len == 28 || len == ends[0] || len == ends[1] || len == ends[2])
			close_at_end();
		else
			expect_broken("truncated");
	}
}

/* The reader's buffer is filled many times, and blocks lie across its end. */
TEST(test_long_file)
{
	static const uint8_t padding[50];

	begin_pcapng(true);
	put_interface(101, 9);
	for (uint32_t n = 0; n < 10000; n++) {
		begin_block(ENHANCED);
		put32(0);
		put32(0);
		put32(n);
		put32(40 + n % 50);
		put32(1540);
		put(ipv4_syn, 40);
		put(padding, n % 50);
		end_block();
	}
	open_saved();
	for (uint32_t n = 0; n < 10000; n++) {
		expect_next_is_the_syn(4, 0, n);
		expect_int(packet.bytes.end - packet.bytes.pos, 40 + n % 50);
	}
	close_at_end();
}

TEST(test_stdin)
{
	static const size_t pieces[] = {1, 5, 12, 4096};
	pid_t child;
	int saved;

	for (size_t i = 0; i < COUNT(pieces); i++) {
		begin_pcapng(i & 1);
		put_interface(101, 9);
		put_packet(0, 1, ipv4_syn, 40);
		put_section(!(i & 1), 1, 0);
		put_interface(101, 9);
		put_packet(0, 2, ipv6_syn, 60);
		saved = pipe_to_stdin(pieces[i], 0, &child);
		expect_int(open_path("-"), 0);
		expect_next_is_the_syn(4, 0, 1);
		expect_next_is_the_syn(6, 1, 2);
		close_at_end();
		restore_stdin(saved);
		waitpid(child, NULL, 0);
	}
}

int main(void)
{
	return run_unit_tests(set_up, tear_down);
}
