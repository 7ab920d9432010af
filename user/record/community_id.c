// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Community ID = "1:" + base64(SHA-1(seed, lower end's address, other's address, protocol, 0, their ports)), all in
 * network byte order, the ends ordered by address and then port.
 */
#include "user/record/community_id.h"

#include <string.h>

#include "user/base/base64.h"
#include "user/base/short_digest.h"

static bool end_before(const struct record_end *a, const struct record_end *b, size_t ip_len)
{
	int order = memcmp(a->ip, b->ip, ip_len);

	return order < 0 || (order == 0 && a->port < b->port);
}

static uint8_t *append_be16(uint8_t *p, uint16_t port)
{
	*p++ = port >> 8;
	*p++ = port & 0xff;
	return p;
}

uint8_t *community_ends(uint8_t *p, int family, const struct record_end end[2])
{
	size_t ip_len = family == 4 ? 4 : 16;
	const struct record_end *low = end_before(&end[1], &end[0], ip_len) ? &end[1] : &end[0];
	const struct record_end *high = low == &end[0] ? &end[1] : &end[0];

	memcpy(p, low->ip, ip_len);
	memcpy(p + ip_len, high->ip, ip_len);
	p += 2 * ip_len;
	return append_be16(append_be16(p, low->port), high->port);
}

void community_id(char id[COMMUNITY_ID_SIZE], int family, const struct record_end end[2])
{
	uint8_t block[SHORT_DIGEST_BLOCK] = {0}, digest[SHORT_DIGEST_SIZE], *p = block + 2; /* the seed is 0 */

	p = community_ends(p, family, end);
	memmove(p - 2, p - 4, 4); /* the protocol comes before the ports */
	p[-4] = 6;                /* TCP */
	p[-3] = 0;
	p += 2;
	short_digest(digest, block, (size_t)(p - block));
	id[0] = '1'; /* version */
	id[1] = ':';
	base64(id + 2, digest, sizeof(digest));
}
