/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where values belong that have no column in CSV, and so no value in the table of fields: what is in arrays, and the
 * objects whose presence says something.
 */
#ifndef TCPFIN_RECORD_MEMBERS_H
#define TCPFIN_RECORD_MEMBERS_H

#include "user/readback/record_places.h"

/* A record while it is read. */
struct record_draft {
	struct record record;
	struct record_segment stray; /* what a stray is */
	uint32_t without_ip_id;      /* a bit for each segment */
	unsigned vlans, interfaces;  /* that were read */
	unsigned runs[2];            /* by role: entries of flags that were begun */
	unsigned run_part;           /* which part of an entry is next: 0 flags, 1 their number */
};

/*
 * Takes the value if the path is one of them, and sets *fault to NULL or to why it cannot stand there. False: it is
 * none.
 */
bool record_member_take(struct record_draft *draft, const char *path, const struct json_value *value,
			const char **fault);

#endif
