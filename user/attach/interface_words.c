// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A name must be there; a pattern may stand for nothing.
 */
#include "user/attach/interface_words.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "user/base/log.h"
#include "user/base/route_question.h"
#include "user/cli/interface_pattern.h"

/* Does the word stand for the interface? A name may be an alternative one, which the kernel knows. */
static bool stands_for(const char *word, int route, const struct interface_found *interface)
{
	if (interface_is_pattern(word))
		return interface_pattern_matches(word, interface->name);
	return interface_index(route, word) == interface->ifindex;
}

/* Keeps the interfaces that a word stands for, and returns how many they are. */
static int keep_wanted(const struct option_interfaces *words, int route, struct interface_found *list, int count)
{
	int kept = 0;

	for (int n = 0; n < count; n++) {
		bool wanted = false;

		for (unsigned i = 0; i < words->count && !wanted; i++)
			wanted = stands_for(words->names[i], route, &list[n]);
		if (wanted)
			list[kept++] = list[n];
	}
	return kept;
}

/* 0, or -ENODEV once a word that names no interface has been logged. */
static int check_present(const struct option_interfaces *words, int route)
{
	for (unsigned i = 0; i < words->count; i++) {
		if (interface_is_pattern(words->names[i]) || interface_index(route, words->names[i]))
			continue;
		log_error("%s: no such interface; `ip link` lists them", words->names[i]);
		return -ENODEV;
	}
	return 0;
}

static int list_by(const struct option_interfaces *words, int route, struct interface_found **list)
{
	int err = check_present(words, route), count;

	if (err)
		return err;
	count = interface_list(route, list);
	if (count < 0) {
		log_error("cannot list the interfaces: %s", strerror(-count));
		return count;
	}
	return keep_wanted(words, route, *list, count);
}

int interface_words_list(const struct option_interfaces *words, struct interface_found **list)
{
	int route = route_open(), count;

	if (route < 0) {
		log_error("cannot ask for interfaces: %s", strerror(-route));
		return route;
	}
	count = list_by(words, route, list);
	close(route);
	return count;
}
