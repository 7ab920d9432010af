// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Capture files written byte by byte, so that what is read is checked against the format's text and not against a
 * library: each magic number and link type, cuts at every byte, and what is no capture.
 */
#define _GNU_SOURCE 1 /* posix_openpt */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/base/stop.h"
#include "user/capture/pcap_file.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char directory[] = "/tmp/tcpfin-pcap-XXXXXX";
static char path[64];   /* of the capture at hand */
static char error[512]; /* of the last call */

/* ---- writing ---- */

static struct {
	uint8_t data[1 << 20];
	size_t len;
	bool big; /* byte order of put16 to put64 */
} file;

static void put(const void *data, size_t len)
{
	assert_true(file.len + len <= sizeof(file.data));
	memcpy(file.data + file.len, data, len);
	file.len += len;
}

static void put_number(uint64_t n, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++) {
		uint8_t byte = (uint8_t)(n >> 8 * (file.big ? bytes - 1 - i : i));

		put(&byte, 1);
	}
}

static void put16(uint64_t n)
{
	put_number(n, 2);
}

static void put32(uint64_t n)
{
	put_number(n, 4);
}

#define MAGIC_US 0xa1b2c3d4
#define MAGIC_NS 0xa1b23c4d

static void begin_pcap(uint32_t magic, bool big, uint32_t link_type)
{
	file.len = 0;
	file.big = big;
	put32(magic);
	put16(2);
	put16(4);
	put32(0);
	put32(0);
	put32(65535);
	put32(link_type);
}

static void put_record_header(uint32_t sec, uint32_t fraction, uint32_t caplen, uint32_t len)
{
	put32(sec);
	put32(fraction);
	put32(caplen);
	put32(len);
}

static void put_record(const void *data, uint32_t len)
{
	put_record_header(1700000000, 123, len, len);
	put(data, len);
}

static void save(void)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(file.data, 1, file.len, f), file.len);
	assert_int_equal(fclose(f), 0);
}

/* 10.0.0.1:4660 -> 10.0.0.2:22, SYN; and the same in IPv6, where the link or the wire has padding behind it. */
static const uint8_t ipv4_syn[40] = {
	0x45, 0,    0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10,   0,    0,    1,    10, 0, 0, 2,
	0x12, 0x34, 0, 22, 0, 0, 0, 7, 0,  0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0,  0, 0, 0,
};
static const uint8_t ipv6_syn[60] = {
	0x60, 0, 0, 0, 0, 20, 6, 64, [8] = 0xfd, [23] = 1, [24] = 0xfd, [39] = 2, 0x12, 0x34, 0, 22,
	0,    0, 0, 7, 0, 0,  0, 0,  0x50,       0x02,     0xff,        0xff,     0,    0,    0, 0,
};

/* ---- reading ---- */

static struct pcap_file *source;
static struct captured_packet packet;

static int open_path(const char *name)
{
	int err;

	error[0] = '\0';
	err = pcap_file_open(&source, name, error, sizeof(error));
	if (err)
		return err;
	err = pcap_file_start(source, error, sizeof(error));
	if (err)
		pcap_file_close(source);
	return err;
}

static void open_saved(void)
{
	save();
	assert_int_equal(open_path(path), 0);
}

static int next(void)
{
	error[0] = '\0';
	return pcap_file_next(source, &packet, error, sizeof(error));
}

static void close_at_end(void)
{
	assert_int_equal(next(), 0);
	pcap_file_close(source);
}

/* An error is one line about that file. */
static void assert_error(int got, int expected, const char *name, const char *about)
{
	assert_int_equal(got, expected);
	assert_int_equal(strncmp(error, name, strlen(name)), 0);
	assert_int_equal(strncmp(error + strlen(name), ": ", 2), 0);
	assert_null(strchr(error, '\n'));
	if (!strstr(error, about))
		fail_msg("\"%s\" does not say \"%s\"", error, about);
}

static enum packet_verdict parse(struct tcp_segment *s)
{
	struct cursor c = packet.bytes;

	return packet_parse(s, &c, &packet.meta);
}

static void assert_is_the_syn(uint8_t family)
{
	struct tcp_segment s;

	assert_int_equal(parse(&s), PACKET_TCP);
	assert_int_equal(s.family, family);
	assert_int_equal(s.sport, 0x1234);
	assert_int_equal(s.dport, 22);
	assert_int_equal(s.seq, 7);
	assert_int_equal(s.flags, TCP_SYN);
	assert_int_equal(s.len, 0);
}

