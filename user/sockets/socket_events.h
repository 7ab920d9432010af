/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The BPF programs at the kernel's socket tracepoints: loads them, and reads their rings into the table of sockets.
 */
#ifndef TCPFIN_SOCKET_EVENTS_H
#define TCPFIN_SOCKET_EVENTS_H

#include "user/sockets/socket_table.h"

struct socket_events;

/*
 * Loads and attaches the programs whose tracepoints this kernel has. settle: ns, as in options. NULL: none could be
 * attached; the reason was logged.
 */
struct socket_events *socket_events_start(uint64_t settle);
void socket_events_stop(struct socket_events *s);
/* Reads all events that the rings hold. */
void socket_events_poll(struct socket_events *s);
/* The sockets of the flow's ends, as socket_table_find. */
struct socket_join socket_events_find(const struct socket_events *s, const struct socket_query *q);
/* Logs how many events were lost, if any were. */
void socket_events_note_losses(const struct socket_events *s);

#endif
