// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One datagram a state. A supervisor that does not read is not waited for: it will miss a message, and the next one of
 * the watchdog follows.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/base/decimal.h"
#include "user/base/log.h"
#include "user/base/supervisor.h"

static int supervisor = -1;
static uint64_t period, next; /* ns; period 0: no watchdog */

static void tell(const char *state)
{
	if (supervisor >= 0)
		send(supervisor, state, strlen(state), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The descriptor, or -1. A path that begins with '@' is in the abstract name space. */
static int connect_to(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	int fd;

	if ((*path != '/' && *path != '@') || len >= sizeof(to.sun_path))
		return -1;
	memcpy(to.sun_path, path, len);
	if (*path == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || !connect(fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)))
		return fd;
	close(fd);
	return -1;
}

/* WATCHDOG_USEC in ns, where it is meant for this process; else 0. */
static uint64_t watchdog_period(void)
{
	const char *period_us = getenv("WATCHDOG_USEC"), *whose = getenv("WATCHDOG_PID"), *end;
	uint64_t us, pid;

	if (whose && (!(end = decimal_read(whose, 1, &pid)) || *end || pid != (uint64_t)getpid()))
		return 0;
	end = period_us ? decimal_read(period_us, 1, &us) : NULL;
	return end && !*end && us < UINT64_MAX / US_NS ? us * US_NS : 0;
}

void supervisor_start(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (!path)
		return;
	supervisor = connect_to(path);
	period = watchdog_period();
	if (supervisor < 0)
		log_warn("NOTIFY_SOCKET: nobody is there to be told");
}

void supervisor_ready(void)
{
	tell("READY=1");
}

void supervisor_alive(uint64_t now)
{
	if (!period || now < next)
		return;
	next = now + period / 3;
	tell("WATCHDOG=1");
}

void supervisor_stopping(void)
{
	tell("STOPPING=1");
}
