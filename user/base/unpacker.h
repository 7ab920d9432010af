/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unpacks gzip (RFC 1952) and zstd (RFC 8878). Several packed parts one after another are one file, as zcat and zstdcat
 * have it.
 */
#ifndef TCPFIN_UNPACKER_H
#define TCPFIN_UNPACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define UNPACKER_MAGIC 4            /* bytes that say how a file is packed */
#define UNPACKER_INPUT (256 * 1024) /* most that it can be fed with at once */

struct unpacker;

/*
 * An unpacker for a file that begins with these len bytes, which it is not fed with yet. NULL: the file is not packed.
 * Where memory is short there is one that has only a fault.
 */
struct unpacker *unpacker_new(const uint8_t *magic, size_t len);
void unpacker_free(struct unpacker *u); /* NULL is nothing */
/* Where the next packed bytes go, once unpacker_take has returned 0. *size: how many may be put there, not 0. */
void *unpacker_room(struct unpacker *u, size_t *size);
void unpacker_fed(struct unpacker *u, size_t len);
/* Unpacks at most size bytes, size > 0. How many, 0: it must be fed first, or -1: the packed bytes are broken. */
ssize_t unpacker_take(struct unpacker *u, uint8_t *bytes, size_t size);
/* Is what was fed whole, so that the file may end here? */
bool unpacker_is_whole(const struct unpacker *u);
/* The program that unpacks a file that begins so, packed in a way that is not read here; NULL: it is not packed so. */
const char *unpacker_unread(const uint8_t *magic, size_t len);
/* Why it cannot unpack; NULL: it can. */
const char *unpacker_fault(const struct unpacker *u);

#endif
