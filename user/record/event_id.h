/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event.id: 128 bits that name a connection, the same in each of its records and in no record of another connection.
 */
#ifndef TCPFIN_EVENT_ID_H
#define TCPFIN_EVENT_ID_H

#include "user/record/record.h"

/*
 * From what Community ID is made of, the initial number of the source where it is known, the time of the first segment
 * and the name of the host. The other initial number may still be unknown in an interim record. start: ns since 1970,
 * by a clock that is not set while a connection lasts. id: 32 hexadecimal digits.
 */
void event_id(char id[EVENT_ID_SIZE], const struct record *r, uint64_t start);

#endif
