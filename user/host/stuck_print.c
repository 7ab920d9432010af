// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The report on stuck closes, as text (tables by process, by unit, by host pair, and one of the closes) and as JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/format/cells.h"
#include "user/format/duration.h"
#include "user/format/format_parts.h"
#include "user/host/stuck.h"
#include "user/record/record.h"

/* ---- groups ---- */

/* Closes of one process, or of one host pair. */
struct group {
	const struct stuck_close *oldest;
	size_t count, states[TCP_STATES]; /* by enum tcp_state */
};

/* Of the process that must act; "" where it is not known. */
static const char *unit_of(const struct stuck_close *c)
{
	return c->process ? c->process->identity.unit : "";
}

static const char *container_of(const struct stuck_close *c)
{
	return c->process ? c->process->identity.container : "";
}

typedef int (*compare)(const void *, const void *); /* of two struct stuck_close */

static enum tcp_state state_of(const struct stuck_close *c)
{
	return kernel_state(c->entry->socket->state);
}

static int by_process(const void *a, const void *b)
{
	const struct stuck_close *x = a, *y = b;
	int p = x->process ? x->process->pid : 0, q = y->process ? y->process->pid : 0;

	return (p > q) - (p < q);
}

/* One unit in one container; those without a known process are one group. */
static int by_unit(const void *a, const void *b)
{
	const struct stuck_close *x = a, *y = b;
	int unit = strcmp(unit_of(x), unit_of(y));

	return unit ? unit : strcmp(container_of(x), container_of(y));
}

static int by_pair(const void *a, const void *b)
{
	const struct stuck_close *x = a, *y = b;
	uint32_t p = x->entry->of->namespace.inode, q = y->entry->of->namespace.inode;

	return p != q ? (p > q) - (p < q) : memcmp(&x->entry->pair, &y->entry->pair, sizeof(x->entry->pair));
}

static int largest_first(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return stuck_oldest_first(x->oldest, y->oldest);
}

static void group_add(struct group *g, const struct stuck_close *c)
{
	if (!g->count || c->age > g->oldest->age)
		g->oldest = c;
	g->count++;
	g->states[state_of(c)]++;
}

/*
 * One group for all closes that compare as equal, the largest group first. Sorts closes. Returns an allocated list,
 * NULL when memory is short.
 */
static struct group *make_groups(struct stuck_close *closes, size_t count, compare order, size_t *groups)
{
	struct group *list = calloc(count + 1, sizeof(*list));

	*groups = 0;
	if (!list)
		return NULL;
	qsort(closes, count, sizeof(*closes), order);
	for (size_t i = 0; i < count; i++) {
		*groups += i == 0 || order(&closes[i - 1], &closes[i]);
		group_add(&list[*groups - 1], &closes[i]);
	}
	qsort(list, *groups, sizeof(*list), largest_first);
	return list;
}

/* ---- text ---- */

static void text_states(struct buffer *out, const struct group *g)
{
	const char *before = "";

	for (size_t state = 0; state < TCP_STATES; state++) {
		if (!g->states[state])
			continue;
		buffer_printf(out, "%s%zu %s", before, g->states[state], state_name((enum tcp_state)state));
		before = ", ";
	}
}

static void text_process(struct buffer *out, const struct stuck_close *c)
{
	if (!c->process) {
		buffer_char(out, '-');
		return;
	}
	buffer_printable(out, *c->process->name ? c->process->name : "?");
	buffer_printf(out, "[%d]", c->process->pid);
	if (c->holders > 1)
		buffer_printf(out, "+%u", c->holders - 1);
}

/* Bytes among so many sequence numbers that end with a FIN, which takes one itself. */
static uint32_t bytes_before_fin(uint32_t numbers)
{
	return numbers ? numbers - 1 : 0;
}

static void text_due_here(struct buffer *out, const struct stuck_close *c)
{
	uint32_t unread = c->entry->socket->unread, bytes = bytes_before_fin(unread);

	if (!c->accepted)
		buffer_text(out, "this application: accept it, and close it");
	else if (bytes)
		buffer_printf(out, "this application: read %u bytes and the end, and close", bytes);
	else
		buffer_text(out, unread ? "this application: read the end, and close"
					: "this application: close, it has read the end");
}

