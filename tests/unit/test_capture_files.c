// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Captures that are packed, and several captures read as one.
 */
#define _GNU_SOURCE 1 /* pipe2 */
#include <zlib.h>
#include <zstd.h>

#include "tests/unit/capture_bytes.h"
#include "user/capture/capture_files.h"
#include "user/capture/progress.h"

/* A capture of raw IP with a packet at each of these seconds. */
static void make_capture(const unsigned *seconds, unsigned count)
{
	file.len = 0;
	file.big = false;
	put32(0xa1b2c3d4);
	put16(2);
	put16(4);
	put32(0);
	put32(0);
	put32(65535);
	put32(101);
	for (unsigned i = 0; i < count; i++) {
		put32(seconds[i]);
		put32(0);
		put32(40);
		put32(40);
		put(ipv4_syn, 40);
	}
}

/* ---- packed ---- */

/* Packs what is in `file` into `packed`. Returns how many bytes that takes. */
static uint8_t packed[1 << 20];

static size_t pack_gzip(const void *bytes, size_t len)
{
	z_stream z = {
		.next_in = (void *)bytes, .avail_in = (unsigned)len, .next_out = packed, .avail_out = sizeof(packed)};

	expect_int(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	expect_int(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return sizeof(packed) - z.avail_out;
}

static size_t pack_zstd(const void *bytes, size_t len)
{
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	size_t n;

	ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1); /* as the command zstd does */
	n = ZSTD_compress2(zstd, packed, sizeof(packed), bytes, len);
	assert_false(ZSTD_isError(n));
	ZSTD_freeCCtx(zstd);
	return n;
}

static const struct packer {
	const char *name;
	size_t (*pack)(const void *bytes, size_t len);
} packers[] = {{"gzip", pack_gzip}, {"zstd", pack_zstd}};

#define PACKETS 1000

/* A capture that is larger than what is read at once, packed in `parts` parts. */
static void make_packed(const struct packer *packer, unsigned parts)
{
	static unsigned seconds[PACKETS];
	static uint8_t plain[1 << 20];
	size_t len, at = 0;

	for (unsigned i = 0; i < PACKETS; i++)
		seconds[i] = i;
	make_capture(seconds, PACKETS);
	len = file.len;
	memcpy(plain, file.data, len);
	file.len = 0;
	for (unsigned part = 0; part < parts; part++) {
		size_t end = len * (part + 1) / parts;

		put(packed, packer->pack(plain + at, end - at));
		at = end;
	}
}

static void expect_all_packets(void)
{
	for (unsigned i = 0; i < PACKETS; i++) {
		read_packet();
		expect_ns(packet.time, i * 1000000000ULL);
		expect_the_syn(4);
	}
	close_at_end();
}

TEST(test_packed)
{
	FOR_EACH_ROW(packers, packer) {
		for (unsigned parts = 1; parts < 4; parts++) {
			make_packed(packer, parts);
			open_saved();
			expect_all_packets();
		}
	}
}

TEST(test_padded)
{
	make_packed(&packers[0], 2);
	put_number(0, 512);
	open_saved();
	expect_all_packets();
}

/* Reads to the end or to an error, which is returned. */
static int read_all(void)
{
	int got = open_path(path);

	if (got)
		return got;
	do
		got = next();
	while (got == 1);
	pcap_file_close(source);
	return got;
}

TEST(test_packed_cut)
{
	FOR_EACH_ROW(packers, packer) {
		size_t len;

		make_packed(packer, 1);
		for (len = file.len - 1; len > 4; len -= len > 200 ? 97 : 1) {
			file.len = len;
			save();
			expect_error(read_all(), -EBADMSG, path, "truncated");
		}
	}
}

TEST(test_packed_damaged)
{
	FOR_EACH_ROW(packers, packer) {
		make_packed(packer, 1);
		memset(file.data + file.len / 2, 0xff, 16);
		save();
		expect_int(read_all(), -EBADMSG);
	}
	make_packed(&packers[0], 1);
	put("garbage", 7);
	save();
	expect_error(read_all(), -EBADMSG, path, "the compressed data are damaged");
}

/* ---- several ---- */

static struct capture_files *files;
static char other_path[64];

/* Two captures with packets at these times, as `path` and `other_path`. */
static void make_two(const unsigned *one, unsigned count, const unsigned *other, unsigned other_count)
{
	snprintf(other_path, sizeof(other_path), "%.50s.2", path);
	make_capture(other, other_count);
	save();
	expect_int(rename(path, other_path), 0);
	make_capture(one, count);
	save();
}

static void expect_next(unsigned second)
{
	expect_int(capture_files_next(files, &packet, error, sizeof(error)), 1);
	expect_ns(packet.time, second * 1000000000ULL);
}

TEST(test_time_order)
{
	const unsigned one[] = {1, 4, 4, 9}, other[] = {2, 3, 4, 10, 11};
	const unsigned expected[] = {1, 2, 3, 4, 4, 4, 9, 10, 11};
	const char *const paths[] = {path, other_path};

	make_two(one, COUNT(one), other, COUNT(other));
	expect_int(capture_files_open(&files, paths, 2, error, sizeof(error)), 0);
	for (size_t i = 0; i < COUNT(expected); i++)
		expect_next(expected[i]);
	expect_int(capture_files_next(files, &packet, error, sizeof(error)), 0);
	expect_int(capture_files_next(files, &packet, error, sizeof(error)), 0);
	capture_files_close(files);
	unlink(other_path);
}

TEST(test_progress)
{
	const unsigned one[] = {1}, other[] = {2, 3};
	const char *const paths[] = {path, other_path};
	struct buffer line = {0};
	uint64_t done, all;

	make_two(one, COUNT(one), other, COUNT(other));
	expect_int(capture_files_open(&files, paths, 2, error, sizeof(error)), 0);
	assert_true(capture_files_progress(files, &done, &all));
	expect_int(done, 0);
	expect_int(all, 24 + 56 + 24 + 2 * 56);
	expect_next(1);
	expect_next(2);
	expect_next(3);
	assert_true(capture_files_progress(files, &done, &all));
	expect_int(done, all);
	capture_files_close(files);
	unlink(other_path);
	progress_line(&line, 250000000, 1000000000, 500000000);
	buffer_char(&line, '\0');
	assert_string_equal(line.data, "25% of 1000 MB, 500 MB/s, 1.50s left");
	buffer_free(&line);
}

/* A file that is broken ends there; the others are read to their ends. */
TEST(test_one_is_broken)
{
	const unsigned one[] = {1, 5}, other[] = {2, 6};
	const char *const paths[] = {path, other_path};

	make_two(one, COUNT(one), other, COUNT(other));
	file.len -= 7;
	save();
	expect_int(capture_files_open(&files, paths, 2, error, sizeof(error)), 0);
	expect_next(1);
	expect_error(capture_files_next(files, &packet, error, sizeof(error)), -EBADMSG, path, "truncated");
	expect_next(2);
	expect_next(6);
	expect_int(capture_files_next(files, &packet, error, sizeof(error)), 0);
	capture_files_close(files);
	unlink(other_path);
}

TEST(test_one_is_absent)
{
	const char *const paths[] = {path, "/no/such/file"};
	const unsigned one[] = {1};

	make_capture(one, 1);
	save();
	expect_error(capture_files_open(&files, paths, 2, error, sizeof(error)), -ENOENT, paths[1], "No such file");
}

static unsigned waits;

static void count_wait(void *context)
{
	expect_int(*(unsigned *)context, 4711);
	waits++;
}

/* Only a pipe that is empty is waited for. */
TEST(test_wait)
{
	const unsigned one[] = {1, 2, 3};
	const char *const paths[] = {"-"};
	unsigned context = 4711;
	pid_t child;
	int saved;

	make_capture(one, 3);
	saved = pipe_to_stdin(file.len, 60, &child);
	sleep(1);
	waits = 0;
	expect_int(capture_files_open(&files, paths, 1, error, sizeof(error)), 0);
	capture_files_on_wait(files, count_wait, &context);
	expect_next(1);
	expect_next(2);
	expect_next(3);
	expect_int(waits, 0); /* all is there */
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	expect_int(capture_files_next(files, &packet, error, sizeof(error)), 0);
	expect_int(waits, 0); /* at the end there is nothing to wait for */
	restore_stdin(saved);
	capture_files_close(files);
}

int main(void)
{
	return run_unit_tests(set_up, tear_down);
}
