// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The columns of groups come first, with the width that most values fit into. Counts and durations follow while the
 * line has room, in the order of rank. What is left over goes to the groups.
 */
#include "user/top/table_columns.h"

#include "user/base/clock.h"
#include "user/format/cells.h"
#include "user/format/duration.h"

#define LABEL_WIDTH 7  /* "(other)", "(total)" */
#define NUMBER_WIDTH 8 /* 99,999,999 without commas */
#define DURATION_WIDTH 7

static const struct {
	const char *title;
	unsigned rank; /* the least is taken first */
} columns[TABLE_TIMINGS] = {
	[TABLE_CONNECTIONS] = {"CONNS", 1},
	[TABLE_RATE] = {"PER-SEC", 3},
	[TABLE_SHARE] = {"SHARE", 12},
	[TABLE_GRACEFUL] = {"GRACEFUL", 5},
	[TABLE_RESET] = {"RESET", 2},
	[TABLE_REFUSED] = {"REFUSED", 7},
	[TABLE_HANDSHAKE_RESET] = {"HS-RESET", 17},
	[TABLE_UNANSWERED] = {"UNANSW", 9},
	[TABLE_UNFINISHED] = {"UNFIN", 8},
	[TABLE_OPEN] = {"OPEN", 34},
	[TABLE_UNKNOWN] = {"UNKNOWN", 33},
	[TABLE_HALF_CLOSED] = {"HALF-CL", 6},
	[TABLE_STUCK] = {"STUCK", 4},
	[TABLE_BY_SOURCE] = {"BY-SRC", 13},
	[TABLE_BY_DESTINATION] = {"BY-DST", 14},
	[TABLE_BY_BOTH] = {"BY-BOTH", 30},
	[TABLE_BY_NOBODY] = {"BY-?", 32},
	[TABLE_BY_NETWORK] = {"BY-NET", 31},
	[TABLE_WAIT_SOURCE] = {"TW-SRC", 15},
	[TABLE_WAIT_DESTINATION] = {"TW-DST", 16},
};

/* Of each step two columns, which are taken together. */
static const struct {
	const char *title[2];
	unsigned rank;
} steps[TIMINGS] = {
	[T_SYN_TO_SYNACK] = {{"SYN.50", "SYN.99"}, 24}, [T_SYNACK_TO_ACK] = {{"SACK.50", "SACK.99"}, 25},
	[T_INITIAL_RTT] = {{"RTT.50", "RTT.99"}, 20},   [T_FIN_TO_ACK] = {{"FIN.50", "FIN.99"}, 18},
	[T_HALF_CLOSED] = {{"HALF.50", "HALF.99"}, 19}, [T_PEER_FIN_TO_ACK] = {{"FIN2.50", "FIN2.99"}, 21},
	[T_CLOSE] = {{"CLO.50", "CLO.99"}, 10},         [T_LIFETIME] = {{"LIFE.50", "LIFE.99"}, 22},
};

#define LAST_RANK 34
#define LAST_NEEDED 1

static bool is_timing(unsigned column)
{
	return column >= TABLE_TIMINGS;
}

static enum timing timing_of(unsigned column)
{
	return (enum timing)((column - TABLE_TIMINGS) / 2);
}

static const char *column_title(unsigned column)
{
	return is_timing(column) ? steps[timing_of(column)].title[(column - TABLE_TIMINGS) % 2] : columns[column].title;
}

static unsigned column_rank(unsigned column)
{
	return is_timing(column) ? steps[timing_of(column)].rank : columns[column].rank;
}

static unsigned column_width(unsigned column)
{
	return is_timing(column) ? DURATION_WIDTH : NUMBER_WIDTH;
}

const char *table_title(const struct table_cell *cell, const struct span *s)
{
	return cell->group ? group_title(s->groups.field[cell->which]) : column_title(cell->which);
}

/* ---- values ---- */

/* All digits where they fit, since rows are added up; else as many as there is room for, in powers of 1000. */
static void put_count(struct buffer *out, uint64_t n)
{
	static const char powers[] = "kMGTPE";
	const char *power = powers;

	if (n < 100000000) {
		buffer_unsigned(out, n);
		return;
	}
	for (n /= 1000; n >= 10000000; n /= 1000)
		power++;
	buffer_unsigned(out, n);
	buffer_char(out, *power);
}

/* With a tenth where it says something. */
static void put_rate(struct buffer *out, uint64_t n, uint64_t duration)
{
	unsigned __int128 tenths = duration ? ((unsigned __int128)n * 10 * SECOND_NS + duration / 2) / duration : 0;

	if (!duration) {
		buffer_char(out, '-');
	} else if (tenths < 100000) {
		buffer_unsigned(out, (uint64_t)tenths / 10);
		buffer_char(out, '.');
		buffer_unsigned(out, (uint64_t)tenths % 10);
	} else {
		put_count(out, (uint64_t)(tenths / 10));
	}
}

static void put_share(struct buffer *out, uint64_t n, uint64_t whole)
{
	uint64_t tenths = whole ? (uint64_t)(((unsigned __int128)n * 1000 + whole / 2) / whole) : 0;

	if (!whole) {
		buffer_char(out, '-');
		return;
	}
	buffer_unsigned(out, tenths / 10);
	buffer_char(out, '.');
	buffer_unsigned(out, tenths % 10);
	buffer_char(out, '%');
}

