/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A terminal that is drawn on as a whole, by ncurses. Whatever ends the process, SIGKILL apart, gives it back as it
 * was; what is written to stderr meanwhile comes after that.
 */
#ifndef TCPFIN_TERMINAL_H
#define TCPFIN_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

enum terminal_style { TERMINAL_PLAIN, TERMINAL_BOLD, TERMINAL_REVERSE };

/* Keys that are no character; others are the bytes typed. */
enum { TERMINAL_NONE = -1, TERMINAL_RESIZED = 256, TERMINAL_BACKSPACE };

/* Is standard output a terminal that can be drawn on, by what TERM says? */
bool terminal_possible(void);
/* To be called before rights are dropped. False where it cannot be had; then nothing has changed. */
bool terminal_open(void);
/* Safe on one that is not open, and twice. */
void terminal_close(void);

void terminal_size(unsigned *columns, unsigned *lines);
/* Without waiting. TERMINAL_NONE: no key was pressed. */
int terminal_key(void);

/* Begins a picture: empty. */
void terminal_clear(void);
/*
 * A line of text. It must not be wider than the terminal. unicode: the locale's character set is UTF-8, else bytes
 * beyond ASCII become "?".
 */
void terminal_line(unsigned line, enum terminal_style style, const char *text, size_t len, bool unicode);
/* Shows the picture. */
void terminal_show(void);
/* The last line that was written to stderr since it was opened, NUL included; "" for none. */
void terminal_note(char *text, size_t size);

#endif
