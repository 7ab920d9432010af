// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What happens to one interface does not concern the others: they are watched on. The state of each is asked for anew
 * at every check: notifications of the kernel say only that there is something to ask, and they can be lost.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/attach/interface_query.h"
#include "user/attach/interfaces.h"
#include "user/base/log.h"
#include "user/base/privileges.h"
#include "user/cli/interface_pattern.h"

#define LOOK_NS 200000000ULL /* between two looks for namespaces, at least: each takes a look at all processes */

/* --follow: the interface is watched once it is there. */
static void plan_absent(struct interfaces *s, const char *name)
{
	struct watched *w = &s->watched[s->count++];

	w->attachment.hook = HOOK_TC;
	w->lost = true;
	snprintf(w->wanted, sizeof(w->wanted), "%s", name);
	log_note("%s is not there: waiting for it", name);
}

static bool is_at(const struct watched *w, const struct attach_netns *netns, unsigned ifindex)
{
	return w->attachment.netns.number == netns->number && w->attachment.ifindex == ifindex;
}

/* Is the interface watched already? */
static bool is_watched(const struct interfaces *s, const struct attachment *a)
{
	for (unsigned i = 0; i < s->count; i++)
		if (!s->watched[i].lost && is_at(&s->watched[i], &a->netns, a->ifindex))
			return true;
	return false;
}

/* Numbers are unique for all of the run. From one the interface's place is known: see interfaces_find. */
static void give_number(struct interfaces *s, struct watched *w)
{
	if (s->namespaces.asked_for)
		w->attachment.number = (uint32_t)(w - s->watched) + WATCHED_MAX * ++s->numbers;
}

/* Has --netns left open in which namespaces a name is looked for? Then it need not be in any, as with a pattern. */
static bool takes_matches(const struct interfaces *s)
{
	return interface_patterns_given(s->options) || s->namespaces.everywhere;
}

/* Plans an interface that was named. Returns an exit code. */
static int plan_named(struct interfaces *s, const char *name)
{
	const struct attach_netns *netns = watched_namespaces_single(&s->namespaces);
	struct watched *w = &s->watched[s->count];
	char error[512];
	int err = netns ? attach_plan(&w->attachment, netns, name, s->options->hook, error, sizeof(error)) : -ENODEV;

	if (err == -ENODEV && s->options->follow) {
		plan_absent(s, name);
		return EXIT_FINE;
	}
	if (err) {
		log_error("%s", error);
		return err == -ENODEV ? EXIT_USAGE : privileges_exit_code(err);
	}
	if (is_watched(s, &w->attachment)) {
		log_error("%s is named twice", name);
		return EXIT_USAGE;
	}
	snprintf(w->wanted, sizeof(w->wanted), "%s", name);
	s->count++;
	return EXIT_FINE;
}

/* Has an interface that a pattern stands for been dealt with: is it watched, or could it not be? */
static bool is_known(const struct interfaces *s, const struct attach_netns *netns, unsigned ifindex)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct watched *w = &s->watched[i];

		if ((!w->lost && is_at(w, netns, ifindex)) ||
		    (w->refused == ifindex && w->attachment.netns.number == netns->number))
			return true;
	}
	return false;
}

/* A place for one more interface: one that nobody waits for, or a new one; NULL if all are taken, which is logged. */
static struct watched *free_place(struct interfaces *s)
{
	for (unsigned i = 0; s->count == WATCHED_MAX && i < s->count; i++)
		if (s->watched[i].lost && s->watched[i].matched)
			return &s->watched[i];
	if (s->count < WATCHED_MAX)
		return &s->watched[s->count++];
	if (!s->crowded)
		log_warn("more than %d interfaces match: the others are not watched", WATCHED_MAX);
	s->crowded = true;
	return NULL;
}

/* Gives the interface a place, planned; lost, and refused from now on, where it cannot be watched. */
static struct watched *plan_matched(struct interfaces *s, const struct attach_netns *netns,
				    const struct interface_found *interface)
{
	struct watched *w = free_place(s);
	char error[512];

	if (!w)
		return NULL;
	*w = (struct watched){.matched = true};
	snprintf(w->wanted, sizeof(w->wanted), "%s", interface->name);
	if (attach_plan(&w->attachment, netns, interface->name, s->options->hook, error, sizeof(error))) {
		log_warn("%s", error);
		w->attachment.hook = HOOK_TC;
		w->refused = interface->ifindex;
		w->lost = true;
	}
	return w;
}

