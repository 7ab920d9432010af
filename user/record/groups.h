/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What connections are grouped by: fields, and the key that a record has under a list of them. A row of the table in
 * groups.c names a field, takes its value from a record and prints it.
 */
#ifndef TCPFIN_GROUPS_H
#define TCPFIN_GROUPS_H

#include <stdbool.h>

#include "user/base/buffer.h"
#include "user/record/record.h"

enum group_field {
	GROUP_PROCESS,
	GROUP_PEER,
	GROUP_PORT,
	GROUP_INTERFACE,
	GROUP_OUTCOME,
	GROUP_REASON,
	GROUP_UNIT,
	GROUP_CONTAINER,
	GROUP_FIELDS
};

/* Fields, each at most once, in the order of the user. */
struct groups {
	enum group_field field[GROUP_FIELDS];
	unsigned count;
};

/* A part of a key is a byte with its length, and so many bytes; no bytes where the record does not know the value. */
#define GROUP_PART 64
#define GROUP_KEY (GROUP_FIELDS * (GROUP_PART + 1))

struct group_key {
	uint16_t len;
	uint8_t bytes[GROUP_KEY];
};

/* The word for the field: "process"; and its heading: "PROCESS". */
const char *group_name(unsigned field);
const char *group_title(enum group_field field);
/* The terminal columns of the heading that most of its values fit into. */
unsigned group_width(enum group_field field);
/* Is the value a number, or a text? */
bool group_is_number(enum group_field field);

/*
 * Reads NAME[,NAME]..., each name once. 0, or -EINVAL for a name that is none or comes twice; then g is as it was.
 */
int groups_parse(struct groups *g, const char *text);

/* The record's key. */
void groups_key(const struct groups *g, const struct record *r, struct group_key *key);
/* Appends part number n of a key as text, escaped for a terminal. False, and nothing, where it is not known. */
bool groups_text(const struct groups *g, const uint8_t *key, unsigned n, struct buffer *out);
/* The same as a JSON value, null where it is not known. */
void groups_json(const struct groups *g, const uint8_t *key, unsigned n, struct buffer *out);

/*
 * The end of the connection that belongs to this host: the one whose process is named, else the one whose socket is
 * known. Of two, the one that sent the RST, else the destination, which serves. NOBODY where this host knows neither.
 */
enum role groups_local_end(const struct record *r);

#endif
