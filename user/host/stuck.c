// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A socket's state says whose step is due; its queues and timers say why it does not come.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/host/stuck.h"

/* ---- since when ---- */

/* The kernel's TCP_RTO_MAX and TCP_RTO_MIN. */
#define RTO_MAX_US 120000000LL
#define RTO_MIN_US 200000LL

/*
 * ns since the retransmission timer began to run for the oldest unacknowledged segment: each of its runs took twice as
 * long as the one before, up to a limit (RFC 6298 section 5.5).
 */
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

/* A socket in CLOSE-WAIT without an inode waits in its listener's queue: an application has to accept it first. */
static bool accepted(const struct tcp_socket *s)
{
	return s->state != TCP_CLOSE_WAIT || s->inode;
}

/* The inode whose holder must act: the listener's for a connection that waits to be accepted. */
static uint32_t responsible_inode(const struct snapshot_entry *e)
{
	return !accepted(e->socket) && e->listener ? e->listener->inode : e->socket->inode;
}

/* ---- which ---- */

int stuck_oldest_first(const void *a, const void *b)
{
	const struct stuck_close *x = a, *y = b;

	return (x->age < y->age) - (x->age > y->age);
}

static bool is_closing(const struct tcp_socket *s)
{
	return s->state < 32 && STUCK_STATES & SOCKETS_IN(s->state);
}

/*
 * Logs once, however many tables are printed, why processes are not named: there is no /proc, or this user may not look
 * into all of them. err: of the search; unnamed: sockets without a process that should have one.
 */
static void report_unnamed(const struct socket_holders *p, const char *proc, int err, size_t unnamed)
{
	static bool reported;

	if (reported || !unnamed || (!err && !p->denied))
		return;
	reported = true;
	if (err)
		log_note("processes are not named: %s: %s", proc, strerror(-err));
	else
		log_note(
			"%zu sockets belong to processes that this user may not inspect; run it with sudo to name them",
			unnamed);
}

/* Fills in the processes that hold the sockets. */
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
	report_unnamed(&r->holders, proc, err, unnamed);
}

/* Adds the entry if it is a close that has stood still for long enough, or for an unknown time. 0 or -ENOMEM. */
static int select_entry(struct stuck_report *r, const struct snapshot_entry *e)
{
	int64_t age = stuck_age(e->socket, e->of->settings.fin_timeout);

	if (!is_closing(e->socket) || (age != AGE_UNKNOWN && (uint64_t)age < r->least))
		return 0;
	r->closes[r->count++] = (struct stuck_close){
		.entry = e,
		.age = age,
		.waits_for = waits_for(e->socket),
		.accepted = accepted(e->socket),
	};
	return socket_holders_want(&r->holders, responsible_inode(e));
}

/* NULL for "", which no name is. */
static const char *known(const char *name)
{
	return *name ? name : NULL;
}

static bool holder_passes(const struct record_filter *f, const struct process *p)
{
	struct filter_holder holder = {0};

	if (p)
		holder = (struct filter_holder){
			.pid = (uint32_t)p->pid,
			.name = known(p->name),
			.unit = known(p->identity.unit),
			.container = known(p->identity.container),
		};
	return record_filter_holders_pass(f, &holder, 1);
}

/* Leaves those whose process passes; their order stays. */
static void keep_passing(struct stuck_report *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->count; i++)
		if (holder_passes(r->filter, r->closes[i].process))
			r->closes[kept++] = r->closes[i];
	r->count = kept;
}

int stuck_select(struct stuck_report *r, const char *proc)
{
	int err = 0;

	r->closes = calloc(socket_snapshot_count(&r->snapshot) + 1, sizeof(*r->closes));
	if (!r->closes)
		return -ENOMEM;
	for (const struct socket_snapshot *s = &r->snapshot; s; s = s->next)
		for (size_t i = 0; i < s->count && !err; i++)
			err = select_entry(r, &s->entries[i]);
	if (err)
		return err;
	qsort(r->closes, r->count, sizeof(*r->closes), stuck_oldest_first);
	find_processes(r, proc);
	if (r->filter)
		keep_passing(r);
	return 0;
}

void stuck_free(struct stuck_report *r)
{
	socket_snapshot_free(&r->snapshot);
	socket_holders_free(&r->holders);
	free(r->closes);
}
