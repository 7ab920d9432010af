/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Being asked to stop: by SIGINT, SIGTERM, SIGHUP or SIGQUIT, or by a reader that has gone.
 */
#ifndef TCPFIN_STOP_H
#define TCPFIN_STOP_H

#include <signal.h>
#include <stdbool.h>

/*
 * From here on those signals only ask; the second one ends the process at once, whatever it waits for (a reader of our
 * output that does not read, say), but for what is held. SIGPIPE is ignored: writes tell. Adds the signals to `signals`,
 * unless it is NULL.
 */
void stop_catch_signals(sigset_t *signals);
/* What would outlive the process: release(context) is called before it ends, once, and not by a signal's handler. */
void stop_hold(void (*release)(void *context), void *context);
/* Releases what is held. Ends the process if it was asked for that more than once meanwhile. */
void stop_release(void);
/* Whoever waits for something says so when a signal has interrupted it. Releases what is held if the process is to end. */
void stop_interrupted(void);
/* As a signal would. */
void stop_ask(void);
bool stop_asked(void);

#endif