/* ---- pcap ---- */

static void test_magic_numbers(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		bool ns = i & 1;

		begin_pcap(ns ? MAGIC_NS : MAGIC_US, i & 2, 101);
		put_record_header(1700000000, 123456, 40, 40);
		put(ipv4_syn, 40);
		put_record_header(1700000001, ns ? 999999999 : 999999, 40, 1540);
		put(ipv4_syn, 40);
		open_saved();
		assert_int_equal(next(), 1);
		assert_int_equal(packet.time, 1700000000000000000 + (ns ? 123456 : 123456000));
		assert_int_equal(packet.meta.wire_len, 40);
		assert_memory_equal(packet.bytes.pos, ipv4_syn, 40);
		assert_is_the_syn(4);
		assert_int_equal(next(), 1);
		assert_int_equal(packet.time, 1700000001000000000 + (ns ? 999999999 : 999999000));
		assert_int_equal(packet.meta.wire_len, 1540);
		assert_int_equal(packet.bytes.end - packet.bytes.pos, 40);
		close_at_end();
	}
}

/* Seconds are unsigned; what no clock shows must not become another time far off. */
static void test_times(void **state)
{
	static const struct {
		uint32_t sec, usec;
		uint64_t time;
	} times[] = {
		{0, 0, 0},
		{0x7fffffff, 1, 2147483647000001000},
		{0x80000000, 0, 2147483648000000000},
		{4102444800, 5, 4102444800000005000}, /* year 2100 */
		{0xffffffff, 999999, 4294967295999999000},
		{1700000000, 1000000, 1700000000999999999},
		{1700000000, 4000000000, 1700000000999999999},
		{1700000000, 0xffffffff, 1700000000999999999},
	};

	(void)state;
	for (int big = 0; big < 2; big++) {
		begin_pcap(MAGIC_US, big, 101);
		for (size_t i = 0; i < COUNT(times); i++) {
			put_record_header(times[i].sec, times[i].usec, 40, 40);
			put(ipv4_syn, 40);
		}
		open_saved();
		for (size_t i = 0; i < COUNT(times); i++) {
			assert_int_equal(next(), 1);
			assert_int_equal(packet.time, times[i].time);
		}
		close_at_end();
	}
}

static const struct link_case {
	uint32_t link_type;
	uint8_t header[20];
	uint32_t header_len;
	uint32_t taken; /* bytes of it that the core must not see */
	uint8_t family;
	uint32_t ifindex;
} link_cases[] = {
	{1, {[12] = 0x08, 0x00}, 14, 0, 4, 0}, /* EN10MB */
	{1, {[12] = 0x86, 0xdd}, 14, 0, 6, 0},
	{1, {[12] = 0x81, 0x00, 0, 100, 0x08, 0x00}, 18, 0, 4, 0}, /* ... with a VLAN tag */
	{12, {0}, 0, 0, 4, 0},                                     /* RAW, its three numbers */
	{14, {0}, 0, 0, 6, 0},
	{101, {0}, 0, 0, 4, 0},
	{101, {0}, 0, 0, 6, 0},
	{228, {0}, 0, 0, 4, 0},                   /* IPV4 */
	{229, {0}, 0, 0, 6, 0},                   /* IPV6 */
	{113, {[14] = 0x08, 0x00}, 16, 16, 4, 0}, /* LINUX_SLL */
	{113, {[14] = 0x86, 0xdd}, 16, 16, 6, 0},
	{113, {[14] = 0x81, 0x00, 0, 100, 0x08, 0x00}, 20, 16, 4, 0},      /* ... with a VLAN tag behind it */
	{276, {[0] = 0x08, 0x00, 0, 0, 0, 0, 0x01, 0x02}, 20, 20, 4, 258}, /* LINUX_SLL2 */
	{276, {[0] = 0x86, 0xdd, 0, 0, 0, 0, 0, 3}, 20, 20, 6, 3},
	{0, {0, 0, 0, 2}, 4, 4, 4, 0}, /* NULL, of either byte order */
	{0, {2, 0, 0, 0}, 4, 4, 4, 0},
	{0, {0, 0, 0, 24}, 4, 4, 6, 0},
	{0, {24, 0, 0, 0}, 4, 4, 6, 0},
	{0, {28, 0, 0, 0}, 4, 4, 6, 0},
	{0, {30, 0, 0, 0}, 4, 4, 6, 0},
	{0, {23, 0, 0, 0}, 4, 4, 6, 0},
	{0, {0, 0, 0, 10}, 4, 4, 6, 0},
	{0, {10, 0, 0, 0}, 4, 4, 6, 0},
	{108, {0, 0, 0, 2}, 4, 4, 4, 0}, /* LOOP */
	{108, {0, 0, 0, 24}, 4, 4, 6, 0},
	{108, {0, 0, 0, 28}, 4, 4, 6, 0},
	{108, {0, 0, 0, 30}, 4, 4, 6, 0},
};

