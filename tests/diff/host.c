// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * user/capture/flow_table.c is compiled into this file, because its inside is compared with the kernel. It begins with
 * tables as large as the kernel's, so that both give a connection the same slot and the same cells.
 */
#include "tests/diff/sizes.h"

#include "bpf/core/header_walk.h"

#define FIRST_SIZES                                                                                           \
	{                                                                                                     \
		.slots = TEST_SLOTS, .sets = TEST_SETS, .blocks = TEST_BLOCKS, .cells = TEST_LAST_SEEN_CELLS, \
		.watch_cells = WATCH_CELLS, .oldest_first = true,                                             \
	}
#include "user/capture/flow_table.c"
#include "tests/diff/host.h"

static void take_report(void *context, const struct flow_key *key, const struct flow *f,
			const struct flow_segment *segments, const struct traffic *traffic,
			const struct due_report *how)
{
	struct judged j = {.key = *key, .flow = *f};

	(void)how;
	memcpy(j.log, segments, f->log_len * sizeof(*segments));
	reports_add(context, &j, traffic);
}

void host_open(struct host *h, uint64_t hash_seed, bool all_segments)
{
	h->hash_seed = hash_seed;
	h->all_segments = all_segments;
}

void host_close(struct host *h)
{
	flow_table_free(h->table);
	h->table = NULL;
}

void host_begin(struct host *h, const struct flow_timeouts *timeouts, uint64_t idle, struct reports *reports)
{
	struct flow_table_config config = {
		.timeouts = *timeouts,
		.idle = idle,
		.hash_seed = h->hash_seed,
		.bucket_seed = h->hash_seed,
		.all_segments = h->all_segments,
		.report = take_report,
		.context = reports,
		.counters = h->counters,
	};

	host_close(h);
	memset(h->counters, 0, sizeof(h->counters));
	h->table = must(flow_table_new(&config));
}

bool host_wants(enum packet_verdict verdict)
{
	return verdict == PACKET_TCP || verdict == PACKET_QUOTED;
}

/* Options of SYNs and RSTs, where the packet has them whole, as in user/capture/replay.c. */
enum packet_verdict host_parse(const struct hook_packet *p, struct tcp_segment *s)
{
	struct cursor c = {p->data, p->data + p->len};
	const struct packet_meta meta = {.wire_len = p->len, .link = (uint8_t)p->link, .gso = p->gso};
	enum packet_verdict verdict = packet_parse(s, &c, &meta);
	struct tcp_options options = {.len = s->options_len};

	if (!host_wants(verdict))
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
	uint64_t next = timers_next(&h->table->tables.due.timers);

	return h->table->tables.next_round < next ? h->table->tables.next_round : next;
}

bool host_expire(struct host *h, uint64_t now)
{
	uint64_t round = h->table->tables.next_round;

	flow_table_expire(h->table, now);
	/* A reader of the kernel's tables looks at all slots as well: at the same moments, or one reports earlier. */
	due_scan(&h->table->tables.due, 0, h->table->tables.store.tables.slot_count, now);
	return round && h->table->tables.next_round != round;
}

void host_finish(struct host *h)
{
	flow_table_finish(h->table, true);
}

/* ---- the inside ---- */

static const struct traffic *traffic_of(const void *context, uint32_t n)
{
	const struct tables *t = context;

	return t->traffic ? t->traffic[n] : NULL;
}

struct recorded host_recorded(const struct host *h)
{
	const struct tables *t = &h->table->tables;

	return (struct recorded){.name = "host", .tables = &t->store.tables, .traffic = traffic_of, .context = t};
}

void host_cell(const struct host *h, uint32_t hash, struct cell *cell)
{
	cell->live = h->table->tables.store.tables.watch[hash & (WATCH_CELLS - 1)];
	cell->last_seen = *tables_last_seen(&h->table->tables, (uint64_t)hash << 32);
}

void host_saturate(struct host *h, uint32_t hash)
{
	h->table->tables.store.tables.watch[hash & (WATCH_CELLS - 1)]++;
}
