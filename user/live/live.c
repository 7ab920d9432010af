// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A live watch from start to end: load, attach, drop the rights, poll until it is over, detach, report what is left.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/core/flow_log.h" /* before the skeleton, which uses these types */
#include "bpf/core/watch.h"
#include "bpf/seen_packet.h"
#include "bpf/settings.h"
#include "bpf/socket_settings.h"
#include "user/attach/namespace_answers.h"
#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/base/privileges.h"
#include "user/base/sink.h"
#include "user/base/stop.h"
#include "user/base/supervisor.h"
#include "user/helper/helper.h"
#include "user/host/port_gauges.h"
#include "user/live/collector.h"
#include "user/live/limits.h"
#include "user/live/live.h"
#include "user/live/live_stats.h"
#include "user/live/loader.h"
#include "user/record/unopened.h"
#include "tcpfin_trace.skel.h"

#define POLL_NS 20000000ULL /* rarely enough to cost nothing */
#define CHECK_NS SECOND_NS  /* between two looks at the interfaces, where no news of them come */
#define KEPT_BYTES (32 << 20)

struct live {
	const struct options *options;
	struct tcpfin_trace_bpf *skeleton;
	struct collector collector;
	struct interfaces interfaces;
	struct live_stats stats;                  /* as last printed */
	uint64_t stats_time;                      /* ns, of the last print; 0: none */
	unsigned unopened_said;                   /* see unopened_note */
	uint32_t told_namespaces[NAMESPACES_MAX]; /* by inode number, that the sockets' programs were told of */
	unsigned told;
};

/* ---- what it costs ---- */

static struct live_stats stats_now(const struct live *l)
{
	return (struct live_stats){
		.established_max = l->options->max_flows,
		.closing_max = l->options->max_closing,
		.settling = l->collector.due.timers.queue[TIMER_SETTLE].count,
		.records = l->collector.reporter->summary.records,
	};
}

/* False: the counters cannot be read now. */
static bool read_stats(const struct live *l, struct live_stats *s)
{
	struct attach_programs programs = loader_programs(l->skeleton, l->options);

	*s = stats_now(l);
	if (collector_counters(&l->collector, s->counters))
		return false;
	s->established = s->counters[COUNT_ESTABLISHED] - s->counters[COUNT_CLOSED] - s->counters[COUNT_IDLE_FORGOTTEN];
	s->closing = flow_tables_closing(&l->collector.tables);
	live_stats_read_program(s, programs.xdp);
	live_stats_read_program(s, programs.tc);
	live_stats_read_program(s, programs.tc_l3);
	live_stats_read_program(s, programs.tc_close);
	return true;
}

/* False: nothing is known now. */
static bool print_stats(struct live *l, uint64_t now)
{
	double seconds = l->stats_time ? (double)(now - l->stats_time) / SECOND_NS : 0;
	struct live_stats s;
	struct buffer line = {};

	if (!read_stats(l, &s))
		return false;
	live_stats_print(&line, &s, &l->stats, seconds, &l->skeleton->bss->watch);
	log_lines(&line);
	buffer_free(&line);
	l->stats = s;
	l->stats_time = now;
	return true;
}

static bool answer_stats(void *context)
{
	return print_stats(context, clock_ns(CLOCK_MONOTONIC));
}

static void observe_waits(struct live *l, struct metrics_now *now)
{
	memset(now->stuck, 0, sizeof(now->stuck));
	now->watches_closes = true;
	l->collector.reporter->waits = now;
	due_look_at_waiting(&l->collector.due, l->collector.now);
	l->collector.reporter->waits = NULL;
}

/* For metrics: what is known stays where nothing can be read. */
static void observe(void *context, struct metrics_now *now)
{
	struct live *l = context;
	struct live_stats s;

	if (read_stats(l, &s))
		live_stats_observe(&s, now);
	observe_waits(l, now);
	port_gauges_observe(l->options, now);
}