static void text_due(struct buffer *out, const struct stuck_close *c)
{
	const struct tcp_socket *s = c->entry->socket;
	uint32_t bytes = bytes_before_fin(s->unacked);

	if (c->waits_for == WAITS_FOR_APPLICATION) {
		text_due_here(out, c);
	} else if (s->state == TCP_FIN_WAIT2) {
		buffer_text(out, "the peer's application: close");
		if (s->timer == TIMER_TIME_WAIT) {
			buffer_text(out, "; forgotten in ");
			buffer_duration(out, s->expires * MS_NS);
		}
	} else if (c->waits_for == WAITS_FOR_PEER_APPLICATION) {
		buffer_printf(out, "the peer's application: read, its window is shut to %u bytes and our FIN", bytes);
	} else {
		buffer_text(out, "the peer or the path: ACK of ");
		if (bytes)
			buffer_printf(out, "%u bytes and ", bytes);
		buffer_printf(out, "our FIN, sent again %u times", s->retransmits);
	}
}

static const struct grid_column close_columns[] = {
	{"SINCE", 7, 5, 0}, {"STATE", 10, 10, 0},  {"LOCAL", 21, 9, 5},
	{"PEER", 21, 9, 0}, {"PROCESS", 20, 8, 0}, {"WHO MUST ACT", 22, 12, 0},
};

static void text_close(struct grid *g, const struct stuck_close *c)
{
	const struct tcp_socket *s = c->entry->socket;

	host_table_namespace(g, &c->entry->of->namespace);
	buffer_duration(&g->text, c->age);
	grid_next(g);
	buffer_text(&g->text, state_name(state_of(c)));
	grid_next(g);
	format_endpoint(&g->text, s->family, s->local.ip, s->local.port);
	grid_next(g);
	format_endpoint(&g->text, s->family, s->peer.ip, s->peer.port);
	grid_next(g);
	text_process(&g->text, c);
	grid_next(g);
	text_due(&g->text, c);
	grid_next(g);
}

static void text_group_tail(struct grid *g, const struct group *group)
{
	buffer_unsigned(&g->text, group->count);
	grid_next(g);
	buffer_duration(&g->text, group->oldest->age);
	grid_next(g);
	text_states(&g->text, group);
	grid_next(g);
}

static const struct grid_column process_columns[] = {
	{"PROCESS", 30, 12, 0}, {"CLOSES", 6, 6, 0}, {"OLDEST", 7, 7, 0}, {"STATES", 20, 12, 0}};

static void text_by_process(struct buffer *out, const struct group *list, size_t count, const struct host_style *style)
{
	struct grid g;

	buffer_char(out, '\n');
	grid_begin(&g, process_columns, sizeof(process_columns) / sizeof(process_columns[0]));
	for (size_t i = 0; i < host_table_shown(count, style->all); i++) {
		text_process(&g.text, list[i].oldest);
		grid_next(&g);
		text_group_tail(&g, &list[i]);
	}
	host_table_print_grid(&g, out, style, count);
}

static const struct grid_column unit_columns[] = {
	{"UNIT", 30, 12, 0}, {"CONTAINER", 12, 9, 0}, {"CLOSES", 6, 6, 0}, {"OLDEST", 7, 7, 0}, {"STATES", 20, 12, 0}};

/* A name from outside; "-" where there is none. */
static void text_name(struct buffer *out, const char *name)
{
	buffer_printable(out, *name ? name : "-");
}

static void text_container(struct buffer *out, const char *container)
{
	if (*container)
		format_container(out, container);
	else
		buffer_char(out, '-');
}

/* Left out where no process is known to be in a unit or a container. */
static void text_by_unit(struct buffer *out, const struct group *list, size_t count, const struct host_style *style)
{
	struct grid g;

	if (count == 1 && !*unit_of(list->oldest) && !*container_of(list->oldest))
		return;
	buffer_char(out, '\n');
	grid_begin(&g, unit_columns, sizeof(unit_columns) / sizeof(unit_columns[0]));
	for (size_t i = 0; i < host_table_shown(count, style->all); i++) {
		text_name(&g.text, unit_of(list[i].oldest));
		grid_next(&g);
		text_container(&g.text, container_of(list[i].oldest));
		grid_next(&g);
		text_group_tail(&g, &list[i]);
	}
	host_table_print_grid(&g, out, style, count);
}

static const struct grid_column pair_columns[] = {{"SOURCE", 21, 9, 0},
						  {"DESTINATION", 21, 13, 0},
						  {"CLOSES", 6, 6, 0},
						  {"OLDEST", 7, 7, 0},
						  {"STATES", 16, 12, 0}};

