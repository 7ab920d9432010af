/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that the program writes as it goes on: standard output as a file (-o), and packets (-w). They are made anew
 * by size (-C) and time (-G), opened anew at SIGHUP. Where an option was not given, its functions do nothing.
 */
#ifndef TCPFIN_OUTPUT_H
#define TCPFIN_OUTPUT_H

#include <stddef.h>
#include <sys/stat.h>

#include "user/cli/options.h"

enum output_file {
	OUTPUT_RECORDS, /* -o */
	OUTPUT_PACKETS, /* -w */
	OUTPUTS
};

/*
 * Opens the files, that of -o in the place of standard output, and offers the helper to open the later ones; call
 * before rights are given up and before anything is read. An exit code; errors have been logged: one is that the file
 * is read from, or written to for something else.
 */
int output_start(const struct options *options);
/* Is it a file that the program reads, or writes to? After output_start. */
bool output_is_in_use(const struct stat *file, const struct options *options);
/* What keeps a file from being written, for people. err: a negative errno. */
const char *output_fault(int err);
/* Where to write; it stays the same. -1: there is no such file. */
int output_descriptor(enum output_file which);
/*
 * To be called between two records or packets, `waiting` bytes of which have not been written yet. True: write them,
 * then call output_turn: the present file is full or its time is over, or SIGHUP was received.
 */
bool output_due(enum output_file which, size_t waiting);
/* Has SIGHUP been received, and no file been opened anew since? */
bool output_hangup(enum output_file which);
/*
 * Puts the next file in the place of the present one, or the same one opened anew. True: the file is empty. If it
 * cannot be opened, that is logged and counted, what is written goes on to the present one, and it is tried again
 * after a second.
 */
bool output_turn(enum output_file which);
/* Logs how often no file could be opened, if ever. */
void output_note_failures(void);

#endif
