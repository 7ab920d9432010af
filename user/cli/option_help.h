/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Texts that are made from the option table: help, version and errors.
 */
#ifndef TCPFIN_OPTION_HELP_H
#define TCPFIN_OPTION_HELP_H

#include "user/cli/option_values.h"

#define SEE_HELP "see tcpfin-trace --help"

struct options;

struct option_table {
	const struct option_row *rows;
	size_t count;
	const struct options *defaults;
};

/* Prints --help or --version to standard output. 0, or -EIO where it cannot be written. */
int option_help_print(const struct option_table *table);
int option_version_print(void);

/*
 * Logs why the row's option was refused: the negative errno of its parser, or -EEXIST (two different values), or -EIO
 * (its text cannot be written). text: the value, NULL for none. Returns the exit code.
 */
int option_refuse_value(const struct option_row *row, const char *text, int err);
/*
 * Logs why getopt_long refused a word. c: what it returned, ':' for a missing value, else '?'. row: the option, NULL
 * for an unknown one. Returns the exit code.
 */
int option_refuse_word(const struct option_table *table, int c, const struct option_row *row, const char *word);

#endif
