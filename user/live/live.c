// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel shell's counterpart. The reader comes by every few milliseconds instead of being woken for each event.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/settings.h" /* before the skeleton, which uses these types */
#include "bpf/tables.h"
#include "user/base/clock.h"
#include "user/record/counters.h"
#include "user/attach/interfaces.h"
#include "user/sockets/open_at_start.h"
#include "user/live/live_stats.h"
#include "user/base/log.h"
#include "user/base/privileges.h"
#include "user/live/bpf_programs.h"
#include "user/live/settling_queue.h"
#include "user/base/sink.h"
#include "user/sockets/socket_events.h"
#include "user/live/live.h"
#include "user/base/stop.h"
#include "tcpfin_trace.skel.h"

#define POLL_NS 20000000ULL   /* rarely enough to cost nothing */
#define SWEEP_NS 200000000ULL /* a fifth of the unproven table each */
#define SWEEP_PARTS 5
#define DRAIN_FAILURES 10 /* in a row: two seconds */
#define KEPT_BYTES (32 << 20)

struct live {
	const struct options *options;
	struct reporter *reporter;
	struct tcpfin_trace_bpf *skeleton;
	struct ring_buffer *ring;
	struct interfaces interfaces;
	struct collect_slot *slots;
	struct settling_queue settling;
	struct socket_events *sockets; /* NULL: nothing is known of them */
	struct open_at_start known;    /* connections older than the watch */
	uint64_t ring_full;            /* last reading of the counter */
	uint64_t search_until;         /* ns: see make_good */
	int sweep_error;               /* of the last sweep: a negative errno, or 0 */
	int64_t wall_offset;
	uint64_t collected;      /* closing flows */
	struct live_stats stats; /* as last printed */
	uint64_t stats_time;
	bool stopping;
};

/* ---- reporting ---- */

/* For want of a handshake: what this host knows of the connection from the start of the watch. */
static void look_up_known(const struct live *l, struct verdict_context *context, const struct flow_key *key)
{
	context->opener = (unsigned)(open_at_start_source(&l->known, key) + 1);
	for (unsigned side = 0; side < 2; side++) {
		struct verdict_holder *h = &context->holder[side];

		h->process = open_at_start_holder(&l->known, key, side, &h->holders);
	}
}

/* traffic: NULL where it was not counted. */
static void report(struct live *l, const struct flow_key *key, const struct closing_body *body,
		   const struct traffic *traffic, enum report_reason reason)
{
	struct verdict_context context = {
		.interface = interfaces_name(&l->interfaces, key->ifindex),
		.wall_offset = l->wall_offset,
		.reason = reason,
		.order_by_time = true,
		.traffic = traffic,
	};

	if (!body->flow.open.seen)
		look_up_known(l, &context, key);
	if (l->sockets)
		context.sockets = socket_events_find(l->sockets, key, &body->flow);
	reporter_flow(l->reporter, key, &body->flow, body->log, &context);
	if (!body->flow.open.seen && body->flow.state & FLOW_DONE)
		open_at_start_ended(&l->known, key);
}

static void report_slot(struct live *l, const struct collect_slot *slot)
{
	const struct flow_event *e = &slot->event;

	if (e->head.kind != EVENT_COLLECTED)
		return;
	l->collected++;
	report(l, &e->head.key, &e->body, slot->counted ? &slot->traffic : NULL,
	       l->stopping && !(e->body.flow.state & FLOW_DONE) ? REPORT_STOP : REPORT_ENDED);
}

/* Between the kernel's giving flows out and their report: so all that the sockets told of them before is known. */
static void poll_sockets(struct live *l)
{
	if (l->sockets)
		socket_events_poll(l->sockets);
}

/* The kernel may have no memory for a run. What was not collected waits in its table, and the next sweep finds it. */
static void note_sweep(struct live *l, int err)
{
	if (err && !l->sweep_error)
		log_error("closes cannot be collected: %s; trying again", strerror(-err));
	else if (!err && l->sweep_error)
		log_note("closes are collected again");
	l->sweep_error = err;
}

