// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The width of the terminal that standard output is, or stands for.
 */
#include "user/base/terminal_width.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

unsigned terminal_width_of(int fd)
{
	struct winsize size;

	return ioctl(fd, TIOCGWINSZ, &size) ? 0 : size.ws_col;
}

unsigned terminal_width(void)
{
	const char *variable = getenv("COLUMNS");
	unsigned long n = variable ? strtoul(variable, NULL, 10) : 0;
	unsigned terminal = terminal_width_of(STDOUT_FILENO);

	if (terminal)
		return terminal;
	return n < 1000 ? (unsigned)n : 0;
}
