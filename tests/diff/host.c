// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * user/capture/flow_table.c is compiled into this file, because its inside is compared with the kernel. It gets as few
 * evidence cells as the kernel has; otherwise other flows would share one.
 */
#define FILE_EVIDENCE_CELLS LAST_SEEN_CELLS
#include "user/capture/flow_table.c"
#include "tests/diff/host.h"

static void take_report(void *context, const struct flow_key *key, const struct flow *f,
			const struct flow_segment *segments, const struct traffic *traffic)
{
	reports_add(context, key, f, segments, traffic);
}

void host_open(struct host *h, uint64_t hash_seed, bool all_segments)
{
	struct flow_table_config config = {
		.hash_seed = hash_seed,
		.all_segments = all_segments,
		.report = take_report,
		.counters = h->counters,
	};

	h->table = must(flow_table_new(&config));
}

void host_close(struct host *h)
{
	flow_table_free(h->table);
}

void host_begin(struct host *h, const struct flow_timeouts *timeouts, uint64_t idle, struct reports *reports)
{
	memset(h->counters, 0, sizeof(h->counters));
	h->table->config.timeouts = *timeouts;
	h->table->config.idle = idle;
	h->table->next_round = h->table->next_due = 0;
	h->table->config.context = reports;
}

/* Options of SYNs and RSTs, where the packet has them whole, as in user/capture/replay.c. */
enum packet_verdict host_parse(const struct hook_packet *p, struct tcp_segment *s)
{
	struct cursor c = {p->data, p->data + p->len};
	const struct packet_meta meta = {.wire_len = p->len, .link = (uint8_t)p->link, .gso = p->gso};
	enum packet_verdict verdict = packet_parse(s, &c, &meta);
	struct tcp_options options = {.len = s->options_len};

	if (verdict != PACKET_TCP)
		return verdict;
	s->time = p->time;
	if (s->flags & (TCP_SYN | TCP_RST) && (uint32_t)s->options_off + s->options_len <= p->len) {
		memcpy(options.bytes, p->data + s->options_off, s->options_len);
		packet_options(s, &options);
	}
	return verdict;
}

bool host_take(struct host *h, struct tcp_segment *s, uint32_t ifindex)
{
	uint64_t before = h->counters[COUNT_LOOKED_UP];

	flow_table_segment(h->table, s, ifindex);
	return h->counters[COUNT_LOOKED_UP] != before;
}

uint64_t host_next(const struct host *h)
{
	return earliest(h->table);
}

bool host_expire(struct host *h, uint64_t now)
{
	uint64_t round = h->table->next_round;

	flow_table_expire(h->table, now);
	return round && h->table->next_round != round;
}

void host_finish(struct host *h)
{
	flow_table_finish(h->table, true);
}

void host_cell(const struct host *h, uint32_t hash, struct cell *cell)
{
	cell->live = h->table->watch.live[hash & (WATCH_CELLS - 1)];
	cell->settling = h->table->watch.settling[hash & (WATCH_CELLS - 1)];
	cell->evidence = *evidence_of(h->table, hash);
}

void host_saturate(struct host *h, uint32_t hash)
{
	h->table->watch.live[hash & (WATCH_CELLS - 1)]++;
	h->table->watch.settling[hash & (WATCH_CELLS - 1)]++;
}

void host_clear_cell(struct host *h, uint32_t hash)
{
	h->table->watch.live[hash & (WATCH_CELLS - 1)] = 0;
	h->table->watch.settling[hash & (WATCH_CELLS - 1)] = 0;
	memset(evidence_of(h->table, hash), 0, sizeof(struct last_seen));
}
