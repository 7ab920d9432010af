// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Capture files written byte by byte, so that the reader is checked against the formats' descriptions and not against a
 * library: each magic number and link type, files cut at every byte, and files that are no captures.
 */
#define _GNU_SOURCE 1 /* posix_openpt */
#include <sys/time.h>

#include "tests/unit/capture_bytes.h"
#include "user/base/stop.h"

/* ---- writing ---- */

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

/* Overwrites that field of a header without records. */
static void set_snap_length(uint32_t bytes)
{
	file.len -= 8;
	put32(bytes);
	file.len += 4;
}

/* Overwrites the major and minor version of a header without records. */
static void set_version(const uint16_t version[2])
{
	file.len = 4;
	put16(version[0]);
	put16(version[1]);
	file.len = 24;
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

/* ---- pcap ---- */

TEST(test_magic_numbers)
{
	for (int i = 0; i < 4; i++) {
		bool ns = i & 1;

		enter_row("%s, %s first", ns ? "nanoseconds" : "microseconds", i & 2 ? "highest byte" : "lowest byte");
		begin_pcap(ns ? MAGIC_NS : MAGIC_US, i & 2, 101);
		put_record_header(1700000000, 123456, 40, 40);
		put(ipv4_syn, 40);
		put_record_header(1700000001, ns ? 999999999 : 999999, 40, 1540);
		put(ipv4_syn, 40);
		open_saved();
		read_packet();
		expect_ns(packet.time, 1700000000000000000 + (ns ? 123456 : 123456000));
		expect_int(packet.meta.wire_len, 40);
		assert_memory_equal(packet.bytes.pos, ipv4_syn, 40);
		expect_the_syn(4);
		read_packet();
		expect_ns(packet.time, 1700000001000000000 + (ns ? 999999999 : 999999000));
		expect_int(packet.meta.wire_len, 1540);
		expect_int(packet.bytes.end - packet.bytes.pos, 40);
		close_at_end();
	}
}

/* Seconds are unsigned. Microseconds beyond the second are held at its end: they must not become a time far off. */
TEST(test_times)
{
	static const struct {
		const char *name;
		uint32_t sec, usec;
		uint64_t time;
	} times[] = {
		{"1970", 0, 0, 0},
		{"last second of 31 bits", 0x7fffffff, 1, 2147483647000001000},
		{"first second of 32 bits", 0x80000000, 0, 2147483648000000000},
		{"2100", 4102444800, 5, 4102444800000005000},
		{"last microsecond", 0xffffffff, 999999, 4294967295999999000},
		{"a million microseconds", 1700000000, 1000000, 1700000000999999999},
		{"4,000 million microseconds", 1700000000, 4000000000, 1700000000999999999},
		{"microseconds of 32 bits", 1700000000, 0xffffffff, 1700000000999999999},
	};

	for (int big = 0; big < 2; big++) {
		begin_pcap(MAGIC_US, big, 101);
		FOR_EACH_ROW(times, row) {
			put_record_header(row->sec, row->usec, 40, 40);
			put(ipv4_syn, 40);
		}
		open_saved();
		FOR_EACH_ROW(times, row) {
			read_packet();
			expect_ns(packet.time, row->time);
		}
		close_at_end();
	}
}

static const struct link_case {
	const char *name;
	uint32_t link_type;
	uint8_t header[20];
	uint32_t header_len;
	uint32_t taken; /* bytes of it that the core must not see */
	uint8_t family;
	uint32_t ifindex;
} link_cases[] = {
	{"EN10MB, IPv4", 1, {[12] = 0x08, 0x00}, 14, 0, 4, 0},
	{"EN10MB, IPv6", 1, {[12] = 0x86, 0xdd}, 14, 0, 6, 0},
	{"EN10MB, VLAN", 1, {[12] = 0x81, 0x00, 0, 100, 0x08, 0x00}, 18, 0, 4, 0},
	{"RAW as 12", 12, {0}, 0, 0, 4, 0},
	{"RAW as 14", 14, {0}, 0, 0, 6, 0},
	{"RAW, IPv4", 101, {0}, 0, 0, 4, 0},
	{"RAW, IPv6", 101, {0}, 0, 0, 6, 0},
	{"IPV4", 228, {0}, 0, 0, 4, 0},
	{"IPV6", 229, {0}, 0, 0, 6, 0},
	{"LINUX_SLL, IPv4", 113, {[14] = 0x08, 0x00}, 16, 16, 4, 0},
	{"LINUX_SLL, IPv6", 113, {[14] = 0x86, 0xdd}, 16, 16, 6, 0},
	{"LINUX_SLL, VLAN", 113, {[14] = 0x81, 0x00, 0, 100, 0x08, 0x00}, 20, 16, 4, 0},
	{"LINUX_SLL2, IPv4", 276, {[0] = 0x08, 0x00, 0, 0, 0, 0, 0x01, 0x02}, 20, 20, 4, 258},
	{"LINUX_SLL2, IPv6", 276, {[0] = 0x86, 0xdd, 0, 0, 0, 0, 0, 3}, 20, 20, 6, 3},
	{"NULL, IPv4, highest byte first", 0, {0, 0, 0, 2}, 4, 4, 4, 0},
	{"NULL, IPv4, lowest byte first", 0, {2, 0, 0, 0}, 4, 4, 4, 0},
	{"NULL, IPv6 as 24, highest byte first", 0, {0, 0, 0, 24}, 4, 4, 6, 0},
	{"NULL, IPv6 as 24", 0, {24, 0, 0, 0}, 4, 4, 6, 0},
	{"NULL, IPv6 as 28", 0, {28, 0, 0, 0}, 4, 4, 6, 0},
	{"NULL, IPv6 as 30", 0, {30, 0, 0, 0}, 4, 4, 6, 0},
	{"NULL, IPv6 as 23", 0, {23, 0, 0, 0}, 4, 4, 6, 0},
	{"NULL, IPv6 as 10, highest byte first", 0, {0, 0, 0, 10}, 4, 4, 6, 0},
	{"NULL, IPv6 as 10", 0, {10, 0, 0, 0}, 4, 4, 6, 0},
	{"LOOP, IPv4", 108, {0, 0, 0, 2}, 4, 4, 4, 0},
	{"LOOP, IPv6 as 24", 108, {0, 0, 0, 24}, 4, 4, 6, 0},
	{"LOOP, IPv6 as 28", 108, {0, 0, 0, 28}, 4, 4, 6, 0},
	{"LOOP, IPv6 as 30", 108, {0, 0, 0, 30}, 4, 4, 6, 0},
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

TEST(test_link_types)
{
	uint8_t frame[128];

	FOR_EACH_ROW(link_cases, row) {
		uint32_t len = frame_of(row, frame), left;

		begin_pcap(MAGIC_US, (row - link_cases) & 1, row->link_type);
		put_record(frame, len + 6); /* padded */
		put_record_header(1, 0, len, len + 1000);
		put(frame, len);
		open_saved();
		read_packet();
		expect_the_syn(row->family);
		expect_int(packet.ifindex, row->ifindex);
		expect_int(packet.meta.vlan_present, 0);
		expect_int(packet.meta.gso, 0);
		left = (uint32_t)(packet.bytes.end - packet.bytes.pos);
		expect_int(packet.meta.wire_len, left);
		expect_int(left, len + 6 - row->taken);
		read_packet();
		expect_the_syn(row->family);
		expect_int(packet.meta.wire_len, left - 6 + 1000);
		close_at_end();
	}
}

TEST(test_not_ip)
{
	static const struct link_case cases[] = {
		{"EN10MB, ARP", 1, {[12] = 0x08, 0x06}, 14, 0, 4, 0},
		{"LINUX_SLL, ARP", 113, {[14] = 0x08, 0x06}, 16, 0, 4, 0},
		{"LINUX_SLL2, 802.2", 276, {[0] = 0x00, 0x04}, 20, 0, 4, 0},
		{"NULL, 7, highest byte first", 0, {0, 0, 0, 7}, 4, 0, 4, 0},
		{"NULL, 7", 0, {7, 0, 0, 0}, 4, 0, 4, 0},
		{"NULL, two bytes set", 0, {0, 2, 2, 0}, 4, 0, 4, 0},
		{"LOOP, 1", 108, {0, 0, 0, 1}, 4, 0, 4, 0},
		{"NULL, IPv6 announced, IPv4 there", 0, {0, 0, 0, 30}, 4, 0, 4, 0},
	};
	uint8_t frame[128];
	struct tcp_segment s;

	FOR_EACH_ROW(cases, row) {
		begin_pcap(MAGIC_US, false, row->link_type);
		put_record(frame, frame_of(row, frame));
		open_saved();
		read_packet();
		expect_verdict(parse(&s), PACKET_NOT_IP);
		close_at_end();
	}
}

/* A frame cut at any byte, by the snap length or on the wire, gives no segment and is never read past its end. */
TEST(test_cut_frames)
{
	uint8_t frame[128];
	struct tcp_segment s;

	FOR_EACH_ROW(link_cases, row) {
		uint32_t len = frame_of(row, frame);

		for (uint32_t cut = 0; cut < len; cut++) {
			enter_row("%s, %u bytes", row->name, cut);
			begin_pcap(MAGIC_US, false, row->link_type);
			put_record_header(1, 0, cut, len);
			put(frame, cut);
			put_record(frame, cut);
			put_record(frame, len);
			open_saved();
			read_packet();
			expect_verdict(parse(&s), PACKET_TRUNCATED);
			read_packet();
			assert_true(packet.bytes.pos <= packet.bytes.end);
			assert_int_not_equal(parse(&s), PACKET_TCP);
			expect_int(packet.meta.wire_len, packet.bytes.end - packet.bytes.pos);
			read_packet();
			expect_the_syn(row->family);
			close_at_end();
		}
	}
}

TEST(test_captured_more_than_there_was)
{
	struct tcp_segment s;

	begin_pcap(MAGIC_US, false, 101);
	put_record_header(1, 0, 40, 30);
	put(ipv4_syn, 40);
	put_record_header(1, 0, 40, 0);
	put(ipv4_syn, 40);
	open_saved();
	read_packet();
	expect_int(packet.bytes.end - packet.bytes.pos, 30);
	expect_int(packet.meta.wire_len, 30);
	assert_int_not_equal(parse(&s), PACKET_TCP);
	read_packet();
	expect_int(packet.bytes.end - packet.bytes.pos, 0);
	close_at_end();
}

/* Packets lie across the end of the read buffer; each comes whole and in its order. */
TEST(test_long_files)
{
	static const uint8_t padding[50];

	for (int i = 0; i < 4; i++) {
		begin_pcap(i & 1 ? MAGIC_NS : MAGIC_US, i & 2, 101);
		for (uint32_t n = 0; n < 10000; n++) {
			put_record_header(n, n, 40 + n % 50, 1540);
			put(ipv4_syn, 40);
			put(padding, n % 50);
		}
		open_saved();
		for (uint32_t n = 0; n < 10000; n++) {
			read_packet();
			expect_ns(packet.time, n * 1000000000ULL + n * (i & 1 ? 1ULL : 1000ULL));
			expect_int(packet.bytes.end - packet.bytes.pos, 40 + n % 50);
			assert_memory_equal(packet.bytes.pos, ipv4_syn, 40);
		}
		close_at_end();
	}
}

/* A packet above the limit is an error, even where the file's header announces longer ones. */
TEST(test_longest_packets)
{
	static const uint8_t rest[262145 - 40];

	begin_pcap(MAGIC_US, false, 101);
	set_snap_length(0x7fffffff);
	for (uint32_t len = 262127; len < 262146; len += 9) {
		put_record_header(1, 0, len, len);
		put(ipv4_syn, 40);
		put(rest, len - 40);
	}
	open_saved();
	read_packet();
	expect_int(packet.bytes.end - packet.bytes.pos, 262127);
	read_packet();
	expect_int(packet.bytes.end - packet.bytes.pos, 262136);
	expect_error(next(), -EBADMSG, path, "262145, bigger than");
	pcap_file_close(source);
}

/* Of a packet longer than the file's snap length the rest is passed over. */
TEST(test_longer_than_the_snap_length)
{
	begin_pcap(MAGIC_US, false, 101);
	set_snap_length(50);
	put_record(ipv6_syn, 60);
	put_record(ipv4_syn, 40);
	open_saved();
	read_packet();
	expect_int(packet.bytes.end - packet.bytes.pos, 50);
	expect_int(packet.meta.wire_len, 60);
	read_packet();
	expect_the_syn(4);
	close_at_end();
}

/* Version 2.3 had the two lengths in either order; Kuznetsov's form has longer packet headers. */
TEST(test_old_forms)
{
	begin_pcap(MAGIC_US, false, 101);
	file.data[6] = 3;
	put_record_header(1, 0, 60, 40);
	put(ipv4_syn, 40);
	put_record(ipv6_syn, 60);
	open_saved();
	read_packet();
	expect_the_syn(4);
	expect_int(packet.meta.wire_len, 60);
	read_packet();
	expect_the_syn(6);
	close_at_end();

	begin_pcap(0xa1b2cd34, false, 101);
	put_record_header(1, 0, 40, 40);
	put32(2);
	put32(0);
	put(ipv4_syn, 40);
	open_saved();
	read_packet();
	expect_the_syn(4);
	close_at_end();
}

/* Before version 2.3, and in 543.0, a packet's length stands before its captured length. */
TEST(test_old_length_order)
{
	static const uint16_t versions[][2] = {{2, 0}, {2, 2}, {543, 0}};

	for (size_t i = 0; i < COUNT(versions); i++) {
		enter_row("version %u.%u", versions[i][0], versions[i][1]);
		begin_pcap(MAGIC_US, i & 1, 101);
		set_version(versions[i]);
		put_record_header(1, 0, 1540, 40);
		put(ipv4_syn, 40);
		open_saved();
		read_packet();
		expect_the_syn(4);
		expect_int(packet.meta.wire_len, 1540);
		close_at_end();
	}
}

TEST(test_unknown_versions)
{
	static const uint16_t versions[][2] = {{0, 0}, {1, 4}, {2, 5}, {3, 0}, {4, 2}, {543, 1}};

	for (size_t i = 0; i < COUNT(versions); i++) {
		enter_row("version %u.%u", versions[i][0], versions[i][1]);
		begin_pcap(MAGIC_US, i & 1, 101);
		set_version(versions[i]);
		save();
		expect_error(open_path(path), -EBADMSG, path, "of the pcap format is unknown");
	}
}

/* A snap length of 0, or beyond 31 bits, sets no limit. */
TEST(test_no_snap_length)
{
	static const uint32_t lengths[] = {0, 0x80000000, 0xffffffff};

	for (size_t i = 0; i < COUNT(lengths); i++) {
		enter_row("snap length %u", lengths[i]);
		begin_pcap(MAGIC_US, false, 101);
		set_snap_length(lengths[i]);
		put_record(ipv6_syn, 60);
		open_saved();
		read_packet();
		expect_the_syn(6);
		close_at_end();
	}
}

/* Kuznetsov's form does not count the Ethernet header in the snap length. */
TEST(test_old_snap_length)
{
	static const uint8_t frame[14 + 40] = {[12] = 0x08, 0x00};

	begin_pcap(0xa1b2cd34, true, 1);
	set_snap_length(40);
	put_record_header(1, 0, 54, 54);
	put32(2);
	put32(0);
	put(frame, 14);
	put(ipv4_syn, 40);
	open_saved();
	read_packet();
	expect_the_syn(4);
	close_at_end();
}

/* The upper bits of the link type are the length of a frame check sequence. */
TEST(test_frame_check_sequence)
{
	begin_pcap(MAGIC_US, false, 0x24000000 | 101);
	put_record(ipv4_syn, 40);
	open_saved();
	read_packet();
	expect_the_syn(4);
	close_at_end();
}

/* ---- broken files ---- */

/* A file of two packets that ends after each number of bytes. */
TEST(test_cut_files)
{
	size_t whole;

	begin_pcap(MAGIC_NS, false, 101);
	put_record(ipv4_syn, 40);
	put_record(ipv4_syn, 40);
	whole = file.len;
	for (size_t len = 1; len <= whole; len++) {
		unsigned packets = len < 24 + 56 ? 0 : len < 24 + 112 ? 1 : 2;

		enter_row("%zu bytes", len);
		file.len = len;
		save();
		if (len < 24) {
			expect_error(open_path(path), -EBADMSG, path, "no readable capture");
			continue;
		}
		expect_int(open_path(path), 0);
		for (unsigned i = 0; i < packets; i++) {
			read_packet();
			expect_the_syn(4);
		}
		if (len == 24 + 56 * packets)
			expect_int(next(), 0);
		else
			expect_error(next(), -EBADMSG, path, "truncated");
		pcap_file_close(source);
	}
}

TEST(test_absurd_packet_length)
{
	static const uint32_t lengths[] = {0x7fffffff, 0x80000000, 0xffffffff, 300000};

	for (size_t i = 0; i < COUNT(lengths); i++) {
		enter_row("%u bytes", lengths[i]);
		begin_pcap(MAGIC_US, false, 101);
		put_record(ipv4_syn, 40);
		put_record_header(1, 0, lengths[i], lengths[i]);
		put(ipv4_syn, 40);
		open_saved();
		read_packet();
		expect_error(next(), -EBADMSG, path, "");
		assert_true(strlen(error) > strlen(path) + 10);
		pcap_file_close(source);
	}
}

TEST(test_no_captures)
{
	static const struct {
		const char *name, *bytes;
		size_t len;
		const char *about;
	} cases[] = {
		{"empty", "", 0, "is empty"},
		{"one byte", "h", 1, "no readable capture"},
		{"text", "hello, world, this is a text\n", 29, "no readable capture"},
		{"zeros", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 25, "no readable capture"},
		{"pcap's magic number", "\xd4\xc3\xb2\xa1", 4, "no readable capture"},
		{"pcapng's magic number", "\x0a\x0d\x0d\x0a", 4, "no readable capture"},
		{"gzip's magic number", "\x1f\x8b", 2, "truncated: the file ends within its compressed data"},
		{"xz", "\xfd\x37zXZ\0", 6, "xzcat FILE | tcpfin-trace ... -"},
		{"zstd's magic number", "\x28\xb5\x2f\xfd", 4, "truncated: the file ends within its compressed data"},
		{"bzip2", "BZh91AY", 7, "bzcat FILE | tcpfin-trace ... -"},
		{"lz4", "\x04\x22\x4d\x18", 4, "lz4cat FILE | tcpfin-trace ... -"},
	};

	FOR_EACH_ROW(cases, row) {
		file.len = 0;
		put(row->bytes, row->len);
		save();
		expect_error(open_path(path), -EBADMSG, path, row->about);
	}
}

TEST(test_unknown_link_types)
{
	begin_pcap(MAGIC_US, false, 105);
	save();
	expect_error(open_path(path), -EPROTONOSUPPORT, path, "link type 105 (IEEE802_11, 802.11)");
	begin_pcap(MAGIC_US, true, 9999);
	save();
	expect_error(open_path(path), -EPROTONOSUPPORT, path, "link type 9999");
}

TEST(test_bad_paths)
{
	uid_t user = geteuid();

	expect_error(open_path("/nonexistent/x.pcap"), -ENOENT, "/nonexistent/x.pcap", "No such file");
	expect_error(open_path(directory), -EISDIR, directory, "is a directory");
	expect_error(open_path("/dev/zero"), -EBADMSG, "/dev/zero", "no readable capture");
	expect_error(open_path("/proc/self/mem"), -EIO, "/proc/self/mem", "error");
	begin_pcap(MAGIC_US, false, 101);
	save();
	expect_int(chmod(path, 0), 0);
	assert_true(user || !seteuid(65534)); /* root may read all */
	expect_error(open_path(path), -EACCES, path, "Permission denied");
	expect_int(seteuid(user), 0);
	expect_int(chmod(path, 0600), 0);
}

/* ---- pipes ---- */

TEST(test_stdin)
{
	static const size_t pieces[] = {1, 3, 24, 4096};
	pid_t child;

	for (size_t i = 0; i < COUNT(pieces); i++) {
		int saved;

		enter_row("%zu bytes at a time", pieces[i]);
		begin_pcap(MAGIC_US, false, 101);
		put_record(ipv4_syn, 40);
		put_record(ipv6_syn, 60);
		saved = pipe_to_stdin(pieces[i], 0, &child);
		expect_int(open_path("-"), 0);
		read_packet();
		expect_the_syn(4);
		read_packet();
		expect_the_syn(6);
		close_at_end();
		assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0); /* stdin is not ours to close */
		restore_stdin(saved);
		waitpid(child, NULL, 0);
	}
}

TEST(test_stdin_refused)
{
	pid_t child;
	int saved, pty = posix_openpt(O_RDWR | O_NOCTTY);

	file.len = 0;
	put("BZh9", 4);
	saved = pipe_to_stdin(1, 0, &child);
	expect_error(open_path("-"), -EBADMSG, "standard input", "bzcat FILE | tcpfin-trace ... -");
	restore_stdin(saved);
	waitpid(child, NULL, 0);

	assert_true(pty >= 0 && !grantpt(pty) && !unlockpt(pty));
	saved = replace_stdin(open(ptsname(pty), O_RDWR | O_NOCTTY));
	expect_error(open_path("-"), -ENOTTY, "standard input", "is a terminal");
	restore_stdin(saved);
	close(pty);

	saved = replace_stdin(open("/dev/null", O_RDONLY));
	expect_error(open_path("-"), -EBADMSG, "standard input", "is empty");
	restore_stdin(saved);
}

TEST(test_fifo)
{
	pid_t child;
	int fd;

	begin_pcap(MAGIC_US, false, 101);
	put_record(ipv4_syn, 40);
	unlink(path);
	expect_int(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	child = write_in_pieces(fd, 7, 0);
	expect_int(open_path(path), 0);
	close(fd);
	read_packet();
	expect_the_syn(4);
	close_at_end();
	waitpid(child, NULL, 0);
	unlink(path);
}

/* ---- a signal asks to stop: the last test, for nothing is read after it ---- */

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms = alarms + 1;
	if (alarms == 2)
		stop_ask();
}

/*
 * Of two signals during the wait for a silent pipe, the first asks for nothing, and the second one to stop: that ends
 * it.
 */
TEST(test_interrupted)
{
	struct itimerval soon = {.it_value = {.tv_usec = 100000}, .it_interval = {.tv_usec = 100000}}, never = {0};
	struct sigaction act = {.sa_handler = on_alarm}, old;
	pid_t child;
	int saved;

	begin_pcap(MAGIC_US, false, 101);
	put_record(ipv4_syn, 40);
	saved = pipe_to_stdin(4096, 60, &child);
	expect_int(open_path("-"), 0);
	read_packet();
	expect_int(sigaction(SIGALRM, &act, &old), 0);
	setitimer(ITIMER_REAL, &soon, NULL);
	expect_error(next(), -EINTR, "standard input", "Interrupted");
	expect_int(alarms, 2);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	pcap_file_close(source);
	restore_stdin(saved);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* ---- */

int main(void)
{
	return run_unit_tests(set_up, tear_down);
}
