// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes of a descriptor, as many in a row as are needed.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/stop.h"
#include "user/capture/capture_input.h"
#include "user/capture/unpacker.h"

#define READ_BYTES UNPACKER_INPUT /* fits the second-level cache, so that the parser finds there what was read */

int capture_input_open(struct capture_input *in, int fd)
{
	int err = fd < 0 ? -errno : 0;

	*in = (struct capture_input){.fd = fd, .size = READ_BYTES, .spool = -1};
	if (err)
		return capture_refuse(in, err, "%s", strerror(-err));
	in->buffer = malloc(READ_BYTES);
	in->pos = in->end = in->buffer;
	in->begin = lseek(fd, 0, SEEK_CUR);
	return in->buffer ? 0 : capture_refuse(in, -ENOMEM, "%s", strerror(ENOMEM));
}

void capture_input_close(struct capture_input *in)
{
	unpacker_free(in->unpacker);
	if (in->fd >= 0)
		close(in->fd);
	if (in->spool >= 0)
		close(in->spool);
	free(in->buffer);
}

bool capture_input_is_lasting(const struct capture_input *in)
{
	struct stat st;

	return !fstat(in->fd, &st) && S_ISREG(st.st_mode);
}

void capture_input_spool(struct capture_input *in, int fd)
{
	in->spool = fd;
}

int capture_input_begin_again(struct capture_input *in)
{
	unpacker_free(in->unpacker);
	in->unpacker = NULL;
	in->pos = in->end = in->buffer;
	in->wait = NULL;
	in->again = true;
	if (in->spool >= 0) {
		close(in->fd);
		in->fd = in->spool;
		in->spool = -1;
		in->begin = 0;
	}
	return lseek(in->fd, in->begin, SEEK_SET) < 0 ? -errno : 0;
}

/* A spool without room holds what came before. */
static void spool_bytes(struct capture_input *in, const uint8_t *bytes, size_t size)
{
	size_t done = 0;

	while (in->spool >= 0 && !in->spool_short && done < size) {
		ssize_t n = write(in->spool, bytes + done, size - done);

		in->spool_short = n < 0 && errno != EINTR;
		done += n < 0 ? 0 : (size_t)n;
	}
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

/* Will a read have to wait? Of a regular file it never does. */
static bool must_wait(int fd)
{
	return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 0;
}

/* As read(); a signal ends it only if it asks to stop: -1 with EINTR. */
static ssize_t read_some(struct capture_input *in, void *bytes, size_t size)
{
	ssize_t got = -1;

	if (in->wait && must_wait(in->fd))
		in->wait(in->wait_context);
	errno = EINTR;
	while (got < 0 && errno == EINTR && (in->again || stop_go_on()))
		got = read(in->fd, bytes, size);
	if (got <= 0)
		return got;
	in->taken += (uint64_t)got;
	spool_bytes(in, bytes, (size_t)got);
	return got;
}

/* Gives the unpacker more bytes of the file. 1, 0 at the file's end, or a negative errno. */
static int feed(struct capture_input *in)
{
	size_t size;
	void *room = unpacker_room(in->unpacker, &size);
	ssize_t got = read_some(in, room, size);

	if (got < 0)
		return capture_refuse(in, -errno, "%s", strerror(errno));
	unpacker_fed(in->unpacker, (size_t)got);
	return got > 0;
}

/* Unpacked bytes behind what is in the buffer: how many, 0 at the end, or a negative errno. */
static ssize_t unpack_on(struct capture_input *in, uint8_t *bytes, size_t size)
{
	for (;;) {
		ssize_t got = unpacker_take(in->unpacker, bytes, size);
		int fed;

		if (got > 0)
			return got;
		if (got < 0)
			return capture_refuse(in, -EBADMSG, "broken: %s", unpacker_fault(in->unpacker));
		fed = feed(in);
		if (fed < 0)
			return fed;
		if (!fed)
			return unpacker_is_whole(in->unpacker)
				       ? 0
				       : capture_refuse(in, -EBADMSG,
							"truncated: the file ends within its compressed data");
	}
}

/* Bytes behind what is in the buffer: how many, 0 at the end, or a negative errno. */
static ssize_t read_on(struct capture_input *in)
{
	size_t used = (size_t)(in->end - in->buffer);
	ssize_t got;

	if (in->unpacker)
		return unpack_on(in, in->buffer + used, in->size - used);
	got = read_some(in, in->buffer + used, in->size - used);
	return got < 0 ? capture_refuse(in, -errno, "%s", strerror(errno)) : got;
}

int capture_input_unpack(struct capture_input *in)
{
	int got = capture_input_fill(in, UNPACKER_MAGIC);
	size_t left = capture_input_left(in), size;

	if (got < 0)
		return got;
	in->unpacker = unpacker_new(in->pos, left);
	if (!in->unpacker)
		return 0;
	if (unpacker_fault(in->unpacker))
		return capture_refuse(in, -ENOMEM, "%s", unpacker_fault(in->unpacker));
	memcpy(unpacker_room(in->unpacker, &size), in->pos, left); /* what was read of the file is the unpacker's */
	unpacker_fed(in->unpacker, left);
	in->end = in->pos;
	return 0;
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
			return (int)got;
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
