// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The helper's side. A namespace has a number for as long as it is there, which is all that the program can say; the
 * helper knows by which name or process it is entered, and that it is still the same one. None is held open: a
 * namespace whose last name and process have gone ends, as soon as the program has closed its sockets there.
 */
#include "user/attach/namespace_answers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/attach/interface_query.h"
#include "user/attach/link_create.h"
#include "user/base/route_question.h"
#include "user/helper/helper.h"
#include "user/sockets/net_namespaces.h"

static struct namespaces {
	const char *which;
	struct known {
		struct net_namespace namespace;
		uint32_t number; /* 0: the place is free */
		bool found;      /* in the last look */
		bool untold;     /* the program has not been told of its coming, or with !found of its going */
	} known[NAMESPACES_MAX];
	uint32_t last_number;
	struct entry_maps maps;
} namespaces;

/* ---- which there are ---- */

static bool is_same(const struct net_namespace *a, const struct net_namespace *b)
{
	return a->inode == b->inode && a->device == b->device;
}

static int note_found(void *context, const struct net_namespace *namespace)
{
	struct namespaces *n = context;
	struct known *place = NULL;

	for (int i = 0; i < NAMESPACES_MAX; i++) {
		struct known *k = &n->known[i];

		if (k->number && is_same(&k->namespace, namespace)) {
			k->namespace = *namespace; /* the process by which it is entered may be another one now */
			k->found = true;
			return 0;
		}
		place = place || k->number ? place : k;
	}
	if (place)
		*place = (struct known){
			.namespace = *namespace, .number = ++n->last_number, .found = true, .untold = true};
	return 0;
}

/* Looks for what has come and gone. 0, or a negative errno, and then nothing is taken for gone. */
static int look(struct namespaces *n)
{
	int err;

	for (int i = 0; i < NAMESPACES_MAX; i++)
		n->known[i].found = false;
	err = net_namespaces_list(n->which, note_found, n);
	for (int i = 0; i < NAMESPACES_MAX; i++) {
		struct known *k = &n->known[i];

		k->found |= err && err != -ENOENT;
		if (k->number && !k->found && k->untold)
			k->number = 0; /* it came and went between two questions */
		k->untold |= k->number && !k->found;
	}
	return err == -ENOENT && n->last_number ? 0 : err;
}

static int answer_namespaces(void *context, const struct helper_question *q, struct helper_reply *reply)
{
	struct namespaces *n = context;
	int err = look(n);

	(void)q;
	for (int i = 0; i < NAMESPACES_MAX; i++)
		reply->number += n->known[i].number && n->known[i].untold;
	return err;
}

static int answer_namespace(void *context, const struct helper_question *q, struct helper_reply *reply)
{
	struct namespaces *n = context;

	(void)q;
	for (int i = 0; i < NAMESPACES_MAX; i++) {
		struct known *k = &n->known[i];

		if (!k->number || !k->untold)
			continue;
		reply->number = k->number;
		reply->inode = k->namespace.inode;
		reply->gone = !k->found;
		snprintf(reply->name, sizeof(reply->name), "%s", k->namespace.name);
		k->untold = false;
		k->number = k->found ? k->number : 0;
		return 0;
	}
	return -ENOENT;
}

/* ---- inside ---- */

/* What is done in a namespace, and for which question. */
struct errand {
	const struct namespaces *namespaces;
	const struct net_namespace *wanted;
	const struct helper_question *question;
	int (*run)(const struct namespaces *n, const struct helper_question *q); /* a descriptor or a negative errno */
	int result;
};

static int run_errand(void *context, const struct net_namespace *namespace)
{
	struct errand *e = context;

	e->result = is_same(namespace, e->wanted) ? e->run(e->namespaces, e->question) : -ESTALE;
	return 0;
}

/* Enters the namespace of the question's number for the errand. 0 or a negative errno. */
static int send_into(struct namespaces *n, struct errand *e, struct helper_reply *reply)
{
	int err = -ENOENT;

	for (int i = 0; i < NAMESPACES_MAX; i++) {
		if (!n->known[i].number || n->known[i].number != e->question->namespace)
			continue;
		e->wanted = &n->known[i].namespace;
		err = net_namespaces_visit(e->wanted->name, run_errand, e);
	}
	return err ? err : helper_reply_descriptor(reply, e->result);
}

static int make_route(const struct namespaces *n, const struct helper_question *q)
{
	(void)n;
	(void)q;
	return route_open();
}

static int answer_route(void *context, const struct helper_question *q, struct helper_reply *reply)
{
	struct errand errand = {.namespaces = context, .question = q, .run = make_route};

	return send_into(context, &errand, reply);
}

static int make_link(const struct namespaces *n, const struct helper_question *q)
{
	int program = entry_program_load(&n->maps, (enum entry)q->program, q->interface), link;

	if (program < 0)
		return program;
	link = link_create(q->ifindex, program, (enum link_place)q->place);
	close(program);
	return link;
}

static int answer_link(void *context, const struct helper_question *q, struct helper_reply *reply)
{
	struct errand errand = {.namespaces = context, .question = q, .run = make_link};

	if (q->program >= ENTRIES || q->place >= LINK_PLACES)
		return -EINVAL;
	return send_into(context, &errand, reply);
}

/* ---- offering ---- */

void namespace_answers_offer(const char *which)
{
	namespaces.which = which;
	helper_offer(HELPER_NAMESPACES, answer_namespaces, &namespaces);
	helper_offer(HELPER_NAMESPACE, answer_namespace, &namespaces);
	helper_offer(HELPER_ROUTE, answer_route, &namespaces);
}

void namespace_answers_offer_links(const struct entry_maps *maps)
{
	namespaces.maps = *maps;
	helper_offer(HELPER_LINK, answer_link, &namespaces);
}
