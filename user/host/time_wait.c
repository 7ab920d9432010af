// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sockets in TIME-WAIT, grouped by host pair. One look gives their rate, too: a socket stays in TIME-WAIT for a minute,
 * so one that has more than 59 seconds to go entered it in the last one. Older ones are those that are left: connect()
 * takes a port again, where tcp_tw_reuse lets it, as soon as the clock shows another second.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/format/cells.h"
#include "user/format/duration.h"
#include "user/format/format_parts.h"
#include "user/host/time_wait.h"
#include "user/record/record.h"

/* The states in which a socket occupies its local port. */
#define PORT_HOLDERS                                                                          \
	(SOCKETS_IN(TCP_ESTABLISHED) | SOCKETS_IN(TCP_SYN_SENT) | SOCKETS_IN(TCP_FIN_WAIT1) | \
	 SOCKETS_IN(TCP_FIN_WAIT2) | SOCKETS_IN(TCP_TIME_WAIT) | SOCKETS_IN(TCP_CLOSE_WAIT) | \
	 SOCKETS_IN(TCP_LAST_ACK) | SOCKETS_IN(TCP_CLOSING))

/* ---- grouping ---- */

static int by_pair(const void *a, const void *b)
{
	const struct snapshot_entry *x = a, *y = b;

	return memcmp(&x->pair, &y->pair, sizeof(x->pair));
}

static int largest_first(const void *a, const void *b)
{
	const struct time_wait_group *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return memcmp(x->pair, y->pair, sizeof(*x->pair));
}

static void add_socket(struct time_wait_group *g, const struct tcp_socket *s)
{
	if (!g->count || s->expires < g->first_ends)
		g->first_ends = s->expires;
	if (s->expires > g->last_ends)
		g->last_ends = s->expires;
	g->count++;
	g->recent += s->expires > (TIME_WAIT_SECONDS - TIME_WAIT_RATE_SECONDS) * 1000;
	g->newest += s->expires > (TIME_WAIT_SECONDS - 1) * 1000;
}

/*
 * How many entered TIME-WAIT a second lately, in tenths: of the last second, and of the last ten, the more, since both
 * count only what is left.
 */
static size_t rate_tenths(const struct time_wait_group *g)
{
	size_t mean = g->recent * 10 / TIME_WAIT_RATE_SECONDS;

	return g->newest * 10 > mean ? g->newest * 10 : mean;
}

static bool is_loopback(const struct host_pair *pair)
{
	static const uint8_t six[16] = {[15] = 1};

	if (pair->family == 4)
		return pair->source[0] == 127 || pair->destination[0] == 127;
	return !memcmp(pair->source, six, sizeof(six)) || !memcmp(pair->destination, six, sizeof(six));
}

/* May connect() take a port of the pair again that is in TIME-WAIT? tcp_tw_reuse of 2: on the loopback only. */
static bool is_reusable(const struct time_wait_group *g)
{
	long reuse = g->of->settings.tw_reuse;

	return reuse == 1 || (reuse == 2 && is_loopback(g->pair));
}

/*
 * In how many seconds no usable port is left, -1 for never: ports are taken at the present rate, and given back as the
 * sockets in TIME-WAIT end. After a minute both happen at the same rate, so what has not run out by then never will.
 * Where ports may be taken again, after a second. entries: the group's, n of them.
 */
static int runs_out(const struct time_wait_group *g, const struct snapshot_entry *entries, size_t n, unsigned usable)
{
	size_t ending[TIME_WAIT_SECONDS + 1] = {0}, given_back = 0;

	if (is_reusable(g))
		return g->ports_in_use - g->ports_waiting + g->newest >= usable ? 0 : -1;
	for (size_t i = 0; i < n; i++)
		if (entries[i].socket->state == TCP_TIME_WAIT && entries[i].socket->expires < TIME_WAIT_SECONDS * 1000)
			ending[entries[i].socket->expires / 1000 + 1]++;
	for (int second = 0; second <= TIME_WAIT_SECONDS; second++) {
		given_back += ending[second];
		if (g->ports_in_use + g->recent * (unsigned)second / TIME_WAIT_RATE_SECONDS >= usable + given_back)
			return second;
	}
	return -1;
}

static void take_group(struct time_wait_group *g, const struct local_ports *ports, const struct snapshot_entry *entries,
		       size_t n)
{
	*g = (struct time_wait_group){.pair = &entries[0].pair, .of = entries[0].of, .runs_out = -1};
	for (size_t i = 0; i < n; i++) {
		bool usable = local_ports_usable(ports, entries[i].socket->local.port);

		if (entries[i].socket->state == TCP_TIME_WAIT)
			add_socket(g, entries[i].socket);
		g->ports_in_use += usable;
		g->ports_waiting += usable && entries[i].socket->state == TCP_TIME_WAIT;
	}
	if (g->pair->local_is_source && g->ports_in_use)
		g->runs_out = runs_out(g, entries, n, ports->usable);
}

