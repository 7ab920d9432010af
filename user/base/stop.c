// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Signal handlers that ask to stop.
 */
#include "user/base/stop.h"

#include <unistd.h>

/* How often, and by which signal last. */
static volatile sig_atomic_t asked, asked_by;

/* Of what is held: it stays so until it has been released. */
static volatile sig_atomic_t held;
static void (*held_release)(void *context);
static void *held_context;

static void on_stop(int number)
{
	asked_by = number;
	if (asked && !held)
		_exit(128 + number);
	asked = asked + 1;
}

void stop_hold(void (*release)(void *context), void *context)
{
	held_release = release;
	held_context = context;
	held = 1;
}

void stop_release(void)
{
	void (*release)(void *context) = held_release;

	held_release = NULL; /* it may wait for something, too */
	if (!release)
		return;
	release(held_context);
	held = 0;
	if (asked > 1)
		_exit(128 + asked_by);
}

void stop_interrupted(void)
{
	if (asked)
		stop_release();
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
