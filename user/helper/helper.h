/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process of ours that keeps a right which the program gives up, answers a closed list of requests, and hands back
 * descriptors. It is forked before the program has read anything from outside, and ends when the program ends.
 */
#ifndef TCPFIN_HELPER_H
#define TCPFIN_HELPER_H

#include <limits.h>
#include <stdint.h>

enum helper_request {
	HELPER_NEXT_FILE, /* the output file that follows the present one, made anew */
	HELPER_SAME_FILE, /* the present output file by its name, to write at its end */
	HELPER_DRAFT,     /* a file beside the one to be replaced, made anew and empty */
	HELPER_PUBLISH,   /* the draft takes the place of the file: HELPER_DONE */
	HELPER_DISCARD,   /* the draft is removed: HELPER_DONE */
	HELPER_REQUESTS
};

/* The answer to a request that asks for no descriptor. */
#define HELPER_DONE INT_MAX

/*
 * What the helper does for each request: returns a descriptor, which the helper closes once it is handed over,
 * HELPER_DONE, or a negative errno: -EINVAL for a request that this helper does not serve. context is the helper's own
 * copy.
 */
typedef int helper_answer(void *context, enum helper_request request);

/*
 * Forks the helper. It keeps the descriptor `kept`, its user, and of its capabilities only CAP_DAC_OVERRIDE, by which
 * root writes where its user could not. Returns the descriptor to ask it by, or a negative errno.
 */
int helper_start(helper_answer *answer, void *context, int kept);
/*
 * Asks and waits for the answer. Returns a descriptor, the caller's, or HELPER_DONE, or a negative errno: the answer's,
 * or that of a helper that is gone (-EPIPE).
 */
int helper_ask(int helper, enum helper_request request);

#endif
