/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sockets' programs and their user-space end: loads what this kernel has of them, and fills the table of stories.
 */
#ifndef TCPFIN_SOCKETS_H
#define TCPFIN_SOCKETS_H

#include "socket_table.h"

struct sockets;

/* Loads and attaches all that this kernel has. settle: ns, as in options. NULL: nothing, the reason has been said. */
struct sockets *sockets_start(uint64_t settle);
void sockets_stop(struct sockets *s);
/* Takes what the kernel has told since the last time. */
void sockets_poll(struct sockets *s);
struct socket_join sockets_find(const struct sockets *s, const struct flow_key *key, const struct flow *f);
/* Says on stderr what was lost, if anything was. */
void sockets_note_losses(const struct sockets *s);

#endif
