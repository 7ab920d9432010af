// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Nothing but the filters is left behind by an instance that was killed: the kernel removes links.
 */
#include "user/attach/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/attach/clsact.h"
#include "user/attach/interface_words.h"
#include "user/base/log.h"
#include "user/base/privileges.h"

static int clean_up(const struct interface_found *interface)
{
	int removed = clsact_clean(interface->ifindex);

	if (removed < 0) {
		log_error("%s: cannot remove filters: %s", interface->name, strerror(-removed));
		return privileges_exit_code(removed);
	}
	clsact_note_removed(interface->name, removed);
	return EXIT_FINE;
}

int cleanup_run(const struct options *options)
{
	static const struct option_interfaces all = {.names = {"any"}, .count = 1};
	const struct option_interfaces *words = options->interfaces.count ? &options->interfaces : &all;
	struct interface_found *list;
	int count = interface_words_list(words, &list), code = EXIT_FINE;

	if (count < 0)
		return count == -ENODEV ? EXIT_USAGE : EXIT_RUNTIME;
	for (int i = 0; i < count && !code; i++)
		code = clean_up(&list[i]);
	free(list);
	return code;
}
