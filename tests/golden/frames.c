// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frames FILE...: each frame that the reader of captures finds, as a line: time in ns, captured and original length,
 * MD5 of the captured bytes. A file that ends in an error has the error's line on stderr. frames -c FILE... counts
 * packets only.
 */
#include <inttypes.h>
#include <md5.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "user/capture/pcap_file.h"

static void print_frame(const struct captured_packet *p)
{
	size_t len = (size_t)(p->bytes.end - p->bytes.pos);
	char digest[MD5_DIGEST_STRING_LENGTH];

	printf("%" PRIu64 " %zu %u %s\n", p->time, len, p->meta.wire_len, MD5Data(p->bytes.pos, len, digest));
}

/* 1, or what ended the file. */
static int take_packet(struct pcap_file *f, bool count, char *error, size_t error_size)
{
	struct captured_packet p;
	int got = count ? pcap_file_next(f, &p, error, error_size) : pcap_file_next_frame(f, &p, error, error_size);

	if (got == 1 && !count)
		print_frame(&p);
	return got;
}

static int read_file(const char *path, bool count)
{
	struct pcap_file *f;
	uint64_t packets = 0;
	char error[512];
	int got = pcap_file_open(&f, path, error, sizeof(error));

	if (!got) {
		got = pcap_file_start(f, error, sizeof(error));
		while (got >= 0 && (got = take_packet(f, count, error, sizeof(error))) > 0)
			packets++;
		pcap_file_close(f);
	}
	if (got < 0)
		fprintf(stderr, "%s\n", error);
	if (count)
		printf("%" PRIu64 "\n", packets);
	return got < 0;
}

int main(int argc, char **argv)
{
	bool count = argc > 1 && !strcmp(argv[1], "-c");
	int failed = 0;

	for (int i = 1 + count; i < argc; i++)
		failed |= read_file(argv[i], count);
	return failed;
}
