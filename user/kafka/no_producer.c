// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kafka's process of a build without librdkafka (make KAFKA=0): it says so.
 */
#include <stdio.h>
#include <unistd.h>

#include "user/kafka/producer.h"

void producer_run(const struct producer_start *start)
{
	snprintf(start->state->trouble, sizeof(start->state->trouble), "this program was built without it");
	_exit(1);
}
