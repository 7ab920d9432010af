/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names by which --where knows the fields of a record: the columns of CSV, and short forms of them.
 *
 * A short form leaves out the group in front (tcp_, timing_, event_, network_, observer_) and the end: half_closed is
 * timing_half_closed, and port is source_port as well as destination_port. A comparison with such a name holds if it
 * holds of either end.
 */
#ifndef TCPFIN_FIELD_NAMES_H
#define TCPFIN_FIELD_NAMES_H

#include "user/filter/condition.h"

/* The subject is a struct record. */
extern const struct condition_names field_names;

#endif
