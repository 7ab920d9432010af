/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kafka's process: it takes records from the program and hands them to brokers.
 */
#ifndef TCPFIN_PRODUCER_H
#define TCPFIN_PRODUCER_H

#include <stdbool.h>

#include "user/kafka/exchange.h"
#include "user/kafka/settings.h"

#define PRODUCER_LAST_SECONDS 10 /* without a delivery, after the program's end, until what waits is given up */

struct producer_start {
	int records; /* socket, of messages */
	int alive;   /* a pipe: one byte when it is ready; closed when it ends */
	struct exchange_state *state;
	const struct kafka_settings *settings;
	const char *topic;
	bool patient; /* waits where the library's queue is full, as long as the program is there: captures can wait */
};

/*
 * Runs until the program has closed its end of the socket and what it handed over is delivered or given up. Where it
 * cannot start, state->trouble says why. Gives up its rights once it has read its keys and certificates.
 */
_Noreturn void producer_run(const struct producer_start *start);

#endif
