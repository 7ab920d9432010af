/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Community ID, version 1, seed 0: the flow identifier that Zeek, Suricata and others agree on, so that records of
 * different tools can be joined. The same for both directions.
 */
#ifndef TCPFIN_COMMUNITY_ID_H
#define TCPFIN_COMMUNITY_ID_H

#include "user/record/record.h"

#define COMMUNITY_ID_SIZE sizeof("1:LQU9qZlK+B5F3KDmev6m5PMibrg=")

/*
 * Writes the lower end's address, the other's, and their ports, in network byte order. Returns the place behind them.
 * family: 4 or 6.
 */
uint8_t *community_ends(uint8_t *p, int family, const struct record_end end[2]);

/* The Community ID of the TCP connection between two ends. family: 4 or 6; id: is NUL-terminated. */
void community_id(char id[COMMUNITY_ID_SIZE], int family, const struct record_end end[2]);

#endif