/* Takes an interface that has come, or is there at the start. */
typedef void take_interface(struct interfaces *s, const struct attach_netns *netns,
			    const struct interface_found *interface);

/* Calls take for each interface of the namespace that a word stands for and that has no place yet. */
static void take_matches_in(struct interfaces *s, const struct attach_netns *netns, take_interface *take)
{
	struct interface_found *list = NULL;
	int count = interface_list(netns->route, &list);

	for (int i = 0; i < count; i++)
		if (interface_patterns_match(s->options, s->namespaces.everywhere, list[i].name) &&
		    !is_known(s, netns, list[i].ifindex))
			take(s, netns, &list[i]);
	free(list);
}

static void take_matches(struct interfaces *s, take_interface *take)
{
	struct watched_namespaces *n = &s->namespaces;

	for (unsigned i = 0; takes_matches(s) && i < n->count; i++)
		if (n->list[i].used)
			take_matches_in(s, &n->list[i].netns, take);
}

static void take_at_start(struct interfaces *s, const struct attach_netns *netns,
			  const struct interface_found *interface)
{
	plan_matched(s, netns, interface);
}

int interfaces_plan(struct interfaces *s, const struct options *options)
{
	int code = watched_namespaces_start(&s->namespaces, options->netns, options->follow);

	s->options = options;
	for (unsigned i = 0; i < options->interfaces.count && !code && !s->namespaces.everywhere; i++)
		if (!interface_is_pattern(options->interfaces.names[i]))
			code = plan_named(s, options->interfaces.names[i]);
	if (!code)
		take_matches(s, take_at_start);
	return code;
}

/* ---- starting ---- */

static const char *hook_text(const struct attachment *a)
{
	bool links = a->links[0] > 0 || a->links[1] > 0;

	if (a->loopback)
		return a->hook == HOOK_TC ? (links ? "tc out (tcx)" : "tc out (clsact)")
					  : (a->hook == HOOK_XDP ? "native XDP in" : "generic XDP in");
	if (a->hook == HOOK_XDP)
		return "native XDP in, tc out";
	if (a->hook == HOOK_XDP_GENERIC)
		return "generic XDP in, tc out";
	return links ? "tc in and out (tcx)" : "tc in and out (clsact)";
}

/* Logs the hook, and what will not be seen for a reason that the user can change. */
static void note_interface(struct watched *w)
{
	const struct attachment *a = &w->attachment;

	log_note("%s: %s: %s", attach_label(a), hook_text(a), a->reason);
	w->down = !attach_is_up(a);
	if (w->down)
		log_note("%s is down: nothing will be seen before `ip link set %s up`", attach_label(a), a->name);
	else if (!attach_has_address(a))
		log_note("%s has no address: only forwarded, bridged or mirrored traffic will be seen",
			 attach_label(a));
}

/*
 * Attaches to one interface; falls back from XDP to tc with --hook=auto. 0, or a negative errno with a line in error.
 */
static int start(struct interfaces *s, struct watched *w, char *error, size_t error_size)
{
	struct attachment *a = &w->attachment;
	int removed = a->netns.number ? 0 : clsact_clean(a->ifindex), err;

	give_number(s, w);
	if (removed > 0)
		clsact_note_removed(a->name, removed);
	err = attach_start(a, &s->programs, error, error_size);
	if (err && s->options->hook == HOOK_AUTO && a->hook == HOOK_XDP) {
		snprintf(a->reason, sizeof(a->reason), "no native XDP here (%s)", strerror(-err));
		a->hook = HOOK_TC;
		err = attach_start(a, &s->programs, error, error_size);
	}
	if (!err)
		note_interface(w);
	return err;
}

/* Is any of our programs in a tcx chain, where others may put programs before ours? */
static bool in_tcx_chain(const struct interfaces *s)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->watched[i].attachment.tcx[0] || s->watched[i].attachment.tcx[1])
			return true;
	return false;
}

/* May an interface come later that is to be watched then? */
static bool is_one_absent(const struct interfaces *s)
{
	if (takes_matches(s))
		return true;
	for (unsigned i = 0; i < s->count; i++)
		if (s->watched[i].lost)
			return true;
	return false;
}

