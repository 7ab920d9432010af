// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A capture file of any bytes, through the reader alone and through libpcap: the reader gets it through a socket in
 * pieces, and finds the frames that libpcap finds. Of a compressed file libpcap gets what is in it. Where libpcap gives
 * up sooner, the reader still ends, and reads no byte that it may not.
 *
 * Input: the file.
 */
#define _GNU_SOURCE 1 /* memfd_create */
#include <pcap/pcap.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "user/capture/link_header.h"
#include "user/capture/pcap_file.h"
#include "tests/fuzz/fuzz.h"

/* ---- changing pcapng files ---- */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static uint32_t number(const uint8_t *data, bool big)
{
	return big ? (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3]
		   : (uint32_t)data[3] << 24 | (uint32_t)data[2] << 16 | (uint32_t)data[1] << 8 | data[0];
}

/* Ends each block with its length, in bounds: without that, hardly a changed file is read beyond the change. */
static void mend_blocks(uint8_t *data, size_t size)
{
	bool big = false;
	size_t length;

	for (size_t at = 0; size - at >= 12; at += length) {
		if (number(data + at, false) == 0x0a0d0d0a)
			big = number(data + at + 8, true) == 0x1a2b3c4d;
		length = number(data + at + 4, big) & ~3u;
		if (length < 12 || length > size - at)
			length = (size - at) & ~(size_t)3;
		for (unsigned i = 0; i < 4; i++)
			data[at + 4 + i] = data[at + length - 4 + i] = (uint8_t)(length >> 8 * (big ? 3 - i : i));
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	size = LLVMFuzzerMutate(data, size, max_size);
	if (size >= 12 && number(data, false) == 0x0a0d0d0a && seed % 4)
		mend_blocks(data, size);
	return size;
}

/* ---- what is in compressed files ---- */

#define UNPACKED_MOST (1 << 20) /* what is larger is not compared */

static uint8_t unpacked[UNPACKED_MOST];

static bool gunzip(const uint8_t *data, size_t size, size_t *len)
{
	z_stream z = {.next_in = (uint8_t *)data, .avail_in = (unsigned)size};
	int result;

	expect(inflateInit2(&z, 16 + MAX_WBITS) == Z_OK);
	z.next_out = unpacked;
	z.avail_out = sizeof(unpacked);
	result = inflate(&z, Z_FINISH);
	*len = sizeof(unpacked) - z.avail_out;
	inflateEnd(&z);
	return result == Z_STREAM_END && !z.avail_in;
}

static bool unzstd(const uint8_t *data, size_t size, size_t *len)
{
	ZSTD_DStream *stream = ZSTD_createDStream();
	ZSTD_inBuffer in = {data, size, 0};
	ZSTD_outBuffer out = {unpacked, sizeof(unpacked), 0};
	size_t result;

	expect(stream);
	result = ZSTD_decompressStream(stream, &out, &in);
	ZSTD_freeDStream(stream);
	*len = out.pos;
	return !result && in.pos == size;
}

/* Sets *data and *size to what is in the file. False: it is damaged, has several parts, or is too large to compare. */
static bool unpack(const uint8_t **data, size_t *size)
{
	static const uint8_t zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};
	bool gzip = *size >= 2 && (*data)[0] == 0x1f && (*data)[1] == 0x8b;
	bool zstd = *size >= 4 && !memcmp(*data, zstd_magic, sizeof(zstd_magic));
	size_t len;

	if (!gzip && !zstd)
		return true;
	if (gzip ? !gunzip(*data, *size, &len) : !unzstd(*data, *size, &len))
		return false;
	*data = unpacked;
	*size = len;
	return true;
}

/* ---- the reader beside libpcap ---- */

static int file_fd = -1; /* libpcap's input */
static char path[32];

