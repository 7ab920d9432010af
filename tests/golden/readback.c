// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads records as JSON lines and prints them as JSON again, for the round trip of the golden suite.
 *
 * readback FILE     FILE: - is standard input. Ends with 1 and a line on stderr where a line is broken.
 */
#include <stdio.h>

#include "user/format/format.h"
#include "user/readback/record_file.h"

static int print_records(struct record_file *file, char *error, size_t size)
{
	const struct record *record;
	struct buffer out = {0};
	int got;

	while ((got = record_file_next(file, &record, error, size)) > 0) {
		format_json(&out, record);
		fwrite(out.data, 1, out.len, stdout);
		out.len = 0;
	}
	buffer_free(&out);
	return got;
}

int main(int argc, char **argv)
{
	struct record_file *file;
	char error[512];
	int err;

	if (argc != 2)
		return 2;
	err = record_file_open(&file, argv[1], error, sizeof(error));
	if (!err) {
		err = print_records(file, error, sizeof(error));
		record_file_close(file);
	}
	if (err)
		fprintf(stderr, "%s\n", error);
	return err ? 1 : 0;
}