int interfaces_start(struct interfaces *s, const struct attach_programs *programs)
{
	char error[512];

	s->programs = *programs;
	for (unsigned i = 0; i < s->count; i++) {
		int err = s->watched[i].lost ? 0 : start(s, &s->watched[i], error, sizeof(error));

		if (err) {
			log_error("%s", error);
			return privileges_exit_code(err);
		}
	}
	return EXIT_FINE;
}

void interfaces_watch_order(struct interfaces *s)
{
	if (in_tcx_chain(s) || (is_one_absent(s) && attach_has_tcx(s->programs.tc)))
		s->tcx_order = tcx_order_start();
}

void interfaces_stop(struct interfaces *s)
{
	for (unsigned i = 0; i < s->count; i++)
		attach_stop(&s->watched[i].attachment);
	tcx_order_stop(s->tcx_order);
	s->tcx_order = NULL;
}

void interfaces_free(struct interfaces *s)
{
	watched_namespaces_free(&s->namespaces);
}

bool interfaces_need_net_admin(const struct interfaces *s)
{
	for (unsigned i = 0; i < s->count; i++)
		if (attach_needs_net_admin(&s->watched[i].attachment))
			return true;
	return !s->namespaces.asked_for && is_one_absent(s) && !attach_has_tcx(s->programs.tc);
}

/* ---- what becomes of them ---- */

static void lose(struct interfaces *s, struct watched *w, const char *name, const char *what)
{
	attach_stop(&w->attachment); /* before it is said */
	s->former[s->formers++ % FORMER_MAX] = w->attachment;
	if (w->matched)
		log_note("%s %s", name, what);
	else
		log_error("%s %s: %s", name, what, s->options->follow ? "waiting for it" : "it is no longer watched");
	w->lost = true;
	w->refused = 0;
	memset(w->before_us, 0, sizeof(w->before_us));
}

/* Watches the interface again if there is one of that name. */
static void find_again(struct interfaces *s, struct watched *w, const char *name)
{
	const struct attach_netns *netns = watched_namespaces_single(&s->namespaces);
	unsigned ifindex = netns ? interface_index(netns->route, name) : 0;
	char error[512];
	int err;

	if (!ifindex || ifindex == w->refused)
		return;
	err = attach_plan(&w->attachment, netns, name, s->options->hook, error, sizeof(error));
	err = err ? err : start(s, w, error, sizeof(error));
	if (err) {
		log_error("%s is there and cannot be watched: %s", name, error);
		w->refused = ifindex;
		return;
	}
	w->lost = false;
}

static void note_change(struct watched *w, const char *name)
{
	const struct attachment *a = &w->attachment;
	bool down = !attach_is_up(a);

	if (strcmp(name, attach_label(a)) != 0)
		log_note("%s is named %s now", name, a->name);
	if (down != w->down)
		log_note("%s is %s", attach_label(a), down ? "down" : "up");
	w->down = down;
}

/*
 * Logs who has come before our program, or that it is first again. It does not move to the head of the chain: the other
 * program might do the same, without end.
 */
static void note_before_us(struct watched *w, int direction)
{
	const char *name = attach_label(&w->attachment), *who = w->attachment.before_us[direction];
	const char *where = direction ? "egress" : "ingress";

	if (!strcmp(who, w->before_us[direction]))
		return;
	memcpy(w->before_us[direction], who, sizeof(w->before_us[direction]));
	if (*who)
		log_warn("%s: another %s comes before ours at tc %s: what it does not pass on is not seen", name, who,
			 where);
	else
		log_warn("%s: ours is the first program at tc %s again", name, where);
}

static void look_before_us(const struct interfaces *s, struct attachment *a, int direction)
{
	const struct tcx_order_record *first = tcx_order_of(s->tcx_order, a->tcx[direction]);

	a->before_us[direction][0] = 0;
	if (first)
		snprintf(a->before_us[direction], TCX_ORDER_TEXT, "program (id %u, \"%s\")", first->program,
			 first->name);
}