/*
 * Runs a sweep. What it finds of closing flows is reported; the rest comes through the ring. Returns how many flows it
 * found, or a negative errno, which has been said.
 */
static int sweep(struct live *l, const struct sweep_request *what)
{
	struct sweep_request *request = &l->skeleton->bss->sweep_request;
	uint8_t frame[64] = {};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame), .repeat = 1);

	*request = *what;
	request->timeouts.settle = l->options->settle;
	request->timeouts.syn = l->options->syn_timeout;
	request->timeouts.close = l->options->close_timeout;
	request->show_open = l->options->show_open;
	request->flush = l->stopping;
	note_sweep(l, bpf_prog_test_run_opts(bpf_program__fd(l->skeleton->progs.tcpfin_sweep), &run) ? -errno : 0);
	if (l->sweep_error)
		return l->sweep_error;
	poll_sockets(l);
	for (uint32_t i = 0; i < l->skeleton->bss->slots_used; i++)
		report_slot(l, &l->slots[i]);
	return (int)run.retval;
}

/* Collects the flows that have settled. */
static void collect_settled(struct live *l, uint64_t now)
{
	while (!reporter_full(l->reporter)) {
		uint32_t n = 0;

		while (n < COLLECT_SLOTS && settling_queue_take(&l->settling, now, &l->slots[n].event.head.key))
			n++;
		if (!n || sweep(l, &(struct sweep_request){.collect = n}) < 0)
			break;
	}
}

/* ---- events ---- */

/* What the kernel remembers of an established flow's last segments. */
static void lend_evidence(const struct live *l, const struct flow_key *key, struct flow *f)
{
	uint32_t index = key->hash & (LAST_SEEN_CELLS - 1);
	struct last_seen evidence;

	if (!bpf_map_lookup_elem(bpf_map__fd(l->skeleton->maps.last_seen), &index, &evidence))
		flow_lend_last_seen(f, &evidence, flow_key_hash(key));
}

/* Of a flow that never came to closing; nothing is to be deleted. */
static void take_unproven(struct live *l, const struct flow_event *e)
{
	const struct traffic *traffic = e->head.kind == EVENT_OPEN ? (const void *)e->body.log : NULL;
	struct closing_body body;

	poll_sockets(l);
	memcpy(&body, &e->body, closing_body_used(&e->body));
	if ((body.flow.state & (FLOW_REOPENED | FLOW_REPLACED)) == FLOW_REOPENED) /* forgotten as idle */
		lend_evidence(l, &e->head.key, &body.flow);
	report(l, &e->head.key, &body, traffic, l->stopping ? REPORT_STOP : REPORT_ENDED);
}

static int take_event(void *context, void *data, size_t size)
{
	struct live *l = context;
	const struct flow_event *e = data;

	(void)size;
	switch (e->head.kind) {
	case EVENT_ENDED:
		settling_queue_append(&l->settling, &e->head.key, e->time + l->options->settle);
		break;
	case EVENT_REPLACED:
		settling_queue_prepend(&l->settling, &e->head.key);
		break;
	case EVENT_UNPROVEN:
	case EVENT_OPEN:
		take_unproven(l, e);
		break;
	}
	return 0;
}

/* ---- the kernel's side ---- */

/* Sums over all CPUs. 0, or a negative errno, and nothing is known of them. */
static int read_counters(const struct live *l, uint64_t total[COUNTERS])
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t zero = 0;
	uint64_t *each = cpus > 0 ? calloc((size_t)cpus, COUNTERS * sizeof(*each)) : NULL;
	int err = each ? bpf_map_lookup_elem(bpf_map__fd(l->skeleton->maps.counters), &zero, each) : -ENOMEM;

	memset(total, 0, COUNTERS * sizeof(*total));
	for (int cpu = 0; cpu < cpus && !err; cpu++)
		for (int i = 0; i < COUNTERS; i++)
			total[i] += each[cpu * COUNTERS + i];
	free(each);
	return err;
}

