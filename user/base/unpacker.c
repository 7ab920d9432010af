// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * zlib and libzstd behind one interface: packed bytes wait in a buffer of the unpacker's.
 */
#include "user/base/unpacker.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

static const uint8_t gzip_magic[] = {0x1f, 0x8b}, zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};

static const struct {
	uint8_t magic[UNPACKER_MAGIC];
	size_t len;
	const char *program;
} unread[] = {
	{{0xfd, '7', 'z', 'X'}, 4, "xzcat"},
	{{'B', 'Z', 'h'}, 3, "bzcat"},
	{{0x04, 0x22, 0x4d, 0x18}, 4, "lz4cat"},
};

struct unpacker {
	z_stream gzip;
	ZSTD_DStream *zstd; /* NULL: it is gzip */
	size_t at, fed;     /* the buffer's bytes that wait */
	bool whole;         /* a packed part has ended, and no other one has begun */
	const char *fault;
	uint8_t buffer[UNPACKER_INPUT];
};

static bool begins(const uint8_t *bytes, size_t len, const uint8_t *magic, size_t magic_len)
{
	return len >= magic_len && !memcmp(bytes, magic, magic_len);
}

const char *unpacker_unread(const uint8_t *magic, size_t len)
{
	for (size_t i = 0; i < sizeof(unread) / sizeof(unread[0]); i++)
		if (begins(magic, len, unread[i].magic, unread[i].len))
			return unread[i].program;
	return NULL;
}

static struct unpacker out_of_memory = {.fault = "out of memory"};

struct unpacker *unpacker_new(const uint8_t *magic, size_t len)
{
	bool gzip = begins(magic, len, gzip_magic, sizeof(gzip_magic));
	bool zstd = begins(magic, len, zstd_magic, sizeof(zstd_magic));
	struct unpacker *u = gzip || zstd ? calloc(1, sizeof(*u)) : NULL;

	if (!gzip && !zstd)
		return NULL;
	if (!u)
		return &out_of_memory;
	u->whole = true;
	if (zstd)
		u->zstd = ZSTD_createDStream();
	if (zstd ? !u->zstd : inflateInit2(&u->gzip, 16 + MAX_WBITS) != Z_OK)
		u->fault = out_of_memory.fault;
	return u;
}

void unpacker_free(struct unpacker *u)
{
	if (!u || u == &out_of_memory)
		return;
	if (u->zstd)
		ZSTD_freeDStream(u->zstd);
	else
		inflateEnd(&u->gzip);
	free(u);
}

void *unpacker_room(struct unpacker *u, size_t *size)
{
	u->at = u->fed = 0;
	*size = sizeof(u->buffer);
	return u->buffer;
}

void unpacker_fed(struct unpacker *u, size_t len)
{
	u->fed = len;
}

/* Zeroes after the last part are padding (of tapes and of some downloads), not a part. */
static bool only_padding(struct unpacker *u)
{
	while (u->whole && u->at < u->fed && !u->buffer[u->at])
		u->at++;
	return u->at == u->fed;
}

/* Unpacks once. How many bytes, or -1. */
static ssize_t take_gzip(struct unpacker *u, uint8_t *bytes, size_t size)
{
	z_stream *z = &u->gzip;
	int result;

	if (u->whole && inflateReset(z) != Z_OK)
		return -1;
	z->next_in = u->buffer + u->at;
	z->avail_in = (unsigned)(u->fed - u->at);
	z->next_out = bytes;
	z->avail_out = (unsigned)size;
	result = inflate(z, Z_NO_FLUSH);
	u->at = u->fed - z->avail_in;
	u->whole = result == Z_STREAM_END;
	return result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR ? (ssize_t)(size - z->avail_out) : -1;
}

static ssize_t take_zstd(struct unpacker *u, uint8_t *bytes, size_t size)
{
	ZSTD_inBuffer in = {u->buffer, u->fed, u->at};
	ZSTD_outBuffer out = {bytes, size, 0};
	size_t result = ZSTD_decompressStream(u->zstd, &out, &in);

	u->at = in.pos;
	u->whole = !result;
	return ZSTD_isError(result) ? -1 : (ssize_t)out.pos;
}

/*
 * More may come out of what went in already, though nothing waits: so an output that was filled is asked for again
 * before more is fed.
 */
ssize_t unpacker_take(struct unpacker *u, uint8_t *bytes, size_t size)
{
	ssize_t got;

	while (!only_padding(u) || !u->whole) {
		size_t at = u->at;

		got = u->zstd ? take_zstd(u, bytes, size) : take_gzip(u, bytes, size);
		if (got < 0)
			u->fault = "the compressed data are damaged";
		if (got || u->at == at)
			return got;
	}
	return 0;
}

bool unpacker_is_whole(const struct unpacker *u)
{
	return u->whole;
}

const char *unpacker_fault(const struct unpacker *u)
{
	return u->fault;
}
