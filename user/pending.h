/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Finished connections that settle: announced by the kernel, to be reported when their time has come.
 */
#ifndef TCPFIN_PENDING_H
#define TCPFIN_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "../bpf/core/record.h"

struct pending {
	struct pending *chain;       /* next of the same bucket */
	struct pending *prev, *next; /* queue in the order of arrival */
	uint64_t due;                /* ns, kernel time */
	uint64_t ring_full;          /* the kernel's count of unsent events when it was announced */
	bool news;                   /* changed since; the map has the newer state */
	struct flow_key key;
	struct closing_body body;
};

struct pending_table;

struct pending_table *pending_table_new(void);
void pending_table_free(struct pending_table *t);
struct pending *pending_find(struct pending_table *t, const struct flow_key *key);
/* The entry of the key, a new one at the end of the queue or the one that is there, moved to the end. NULL: no memory. */
struct pending *pending_put(struct pending_table *t, const struct flow_key *key);
void pending_remove(struct pending_table *t, struct pending *p);
/* The one that has waited longest, or NULL. */
struct pending *pending_first(struct pending_table *t);
uint32_t pending_count(const struct pending_table *t);

#endif
