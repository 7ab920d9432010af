// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel gives a flow out in one of two ways: a closing flow announces its end by a notice and is fetched once it
 * has settled; a flow that never came to closing arrives whole in the ring. Sweeps find what announces nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/settings.h" /* before the skeleton, which uses these types */
#include "bpf/tables.h"
#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/live/collector.h"
#include "tcpfin_trace.skel.h"

#define SWEEP_NS 200000000ULL /* a fifth of the unproven table each */
#define SWEEP_PARTS 5
#define DRAIN_FAILURES 10 /* in a row: two seconds */

/* ---- reporting ---- */

/* Without a handshake, use what this host knew of the connection when the watch began. */
static void look_up_open_at_start(const struct collector *c, struct verdict_context *context,
				  const struct flow_key *key)
{
	context->opener = (unsigned)(open_at_start_source(&c->open_at_start, key) + 1);
	for (unsigned side = 0; side < 2; side++) {
		struct verdict_holder *h = &context->holder[side];

		h->process = open_at_start_holder(&c->open_at_start, key, side, &h->holders);
	}
}

/* Judges the flow and reports it. traffic: NULL where it was not counted. */
static void report(struct collector *c, const struct flow_key *key, const struct closing_body *body,
		   const struct traffic *traffic, enum report_reason reason)
{
	struct verdict_context context = {
		.interface = interfaces_name(c->interfaces, key->ifindex),
		.wall_offset = c->wall_offset,
		.reason = reason,
		.order_by_time = true,
		.traffic = traffic,
	};

	if (!body->flow.open.seen)
		look_up_open_at_start(c, &context, key);
	if (c->sockets)
		context.sockets = socket_events_find(c->sockets, key, &body->flow);
	reporter_flow(c->reporter, key, &body->flow, body->log, &context);
	if (!body->flow.open.seen && body->flow.state & FLOW_DONE)
		open_at_start_ended(&c->open_at_start, key);
}

static void report_slot(struct collector *c, const struct collect_slot *slot)
{
	const struct flow_event *e = &slot->event;

	if (e->head.kind != EVENT_COLLECTED)
		return;
	c->collected++;
	report(c, &e->head.key, &e->body, slot->counted ? &slot->traffic : NULL,
	       c->stopping && !(e->body.flow.state & FLOW_DONE) ? REPORT_STOP : REPORT_ENDED);
}

/*
 * Call after the kernel has given out flows and before their report: all that their sockets did before is known then.
 */
static void poll_sockets(struct collector *c)
{
	if (c->sockets)
		socket_events_poll(c->sockets);
}

/* The kernel may lack memory for a run. What was not collected waits in its table, and the next sweep finds it. */
static void note_sweep(struct collector *c, int err)
{
	if (err && !c->sweep_error)
		log_error("closes cannot be collected: %s; trying again", strerror(-err));
	else if (!err && c->sweep_error)
		log_note("closes are collected again");
	c->sweep_error = err;
}

/*
 * Runs a sweep. What it finds of closing flows is reported; the rest comes through the ring. Returns how many flows it
 * found, or a negative errno, which has been said.
 */
static int sweep(struct collector *c, const struct sweep_request *what)
{
	struct sweep_request *request = &c->skeleton->bss->sweep_request;
	uint8_t frame[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame), .repeat = 1);

	*request = *what;
	request->timeouts.settle = c->options->settle;
	request->timeouts.syn = c->options->syn_timeout;
	request->timeouts.close = c->options->close_timeout;
	request->show_open = c->options->show_open;
	request->flush = c->stopping;
	note_sweep(c, bpf_prog_test_run_opts(bpf_program__fd(c->skeleton->progs.tcpfin_sweep), &run) ? -errno : 0);
	if (c->sweep_error)
		return c->sweep_error;
	poll_sockets(c);
	for (uint32_t i = 0; i < c->skeleton->bss->slots_used; i++)
		report_slot(c, &c->slots[i]);
	return (int)run.retval;
}

