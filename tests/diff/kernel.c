// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The programs' clock is the variable test_now. What user/live/collector.c does with the maps is done here one
 * conversation at a time: every slot is looked at whenever time passes.
 */
#define _GNU_SOURCE 1 /* sched_setaffinity */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/core/flow_log.h" /* before the skeleton, which uses these types */
#include "bpf/core/traffic.h"
#include "bpf/core/watch.h"
#include "bpf/settings.h"
#include "user/judge/due.h"
#include "user/live/bpf_programs.h"
#include "tests/diff/kernel.h"
#include "tests/diff/sizes.h"
#include "tcpfin_trace.skel.h"

#define OPENING_BLOCKS TEST_BLOCKS
#define RING_BYTES (4 << 20)

const char *const program_names[PROGRAMS] = {"xdp", "tc", "tc-l3"};

#define SCRATCH_SEGMENT 8 /* bytes before the segment in struct scratch (bpf/maps.bpf.h) */

struct kernel {
	struct tcpfin_trace_bpf *skeleton;
	struct ring_buffer *ring;
	int programs[PROGRAMS];
	int cpus, cpu;
	uint8_t *scratch; /* one value of the scratch map a CPU */
	size_t scratch_size;
	uint64_t *counters; /* COUNTERS a CPU */
	bool all_segments;
	struct flow_tables tables; /* mapped, and never unmapped: the process ends with the test */
	struct traffic *traffic;
	struct due due;
	uint64_t user_counters[COUNTERS]; /* what user space counts; never set back */
	struct reports *reports;
};

/* ---- reports ---- */

static const struct traffic *traffic_of(const void *context, uint32_t n)
{
	const struct kernel *k = context;
	const struct traffic *t = &k->traffic[n];

	return k->all_segments && t->begun == TRAFFIC_WHOLE ? t : NULL;
}

static void take_report(void *context, const struct judged *j, uint32_t slot, const struct due_report *how)
{
	struct kernel *k = context;
	struct traffic *t = &k->traffic[slot];

	if (how->stray)
		return;
	reports_add(k->reports, j, k->all_segments && t->begun == TRAFFIC_WHOLE ? t : NULL);
	if (k->all_segments)
		t->begun = 0;
}

static int take_notice(void *context, void *data, size_t size)
{
	struct kernel *k = context;

	(void)size;
	due_notice(&k->due, data, k->skeleton->bss->test_now);
	return 0;
}

void kernel_consume(struct kernel *k)
{
	ring_buffer__consume(k->ring);
}

/* Slots from there on have not been used. */
static uint32_t slots_used(const struct kernel *k)
{
	uint32_t head = k->tables.free_slots.spares->head;

	return head < TEST_SLOTS ? head : TEST_SLOTS;
}

void kernel_expire(struct kernel *k, uint64_t now, bool idle_round)
{
	k->skeleton->bss->test_now = now;
	ring_buffer__consume(k->ring);
	if (idle_round)
		due_age(&k->due, 0, k->tables.slot_count);
	due_expire(&k->due, now);
	due_scan(&k->due, 0, slots_used(k), now);
}

void kernel_finish(struct kernel *k)
{
	ring_buffer__consume(k->ring);
	due_finish(&k->due, true, FLOW_FOR_EVER);
}

/* ---- between conversations ---- */

void kernel_begin(struct kernel *k, const struct flow_timeouts *timeouts, struct reports *reports)
{
	k->due.wait = *timeouts;
	k->reports = reports;
}

static void empty(struct free_list *l)
{
	l->spares->head = l->spares->tail = 0;
}

void kernel_clear(struct kernel *k)
{
	uint32_t used = slots_used(k);

	memset(k->tables.slots, 0, used * sizeof(*k->tables.slots));
	if (k->all_segments)
		memset(k->traffic, 0, used * sizeof(*k->traffic));
	memset(k->tables.sets, 0, TEST_SETS * sizeof(*k->tables.sets));
	empty(&k->tables.free_slots);
	empty(&k->tables.free_closing);
	empty(&k->tables.free_opening);
	flow_tables_fill(&k->tables);
	k->tables.buried_first = k->tables.buried_count = 0;
	k->skeleton->bss->established = 0;
	due_free(&k->due);
	memset(&k->due.timers, 0, sizeof(k->due.timers));
}

