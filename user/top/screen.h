/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --top in a terminal: the table of the last interval, and what keys make of it: another order, other groups, a filter,
 * a pause.
 */
#ifndef TCPFIN_SCREEN_H
#define TCPFIN_SCREEN_H

#include "user/top/span.h"

#define SCREEN_TEXT 100

enum screen_prompt { PROMPT_NONE, PROMPT_FILTER, PROMPT_GROUPS };

/* All zeroes, and groups. */
struct screen {
	enum span_order order;
	bool paused;
	bool quit;                 /* q was pressed */
	struct groups groups;      /* asked for; the next interval has them */
	char filter[SCREEN_TEXT];  /* see span_view */
	enum screen_prompt prompt; /* what is being typed */
	char typed[SCREEN_TEXT];
	const char *fault; /* why what was typed was not taken; NULL: it was */
	struct span_view view;
};

/* Takes the key. False: it changes nothing that is shown. */
bool screen_key(struct screen *s, int key);
/* Draws the span. unicode: the locale's character set is UTF-8. */
void screen_draw(struct screen *s, const struct span *span, bool unicode);

#endif
