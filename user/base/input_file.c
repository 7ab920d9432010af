// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes of a descriptor, as many in a row as are needed. Opening a FIFO waits for a writer, which a signal may end.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/input_file.h"
#include "user/base/sink.h"
#include "user/base/stop.h"
#include "user/base/unpacker.h"

#define READ_BYTES UNPACKER_INPUT /* fits the second-level cache, so that the parser finds there what was read */

/* The descriptor, or -1 with errno. */
static int open_path(const char *path)
{
	int fd;

	if (!strcmp(path, "-"))
		return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	do
		fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd < 0 && errno == EINTR && stop_go_on());
	return fd;
}

int input_file_open(struct input_file *in, const char *path)
{
	int fd = open_path(path), err = fd < 0 ? -errno : 0;

	*in = (struct input_file){
		.name = strcmp(path, "-") ? path : "standard input", .fd = fd, .size = READ_BYTES, .spool = -1};
	if (err)
		return input_file_refuse(in, err, "%s", strerror(-err));
	in->buffer = malloc(READ_BYTES);
	in->pos = in->end = in->buffer;
	in->begin = lseek(fd, 0, SEEK_CUR);
	return in->buffer ? 0 : input_file_refuse(in, -ENOMEM, "%s", strerror(ENOMEM));
}

void input_file_close(struct input_file *in)
{
	unpacker_free(in->unpacker);
	if (in->fd >= 0)
		close(in->fd);
	if (in->spool >= 0)
		close(in->spool);
	free(in->buffer);
}

bool input_file_is_lasting(const struct input_file *in)
{
	struct stat st;

	return !fstat(in->fd, &st) && S_ISREG(st.st_mode);
}

void input_file_spool(struct input_file *in, int fd)
{
	in->spool = fd;
}

int input_file_begin_again(struct input_file *in)
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
static void spool_bytes(struct input_file *in, const uint8_t *bytes, size_t size)
{
	size_t done;

	if (in->spool >= 0 && !in->spool_short)
		in->spool_short = sink_write_bytes(in->spool, bytes, size, &done) != 0;
}

int input_file_refuse(struct input_file *in, int err, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(in->why, sizeof(in->why), format, arguments);
	va_end(arguments);
	return err;
}

int input_file_error(const struct input_file *in, int err, char *error, size_t size)
{
	snprintf(error, size, "%s: %s", in->name, in->why);
	return err;
}

/* Moves what is left to the buffer's start, and gives the buffer at least n bytes. 0 or -ENOMEM. */
static int make_room(struct input_file *in, size_t n)
{
	size_t left = input_file_left(in);
	uint8_t *larger;

	memmove(in->buffer, in->pos, left);
	in->pos = in->buffer;
	in->end = in->buffer + left;
	if (n <= in->size)
		return 0;
	larger = realloc(in->buffer, n);
	if (!larger)
		return input_file_refuse(in, -ENOMEM, "no memory for %zu bytes of one packet or block", n);
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
static ssize_t read_some(struct input_file *in, void *bytes, size_t size)
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
static int feed(struct input_file *in)
{
	size_t size;
	void *room = unpacker_room(in->unpacker, &size);
	ssize_t got = read_some(in, room, size);

	if (got < 0)
		return input_file_refuse(in, -errno, "%s", strerror(errno));
	unpacker_fed(in->unpacker, (size_t)got);
	return got > 0;
}

/* Unpacked bytes behind what is in the buffer: how many, 0 at the end, or a negative errno. */
static ssize_t unpack_on(struct input_file *in, uint8_t *bytes, size_t size)
{
	for (;;) {
		ssize_t got = unpacker_take(in->unpacker, bytes, size);
		int fed;

		if (got > 0)
			return got;
		if (got < 0)
			return input_file_refuse(in, -EBADMSG, "broken: %s", unpacker_fault(in->unpacker));
		fed = feed(in);
		if (fed < 0)
			return fed;
		if (!fed)
			return unpacker_is_whole(in->unpacker)
				       ? 0
				       : input_file_refuse(in, -EBADMSG,
							   "truncated: the file ends within its compressed data");
	}
}

/* Bytes behind what is in the buffer: how many, 0 at the end, or a negative errno. */
static ssize_t read_on(struct input_file *in)
{
	size_t used = (size_t)(in->end - in->buffer);
	ssize_t got;

	if (in->unpacker)
		return unpack_on(in, in->buffer + used, in->size - used);
	got = read_some(in, in->buffer + used, in->size - used);
	return got < 0 ? input_file_refuse(in, -errno, "%s", strerror(errno)) : got;
}

int input_file_unpack(struct input_file *in)
{
	int got = input_file_fill(in, UNPACKER_MAGIC);
	size_t left = input_file_left(in), size;
	const char *unread;

	if (got < 0)
		return got;
	unread = unpacker_unread(in->pos, left);
	if (unread)
		return input_file_refuse(in, -EBADMSG,
					 "is compressed; unpack it: %s FILE | "
					 "tcpfin-trace ... -",
					 unread);
	in->unpacker = unpacker_new(in->pos, left);
	if (!in->unpacker)
		return 0;
	if (unpacker_fault(in->unpacker))
		return input_file_refuse(in, -ENOMEM, "%s", unpacker_fault(in->unpacker));
	memcpy(unpacker_room(in->unpacker, &size), in->pos, left); /* what was read of the file is the unpacker's */
	unpacker_fed(in->unpacker, left);
	in->end = in->pos;
	return 0;
}

int input_file_fill(struct input_file *in, size_t n)
{
	ssize_t got;
	int err;

	if (input_file_left(in) >= n)
		return 1;
	err = make_room(in, n);
	while (!err && input_file_left(in) < n) {
		got = read_on(in);
		if (got < 0)
			return (int)got;
		if (!got)
			return 0;
		in->end += got;
	}
	return err ? err : 1;
}

int input_file_await(struct input_file *in, size_t n, const char *what)
{
	int got = input_file_fill(in, n);
	size_t left = input_file_left(in);

	if (got || !left)
		return got;
	return input_file_refuse(in, -EBADMSG, "truncated: the file ends within %s, %zu of %zu bytes are there", what,
				 left, n);
}
