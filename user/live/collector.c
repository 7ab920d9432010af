// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A connection that has ended announces itself by a notice, and is judged once it has settled. What announces nothing
 * (a handshake that nobody answers, a close that stands still, an end whose notice found the ring full) is found by
 * looking at all slots, a part at a time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/core/flow_log.h" /* before the skeleton, which uses these types */
#include "bpf/core/traffic.h"
#include "bpf/core/watch.h"
#include "bpf/settings.h"
#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/base/pcapng_format.h"
#include "user/cli/interface_pattern.h"
#include "user/live/collector.h"
#include "user/live/loader.h"
#include "user/live/seen_packets.h"
#include "user/live/survived_reset.h"
#include "user/judge/stray_flow.h"
#include "tcpfin_trace.skel.h"

/* Where several interfaces may see one connection, the others' notices have come in so many ns: in two polls. */
#define VIEWS_SETTLE_NS 50000000
#define PARTS 32 /* of the slots, that are looked at in turn */
/* A round of 1.28 s. At a round of a second, SYNs that are repeated each second would always be found just repeated. */
#define SCAN_NS 40000000

/* ---- reporting ---- */

/* Without a handshake, use what this host knew of the connection when the watch began. */
static void look_up_open_at_start(const struct collector *c, struct verdict_context *context,
				  const struct flow_key *key)
{
	uint32_t netns = context->netns_inode;

	context->opener = (unsigned)(open_at_start_source(&c->open_at_start, key, netns) + 1);
	context->unclosed = open_at_start_unclosed(&c->open_at_start, key, netns);
	for (unsigned side = 0; side < 2; side++) {
		struct verdict_holder *h = &context->holder[side];

		h->process = open_at_start_holder(&c->open_at_start, key, netns, side, &h->holders);
	}
}

/* Sets the interfaces, which are of one network namespace. */
static void name_interfaces(const struct collector *c, struct verdict_context *context,
			    const struct flow_interfaces *at)
{
	unsigned n = 0;

	for (unsigned i = 0; i < RECORD_INTERFACES && at->number[i]; i++) {
		const struct attachment *a = interfaces_find(c->interfaces, at->number[i]);

		if (!a)
			continue;
		context->interfaces[n++] = a->name;
		context->netns = a->netns.number ? a->netns.name : NULL;
		context->netns_inode = a->netns.inode;
	}
}

/* Are the interfaces of one network namespace? */
static bool in_one_network(const void *context, uint32_t a, uint32_t b)
{
	const struct collector *c = context;
	const struct attachment *x, *y;

	if (!c->options->netns)
		return true;
	x = interfaces_find(c->interfaces, a);
	y = interfaces_find(c->interfaces, b);
	return x && y && x->netns.number == y->netns.number;
}

/* netns: inode number of the namespace in which the flow was seen. */
static struct socket_join sockets_of(struct collector *c, const struct flow_key *key, const struct flow *f,
				     uint32_t netns)
{
	struct socket_query query = socket_query_of(key, f, netns);

	return c->sockets ? socket_events_find(c->sockets, &query) : (struct socket_join){0};
}

/* half: as in struct due_report. holder: for who called listen(), which the context then points to. */
static void look_up_listener(const struct collector *c, struct verdict_context *context, uint32_t slot, uint32_t half,
			     const struct flow *f, struct process *holder)
{
	const struct listener *l = c->attempts.list ? attempts_listener(&c->attempts, slot, f) : NULL;

	if (!l && half && c->attempts.list)
		l = attempts_listener(&c->attempts, half - 1, f);

	context->listener = l;
	if (!l || !l->inode)
		return;
	if (c->sockets && socket_events_listener(c->sockets, l->inode, holder, &context->listener_names)) {
		context->listener_holder = holder;
		return;
	}
	context->listener_holder = open_at_start_listener(&c->open_at_start, l->inode);
	if (context->listener_holder)
		context->listener_names = cgroup_names_of(&context->listener_holder->identity);
}

