/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a supervisor such as systemd is to know: that the program is ready, that it still goes round, that it stops.
 * The protocol is that of sd_notify(3). Without a supervisor that wants to know, these functions do nothing.
 */
#ifndef TCPFIN_SUPERVISOR_H
#define TCPFIN_SUPERVISOR_H

#include <stdint.h>

/* Opens the way to the supervisor that NOTIFY_SOCKET names; call before rights are given up. */
void supervisor_start(void);
void supervisor_ready(void);
/* To be called every now and then; now: ns of CLOCK_MONOTONIC. Tells the watchdog three times in its period. */
void supervisor_alive(uint64_t now);
void supervisor_stopping(void);

#endif
