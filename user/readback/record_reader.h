/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line of JSON -> a record, as the writer of format_json.c had it. What a record has and its JSON does not:
 *
 *	which segments a socket was asked about; the TTL of a handshake that is not listed; addresses of related
 *	connections; data that was repeated after a FIN; whether a side had been heard before its handshake was missed,
 *	or repeated its SYN-ACK for ever; whether the silence ended with payload that was answered
 *
 * A sentence that explains a verdict (-v) may say less of such a record. Its JSON and CSV are the same again.
 */
#ifndef TCPFIN_RECORD_READER_H
#define TCPFIN_RECORD_READER_H

#include "user/readback/json.h"
#include "user/record/record.h"

enum line_kind {
	LINE_RECORD, /* of a connection or a stray: event.dataset is tcpfin.close or tcpfin.stray */
	LINE_OTHER,  /* well-formed JSON of another dataset, or of another program */
	LINE_BROKEN, /* no JSON, or no record though its dataset says so */
};

struct record_reader;

/* NULL where memory is short. */
struct record_reader *record_reader_new(void);
void record_reader_free(struct record_reader *reader);

/*
 * Reads a line: len bytes and a NUL, which are overwritten. *record is the reader's, and is good until the next call;
 * its texts lie in the line. Of LINE_BROKEN, error says why. Members that this version does not know are passed over;
 * those of an older version, which has fewer, are as if they had not been seen.
 */
enum line_kind record_reader_take(struct record_reader *reader, char *line, size_t len, const struct record **record,
				  char *error, size_t error_size);

/*
 * Values of the last line that this version does not know, and that were passed over. *first: the path of the first
 * one, of JSON_PATH bytes, the reader's.
 */
unsigned record_reader_unknown(const struct record_reader *reader, const char **first);

#endif
