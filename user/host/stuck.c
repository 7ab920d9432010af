// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A socket's state says whose step is due; its queues and timers say why it does not come.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/format/duration.h"
#include "user/host/stuck.h"

#define LINES 20 /* of a table, unless all are asked for */

#define CLOSING_STATES                                                                        \
	(SOCKETS_IN(TCP_FIN_WAIT1) | SOCKETS_IN(TCP_FIN_WAIT2) | SOCKETS_IN(TCP_CLOSE_WAIT) | \
	 SOCKETS_IN(TCP_LAST_ACK) | SOCKETS_IN(TCP_CLOSING))

static const char *const state_names[] = {
	[TCP_FIN_WAIT1] = "FIN-WAIT-1", [TCP_FIN_WAIT2] = "FIN-WAIT-2", [TCP_CLOSE_WAIT] = "CLOSE-WAIT",
	[TCP_LAST_ACK] = "LAST-ACK",    [TCP_CLOSING] = "CLOSING",
};

#define STATES (sizeof(state_names) / sizeof(state_names[0]))

/* ---- since when ---- */

#define RTO_MAX_US 120000000LL
#define RTO_MIN_US 200000LL

/* Every run of the retransmission timer took twice as long as the one before, up to a limit. */
static int64_t retransmitting_for(const struct tcp_socket *s)
{
	int64_t rto = s->rto, first = rto < RTO_MAX_US ? rto >> s->backoff : s->rtt + RTO_MIN_US, us = 0;

	for (unsigned i = 0; i < s->backoff; i++)
		us += i < 32 && first << i < RTO_MAX_US ? first << i : RTO_MAX_US;
	if (rto > s->expires * 1000LL)
		us += rto - s->expires * 1000LL;
	return us * US_NS;
}

int64_t stuck_age(const struct tcp_socket *s, uint32_t fin_timeout)
{
	if (s->timer == TIMER_TIME_WAIT)
		return s->expires <= fin_timeout ? (fin_timeout - s->expires) * MS_NS : AGE_UNKNOWN;
	if (!s->detailed)
		return AGE_UNKNOWN;
	if (s->state == TCP_CLOSE_WAIT || s->state == TCP_FIN_WAIT2)
		return s->last_ack_received * MS_NS;
	if (s->timer == TIMER_RETRANSMIT)
		return retransmitting_for(s);
	return s->timer == TIMER_PROBE ? s->last_data_sent * MS_NS : AGE_UNKNOWN;
}

/* ---- who ---- */

static enum waits_for waits_for(const struct tcp_socket *s)
{
	if (s->state == TCP_CLOSE_WAIT)
		return WAITS_FOR_APPLICATION;
	if (s->state == TCP_FIN_WAIT2 || s->timer == TIMER_PROBE) /* its window is shut: nobody reads */
		return WAITS_FOR_PEER_APPLICATION;
	return WAITS_FOR_PEER;
}

/* In CLOSE-WAIT a socket without an inode waits to be accepted: what it needs is its listener's to do. */
static uint32_t responsible_inode(const struct snapshot_entry *e)
{
	if (!e->socket->inode && e->socket->state == TCP_CLOSE_WAIT && e->listener)
		return e->listener->inode;
	return e->socket->inode;
}

static bool unaccepted(const struct stuck_close *c)
{
	return c->entry->socket->state == TCP_CLOSE_WAIT && !c->entry->socket->inode;
}

/* ---- which ---- */

static int oldest_first(const void *a, const void *b)
{
	const struct stuck_close *x = a, *y = b;

	return (x->age < y->age) - (x->age > y->age);
}

static bool is_closing(const struct tcp_socket *s)
{
	return s->state < 32 && CLOSING_STATES & SOCKETS_IN(s->state);
}

/*
 * Names are missing without /proc, and some without the right to look: said once, however many tables there are. err:
 * of the search; unnamed: sockets that someone should hold.
 */
static void say_unnamed(const struct socket_holders *p, const char *proc, int err, size_t unnamed)
{
	static bool said;

	if (said || !unnamed || (!err && !p->denied))
		return;
	said = true;
	if (err)
		log_note("processes are not named: %s: %s", proc, strerror(-err));
	else
		log_note("%zu of the sockets belong to processes that may not be looked into: run it with sudo",
			 unnamed);
}

/* Fills in who holds the sockets. */
static void find_processes(struct stuck_report *r, const char *proc)
{
	int err = socket_holders_search(&r->holders, proc);
	size_t unnamed = 0;

	for (size_t i = 0; i < r->count; i++) {
		struct stuck_close *c = &r->closes[i];
		uint32_t inode = responsible_inode(c->entry);

		c->process = socket_holders_of(&r->holders, inode, &c->holders);
		unnamed += inode && !c->process;
	}
	say_unnamed(&r->holders, proc, err, unnamed);
}