/* Collects the flows that have settled. */
static void collect_settled(struct collector *c, uint64_t now)
{
	while (!reporter_full(c->reporter)) {
		uint32_t n = 0;

		while (n < COLLECT_SLOTS && settling_queue_take(&c->settling, now, &c->slots[n].event.head.key))
			n++;
		if (!n || sweep(c, &(struct sweep_request){.collect = n}) < 0)
			break;
	}
}

/* ---- events ---- */

/* What the kernel remembers of an established flow's last segments. */
static void lend_evidence(const struct collector *c, const struct flow_key *key, struct flow *f)
{
	uint32_t index = key->hash & (LAST_SEEN_CELLS - 1);
	struct last_seen evidence;

	if (!bpf_map_lookup_elem(bpf_map__fd(c->skeleton->maps.last_seen), &index, &evidence))
		flow_lend_last_seen(f, &evidence, flow_key_hash(key));
}

/* Reports a flow that never came to closing. The kernel has forgotten it already. */
static void take_unproven(struct collector *c, const struct flow_event *e)
{
	const struct traffic *traffic = e->head.kind == EVENT_OPEN ? (const void *)e->body.log : NULL;
	struct closing_body body;

	poll_sockets(c);
	memcpy(&body, &e->body, closing_body_used(&e->body));
	if ((body.flow.state & (FLOW_REOPENED | FLOW_REPLACED)) == FLOW_REOPENED) /* forgotten as idle */
		lend_evidence(c, &e->head.key, &body.flow);
	report(c, &e->head.key, &body, traffic, c->stopping ? REPORT_STOP : REPORT_ENDED);
}

static int take_event(void *context, void *data, size_t size)
{
	struct collector *c = context;
	const struct flow_event *e = data;

	(void)size;
	switch (e->head.kind) {
	case EVENT_ENDED:
		settling_queue_append(&c->settling, &e->head.key, e->time + c->options->settle);
		break;
	case EVENT_REPLACED:
		settling_queue_prepend(&c->settling, &e->head.key);
		break;
	case EVENT_UNPROVEN:
	case EVENT_OPEN:
		take_unproven(c, e);
		break;
	}
	return 0;
}

/* ---- the kernel's side ---- */

int collector_counters(const struct collector *c, uint64_t total[COUNTERS])
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t zero = 0;
	uint64_t *each = cpus > 0 ? calloc((size_t)cpus, COUNTERS * sizeof(*each)) : NULL;
	int err = each ? bpf_map_lookup_elem(bpf_map__fd(c->skeleton->maps.counters), &zero, each) : -ENOMEM;

	memset(total, 0, COUNTERS * sizeof(*total));
	for (int cpu = 0; cpu < cpus && !err; cpu++)
		for (int i = 0; i < COUNTERS; i++)
			total[i] += each[cpu * COUNTERS + i];
	free(each);
	return err;
}

/* Sweeps one part of the unproven table, so that no turn is long. */
static void sweep_turn(struct collector *c)
{
	uint32_t sets = bpf_map__max_entries(c->skeleton->maps.unproven), part = sets / SWEEP_PARTS + 1;
	unsigned n = c->turn++ % SWEEP_PARTS;

	sweep(c, &(struct sweep_request){
			 .first_set = n * part,
			 .sets = n == SWEEP_PARTS - 1 ? sets - n * part : part,
		 });
}

/* Sweeps all closing flows, until each that is due has found a slot. */
static void sweep_closing(struct collector *c)
{
	while (sweep(c, &(struct sweep_request){.closing = true}) > 0 &&
	       c->skeleton->bss->slots_used == COLLECT_SLOTS && !reporter_full(c->reporter))
		;
}

static void consume(struct collector *c)
{
	poll_sockets(c);
	ring_buffer__consume(c->ring);
}

/* After a notice found the ring full, sweeps all closing flows until the last of those has settled. */
static void make_good(struct collector *c, uint64_t now)
{
	uint64_t counters[COUNTERS];

	if (!collector_counters(c, counters)) {
		if (counters[COUNT_RING_FULL] != c->ring_full)
			c->search_until = now + c->options->settle + SWEEP_NS;
		c->ring_full = counters[COUNT_RING_FULL];
	}
	if (now < c->search_until)
		sweep_closing(c);
}

/* ---- in turn ---- */