static void text_by_pair(struct buffer *out, const struct group *list, size_t count, const struct host_style *style,
			 bool namespaces)
{
	struct grid_column room[GRID_COLUMNS];
	struct grid g;

	buffer_char(out, '\n');
	host_table_begin(&g, room, pair_columns, sizeof(pair_columns) / sizeof(pair_columns[0]), namespaces);
	for (size_t i = 0; i < host_table_shown(count, style->all); i++) {
		const struct host_pair *pair = &list[i].oldest->entry->pair;

		host_table_namespace(&g, &list[i].oldest->entry->of->namespace);
		format_address(&g.text, pair->family, pair->source);
		grid_next(&g);
		format_endpoint(&g.text, pair->family, pair->destination, pair->port);
		grid_next(&g);
		text_group_tail(&g, &list[i]);
	}
	host_table_print_grid(&g, out, style, count);
}

static void text_head(struct buffer *out, const struct stuck_report *r, uint64_t now, unsigned width)
{
	struct group all = {0};
	size_t start = out->len;

	host_table_time(out, now);
	for (size_t i = 0; i < r->count; i++)
		group_add(&all, &r->closes[i]);
	if (r->count)
		buffer_printf(out, "  %zu close%s stood still for ", r->count, r->count == 1 ? " has" : "s have");
	else
		buffer_text(out, "  no close has stood still for ");
	buffer_duration(out, (int64_t)r->least);
	buffer_text(out, r->count ? ": " : "");
	text_states(out, &all);
	cell_wrap(out, start, width, HOST_TABLE_INDENT);
	buffer_char(out, '\n');
}

/*
 * The tables of groups. They are made from a copy of the closes, which is sorted for each of them; without memory for
 * it they are left out.
 */
static void text_groups(struct buffer *out, const struct stuck_report *r, const struct host_style *style)
{
	struct stuck_close *copy = calloc(r->count, sizeof(*copy));
	struct group *list;
	size_t count;

	if (!copy)
		return;
	memcpy(copy, r->closes, r->count * sizeof(*copy));
	list = make_groups(copy, r->count, by_process, &count);
	if (list)
		text_by_process(out, list, count, style);
	free(list);
	list = make_groups(copy, r->count, by_unit, &count);
	if (list)
		text_by_unit(out, list, count, style);
	free(list);
	list = make_groups(copy, r->count, by_pair, &count);
	if (list)
		text_by_pair(out, list, count, style, r->snapshot.next);
	free(list);
	free(copy);
}

void stuck_text(struct buffer *out, const struct stuck_report *r, uint64_t now, const struct host_style *style)
{
	struct grid_column room[GRID_COLUMNS];
	struct grid g;

	text_head(out, r, now, style->width);
	if (!r->count)
		return;
	text_groups(out, r, style);
	buffer_char(out, '\n');
	host_table_begin(&g, room, close_columns, sizeof(close_columns) / sizeof(close_columns[0]), r->snapshot.next);
	for (size_t i = 0; i < host_table_shown(r->count, style->all); i++)
		text_close(&g, &r->closes[i]);
	host_table_print_grid(&g, out, style, r->count);
}

/* ---- JSON ---- */

static const char *waits_for_name(enum waits_for waits_for)
{
	static const char *const names[] = {
		[WAITS_FOR_APPLICATION] = "application",
		[WAITS_FOR_PEER_APPLICATION] = "peer_application",
		[WAITS_FOR_PEER] = "peer",
	};

	return names[waits_for];
}

/* A name from outside; null for "", which none is. */
static void json_name(struct buffer *out, const char *name)
{
	if (*name)
		buffer_json_string(out, name);
	else
		buffer_text(out, "null");
}

static void json_process(struct buffer *out, const struct stuck_close *c)
{
	if (!c->process) {
		buffer_text(out, "null");
		return;
	}
	buffer_printf(out, "{\"pid\":%d,\"name\":", c->process->pid);
	json_name(out, c->process->name);
	buffer_text(out, ",\"unit\":");
	json_name(out, c->process->identity.unit);
	buffer_printf(out, ",\"uid\":%u,\"holders\":%u}", c->process->uid, c->holders);
}

