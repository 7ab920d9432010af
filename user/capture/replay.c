// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * packet -> parse -> flow, for a file. Packet time is the only clock. All rights are given up once the file is open,
 * before its first byte is read.
 */
#include <string.h>
#include <unistd.h>

#include "bpf/core/header_walk.h"
#include "user/base/log.h"
#include "user/base/privileges.h"
#include "user/base/sink.h"
#include "user/base/stop.h"
#include "user/capture/flow_table.h"
#include "user/capture/pcap_file.h"
#include "user/capture/replay.h"

struct replay {
	struct reporter *reporter;
	const struct options *options;
	uint64_t *counters;
	struct flow_table *table;
	struct flow_input batch[FLOW_BATCH];
	unsigned batched;
};

static void report(void *context, const struct flow_key *key, const struct flow *f, const struct flow_segment *log,
		   const struct traffic *traffic, const struct due_report *how)
{
	struct replay *replay = context;
	struct verdict_context verdict = {.reason = how->cut ? REPORT_STOP : REPORT_ENDED, .traffic = traffic};

	if (!how->cut && !(f->state & FLOW_REPLACED))
		verdict.quiet = (uint64_t)replay->options->settle;
	reporter_flow(replay->reporter, key, f, log, &verdict);
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
	sink_write(STDERR_FILENO, &line);
	buffer_free(&line);
	return true;
}

/* Options are parsed only where they matter and only where the capture holds them whole, as in the kernel. */
static void read_options(struct tcp_segment *s, const uint8_t *packet, const uint8_t *end)
{
	struct tcp_options options = {.len = s->options_len};

	if (!(s->flags & (TCP_SYN | TCP_RST)) || !s->options_len)
		return;
	if ((size_t)(end - packet) < (size_t)s->options_off + s->options_len)
		return;
	memcpy(options.bytes, packet + s->options_off, s->options_len);
	packet_options(s, &options);
}

static void take_batch(struct replay *replay)
{
	flow_table_batch(replay->table, replay->batch, replay->batched);
	replay->batched = 0;
}

static void take_packet(struct replay *replay, struct captured_packet *p)
{
	struct flow_input *in = &replay->batch[replay->batched++];
	const uint8_t *start = p->bytes.pos;
	enum packet_verdict verdict;

	verdict = packet_parse(&in->segment, &p->bytes, &p->meta);
	replay->counters[COUNT_PACKETS]++;
	replay->counters[COUNT_VERDICT + verdict]++;
	in->tcp = verdict == PACKET_TCP;
	in->ifindex = p->ifindex;
	in->segment.time = p->time;
	if (in->tcp)
		read_options(&in->segment, start, p->bytes.end);
	if (replay->batched == FLOW_BATCH)
		take_batch(replay);
}

/* Logs why reading failed and returns the exit code. A wait for input that a signal has ended is no failure. */
static int read_failed(const char *error)
{
	if (stop_asked())
		return EXIT_FINE;
	log_error("%s", error);
	return EXIT_RUNTIME;
}

/* Returns an exit code. */
static int read_packets(struct replay *replay, struct pcap_file *pcap)
{
	uint64_t start = 0, duration = replay->options->duration;
	struct captured_packet p;
	char error[512];
	int more = 0;

	while (!reporter_full(replay->reporter) && (replay->batched || stop_go_on())) {
		more = pcap_file_next(pcap, &p, error, sizeof(error));
		if (more <= 0)
			break;
		if (!start)
			start = p.time;
		if (duration && p.time > start && p.time - start > duration)
			break;
		take_packet(replay, &p);
	}
	take_batch(replay);
	return more < 0 ? read_failed(error) : EXIT_FINE;
}

/* Says what was passed over because of its link type. */
static void note_unread(const struct pcap_file *pcap)
{
	char text[256];

	if (pcap_file_unread(pcap, text, sizeof(text)))
		log_note("%s", text);
}

static struct flow_table *make_table(struct replay *replay)
{
	const struct options *options = replay->options;
	struct flow_table_config config = {
		/* hash_seed 0: the same file gives the same records */
		/* A file has no clock but its own: nothing is given up before its end. */
		.timeouts = {.settle = options->settle,
			     .syn = options->syn_timeout,
			     .close = options->close_timeout,
			     .doubt = FLOW_FOR_EVER,
			     .attempt = FLOW_FOR_EVER,
			     .repeat = FLOW_ATTEMPT_NS,
			     .idle = FLOW_FOR_EVER},
		.idle = FLOW_FOR_EVER,
		.report = report,
		.context = replay,
		.counters = replay->counters,
		.all_segments = options->all_segments,
	};

	if (getentropy(&config.bucket_seed, sizeof(config.bucket_seed)))
		config.bucket_seed = (uint64_t)getpid();
	return flow_table_new(&config);
}

static int replay_file(struct replay *replay, struct pcap_file *pcap)
{
	char error[512];
	int code;

	if (pcap_file_start(pcap, error, sizeof(error)))
		return read_failed(error);
	replay->table = make_table(replay);
	if (!replay->table) {
		log_error("out of memory for flows");
		return EXIT_RUNTIME;
	}
	code = read_packets(replay, pcap);
	flow_table_finish(replay->table, replay->options->show_open);
	reporter_flush(replay->reporter);
	note_unread(pcap);
	flow_table_free(replay->table);
	return code;
}

int replay_run(struct reporter *reporter, const struct options *options, uint64_t *counters)
{
	struct replay replay = {.reporter = reporter, .options = options, .counters = counters};
	struct pcap_file *pcap;
	char error[512];
	int code;

	stop_catch_signals(NULL);
	stats_on_signal(print_stats, &replay);
	if (pcap_file_open(&pcap, options->read_file, error, sizeof(error))) {
		code = read_failed(error);
	} else {
		code = privileges_drop_all();
		code = code ? code : replay_file(&replay, pcap);
		pcap_file_close(pcap);
	}
	stats_on_signal(NULL, NULL);
	return code;
}