static uint32_t frame_of(const struct link_case *c, uint8_t frame[128])
{
	const uint8_t *ip = c->family == 4 ? ipv4_syn : ipv6_syn;
	uint32_t ip_len = c->family == 4 ? sizeof(ipv4_syn) : sizeof(ipv6_syn);

	memset(frame, 0, 128);
	memcpy(frame, c->header, c->header_len);
	memcpy(frame + c->header_len, ip, ip_len);
	return c->header_len + ip_len;
}

static void test_link_types(void **state)
{
	uint8_t frame[128];

	(void)state;
	for (size_t i = 0; i < COUNT(link_cases); i++) {
		const struct link_case *c = &link_cases[i];
		uint32_t len = frame_of(c, frame), left;

		begin_pcap(MAGIC_US, i & 1, c->link_type);
		put_record(frame, len + 6); /* padded */
		put_record_header(1, 0, len, len + 1000);
		put(frame, len);
		open_saved();
		assert_int_equal(next(), 1);
		assert_is_the_syn(c->family);
		assert_int_equal(packet.ifindex, c->ifindex);
		assert_int_equal(packet.meta.vlan_present, 0);
		assert_int_equal(packet.meta.gso, 0);
		left = (uint32_t)(packet.bytes.end - packet.bytes.pos);
		assert_int_equal(packet.meta.wire_len, left);
		assert_int_equal(left, len + 6 - c->taken);
		assert_int_equal(next(), 1);
		assert_is_the_syn(c->family);
		assert_int_equal(packet.meta.wire_len, left - 6 + 1000);
		close_at_end();
	}
}

static void test_not_ip(void **state)
{
	static const struct link_case cases[] = {
		{1, {[12] = 0x08, 0x06}, 14, 0, 4, 0},  {113, {[14] = 0x08, 0x06}, 16, 0, 4, 0},
		{276, {[0] = 0x00, 0x04}, 20, 0, 4, 0}, {0, {0, 0, 0, 7}, 4, 0, 4, 0},
		{0, {7, 0, 0, 0}, 4, 0, 4, 0},          {0, {0, 2, 2, 0}, 4, 0, 4, 0},
		{108, {0, 0, 0, 1}, 4, 0, 4, 0},        {0, {0, 0, 0, 30}, 4, 0, 4, 0}, /* says IPv6, is IPv4 */
	};
	uint8_t frame[128];
	struct tcp_segment s;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		begin_pcap(MAGIC_US, false, cases[i].link_type);
		put_record(frame, frame_of(&cases[i], frame));
		open_saved();
		assert_int_equal(next(), 1);
		assert_int_equal(parse(&s), PACKET_NOT_IP);
		close_at_end();
	}
}

/* Frames cut at each byte, by the snap length or on the wire: always truncated, never read past the end. */
static void test_cut_frames(void **state)
{
	uint8_t frame[128];
	struct tcp_segment s;

	(void)state;
	for (size_t i = 0; i < COUNT(link_cases); i++) {
		uint32_t len = frame_of(&link_cases[i], frame);

		for (uint32_t cut = 0; cut < len; cut++) {
			begin_pcap(MAGIC_US, false, link_cases[i].link_type);
			put_record_header(1, 0, cut, len);
			put(frame, cut);
			put_record(frame, cut);
			put_record(frame, len);
			open_saved();
			assert_int_equal(next(), 1);
			assert_int_equal(parse(&s), PACKET_TRUNCATED);
			assert_int_equal(next(), 1);
			assert_true(packet.bytes.pos <= packet.bytes.end);
			assert_int_not_equal(parse(&s), PACKET_TCP);
			assert_int_equal(packet.meta.wire_len, packet.bytes.end - packet.bytes.pos);
			assert_int_equal(next(), 1);
			assert_is_the_syn(link_cases[i].family);
			close_at_end();
		}
	}
}

