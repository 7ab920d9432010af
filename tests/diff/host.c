// SPDX-License-Identifier: GPL-2.0
/*
 * The twin is compiled into this file: what is compared with the kernel lies inside of it.
 */
#include "../../user/flow_table.c"
#include "host.h"

static void take_report(void *context, const struct flow_key *key, const struct flow *f,
			const struct flow_segment *segments)
{
	reports_add(context, key, f, segments);
}

void host_open(struct host *h, const struct flow_timeouts *timeouts, uint64_t hash_seed, struct reports *reports)
{
	struct flow_table_config config = {
		.timeouts = *timeouts,
		.idle = ~0ULL,
		.hash_seed = hash_seed,
		.report = take_report,
		.context = reports,
		.counters = h->counters,
	};

	memset(h->counters, 0, sizeof(h->counters));
	h->reports = reports;
	h->table = must(flow_table_new(&config));
}

void host_close(struct host *h)
{
	flow_table_free(h->table);
}

/* Options as in user/source_file.c: of SYNs and RSTs, where the packet holds them whole. */
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

bool host_due(const struct host *h, uint64_t now)
{
	for (int queue = 0; queue < FLOW_WAITS; queue++) {
		const struct entry *e = h->table->queue[queue].head;

		if (e && flow_is_due(&e->body->flow, now, &h->table->config.timeouts))
			return true;
	}
	return false;
}

void host_expire(struct host *h, uint64_t now)
{
	flow_table_expire(h->table, now);
}

void host_finish(struct host *h)
{
	flow_table_finish(h->table, true);
}

struct watch_cell host_cell(const struct host *h, uint32_t hash)
{
	return *cell_of(h->table, hash);
}

void host_saturate(struct host *h, uint32_t hash)
{
	cell_of(h->table, hash)->count += SATURATED;
}
