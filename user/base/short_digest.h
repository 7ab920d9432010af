/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-1 (RFC 3174) of messages that fit into one block.
 */
#ifndef TCPFIN_SHORT_DIGEST_H
#define TCPFIN_SHORT_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define SHORT_DIGEST_SIZE 20
#define SHORT_DIGEST_BLOCK 64
#define SHORT_DIGEST_MAX 55 /* bytes of a message: the padding takes the rest of the block */

/* The digest of the first `len` bytes of a block, at most SHORT_DIGEST_MAX; the rest of the block is zero. */
void short_digest(uint8_t digest[SHORT_DIGEST_SIZE], uint8_t block[SHORT_DIGEST_BLOCK], size_t len);

#endif