/* Is the first share of ports larger? */
static bool is_larger(const struct check_number *a, const struct check_number *b)
{
	return a->number * (b->whole ? b->whole : 1) > b->number * (a->whole ? a->whole : 1);
}

/* Adds the groups of one namespace. */
static void group_namespace(struct time_wait_report *r, struct socket_snapshot *s)
{
	size_t n;

	for (size_t i = 0; i < s->listeners.count; i++)
		local_ports_take(&s->ports, s->listeners.list[i].local.port);
	if (!r->most_ports.whole)
		r->most_ports.whole = s->ports.usable;
	qsort(s->entries, s->count, sizeof(*s->entries), by_pair);
	for (size_t i = 0; i < s->count; i += n) {
		struct time_wait_group *g = &r->groups[r->count];
		struct check_number ports;

		for (n = 1; i + n < s->count && !by_pair(&s->entries[i], &s->entries[i + n]); n++)
			;
		take_group(g, &s->ports, &s->entries[i], n);
		ports = (struct check_number){g->ports_in_use, s->ports.usable};
		r->sockets += g->count;
		if (g->pair->local_is_source && is_larger(&ports, &r->most_ports))
			r->most_ports = ports;
		r->count += g->count > 0;
	}
}

int time_wait_group(struct time_wait_report *r)
{
	r->groups = calloc(socket_snapshot_count(&r->snapshot) + 1, sizeof(*r->groups));
	if (!r->groups)
		return -ENOMEM;
	for (struct socket_snapshot *s = &r->snapshot; s; s = s->next)
		group_namespace(r, s);
	qsort(r->groups, r->count, sizeof(*r->groups), largest_first);
	return 0;
}

int time_wait_take(struct time_wait_report *r, const struct filter *filter, const char *netns)
{
	int err = socket_snapshot_take(&r->snapshot, PORT_HOLDERS, filter, netns);

	return err ? err : time_wait_group(r);
}

void time_wait_free(struct time_wait_report *r)
{
	socket_snapshot_free(&r->snapshot);
	free(r->groups);
}

/* Which end of the group's connections this host is. */
static const char *local_role(const struct time_wait_group *g)
{
	return role_name(g->pair->local_is_source ? SOURCE : DESTINATION);
}

/* ---- text ---- */

