/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A strict reader of JSON (RFC 8259). It hands out each value with its path, in the text's order, and keeps nothing: no
 * tree, no allocation. Depth is bounded, text must be UTF-8, no string holds U+0000.
 *
 * It is ours because records must be read strictly and in bounded memory, inside the sandbox: yajl 2.1 is no longer
 * maintained and has open overflows, json-c makes numbers beyond 64 bits the largest one, jansson has no unsigned ones.
 */
#ifndef TCPFIN_JSON_H
#define TCPFIN_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH 16 /* objects and arrays within each other */
#define JSON_PATH 128 /* bytes of a path, its NUL included; a longer one is cut, and so equals no shorter one */

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_OBJECT, JSON_ARRAY };

struct json_value {
	enum json_type type;
	bool truth;      /* of JSON_BOOL */
	bool whole;      /* of JSON_NUMBER: an integer of at most 64 bits; else number is not known */
	bool negative;   /* of JSON_NUMBER */
	uint64_t number; /* of JSON_NUMBER: without its sign */
	char *text;      /* of JSON_STRING: unescaped, NUL-terminated; lies in the text that is read */
};

/*
 * Is called for each value; objects and arrays come before what is in them. path: the names from the outermost object
 * on, joined by dots; "[]" stands for the place in an array ("tcp.segments[].t"), and "" is the whole text. A name with
 * a dot in it is as good as two objects.
 */
typedef void (*json_visitor)(void *context, const char *path, const struct json_value *value);

/*
 * Reads one JSON text. text: len bytes and a NUL; unescaped strings overwrite it, and last as long as it does. NULL, or
 * what is wrong, with *at bytes before it.
 */
const char *json_read(char *text, size_t len, json_visitor visit, void *context, size_t *at);

#endif