/* Beside the process: what it runs in. */
static void json_container(struct buffer *out, const struct stuck_close *c)
{
	buffer_text(out, ",\"container\":{\"id\":");
	json_name(out, c->process ? c->process->identity.container : "");
	buffer_text(out, "},\"orchestrator\":{\"pod\":{\"uid\":");
	json_name(out, c->process ? c->process->identity.pod : "");
	buffer_text(out, "}}");
}

static void json_end(struct buffer *out, const struct stuck_close *c, bool source)
{
	const struct tcp_socket *s = c->entry->socket;
	bool local = source == c->entry->pair.local_is_source;
	const struct socket_end *end = local ? &s->local : &s->peer;

	buffer_text(out, source ? ",\"source\":{\"ip\":\"" : ",\"destination\":{\"ip\":\"");
	format_address(out, s->family, end->ip);
	buffer_printf(out, "\",\"port\":%u", end->port);
	if (local) {
		buffer_text(out, ",\"process\":");
		json_process(out, c);
		json_container(out, c);
	}
	buffer_char(out, '}');
}

/* What the socket's queues hold. In CLOSE-WAIT nothing of ours ends with a FIN yet. */
static void json_queues(struct buffer *out, const struct stuck_close *c)
{
	const struct tcp_socket *s = c->entry->socket;
	bool open = s->state == TCP_CLOSE_WAIT;

	buffer_printf(out,
		      ",\"accepted\":%s,\"unread_bytes\":%u,\"end_read\":%s,\"unacked_bytes\":%u,\"retransmits\":%u,"
		      "\"forgotten_in\":",
		      c->accepted ? "true" : "false", bytes_before_fin(s->unread),
		      !open       ? "null"
		      : s->unread ? "false"
				  : "true",
		      open ? s->unacked : bytes_before_fin(s->unacked), s->retransmits);
	if (s->timer == TIMER_TIME_WAIT)
		buffer_signed(out, s->expires * MS_NS);
	else
		buffer_text(out, "null");
}

static void json_close(struct buffer *out, const struct stuck_close *c, uint64_t now)
{
	const struct host_pair *pair = &c->entry->pair;

	host_table_json_head(out, "tcpfin.stuck", host_pair_type(pair), now);
	socket_snapshot_json(out, c->entry->of);
	json_end(out, c, true);
	json_end(out, c, false);
	buffer_printf(out, ",\"tcp\":{\"local\":\"%s\",\"state\":\"%s\",\"waits_for\":\"%s\",\"age\":",
		      role_name(pair->local_is_source ? SOURCE : DESTINATION), state_name(state_of(c)),
		      waits_for_name(c->waits_for));
	if (c->age == AGE_UNKNOWN)
		buffer_text(out, "null");
	else
		buffer_signed(out, c->age);
	json_queues(out, c);
	buffer_text(out, "}}\n");
}

void stuck_json(struct buffer *out, const struct stuck_report *r, uint64_t now)
{
	for (size_t i = 0; i < r->count; i++)
		json_close(out, &r->closes[i], now);
}

/* ---- the whole report ---- */

/* --stuck selects only closes in these states. */
static void count(struct check_counts *counts, const struct stuck_report *r)
{
	static const enum check_count by_state[TCP_STATES] = {
		[STATE_FIN_WAIT_1] = CHECK_FIN_WAIT_1, [STATE_FIN_WAIT_2] = CHECK_FIN_WAIT_2,
		[STATE_CLOSE_WAIT] = CHECK_CLOSE_WAIT, [STATE_CLOSING] = CHECK_CLOSING,
		[STATE_LAST_ACK] = CHECK_LAST_ACK,
	};

	counts->counts[CHECK_STUCK].number = r->count;
	for (size_t i = 0; i < r->count; i++)
		counts->counts[by_state[state_of(&r->closes[i])]].number++;
}

int stuck_print(struct buffer *out, const struct options *options, uint64_t now, size_t *sockets,
		struct check_counts *counts)
{
	const struct host_style style = host_table_style(options);
	struct stuck_report r = {.least = options->stuck, .filter = &options->record_filter};
	int err = socket_snapshot_take(&r.snapshot, STUCK_STATES, &options->filter, options->netns);

	*sockets = socket_snapshot_count(&r.snapshot);
	err = err ? err : stuck_select(&r, "/proc");
	if (!err)
		count(counts, &r);
	if (!err && options->format == FORMAT_JSON)
		stuck_json(out, &r, now);
	else if (!err)
		stuck_text(out, &r, now, &style);
	stuck_free(&r);
	return err;
}
