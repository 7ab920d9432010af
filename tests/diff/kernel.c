// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The programs' clock is the variable test_now.
 */
#define _GNU_SOURCE 1 /* sched_setaffinity */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/settings.h" /* before the skeleton, which uses these types */
#include "bpf/tables.h"
#include "user/live/bpf_programs.h"
#include "user/live/settling_queue.h"
#include "tests/diff/kernel.h"
#include "tcpfin_trace.skel.h"

/* Large enough that no conversation evicts anything, small because each one sweeps and clears the tables. */
#define UNPROVEN_SETS 256
#define FLOWS 4096
#define RING_BYTES (4 << 20)

const char *const program_names[PROGRAMS] = {"xdp", "tc", "tc-l3"};

struct kernel {
	struct tcpfin_trace_bpf *skeleton;
	struct ring_buffer *ring;
	int programs[PROGRAMS];
	int cpus, cpu;
	uint8_t *work; /* one value of the works map a CPU */
	size_t work_size;
	uint64_t *counters; /* COUNTERS a CPU */
	struct unproven_set *no_sets;
	uint32_t *set_indexes;
	struct flow_timeouts timeouts;
	struct reports *reports;
	struct settling_queue settling;
	bool unannounced; /* a sweep has found an ended flow without a notice */
};

/* ---- reports ---- */

static uint32_t index_of(uint32_t hash)
{
	return hash & (WATCH_CELLS - 1);
}

static void report_slot(struct kernel *k, uint32_t index, bool announced)
{
	struct collect_slot slot;

	if (bpf_map__lookup_elem(k->skeleton->maps.slots, &index, sizeof(index), &slot, sizeof(slot), 0) ||
	    slot.event.head.kind != EVENT_COLLECTED)
		return;
	if (!announced && slot.event.body.flow.state & (FLOW_DONE | FLOW_REPLACED))
		k->unannounced = true;
	reports_add(k->reports, &slot.event.head.key, &slot.event.body.flow, slot.event.body.log,
		    slot.counted ? &slot.traffic : NULL);
}

/* Returns how many flows were found, in the tables and in the slots. */
static int sweep(struct kernel *k, const struct sweep_request *what)
{
	uint8_t frame[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame), .repeat = 1);

	k->skeleton->bss->sweep_request = *what;
	k->skeleton->bss->sweep_request.timeouts = k->timeouts;
	k->skeleton->bss->sweep_request.show_open = 1;
	if (bpf_prog_test_run_opts(bpf_program__fd(k->skeleton->progs.tcpfin_sweep), &run))
		return 0;
	for (uint32_t i = 0; i < k->skeleton->bss->slots_used; i++)
		report_slot(k, i, i < what->collect);
	return (int)run.retval;
}

/* As user/live/live.c, but one at a time. */
static void collect_settled(struct kernel *k, uint64_t now, bool flush)
{
	struct collect_slot slot = {.counted = 0};
	uint32_t first = 0;

	while (settling_queue_take(&k->settling, now, &slot.event.head.key)) {
		bpf_map__update_elem(k->skeleton->maps.slots, &first, sizeof(first), &slot, sizeof(slot), BPF_ANY);
		sweep(k, &(struct sweep_request){.collect = 1, .flush = flush});
	}
}

/* As user/live/live.c: an idle flow's record begins with what is remembered of its last segments. */
static void take_unproven(struct kernel *k, const struct flow_event *e)
{
	struct closing_body body = e->body;
	struct cell cell;

	if ((body.flow.state & (FLOW_REOPENED | FLOW_REPLACED)) == FLOW_REOPENED) {
		kernel_cell(k, e->head.key.hash, &cell);
		flow_lend_last_seen(&body.flow, &cell.evidence, flow_key_hash(&e->head.key));
	}
	reports_add(k->reports, &e->head.key, &body.flow, body.log,
		    e->head.kind == EVENT_OPEN ? (const void *)e->body.log : NULL);
}

static int take_event(void *context, void *data, size_t size)
{
	struct kernel *k = context;
	const struct flow_event *e = data;

	(void)size;
	switch (e->head.kind) {
	case EVENT_ENDED:
		settling_queue_append(&k->settling, &e->head.key, e->time + k->timeouts.settle);
		break;
	case EVENT_REPLACED:
		settling_queue_prepend(&k->settling, &e->head.key);
		break;
	case EVENT_UNPROVEN:
	case EVENT_OPEN:
		take_unproven(k, e);
		break;
	}
	return 0;
}

