/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far the reading of captures has come, as a line on a terminal that is written over each second.
 */
#ifndef TCPFIN_PROGRESS_H
#define TCPFIN_PROGRESS_H

#include "user/base/buffer.h"
#include "user/capture/capture_files.h"

struct progress {
	bool shown;     /* there is somebody to see it */
	bool written;   /* a line stands on the terminal */
	uint64_t begun; /* monotonic clock, ns */
	uint64_t next;  /* when the next line is due */
};

/* quiet: nothing is ever shown. Nothing is where stderr is no terminal, or records go to a terminal, too. */
void progress_begin(struct progress *p, bool quiet);
/* Shows how far it is if a line is due. To be called often. */
void progress_show(struct progress *p, const struct capture_files *files);
/* Clears the line. */
void progress_end(struct progress *p);
/* Appends the line: "12% of 1.20 GB, 300 MB/s, 3.52s left". elapsed: ns. */
void progress_line(struct buffer *out, uint64_t done, uint64_t all, uint64_t elapsed);

#endif