/* May a stray FIN be told? As many as stray RSTs may. */
static bool stray_fin_allowed(struct collector *c)
{
	const uint64_t each = SECOND_NS / STRAYS_A_SECOND;

	if (!c->options->strays)
		return false;
	if (c->now > c->strays_since + SECOND_NS)
		c->strays_since = c->now - SECOND_NS;
	if (c->now < c->strays_since + each) {
		c->counters[COUNT_STRAYS_LIMITED]++;
		return false;
	}
	c->strays_since += each;
	return true;
}

/* ---- --all-segments ---- */

/* Was nothing heard of the side but its SYN or SYN-ACK? */
static bool only_opened(const struct judged *j, unsigned side)
{
	for (unsigned i = 0; i < j->flow.log_len; i++)
		if (j->log[i].side == side && !(j->log[i].flags & TCP_SYN))
			return false;
	return !j->flow.lost;
}

/* Adds what the slot has counted of a side that it alone has heard. */
static bool take_half(const struct traffic *t, const struct flow_open *o, unsigned side, struct traffic *both)
{
	if (t->begun != TRAFFIC_HALF || t->isn[side] != o->isn[side] || !traffic_packets(&t->side[side]))
		return false;
	both->side[side] = t->side[side];
	return true;
}

/* The same of a side of which there is nothing behind its SYN or SYN-ACK, which alone begins no count. */
static bool take_opening(const struct judged *j, unsigned side, struct traffic *both)
{
	const struct flow_open *o = &j->flow.open;
	bool source = side == (o->source & 1);

	if (!only_opened(j, side))
		return false;
	traffic_opening(&both->side[side], o->isn[side], source ? o->syn_len : 0,
			source ? o->syn_flags : o->synack_flags, source ? o->syn_copies : o->synack_copies);
	return true;
}

/* Of a connection whose sides passed two interfaces: each one's is that of the slot which has heard it. */
static bool join_traffic(const struct collector *c, const struct judged *j, struct traffic *both)
{
	const struct flow_open *o = &j->flow.open;
	const unsigned seen = OPEN_SYN | OPEN_SYNACK;

	memset(both, 0, sizeof(*both));
	if ((o->seen & seen) != seen || !(j->flow.state & FLOW_PROVEN))
		return false;
	for (unsigned side = 0; side < 2; side++)
		if (!take_half(&c->traffic[j->slot], o, side, both) &&
		    !take_half(&c->traffic[j->half - 1], o, side, both) && !take_opening(j, side, both))
			return false;
	return true;
}

/*
 * What was counted of the connection: of several interfaces, by the one that has seen it first. NULL: nothing, or its
 * handshake was not seen. both: room for what two slots have counted.
 */
static const struct traffic *traffic_of(const struct collector *c, const struct judged *j, struct traffic *both)
{
	const struct traffic *t = c->traffic ? &c->traffic[j->slot] : NULL;

	if (!t)
		return NULL;
	if (j->half)
		return join_traffic(c, j, both) ? both : NULL;
	return t->begun == TRAFFIC_WHOLE && traffic_is_of(t, &j->flow.open) ? t : NULL;
}

/* ---- reports ---- */

/*
 * -w: adds what is kept of the connection in that slot to `count` packets that were found before. seen: room for
 * SEEN_MOST more. Returns how many there are then.
 */
static unsigned find_packets(const struct collector *c, const struct judged *j, uint32_t slot, unsigned count,
			     struct flight_seen *seen)
{
	unsigned end = count + seen_packets_of(c->packets, slot, j->flow.t_first, c->packets->of + count);

	for (unsigned i = count; i < end; i++) {
		const struct seen_packet *p = &c->packets->of[i];
		const struct attachment *a = interfaces_find(c->interfaces, p->interface);
		bool raw = p->headless || (a && a->l3);

		seen[i] = (struct flight_seen){
			.source = 2 * p->interface + raw,
			.link = raw ? PCAPNG_LINK_RAW : PCAPNG_LINK_ETHERNET,
			.name = a ? a->name : NULL,
			.time = p->time + (uint64_t)wall_clock_offset(&c->clock, p->time),
			.bytes = p->bytes,
			.captured = p->captured,
			.length = p->length,
			.outgoing = p->outgoing,
		};
	}
	return end;
}

