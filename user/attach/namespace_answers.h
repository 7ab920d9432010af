/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --netns: what the helper does for the program, which may enter no network namespace: it finds them, and makes sockets
 * and links in them.
 */
#ifndef TCPFIN_NAMESPACE_ANSWERS_H
#define TCPFIN_NAMESPACE_ANSWERS_H

#include "user/attach/entry_program.h"

#define NAMESPACES_MAX 1024

/* Offers HELPER_NAMESPACES, HELPER_NAMESPACE and HELPER_ROUTE. which: as net_namespaces_visit has it; owned by argv. */
void namespace_answers_offer(const char *which);
/*
 * Offers HELPER_LINK, once the programs are loaded. helper_question.program is of enum entry, place of enum link_place.
 */
void namespace_answers_offer_links(const struct entry_maps *maps);

#endif
