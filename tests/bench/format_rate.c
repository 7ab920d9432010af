// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How many JSON records a second one core makes of finished flows, verdict included, and how many when the verdict is
 * there already. The flows are real ones: their segments have gone through the flow table. They differ in numbers and
 * times, since a CPU that has seen one record often enough prints it much faster.
 *
 * Prints "report N" and "format N", records a second of CPU time, medians of several rounds; and "metrics N", the ns
 * of CPU time that metrics take for a record whose peer is one of very many, and whose process, unit and container are
 * known: the least of several rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "user/capture/flow_table.h"
#include "user/format/format.h"
#include "user/judge/judge.h"
#include "user/judge/verdict.h"
#include "user/monitoring/metrics.h"

#define ROUNDS 15
#define RECORDS 20000
#define SAMPLES 1000
#define WARM 4
#define MILLISECOND 1000000ULL
#define SECOND (1000 * MILLISECOND)

struct samples {
	struct judged sample[SAMPLES];
	struct record record[SAMPLES];
	unsigned count;
};

struct step {
	uint32_t seq, ack;
	uint16_t len;
	uint8_t flags, server;
};

static void take(void *context, const struct flow_key *key, const struct flow *f, const struct flow_segment *log,
		 const struct traffic *traffic, const struct due_report *how)
{
	struct samples *samples = context;
	struct judged *sample;

	(void)traffic;
	(void)how;
	if (!(f->state & FLOW_GRACEFUL) || samples->count == SAMPLES)
		return;
	sample = &samples->sample[samples->count++];
	sample->key = *key;
	sample->flow = *f;
	memcpy(sample->log, log, f->log_len * sizeof(*log));
}

/* Up to 2^20 - 1 more, in a fixed order. */
static uint32_t vary(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 12;
}

/* A short connection's segments, closed by the client in four steps. */
static void play(struct flow_table *t, uint32_t n)
{
	static const struct step script[] = {
		{0, 0, 0, TCP_SYN, 0},     {0, 1, 0, TCP_SYN | TCP_ACK, 1},
		{1, 1, 0, TCP_ACK, 0},     {1, 1, 100, TCP_PSH | TCP_ACK, 0},
		{1, 101, 0, TCP_ACK, 1},   {1, 101, 500, TCP_PSH | TCP_ACK, 1},
		{101, 501, 0, TCP_ACK, 0}, {101, 501, 0, TCP_FIN | TCP_ACK, 0},
		{501, 102, 0, TCP_ACK, 1}, {501, 102, 0, TCP_FIN | TCP_ACK, 1},
		{102, 502, 0, TCP_ACK, 0},
	};
	uint32_t state = n, port = 32768 + vary(&state) % 28000, isn[] = {vary(&state) * 4093, vary(&state) * 4093};
	const struct ip_address client = {0, 0xc0a80000 + (n & 0xffff)}, server = {0, 0x6e2aaf73};
	uint64_t time = 1700000000 * SECOND + n * SECOND;

	for (unsigned i = 0; i < sizeof(script) / sizeof(script[0]); i++) {
		const struct step *step = &script[i];
		struct tcp_segment s = {
			.src = step->server ? server : client,
			.dst = step->server ? client : server,
			.sport = step->server ? 443 : port,
			.dport = step->server ? port : 443,
			.time = time += vary(&state) * (i % 3 ? 20 : 1),
			.seq = isn[step->server] + step->seq,
			.ack = step->flags & TCP_ACK ? isn[!step->server] + step->ack : 0,
			.len = step->len,
			.win = 64240,
			.ip_id = (uint16_t)i,
			.vlan = {PACKET_NO_TAG, PACKET_NO_TAG},
			.family = 4,
			.flags = step->flags,
			.ttl = 64,
			.wscale = step->flags & TCP_SYN ? 7 : SEGMENT_NO_WSCALE,
			.mptcp = SEGMENT_NO_MPTCP,
		};

		flow_table_segment(t, &s, 0);
	}
}

static double cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Records a second. */
static double make(struct samples *samples, bool decide)
{
	static struct buffer out;
	const struct format_style style = {};
	const struct verdict_context context = {.interfaces = {"eth0"}, .reason = REPORT_ENDED, .order_by_time = true};
	double start = cpu_seconds();

	for (int i = 0; i < RECORDS; i++) {
		const struct judged *s = &samples->sample[i % SAMPLES];
		struct record *r = &samples->record[i % SAMPLES];

		if (decide)
			verdict(r, &s->key, &s->flow, s->log, &context);
		format_record(&out, FORMAT_JSON, &style, r);
		if (out.len > 64 * 1024)
			out.len = 0; /* where it would be written */
	}
	return RECORDS / (cpu_seconds() - start);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* All that metrics group by is known of the record, so that each group is looked up. */
static void name_destination(struct record *r)
{
	struct record_socket *s = &r->socket[DESTINATION];

	s->known = true;
	s->how = HOW_CLOSE;
	s->process.pid = 1;
	memcpy(s->process.name, "nginx", sizeof("nginx"));
	s->names.unit = "nginx.service";
	s->names.container = "deb12";
}

/* ns a record. It is in the cache, as one is whose verdict has just been made. */
static double count(struct samples *samples, struct metrics *m)
{
	static uint32_t peer;
	double start = cpu_seconds();

	for (int i = 0; i < RECORDS; i++) {
		struct record *r = &samples->record[i % WARM];

		vary(&peer);
		memcpy(r->end[SOURCE].ip, &peer, sizeof(peer));
		metrics_add(m, r);
	}
	return (cpu_seconds() - start) * 1e9 / RECORDS;
}

/* The least of several rounds: whatever else the machine does only adds to it. */
static double measure_metrics(struct samples *samples)
{
	struct metrics *m = metrics_new(0);
	struct buffer text = {0};
	double ns[ROUNDS];

	for (unsigned i = 0; i < WARM; i++)
		name_destination(&samples->record[i]);
	for (int round = 0; m && round < ROUNDS; round++) {
		ns[round] = count(samples, m);
		text.len = 0;
		metrics_print(&text, m, EXPOSITION_TEXT); /* gives groups their series */
	}
	metrics_free(m);
	buffer_free(&text);
	qsort(ns, ROUNDS, sizeof(ns[0]), compare);
	return ns[0];
}

int main(void)
{
	static struct samples samples;
	uint64_t counters[COUNTERS] = {};
	struct flow_table_config config = {
		.timeouts = {.settle = 500 * MILLISECOND,
			     .doubt = 10 * SECOND,
			     .attempt = 10 * SECOND,
			     .idle = 60 * SECOND},
		.idle = 7200 * SECOND,
		.report = take,
		.context = &samples,
		.counters = counters,
	};
	struct flow_table *table = flow_table_new(&config);
	double rates[2][ROUNDS];

	if (!table)
		return 1;
	for (uint32_t n = 0; n < SAMPLES; n++)
		play(table, n);
	flow_table_finish(table, false);
	flow_table_free(table);
	if (samples.count != SAMPLES) {
		fputs("format_rate: the sample connections were not reported as they should\n", stderr);
		return 1;
	}
	for (int round = 0; round < ROUNDS; round++)
		for (int decide = 1; decide >= 0; decide--) /* the verdicts first */
			rates[decide][round] = make(&samples, decide);
	for (int decide = 0; decide < 2; decide++) {
		qsort(rates[decide], ROUNDS, sizeof(rates[decide][0]), compare);
		printf("%s %.0f\n", decide ? "report" : "format", rates[decide][ROUNDS / 2]);
	}
	printf("metrics %.0f\n", measure_metrics(&samples));
	return 0;
}