static void test_captured_more_than_there_was(void **state)
{
	struct tcp_segment s;

	(void)state;
	begin_pcap(MAGIC_US, false, 101);
	put_record_header(1, 0, 40, 30);
	put(ipv4_syn, 40);
	put_record_header(1, 0, 40, 0);
	put(ipv4_syn, 40);
	open_saved();
	assert_int_equal(next(), 1);
	assert_int_equal(packet.bytes.end - packet.bytes.pos, 30);
	assert_int_equal(packet.meta.wire_len, 30);
	assert_int_not_equal(parse(&s), PACKET_TCP);
	assert_int_equal(next(), 1);
	assert_int_equal(packet.bytes.end - packet.bytes.pos, 0);
	close_at_end();
}

/* Packets lie across the end of what is read at once; each comes whole and in its place. */
static void test_long_files(void **state)
{
	static const uint8_t padding[50];

	(void)state;
	for (int i = 0; i < 4; i++) {
		begin_pcap(i & 1 ? MAGIC_NS : MAGIC_US, i & 2, 101);
		for (uint32_t n = 0; n < 10000; n++) {
			put_record_header(n, n, 40 + n % 50, 1540);
			put(ipv4_syn, 40);
			put(padding, n % 50);
		}
		open_saved();
		for (uint32_t n = 0; n < 10000; n++) {
			assert_int_equal(next(), 1);
			assert_int_equal(packet.time, n * 1000000000ULL + n * (i & 1 ? 1ULL : 1000ULL));
			assert_int_equal(packet.bytes.end - packet.bytes.pos, 40 + n % 50);
			assert_memory_equal(packet.bytes.pos, ipv4_syn, 40);
		}
		close_at_end();
	}
}

/* What the file's header says of all its packets does not make longer ones sane. */
static void test_longest_packets(void **state)
{
	static const uint8_t rest[262145 - 40];

	(void)state;
	begin_pcap(MAGIC_US, false, 101);
	file.len = 16;
	put32(0x7fffffff);
	file.len = 24;
	for (uint32_t len = 262127; len < 262146; len += 9) {
		put_record_header(1, 0, len, len);
		put(ipv4_syn, 40);
		put(rest, len - 40);
	}
	open_saved();
	assert_int_equal(next(), 1);
	assert_int_equal(packet.bytes.end - packet.bytes.pos, 262127);
	assert_int_equal(next(), 1);
	assert_int_equal(packet.bytes.end - packet.bytes.pos, 262136);
	assert_error(next(), -EBADMSG, path, "262145, bigger than");
	pcap_file_close(source);
}

/* A packet longer than the file's header says any is: its rest is passed over. */
static void test_longer_than_the_snap_length(void **state)
{
	(void)state;
	begin_pcap(MAGIC_US, false, 101);
	file.len = 16;
	put32(50);
	file.len = 24;
	put_record(ipv6_syn, 60);
	put_record(ipv4_syn, 40);
	open_saved();
	assert_int_equal(next(), 1);
	assert_int_equal(packet.bytes.end - packet.bytes.pos, 50);
	assert_int_equal(packet.meta.wire_len, 60);
	assert_int_equal(next(), 1);
	assert_is_the_syn(4);
	close_at_end();
}

/* Other forms than the common one: version 2.3 had lengths in either order, Kuznetsov's has longer packet headers. */
static void test_old_forms(void **state)
{
	(void)state;
	begin_pcap(MAGIC_US, false, 101);
	file.data[6] = 3;
	put_record_header(1, 0, 60, 40);
	put(ipv4_syn, 40);
	put_record(ipv6_syn, 60);
	open_saved();
	assert_int_equal(next(), 1);
	assert_is_the_syn(4);
	assert_int_equal(packet.meta.wire_len, 60);
	assert_int_equal(next(), 1);
	assert_is_the_syn(6);
	close_at_end();

	begin_pcap(0xa1b2cd34, false, 101);
	put_record_header(1, 0, 40, 40);
	put32(2);
	put32(0);
	put(ipv4_syn, 40);
	open_saved();
	assert_int_equal(next(), 1);
	assert_is_the_syn(4);
	close_at_end();
}

