// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A handler only counts or notes; what it asks for is done by whoever calls from the program's own course. The one
 * exception is the second request to stop, which ends the process from the handler where nothing is held.
 */
#include "user/base/stop.h"

#include <stdlib.h>
#include <unistd.h>

#include "user/base/clock.h"

/* How often a stop was asked for, by which signal last, and when (ns). */
static volatile sig_atomic_t asked, asked_by;
static volatile uint64_t asked_at;

/*
 * timeout(1) sends its signal to the process and then, as its leader, to the process's group; sudo(8) between the two
 * passes on what it gets. The same signal so soon (ns) is the same request if the leader has sent one of them.
 */
#define ONE_REQUEST_NS (100 * MS_NS)
static pid_t leader;
static volatile sig_atomic_t asked_by_leader;

/* Something is held that would outlive the process: true until it has been released. */
static volatile sig_atomic_t held;
static void (*held_release)(void *context);
static void *held_context;

static void (*before_exit)(void);

static volatile sig_atomic_t stats_asked;
static bool (*stats_print)(void *context);
static void *stats_context;

static void end_at_once(int number)
{
	if (before_exit)
		before_exit();
	_exit(128 + number);
}

static bool is_same_request(int number, uint64_t now)
{
	return asked && asked_by == number && asked_by_leader && now - asked_at < ONE_REQUEST_NS;
}

static void on_stop(int number, siginfo_t *info, void *context)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	(void)context;
	asked_by_leader |= info->si_pid == leader;
	if (is_same_request(number, now))
		return;
	asked_by = number;
	asked_at = now;
	if (asked && !held)
		end_at_once(number);
	asked = asked + 1;
}

static volatile sig_atomic_t reopen_asked;
static bool hangup_reopens;

static void on_hangup(int number, siginfo_t *info, void *context)
{
	if (hangup_reopens)
		reopen_asked = 1;
	else
		on_stop(number, info, context);
}

static void on_stats(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	(void)context;
	stats_asked = 1;
}

/* Without SA_RESTART: a wait ends, and whoever waits looks at what the signal asks for. */
static void catch (int number, void (*handler)(int, siginfo_t *, void *), sigset_t *signals)
{
	sigaction(number, &(struct sigaction){.sa_sigaction = handler, .sa_flags = SA_SIGINFO}, NULL);
	if (signals)
		sigaddset(signals, number);
}

void stop_catch_signals(sigset_t *signals)
{
	static const int stop[] = {SIGINT, SIGTERM, SIGQUIT};

	leader = getpgrp();
	for (size_t i = 0; i < sizeof(stop) / sizeof(stop[0]); i++)
		catch (stop[i], on_stop, signals);
	catch (SIGHUP, on_hangup, signals);
	catch (SIGUSR1, on_stats, signals);
	signal(SIGPIPE, SIG_IGN);
}

/* ---- stopping ---- */

void stop_hold(void (*release)(void *context), void *context)
{
	held_release = release;
	held_context = context;
	held = 1;
	atexit(stop_release);
}

void stop_release(void)
{
	void (*release)(void *context) = held_release;

	held_release = NULL; /* release() may wait for something and so come here again */
	if (!release)
		return;
	release(held_context);
	held = 0;
	if (asked > 1)
		end_at_once(asked_by);
}

void stop_interrupted(void)
{
	if (asked)
		stop_release();
}

void stop_hangup_reopens(void)
{
	hangup_reopens = true;
}

bool stop_hangup_taken(void)
{
	bool taken = reopen_asked;

	if (taken)
		reopen_asked = 0;
	return taken;
}

void stop_before_exit(void (*last)(void))
{
	before_exit = last;
}

void stop_ask(void)
{
	asked = 1;
}

bool stop_asked(void)
{
	return asked;
}

bool stop_go_on(void)
{
	stats_answer();
	stop_interrupted();
	return !asked;
}

/* ---- statistics ---- */

void stats_on_signal(bool (*print)(void *context), void *context)
{
	stats_print = print;
	stats_context = context;
}

void stats_answer(void)
{
	static bool printing; /* to a reader that does not read, while more signals come */

	if (!stats_asked || !stats_print || printing)
		return;
	printing = true;
	stats_asked = 0;
	if (!stats_print(stats_context))
		stats_asked = 1;
	printing = false;
}