/*
 * ns between two sweeps of all closing flows, which find closes that nobody finishes. Finished closes send a notice.
 * The sweep reads the whole table, which may be cold.
 */
static uint64_t closing_round(const struct options *o)
{
	uint64_t round = o->close_timeout / 16;

	if (round < SECOND_NS)
		return SECOND_NS;
	return round < 4 * SECOND_NS ? round : 4 * SECOND_NS;
}

/* ns between two rounds of ageing the established flows. */
static uint64_t idle_round(const struct options *o)
{
	return o->idle_timeout / FLOW_IDLE_ROUNDS;
}

static void sweep_due(struct collector *c, uint64_t now)
{
	if (now >= c->next_sweep) {
		c->wall_offset = (int64_t)(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC));
		sweep_turn(c);
		c->next_sweep = now + SWEEP_NS;
	}
	if (now >= c->next_closing) {
		sweep_closing(c);
		c->next_closing = now + closing_round(c->options);
	}
	if (now >= c->next_round) {
		sweep(c, &(struct sweep_request){.established = true});
		c->next_round = now + idle_round(c->options);
	}
}

void collector_poll(struct collector *c, uint64_t now)
{
	consume(c);
	make_good(c, now);
	sweep_due(c, now);
	collect_settled(c, now);
	reporter_flush(c->reporter);
}

int collector_drain(struct collector *c)
{
	const struct timespec pause = {.tv_nsec = SWEEP_NS};
	int found, failures = 0;

	consume(c);
	c->stopping = true;
	collect_settled(c, UINT64_MAX);
	do {
		found = sweep(c, &(struct sweep_request){
					 .sets = bpf_map__max_entries(c->skeleton->maps.unproven),
					 .closing = true,
					 .established = c->options->show_open,
				 });
		consume(c);
		failures = found < 0 ? failures + 1 : 0;
		if (failures)
			nanosleep(&pause, NULL);
	} while (found > 0 || (failures && failures < DRAIN_FAILURES));
	reporter_flush(c->reporter);
	if (found < 0)
		log_error("closes that were not collected are lost: %s", strerror(-found));
	return found < 0 ? EXIT_RUNTIME : EXIT_FINE;
}

/* ---- connections older than the watch ---- */

void collector_read_open_connections(struct collector *c)
{
	int err = open_at_start_read(&c->open_at_start);

	if (err && c->options->verbose)
		log_note("who opened the connections that are open now is not known: %s", strerror(-err));
}

static void meanwhile(void *context)
{
	poll_sockets(context);
}

void collector_find_holders(struct collector *c)
{
	int err;

	c->open_at_start.holders.meanwhile = meanwhile;
	c->open_at_start.holders.context = c;
	err = open_at_start_find_holders(&c->open_at_start, "/proc");
	if (c->open_at_start.holders.denied && !err)
		err = -EACCES;
	if (err && c->options->verbose)
		log_note("who holds the sockets of connections that are open now is not all known: %s", strerror(-err));
}

/* ---- beginning and end ---- */

int collector_start(struct collector *c, struct tcpfin_trace_bpf *skeleton, uint64_t now)
{
	c->skeleton = skeleton;
	c->next_sweep = now;
	c->next_closing = now + SECOND_NS;
	c->next_round = now + idle_round(c->options);
	c->ring = ring_buffer__new(bpf_map__fd(skeleton->maps.ring), take_event, c, NULL);
	c->slots = mmap(NULL, COLLECT_SLOTS * sizeof(*c->slots), PROT_READ | PROT_WRITE, MAP_SHARED,
			bpf_map__fd(skeleton->maps.slots), 0);
	if (c->ring && c->slots != MAP_FAILED)
		return EXIT_FINE;
	log_error("cannot set up the tables: %s", strerror(errno));
	return EXIT_RUNTIME;
}

void collector_free(struct collector *c)
{
	ring_buffer__free(c->ring);
	settling_queue_free(&c->settling);
	if (c->slots && c->slots != MAP_FAILED)
		munmap(c->slots, COLLECT_SLOTS * sizeof(*c->slots));
	socket_events_stop(c->sockets);
	open_at_start_free(&c->open_at_start);
}
