/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of interfaces that stand for those that are there and those that come: "any", and patterns such as "veth*".
 */
#ifndef TCPFIN_INTERFACE_PATTERN_H
#define TCPFIN_INTERFACE_PATTERN_H

#include <stdbool.h>

#include "user/cli/options.h"

/* Does the name stand for several interfaces? */
bool interface_is_pattern(const char *name);
/* Does it stand for the interface of that name? False for what is no pattern. */
bool interface_pattern_matches(const char *pattern, const char *name);
/* Is one of the names such a pattern? */
bool interface_patterns_given(const struct options *options);
/* May several interfaces be watched? */
bool interfaces_may_be_several(const struct options *options);
/* Does one of the patterns stand for the interface of this name? names: a name stands for its like, too. */
bool interface_patterns_match(const struct options *options, bool names, const char *name);

#endif
