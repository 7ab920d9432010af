/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Capture files written byte by byte, and read by the reader under test: what the tests of each format share.
 */
#ifndef TCPFIN_CAPTURE_BYTES_H
#define TCPFIN_CAPTURE_BYTES_H

#include "bpf/core/header_walk.h"
#include "tests/unit/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/words.h"
#include "user/capture/pcap_file.h"

#define expect_verdict(seen, expected) expect_word(seen, expected, packet_verdicts)

static char directory[] = "/tmp/tcpfin-pcap-XXXXXX";
static char path[64];   /* of the capture at hand */
static char error[512]; /* of the last call */

/* ---- writing ---- */

static struct {
	uint8_t data[20 << 20];
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
		unsigned shift = 8 * (file.big ? bytes - 1 - i : i);
		uint8_t byte = shift < 64 ? (uint8_t)(n >> shift) : 0;

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

static void save(void)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	expect_int(fwrite(file.data, 1, file.len, f), file.len);
	expect_int(fclose(f), 0);
}

/* A SYN from 10.0.0.1:4660 to 10.0.0.2:22, and one from fd00::1 to fd00::2 with the same ports. */
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
	expect_int(open_path(path), 0);
}

static int next(void)
{
	error[0] = '\0';
	return pcap_file_next(source, &packet, error, sizeof(error));
}

/* The next packet, which must be there. */
static void read_packet(void)
{
	int got = next();

	if (got != 1)
		fail_msg("no packet, but %d: %s", got, error);
}

static void close_at_end(void)
{
	expect_int(next(), 0);
	pcap_file_close(source);
}

/* The error is one line that begins with the file's name and holds `about`. */
static void expect_error(int got, int expected, const char *name, const char *about)
{
	expect_int(got, expected);
	if (strncmp(error, name, strlen(name)) || strncmp(error + strlen(name), ": ", 2) || strchr(error, '\n'))
		fail_msg("\"%s\" is no line about %s", error, name);
	if (!strstr(error, about))
		fail_msg("\"%s\" does not say \"%s\"", error, about);
}

static enum packet_verdict parse(struct tcp_segment *s)
{
	struct cursor c = packet.bytes;

	return packet_parse(s, &c, &packet.meta);
}

static void expect_the_syn(uint8_t family)
{
	struct tcp_segment s = {0};

	expect_verdict(parse(&s), PACKET_TCP);
	expect_int(s.family, family);
	expect_int(s.sport, 0x1234);
	expect_int(s.dport, 22);
	expect_int(s.seq, 7);
	expect_flags(s.flags, TCP_SYN, tcp_flags);
	expect_int(s.len, 0);
}

/* ---- through a pipe ---- */

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

/* Makes stdin a pipe through which the file comes. Returns the old stdin. */
static int pipe_to_stdin(size_t piece, unsigned stall, pid_t *child)
{
	int ends[2], saved;

	expect_int(pipe2(ends, O_CLOEXEC), 0);
	*child = write_in_pieces(ends[1], piece, stall);
	close(ends[1]);
	saved = replace_stdin(ends[0]);
	return saved;
}

/* ---- the folder of a test program's captures ---- */

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

#endif