/* ---- starting ---- */

static int attach_all(struct live *l)
{
	struct attach_programs programs = loader_programs(l->skeleton, l->options);
	int code = interfaces_start(&l->interfaces, &programs);

	if (code)
		return code;
	log_note("tables take %llu MiB of kernel memory: %u established, %u closing, %u unproven flows, evidence of %u",
		 (unsigned long long)(loader_table_bytes(l->options) >> 20), l->options->max_flows,
		 l->options->max_closing, l->options->max_unproven, loader_sizes(l->options).cells);
	if (l->options->packets)
		log_note("-w: %u packets, the newest ones of openings and closes, wait for the report of their "
			 "connection",
			 SEEN_PACKETS);
	return EXIT_FINE;
}

/*
 * libbpf reads the kernel's types, which are megabytes, for each object. It is to find the memory of the first time
 * still mapped: in virtual machines the page faults of fresh memory take longer than all the rest. The setting stays,
 * because what waits to be reported grows and shrinks by megabytes, too.
 */
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
}

/* The sockets' programs hear which interfaces are watched now. */
static void tell_sockets(struct live *l)
{
	uint32_t list[NAMESPACES_MAX];
	unsigned count;

	if (!l->collector.sockets)
		return;
	count = interfaces_numbers(&l->interfaces, list, SOCKET_INTERFACES);
	socket_events_watch(l->collector.sockets, list, count);
	count = interfaces_namespaces(&l->interfaces, list, NAMESPACES_MAX);
	if (count == l->told && !memcmp(list, l->told_namespaces, count * sizeof(list[0])))
		return;
	socket_events_watch_namespaces(l->collector.sockets, list, count);
	memcpy(l->told_namespaces, list, count * sizeof(list[0]));
	l->told = count;
}

static void start_sockets(struct live *l)
{
	const struct socket_packets packets = loader_socket_packets(l->skeleton);

	l->collector.sockets = socket_events_start(&packets, l->options->settle);
	tell_sockets(l);
}

/*
 * Starts what reads the kernel's types, which takes longest: call after attaching. The sockets' programs come last,
 * because what they keep would stand between the memory that the next object finds.
 */
static void start_with_types(struct live *l)
{
	keep_memory();
	interfaces_watch_order(&l->interfaces);
	if (!l->options->no_sockets)
		start_sockets(l);
	malloc_trim(0);
}

/* ---- running ---- */

static void block_signals(sigset_t *signals)
{
	sigemptyset(signals);
	stop_catch_signals(signals);
	sigprocmask(SIG_BLOCK, signals, NULL);
}

/* Says what is inside of tunnels that are not opened, once. */
static void note_unopened(struct live *l)
{
	uint64_t counters[COUNTERS];

	if (!collector_counters(&l->collector, counters))
		unopened_note(counters, &l->unopened_said);
}

static int watch_loop(struct live *l)
{
	const struct timespec poll = {.tv_nsec = POLL_NS};
	uint64_t start = clock_ns(CLOCK_MONOTONIC), next_check = start, now;

	while (!reporter_full(l->collector.reporter)) {
		nanosleep(&poll, NULL);
		if (stop_asked())
			return EXIT_FINE;
		now = clock_ns(CLOCK_MONOTONIC);
		collector_poll(&l->collector, now);
		supervisor_alive(now);
		stats_answer();
		if (l->options->stats && now - l->stats_time >= SECOND_NS)
			print_stats(l, now);
		if (interfaces_changed(&l->interfaces) || now >= next_check) {
			next_check = now + CHECK_NS;
			note_unopened(l);
			interfaces_look_for_namespaces(&l->interfaces, now);
			tell_sockets(l); /* before a packet of theirs is seen: its socket is of a watched namespace */
			if (!interfaces_check(&l->interfaces))
				return EXIT_RUNTIME;
			tell_sockets(l);
		}
		if (l->options->duration && now - start >= l->options->duration)
			return EXIT_FINE;
	}
	return EXIT_FINE;
}