static void check_before_us(struct interfaces *s)
{
	bool asked = s->tcx_order && !tcx_order_look(s->tcx_order);

	for (unsigned i = 0; i < s->count; i++)
		for (int direction = 0; direction < 2; direction++) {
			struct watched *w = &s->watched[i];

			if (asked && w->attachment.tcx[direction])
				look_before_us(s, &w->attachment, direction);
			note_before_us(w, direction);
		}
}

static void check(struct interfaces *s, struct watched *w)
{
	char name[ATTACH_LABEL];

	snprintf(name, sizeof(name), "%s", attach_label(&w->attachment));
	switch (attach_state(&w->attachment)) {
	case ATTACH_ON:
		note_change(w, name);
		return;
	case ATTACH_OFF:
		lose(s, w, name, "lost our program, which somebody detached");
		return;
	case ATTACH_MOVED:
		lose(s, w, name, "has moved to another network namespace");
		return;
	case ATTACH_GONE:
		lose(s, w, name, "has vanished");
		return;
	case ATTACH_UNKNOWN:
		return;
	}
}

/* An interface has come that a pattern stands for. */
static void take_newcomer(struct interfaces *s, const struct attach_netns *netns,
			  const struct interface_found *interface)
{
	struct watched *w = plan_matched(s, netns, interface);
	char error[512];

	if (!w || w->lost || !start(s, w, error, sizeof(error)))
		return;
	log_warn("%s cannot be watched: %s", interface->name, error);
	w->refused = interface->ifindex;
	w->lost = true;
}

bool interfaces_changed(struct interfaces *s)
{
	return watched_namespaces_news(&s->namespaces);
}

/* A namespace has gone, and all of its interfaces with it, as soon as no socket of ours is there any more. */
static void lose_namespace(void *context, const struct attach_netns *netns)
{
	struct interfaces *s = context;

	for (unsigned i = 0; i < s->count; i++) {
		struct watched *w = &s->watched[i];

		if (!w->lost && w->attachment.netns.number == netns->number)
			lose(s, w, attach_label(&w->attachment), "has gone with its network namespace");
	}
}

void interfaces_look_for_namespaces(struct interfaces *s, uint64_t now)
{
	if (now - s->looked < LOOK_NS)
		return;
	watched_namespaces_look(&s->namespaces, lose_namespace, s);
	s->looked = now;
}

unsigned interfaces_check(struct interfaces *s)
{
	unsigned left = takes_matches(s);

	for (unsigned i = 0; i < s->count; i++) {
		struct watched *w = &s->watched[i];

		if (!w->lost)
			check(s, w);
		else if (s->options->follow && !w->matched)
			find_again(s, w, w->wanted);
		left += !w->lost || (s->options->follow && !w->matched);
	}
	take_matches(s, take_newcomer);
	check_before_us(s);
	return left;
}

unsigned interfaces_numbers(const struct interfaces *s, uint32_t *list, unsigned room)
{
	unsigned count = 0;

	for (unsigned i = 0; i < s->count && count < room; i++)
		if (!s->watched[i].lost)
			list[count++] = s->watched[i].attachment.number;
	return count;
}

unsigned interfaces_namespaces(const struct interfaces *s, uint32_t *list, unsigned room)
{
	unsigned count = 0;

	for (unsigned i = 0; i < s->namespaces.count && count < room; i++)
		if (s->namespaces.list[i].used)
			list[count++] = s->namespaces.list[i].netns.inode;
	return count;
}

static const struct attachment *find_watched(const struct interfaces *s, uint32_t number)
{
	const struct watched *place = &s->watched[number % WATCHED_MAX];

	if (s->namespaces.asked_for)
		return place->attachment.number == number ? &place->attachment : NULL;
	for (unsigned i = 0; i < s->count; i++)
		if (s->watched[i].attachment.number == number)
			return &s->watched[i].attachment;
	return NULL;
}

/* The newest first: the kernel may give an index again. */
static const struct attachment *find_former(const struct interfaces *s, uint32_t number)
{
	for (unsigned i = 1; i <= FORMER_MAX && i <= s->formers; i++)
		if (s->former[(s->formers - i) % FORMER_MAX].number == number)
			return &s->former[(s->formers - i) % FORMER_MAX];
	return NULL;
}

const struct attachment *interfaces_find(const struct interfaces *s, uint32_t number)
{
	const struct attachment *watched = find_watched(s, number);

	return watched ? watched : find_former(s, number);
}
