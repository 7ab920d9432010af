// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * packet -> parse -> flow, for a file; a file of records goes to record_replay.c. Packet time is the only clock. All
 * rights are given up once the file is open, before its first byte is read.
 */
#include <string.h>
#include <unistd.h>

#include "bpf/core/header_walk.h"
#include "user/base/log.h"
#include "user/base/privileges.h"
#include "user/base/sink.h"
#include "user/base/stop.h"
#include "user/capture/capture_files.h"
#include "user/capture/clock_jumps.h"
#include "user/capture/flow_table.h"
#include "user/capture/interface_names.h"
#include "user/capture/kept_packets.h"
#include "user/capture/progress.h"
#include "user/capture/record_replay.h"
#include "user/capture/replay.h"
#include "user/judge/stray_flow.h"
#include "user/record/unopened.h"

struct replay {
	struct reporter *reporter;
	const struct options *options;
	uint64_t *counters;
	struct flow_table *table;
	struct clock_jumps jumps;
	struct related *related;
	struct interface_names *names;
	const struct capture_files *files;
	bool over; /* nothing is reported any more; which connections there were is noted */
	struct flow_input batch[FLOW_BATCH];
	unsigned batched;
	unsigned fresh; /* packets since the last batch was taken */
};

/* With -w. A SYN that has taken the tuple is part of the connection that it ends. */
static void note_ended(const struct replay *replay, const struct flow *f, const struct due_report *how)
{
	uint64_t until = how->until + (f->state & FLOW_REPLACED ? 1 : 0);

	connection_spans_end(flight_spans(replay->reporter->flight), how->begun, until);
}

/* Second sightings of SYN and SYN-ACK are counted beside the others. counted: room for what else is counted. */
static const struct traffic *add_twins(struct flow *f, const struct traffic *traffic, struct traffic *counted,
				       unsigned twins)
{
	f->duplicates += twins;
	if (!traffic || !twins)
		return traffic;
	*counted = *traffic;
	counted->side[0].twice += twins;
	return counted;
}

static void report(void *context, const struct flow_key *key, const struct flow *f, const struct flow_segment *log,
		   const struct traffic *traffic, const struct due_report *how)
{
	struct replay *replay = context;
	const struct flight_packets packets = {.begun = how->begun};
	struct flow flow = *f;
	struct traffic counted;
	struct verdict_context verdict = {.reason = how->cut      ? REPORT_STOP
						    : how->glance ? REPORT_INTERIM
								  : REPORT_ENDED,
					  .payload = how->payload,
					  .hole = how->hole,
					  .jumped = replay->jumps.at,
					  .jumped_count = replay->jumps.count,
					  .related = replay->related,
					  .closes_only = how->closes_only,
					  .packets = &packets};

	if (replay->reporter->flight && !how->glance && !how->stray)
		note_ended(replay, f, how);
	if (replay->over)
		return;
	if (!how->cut && !(f->state & FLOW_REPLACED))
		verdict.quiet = (uint64_t)replay->options->settle;
	for (unsigned i = 0; i < RECORD_INTERFACES && how->seen_at->number[i]; i++)
		verdict.interfaces[i] = interface_names_get(replay->names, how->seen_at->number[i]);
	verdict.traffic = add_twins(&flow, traffic, &counted, how->twins);
	if (how->heard > flow.t_last) /* an open connection is as old as its last segment */
		flow.t_last = how->heard;
	if (how->stray)
		reporter_stray(replay->reporter, key, &flow, log, &verdict);
	else if (how->glance)
		reporter_waiting(replay->reporter, key, &flow, log, &verdict, how->stuck);
	else
		reporter_flow(replay->reporter, key, &flow, log, &verdict);
}

static void report_stray(void *context, const struct stray *x, const struct due_report *how)
{
	const struct flow_key key = stray_key(x);
	struct flow_segment log[1];
	struct flow flow;

	stray_flow(x, &flow, log);
	report(context, &key, &flow, log, NULL, how);
}

/* With -w. */
static uint64_t note_begun(void *context, const struct tcp_segment *s, uint64_t number)
{
	struct connection_spans *spans = flight_spans(((struct replay *)context)->reporter->flight);

	return connection_spans_begin(spans, connection_spans_tuple(spans, s), number, !segment_is_syn(s));
}

/* Answers SIGUSR1: totals, where live watching prints rates. */
static bool print_stats(void *context)
{
	const struct replay *replay = context;
	const uint64_t *n = replay->counters;
	struct buffer line = {0};

	buffer_printf(&line, "stats: packets %llu segments %llu records %llu\n", (unsigned long long)n[COUNT_PACKETS],
		      (unsigned long long)n[COUNT_VERDICT + PACKET_TCP],
		      (unsigned long long)replay->reporter->summary.records);
	log_lines(&line);
	buffer_free(&line);
	return true;
}

