/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a file, a FIFO or standard input: a caller says how many it needs in a row, and gets them in memory or
 * learns why not. It is the only place that compares a length with what was read.
 *
 * The bytes are read into a buffer, not mapped. Measured on packets of 92 bytes, reads of 256 KiB are as fast as mmap
 * (52 and 55 million packets a second; full-size packets 4 and 6.5); and a file that shrinks or changes while it is
 * read cannot raise SIGBUS or change a length that was checked already.
 */
#ifndef TCPFIN_INPUT_FILE_H
#define TCPFIN_INPUT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

struct input_file {
	const char *name; /* for errors: the path, not copied, or "standard input" */
	int fd;
	const uint8_t *pos, *end; /* bytes that were read and are not taken yet */
	uint8_t *buffer;          /* grows to the largest number of bytes that was ever needed */
	size_t size;
	struct unpacker *unpacker;   /* between fd and the buffer; NULL: the file is not packed */
	void (*wait)(void *context); /* called before a read that has to wait; NULL: nothing is */
	void *wait_context;
	uint64_t taken;   /* bytes read of fd */
	off_t begin;      /* where reading began, of a regular file */
	int spool;        /* what is read is written there, too; -1: it is not */
	bool again;       /* it is read for the second time, whether a stop has been asked for or not */
	bool spool_short; /* it could not hold all */
	char why[192];    /* the reason of the last negative result, one line without the file's name */
};

/*
 * "-" is standard input. 0 or a negative errno with its reason, -EINTR when a signal has asked to stop;
 * input_file_close in both cases.
 */
int input_file_open(struct input_file *in, const char *path);
void input_file_close(struct input_file *in);

/*
 * Looks at the first bytes: of a file packed by gzip or zstd, its unpacked bytes are read from now on. Call before
 * anything is read. 0 or a negative errno.
 */
int input_file_unpack(struct input_file *in);

/* Can it be read again as it is? Else it needs a spool. */
bool input_file_is_lasting(const struct input_file *in);
/* Takes over fd, an empty file: what is read from now on is written to it as well. */
void input_file_spool(struct input_file *in, int fd);
/*
 * Begins again where reading began, packed or not. Only what was read before can be read, if it came through a spool,
 * and less where that had no room. 0 or a negative errno.
 */
int input_file_begin_again(struct input_file *in);

/* Sets the reason. Returns err, a negative errno, so that a caller can return the result. */
int input_file_refuse(struct input_file *in, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The reason as a line with the file's name. Returns err. */
int input_file_error(const struct input_file *in, int err, char *error, size_t size);

/*
 * Reads until n bytes lie at in->pos, which invalidates pointers into the buffer. 1, 0 when the file ends before that
 * (fewer bytes, perhaps none, lie there), or a negative errno. -EINTR: a signal has asked to stop (user/base/stop.h). A
 * pipe is never waited for when n bytes are there.
 */
int input_file_fill(struct input_file *in, size_t n);

static inline size_t input_file_left(const struct input_file *in)
{
	return (size_t)(in->end - in->pos);
}

/* input_file_need for the bytes that are not in the buffer yet. */
int input_file_await(struct input_file *in, size_t n, const char *what);

/*
 * Makes n bytes lie at in->pos. 1, 0 when the file ends here and not a byte is left, or a negative errno: -EBADMSG when
 * the file ends within these bytes. `what` names them for the reason ("a packet").
 */
static inline int input_file_need(struct input_file *in, size_t n, const char *what)
{
	return input_file_left(in) >= n ? 1 : input_file_await(in, n, what);
}

/* A number of a file: in the host's byte order or, if swapped, in the other one. */
static inline uint32_t ordered32(const uint8_t *p, bool swapped)
{
	uint32_t n;

	memcpy(&n, p, sizeof(n));
	return swapped ? __builtin_bswap32(n) : n;
}

static inline uint16_t ordered16(const uint8_t *p, bool swapped)
{
	uint16_t n;

	memcpy(&n, p, sizeof(n));
	return swapped ? __builtin_bswap16(n) : n;
}

static inline uint64_t ordered64(const uint8_t *p, bool swapped)
{
	uint64_t n;

	memcpy(&n, p, sizeof(n));
	return swapped ? __builtin_bswap64(n) : n;
}

#endif
