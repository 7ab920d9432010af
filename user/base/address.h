/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Converts addresses between the core's words in host byte order and bytes in network byte order.
 */
#ifndef TCPFIN_ADDRESS_H
#define TCPFIN_ADDRESS_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bpf/core/packet.h"

/* ip: set in network byte order; IPv4 uses the first four bytes, the others are 0. family: 4 or 6. */
static inline void address_to_bytes(uint8_t ip[16], const struct ip_address *a, int family)
{
	uint64_t hi = htobe64(a->hi), lo = htobe64(a->lo);
	uint32_t v4 = htobe32((uint32_t)a->lo);

	memset(ip, 0, 16);
	if (family == 4) {
		memcpy(ip, &v4, 4);
	} else {
		memcpy(ip, &hi, 8);
		memcpy(ip + 8, &lo, 8);
	}
}

/* ip: network byte order; of IPv4 only the first four bytes are read. family: 4 or 6. */
static inline struct ip_address address_from_bytes(const uint8_t ip[16], int family)
{
	if (family == 4)
		return (struct ip_address){.lo = load_be32(ip)};
	return (struct ip_address){.hi = load_be64(ip), .lo = load_be64(ip + 8)};
}

static inline bool address_equal(const struct ip_address *a, const struct ip_address *b)
{
	return a->hi == b->hi && a->lo == b->lo;
}

/* Are the first `bits` bits of two addresses in network byte order the same? */
static inline bool address_prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	if (memcmp(a, b, bytes) != 0)
		return false;
	return !rest || !((a[bytes] ^ b[bytes]) >> (8 - rest));
}

#endif