/* ---- broken files ---- */

/* A file of two packets that ends after each number of bytes. */
static void test_cut_files(void **state)
{
	size_t whole;

	(void)state;
	begin_pcap(MAGIC_NS, false, 101);
	put_record(ipv4_syn, 40);
	put_record(ipv4_syn, 40);
	whole = file.len;
	for (size_t len = 1; len <= whole; len++) {
		unsigned packets = len < 24 + 56 ? 0 : len < 24 + 112 ? 1 : 2;

		file.len = len;
		save();
		if (len < 24) {
			assert_error(open_path(path), -EBADMSG, path, "no readable capture");
			continue;
		}
		assert_int_equal(open_path(path), 0);
		for (unsigned i = 0; i < packets; i++) {
			assert_int_equal(next(), 1);
			assert_is_the_syn(4);
		}
		if (len == 24 + 56 * packets)
			assert_int_equal(next(), 0);
		else
			assert_error(next(), -EBADMSG, path, "truncated");
		pcap_file_close(source);
	}
}

static void test_absurd_packet_length(void **state)
{
	static const uint32_t lengths[] = {0x7fffffff, 0x80000000, 0xffffffff, 300000};

	(void)state;
	for (size_t i = 0; i < COUNT(lengths); i++) {
		begin_pcap(MAGIC_US, false, 101);
		put_record(ipv4_syn, 40);
		put_record_header(1, 0, lengths[i], lengths[i]);
		put(ipv4_syn, 40);
		open_saved();
		assert_int_equal(next(), 1);
		assert_error(next(), -EBADMSG, path, "");
		assert_true(strlen(error) > strlen(path) + 10);
		pcap_file_close(source);
	}
}