static int seen_earlier(const void *a, const void *b)
{
	const struct flight_seen *x = a, *y = b;

	return (x->time > y->time) - (x->time < y->time);
}

/* The same of both slots, where each has heard one side. seen: room for twice as many. */
static unsigned find_all_packets(const struct collector *c, const struct judged *j, uint32_t slot, uint32_t half,
				 struct flight_seen *seen)
{
	unsigned count = find_packets(c, j, slot, 0, seen);

	if (!half)
		return count;
	count = find_packets(c, j, half - 1, count, seen);
	qsort(seen, count, sizeof(*seen), seen_earlier);
	return count;
}

/* The verdict's context is complete but for the packets of -w. */
static void hand_over(struct collector *c, const struct judged *j, uint32_t slot, const struct due_report *how,
		      struct verdict_context *verdict)
{
	struct flight_seen seen[2 * SEEN_MOST];
	struct flight_packets packets = {.again = how->again, .seen = seen};

	if (c->packets && !how->interim && !how->glance && !how->stray) {
		packets.count = find_all_packets(c, j, slot, how->half, seen);
		verdict->packets = &packets;
	}
	if (how->stray)
		reporter_stray(c->reporter, &j->key, &j->flow, j->log, verdict);
	else if (how->glance)
		reporter_waiting(c->reporter, &j->key, &j->flow, j->log, verdict, how->stuck);
	else
		reporter_flow(c->reporter, &j->key, &j->flow, j->log, verdict);
	verdict->packets = NULL; /* they end with this function */
}

/* What has a record of its own because it differs is related to this one. */
static void note_apart(struct collector *c, const struct due_report *how)
{
	for (unsigned i = 0; i < how->aparts; i++)
		related_note(c->related, &how->apart[i], true);
}

static void report(void *context, const struct judged *j, uint32_t slot, const struct due_report *how)
{
	struct collector *c = context;
	struct traffic both;
	struct process holder;
	struct verdict_context verdict = {
		.wall_offset = wall_clock_offset(&c->clock, j->flow.t_last),
		.id_offset = c->first_offset,
		.host = c->host,
		.reason = how->cut       ? REPORT_STOP
			  : how->interim ? REPORT_INTERIM
					 : REPORT_ENDED,
		.again = how->again,
		.counted = how->counted,
		.apart = how->counted || how->aparts,
		.order_by_time = true,
		.related = c->related,
		.traffic = how->again ? NULL : traffic_of(c, j, &both), /* between two records nothing is counted */
	};

	if (how->stray && !stray_fin_allowed(c))
		return;
	note_apart(c, how);
	name_interfaces(c, &verdict, how->seen_at);
	if (!how->cut && !how->early && !(j->flow.state & FLOW_REPLACED))
		verdict.quiet = (uint64_t)c->options->settle;
	if (!j->flow.open.seen)
		look_up_open_at_start(c, &verdict, &j->key);
	verdict.sockets = sockets_of(c, &j->key, &j->flow, verdict.netns_inode);
	look_up_listener(c, &verdict, slot, how->half, &j->flow, &holder);
	hand_over(c, j, slot, how, &verdict);
	if (how->interim || how->stray)
		return;
	if (!j->flow.open.seen && j->flow.state & FLOW_DONE)
		open_at_start_ended(&c->open_at_start, &j->key, verdict.netns_inode);
}

/* Of the network namespace that the first interface of the connection is in. */
static bool survived(void *context, const struct judged *j)
{
	struct collector *c = context;
	const struct attachment *a = interfaces_find(c->interfaces, j->key.ifindex);

	return a && !c->options->netns && survived_reset(c->sockets, j, a->netns.inode);
}

static void fetch(const void *context, const struct flow_slot *slot, bool near)
{
	const struct collector *c = context;

	related_fetch(c->related, slot, near);
	if (c->sockets)
		socket_events_fetch(c->sockets, slot, near);
}

/* ---- polling ---- */