/* Options are parsed only where they matter and only where the capture holds them whole, as in the kernel. */
static void read_options(struct tcp_segment *s, const uint8_t *packet, const uint8_t *end)
{
	struct tcp_options options;

	if (!(s->flags & (TCP_SYN | TCP_RST)) || !s->options_len)
		return;
	if ((size_t)(end - packet) < (size_t)s->options_off + s->options_len) {
		s->wscale = SEGMENT_CUT_WSCALE;
		return;
	}
	options = (struct tcp_options){.len = s->options_len};
	memcpy(options.bytes, packet + s->options_off, s->options_len);
	packet_options(s, &options);
}

/* --top: makes the tables that end before `time`, each of what its end has made due. */
static void make_tables(struct replay *replay, uint64_t time)
{
	uint64_t end;

	while ((end = reporter_table_due(replay->reporter, time, 0)) && !reporter_full(replay->reporter)) {
		flow_table_expire(replay->table, end);
		flow_table_look_at_waiting(replay->table, end);
		reporter_table(replay->reporter, end);
	}
}

/* Takes the first n packets of the batch, and makes the tables that end between them. */
static void take_first(struct replay *replay, unsigned n)
{
	unsigned begin = 0;

	for (unsigned i = 0; replay->options->top && i < n; i++) {
		if (!reporter_table_due(replay->reporter, replay->batch[i].segment.time, 0))
			continue;
		flow_table_batch(replay->table, replay->batch + begin, i - begin);
		begin = i;
		make_tables(replay, replay->batch[i].segment.time);
	}
	flow_table_batch(replay->table, replay->batch + begin, n - begin);
}

/* kept: the last packets of the batch, which stay: the times of those before them are judged by theirs. */
static void take_batch(struct replay *replay, unsigned kept)
{
	unsigned n = replay->batched > kept ? replay->batched - kept : 0;

	clock_jumps_take(&replay->jumps, replay->batch, n, replay->batched);
	take_first(replay, n);
	replay->batched -= n;
	memmove(replay->batch, replay->batch + n, replay->batched * sizeof(*replay->batch));
	replay->fresh = 0;
}

/* The number of the packet's interface in the names; 0 where the file does not tell it. */
static uint16_t interface_of(struct replay *replay, const struct captured_packet *p)
{
	uint16_t number = interface_names_known(replay->names, p);

	if (number != INTERFACE_NOT_KNOWN)
		return number;
	number = interface_names_add(replay->names, p, capture_files_interface_name(replay->files, p));
	if (interface_names_count(replay->names) > 1)
		reporter_several_interfaces(replay->reporter);
	return number;
}

static void take_packet(struct replay *replay, struct captured_packet *p)
{
	struct flow_input *in = &replay->batch[replay->batched++];
	const uint8_t *start = p->bytes.pos;
	enum packet_verdict verdict;

	verdict = packet_parse(&in->segment, &p->bytes, &p->meta);
	replay->counters[COUNT_PACKETS]++;
	replay->counters[COUNT_VERDICT + verdict]++;
	in->tcp = verdict == PACKET_TCP || verdict == PACKET_QUOTED;
	in->ifindex = 0; /* a route may go out by one interface and come back by another: a tuple is one connection */
	in->interface = interface_of(replay, p);
	in->segment.time = p->time;
	in->closes_only = p->closes_only;
	if (in->tcp)
		read_options(&in->segment, start, p->bytes.end);
	replay->fresh++;
	if (replay->batched == FLOW_BATCH)
		take_batch(replay, CLOCK_AHEAD);
}

/* Logs why reading failed and returns the exit code. A wait for input that a signal has ended is no failure. */
static int read_failed(const char *error)
{
	if (stop_asked())
		return EXIT_FINE;
	log_error("%s", error);
	return EXIT_RUNTIME;
}

/* Takes what was read and writes what it made known: a pipe may be silent for long. */
static void before_wait(void *context)
{
	struct replay *replay = context;

	take_batch(replay, 0);
	reporter_flush(replay->reporter);
}

/* Has the capture's time come that -d is for? */
static bool is_over(const struct replay *replay, uint64_t start, uint64_t time)
{
	uint64_t duration = replay->options->duration;

	return duration && time > start && time - start > duration;
}

/* Returns an exit code: that of the first file that could not be read to its end; the others are read all the same. */
static int read_packets(struct replay *replay, struct capture_files *files)
{
	struct captured_packet p;
	struct progress progress;
	uint64_t start = 0;
	char error[512];
	int code = EXIT_FINE, more = 1;

	progress_begin(&progress, replay->options->quiet);

	while (!reporter_full(replay->reporter) && (replay->fresh || stop_go_on())) {
		more = capture_files_next(files, &p, error, sizeof(error));

		if (!more)
			break;
		if (more < 0) {
			code = code ? code : read_failed(error);
			continue;
		}
		start = start ? start : p.time;
		if (is_over(replay, start, p.time))
			break;
		take_packet(replay, &p);
		if (!replay->fresh)
			progress_show(&progress, files);
	}
	progress_end(&progress);
	take_batch(replay, 0);
	if (!more)
		flow_table_expire(replay->table, capture_files_end(files));
	return code;
}