void kernel_clear_cell(struct kernel *k, uint32_t hash)
{
	k->tables.watch[hash & (WATCH_CELLS - 1)] = 0;
	memset(&k->tables.last_seen[hash & k->tables.last_seen_mask], 0, sizeof(struct last_seen));
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

	if (bpf_map_lookup_elem(bpf_map__fd(k->skeleton->maps.tcpfin_counters), &zero, k->counters))
		memset(k->counters, 0, (size_t)k->cpus * COUNTERS * sizeof(*counters));
	for (int i = 0; i < COUNTERS; i++)
		counters[i] = k->counters[k->cpu * COUNTERS + i] + k->user_counters[i];
}

void kernel_segment(struct kernel *k, struct tcp_segment *s)
{
	uint32_t zero = 0;

	memset(s, 0, sizeof(*s));
	if (!bpf_map_lookup_elem(bpf_map__fd(k->skeleton->maps.tcpfin_scratch), &zero, k->scratch))
		memcpy(s, k->scratch + (size_t)k->cpu * k->scratch_size + SCRATCH_SEGMENT, sizeof(*s));
}

struct recorded kernel_recorded(const struct kernel *k)
{
	return (struct recorded){.name = "kernel", .tables = &k->tables, .traffic = traffic_of, .context = k};
}

void kernel_cell(const struct kernel *k, uint32_t hash, struct cell *cell)
{
	cell->live = k->tables.watch[hash & (WATCH_CELLS - 1)];
	cell->last_seen = k->tables.last_seen[hash & k->tables.last_seen_mask];
}

void kernel_saturate(struct kernel *k, uint32_t hash)
{
	k->tables.watch[hash & (WATCH_CELLS - 1)]++;
}

/* ---- loading ---- */

static int size_maps(struct tcpfin_trace_bpf *s, bool all_segments)
{
	int err = bpf_map__set_max_entries(s->maps.tcpfin_sets, TEST_SETS);

	err = err ? err : bpf_map__set_max_entries(s->maps.tcpfin_slots, TEST_SLOTS);
	err = err ? err : bpf_map__set_max_entries(s->maps.tcpfin_blocks, TEST_BLOCKS + OPENING_BLOCKS);
	err = err ? err : bpf_map__set_max_entries(s->maps.tcpfin_numbers, TEST_LAST_SEEN_CELLS);
	err = err ? err : bpf_map__set_max_entries(s->maps.tcpfin_freeslot, TEST_SLOTS);
	err = err ? err : bpf_map__set_max_entries(s->maps.tcpfin_freeclos, TEST_BLOCKS);
	err = err ? err : bpf_map__set_max_entries(s->maps.tcpfin_freeopen, OPENING_BLOCKS);
	err = err ? err : bpf_map__set_max_entries(s->maps.tcpfin_traffic, all_segments ? TEST_SLOTS : 1);
	return err ? err : bpf_map__set_max_entries(s->maps.tcpfin_ring, RING_BYTES);
}

static int load(struct kernel *k, uint64_t hash_seed)
{
	struct tcpfin_trace_bpf *s = k->skeleton = tcpfin_trace_bpf__open();
	int err;

	if (!s)
		return -errno;
	s->rodata->settings.hash_key = flow_hash_key_of(hash_seed);
	s->rodata->settings.set_mask = TEST_SETS - 1;
	s->rodata->settings.slots_mask = TEST_SLOTS - 1;
	s->rodata->settings.closing_mask = TEST_BLOCKS - 1;
	s->rodata->settings.opening_mask = OPENING_BLOCKS - 1;
	s->rodata->settings.openings = SET_WAYS + 1; /* as on the host: they give way to nothing */
	s->rodata->settings.max_established = TEST_SLOTS;
	s->rodata->settings.last_seen_mask = TEST_LAST_SEEN_CELLS - 1;
	s->rodata->settings.count_packets = 1;
	s->rodata->settings.test_clock = 1;
	s->rodata->settings.all_segments = k->all_segments;
	err = size_maps(s, k->all_segments);
	err = err ? err : tcpfin_trace_bpf__load(s);
	err = err ? err : bpf_programs_connect(s->obj);
	if (err)
		return err;
	k->programs[XDP] = bpf_program__fd(bpf_programs_hook(s->obj, "xdp", k->all_segments));
	k->programs[TC] = bpf_program__fd(bpf_programs_hook(s->obj, "tc", k->all_segments));
	k->programs[TC_L3] = bpf_program__fd(bpf_programs_hook(s->obj, "tc_l3", k->all_segments));
	return 0;
}

