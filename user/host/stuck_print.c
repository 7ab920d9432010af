// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The report on stuck closes, as text (a table by process, one by host pair, one of the closes) and as JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "user/base/clock.h"
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

static void text_close(struct buffer *out, const struct stuck_close *c, bool names)
{
	const struct tcp_socket *s = c->entry->socket;
	size_t start = host_table_namespace(out, &c->entry->of->namespace, names);

	buffer_duration(out, c->age);
	buffer_pad(out, start, 9);
	buffer_text(out, state_name(state_of(c)));
	buffer_pad(out, start, 21);
	format_endpoint(out, s->family, s->local.ip, s->local.port);
	buffer_pad(out, start, 44);
	format_endpoint(out, s->family, s->peer.ip, s->peer.port);
	buffer_pad(out, start, 67);
	text_process(out, c);
	buffer_pad(out, start, 90);
	text_due(out, c);
	buffer_char(out, '\n');
}

static void text_group_tail(struct buffer *out, size_t start, const struct group *g)
{
	buffer_pad(out, start, 46);
	buffer_unsigned(out, g->count);
	buffer_pad(out, start, 54);
	buffer_duration(out, g->oldest->age);
	buffer_pad(out, start, 63);
	text_states(out, g);
	buffer_char(out, '\n');
}

static void text_by_process(struct buffer *out, const struct group *list, size_t count, bool all)
{
	size_t shown = host_table_shown(count, all);

	buffer_text(out, "\nPROCESS                                       CLOSES  OLDEST   STATES\n");
	for (size_t i = 0; i < shown; i++) {
		size_t start = out->len;

		text_process(out, list[i].oldest);
		text_group_tail(out, start, &list[i]);
	}
	host_table_more(out, count, shown);
}

static void text_by_pair(struct buffer *out, const struct group *list, size_t count, bool all, bool names)
{
	size_t shown = host_table_shown(count, all);

	buffer_char(out, '\n');
	host_table_namespace_head(out, names);
	buffer_text(out, "SOURCE                 DESTINATION            CLOSES  OLDEST   STATES\n");
	for (size_t i = 0; i < shown; i++) {
		const struct host_pair *pair = &list[i].oldest->entry->pair;
		size_t start = host_table_namespace(out, &list[i].oldest->entry->of->namespace, names);

		format_address(out, pair->family, pair->source);
		buffer_pad(out, start, 23);
		format_endpoint(out, pair->family, pair->destination, pair->port);
		text_group_tail(out, start, &list[i]);
	}
	host_table_more(out, count, shown);
}

static void text_head(struct buffer *out, const struct stuck_report *r, uint64_t now)
{
	struct group all = {0};

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
	buffer_char(out, '\n');
}

/*
 * Both tables of groups. They are made from a copy of the closes, which is sorted for each of them; without memory for
 * it they are left out.
 */
static void text_groups(struct buffer *out, const struct stuck_report *r, bool all)
{
	struct stuck_close *copy = calloc(r->count, sizeof(*copy));
	struct group *list;
	size_t count;

	if (!copy)
		return;
	memcpy(copy, r->closes, r->count * sizeof(*copy));
	list = make_groups(copy, r->count, by_process, &count);
	if (list)
		text_by_process(out, list, count, all);
	free(list);
	list = make_groups(copy, r->count, by_pair, &count);
	if (list)
		text_by_pair(out, list, count, all, r->snapshot.next);
	free(list);
	free(copy);
}

void stuck_text(struct buffer *out, const struct stuck_report *r, uint64_t now, bool all)
{
	size_t shown = host_table_shown(r->count, all);

	text_head(out, r, now);
	if (!r->count)
		return;
	text_groups(out, r, all);
	buffer_char(out, '\n');
	host_table_namespace_head(out, r->snapshot.next);
	buffer_text(out, "SINCE    STATE       LOCAL                  PEER                   PROCESS                "
			 "WHO MUST ACT\n");
	for (size_t i = 0; i < shown; i++)
		text_close(out, &r->closes[i], r->snapshot.next);
	host_table_more(out, r->count, shown);
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
	struct stuck_report r = {.least = options->stuck};
	int err = socket_snapshot_take(&r.snapshot, STUCK_STATES, &options->filter, options->netns);

	*sockets = socket_snapshot_count(&r.snapshot);
	err = err ? err : stuck_select(&r, "/proc");
	if (!err)
		count(counts, &r);
	if (!err && options->format == FORMAT_JSON)
		stuck_json(out, &r, now);
	else if (!err)
		stuck_text(out, &r, now, options->verbose);
	stuck_free(&r);
	return err;
}
