/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stores header fields of packets that tests build: network byte order, at any address.
 */
#ifndef TCPFIN_TEST_STORE_BE_H
#define TCPFIN_TEST_STORE_BE_H

#include <stdint.h>

static inline void store_be16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void store_be32(uint8_t *at, uint32_t value)
{
	store_be16(at, value >> 16);
	store_be16(at + 2, value);
}

#endif