static void test_no_captures(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *about;
	} cases[] = {
		{"", 0, "is empty"},
		{"h", 1, "no readable capture"},
		{"hello, world, this is a text\n", 29, "no readable capture"},
		{"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 25, "no readable capture"},
		{"\xd4\xc3\xb2\xa1", 4, "no readable capture"},
		{"\x0a\x0d\x0d\x0a", 4, "no readable capture"},
		{"\x1f\x8b\x08\x00\x00\x00", 6, "is compressed with gzip; unpack it: zcat FILE | tcpfin-trace -r -"},
		{"\x1f\x8b", 2, "zcat FILE | tcpfin-trace -r -"},
		{"\xfd"
		 "7zXZ\0",
		 6, "xzcat FILE | tcpfin-trace -r -"},
		{"\x28\xb5\x2f\xfd\x04", 5, "zstdcat FILE | tcpfin-trace -r -"},
		{"BZh91AY", 7, "bzcat FILE | tcpfin-trace -r -"},
		{"\x04\x22\x4d\x18", 4, "lz4cat FILE | tcpfin-trace -r -"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		file.len = 0;
		put(cases[i].bytes, cases[i].len);
		save();
		assert_error(open_path(path), -EBADMSG, path, cases[i].about);
	}
}

static void test_unknown_link_types(void **state)
{
	(void)state;
	begin_pcap(MAGIC_US, false, 105);
	save();
	assert_error(open_path(path), -EPROTONOSUPPORT, path, "link type 105 (IEEE802_11, 802.11)");
	begin_pcap(MAGIC_US, true, 9999);
	save();
	assert_error(open_path(path), -EPROTONOSUPPORT, path, "link type 9999");
}

static void test_bad_paths(void **state)
{
	uid_t user = geteuid();

	(void)state;
	assert_error(open_path("/nonexistent/x.pcap"), -ENOENT, "/nonexistent/x.pcap", "No such file");
	assert_error(open_path(directory), -EISDIR, directory, "is a directory");
	assert_error(open_path("/dev/zero"), -EBADMSG, "/dev/zero", "no readable capture");
	assert_error(open_path("/proc/self/mem"), -EIO, "/proc/self/mem", "error");
	begin_pcap(MAGIC_US, false, 101);
	save();
	assert_int_equal(chmod(path, 0), 0);
	assert_true(user || !seteuid(65534)); /* root may read all */
	assert_error(open_path(path), -EACCES, path, "Permission denied");
	assert_int_equal(seteuid(user), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

/* ---- pipes ---- */

/* A child that writes the file to fd in pieces of `piece` bytes and then waits `stall` seconds before it closes. */
static pid_t write_in_pieces(int fd, size_t piece, unsigned stall)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child)
		return child;
	for (size_t at = 0; at < file.len; at += piece) {
		size_t len = file.len - at < piece ? file.len - at : piece;

		if (write(fd, file.data + at, len) != (ssize_t)len)
			_exit(1);
		usleep(100);
	}
	sleep(stall);
	_exit(0);
}

/* Puts fd in the place of stdin. Returns the old one. */
static int replace_stdin(int fd)
{
	int saved = dup(STDIN_FILENO);

	assert_true(saved >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
	close(fd);
	return saved;
}

static void restore_stdin(int saved)
{
	dup2(saved, STDIN_FILENO);
	close(saved);
}

/* The file, through a pipe to stdin. Returns the old stdin. */
static int pipe_to_stdin(size_t piece, unsigned stall, pid_t *child)
{
	int ends[2], saved;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	*child = write_in_pieces(ends[1], piece, stall);
	close(ends[1]);
	saved = replace_stdin(ends[0]);
	return saved;
}

static void test_stdin(void **state)
{
	static const size_t pieces[] = {1, 3, 24, 4096};
	pid_t child;

	(void)state;
	for (size_t i = 0; i < COUNT(pieces); i++) {
		int saved;

		begin_pcap(MAGIC_US, false, 101);
		put_record(ipv4_syn, 40);
		put_record(ipv6_syn, 60);
		saved = pipe_to_stdin(pieces[i], 0, &child);
		assert_int_equal(open_path("-"), 0);
		assert_int_equal(next(), 1);
		assert_is_the_syn(4);
		assert_int_equal(next(), 1);
		assert_is_the_syn(6);
		close_at_end();
		assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0); /* stdin is not ours to close */
		restore_stdin(saved);
		waitpid(child, NULL, 0);
	}
}

static void test_stdin_refused(void **state)
{
	pid_t child;
	int saved, pty = posix_openpt(O_RDWR | O_NOCTTY);

	(void)state;
	file.len = 0;
	put("\x1f\x8b\x08\x00", 4);
	saved = pipe_to_stdin(1, 0, &child);
	assert_error(open_path("-"), -EBADMSG, "standard input", "zcat FILE | tcpfin-trace -r -");
	restore_stdin(saved);
	waitpid(child, NULL, 0);

	assert_true(pty >= 0 && !grantpt(pty) && !unlockpt(pty));
	saved = replace_stdin(open(ptsname(pty), O_RDWR | O_NOCTTY));
	assert_error(open_path("-"), -ENOTTY, "standard input", "is a terminal");
	restore_stdin(saved);
	close(pty);

	saved = replace_stdin(open("/dev/null", O_RDONLY));
	assert_error(open_path("-"), -EBADMSG, "standard input", "is empty");
	restore_stdin(saved);
}

static void test_fifo(void **state)
{
	pid_t child;
	int fd;

	(void)state;
	begin_pcap(MAGIC_US, false, 101);
	put_record(ipv4_syn, 40);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	child = write_in_pieces(fd, 7, 0);
	assert_int_equal(open_path(path), 0);
	close(fd);
	assert_int_equal(next(), 1);
	assert_is_the_syn(4);
	close_at_end();
	waitpid(child, NULL, 0);
	unlink(path);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms = alarms + 1;
	if (alarms == 2)
		stop_ask();
}

/* Of two signals during the wait for a silent pipe, the first asks for nothing, and the second one to stop: that ends it. */
static void test_interrupted(void **state)
{
	struct itimerval soon = {.it_value = {.tv_usec = 100000}, .it_interval = {.tv_usec = 100000}}, never = {0};
	struct sigaction act = {.sa_handler = on_alarm}, old;
	pid_t child;
	int saved;

	(void)state;
	begin_pcap(MAGIC_US, false, 101);
	put_record(ipv4_syn, 40);
	saved = pipe_to_stdin(4096, 60, &child);
	assert_int_equal(open_path("-"), 0);
	assert_int_equal(next(), 1);
	assert_int_equal(sigaction(SIGALRM, &act, &old), 0);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_error(next(), -EINTR, "standard input", "Interrupted");
	assert_int_equal(alarms, 2);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	pcap_file_close(source);
	restore_stdin(saved);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* ---- pcapng ---- */

static void begin_pcapng(bool big)
{
	file.len = 0;
	file.big = big;
	put32(0x0a0d0d0a); /* section header block */
	put32(28);
	put32(0x1a2b3c4d);
	put16(1);
	put16(0);
	put32(0xffffffff); /* section length unknown */
	put32(0xffffffff);
	put32(28);
}

static void put_interface(uint16_t link_type, uint8_t tsresol)
{
	uint8_t option[4] = {tsresol};

	put32(1); /* interface description block */
	put32(32);
	put16(link_type);
	put16(0);
	put32(0);
	put16(9); /* if_tsresol */
	put16(1);
	put(option, 4);
	put16(0);
	put16(0);
	put32(32);
}

static void put_packet_block(uint32_t interface, uint64_t time, const void *data, uint32_t len)
{
	put32(6); /* enhanced packet block */
	put32(32 + len);
	put32(interface);
	put32(time >> 32);
	put32(time);
	put32(len);
	put32(len);
	put(data, len); /* a multiple of four here */
	put32(32 + len);
}

static void test_pcapng(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++) {
		begin_pcapng(big);
		put_interface(101, 9);
		put_packet_block(0, 1700000000123456789, ipv4_syn, 40);
		put_packet_block(0, 4102444800000000001, ipv6_syn, 60);
		open_saved();
		assert_int_equal(next(), 1);
		assert_int_equal(packet.time, 1700000000123456789);
		assert_is_the_syn(4);
		assert_int_equal(next(), 1);
		assert_int_equal(packet.time, 4102444800000000001);
		assert_is_the_syn(6);
		close_at_end();
	}
}

/* With whole seconds, a 64-bit time stamp goes far beyond 64-bit nanoseconds: held at the last full second. */
static void test_pcapng_far_future(void **state)
{
	static const uint64_t seconds[] = {18446744073, 1ULL << 40, 1ULL << 62, ~0ULL};

	(void)state;
	begin_pcapng(false);
	put_interface(101, 0);
	put_packet_block(0, 18446744071, ipv4_syn, 40);
	for (size_t i = 0; i < COUNT(seconds); i++)
		put_packet_block(0, seconds[i], ipv4_syn, 40);
	open_saved();
	assert_int_equal(next(), 1);
	assert_int_equal(packet.time, 18446744071000000000ULL);
	for (size_t i = 0; i < COUNT(seconds); i++) {
		assert_int_equal(next(), 1);
		assert_int_equal(packet.time % 1000000000, 0);
		assert_int_equal(packet.time, seconds[i] == ~0ULL ? 0 : 18446744072000000000ULL); /* -1: before 1970 */
	}
	close_at_end();
}

static void test_pcapng_mixed_link_types(void **state)
{
	(void)state;
	begin_pcapng(false);
	put_interface(101, 6);
	put_packet_block(0, 1, ipv4_syn, 40);
	put_interface(113, 6);
	put_packet_block(1, 2, ipv4_syn, 40);
	open_saved();
	assert_int_equal(next(), 1);
	assert_error(next(), -EBADMSG, path, "type 113 different from the type of the first interface");
	pcap_file_close(source);
}

/* ---- */

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/x.pcap", directory);
	return chmod(directory, 0755);
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_magic_numbers),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_link_types),
		cmocka_unit_test(test_not_ip),
		cmocka_unit_test(test_cut_frames),
		cmocka_unit_test(test_captured_more_than_there_was),
		cmocka_unit_test(test_long_files),
		cmocka_unit_test(test_longest_packets),
		cmocka_unit_test(test_longer_than_the_snap_length),
		cmocka_unit_test(test_old_forms),
		cmocka_unit_test(test_cut_files),
		cmocka_unit_test(test_absurd_packet_length),
		cmocka_unit_test(test_no_captures),
		cmocka_unit_test(test_unknown_link_types),
		cmocka_unit_test(test_bad_paths),
		cmocka_unit_test(test_stdin),
		cmocka_unit_test(test_stdin_refused),
		cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_pcapng),
		cmocka_unit_test(test_pcapng_far_future),
		cmocka_unit_test(test_pcapng_mixed_link_types),
		cmocka_unit_test(test_interrupted), /* the last: after it, nothing is read any more */
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
