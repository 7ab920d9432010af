/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exports records to an IPFIX collector (--ipfix): each connection once, by its final record. Without the option all
 * functions do nothing; a pointer to struct ipfix may then be NULL.
 */
#ifndef TCPFIN_IPFIX_H
#define TCPFIN_IPFIX_H

#include "user/cli/options.h"
#include "user/record/record.h"

struct ipfix;

/*
 * Finds the collector, connects and sends what the elements mean; call before rights are given up. *x is NULL where no
 * option asks for it; to be freed by ipfix_free. options must outlive it. An exit code; errors have been logged.
 */
int ipfix_start(struct ipfix **x, const struct options *options);
void ipfix_free(struct ipfix *x);
/* Exports the record that a connection counts by. forced: see ipfix_values_of. */
void ipfix_add(struct ipfix *x, const struct record *r, enum answer forced);
/* To be called again and again: does what is due. */
void ipfix_poll(struct ipfix *x);
/* Nothing more comes: sends the rest, and says what was lost. */
void ipfix_end(struct ipfix *x);
/* How many records are known not to have reached the collector. */
uint64_t ipfix_lost(const struct ipfix *x);

#endif
