// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Community ID = "1:" + base64(SHA-1(seed, lower end's address, other's address, protocol, 0, their ports)), all in
 * network byte order, the ends ordered by address and then port.
 */
#include "user/record/community_id.h"

#include <sha1.h>
#include <string.h>

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

/*
 * SHA-1 of the first `len` bytes of a block, at most 55; the rest of the block is zero. With the padding (RFC 3174
 * section 4) this is the only block, and twice as fast as adding piece by piece.
 */
static void digest_of_block(uint8_t digest[SHA1_DIGEST_LENGTH], uint8_t block[SHA1_BLOCK_LENGTH], size_t len)
{
	SHA1_CTX sha1;

	block[len] = 0x80;
	append_be16(block + SHA1_BLOCK_LENGTH - 2, (uint16_t)(8 * len)); /* in bits */
	SHA1Init(&sha1);
	SHA1Transform(sha1.state, block);
	for (int i = 0; i < SHA1_DIGEST_LENGTH; i += 4) {
		append_be16(digest + i, (uint16_t)(sha1.state[i / 4] >> 16));
		append_be16(digest + i + 2, (uint16_t)sha1.state[i / 4]);
	}
}

/* Base64 (RFC 4648 section 4) of a SHA-1 digest: 20 bytes are 26 2/3 digits, so one '=' ends it. */
static void digest_base64(char *text, const uint8_t digest[SHA1_DIGEST_LENGTH])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t group;
	int i;

	for (i = 0; i < SHA1_DIGEST_LENGTH; i += 3) {
		group = digest[i] << 16 | digest[i + 1] << 8;
		if (i + 2 < SHA1_DIGEST_LENGTH)
			group |= digest[i + 2];
		*text++ = digits[group >> 18];
		*text++ = digits[group >> 12 & 63];
		*text++ = digits[group >> 6 & 63];
		*text++ = digits[group & 63];
	}
	text[-1] = '=';
	text[0] = '\0';
}

void community_id(char id[COMMUNITY_ID_SIZE], int family, const struct record_end end[2])
{
	size_t ip_len = family == 4 ? 4 : 16;
	const struct record_end *low = end_before(&end[1], &end[0], ip_len) ? &end[1] : &end[0];
	const struct record_end *high = low == &end[0] ? &end[1] : &end[0];
	uint8_t block[SHA1_BLOCK_LENGTH] = {0}, digest[SHA1_DIGEST_LENGTH], *p = block + 2; /* the seed is 0 */

	memcpy(p, low->ip, ip_len);
	memcpy(p + ip_len, high->ip, ip_len);
	p += 2 * ip_len;
	*p++ = 6; /* TCP */
	*p++ = 0;
	p = append_be16(append_be16(p, low->port), high->port);

	digest_of_block(digest, block, (size_t)(p - block));
	id[0] = '1';
	id[1] = ':';
	digest_base64(id + 2, digest);
}