void kernel_consume(struct kernel *k)
{
	ring_buffer__consume(k->ring);
	collect_settled(k, 0, false); /* flows whose tuples are in use again */
}

void kernel_expire(struct kernel *k, uint64_t now, bool idle_round)
{
	k->skeleton->bss->test_now = now;
	ring_buffer__consume(k->ring);
	collect_settled(k, now, false);
	sweep(k, &(struct sweep_request){.sets = UNPROVEN_SETS, .closing = 1, .established = idle_round});
	ring_buffer__consume(k->ring);
}

void kernel_finish(struct kernel *k)
{
	ring_buffer__consume(k->ring);
	collect_settled(k, UINT64_MAX, true);
	while (sweep(k, &(struct sweep_request){.sets = UNPROVEN_SETS, .closing = 1, .established = 1, .flush = 1}) > 0)
		ring_buffer__consume(k->ring);
}

/* ---- between conversations ---- */

void kernel_begin(struct kernel *k, const struct flow_timeouts *timeouts, struct reports *reports)
{
	k->timeouts = *timeouts;
	k->reports = reports;
}

bool kernel_clear(struct kernel *k)
{
	struct bpf_map *map = k->skeleton->maps.closing;
	uint32_t count = UNPROVEN_SETS;
	struct traffic_key counted;
	struct flow_key key;
	bool clean = k->skeleton->bss->reused_tuples == 0 && !k->unannounced;

	while (!bpf_map__get_next_key(map, NULL, &key, sizeof(key))) {
		clean = false;
		bpf_map__delete_elem(map, &key, sizeof(key), 0);
	}
	k->skeleton->bss->reused_tuples = 0;
	k->unannounced = false;
	for (map = k->skeleton->maps.traffic; !bpf_map__get_next_key(map, NULL, &counted, sizeof(counted));) {
		clean = false;
		bpf_map__delete_elem(map, &counted, sizeof(counted), 0);
	}
	if (bpf_map_update_batch(bpf_map__fd(k->skeleton->maps.unproven), k->set_indexes, k->no_sets, &count, NULL))
		clean = false;
	return clean;
}

void kernel_clear_cell(struct kernel *k, uint32_t hash)
{
	struct watch *watch = &k->skeleton->bss->watch;
	const struct last_seen none = {0};
	uint32_t index = index_of(hash), evidence = hash & (LAST_SEEN_CELLS - 1);

	watch->live[index] = watch->settling[index] = 0;
	bpf_map_update_elem(bpf_map__fd(k->skeleton->maps.last_seen), &evidence, &none, BPF_ANY);
}

/* ---- packets ---- */

int kernel_run(struct kernel *k, enum program program, const struct hook_packet *p)
{
	struct __sk_buff skb = {.gso_segs = p->gso ? 3 : 0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = p->data, .data_size_in = p->len, .repeat = 1);

	if (p->gso) {
		run.ctx_in = &skb;
		run.ctx_size_in = sizeof(skb);
	}
	k->skeleton->bss->test_now = p->time;
	return bpf_prog_test_run_opts(k->programs[program], &run) ? -errno : 0;
}

void kernel_counters(struct kernel *k, uint64_t counters[COUNTERS])
{
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(k->skeleton->maps.counters), &zero, k->counters))
		memset(k->counters, 0, (size_t)k->cpus * COUNTERS * sizeof(*counters));
	memcpy(counters, k->counters + (size_t)k->cpu * COUNTERS, COUNTERS * sizeof(*counters));
}

void kernel_segment(struct kernel *k, struct tcp_segment *s)
{
	uint32_t zero = 0;

	memset(s, 0, sizeof(*s));
	if (!bpf_map_lookup_elem(bpf_map__fd(k->skeleton->maps.works), &zero, k->work))
		memcpy(s, k->work + (size_t)k->cpu * k->work_size, sizeof(*s)); /* the first member of struct work */
}