static const struct grid_column columns[] = {
	{"SOURCE", 21, 9, 0},   {"DESTINATION", 21, 11, 0},        {"THIS HOST", 11, 9, 6},
	{"TIME-WAIT", 9, 9, 0}, {"FIRST ENDS", 10, 10, 8},         {"LAST ENDS", 9, 9, 7},
	{"PER SEC", 8, 7, 0},   {"LOCAL PORTS IN USE", 22, 18, 5}, {"RUN OUT", 7, 7, 0},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void text_ports(struct grid *g, const struct time_wait_group *group)
{
	const struct local_ports *ports = &group->of->ports;
	bool known = group->pair->local_is_source && ports->usable;

	if (known)
		buffer_printf(&g->text, "%u of %u (%llu%%)", group->ports_in_use, ports->usable,
			      100ULL * group->ports_in_use / ports->usable);
	else
		buffer_char(&g->text, '-');
	grid_next(g);
	if (!known)
		buffer_char(&g->text, '-');
	else if (group->runs_out < 0)
		buffer_text(&g->text, "never");
	else if (group->runs_out == 0)
		buffer_text(&g->text, "now");
	else
		buffer_printf(&g->text, "in %ds", group->runs_out);
	grid_next(g);
}

static void text_group(struct grid *g, const struct time_wait_group *group)
{
	const struct host_pair *pair = group->pair;

	host_table_namespace(g, &group->of->namespace);
	format_address(&g->text, pair->family, pair->source);
	grid_next(g);
	format_endpoint(&g->text, pair->family, pair->destination, pair->port);
	grid_next(g);
	buffer_text(&g->text, local_role(group));
	grid_next(g);
	buffer_unsigned(&g->text, group->count);
	grid_next(g);
	buffer_duration(&g->text, group->first_ends * MS_NS);
	grid_next(g);
	buffer_duration(&g->text, group->last_ends * MS_NS);
	grid_next(g);
	buffer_printf(&g->text, "%zu.%zu", rate_tenths(group) / 10, rate_tenths(group) % 10);
	grid_next(g);
	text_ports(g, group);
}

/* What bounds TIME-WAIT in the namespace. */
static void text_settings(struct buffer *out, const struct socket_snapshot *s)
{
	const struct local_ports *ports = &s->ports;

	if (s->settings.max_tw_buckets > 0)
		buffer_printf(out, " of at most %ld (tcp_max_tw_buckets)", s->settings.max_tw_buckets);
	if (ports->last)
		buffer_printf(out, "; local ports %u-%u, %u of them usable", ports->first, ports->last, ports->usable);
	if (s->settings.tw_reuse == 1)
		buffer_text(out, "; connect() may reuse a port in TIME-WAIT after 1 s (tcp_tw_reuse)");
}

static void text_head(struct buffer *out, const struct time_wait_report *r, uint64_t now, unsigned width)
{
	size_t namespaces = 0, start = out->len;

	for (const struct socket_snapshot *s = &r->snapshot; s; s = s->next)
		namespaces++;
	host_table_time(out, now);
	buffer_printf(out, "  %zu in TIME-WAIT", r->sockets);
	if (namespaces > 1)
		buffer_printf(out, " in %zu network namespaces", namespaces);
	else
		text_settings(out, &r->snapshot);
	cell_wrap(out, start, width, HOST_TABLE_INDENT);
	buffer_char(out, '\n');
}

void time_wait_text(struct buffer *out, const struct time_wait_report *r, uint64_t now, const struct host_style *style)
{
	size_t shown = host_table_shown(r->count, style->all);
	struct grid_column room[GRID_COLUMNS];
	struct grid g;

	text_head(out, r, now, style->width);
	if (!r->count)
		return;
	buffer_char(out, '\n');
	host_table_begin(&g, room, columns, COLUMNS, r->snapshot.next);
	for (size_t i = 0; i < shown; i++)
		text_group(&g, &r->groups[i]);
	host_table_print_grid(&g, out, style, r->count);
}

/* ---- JSON ---- */

static void json_ports(struct buffer *out, const struct time_wait_group *g)
{
	const struct local_ports *ports = &g->of->ports;

	if (!g->pair->local_is_source || !ports->usable) {
		buffer_text(out, "null");
		return;
	}
	buffer_printf(out, "{\"first\":%u,\"last\":%u,\"usable\":%u,\"in_use\":%u,\"run_out\":", ports->first,
		      ports->last, ports->usable, g->ports_in_use);
	if (g->runs_out < 0)
		buffer_text(out, "null");
	else
		buffer_unsigned(out, (uint64_t)g->runs_out * SECOND_NS);
	buffer_char(out, '}');
}

static void json_group(struct buffer *out, const struct time_wait_group *g, uint64_t now)
{
	const struct host_pair *pair = g->pair;

	host_table_json_head(out, "tcpfin.time_wait", host_pair_type(pair), now);
	socket_snapshot_json(out, g->of);
	buffer_text(out, ",\"source\":{\"ip\":\"");
	format_address(out, pair->family, pair->source);
	buffer_text(out, "\"},\"destination\":{\"ip\":\"");
	format_address(out, pair->family, pair->destination);
	buffer_printf(out,
		      "\",\"port\":%u},\"time_wait\":{\"local\":\"%s\",\"count\":%zu,\"first_ends\":%lld,"
		      "\"last_ends\":%lld,\"per_second\":%zu.%zu,\"ports\":",
		      pair->port, local_role(g), g->count, g->first_ends * MS_NS, g->last_ends * MS_NS,
		      rate_tenths(g) / 10, rate_tenths(g) % 10);
	json_ports(out, g);
	buffer_text(out, "}}\n");
}

void time_wait_json(struct buffer *out, const struct time_wait_report *r, uint64_t now)
{
	for (size_t i = 0; i < r->count; i++)
		json_group(out, &r->groups[i], now);
}

/* ---- the whole report ---- */

/* Of the ports, those of the pair that has the largest share of them. */
static void count(struct check_counts *counts, const struct time_wait_report *r)
{
	counts->counts[CHECK_TIME_WAIT].number = r->sockets;
	counts->counts[CHECK_PORTS_USED] = r->most_ports;
}

int time_wait_print(struct buffer *out, const struct options *options, uint64_t now, size_t *sockets,
		    struct check_counts *counts)
{
	const struct host_style style = host_table_style(options);
	struct time_wait_report r = {0};
	int err = time_wait_take(&r, &options->filter, options->netns);

	*sockets = socket_snapshot_count(&r.snapshot);
	if (!err)
		count(counts, &r);
	if (!err && options->format == FORMAT_JSON)
		time_wait_json(out, &r, now);
	else if (!err)
		time_wait_text(out, &r, now, &style);
	time_wait_free(&r);
	return err;
}
