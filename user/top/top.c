// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two spans are counted: the interval, and the whole run. While the run has room for every group, the interval is added
 * to it as a whole when it ends, which makes no difference; after that, each connection is counted in both.
 */
#include "user/top/top.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/base/stop.h"
#include "user/top/screen.h"
#include "user/top/table_json.h"
#include "user/top/table_text.h"
#include "user/top/terminal.h"

struct top {
	const struct options *options;
	char host[HOST_NAME_MAX + 1]; /* "" for a capture, and with --anonymize */
	struct table_style style;
	struct groups groups;
	struct span *interval, *run;
	unsigned news;         /* groups of the interval that the run does not follow */
	bool apart;            /* the run has what the interval has, and what comes is counted in both */
	struct span *shown;    /* the last interval, in a terminal */
	struct screen *screen; /* NULL: tables are printed */
	struct span_view view;
	uint64_t next, last; /* ns: when the interval ends; the time it is */
	uint64_t tables;
	bool begun;
};

/* What a host can be asked for, where it is not said: of a capture no processes are known. */
static struct groups default_groups(const struct options *o)
{
	if (o->files.count)
		return (struct groups){{GROUP_PORT}, 1};
	return (struct groups){{GROUP_PROCESS, GROUP_PORT}, 2};
}

static void out_of_memory(void)
{
	log_error("out of memory");
	exit(EXIT_RUNTIME);
}

struct top *top_new(const struct options *options, unsigned width, bool unicode)
{
	struct top *t = calloc(1, sizeof(*t));

	if (!t)
		out_of_memory();
	t->options = options;
	if (!options->files.count && !options->anonymize && !options->anonymize_key)
		gethostname(t->host, sizeof(t->host) - 1);
	t->style = (struct table_style){.width = width, .unicode = unicode};
	t->groups = options->by.count ? options->by : default_groups(options);
	t->interval = span_new();
	t->run = span_new();
	if (!t->interval || !t->run)
		out_of_memory();
	return t;
}

void top_free(struct top *t)
{
	if (!t)
		return;
	span_free(t->interval);
	span_free(t->run);
	span_free(t->shown);
	if (t->screen)
		span_view_free(&t->screen->view);
	free(t->screen);
	span_view_free(&t->view);
	free(t);
}

/* ---- the run ---- */

/* Adds the interval to the run. */
static void catch_up(struct top *t)
{
	if (!t->apart)
		span_merge(t->run, t->interval);
	t->apart = true;
}

static bool same_groups(const struct groups *a, const struct groups *b)
{
	return a->count == b->count && !memcmp(a->field, b->field, a->count * sizeof(a->field[0]));
}

/* Begins an interval. */
static void reset_interval(struct top *t, const struct groups *groups, uint64_t start, int64_t wall_offset)
{
	span_reset(t->interval, groups, start, wall_offset);
	t->news = 0;
	t->apart = t->run->sketch.used == SKETCH_KEYS || !same_groups(groups, &t->run->groups);
}

/* From now on is counted; later calls do nothing. */
static void begin(struct top *t, uint64_t now, int64_t wall_offset)
{
	if (t->begun)
		return;
	t->begun = true;
	t->last = now;
	t->next = now + t->options->top;
	span_reset(t->run, &t->groups, now, wall_offset);
	reset_interval(t, &t->groups, now, wall_offset);
}

/* ---- in a terminal ---- */

void top_open_screen(struct top *t)
{
	const struct options *o = t->options;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	int64_t wall_offset = (int64_t)(clock_ns(CLOCK_REALTIME) - now);

	if (o->format != FORMAT_TEXT || o->files.count || !terminal_possible())
		return;
	t->shown = span_new();
	t->screen = calloc(1, sizeof(*t->screen));
	if (!t->shown || !t->screen)
		out_of_memory();
	if (!terminal_open()) {
		free(t->screen);
		t->screen = NULL;
		return;
	}
	t->screen->groups = t->groups;
	begin(t, now, wall_offset);
	span_reset(t->shown, &t->groups, now, wall_offset);
	screen_draw(t->screen, t->shown, t->style.unicode);
}