/* One part of the unproven table a turn, so that no turn is long. */
static void sweep_turn(struct live *l, unsigned turn)
{
	uint32_t sets = bpf_map__max_entries(l->skeleton->maps.unproven), part = sets / SWEEP_PARTS + 1;
	unsigned n = turn % SWEEP_PARTS;

	sweep(l, &(struct sweep_request){
			 .first_set = n * part,
			 .sets = n == SWEEP_PARTS - 1 ? sets - n * part : part,
		 });
}

/* Looks at all closing flows, until each that is due has found a slot. */
static void sweep_closing(struct live *l)
{
	while (sweep(l, &(struct sweep_request){.closing = true}) > 0 &&
	       l->skeleton->bss->slots_used == COLLECT_SLOTS && !reporter_full(l->reporter))
		;
}

static void consume(struct live *l)
{
	poll_sockets(l);
	ring_buffer__consume(l->ring);
}

/* Where notices have found the ring full, all closing flows are looked at until the last of those has settled. */
static void make_good(struct live *l, uint64_t now)
{
	uint64_t counters[COUNTERS];

	if (!read_counters(l, counters)) {
		if (counters[COUNT_RING_FULL] != l->ring_full)
			l->search_until = now + l->options->settle + SWEEP_NS;
		l->ring_full = counters[COUNT_RING_FULL];
	}
	if (now < l->search_until)
		sweep_closing(l);
}

/* ---- what it costs ---- */

static volatile sig_atomic_t stats_asked;

static void read_program(struct live_stats *s, const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	int fd = bpf_program__fd(program);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		return;
	s->programs[s->program_count].name = bpf_program__name(program);
	s->programs[s->program_count].runs = info.run_cnt;
	s->programs[s->program_count].ns = info.run_time_ns;
	s->program_count++;
}

enum { PROGRAM_XDP, PROGRAM_TC, PROGRAM_TC_L3, HOOK_PROGRAMS };

static struct bpf_program *hook_program(const struct live *l, size_t i)
{
	static const char *const hooks[HOOK_PROGRAMS] = {"xdp", "tc", "tc_l3"};

	return bpf_programs_hook(l->skeleton->obj, hooks[i], l->options->all_segments);
}

static void print_stats(struct live *l, uint64_t now)
{
	struct live_stats s = {
		.established_max = l->options->max_flows,
		.closing_max = l->options->max_closing,
		.settling = l->settling.count,
		.records = l->reporter->summary.records,
	};
	double seconds = l->stats_time ? (double)(now - l->stats_time) / SECOND_NS : 0;
	struct buffer line = {};

	if (read_counters(l, s.counters))
		return; /* the next turn tries again */
	stats_asked = 0;
	s.established = s.counters[COUNT_ESTABLISHED] - s.counters[COUNT_CLOSED] - s.counters[COUNT_IDLE_FORGOTTEN];
	s.closing = s.counters[COUNT_CLOSES] - l->collected;
	for (size_t i = 0; i < HOOK_PROGRAMS; i++)
		read_program(&s, hook_program(l, i));
	live_stats_print(&line, &s, &l->stats, seconds, &l->skeleton->bss->watch);
	sink_write(STDERR_FILENO, &line);
	buffer_free(&line);
	l->stats = s;
	l->stats_time = now;
}

/* ---- starting ---- */

