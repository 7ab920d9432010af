/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of the records of a connection counts, by event.id: its final one. An interim record counts where no final one
 * follows, because whoever wrote the file ended before.
 *
 * Memory is bounded: it knows the connections of the last FINAL_RECORDS / 2 records at least, and keeps WAITING_RECORDS
 * interim ones. An interim record beyond these counts when it comes.
 */
#ifndef TCPFIN_FINAL_RECORDS_H
#define TCPFIN_FINAL_RECORDS_H

#include "user/record/record.h"

#define FINAL_RECORDS (1u << 20)
#define WAITING_RECORDS (1u << 15)

struct final_records;

/* NULL where memory is short. */
struct final_records *final_records_new(void);
void final_records_free(struct final_records *f); /* NULL is nothing */
/* Takes the next record. Is its connection one more? Exits where memory is short. */
bool final_records_take(struct final_records *f, const struct record *r);
/* After the last one: take(context, r) of each interim record that no final one has followed, in their order. */
void final_records_each_waiting(struct final_records *f, void (*take)(void *context, const struct record *r),
				void *context);
/* How many final records were of a connection that had one. */
uint64_t final_records_again(const struct final_records *f);

#endif