static void *mapped(const struct bpf_map *map)
{
	size_t size = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static struct free_list free_list(struct tcpfin_trace_bpf *s, enum spare which, const struct bpf_map *ring)
{
	return (struct free_list){
		.spares = &s->bss->spares[which],
		.ring = mapped(ring),
		.mask = bpf_map__max_entries(ring) - 1,
	};
}

static int map_tables(struct kernel *k)
{
	struct tcpfin_trace_bpf *s = k->skeleton;
	struct flow_tables *t = &k->tables;

	*t = (struct flow_tables){
		.sets = mapped(s->maps.tcpfin_sets),
		.set_mask = TEST_SETS - 1,
		.slots = mapped(s->maps.tcpfin_slots),
		.slot_count = TEST_SLOTS,
		.blocks = mapped(s->maps.tcpfin_blocks),
		.block_count = TEST_BLOCKS + OPENING_BLOCKS,
		.closing_blocks = TEST_BLOCKS,
		.watch = s->bss->watch.live,
		.watch_mask = WATCH_CELLS - 1,
		.last_seen = mapped(s->maps.tcpfin_numbers),
		.last_seen_mask = TEST_LAST_SEEN_CELLS - 1,
		.established = &s->bss->established,
		.free_slots = free_list(s, SPARE_SLOTS, s->maps.tcpfin_freeslot),
		.free_closing = free_list(s, SPARE_CLOSING, s->maps.tcpfin_freeclos),
		.free_opening = free_list(s, SPARE_OPENING, s->maps.tcpfin_freeopen),
		.buried_max = 8192, /* as on the host */
	};
	k->traffic = mapped(s->maps.tcpfin_traffic);
	return t->sets && t->slots && t->blocks && t->last_seen && t->free_slots.ring && t->free_closing.ring &&
			       t->free_opening.ring && k->traffic
		       ? 0
		       : -errno;
}

static int set_up(struct kernel *k)
{
	k->cpus = libbpf_num_possible_cpus();
	if (k->cpus < 0)
		return k->cpus;
	k->scratch_size = (bpf_map__value_size(k->skeleton->maps.tcpfin_scratch) + 7) / 8 * 8;
	k->scratch = calloc((size_t)k->cpus, k->scratch_size);
	k->counters = calloc((size_t)k->cpus, COUNTERS * sizeof(*k->counters));
	if (!k->scratch || !k->counters)
		return -ENOMEM;
	k->ring = ring_buffer__new(bpf_map__fd(k->skeleton->maps.tcpfin_ring), take_notice, k, NULL);
	if (!k->ring)
		return -errno;
	k->due = (struct due){
		.tables = &k->tables,
		.report = take_report,
		.context = k,
		.counters = k->user_counters,
	};
	flow_tables_fill(&k->tables);
	return 0;
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
	int err;

	if (!k)
		return NULL;
	k->all_segments = all_segments;
	err = load(k, hash_seed);
	err = err ? err : map_tables(k);
	err = err ? err : set_up(k);
	err = err ? err : stay_on_cpu(k);
	if (!err)
		return k;
	fprintf(stderr, "cannot load the BPF object: %s\n", strerror(-err));
	kernel_close(k);
	return NULL;
}

void kernel_close(struct kernel *k)
{
	ring_buffer__free(k->ring);
	due_free(&k->due);
	flow_tables_free(&k->tables);
	tcpfin_trace_bpf__destroy(k->skeleton);
	free(k->scratch);
	free(k->counters);
	free(k);
}