/* Says what was passed over because of its link type, or is inside of tunnels that are not opened. */
static void note_unread(const struct replay *replay, const struct capture_files *files)
{
	unsigned said = 0;
	char text[2048];

	for (unsigned i = 0; i < capture_files_count(files); i++)
		if (capture_files_unread(files, i, text, sizeof(text)))
			log_note("%s", text);
	unopened_note(replay->counters, &said);
}

static struct flow_table *make_table(struct replay *replay)
{
	const struct options *options = replay->options;
	uint64_t done, all;
	bool lasting = capture_files_progress(replay->files, &done, &all);
	struct flow_table_config config = {
		/* hash_seed 0: the same file gives the same records */
		/*
		 * A file has no clock but its own: nothing is given up before its end, unless it is too much. Somebody
		 * may watch what a pipe shows, and is told of a reset as he would be on the wire.
		 */
		.timeouts = {.settle = options->settle,
			     .syn = options->syn_timeout,
			     .close = options->close_timeout,
			     .reset = lasting ? FLOW_ATTEMPT_NS : 0,
			     .doubt = FLOW_FOR_EVER,
			     .attempt = FLOW_FOR_EVER,
			     .repeat = FLOW_ATTEMPT_NS,
			     .idle = FLOW_FOR_EVER},
		.idle = FLOW_FOR_EVER,
		.report = report,
		.context = replay,
		.counters = replay->counters,
		.max_flows = options->max_flows,
		.strays = options->strays,
		.stray = report_stray,
		.begun = replay->reporter->flight ? note_begun : NULL,
		.all_segments = options->all_segments,
		.related = replay->related,
	};

	if (getentropy(&config.bucket_seed, sizeof(config.bucket_seed)))
		config.bucket_seed = (uint64_t)getpid();
	return flow_table_new(&config);
}

/* -w: connections that are open and not reported have packets of their own all the same. */
static void keep_packets(struct replay *replay, struct capture_files *files)
{
	struct flight *flight = replay->reporter->flight;

	if (!flight)
		return;
	replay->over = true;
	flow_table_finish(replay->table, true);
	kept_packets_write(flight, files, replay->counters[COUNT_PACKETS], flow_table_clock(replay->table));
}

static int replay_captures(struct replay *replay, struct capture_files *files)
{
	int code;

	replay->related = related_new();
	replay->names = interface_names_new();
	replay->files = files;
	replay->table = make_table(replay);
	if (!replay->table || !replay->related || !replay->names) {
		log_error("out of memory for flows");
		return EXIT_RUNTIME;
	}
	capture_files_on_wait(files, before_wait, replay);
	code = read_packets(replay, files);
	flow_table_finish(replay->table, replay->options->show_open);
	reporter_flush(replay->reporter);
	note_unread(replay, files);
	keep_packets(replay, files);
	flow_table_free(replay->table);
	clock_jumps_free(&replay->jumps);
	related_free(replay->related);
	interface_names_free(replay->names);
	return code;
}

static int replay_files(struct replay *replay, struct capture_files *files)
{
	unsigned count = capture_files_count(files), records = 0;

	for (unsigned i = 0; i < count; i++)
		records += pcap_file_is_records(capture_files_get(files, i));
	if (!records)
		return replay_captures(replay, files);
	if (replay->options->packets) {
		log_error("-w keeps packets, and files of records have none; give captures");
		return EXIT_RUNTIME;
	}
	if (records == count)
		return record_replay(replay->reporter, replay->options, files);
	log_error("%u of %u files hold records, the others do not: records and captures are read apart", records,
		  count);
	return EXIT_RUNTIME;
}

int replay_run(struct reporter *reporter, const struct options *options, uint64_t *counters)
{
	struct replay replay = {.reporter = reporter,
				.options = options,
				.counters = counters,
				.jumps.counter = &counters[COUNT_CLOCK_JUMPS]};
	struct capture_files *files;
	char error[512];
	int code;

	stop_catch_signals(NULL);
	stats_on_signal(print_stats, &replay);
	if (capture_files_open(&files, options->files.paths, options->files.count, error, sizeof(error))) {
		code = read_failed(error);
	} else {
		if (kept_packets_prepare(reporter->flight, files, error, sizeof(error)))
			code = read_failed(error);
		else
			code = privileges_drop_all();
		code = code ? code : replay_files(&replay, files);
		capture_files_close(files);
	}
	stats_on_signal(NULL, NULL);
	return code;
}