static void report_stray(struct collector *c, const struct stray *x, const struct flow_interfaces *at)
{
	struct verdict_context verdict = {
		.wall_offset = wall_clock_offset(&c->clock, x->head.time),
		.id_offset = c->first_offset,
		.host = c->host,
		.related = c->related,
		.direction = x->direction == STRAY_IN ? DIRECTION_INGRESS : DIRECTION_EGRESS,
	};
	const struct flow_key key = stray_key(x);
	struct flow_segment log[1];
	struct flow flow;

	stray_flow(x, &flow, log);
	name_interfaces(c, &verdict, at);
	verdict.sockets = sockets_of(c, &key, &flow, verdict.netns_inode);
	reporter_stray(c->reporter, &key, &flow, log, &verdict);
}

/* What the sockets tell, and what answers a SYN, comes sooner. */
#define STRAY_WAIT_NS SECOND_NS

/* Reports the strays that have waited, but those that answer a SYN. until: ns. */
static void report_strays(struct collector *c, uint64_t until)
{
	struct flow_interfaces at;
	struct stray x;
	int more;

	while ((more = stray_queue_take(&c->strays, until, &x, &at)) >= 0) {
		c->counters[COUNT_VIEWS_JOINED] += (unsigned)more;
		if (!due_answer(&c->due, &x, &at, c->now) && c->options->strays)
			report_stray(c, &x, &at);
	}
}

static int take_notice(void *context, void *data, size_t size)
{
	struct collector *c = context;
	const struct notice *notice = data;

	if (notice->kind == NOTICE_STRAY && size >= sizeof(struct stray)) {
		if (!stray_queue_put(&c->strays, data) && c->options->strays)
			c->counters[COUNT_STRAYS_LIMITED]++;
		return 0;
	}
	due_notice(&c->due, data, c->now);
	return 0;
}

int collector_counters(const struct collector *c, uint64_t total[COUNTERS])
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t zero = 0;
	uint64_t *each = cpus > 0 ? calloc((size_t)cpus, COUNTERS * sizeof(*each)) : NULL;
	int err = each ? bpf_map_lookup_elem(bpf_map__fd(c->skeleton->maps.tcpfin_counters), &zero, each) : -ENOMEM;

	memcpy(total, c->counters, COUNTERS * sizeof(*total));
	for (int cpu = 0; cpu < cpus && !err; cpu++)
		for (int i = 0; i < COUNTERS; i++)
			total[i] += each[cpu * COUNTERS + i];
	if (c->sockets)
		total[COUNT_SOCKETS_LOST] += socket_events_lost(c->sockets);
	reporter_count_lost(c->reporter, total);
	free(each);
	return err;
}

/* A part of the slots in each turn, so that no turn is long. Returns where the next one begins. */
static uint32_t part_end(const struct collector *c, uint32_t first)
{
	uint32_t part = c->tables.slot_count / PARTS + 1;

	return first + part < c->tables.slot_count ? first + part : c->tables.slot_count;
}

static void note_syn(struct collector *c, uint32_t n)
{
	const struct flow_slot *slot = &c->tables.slots[n];
	uint32_t generation = (uint32_t)(__atomic_load_n(&slot->word, __ATOMIC_ACQUIRE) >> 32);
	unsigned source = slot->open.source & 1;

	if (!(slot->open.seen & OPEN_SYN))
		return;
	c->noted[n] = generation + 1;
	related_note(c->related,
		     &(struct related_peer){.addr = {slot->addr[source], slot->addr[!source]},
					    .port = {slot->port[source], slot->port[!source]},
					    .family = slot->family,
					    .isn = slot->open.isn[source],
					    .interface = slot->ifindex,
					    .start = slot->open.t_syn},
		     false);
}

#define SYNS 64 /* slots that are looked at together, so that what one needs is fetched while others are noted */

