// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Patterns are those of the shell. An interface's own name may hold such a character, which then matches itself.
 */
#include <fnmatch.h>
#include <string.h>

#include "user/cli/interface_pattern.h"

bool interface_is_pattern(const char *name)
{
	return !strcmp(name, "any") || strpbrk(name, "*?");
}

bool interface_pattern_matches(const char *pattern, const char *name)
{
	return !strcmp(pattern, "any") || (interface_is_pattern(pattern) && !fnmatch(pattern, name, 0));
}

bool interface_patterns_given(const struct options *options)
{
	for (unsigned i = 0; i < options->interfaces.count; i++)
		if (interface_is_pattern(options->interfaces.names[i]))
			return true;
	return false;
}

bool interfaces_may_be_several(const struct options *options)
{
	return options->interfaces.count > 1 || interface_patterns_given(options) || options->netns;
}

bool interface_patterns_match(const struct options *options, bool names, const char *name)
{
	for (unsigned i = 0; i < options->interfaces.count; i++)
		if (interface_pattern_matches(options->interfaces.names[i], name) ||
		    (names && !strcmp(options->interfaces.names[i], name)))
			return true;
	return false;
}
