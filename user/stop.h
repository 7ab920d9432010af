/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Being asked to stop: by SIGINT, SIGTERM, SIGHUP or SIGQUIT, or by a reader that has gone.
 */
#ifndef TCPFIN_STOP_H
#define TCPFIN_STOP_H

#include <signal.h>
#include <stdbool.h>

/*
 * From here on those signals only ask; the second one ends the process at once, whatever it waits for (a reader of our
 * output that does not read, say). SIGPIPE is ignored: writes tell. Adds the signals to `signals`, unless it is NULL.
 */
void stop_catch_signals(sigset_t *signals);
/* As a signal would. */
void stop_ask(void);
bool stop_asked(void);

#endif