/* Those of the slots that may have a SYN to be noted. Returns how many. */
static unsigned find_syns(const struct collector *c, uint32_t first, uint32_t end, uint32_t list[SYNS])
{
	unsigned count = 0;

	for (uint32_t n = first; n < end; n++) {
		const struct flow_slot *slot = &c->tables.slots[n];
		uint64_t word = __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE);

		flow_tables_prefetch_word(&c->tables, n + SLOTS_AHEAD);
		if (!word_phase(word) || word & (PHASE_REPORTED | PHASE_MIDSTREAM) ||
		    c->noted[n] == (uint32_t)(word >> 32) + 1)
			continue;
		flow_tables_prefetch_slot(&c->tables, n);
		list[count++] = n;
	}
	return count;
}

/* The recorder tells of no SYN; so one is noted when its slot's turn comes. */
static void note_syns(struct collector *c, uint32_t first, uint32_t end)
{
	uint32_t list[SYNS];

	for (uint32_t n = first; n < end; n += SYNS) {
		unsigned count = find_syns(c, n, n + SYNS < end ? n + SYNS : end, list);

		for (unsigned i = 0; i < count; i++)
			related_fetch(c->related, &c->tables.slots[list[i]], false);
		for (unsigned i = 0; i < count; i++)
			related_fetch(c->related, &c->tables.slots[list[i]], true);
		for (unsigned i = 0; i < count; i++)
			note_syn(c, list[i]);
	}
}

static void scan_part(struct collector *c)
{
	uint32_t end = part_end(c, c->scanned);

	if (!c->scanned)
		c->round_began = c->now;
	note_syns(c, c->scanned, end);
	if (c->attempts.list)
		attempts_scan(&c->attempts, &c->tables, c->scanned, end, c->now);
	due_scan(&c->due, c->scanned, end, c->now);
	c->scanned = end == c->tables.slot_count ? 0 : end;
	if (!c->scanned)
		c->noted_until = c->round_began;
}

static void age_part(struct collector *c)
{
	uint32_t end = part_end(c, c->aged);

	due_age(&c->due, c->aged, end);
	c->aged = end == c->tables.slot_count ? 0 : end;
}

/* After a notice found the ring full, looks at all slots until the last of those connections has settled. */
static void search_lost(struct collector *c)
{
	uint32_t lost = __atomic_load_n(&c->skeleton->bss->notices_lost, __ATOMIC_RELAXED);

	if (lost != c->notices_lost)
		c->search_until = c->now + (uint64_t)c->options->settle + SECOND_NS / 10;
	c->notices_lost = lost;
	if (c->now < c->search_until)
		due_scan(&c->due, 0, c->tables.slot_count, c->now);
}

/* --top: makes the table whose time has come. */
static void make_table(struct collector *c)
{
	uint64_t end = reporter_table_due(c->reporter, c->now, wall_clock_offset(&c->clock, c->now));

	if (!end)
		return;
	due_look_at_waiting(&c->due, c->now);
	reporter_table(c->reporter, end);
}

void collector_poll(struct collector *c, uint64_t now)
{
	c->now = now;
	wall_clock_look(&c->clock, now);
	due_note_new(&c->due);
	ring_buffer__consume(c->ring);
	if (c->packets)
		seen_packets_poll(c->packets);
	if (c->sockets)
		socket_events_poll(c->sockets);
	for (unsigned parts = 0; now >= c->next_scan && parts < PARTS; parts++) { /* more where it did not run */
		scan_part(c);
		c->next_scan += SCAN_NS;
	}
	c->next_scan = now >= c->next_scan ? now + SCAN_NS : c->next_scan;
	for (unsigned parts = 0; now >= c->next_age && parts < PARTS; parts++) {
		age_part(c);
		c->next_age += c->options->idle_timeout / FLOW_IDLE_ROUNDS / PARTS;
	}
	search_lost(c);
	/* The connection that a stray belongs to is noted by the end of a round that began behind the stray. */
	report_strays(c, c->noted_until < now - STRAY_WAIT_NS ? c->noted_until : now - STRAY_WAIT_NS);
	due_expire(&c->due, now);
	due_look_at_held(&c->due, now);
	due_relieve(&c->due, now);
	c->counters[COUNT_UNPROVEN_EVICTED] += flow_tables_relieve(&c->tables);
	make_table(c);
	reporter_flush(c->reporter);
}