int stuck_select(struct stuck_report *r, uint32_t fin_timeout, const char *proc)
{
	int err = 0;

	r->closes = calloc(r->snapshot.count + 1, sizeof(*r->closes));
	if (!r->closes)
		return -ENOMEM;
	for (size_t i = 0; i < r->snapshot.count && !err; i++) {
		const struct snapshot_entry *e = &r->snapshot.entries[i];
		int64_t age = stuck_age(e->socket, fin_timeout);

		if (!is_closing(e->socket) || (age != AGE_UNKNOWN && (uint64_t)age < r->least))
			continue;
		r->closes[r->count++] = (struct stuck_close){e, age, waits_for(e->socket), NULL, 0};
		err = socket_holders_want(&r->holders, responsible_inode(e));
	}
	if (err)
		return err;
	qsort(r->closes, r->count, sizeof(*r->closes), oldest_first);
	find_processes(r, proc);
	return 0;
}

void stuck_free(struct stuck_report *r)
{
	socket_snapshot_free(&r->snapshot);
	socket_holders_free(&r->holders);
	free(r->closes);
}

/* ---- groups ---- */

struct group {
	const struct stuck_close *oldest;
	size_t count, states[STATES];
};

typedef int (*compare)(const void *, const void *); /* of two struct stuck_close */

static int by_process(const void *a, const void *b)
{
	const struct stuck_close *x = a, *y = b;
	int p = x->process ? x->process->pid : 0, q = y->process ? y->process->pid : 0;

	return (p > q) - (p < q);
}

static int by_pair(const void *a, const void *b)
{
	const struct stuck_close *x = a, *y = b;

	return memcmp(&x->entry->pair, &y->entry->pair, sizeof(x->entry->pair));
}

static int largest_first(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return oldest_first(x->oldest, y->oldest);
}

static void group_add(struct group *g, const struct stuck_close *c)
{
	if (!g->count || c->age > g->oldest->age)
		g->oldest = c;
	g->count++;
	g->states[c->entry->socket->state]++;
}