static void rewrite(const uint8_t *data, size_t size)
{
	if (file_fd < 0)
		file_fd = memfd_create("capture", 0);
	expect(file_fd >= 0 && !ftruncate(file_fd, 0) && pwrite(file_fd, data, size, 0) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
}

#define PIECES 61

/* The input as stdin, PIECES at most, each of which one read() returns. */
static void pieces_to_stdin(const uint8_t *data, size_t size)
{
	size_t piece = size / PIECES + 1, len;
	int ends[2];

	expect(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) && dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
	close(ends[0]);
	for (size_t at = 0; at < size; at += len) {
		len = size - at < piece ? size - at : piece;
		expect(send(ends[1], data + at, len, 0) == (ssize_t)len);
	}
	close(ends[1]);
}

static void expect_same(const struct captured_packet *p, const struct pcap_pkthdr *header, const u_char *data)
{
	size_t len = header->caplen < header->len ? header->caplen : header->len;

	expect((size_t)(p->bytes.end - p->bytes.pos) == len && !memcmp(p->bytes.pos, data, len));
	expect(p->meta.wire_len == header->len);
	if ((uint64_t)header->ts.tv_sec < 1u << 31 && (uint64_t)header->ts.tv_usec < 1000000000)
		expect(p->time == (uint64_t)header->ts.tv_sec * 1000000000 + (uint64_t)header->ts.tv_usec);
}

/*
 * One result of each; false at the end of what can be compared. Of pcapng files libpcap may give up sooner: it refuses
 * a second link type, snap length or byte order. It may go on longer: of a later section it takes any minor version.
 */
static bool agree(struct pcap_file *file, pcap_t *pcap, bool pcapng)
{
	struct captured_packet p;
	struct pcap_pkthdr *header;
	const u_char *data;
	char error[512];
	int theirs = pcap_next_ex(pcap, &header, &data), got;

	if (pcapng && theirs == PCAP_ERROR)
		return false;
	got = pcap_file_next_frame(file, &p, error, sizeof(error));
	if (pcapng && got < 0 && strstr(error, "of the pcapng format is unknown"))
		return false;
	expect(got == 1 ? theirs == 1 : got == 0 ? theirs == PCAP_ERROR_BREAK : theirs == PCAP_ERROR);
	if (got == 1)
		expect_same(&p, header, data);
	return got == 1;
}

/* A section header behind the first one, ahead of any interface: libpcap passes over it, whatever it says. */
static bool is_passed_over(const uint8_t *data, size_t size)
{
	bool big = size >= 12 && number(data + 8, true) == 0x1a2b3c4d;
	size_t length;

	for (size_t at = 0; size - at >= 12 && number(data + at, big) != 1; at += length) {
		length = number(data + at + 4, big);
		if (at && number(data + at, false) == 0x0a0d0d0a)
			return true;
		if (length < 12 || length > size - at)
			break;
	}
	return false;
}

static void compare(struct pcap_file *file, bool pcapng)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, error);

	bool comparable = pcap &&
			  link_type_find((uint32_t)pcap_datalink(pcap)); /* no link type is too strange for libpcap */

	expect(comparable || pcapng);
	while (comparable && agree(file, pcap, pcapng))
		;
	if (pcap)
		pcap_close(pcap);
}

/*
 * Reads on to the end. Every packet lies in memory that can be read, and belongs to an interface that has a name or
 * not.
 */
static void drain(struct pcap_file *file)
{
	struct captured_packet p;
	char error[512];
	uint32_t sum = 0;

	while (pcap_file_next(file, &p, error, sizeof(error)) == 1) {
		for (const uint8_t *byte = p.bytes.pos; byte < p.bytes.end; byte++)
			sum += *byte;
		expect(p.link_type);
		if (pcap_file_interface_name(file, p.interface))
			sum += (uint32_t)strlen(pcap_file_interface_name(file, p.interface));
	}
	expect(sum || !sum); /* so that it is computed */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pcap_file *file;
	bool comparable;
	char error[512];

	pieces_to_stdin(data, size);
	expect(!pcap_file_open(&file, "-", error, sizeof(error)));
	if (!pcap_file_start(file, error, sizeof(error))) {
		comparable = unpack(&data, &size);
		rewrite(data, size);
		if (comparable && (data[0] != 0x0a || !is_passed_over(data, size)))
			compare(file, data[0] == 0x0a);
		drain(file);
	}
	pcap_file_close(file);
	return 0;
}
