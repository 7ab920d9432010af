// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A capture file of any bytes, through all of `-r FILE`: libpcap, link headers, parser, flow table, verdict, format and
 * sink. Standard output is well-formed, and stderr has at most one printable line. The reader, which takes most packets
 * without libpcap, finds the same packets as libpcap.
 *
 * Input: the file. Its length chooses the format, so that golden captures are seeds without a change.
 */
#define _GNU_SOURCE 1 /* memfd_create */
#include <pcap/pcap.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/base/log.h"
#include "user/base/privileges.h"
#include "user/capture/replay.h"
#include "user/capture/pcap_file.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/fuzz.h"

static int file_fd = -1;
static char path[32];
static char *said; /* text on stderr */
static size_t said_len;

/* Replaces the program's: the fuzzer has to write files. */
int privileges_drop_all(void)
{
	return 0;
}

static void start(void)
{
	file_fd = memfd_create("capture", 0);
	expect(file_fd >= 0 && dup2(memfd_create("output", 0), STDOUT_FILENO) == STDOUT_FILENO);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file_fd);
}

static void rewrite(int fd, const void *data, size_t size)
{
	expect(!ftruncate(fd, 0) && lseek(fd, 0, SEEK_SET) == 0);
	expect(write(fd, data, size) == (ssize_t)size);
}

/* Compares the next packet of both; false behind the last one. */
static bool same_packet(struct pcap_file *source, pcap_t *pcap)
{
	struct captured_packet p;
	struct pcap_pkthdr *header;
	const u_char *data;
	char error[512];
	int got = pcap_file_next(source, &p, error, sizeof(error)), theirs = pcap_next_ex(pcap, &header, &data);
	size_t len, left;

	expect(got == 1 ? theirs == 1 : got == 0 ? theirs == PCAP_ERROR_BREAK : theirs == PCAP_ERROR);
	if (got < 0)
		expect(strstr(error, pcap_geterr(pcap)));
	if (got != 1)
		return false;
	len = header->caplen < header->len ? header->caplen : header->len;
	left = (size_t)(p.bytes.end - p.bytes.pos);
	expect(left <= len && !memcmp(p.bytes.pos, data + len - left, left));
	expect(p.meta.wire_len == header->len - (len - left));
	if ((uint64_t)header->ts.tv_sec < 1u << 31 && (uint64_t)header->ts.tv_usec < 1000000000)
		expect(p.time == (uint64_t)header->ts.tv_sec * 1000000000 + (uint64_t)header->ts.tv_usec);
	return true;
}

static void check_packets(void)
{
	struct pcap_file *source;
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap;

	expect(!pcap_file_open(&source, path, error, sizeof(error)));
	if (!pcap_file_start(source, error, sizeof(error))) {
		pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, error);
		expect(pcap);
		while (same_packet(source, pcap))
			;
		pcap_close(pcap);
	}
	pcap_file_close(source);
}

/* The source takes these signals for itself; they must go on ending the fuzzer. */
static int run_source(struct reporter *reporter, const struct options *options, uint64_t *counters)
{
	sigset_t signals, before;
	int code;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, &before);
	code = replay_run(reporter, options, counters);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return code;
}

static void check_output(const struct options *options, unsigned records)
{
	off_t len = lseek(STDOUT_FILENO, 0, SEEK_END);
	char *text = len ? mmap(NULL, (size_t)len, PROT_READ, MAP_SHARED, STDOUT_FILENO, 0) : NULL;

	expect(text != MAP_FAILED);
	if (!len)
		expect(!records);
	else if (options->format == FORMAT_JSON)
		expect(check_json_lines(text, (size_t)len) == records);
	else if (options->format == FORMAT_CSV)
		expect(check_csv_lines(text, (size_t)len) == records + 1);
	else
		check_printable(text, (size_t)len, false, false);
	if (text)
		munmap(text, (size_t)len);
	rewrite(STDOUT_FILENO, "", 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct options options = {
		.read_file = path,
		.format = size & 3,
		.show_open = size & 4,
		.verbose = size & 8,
		.settle = 500000000,
		.syn_timeout = 10000000000,
		.close_timeout = 60000000000,
		.idle_timeout = 7200000000000,
	};
	uint64_t counters[COUNTERS] = {0};
	FILE *console = stderr;
	struct reporter reporter;
	int code;

	if (file_fd < 0)
		start();
	rewrite(file_fd, data, size);
	reporter_init(&reporter, &options);
	stderr = open_memstream(&said, &said_len);
	code = run_source(&reporter, &options, counters);
	fclose(stderr);
	stderr = console;
	expect(code == (said_len ? EXIT_RUNTIME : EXIT_FINE));
	expect(!said_len || memchr(said, '\n', said_len) == said + said_len - 1);
	check_printable(said, said_len, false, false);
	free(said);
	check_output(&options, (unsigned)reporter.summary.records);
	check_packets();
	reporter_free(&reporter);
	return 0;
}