/* Those that compare as equal, each group's closes counted; NULL when memory is short. closes: is sorted. */
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

	for (size_t state = 0; state < STATES; state++) {
		if (!g->states[state])
			continue;
		buffer_printf(out, "%s%zu %s", before, g->states[state], state_names[state]);
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

static void text_end(struct buffer *out, const struct tcp_socket *s, const struct socket_end *end)
{
	buffer_text(out, s->family == 6 ? "[" : "");
	format_address(out, s->family, end->ip);
	buffer_text(out, s->family == 6 ? "]:" : ":");
	buffer_unsigned(out, end->port);
}

/* The FIN takes a sequence number, too. */
static uint32_t bytes_before_fin(uint32_t numbers)
{
	return numbers ? numbers - 1 : 0;
}

static void text_due_here(struct buffer *out, const struct stuck_close *c)
{
	uint32_t unread = c->entry->socket->unread, bytes = bytes_before_fin(unread);

	if (unaccepted(c))
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

static void text_close(struct buffer *out, const struct stuck_close *c)
{
	const struct tcp_socket *s = c->entry->socket;
	size_t start = out->len;

	buffer_duration(out, c->age);
	buffer_pad(out, start, 9);
	buffer_text(out, state_names[s->state]);
	buffer_pad(out, start, 21);
	text_end(out, s, &s->local);
	buffer_pad(out, start, 44);
	text_end(out, s, &s->peer);
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

static void text_more(struct buffer *out, size_t count, size_t shown)
{
	if (count > shown)
		buffer_printf(out, "... and %zu more; -v shows all\n", count - shown);
}

static void text_by_process(struct buffer *out, const struct group *list, size_t count, size_t shown)
{
	buffer_text(out, "\nPROCESS                                       CLOSES  OLDEST   STATES\n");
	for (size_t i = 0; i < count && i < shown; i++) {
		size_t start = out->len;

		text_process(out, list[i].oldest);
		text_group_tail(out, start, &list[i]);
	}
	text_more(out, count, shown);
}

static void text_by_pair(struct buffer *out, const struct group *list, size_t count, size_t shown)
{
	buffer_text(out, "\nSOURCE                 DESTINATION            CLOSES  OLDEST   STATES\n");
	for (size_t i = 0; i < count && i < shown; i++) {
		const struct snapshot_entry *e = list[i].oldest->entry;
		size_t start = out->len;

		format_address(out, e->pair.family, e->pair.source);
		buffer_pad(out, start, 23);
		text_end(out, e->socket, e->pair.local_is_source ? &e->socket->peer : &e->socket->local);
		text_group_tail(out, start, &list[i]);
	}
	text_more(out, count, shown);
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

/* Groups are made of a copy, which takes the order that each needs. */
static void text_groups(struct buffer *out, const struct stuck_report *r, size_t shown)
{
	struct stuck_close *copy = calloc(r->count, sizeof(*copy));
	struct group *list;
	size_t count;

	if (!copy)
		return;
	memcpy(copy, r->closes, r->count * sizeof(*copy));
	list = make_groups(copy, r->count, by_process, &count);
	if (list)
		text_by_process(out, list, count, shown);
	free(list);
	list = make_groups(copy, r->count, by_pair, &count);
	if (list)
		text_by_pair(out, list, count, shown);
	free(list);
	free(copy);
}

void stuck_text(struct buffer *out, const struct stuck_report *r, uint64_t now, bool all)
{
	size_t shown = all ? SIZE_MAX : LINES;

	text_head(out, r, now);
	if (!r->count)
		return;
	text_groups(out, r, shown);
	buffer_text(out, "\nSINCE    STATE       LOCAL                  PEER                   PROCESS                "
			 "WHO MUST ACT\n");
	for (size_t i = 0; i < r->count && i < shown; i++)
		text_close(out, &r->closes[i]);
	text_more(out, r->count, shown);
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

static void json_process(struct buffer *out, const struct stuck_close *c)
{
	if (!c->process) {
		buffer_text(out, "null");
		return;
	}
	buffer_printf(out, "{\"pid\":%d,\"name\":", c->process->pid);
	if (*c->process->name)
		buffer_json_string(out, c->process->name);
	else
		buffer_text(out, "null");
	buffer_printf(out, ",\"uid\":%u,\"holders\":%u}", c->process->uid, c->holders);
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
	}
	buffer_char(out, '}');
}

static void json_close(struct buffer *out, const struct stuck_close *c, uint64_t now)
{
	const struct tcp_socket *s = c->entry->socket;

	host_table_json_head(out, "tcpfin.stuck", now);
	buffer_printf(out, ",\"network\":{\"transport\":\"tcp\",\"type\":\"%s\"}", host_pair_type(&c->entry->pair));
	json_end(out, c, true);
	json_end(out, c, false);
	buffer_printf(out, ",\"tcp\":{\"local\":\"%s\",\"state\":\"%s\",\"waits_for\":\"%s\",\"age\":",
		      c->entry->pair.local_is_source ? "source" : "destination", state_names[s->state],
		      waits_for_name(c->waits_for));
	if (c->age == AGE_UNKNOWN)
		buffer_text(out, "null");
	else
		buffer_signed(out, c->age);
	buffer_printf(out,
		      ",\"accepted\":%s,\"unread_bytes\":%u,\"end_read\":%s,\"unacked_bytes\":%u,\"retransmits\":%u,"
		      "\"forgotten_in\":",
		      unaccepted(c) ? "false" : "true", bytes_before_fin(s->unread),
		      s->state != TCP_CLOSE_WAIT ? "null"
		      : s->unread                ? "false"
						 : "true",
		      s->state == TCP_CLOSE_WAIT ? s->unacked : bytes_before_fin(s->unacked), s->retransmits);
	if (s->timer == TIMER_TIME_WAIT)
		buffer_signed(out, s->expires * MS_NS);
	else
		buffer_text(out, "null");
	buffer_text(out, "}}\n");
}

void stuck_json(struct buffer *out, const struct stuck_report *r, uint64_t now)
{
	for (size_t i = 0; i < r->count; i++)
		json_close(out, &r->closes[i], now);
}

/* ---- all of it ---- */

int stuck_print(struct buffer *out, const struct options *options, uint64_t now, size_t *sockets)
{
	struct stuck_report r = {.least = options->stuck};
	long fin_timeout = local_setting("tcp_fin_timeout"); /* s */
	int err = socket_snapshot_take(&r.snapshot, CLOSING_STATES, &options->filter);

	err = err ? err : stuck_select(&r, fin_timeout < 0 ? 0 : (uint32_t)fin_timeout * 1000, "/proc");
	if (!err && options->format == FORMAT_JSON)
		stuck_json(out, &r, now);
	else if (!err)
		stuck_text(out, &r, now, options->verbose);
	*sockets = r.snapshot.count;
	stuck_free(&r);
	return err;
}
