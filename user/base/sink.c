// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Deals once with partial writes, interruptions and non-blocking pipes.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/sink.h"
#include "user/base/stop.h"

/*
 * How many bytes of an unfinished line have been written once the buffer's first `done` bytes are, with those that
 * earlier writes wrote of the same line.
 */
static size_t half_line(const struct buffer *b, size_t done)
{
	size_t whole = done;

	while (whole && b->data[whole - 1] != '\n')
		whole--;
	return whole ? done - whole : b->begun + done;
}

/* Removes the last `half` bytes, an unfinished line on a full disk. Does nothing to what is no file. */
static void take_back(int fd, size_t half)
{
	off_t end = lseek(fd, 0, SEEK_CUR);

	if (end >= 0 && half && ftruncate(fd, end - (off_t)half))
		return; /* the caller reports the error of the write */
}

/* Is it where statistics are printed? A line of them must not come into the middle of another line there. */
static bool is_stderr(int fd)
{
	struct stat ours, stderrs;

	return fstat(fd, &ours) || fstat(STDERR_FILENO, &stderrs) ||
	       (ours.st_dev == stderrs.st_dev && ours.st_ino == stderrs.st_ino);
}

/* A signal ends a write early, with what it has written, or the wait for room. */
static void interrupted(int fd)
{
	if (!is_stderr(fd))
		stats_answer();
	stop_interrupted();
}

int sink_write_bytes(int fd, const void *bytes, size_t len, size_t *done)
{
	const char *data = bytes;
	int err = 0;

	*done = 0;
	while (*done < len && !err) {
		ssize_t n = write(fd, data + *done, len - *done);

		if (n >= 0)
			*done += (size_t)n;
		else if (errno == EAGAIN)
			poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
		else if (errno != EINTR)
			err = -errno;
		if (*done < len && !err)
			interrupted(fd);
	}
	return err;
}

/* Writes the first `len` bytes, and removes them from the buffer whatever becomes of them. */
static int write_first(int fd, struct buffer *b, size_t len)
{
	size_t done;
	int err = sink_write_bytes(fd, b->data, len, &done);

	b->begun = half_line(b, done);
	if (err)
		take_back(fd, b->begun);
	b->len -= len;
	if (b->len)
		memmove(b->data, b->data + len, b->len);
	return err;
}

int sink_write_whole(int fd, struct buffer *b)
{
	size_t done;
	int err = sink_write_bytes(fd, b->data, b->len, &done);

	if (err && done) {
		take_back(fd, done);
		lseek(fd, -(off_t)done, SEEK_CUR); /* a later write leaves no hole */
	}
	b->len = 0;
	return err;
}

int sink_write(int fd, struct buffer *b)
{
	return write_first(fd, b, b->len);
}

int sink_write_blocks(int fd, struct buffer *b)
{
	off_t at = lseek(fd, 0, SEEK_CUR);
	size_t over = ((at > 0 ? (size_t)at : 0) + b->len) % SINK_BLOCK;

	return over < b->len ? write_first(fd, b, b->len - over) : 0;
}