void kernel_cell(const struct kernel *k, uint32_t hash, struct cell *cell)
{
	uint32_t index = index_of(hash), evidence = hash & (LAST_SEEN_CELLS - 1);

	cell->live = k->skeleton->bss->watch.live[index];
	cell->settling = k->skeleton->bss->watch.settling[index];
	if (bpf_map_lookup_elem(bpf_map__fd(k->skeleton->maps.last_seen), &evidence, &cell->evidence))
		memset(&cell->evidence, 0xff, sizeof(cell->evidence));
}

void kernel_saturate(struct kernel *k, uint32_t hash)
{
	k->skeleton->bss->watch.live[index_of(hash)]++;
	k->skeleton->bss->watch.settling[index_of(hash)]++;
}

/* ---- loading ---- */

static int load(struct kernel *k, uint64_t hash_seed, bool all_segments)
{
	struct tcpfin_trace_bpf *s = k->skeleton = tcpfin_trace_bpf__open();
	int err;

	if (!s)
		return -errno;
	s->rodata->settings.hash_seed = hash_seed;
	s->rodata->settings.unproven_mask = UNPROVEN_SETS - 1;
	s->rodata->settings.count_packets = 1;
	s->rodata->settings.test_clock = 1;
	s->rodata->settings.all_segments = all_segments;
	err = bpf_map__set_max_entries(s->maps.unproven, UNPROVEN_SETS);
	err = err ? err : bpf_map__set_max_entries(s->maps.established, FLOWS);
	err = err ? err : bpf_map__set_max_entries(s->maps.closing, FLOWS);
	err = err ? err : bpf_map__set_max_entries(s->maps.traffic, FLOWS);
	err = err ? err : bpf_map__set_max_entries(s->maps.ring, RING_BYTES);
	err = err ? err : tcpfin_trace_bpf__load(s);
	err = err ? err : bpf_programs_connect(s->obj);
	if (err)
		return err;
	k->programs[XDP] = bpf_program__fd(bpf_programs_hook(s->obj, "xdp", all_segments));
	k->programs[TC] = bpf_program__fd(bpf_programs_hook(s->obj, "tc", all_segments));
	k->programs[TC_L3] = bpf_program__fd(bpf_programs_hook(s->obj, "tc_l3", all_segments));
	return 0;
}

static int map_memory(struct kernel *k)
{
	k->cpus = libbpf_num_possible_cpus();
	if (k->cpus < 0)
		return k->cpus;
	k->work_size = (bpf_map__value_size(k->skeleton->maps.works) + 7) / 8 * 8;
	k->work = calloc((size_t)k->cpus, k->work_size);
	k->counters = calloc((size_t)k->cpus, COUNTERS * sizeof(*k->counters));
	k->no_sets = calloc(UNPROVEN_SETS, sizeof(*k->no_sets));
	k->set_indexes = calloc(UNPROVEN_SETS, sizeof(*k->set_indexes));
	if (!k->work || !k->counters || !k->no_sets || !k->set_indexes)
		return -ENOMEM;
	for (uint32_t i = 0; i < UNPROVEN_SETS; i++)
		k->set_indexes[i] = i;
	k->ring = ring_buffer__new(bpf_map__fd(k->skeleton->maps.ring), take_event, k, NULL);
	return k->ring ? 0 : -errno;
}

static int stay_on_cpu(struct kernel *k)
{
	cpu_set_t set;

	k->cpu = sched_getcpu();
	CPU_ZERO(&set);
	CPU_SET((size_t)k->cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

struct kernel *kernel_open(uint64_t hash_seed, bool all_segments)
{
	struct kernel *k = calloc(1, sizeof(*k));
	int err = k ? load(k, hash_seed, all_segments) : -ENOMEM;

	err = err ? err : map_memory(k);
	err = err ? err : stay_on_cpu(k);
	if (!err)
		return k;
	fprintf(stderr, "cannot load the BPF object: %s\n", strerror(-err));
	if (k)
		kernel_close(k);
	return NULL;
}

void kernel_close(struct kernel *k)
{
	ring_buffer__free(k->ring);
	settling_queue_free(&k->settling);
	tcpfin_trace_bpf__destroy(k->skeleton);
	free(k->work);
	free(k->counters);
	free(k->no_sets);
	free(k->set_indexes);
	free(k);
}
