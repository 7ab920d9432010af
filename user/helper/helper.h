/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process of ours that keeps rights which the program gives up, answers a closed list of requests, and hands back
 * descriptors. It is forked before the program has read anything from outside, and ends when the program ends.
 *
 * Order of use: helper_offer for each request that the options need, helper_start, helper_ask. Before helper_start the
 * program answers itself what it asks.
 */
#ifndef TCPFIN_HELPER_H
#define TCPFIN_HELPER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum helper_request {
	HELPER_NEXT_FILE,  /* the output file that follows the present one, made anew */
	HELPER_SAME_FILE,  /* the present output file by its name, to write at its end */
	HELPER_DRAFT,      /* a file beside the one to be replaced, made anew and empty */
	HELPER_PUBLISH,    /* the draft takes the place of the file */
	HELPER_DISCARD,    /* the draft is removed */
	HELPER_NAMESPACES, /* looks for network namespaces that have come or gone; number: of changes to ask for */
	HELPER_NAMESPACE,  /* the next change: number, inode and name of a namespace, and whether it has gone */
	HELPER_ROUTE,      /* a socket for questions on interfaces, made in that namespace */
	HELPER_LINK,       /* a program on an interface of that namespace */
	HELPER_COLLECTOR,  /* a socket on its way to the collector */
	HELPER_REQUESTS
};

/*
 * A request and its numbers; those that it does not need are 0. Whoever has taken over the program can name neither a
 * file nor a place: namespaces are numbered by the helper.
 */
struct helper_question {
	uint32_t request;
	uint32_t namespace;
	uint32_t ifindex;
	uint32_t program, place; /* of HELPER_LINK: user/attach/namespace_answers.c */
	uint32_t interface;      /* the number that stands for it in keys */
	uint32_t file;           /* HELPER_NEXT_FILE, HELPER_SAME_FILE: enum output_file; else enum replaced_file */
};

struct helper_reply {
	int32_t error; /* 0 or a negative errno */
	uint32_t number, inode;
	uint32_t gone;
	char name[NAME_MAX + 1];
	int descriptor; /* -1: none. The receiver's, who gets it beside the message */
};

/*
 * What the helper does for a request, and what the program does until there is a helper. Fills in *reply, which is
 * zeroed but for its descriptor. 0 or a negative errno. context is the helper's own copy.
 */
typedef int helper_answer(void *context, const struct helper_question *question, struct helper_reply *reply);
/* What such a function returns for a descriptor, which goes into the reply, or a negative errno. */
int helper_reply_descriptor(struct helper_reply *reply, int descriptor);

void helper_offer(enum helper_request request, helper_answer *answer, void *context);
/* The descriptor, above those of standard error and before, is for the helper alone: helper_start closes it here. */
void helper_give(int descriptor);
/* The descriptor is for the program alone: the helper closes its copy, so that who is at the other end sees its end. */
void helper_withhold(int descriptor);
/*
 * Forks the helper, if it has anything to answer and is not there yet. It keeps its user, and of its capabilities only
 * what its requests need (privileges_keep_for_helper). 0 or a negative errno.
 */
int helper_start(void);
/*
 * Asks and waits for the answer. 0, or a negative errno: the answer's, or that of a helper that is gone (-EPIPE) or
 * answers what was not asked (-EPROTO), such as by a descriptor.
 */
int helper_ask(const struct helper_question *question, struct helper_reply *reply);
/* The same of a request that is answered by a descriptor: returns it, which is the caller's, or a negative errno. */
int helper_ask_descriptor(const struct helper_question *question);

#endif