static uint32_t power_of_two(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

static int size_maps(struct live *l)
{
	const struct options *o = l->options;
	struct tcpfin_trace_bpf *s = l->skeleton;
	uint32_t sets = power_of_two(o->max_unproven / UNPROVEN_WAYS);
	int err;

	s->rodata->settings.unproven_mask = sets - 1;
	s->rodata->settings.count_packets = o->stats;
	s->rodata->settings.all_segments = o->all_segments;
	if (getentropy((void *)&s->rodata->settings.hash_seed, sizeof(s->rodata->settings.hash_seed)))
		return -errno;
	err = bpf_map__set_max_entries(s->maps.unproven, sets);
	err = err ? err : bpf_map__set_max_entries(s->maps.established, o->max_flows);
	err = err ? err : bpf_map__set_max_entries(s->maps.closing, o->max_closing);
	if (o->all_segments)
		err = err ? err : bpf_map__set_max_entries(s->maps.traffic, o->max_flows + o->max_closing);
	return err ? err : bpf_map__set_max_entries(s->maps.ring, o->ring_bytes);
}

/*
 * Only what an interface needs is loaded: verifying is most of the start-up time. One that comes back may be of another
 * kind.
 */
static void choose_programs(struct live *l)
{
	bool xdp = l->options->follow, tc = l->options->follow, tc_l3 = l->options->follow;
	struct bpf_program *program;

	for (unsigned i = 0; i < l->interfaces.count; i++) {
		const struct attachment *a = &l->interfaces.watched[i].attachment;

		xdp |= a->hook != HOOK_TC;
		tc_l3 |= a->l3;
		tc |= !a->l3 && !(a->loopback && a->hook != HOOK_TC);
	}
	bpf_object__for_each_program(program, l->skeleton->obj)
		bpf_program__set_autoload(program, program == l->skeleton->progs.tcpfin_sweep);
	bpf_program__set_autoload(hook_program(l, PROGRAM_XDP), xdp);
	bpf_program__set_autoload(l->skeleton->progs.tcpfin_track_xdp, xdp);
	bpf_program__set_autoload(l->skeleton->progs.tcpfin_proven_xdp, xdp);
	bpf_program__set_autoload(hook_program(l, PROGRAM_TC), tc);
	bpf_program__set_autoload(hook_program(l, PROGRAM_TC_L3), tc_l3);
	bpf_program__set_autoload(l->skeleton->progs.tcpfin_track_tc, tc || tc_l3);
	bpf_program__set_autoload(l->skeleton->progs.tcpfin_proven_tc, tc || tc_l3);
}

/* Bytes of kernel memory that the tables take: their elements and what hash maps add to each. */
static uint64_t table_bytes(const struct options *o)
{
	const uint64_t element = 48, bucket = 16;
	uint64_t counted = o->all_segments ? o->max_flows + o->max_closing : 0;

	return (uint64_t)power_of_two(o->max_unproven / UNPROVEN_WAYS) * sizeof(struct unproven_set) +
	       o->max_flows * (element + sizeof(struct flow_key) + sizeof(struct established)) +
	       o->max_closing * (element + sizeof(struct flow_key) + sizeof(struct closing)) +
	       (power_of_two(o->max_flows) + power_of_two(o->max_closing)) * bucket +
	       counted * (element + sizeof(struct traffic_key) + sizeof(struct traffic_entry) + bucket) +
	       LAST_SEEN_CELLS * sizeof(struct last_seen) + sizeof(struct watch) +
	       COLLECT_SLOTS * sizeof(struct collect_slot) + o->ring_bytes;
}

static int load(struct live *l)
{
	int err;

	l->skeleton = tcpfin_trace_bpf__open();
	if (!l->skeleton) {
		log_error("cannot open the BPF object: %s", strerror(errno));
		return EXIT_RUNTIME;
	}
	choose_programs(l);
	err = size_maps(l);
	err = err ? err : tcpfin_trace_bpf__load(l->skeleton);
	err = err ? err : bpf_programs_connect(l->skeleton->obj);
	if (err) {
		if (err == -ENOMEM)
			log_error("no memory for tables of %llu MiB: lower --max-flows, --max-closing or --ring",
				  (unsigned long long)(table_bytes(l->options) >> 20));
		else
			log_error("cannot load the BPF programs: %s%s", strerror(-err),
				  l->options->verbose ? "" : "; -v shows the kernel's reasons");
		return privileges_exit_code(err);
	}
	l->ring = ring_buffer__new(bpf_map__fd(l->skeleton->maps.ring), take_event, l, NULL);
	l->slots = mmap(NULL, COLLECT_SLOTS * sizeof(*l->slots), PROT_READ | PROT_WRITE, MAP_SHARED,
			bpf_map__fd(l->skeleton->maps.slots), 0);
	if (!l->ring || l->slots == MAP_FAILED) {
		log_error("cannot set up the tables: %s", strerror(errno));
		return EXIT_RUNTIME;
	}
	return EXIT_FINE;
}

static int attach_all(struct live *l)
{
	int code = interfaces_start(&l->interfaces, &(struct attach_programs){
							    .xdp = bpf_program__fd(hook_program(l, PROGRAM_XDP)),
							    .tc = bpf_program__fd(hook_program(l, PROGRAM_TC)),
							    .tc_l3 = bpf_program__fd(hook_program(l, PROGRAM_TC_L3)),
						    });

	if (code)
		return code;
	log_note("tables take %llu MiB of kernel memory: %u established, %u closing, %u unproven flows",
		 (unsigned long long)(table_bytes(l->options) >> 20), l->options->max_flows, l->options->max_closing,
		 l->options->max_unproven);
	return EXIT_FINE;
}

/* Behind attaching: of what is opened from then on, the handshake is seen. */
static void read_known(struct live *l)
{
	int err = open_at_start_read(&l->known);

	if (err && l->options->verbose)
		log_note("who opened the connections that are open now is not known: %s", strerror(-err));
}

static void meanwhile(void *context)
{
	poll_sockets(context);
}

/* Behind the tracepoints, since it takes as long as the host has descriptors: who closes meanwhile, they tell. */
static void find_holders(struct live *l)
{
	int err;

	l->known.processes.meanwhile = meanwhile;
	l->known.processes.context = l;
	err = open_at_start_find_holders(&l->known, "/proc");
	if (l->known.processes.denied && !err)
		err = -EACCES;
	if (err && l->options->verbose)
		log_note("who holds the sockets of connections that are open now is not all known: %s", strerror(-err));
}

/*
 * The kernel's types are megabytes, and libbpf reads them for each object: it shall find the memory of the first time
 * mapped. In virtual machines its page faults else take longer than all the rest. It stays so: what waits to be
 * reported grows and shrinks by megabytes, too.
 */
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
}

