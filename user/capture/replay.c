// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * packet -> parse -> flow, for a file. Packet time is the only clock. Not a byte of the file is looked at with more
 * rights than that takes: they are given up once it is open.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "user/capture/flow_table.h"
#include "user/base/log.h"
#include "user/base/privileges.h"
#include "user/capture/replay.h"
#include "user/capture/pcap_file.h"

struct replay {
	struct reporter *reporter;
	enum report_reason reason;
	struct flow_table *table;
	struct flow_input batch[FLOW_BATCH];
	unsigned batched;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

static void report(void *context, const struct flow_key *key, const struct flow *f, const struct flow_segment *log,
		   const struct traffic *traffic)
{
	struct replay *replay = context;
	struct verdict_context verdict = {.reason = replay->reason, .traffic = traffic};

	reporter_flow(replay->reporter, key, f, log, &verdict);
}

static void handle_signals(void)
{
	struct sigaction action = {.sa_handler = interrupt}; /* no SA_RESTART: a read from a pipe ends */

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
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

static void take_packet(struct replay *replay, struct captured_packet *p, uint64_t *counters)
{
	struct flow_input *in = &replay->batch[replay->batched++];
	const uint8_t *start = p->bytes.pos;
	enum packet_verdict verdict;

	verdict = packet_parse(&in->segment, &p->bytes, &p->meta);
	counters[COUNT_PACKETS]++;
	counters[COUNT_VERDICT + verdict]++;
	in->tcp = verdict == PACKET_TCP;
	in->ifindex = p->ifindex;
	in->segment.time = p->time;
	if (in->tcp)
		read_options(&in->segment, start, p->bytes.end);
	if (replay->batched == FLOW_BATCH)
		take_batch(replay);
}

static int read_packets(struct pcap_file *pcap, struct replay *replay, const struct options *options,
			uint64_t *counters)
{
	struct captured_packet p;
	uint64_t start = 0;
	char error[512];
	int more = 0;

	while (!interrupted && !reporter_full(replay->reporter)) {
		more = pcap_file_next(pcap, &p, error, sizeof(error));
		if (more <= 0)
			break;
		if (!start)
			start = p.time;
		if (options->duration && p.time > start && p.time - start > options->duration)
			break;
		take_packet(replay, &p, counters);
	}
	take_batch(replay);
	return more < 0 && !interrupted ? (log_error("%s", error), more) : 0;
}

static int replay_file(struct pcap_file *pcap, struct reporter *reporter, const struct options *options,
		       uint64_t *counters)
{
	struct replay replay = {.reporter = reporter, .reason = REPORT_ENDED};
	struct flow_table_config config = {
		/* hash_seed 0: the same file gives the same records */
		.timeouts = {options->settle, options->syn_timeout, options->close_timeout},
		.idle = options->idle_timeout,
		.report = report,
		.context = &replay,
		.counters = counters,
		.all_segments = options->all_segments,
	};
	char error[512];
	int err = pcap_file_start(pcap, error, sizeof(error));

	if (err) {
		log_error("%s", error);
		return EXIT_RUNTIME;
	}
	if (getentropy(&config.bucket_seed, sizeof(config.bucket_seed)))
		config.bucket_seed = (uint64_t)getpid();
	replay.table = flow_table_new(&config);
	if (!replay.table) {
		log_error("out of memory for flows");
		return EXIT_RUNTIME;
	}
	handle_signals();
	err = read_packets(pcap, &replay, options, counters);
	replay.reason = REPORT_STOP;
	flow_table_finish(replay.table, options->show_open);
	reporter_flush(reporter);
	flow_table_free(replay.table);
	return err ? EXIT_RUNTIME : EXIT_FINE;
}

int replay_run(struct reporter *reporter, const struct options *options, uint64_t *counters)
{
	struct pcap_file *pcap;
	char error[512];
	int code;

	if (pcap_file_open(&pcap, options->read_file, error, sizeof(error))) {
		log_error("%s", error);
		return EXIT_RUNTIME;
	}
	code = privileges_drop_all();
	code = code ? code : replay_file(pcap, reporter, options, counters);
	pcap_file_close(pcap);
	return code;
}
