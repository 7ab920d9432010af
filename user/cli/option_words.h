/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of the command line that are no options: interfaces or files, then a packet expression.
 */
#ifndef TCPFIN_OPTION_WORDS_H
#define TCPFIN_OPTION_WORDS_H

struct options;

struct option_words {
	char **list;
	int before, count; /* words before "--", and in all */
};

/*
 * Stores what the words say. Live, the words up to the first that is no interface are interfaces; with -r, those that
 * name files are files. "--" ends them. The rest, joined, is the expression. -1 to go on, or an exit code once an error
 * has been logged.
 */
int option_words_take(struct options *o, const struct option_words *words);

#endif
