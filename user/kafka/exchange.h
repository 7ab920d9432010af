/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the program and Kafka's process tell each other: records one way, in messages; counts the other way, in memory
 * that both have mapped.
 */
#ifndef TCPFIN_EXCHANGE_H
#define TCPFIN_EXCHANGE_H

#include <stdint.h>

/* Bytes of a message at most. It is whole entries, each a struct exchange_entry, its key and its value. */
#define EXCHANGE_MESSAGE 65536

struct exchange_entry {
	uint32_t key_size, value_size; /* bytes */
};

enum exchange_loss {
	EXCHANGE_QUEUE_FULL, /* brokers were away, and the memory for what waits was used up */
	EXCHANGE_TIMED_OUT,  /* no broker took it within message.timeout.ms */
	EXCHANGE_REFUSED,    /* a broker, or the library, refused it: too large, no such topic, no right to write */
	EXCHANGE_LOSSES
};

/* Written by Kafka's process alone, with atomic stores; the program believes none of it but as counts and text. */
struct exchange_state {
	uint64_t delivered;
	uint64_t lost[EXCHANGE_LOSSES];
	uint32_t troubles; /* how often `trouble` has been written */
	char trouble[256]; /* what stands in the way, NUL-terminated */
};

#endif