/* Call once the interfaces are free. Returns an exit code. */
static int finish(struct live *l, uint64_t counters[COUNTERS])
{
	int code = collector_drain(&l->collector), err = collector_counters(&l->collector, counters);

	if (l->collector.sockets)
		socket_events_note_losses(l->collector.sockets);
	if (!err) {
		unopened_note(counters, &l->unopened_said);
		return code;
	}
	log_error("what was lost is not known: the counters cannot be read: %s", strerror(-err));
	return EXIT_RUNTIME;
}

/* Takes the programs off. Filters of clsact would outlive the process. */
static void detach(void *context)
{
	struct live *l = context;

	interfaces_stop(&l->interfaces);
}

static void cleanup(struct live *l)
{
	stop_release();
	stats_on_signal(NULL, NULL);
	collector_free(&l->collector);
	interfaces_free(&l->interfaces);
	tcpfin_trace_bpf__destroy(l->skeleton);
	free(l);
}

static int libbpf_print(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return level == LIBBPF_DEBUG ? 0 : vfprintf(stderr, format, arguments);
}

static struct live *live_new(struct reporter *reporter, const struct options *options)
{
	struct live *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->options = options;
	l->collector.options = options;
	l->collector.reporter = reporter;
	l->collector.interfaces = &l->interfaces;
	return l;
}

/* With --netns the helper makes links of what was loaded. It is there before anything is attached or mapped. */
static int start_helper(struct live *l)
{
	const struct entry_maps maps = loader_entry_maps(l->skeleton, l->options);
	int err;

	if (l->options->netns)
		namespace_answers_offer_links(&maps);
	err = helper_start();
	if (!err)
		return EXIT_FINE;
	log_error("cannot start the helper: %s", strerror(-err));
	return EXIT_RUNTIME;
}

/* From nothing to watching, rights dropped. Returns an exit code; errors have been said. */
static int start(struct live *l)
{
	int code = interfaces_plan(&l->interfaces, l->options);

	code = code ? code : privileges_check();
	code = code ? code : limits_check_descriptors(l->interfaces.count);
	code = code ? code : limits_check_memory(loader_table_bytes(l->options));
	code = code ? code : loader_load(&l->skeleton, l->options, &l->interfaces);
	code = code ? code : start_helper(l);
	code = code ? code : collector_start(&l->collector, l->skeleton, clock_ns(CLOCK_MONOTONIC));
	code = code ? code : attach_all(l);
	if (code)
		return code;
	collector_read_open_connections(&l->collector);
	start_with_types(l);
	if (!l->options->no_sockets)
		collector_find_holders(&l->collector);
	supervisor_start();
	reporter_open_screen(l->collector.reporter);
	return privileges_drop(interfaces_need_net_admin(&l->interfaces));
}

int live_run(struct reporter *reporter, const struct options *options, uint64_t *counters)
{
	struct live *l = live_new(reporter, options);
	sigset_t signals;
	int code, err;

	if (!l) {
		log_error("out of memory");
		return EXIT_RUNTIME;
	}
	libbpf_set_print(options->verbose ? libbpf_print : NULL);
	block_signals(&signals); /* before anything is attached: no signal may end us between attaching and detaching */
	stop_hold(detach, l);
	code = start(l);
	if (!code) {
		reporter_flush(reporter);
		stats_on_signal(answer_stats, l);
		monitoring_observe_by(reporter->monitoring, observe, l);
		sigprocmask(SIG_UNBLOCK, &signals, NULL);
		supervisor_ready();
		code = watch_loop(l);
		supervisor_stopping();
		stop_release();
		err = finish(l, counters);
		code = code ? code : err;
		monitoring_observe_by(reporter->monitoring, NULL, NULL);
	}
	cleanup(l);
	return code;
}