/* Takes the keys that were pressed, and shows what they change. */
static void answer_keys(struct top *t)
{
	bool changed = false;
	int key;

	while ((key = terminal_key()) != TERMINAL_NONE)
		changed |= screen_key(t->screen, key);
	if (changed)
		screen_draw(t->screen, t->shown, t->style.unicode);
	if (t->screen->quit)
		stop_ask();
}

/* The interval is shown until the next one ends; while the screen is paused, what is shown stays. */
static void show(struct top *t)
{
	struct span *interval = t->interval;

	if (t->screen->paused)
		return;
	t->interval = t->shown;
	t->interval->wall_offset = interval->wall_offset;
	t->shown = interval;
	screen_draw(t->screen, t->shown, t->style.unicode);
}

static void close_screen(struct top *t)
{
	unsigned lines;

	terminal_size(&t->style.width, &lines);
	terminal_close();
	span_view_free(&t->screen->view);
	free(t->screen);
	t->screen = NULL;
	t->tables = 0; /* none of them was printed */
}

/* ---- counting ---- */

void top_add(struct top *t, const struct record *r)
{
	bool fresh = span_add(t->interval, r);

	if (t->apart) {
		span_add(t->run, r);
		return;
	}
	t->news += fresh && !span_has(t->run, r);
	if (t->run->sketch.used + t->news == SKETCH_KEYS)
		catch_up(t);
}

void top_add_waiting(struct top *t, const struct record *r, bool stuck)
{
	catch_up(t);
	span_add_waiting(t->interval, r, stuck);
}

uint64_t top_due(struct top *t, uint64_t now, int64_t wall_offset)
{
	begin(t, now, wall_offset);
	if (now > t->last)
		t->last = now;
	if (t->screen)
		answer_keys(t);
	if (now < t->next)
		return 0;
	/* A capture's clock jumps, and its intervals are of one length; a host's clock says how late we are. */
	t->interval->wall_offset = wall_offset;
	return t->options->files.count ? t->next : now;
}

/* ---- tables ---- */

static void print(struct top *t, const struct span *s, struct buffer *out)
{
	bool summary = s == t->run;
	struct table_style style = t->style;

	span_view(&t->view, s, ORDER_CONNECTIONS, t->options->rows, "");
	style.summary = summary;
	if (t->options->format == FORMAT_JSON) {
		table_json(out, &t->view, *t->host ? t->host : NULL, summary);
		return;
	}
	if (t->tables || summary)
		buffer_char(out, '\n');
	table_head(out, &t->view, &style);
	table_body(out, &t->view, &style);
}

/* Of a capture, intervals in which nothing closed are passed over. */
static bool is_shown(const struct top *t)
{
	return !t->options->files.count || t->interval->connections;
}

void top_table(struct top *t, uint64_t end, struct buffer *out)
{
	bool shown = is_shown(t);

	catch_up(t);
	t->interval->end = end;
	if (t->screen)
		show(t);
	else if (shown)
		print(t, t->interval, out);
	t->tables += shown;
	t->next = end + t->options->top;
	if (!shown && t->last > end)
		t->next += (t->last - end) / t->options->top * t->options->top;
	reset_interval(t, t->screen ? &t->screen->groups : &t->groups, t->next - t->options->top,
		       t->interval->wall_offset);
}

bool top_full(const struct top *t)
{
	return t->options->count && t->tables >= t->options->count;
}

void top_end(struct top *t, struct buffer *out)
{
	bool screen = t->screen;

	if (screen)
		close_screen(t);
	if (!t->begun)
		return;
	if (!screen && !top_full(t) && t->interval->sketch.added)
		top_table(t, t->last, out);
	catch_up(t);
	t->run->end = t->last;
	print(t, t->run, out);
}
