// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as a file of JSON lines. A line that is read as a record is one that every format can print, and its JSON
 * is read as the same record again.
 *
 * Input: the file.
 */
#define _GNU_SOURCE 1 /* memfd_create */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/format/format.h"
#include "user/readback/record_file.h"
#include "user/readback/record_reader.h"
#include "tests/fuzz/fuzz.h"

static struct buffer out, json, line;

static void print_all(const struct record *r)
{
	struct format_style style = {.columns = 100, .verbose = true};

	text_layout_fit(&style.layout, 0, NULL, 0, 0);
	for (int format = 0; format <= FORMAT_LADDER; format++) {
		out.len = 0;
		format_record(&out, (enum format)format, &style, r);
	}
}

/* What is written is read, and written as it was. */
static void expect_again(struct record_reader *reader)
{
	const struct record *r;
	char error[512];

	line.len = 0; /* the record's texts lie in it */
	buffer_bytes(&line, json.data, json.len - 1);
	buffer_char(&line, '\0');
	expect(record_reader_take(reader, line.data, line.len - 1, &r, error, sizeof(error)) == LINE_RECORD);
	out.len = 0;
	format_json(&out, r);
	expect(out.len == json.len && !memcmp(out.data, json.data, out.len));
}

static int open_input(const uint8_t *data, size_t size)
{
	int fd = memfd_create("records", 0);

	expect(fd >= 0 && write(fd, data, size) == (ssize_t)size && !lseek(fd, 0, SEEK_SET));
	expect(dup2(fd, STDIN_FILENO) == STDIN_FILENO);
	return close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record_reader *reader = record_reader_new();
	struct record_file *file;
	const struct record *r;
	char error[512];

	open_input(data, size);
	expect(!record_file_open(&file, "-", error, sizeof(error)));
	while (record_file_next(file, &r, error, sizeof(error)) > 0) {
		json.len = 0;
		format_json(&json, r);
		print_all(r);
		expect_again(reader);
	}
	record_file_close(file);
	record_reader_free(reader);
	return 0;
}
