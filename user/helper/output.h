/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Standard output as a file (-o): made anew by size (-C) and time (-G), opened anew at SIGHUP. There is one standard
 * output, and so one state of it. Without -o all these functions do nothing.
 */
#ifndef TCPFIN_OUTPUT_H
#define TCPFIN_OUTPUT_H

#include <stddef.h>

#include "user/cli/options.h"

/*
 * Puts the file of -o in the place of standard output and offers the helper to open the later ones; call before
 * rights are given up and before anything is read. An exit code; errors have been logged.
 */
int output_start(const struct options *options);
/*
 * To be called between two records, `waiting` bytes of which have not been written yet. True: write them, then call
 * output_turn: the present file is full or its time is over, or SIGHUP was received.
 */
bool output_due(size_t waiting);
/* Has SIGHUP been received, and no file been opened anew since? */
bool output_hangup(void);
/*
 * Puts the next file in the place of standard output, or the same one opened anew. True: the file is empty. If it
 * cannot be opened, that is logged and counted, records go on to the present one, and it is tried again after a second.
 */
bool output_turn(void);
/* Logs how often no file could be opened, if ever. */
void output_note_failures(void);

#endif
