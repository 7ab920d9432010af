// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * event.id = the first 128 bits of SHA-1 (both ends as in Community ID, initial number, start, host name).
 */
#include "user/record/event_id.h"

#include "user/base/short_digest.h"
#include "user/record/community_id.h"

#define HOST_BYTES 7 /* of the host name's hash: what the block has room for behind two IPv6 addresses */

static uint8_t *append_number(uint8_t *p, uint64_t number, unsigned bytes)
{
	while (bytes--)
		*p++ = (uint8_t)(number >> 8 * bytes);
	return p;
}

/* FNV-1a; 0 without a name. */
static uint64_t hash_of_name(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325;

	if (!name)
		return 0;
	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3;
	return hash;
}

void event_id(char id[EVENT_ID_SIZE], const struct record *r, uint64_t start)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t block[SHORT_DIGEST_BLOCK] = {0}, digest[SHORT_DIGEST_SIZE], *p = block;

	p = community_ends(p, r->family, r->end);
	p = append_number(p, r->isn[SOURCE] == NUMBER_UNSEEN ? 0 : (uint64_t)r->isn[SOURCE], 4);
	p = append_number(p, start, 8);
	p = append_number(p, hash_of_name(r->host), HOST_BYTES);
	short_digest(digest, block, (size_t)(p - block));
	for (unsigned i = 0; i < EVENT_ID_SIZE - 1; i++)
		id[i] = digits[digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
	id[EVENT_ID_SIZE - 1] = '\0';
}
