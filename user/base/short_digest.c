// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A message that fits into one block with its padding takes one transformation, which is twice as fast as adding it
 * piece by piece.
 */
#include "user/base/short_digest.h"

#include <sha1.h>

_Static_assert(SHORT_DIGEST_SIZE == SHA1_DIGEST_LENGTH && SHORT_DIGEST_BLOCK == SHA1_BLOCK_LENGTH, "libmd's sizes");

void short_digest(uint8_t digest[SHORT_DIGEST_SIZE], uint8_t block[SHORT_DIGEST_BLOCK], size_t len)
{
	SHA1_CTX sha1;

	block[len] = 0x80; /* the padding: RFC 3174 section 4 */
	block[SHORT_DIGEST_BLOCK - 2] = (uint8_t)(8 * len >> 8);
	block[SHORT_DIGEST_BLOCK - 1] = (uint8_t)(8 * len); /* in bits */
	SHA1Init(&sha1);
	SHA1Transform(sha1.state, block);
	for (unsigned i = 0; i < SHORT_DIGEST_SIZE; i++)
		digest[i] = (uint8_t)(sha1.state[i / 4] >> (24 - 8 * (i % 4)));
}
