/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What signals ask of the program, in every mode: SIGINT, SIGTERM and SIGQUIT to stop, SIGUSR1 to print statistics,
 * SIGHUP to open the output file anew or, where there is none, to stop. A reader that has gone asks to stop as well.
 */
#ifndef TCPFIN_STOP_H
#define TCPFIN_STOP_H

#include <signal.h>
#include <stdbool.h>

/*
 * From here on the first signal only asks to stop. The second one ends the process at once with 128 + its number,
 * whatever the process waits for (a reader of our output that does not read, say); but what is held is released before.
 * The leader of the process's group may send the first one twice.
 * SIGPIPE is ignored: write() reports it. Adds the caught signals to `signals`, unless that is NULL.
 */
void stop_catch_signals(sigset_t *signals);
/*
 * Registers what would outlive the process, once in its life: release(context) is called once before the process ends,
 * whether by stop_release, a second signal or exit(), and never from a signal handler. It must not need memory: exit()
 * may have been called because there is none.
 */
void stop_hold(void (*release)(void *context), void *context);
/* Releases what is held. Ends the process if more than one signal has asked it to stop meanwhile. */
void stop_release(void);
/* To be called after a signal may have interrupted a wait. Releases what is held if the process is to stop. */
void stop_interrupted(void);
/* SIGHUP asks for output files to be opened anew from now on, and not to stop. Call before stop_catch_signals. */
void stop_hangup_reopens(void);
/* Has SIGHUP asked for that since the last call? */
bool stop_hangup_taken(void);
/*
 * last() is called before the process ends at once, by a second signal: from its handler, so that it may do only what
 * is async-signal-safe.
 */
void stop_before_exit(void (*last)(void));
/* Asks to stop, as a signal would. */
void stop_ask(void);
bool stop_asked(void);
/*
 * To be called before and after each wait for input: does what signals have asked for meanwhile. False: the process is
 * to stop and must not wait again.
 */
bool stop_go_on(void);

/*
 * print(context) answers SIGUSR1 with a line on stderr; it returns false to be called again later. NULL: SIGUSR1 waits
 * until there is one.
 */
void stats_on_signal(bool (*print)(void *context), void *context);
/* Prints statistics if SIGUSR1 has asked for them since the last time. */
void stats_answer(void);

#endif