int collector_drain(struct collector *c)
{
	int err;

	ring_buffer__consume(c->ring);
	if (c->packets)
		seen_packets_poll(c->packets);
	if (c->sockets)
		socket_events_poll(c->sockets);
	if (c->strays.list) {
		due_note_new(&c->due);
		due_note_new(&c->due);
		note_syns(c, 0, c->tables.slot_count);
		report_strays(c, UINT64_MAX);
	}
	due_expire(&c->due, clock_ns(CLOCK_MONOTONIC));
	err = due_finish(&c->due, c->options->show_open, clock_ns(CLOCK_MONOTONIC));
	reporter_flush(c->reporter);
	if (err)
		log_error("closes that were not collected are lost: %s", strerror(-err));
	return err ? EXIT_RUNTIME : EXIT_FINE;
}

/* ---- connections older than the watch ---- */

void collector_read_open_connections(struct collector *c)
{
	int err = open_at_start_read(&c->open_at_start, c->options->netns);

	if (err && c->options->verbose)
		log_note("who opened the connections that are open now is not known: %s", strerror(-err));
}

void collector_find_holders(struct collector *c)
{
	int err;

	err = open_at_start_find_holders(&c->open_at_start, "/proc");
	if (c->open_at_start.holders.denied && !err)
		err = -EACCES;
	if (err && c->options->verbose)
		log_note("who holds the sockets of connections that are open now is not all known: %s", strerror(-err));
}

/* ---- beginning and end ---- */

/* Maps a table. Sets *place; false where that cannot be had. i: of the collector's list. */
static bool map_table(struct collector *c, unsigned i, const struct bpf_map *map, void *place)
{
	size_t size = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map), page = 4096;
	void **where = place;
	void *memory;

	size = (size + page - 1) & ~(page - 1);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (memory == MAP_FAILED)
		return false;
	*where = memory;
	c->mapped[i] = size;
	return true;
}

static bool map_tables(struct collector *c, struct tcpfin_trace_bpf *s)
{
	struct flow_tables *t = &c->tables;

	return map_table(c, 0, s->maps.tcpfin_sets, &t->sets) && map_table(c, 1, s->maps.tcpfin_slots, &t->slots) &&
	       map_table(c, 2, s->maps.tcpfin_blocks, &t->blocks) &&
	       map_table(c, 3, s->maps.tcpfin_numbers, &t->last_seen) &&
	       map_table(c, 4, s->maps.tcpfin_freeslot, &t->free_slots.ring) &&
	       map_table(c, 5, s->maps.tcpfin_freeclos, &t->free_closing.ring) &&
	       map_table(c, 6, s->maps.tcpfin_freeopen, &t->free_opening.ring) &&
	       (!c->options->all_segments || map_table(c, 7, s->maps.tcpfin_traffic, &c->traffic));
}

static void describe_tables(struct collector *c, struct tcpfin_trace_bpf *s)
{
	struct table_sizes n = loader_sizes(c->options);
	struct flow_tables *t = &c->tables;

	t->set_mask = n.sets - 1;
	t->slot_count = n.slots;
	t->block_count = n.closing_blocks + n.opening_blocks;
	t->closing_blocks = n.closing_blocks;
	t->watch = s->bss->watch.live;
	t->watch_mask = WATCH_CELLS - 1;
	t->established = &s->bss->established;
	t->last_seen_mask = s->rodata->settings.last_seen_mask;
	t->free_slots.spares = &s->bss->spares[SPARE_SLOTS];
	t->free_slots.mask = s->rodata->settings.slots_mask;
	t->free_closing.spares = &s->bss->spares[SPARE_CLOSING];
	t->free_closing.mask = s->rodata->settings.closing_mask;
	t->free_opening.spares = &s->bss->spares[SPARE_OPENING];
	t->free_opening.mask = s->rodata->settings.opening_mask;
	t->buried_max = n.slots;
	t->spare_slots = n.slots / 8;
	t->openings_max = c->options->max_unproven;
	t->by_time = true;
}

