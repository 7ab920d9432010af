// SPDX-License-Identifier: GPL-2.0
/*
 * Signal handlers that ask to stop.
 */
#include "stop.h"

#include <unistd.h>

static volatile sig_atomic_t asked;

static void on_stop(int number)
{
	if (asked)
		_exit(128 + number);
	asked = 1;
}

void stop_catch_signals(sigset_t *signals)
{
	static const int stop[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	for (size_t i = 0; i < sizeof(stop) / sizeof(stop[0]); i++) {
		sigaction(stop[i], &(struct sigaction){.sa_handler = on_stop}, NULL);
		if (signals)
			sigaddset(signals, stop[i]);
	}
	signal(SIGPIPE, SIG_IGN);
}

void stop_ask(void)
{
	asked = 1;
}

bool stop_asked(void)
{
	return asked;
}
