// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ncurses draws. How the terminal is given back does not rest on it: what that takes is prepared at the start, and
 * consists of a write and an ioctl, so that a handler of a fatal signal can do it, in the sandbox and with a broken
 * heap.
 */
#define _GNU_SOURCE 1 /* memfd_create */
#include "user/top/terminal.h"

#include <curses.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>
#undef columns /* term.h */
#undef lines

#include "user/base/sandbox.h"
#include "user/base/stop.h"

/* Fatal signals whose handler gives the terminal back. */
static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

static struct {
	volatile sig_atomic_t open;
	int keys;        /* descriptor that keys are read from */
	bool keys_owned; /* it was opened for that */
	SCREEN *screen;
	struct termios before;
	char farewell[128]; /* what makes the terminal show what it showed before */
	size_t farewell_len;
	int err, notes; /* stderr as it was, and the memory that takes its place; -1 where stderr is no terminal */
} terminal = {.err = -1, .notes = -1};

/* ---- giving back ---- */

/* Async-signal-safe. */
static void restore(void)
{
	ssize_t done;

	if (!terminal.open)
		return;
	terminal.open = 0;
	done = write(STDOUT_FILENO, terminal.farewell, terminal.farewell_len);
	(void)done; /* there is nobody left to be told */
	tcsetattr(terminal.keys, TCSADRAIN, &terminal.before);
}

/* What was written to stderr meanwhile. Async-signal-safe. */
static void give_notes_back(void)
{
	char block[4096];
	off_t at = 0;
	ssize_t n;

	if (terminal.notes < 0)
		return;
	while ((n = pread(terminal.notes, block, sizeof(block), at)) > 0 && write(terminal.err, block, (size_t)n) > 0)
		at += n;
	dup2(terminal.err, STDERR_FILENO);
	terminal.notes = -1;
}

static void give_back(void)
{
	restore();
	give_notes_back();
}

/* A fault comes again once its handler returns, and then ends the process as if there had been none. */
static void on_fatal(int number, siginfo_t *info, void *context)
{
	(void)context;
	give_back();
	if (info->si_code <= 0) /* sent by somebody: it does not come again */
		_exit(128 + number);
}

static void catch_fatal(void)
{
	struct sigaction action = {.sa_sigaction = on_fatal, .sa_flags = (int)(SA_SIGINFO | SA_RESETHAND)};

	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		sigaction(fatal[i], &action, NULL);
}

/* ---- opening ---- */

bool terminal_possible(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

static void add_farewell(const char *capability)
{
	const char *text = tigetstr(capability);
	size_t len;

	if (!text || text == (const char *)-1)
		return;
	len = strlen(text);
	if (terminal.farewell_len + len >= sizeof(terminal.farewell))
		return;
	memcpy(terminal.farewell + terminal.farewell_len, text, len);
	terminal.farewell_len += len;
}

/* Attributes off, cursor on, keypad off, the other screen back; and the cursor at the begin of a line. */
static void prepare_farewell(void)
{
	static const char *const capabilities[] = {"sgr0", "cnorm", "rmkx", "rmcup"};

	terminal.farewell_len = 0;
	for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++)
		add_farewell(capabilities[i]);
	terminal.farewell[terminal.farewell_len++] = '\r';
}

/* Standard input may be something else than the terminal: keys come from where standard output goes to. */
static bool open_keys(void)
{
	terminal.keys_owned = !isatty(STDIN_FILENO);
	terminal.keys = terminal.keys_owned ? open("/dev/tty", O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	return terminal.keys >= 0 && !tcgetattr(terminal.keys, &terminal.before);
}

/* What is written to stderr would come into the middle of the picture, if that is where it goes. */
static void hold_notes(void)
{
	if (!isatty(STDERR_FILENO))
		return;
	terminal.err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	terminal.notes = memfd_create("notes", MFD_CLOEXEC);
	if (terminal.err < 0 || terminal.notes < 0 || dup2(terminal.notes, STDERR_FILENO) < 0)
		terminal.notes = -1;
}

static FILE *stream_of(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? NULL : fdopen(copy, "r");
}

bool terminal_open(void)
{
	FILE *keys;

	if (!open_keys())
		return false;
	keys = stream_of(terminal.keys);
	signal(SIGTSTP, SIG_IGN); /* a stopped watch loses nothing, but could not give the terminal back */
	use_env(TRUE);
	terminal.screen = keys ? newterm(NULL, stdout, keys) : NULL;
	if (!terminal.screen)
		return false;
	prepare_farewell();
	terminal.open = 1;
	catch_fatal();
	stop_before_exit(give_back);
	atexit(give_back);
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	typeahead(-1);
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	set_escdelay(25);
	hold_notes();
	sandbox_allow_terminal();
	return true;
}

void terminal_close(void)
{
	if (!terminal.screen)
		return;
	give_back();
	terminal.screen = NULL; /* its memory stays: ncurses would draw once more to free it */
}

/* ---- drawing ---- */

void terminal_size(unsigned *columns, unsigned *lines)
{
	*columns = (unsigned)getmaxx(stdscr);
	*lines = (unsigned)getmaxy(stdscr);
}

int terminal_key(void)
{
	int key = getch();

	switch (key) {
	case ERR:
		return TERMINAL_NONE;
	case KEY_RESIZE:
		return TERMINAL_RESIZED;
	case KEY_BACKSPACE:
	case '\b':
	case 127:
		return TERMINAL_BACKSPACE;
	case KEY_ENTER:
		return '\r';
	default:
		return key < 256 ? key : 0; /* other keys that are no character do nothing */
	}
}

void terminal_clear(void)
{
	erase();
}

void terminal_line(unsigned line, enum terminal_style style, const char *text, size_t len, bool unicode)
{
	int attribute = style == TERMINAL_BOLD ? A_BOLD : style == TERMINAL_REVERSE ? A_REVERSE : A_NORMAL;

	if (line >= (unsigned)getmaxy(stdscr) || move((int)line, 0) == ERR)
		return;
	attrset(attribute);
	if (unicode)
		addnstr(text, (int)len);
	else
		for (size_t i = 0; i < len; i++)
			addch((unsigned char)text[i] < 0x80 ? (unsigned char)text[i] : '?');
	attrset(A_NORMAL);
}

void terminal_show(void)
{
	refresh();
}

void terminal_note(char *text, size_t size)
{
	char block[1024];
	off_t end = terminal.notes < 0 ? 0 : lseek(terminal.notes, 0, SEEK_CUR);
	off_t from = end > (off_t)sizeof(block) ? end - (off_t)sizeof(block) : 0;
	ssize_t n = end > 0 ? pread(terminal.notes, block, sizeof(block), from) : 0;
	ssize_t begin;

	n -= n > 0 && block[n - 1] == '\n';
	begin = n > 0 ? n : 0;
	while (begin > 0 && block[begin - 1] != '\n')
		begin--;
	snprintf(text, size, "%.*s", n > begin ? (int)(n - begin) : 0, block + begin);
}
