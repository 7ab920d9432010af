// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes of a descriptor, as many in a row as are needed.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "user/base/stop.h"
#include "user/capture/capture_input.h"

#define READ_BYTES (256 * 1024) /* fits the second-level cache, so that the parser finds there what was read */

int capture_input_open(struct capture_input *in, int fd)
{
	int err = fd < 0 ? -errno : 0;

	*in = (struct capture_input){.fd = fd, .size = READ_BYTES};
	if (err)
		return capture_refuse(in, err, "%s", strerror(-err));
	in->buffer = malloc(READ_BYTES);
	in->pos = in->end = in->buffer;
	return in->buffer ? 0 : capture_refuse(in, -ENOMEM, "%s", strerror(ENOMEM));
}

void capture_input_close(struct capture_input *in)
{
	if (in->fd >= 0)
		close(in->fd);
	free(in->buffer);
}

int capture_refuse(struct capture_input *in, int err, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(in->why, sizeof(in->why), format, arguments);
	va_end(arguments);
	return err;
}

/* Moves what is left to the buffer's start, and gives the buffer at least n bytes. 0 or -ENOMEM. */
static int make_room(struct capture_input *in, size_t n)
{
	size_t left = capture_input_left(in);
	uint8_t *larger;

	memmove(in->buffer, in->pos, left);
	in->pos = in->buffer;
	in->end = in->buffer + left;
	if (n <= in->size)
		return 0;
	larger = realloc(in->buffer, n);
	if (!larger)
		return capture_refuse(in, -ENOMEM, "no memory for %zu bytes of one packet or block", n);
	in->buffer = larger;
	in->size = n;
	in->pos = larger;
	in->end = larger + left;
	return 0;
}

/* As read() behind what is in the buffer; a signal ends it only if it asks to stop: -1 with EINTR. */
static ssize_t read_on(struct capture_input *in)
{
	size_t used = (size_t)(in->end - in->buffer);
	ssize_t got = -1;

	errno = EINTR;
	while (got < 0 && errno == EINTR && stop_go_on())
		got = read(in->fd, in->buffer + used, in->size - used);
	return got;
}

int capture_input_fill(struct capture_input *in, size_t n)
{
	ssize_t got;
	int err;

	if (capture_input_left(in) >= n)
		return 1;
	err = make_room(in, n);
	while (!err && capture_input_left(in) < n) {
		got = read_on(in);
		if (got < 0)
			return capture_refuse(in, -errno, "%s", strerror(errno));
		if (!got)
			return 0;
		in->end += got;
	}
	return err ? err : 1;
}

int capture_input_await(struct capture_input *in, size_t n, const char *what)
{
	int got = capture_input_fill(in, n);
	size_t left = capture_input_left(in);

	if (got || !left)
		return got;
	return capture_refuse(in, -EBADMSG, "truncated: the file ends within %s, %zu of %zu bytes are there", what,
			      left, n);
}