static struct flow_timeouts timeouts(const struct options *o)
{
	uint64_t attempt = o->idle_timeout < FLOW_ATTEMPT_NS ? o->idle_timeout : FLOW_ATTEMPT_NS;
	bool early = interfaces_may_be_several(o) && o->settle < VIEWS_SETTLE_NS;

	return (struct flow_timeouts){
		.settle = early ? VIEWS_SETTLE_NS : o->settle,
		.syn = o->syn_timeout,
		.close = o->close_timeout,
		.doubt = o->syn_timeout,
		.attempt = attempt,
		.repeat = attempt,
		.idle = o->idle_timeout,
	};
}

/* -w: maps the ring. 0 or -ENOMEM. */
static int begin_packets(struct collector *c, struct tcpfin_trace_bpf *s)
{
	const struct seen_packet *ring;

	if (!c->options->packets)
		return 0;
	c->packets = calloc(1, sizeof(*c->packets));
	if (!c->packets || !map_table(c, 8, s->maps.tcpfin_packets, &ring))
		return -ENOMEM;
	return seen_packets_begin(c->packets, ring, &s->bss->packets_seen, c->tables.slot_count);
}

int collector_start(struct collector *c, struct tcpfin_trace_bpf *skeleton, uint64_t now)
{
	const struct options *o = c->options;
	bool several = interfaces_may_be_several(o);

	c->skeleton = skeleton;
	wall_clock_look(&c->clock, now);
	c->first_offset = wall_clock_offset(&c->clock, now);
	gethostname(c->host, sizeof(c->host) - 1);
	c->next_scan = now;
	c->next_age = now + o->idle_timeout / FLOW_IDLE_ROUNDS / PARTS;
	c->due = (struct due){
		.tables = &c->tables,
		.wait = timeouts(o),
		.report = report,
		.survived = survived,
		.fetch = fetch,
		.context = c,
		.views = {.one_network = in_one_network, .context = c, .key = skeleton->rodata->settings.hash_key},
		.counters = c->counters,
	};
	c->ring = ring_buffer__new(bpf_map__fd(skeleton->maps.tcpfin_ring), take_notice, c, NULL);
	if (!c->ring || !map_tables(c, skeleton)) {
		log_error("cannot set up the tables: %s", strerror(errno));
		return EXIT_RUNTIME;
	}
	describe_tables(c, skeleton);
	c->related = related_new();
	c->strays = (struct stray_queue){.one_network = in_one_network, .context = c};
	c->noted = calloc(c->tables.slot_count, sizeof(*c->noted));
	if (!c->related || !c->noted || ((o->strays || several) && stray_queue_begin(&c->strays)) ||
	    begin_packets(c, skeleton) || interims_begin(&c->due.interims, c->tables.slot_count) ||
	    held_flows_begin(&c->due.held, held_flows_room(&c->tables)) ||
	    (several && (flow_views_begin(&c->due.views, c->tables.slot_count) || half_views_begin(&c->due.views))) ||
	    (!o->no_sockets && !o->netns && attempts_begin(&c->attempts, c->tables.slot_count))) {
		log_error("out of memory");
		return EXIT_RUNTIME;
	}
	flow_tables_fill(&c->tables);
	return EXIT_FINE;
}

void collector_free(struct collector *c)
{
	void *memory[COLLECTOR_MAPS] = {
		c->tables.sets,
		c->tables.slots,
		c->tables.blocks,
		c->tables.last_seen,
		c->tables.free_slots.ring,
		c->tables.free_closing.ring,
		c->tables.free_opening.ring,
		c->traffic,
		c->packets ? (void *)c->packets->ring : NULL,
	};

	ring_buffer__free(c->ring);
	due_free(&c->due);
	related_free(c->related);
	attempts_free(&c->attempts);
	free(c->noted);
	stray_queue_free(&c->strays);
	flow_tables_free(&c->tables);
	if (c->packets)
		seen_packets_free(c->packets);
	for (unsigned i = 0; i < COLLECTOR_MAPS; i++)
		if (memory[i])
			munmap(memory[i], c->mapped[i]);
	free(c->packets);
	socket_events_stop(c->sockets);
	open_at_start_free(&c->open_at_start);
}
