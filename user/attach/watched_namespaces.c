// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The program's side of --netns. It holds two sockets in each namespace and nothing else: they keep the namespace there
 * until the next look finds that no name and no process has it any more.
 */
#include "user/attach/watched_namespaces.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/capability.h>

#include "user/attach/interface_news.h"
#include "user/attach/interface_query.h"
#include "user/base/exit_code.h"
#include "user/base/log.h"
#include "user/base/privileges.h"
#include "user/base/route_question.h"
#include "user/helper/helper.h"

/* ---- one namespace ---- */

static struct watched_namespace *free_place(struct watched_namespaces *n)
{
	for (unsigned i = 0; i < n->count; i++)
		if (!n->list[i].used)
			return &n->list[i];
	return n->count < NAMESPACES_MAX ? &n->list[n->count++] : NULL;
}

static void close_sockets(struct watched_namespace *w)
{
	if (w->netns.route >= 0)
		close(w->netns.route);
	if (w->news >= 0)
		close(w->news);
	w->used = false;
}

/* Opens the sockets by which it is asked, and tells what is new. open_one: a descriptor or a negative errno. */
static int open_sockets(struct watched_namespace *w, int open_one(const struct attach_netns *netns))
{
	int err;

	w->news = -1;
	w->netns.route = open_one(&w->netns);
	if (w->netns.route < 0)
		return w->netns.route;
	w->news = open_one(&w->netns);
	err = w->news < 0 ? w->news : interface_news_subscribe(w->news);
	w->used = !err;
	if (err)
		close_sockets(w);
	return err;
}

static int open_here(const struct attach_netns *netns)
{
	(void)netns;
	return route_open();
}

static int open_there(const struct attach_netns *netns)
{
	const struct helper_question question = {.request = HELPER_ROUTE, .namespace = netns->number};

	return helper_ask_descriptor(&question);
}

static void take(struct watched_namespaces *n, const struct helper_reply *found)
{
	struct watched_namespace *w = free_place(n);
	int err;

	if (!w)
		return;
	*w = (struct watched_namespace){.netns = {.number = found->number, .inode = found->inode}};
	snprintf(w->netns.name, sizeof(w->netns.name), "%s", found->name);
	err = open_sockets(w, open_there);
	if (err && err != -ENOENT && err != -ESTALE) /* else it has gone meanwhile */
		log_warn("network namespace %s cannot be watched: %s", w->netns.name, strerror(-err));
}

/* ---- all of them ---- */

/* Asks for the next change that the helper has found. gone: NULL at the start, when nothing is watched yet. */
static int take_change(struct watched_namespaces *n, void gone(void *context, const struct attach_netns *netns),
		       void *context)
{
	const struct helper_question question = {.request = HELPER_NAMESPACE};
	struct helper_reply reply;
	int err = helper_ask(&question, &reply);

	if (err)
		return err;
	if (!reply.gone)
		take(n, &reply);
	for (unsigned i = 0; reply.gone && i < n->count; i++) {
		if (!n->list[i].used || n->list[i].netns.number != reply.number)
			continue;
		if (gone)
			gone(context, &n->list[i].netns);
		close_sockets(&n->list[i]);
	}
	return 0;
}

/* 0 or a negative errno. */
static int look(struct watched_namespaces *n, void gone(void *context, const struct attach_netns *netns), void *context)
{
	const struct helper_question question = {.request = HELPER_NAMESPACES};
	struct helper_reply reply;
	int err = helper_ask(&question, &reply);

	for (uint32_t i = 0; i < reply.number && !err; i++)
		err = take_change(n, gone, context);
	return err;
}

void watched_namespaces_look(struct watched_namespaces *n, void gone(void *context, const struct attach_netns *netns),
			     void *context)
{
	if (n->asked_for)
		look(n, gone, context);
}

/* Each namespace takes two descriptors, each interface up to three. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Returns an exit code. */
static int start_own(struct watched_namespaces *n)
{
	struct stat netns = {};
	int err;

	stat("/proc/self/ns/net", &netns);
	n->count = 1;
	n->list[0].netns.inode = (uint32_t)netns.st_ino;
	err = open_sockets(&n->list[0], open_here);
	if (!err)
		return EXIT_FINE;
	log_error("cannot ask for interfaces: %s", strerror(-err));
	return EXIT_RUNTIME;
}

int watched_namespaces_start(struct watched_namespaces *n, const char *which, bool wait)
{
	int err;

	if (!which)
		return start_own(n);
	n->asked_for = true;
	n->everywhere = !strcmp(which, "all");
	if (!privileges_have(CAP_SYS_ADMIN)) {
		log_error("--netns %s: entering a network namespace takes CAP_SYS_ADMIN; run it with sudo", which);
		return EXIT_PERMISSION;
	}
	raise_limit();
	namespace_answers_offer(which);
	err = look(n, NULL, NULL);
	if (!err)
		return EXIT_FINE;
	if (err == -ENOENT && wait) {
		log_note("network namespace %s is not there: waiting for it", which);
		return EXIT_FINE;
	}
	log_error("--netns %s: %s", which,
		  err == -ENOENT ? "neither /run/netns nor the processes have that network namespace" : strerror(-err));
	return err == -ENOENT ? EXIT_USAGE : privileges_exit_code(err);
}

bool watched_namespaces_news(struct watched_namespaces *n)
{
	static struct pollfd ready[NAMESPACES_MAX];
	bool news = false;

	for (unsigned i = 0; i < n->count; i++)
		ready[i] = (struct pollfd){.fd = n->list[i].used ? n->list[i].news : -1, .events = POLLIN};
	if (poll(ready, n->count, 0) <= 0)
		return false;
	for (unsigned i = 0; i < n->count; i++)
		news |= ready[i].revents && interface_news_taken(ready[i].fd);
	return news;
}

const struct attach_netns *watched_namespaces_single(const struct watched_namespaces *n)
{
	for (unsigned i = 0; i < n->count; i++)
		if (n->list[i].used)
			return &n->list[i].netns;
	return NULL;
}

void watched_namespaces_free(struct watched_namespaces *n)
{
	for (unsigned i = 0; i < n->count; i++)
		if (n->list[i].used)
			close_sockets(&n->list[i]);
}