/*
 * What takes the kernel's types, and so takes longest: behind attaching. The sockets' side comes last, because what it
 * keeps would stand between the memory that the next one finds.
 */
static void start_with_types(struct live *l)
{
	keep_memory();
	interfaces_watch_order(&l->interfaces);
	if (!l->options->no_sockets)
		l->sockets = socket_events_start(l->options->settle);
	malloc_trim(0);
}

/* ---- running ---- */

static void on_stats(int number)
{
	stats_asked = number;
}

static void block_signals(sigset_t *signals)
{
	sigemptyset(signals);
	stop_catch_signals(signals);
	sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_stats}, NULL);
	sigaddset(signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, signals, NULL);
}

/*
 * How often all closing flows are looked at, for closes that nobody finishes: others tell of their end. The whole table is
 * read for that, which may be cold.
 */
static uint64_t closing_round(const struct options *o)
{
	uint64_t round = o->close_timeout / 16;

	if (round < SECOND_NS)
		return SECOND_NS;
	return round < 4 * SECOND_NS ? round : 4 * SECOND_NS;
}

static int watch_loop(struct live *l)
{
	const struct timespec poll = {.tv_nsec = POLL_NS};
	uint64_t start = clock_ns(CLOCK_MONOTONIC), next_sweep = start, next_closing = start + SECOND_NS;
	uint64_t round = l->options->idle_timeout / FLOW_IDLE_ROUNDS, next_round = start + round;
	unsigned turn = 0;
	uint64_t now = start;

	while (!reporter_full(l->reporter)) {
		nanosleep(&poll, NULL);
		if (stop_asked())
			return EXIT_FINE;
		now = clock_ns(CLOCK_MONOTONIC);
		consume(l);
		make_good(l, now);
		if (stats_asked || (l->options->stats && now - l->stats_time >= SECOND_NS))
			print_stats(l, now);
		if (now >= next_sweep) {
			l->wall_offset = (int64_t)(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC));
			sweep_turn(l, turn++);
			next_sweep = now + SWEEP_NS;
			if (!interfaces_check(&l->interfaces))
				return EXIT_RUNTIME;
		}
		if (now >= next_closing) {
			sweep_closing(l);
			next_closing = now + closing_round(l->options);
		}
		if (now >= next_round) {
			sweep(l, &(struct sweep_request){.established = true});
			next_round = now + round;
		}
		collect_settled(l, now);
		reporter_flush(l->reporter);
		if (l->options->duration && now - start >= l->options->duration)
			return EXIT_FINE;
	}
	return EXIT_FINE;
}

