/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interfaces that the words of the command line stand for now, for what is done to each of them once.
 */
#ifndef TCPFIN_INTERFACE_WORDS_H
#define TCPFIN_INTERFACE_WORDS_H

#include "user/attach/interface_query.h"
#include "user/cli/options.h"

/*
 * Sets *list to the interfaces that are named or match a pattern, each once, in the kernel's order; to be freed by the
 * caller. Returns how many; -ENODEV where one that is named is not there, which has been logged, or another negative
 * errno, and no list.
 */
int interface_words_list(const struct option_interfaces *words, struct interface_found **list);

#endif
