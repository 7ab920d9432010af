/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records into a topic of Kafka (--kafka). Without that option all functions do nothing; a pointer to struct kafka may
 * then be NULL.
 */
#ifndef TCPFIN_KAFKA_H
#define TCPFIN_KAFKA_H

#include "user/cli/options.h"
#include "user/record/record.h"

struct kafka;

/*
 * Starts Kafka's process and waits until it is ready, which does not take a broker; call before rights are given up. *k
 * is NULL where the option was not given; to be freed by kafka_free. options must outlive it. An exit code; errors have
 * been logged.
 */
int kafka_start(struct kafka **k, const struct options *options);
/*
 * Hands over a record: the key is its Community ID, the value its JSON. Where the process is behind, a capture waits;
 * live, the record is counted as lost once KAFKA_WAITING bytes wait.
 */
void kafka_add(struct kafka *k, const struct record *r);
#define KAFKA_WAITING (8 << 20)
/* To be called again and again: hands over what waits, and logs what the process has to say. */
void kafka_poll(struct kafka *k);
/* Nothing more comes. Waits until the process has delivered what it has, or has given up; logs what was lost. */
void kafka_end(struct kafka *k);
/* Records that are known to be lost: that no broker has taken, or will. */
uint64_t kafka_lost(const struct kafka *k);
void kafka_free(struct kafka *k);

#endif