/* Everything that is still there is reported, whatever ring and slots can take at a time. Returns an exit code. */
static int drain(struct live *l)
{
	const struct timespec pause = {.tv_nsec = SWEEP_NS};
	int found, failures = 0;

	consume(l);
	l->stopping = true;
	collect_settled(l, UINT64_MAX);
	do {
		found = sweep(l, &(struct sweep_request){
					 .sets = bpf_map__max_entries(l->skeleton->maps.unproven),
					 .closing = true,
					 .established = l->options->show_open,
				 });
		consume(l);
		failures = found < 0 ? failures + 1 : 0;
		if (failures)
			nanosleep(&pause, NULL);
	} while (found > 0 || (failures && failures < DRAIN_FAILURES));
	reporter_flush(l->reporter);
	if (found < 0)
		log_error("closes that were not collected are lost: %s", strerror(-found));
	return found < 0 ? EXIT_RUNTIME : EXIT_FINE;
}

/* What is to be done once the interfaces are free. Returns an exit code. */
static int finish(struct live *l, uint64_t counters[COUNTERS])
{
	int code = drain(l), err = read_counters(l, counters);

	if (l->sockets)
		socket_events_note_losses(l->sockets);
	if (!err)
		return code;
	log_error("what was lost is not known: the counters cannot be read: %s", strerror(-err));
	return EXIT_RUNTIME;
}

/* Filters of clsact outlive the process. */
static void detach(void *context)
{
	struct live *l = context;

	interfaces_stop(&l->interfaces);
}

static void cleanup(struct live *l)
{
	stop_release();
	ring_buffer__free(l->ring);
	settling_queue_free(&l->settling);
	if (l->slots && l->slots != MAP_FAILED)
		munmap(l->slots, COLLECT_SLOTS * sizeof(*l->slots));
	socket_events_stop(l->sockets);
	open_at_start_free(&l->known);
	tcpfin_trace_bpf__destroy(l->skeleton);
	free(l);
}

static int libbpf_print(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return level == LIBBPF_DEBUG ? 0 : vfprintf(stderr, format, arguments);
}

int live_run(struct reporter *reporter, const struct options *options, uint64_t *counters)
{
	struct live *l = calloc(1, sizeof(*l));
	sigset_t signals;
	int code, err;

	if (!l) {
		log_error("out of memory");
		return EXIT_RUNTIME;
	}
	l->options = options;
	l->reporter = reporter;
	libbpf_set_print(options->verbose ? libbpf_print : NULL);
	block_signals(&signals); /* before anything is attached: no signal may end us between attaching and detaching */
	stop_hold(detach, l);
	code = interfaces_plan(&l->interfaces, options);
	code = code ? code : privileges_check();
	code = code ? code : load(l);
	code = code ? code : attach_all(l);
	if (!code) {
		read_known(l);
		start_with_types(l);
	}
	if (!code && !options->no_sockets)
		find_holders(l);
	code = code ? code : privileges_drop(interfaces_need_net_admin(&l->interfaces));
	if (!code) {
		reporter_flush(reporter);
		sigprocmask(SIG_UNBLOCK, &signals, NULL);
		code = watch_loop(l);
		stop_release();
		err = finish(l, counters);
		code = code ? code : err;
	}
	cleanup(l);
	return code;
}
