/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of the option table and the types of their values.
 */
#ifndef TCPFIN_OPTION_VALUES_H
#define TCPFIN_OPTION_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/buffer.h"

struct option_row;

/* What a parser returns instead of 0 where the option asks for text and nothing else. */
enum { OPTION_HELP = 1, OPTION_VERSION };

/* A type of value. Numbers have a scale, choices have names, other types have neither. */
struct option_kind {
	/*
	 * Stores the value of text at `where`; text is NULL where none was given. Returns 0, OPTION_HELP or
	 * OPTION_VERSION; -EINVAL for a value that the row does not allow, -E2BIG for one more than FILTER_MAX,
	 * -EBADMSG for one whose fault is in option_value_fault.
	 */
	int (*parse)(const struct option_row *row, void *where, const char *text);
	/* Appends a stored value as a user would type it. */
	void (*print)(struct buffer *b, const struct option_kind *kind, uint64_t value);
	uint64_t scale;                  /* stored units in one typed unit, a power of ten */
	const char *(*name)(unsigned i); /* name of the stored value i */
	unsigned names;                  /* number of names */
	const char *form;                /* end of the sentence "a NOUN is ..." in errors */
	bool once;                       /* a second, different value is an error */
	bool list;                       /* each value is added to those before it */
};

struct option_row {
	const char *group; /* heading in --help, in the first row of a group */
	const char *name;
	char letter;
	const struct option_kind *kind;
	size_t where, size; /* the member of struct options, in bytes */
	uint64_t min, max;  /* numbers: of the stored value. kind_fixed: min is the value */
	uint64_t implied;   /* numbers: stored where no value is given; 0: a value is required */
	const char *meta;   /* the value's name in --help; NULL: the option has no value */
	const char *noun;   /* what the value is, in errors */
	const char *help;
};

extern const struct option_kind kind_flag;    /* sets a bool */
extern const struct option_kind kind_fixed;   /* stores the row's min */
extern const struct option_kind kind_nothing; /* asks for what is done anyway */
extern const struct option_kind kind_help, kind_version;
extern const struct option_kind kind_count, kind_seconds, kind_milliseconds; /* uint32_t or uint64_t; times in ns */
extern const struct option_kind kind_bytes;                                  /* uint32_t, a power of two */
extern const struct option_kind kind_file_size;                              /* uint64_t, bytes */
extern const struct option_kind kind_format, kind_hook, kind_color;          /* an enum */
extern const struct option_kind kind_transport;                              /* an enum */
extern const struct option_kind kind_columns;                                /* struct option_columns */
extern const struct option_kind kind_groups;                                 /* struct groups */
extern const struct option_kind kind_listen;                                 /* struct option_listen */
extern const struct option_kind kind_collector;                              /* struct option_collector */
extern const struct option_kind kind_kafka;                                  /* struct option_kafka */
extern const struct option_kind kind_file;                                   /* a path, owned by argv */
extern const struct option_kind kind_netns;                                  /* a name, owned by argv */
extern const struct option_kind kind_interfaces;                             /* struct option_interfaces */
extern const struct option_kind kind_files;                                  /* struct option_files */
extern const struct option_kind kind_outcomes, kind_closers;                 /* struct record_filter_mask */
extern const struct option_kind kind_port, kind_host;                        /* struct filter */
extern const struct option_kind kind_patterns;                               /* struct record_filter_texts */
extern const struct option_kind kind_pid, kind_where;                        /* struct record_filter */
extern const struct option_kind kind_check;                                  /* struct checks */

/* What is wrong with a value that was refused with -EBADMSG: one line. */
extern char option_value_fault[512];

/* Appends the names of a choice: "a, b or c". */
void option_print_names(struct buffer *b, const struct option_kind *kind);

#endif
