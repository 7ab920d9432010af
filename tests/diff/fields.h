/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What two recorders or two judges hold is compared by one table of fields a struct, so that padding does not count and
 * a difference has a name.
 */
#ifndef TCPFIN_TEST_FIELDS_H
#define TCPFIN_TEST_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fields_of {
	FIELDS_SEGMENT, /* struct tcp_segment */
	FIELDS_SLOT,    /* struct flow_slot, but for the number of its block */
	FIELDS_BLOCK,   /* struct flow_block, but for its entries */
	FIELDS_ENTRY,   /* struct log_entry */
	FIELDS_FLOW,    /* struct flow */
	FIELDS_LINE,    /* struct flow_segment */
};

bool fields_equal(enum fields_of of, const void *a, const void *b);
/* A line on stdout for every field that differs. */
void fields_explain(enum fields_of of, const void *a, const void *b, const char *name_a, const char *name_b);
/* Do the tables cover every byte of the structs except padding, new fields included? If not, a line on stdout. */
bool fields_are_complete(void);

#endif
