// SPDX-License-Identifier: GPL-2.0
/*
 * Partial writes, interruptions and non-blocking pipes, dealt with once.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "sink.h"

/* A full disk takes half a line: off with it. What is no file is left alone. */
static void take_back(int fd, const struct buffer *b, size_t done)
{
	size_t whole = done;
	off_t end = lseek(fd, 0, SEEK_CUR);

	while (whole && b->data[whole - 1] != '\n')
		whole--;
	if (end >= 0 && whole < done && ftruncate(fd, end - (off_t)(done - whole)))
		return; /* the error at hand is the one to tell */
}

int sink_write(int fd, struct buffer *b)
{
	size_t done = 0;
	int err = 0;

	while (done < b->len && !err) {
		ssize_t n = write(fd, b->data + done, b->len - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
		else if (errno != EINTR)
			err = -errno;
	}
	if (err)
		take_back(fd, b, done);
	b->len = 0;
	return err;
}
