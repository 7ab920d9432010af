/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets' programs and their user-space end: loads what this kernel has of them, and fills the table of stories.
 */
#ifndef TCPFIN_SOCKET_EVENTS_H
#define TCPFIN_SOCKET_EVENTS_H

#include "user/sockets/socket_table.h"

struct socket_events;

/* Loads and attaches all that this kernel has. settle: ns, as in options. NULL: nothing, the reason has been said. */
struct socket_events *socket_events_start(uint64_t settle);
void socket_events_stop(struct socket_events *s);
/* Takes what the kernel has told since the last time. */
void socket_events_poll(struct socket_events *s);
struct socket_join socket_events_find(const struct socket_events *s, const struct flow_key *key, const struct flow *f);
/* Says on stderr what was lost, if anything was. */
void socket_events_note_losses(const struct socket_events *s);

#endif