static uint64_t count_of(enum table_column column, const struct tally *t)
{
	if (column == TABLE_CONNECTIONS)
		return t->connections;
	if (column >= TABLE_GRACEFUL && column <= TABLE_UNKNOWN)
		return t->outcome[column - TABLE_GRACEFUL];
	if (column >= TABLE_BY_SOURCE && column <= TABLE_BY_NETWORK)
		return t->closer[column - TABLE_BY_SOURCE];
	if (column == TABLE_HALF_CLOSED)
		return t->half_closed;
	if (column == TABLE_STUCK)
		return t->stuck;
	/* with both ends in TIME-WAIT, each of them is */
	return t->time_wait[column - TABLE_WAIT_SOURCE] + t->time_wait[BOTH];
}

void table_value(struct buffer *out, enum table_column column, const struct tally *t, const struct tally *total,
		 uint64_t duration)
{
	if (is_timing(column)) {
		const struct quantiles *q = &t->timing[timing_of(column)];
		unsigned percent = (column - TABLE_TIMINGS) % 2 ? 99 : 50;

		buffer_duration(out, q->count ? (int64_t)quantiles_percentile(q, percent) : -1);
	} else if (column == TABLE_RATE) {
		put_rate(out, t->connections, duration);
	} else if (column == TABLE_SHARE) {
		put_share(out, t->connections, total->connections);
	} else {
		put_count(out, count_of(column, t));
	}
}

void table_group(struct buffer *out, const struct span_view *v, unsigned row, unsigned field)
{
	const struct sketch_entry *e = &v->span->sketch.entry[v->row[row]];

	if (!groups_text(&v->span->groups, e->key.bytes, field, out))
		buffer_char(out, '-');
}

/* ---- the layout ---- */

/* How wide the widest value of a field is, its heading and the labels included. */
static unsigned needed(const struct span_view *v, unsigned field)
{
	enum group_field which = v->span->groups.field[field];
	unsigned most = field ? 0 : LABEL_WIDTH, wide;
	struct buffer text = {0};

	if (strlen(group_title(which)) > most)
		most = (unsigned)strlen(group_title(which));
	for (unsigned row = 0; row < v->rows; row++) {
		text.len = 0;
		table_group(&text, v, row, field);
		cell_fitting(text.data, text.len, (unsigned)-1, &wide);
		if (wide > most)
			most = wide;
	}
	buffer_free(&text);
	return most;
}

/* Terminal columns that the cells take, with a blank between them. */
static unsigned used(const struct table_layout *l)
{
	unsigned sum = l->count ? l->count - 1 : 0;

	for (unsigned i = 0; i < l->count; i++)
		sum += l->cells[i].width;
	return sum;
}

static void add_groups(struct table_layout *l, const struct span_view *v)
{
	for (unsigned i = 0; i < v->span->groups.count; i++) {
		unsigned need = needed(v, i), most = group_width(v->span->groups.field[i]);

		l->cells[l->count++] =
			(struct table_cell){.group = true, .which = i, .width = l->width && need > most ? most : need};
	}
}

/* The columns of that rank, together or not at all. */
static void add_ranked(struct table_layout *l, unsigned rank)
{
	struct table_layout with = *l;

	for (unsigned i = 0; i < TABLE_COLUMNS; i++)
		if (column_rank(i) == rank)
			with.cells[with.count++] = (struct table_cell){.which = i, .width = column_width(i)};
	if (!l->width || used(&with) <= l->width || rank <= LAST_NEEDED)
		*l = with;
}

/* Where the groups and what is needed do not fit, the widest group gives a column at a time. */
static void shrink(struct table_layout *l)
{
	while (l->width && used(l) > l->width) {
		struct table_cell *widest = &l->cells[0];

		for (unsigned i = 1; i < l->count; i++)
			if (l->cells[i].group && l->cells[i].width > widest->width)
				widest = &l->cells[i];
		if (widest->width <= 2)
			return;
		widest->width--;
	}
}

/* What is left over goes to groups whose values need it. */
static void grow(struct table_layout *l, const struct span_view *v)
{
	for (unsigned i = 0; i < l->count && l->cells[i].group && l->width; i++) {
		unsigned need = needed(v, i), room = l->width > used(l) ? l->width - used(l) : 0;
		unsigned more = need > l->cells[i].width ? need - l->cells[i].width : 0;

		l->cells[i].width += more < room ? more : room;
	}
}

/* Groups first, in the user's order; the others in the order of enum table_column. */
static bool comes_before(const struct table_cell *a, const struct table_cell *b)
{
	return a->group != b->group ? a->group : a->which < b->which;
}

static void place(struct table_layout *l)
{
	unsigned at = 0;

	for (unsigned i = 1; i < l->count; i++)
		for (unsigned j = i; j && comes_before(&l->cells[j], &l->cells[j - 1]); j--) {
			struct table_cell cell = l->cells[j];

			l->cells[j] = l->cells[j - 1];
			l->cells[j - 1] = cell;
		}
	for (unsigned i = 0; i < l->count; i++) {
		l->cells[i].begin = at;
		at += l->cells[i].width + 1;
	}
}

void table_layout(struct table_layout *l, const struct span_view *v, unsigned width)
{
	*l = (struct table_layout){.width = width && width < TABLE_NARROWEST ? TABLE_NARROWEST : width};
	add_groups(l, v);
	for (unsigned rank = 1; rank <= LAST_RANK; rank++)
		add_ranked(l, rank);
	shrink(l);
	grow(l, v);
	place(l);
}
