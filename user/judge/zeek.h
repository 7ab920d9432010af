/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Zeek calls the connection: conn_state and history.
 */
#ifndef TCPFIN_ZEEK_H
#define TCPFIN_ZEEK_H

#include "user/record/record.h"

/* Fills r->conn_state and r->history from the record's segments, bytes and midstream. */
void zeek_names(struct record *r);

#endif
