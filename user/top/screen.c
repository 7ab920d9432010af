// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From top to bottom: what happened, how it is shown, the table, and a line for notes and typing.
 */
#include "user/top/screen.h"

#include <stdio.h>
#include <string.h>

#include "user/format/cells.h"
#include "user/top/table_text.h"
#include "user/top/terminal.h"

#define ENTER '\r'
#define ESCAPE 27
#define CONTROL_L 12
#define ABOVE 3 /* lines above the groups: two heads, the heading */
#define BELOW 3 /* and below them: others, all, notes */

static const char *const order_names[ORDERS] = {
	[ORDER_CONNECTIONS] = "connections", [ORDER_RESETS] = "resets", [ORDER_WAITING] = "half-closed and stuck",
	[ORDER_CLOSE] = "p99 of the close",  [ORDER_GROUP] = "group",
};

/* ---- keys ---- */

static void begin_typing(struct screen *s, enum screen_prompt prompt)
{
	s->prompt = prompt;
	s->typed[0] = '\0';
	s->fault = NULL;
}

static void take_typed(struct screen *s)
{
	if (s->prompt == PROMPT_FILTER)
		memcpy(s->filter, s->typed, sizeof(s->filter));
	else if (groups_parse(&s->groups, s->typed))
		s->fault = "a list of process, peer, port, interface, outcome, reason, each once";
	s->prompt = PROMPT_NONE;
}

/* A character of several bytes goes as a whole. */
static void remove_last(char *text)
{
	size_t len = strlen(text);

	while (len && ((unsigned char)text[len - 1] & 0xc0) == 0x80)
		len--;
	if (len)
		len--;
	text[len] = '\0';
}

static void type(struct screen *s, int key)
{
	size_t len = strlen(s->typed);

	if (key == ENTER || key == '\n') {
		take_typed(s);
	} else if (key == ESCAPE) {
		s->prompt = PROMPT_NONE;
	} else if (key == TERMINAL_BACKSPACE) {
		remove_last(s->typed);
	} else if (key >= ' ' && key < 256 && len + 1 < sizeof(s->typed)) {
		s->typed[len] = (char)key;
		s->typed[len + 1] = '\0';
	}
}

static void command(struct screen *s, int key)
{
	switch (key) {
	case 's':
		s->order = (s->order + 1) % ORDERS;
		break;
	case 'S':
		s->order = (s->order + ORDERS - 1) % ORDERS;
		break;
	case 'p':
	case ' ':
		s->paused = !s->paused;
		break;
	case '/':
		begin_typing(s, PROMPT_FILTER);
		break;
	case 'g':
		begin_typing(s, PROMPT_GROUPS);
		break;
	case 'q':
		s->quit = true;
		break;
	}
}

bool screen_key(struct screen *s, int key)
{
	if (key == TERMINAL_RESIZED || key == CONTROL_L)
		return true;
	if (s->prompt != PROMPT_NONE)
		type(s, key);
	else
		command(s, key);
	return key > 0;
}

/* ---- the picture ---- */

/* Draws the buffer's text as a line, cut to the terminal's width, and empties it. */
static void put_line(struct buffer *b, unsigned line, enum terminal_style style, unsigned width, bool unicode)
{
	unsigned columns;

	if (cell_fitting(b->data, b->len, width, &columns) < b->len)
		columns = cell_cut(b, unicode, 0, width);
	if (style == TERMINAL_REVERSE)
		cell_spaces(b, width - columns);
	terminal_line(line, style, b->data, b->len, unicode);
	b->len = 0;
}

static void put_groups(struct buffer *b, const struct groups *g)
{
	for (unsigned i = 0; i < g->count; i++) {
		buffer_text(b, i ? "," : "");
		buffer_text(b, group_name(g->field[i]));
	}
}

/* How the table is shown, and by which keys that changes. */
static void put_state(struct buffer *b, const struct screen *s, const struct span *span)
{
	buffer_text(b, s->paused ? "PAUSED  " : "");
	buffer_text(b, "g: by ");
	put_groups(b, &span->groups);
	if (memcmp(&span->groups, &s->groups, sizeof(s->groups)) != 0) {
		buffer_text(b, " (next: ");
		put_groups(b, &s->groups);
		buffer_char(b, ')');
	}
	buffer_text(b, "  s: by ");
	buffer_text(b, order_names[s->order]);
	buffer_text(b, "  /: ");
	buffer_printable(b, *s->filter ? s->filter : "all");
	buffer_text(b, "  p: pause  q: quit");
}

static void put_bottom(struct buffer *b, const struct screen *s)
{
	char note[256];

	if (s->prompt == PROMPT_NONE) {
		terminal_note(note, sizeof(note));
		buffer_printable(b, s->fault ? s->fault : note);
		return;
	}
	buffer_text(b, s->prompt == PROMPT_FILTER ? "show groups with: " : "group by: ");
	buffer_printable(b, s->typed);
	buffer_char(b, '_');
}

/* Draws the lines of the text from line `first` on. The first one is the heading. */
static void put_table(struct buffer *b, struct buffer *text, unsigned first, unsigned width, bool unicode)
{
	const char *line = text->data, *end = text->data + text->len;

	for (unsigned n = first; line < end; n++) {
		const char *next = memchr(line, '\n', (size_t)(end - line));

		buffer_bytes(b, line, (size_t)(next - line));
		put_line(b, n, n == first ? TERMINAL_REVERSE : TERMINAL_PLAIN, width, unicode);
		line = next + 1;
	}
}

void screen_draw(struct screen *s, const struct span *span, bool unicode)
{
	struct buffer line = {0}, text = {0};
	struct table_style style = {.unicode = unicode};
	unsigned lines, rows;

	terminal_size(&style.width, &lines);
	rows = lines > ABOVE + BELOW ? lines - ABOVE - BELOW : 1;
	span_view(&s->view, span, s->order, rows, s->filter);
	terminal_clear();
	table_head(&line, &s->view, &style);
	line.len--; /* its newline */
	put_line(&line, 0, TERMINAL_BOLD, style.width, unicode);
	put_state(&line, s, span);
	put_line(&line, 1, TERMINAL_PLAIN, style.width, unicode);
	table_body(&text, &s->view, &style);
	put_table(&line, &text, 2, style.width, unicode);
	put_bottom(&line, s);
	put_line(&line, lines - 1, TERMINAL_PLAIN, style.width, unicode);
	terminal_show();
	buffer_free(&text);
	buffer_free(&line);
}
