/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network namespaces whose interfaces are watched: the program's own, or those of --netns, as they come and go.
 */
#ifndef TCPFIN_WATCHED_NAMESPACES_H
#define TCPFIN_WATCHED_NAMESPACES_H

#include "user/attach/attach.h"
#include "user/attach/namespace_answers.h"

struct watched_namespaces {
	struct watched_namespace {
		struct attach_netns netns;
		int news; /* interface_news.h */
		bool used;
	} list[NAMESPACES_MAX];
	unsigned count;  /* places in the list, used or free again */
	bool asked_for;  /* --netns: they are the helper's to find and to enter */
	bool everywhere; /* --netns=all */
};

/*
 * Finds those that are there, for the value of --netns or NULL. wait: that there is none by that name is no error.
 * Returns an exit code; errors have been logged.
 */
int watched_namespaces_start(struct watched_namespaces *n, const char *which, bool wait);
/*
 * Finds what has come and gone. gone: called with each namespace that has gone, before its place is free again.
 * Without --netns it does nothing.
 */
void watched_namespaces_look(struct watched_namespaces *n, void gone(void *context, const struct attach_netns *netns),
			     void *context);
/* Has the kernel told of an interface of any of them that came, went or changed since the last call? */
bool watched_namespaces_news(struct watched_namespaces *n);
/* The only one, where there are not several; NULL: it is not there. */
const struct attach_netns *watched_namespaces_single(const struct watched_namespaces *n);
void watched_namespaces_free(struct watched_namespaces *n);

#endif
