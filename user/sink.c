// SPDX-License-Identifier: GPL-2.0
/*
 * Partial writes, interruptions and non-blocking pipes, dealt with once.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "sink.h"

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
	b->len = 0;
	return err;
}
