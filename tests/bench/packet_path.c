// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a packet costs in the kernel, by BPF_PROG_TEST_RUN. Programs take turns, a few milliseconds each, in many
 * rounds, and the median of each program's rounds counts: what disturbs the machine then disturbs all alike.
 *
 * Prints "NAME VALUE" lines, ns a packet and bytes a flow; names are hook.program.flows.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/settings.h" /* before the skeleton, which uses these types */
#include "bpf/tables.h"
#include "user/cli/options.h"
#include "user/live/bpf_programs.h"
#include "user/live/settling_queue.h"
#include "tests/bench/bench.h" /* likewise */
#include "bench.skel.h"

#define FRAME_BYTES 666 /* the longest packet of the script; shorter ones look padded */
#define MILLION (1u << 20)
#define OTHERS (100u * 1000)
#define DATA_ROUNDS 21
#define PACKETS 500000u /* a turn */
#define CLOSE_ROUNDS 61
#define CONNECTIONS 500u /* a turn; their records fit in the ring */
#define SETTLING 8192u   /* closing flows that are not collected yet: half a second of 16,000/s */
#define FILL_BATCH 4096u
#define RING_BYTES \
	(128u << 10) /* a few turns' notices: pages that are met for the first time cost more than the notices */

enum hook_kind { XDP, TC, HOOKS };
enum program { EMPTY, WRITE, PARSE, OURS, TABLE, OURS_ALL, PROGRAMS };

static const char *const hook_names[HOOKS] = {"xdp", "tc"};
static const char *const program_names[PROGRAMS] = {"empty", "write", "parse", "ours", "table", "ours_all"};

/* One loaded copy of all programs, with tables of its own. */
struct instance {
	struct bench_bpf *skeleton;
	int programs[HOOKS][PROGRAMS];
	struct ring_buffer *ring, *table_ring;
	struct collect_slot *slots;
	struct settling_queue settling;
	uint32_t reported, table_reported;
	double collecting; /* ns */
};

static struct options options; /* the product's defaults */

static _Noreturn void fail(const char *what, int err)
{
	fprintf(stderr, "packet_path: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static uint32_t power_of_two(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

/* ---- an instance ---- */

static void size_maps(struct bench_bpf *s, uint32_t flows)
{
	uint32_t sets = power_of_two(options.max_unproven / UNPROVEN_WAYS);

	s->rodata->settings.hash_seed = 0x5eed;
	s->rodata->settings.unproven_mask = sets - 1;
	bpf_map__set_max_entries(s->maps.unproven, sets);
	bpf_map__set_max_entries(s->maps.established, flows);
	bpf_map__set_max_entries(s->maps.closing, options.max_closing);
	bpf_map__set_max_entries(s->maps.ring, RING_BYTES);
	bpf_map__set_max_entries(s->maps.table, OTHERS + 65536);
	bpf_map__set_max_entries(s->maps.table_ring, options.ring_bytes);
}

static void find_programs(struct instance *i)
{
	for (int hook = 0; hook < HOOKS; hook++)
		for (int p = 0; p < PROGRAMS; p++) {
			char name[32];

			snprintf(name, sizeof(name), "%s_%s", program_names[p], hook_names[hook]);
			i->programs[hook][p] =
				bpf_program__fd(bpf_object__find_program_by_name(i->skeleton->obj, name));
		}
}

static int take_event(void *context, void *data, size_t size)
{
	struct instance *i = context;
	const struct flow_event *e = data;

	(void)size;
	if (e->head.kind == EVENT_ENDED && !settling_queue_append(&i->settling, &e->head.key, 0))
		fail("settling", ENOMEM);
	return 0;
}

static int take_table_record(void *context, void *data, size_t size)
{
	struct instance *i = context;

	(void)data;
	(void)size;
	i->table_reported++;
	return 0;
}

static struct instance *instance_new(uint32_t max_flows, bool all_segments)
{
	struct instance *i = calloc(1, sizeof(*i));
	int err;

	if (!i)
		fail("instance", ENOMEM);
	i->skeleton = bench_bpf__open();
	if (!i->skeleton)
		fail("open", errno);
	size_maps(i->skeleton, max_flows);
	i->skeleton->rodata->settings.all_segments = all_segments;
	err = bench_bpf__load(i->skeleton);
	err = err ? err : bpf_programs_connect(i->skeleton->obj);
	if (err)
		fail("load", err);
	find_programs(i);
	i->ring = ring_buffer__new(bpf_map__fd(i->skeleton->maps.ring), take_event, i, NULL);
	i->table_ring = ring_buffer__new(bpf_map__fd(i->skeleton->maps.table_ring), take_table_record, i, NULL);
	i->slots = mmap(NULL, COLLECT_SLOTS * sizeof(*i->slots), PROT_READ | PROT_WRITE, MAP_SHARED,
			bpf_map__fd(i->skeleton->maps.slots), 0);
	if (!i->ring || !i->table_ring || i->slots == MAP_FAILED)
		fail("tables", errno);
	return i;
}

static void instance_free(struct instance *i)
{
	ring_buffer__free(i->ring);
	ring_buffer__free(i->table_ring);
	munmap(i->slots, COLLECT_SLOTS * sizeof(*i->slots));
	settling_queue_free(&i->settling);
	bench_bpf__destroy(i->skeleton);
	free(i);
}

/* ---- established flows ---- */

/* The flow as its handshake would have left it. */
static void established_flow(struct flow_key *key, struct established *value, uint32_t flow, uint64_t seed)
{
	struct tcp_segment s = {
		.src.lo = BENCH_CLIENT(flow),
		.dst.lo = BENCH_SERVER,
		.sport = BENCH_CLIENT_PORT(flow),
		.dport = BENCH_SERVER_PORT,
		.family = 4,
	};
	uint32_t side = flow_side_of(&s);

	flow_key_fill(key, &s, side, BENCH_LOOPBACK, flow_hash(&s, BENCH_LOOPBACK, seed));
	memset(value, 0, sizeof(*value));
	value->hash = key->hash;
	value->open.isn[side] = BENCH_CLIENT_ISN(flow);
	value->open.isn[!side] = BENCH_SERVER_ISN(flow);
	value->open.seen = OPEN_SYN | OPEN_SYNACK | OPEN_ACK;
	value->open.source = side;
}

static void fill_established(struct instance *i, uint32_t flows)
{
	static struct flow_key keys[FILL_BATCH];
	static struct established values[FILL_BATCH];
	int fd = bpf_map__fd(i->skeleton->maps.established);

	for (uint32_t flow = 0; flow < flows;) {
		uint32_t n = 0, count;
		int err;

		while (n < FILL_BATCH && flow < flows) {
			established_flow(&keys[n], &values[n], flow++, i->skeleton->rodata->settings.hash_seed);
			n++;
		}
		count = n;
		err = bpf_map_update_batch(fd, keys, values, &count, NULL);
		if (err || count != n)
			fail("filling the table of established flows", err ? err : ENOSPC);
	}
}

/* With --all-segments: its table holds the same flows. */
static void fill_traffic(struct instance *i, uint32_t flows)
{
	for (uint32_t flow = 0; flow < flows; flow++) {
		struct traffic_entry entry = {};
		struct established value;
		struct traffic_key key;
		int err;

		established_flow(&entry.key, &value, flow, i->skeleton->rodata->settings.hash_seed);
		key = traffic_place(entry.key.hash, 0);
		err = bpf_map_update_elem(bpf_map__fd(i->skeleton->maps.traffic), &key, &entry, BPF_NOEXIST);
		if (err)
			fail("filling the table of --all-segments", err);
	}
}

/* ... and the other tracker's table. */
static void fill_table(struct instance *i, uint32_t flows)
{
	uint8_t value[256] = {};
	int fd = bpf_map__fd(i->skeleton->maps.table);

	for (uint32_t flow = 0; flow < flows; flow++) {
		struct bench_table_key key = {
			.address = {{0, BENCH_CLIENT(flow)}, {0, BENCH_SERVER}},
			.port = {BENCH_CLIENT_PORT(flow), BENCH_SERVER_PORT},
			.ifindex = BENCH_LOOPBACK,
		};
		int err = bpf_map_update_elem(fd, &key, value, BPF_NOEXIST);

		if (err)
			fail("filling the other tracker's table", err);
	}
}

/* ---- running ---- */

static double cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Ethernet, IPv4 and TCP headers; the programs write what changes. Options as Linux sends them in a SYN. */
static void make_frame(uint8_t frame[FRAME_BYTES])
{
	static const uint8_t syn_options[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};

	memset(frame, 0, FRAME_BYTES);
	memset(frame, 2, 12);
	frame[12] = 8; /* IPv4 */
	frame[14] = 0x45;
	frame[22] = 64;
	frame[23] = 6;
	frame[48] = 0xfa; /* window */
	memcpy(frame + 54, syn_options, sizeof(syn_options));
}

/*
 * ns a packet, by this thread's CPU time: what others do on the CPU meanwhile does not count, and it is exact where the
 * kernel's own figure is cut to whole ns. It includes setting up the run: microseconds, for XDP a millisecond of code
 * patching.
 */
static double run(int program, uint32_t packets)
{
	uint8_t frame[FRAME_BYTES];
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = sizeof(frame), .repeat = (int)packets);
	double start;
	int err;

	make_frame(frame);
	start = cpu_ns();
	err = bpf_prog_test_run_opts(program, &o);
	if (err)
		fail("test run", err);
	return (cpu_ns() - start) / packets;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

/* ---- established traffic ---- */

static void plan_data(struct instance *i, uint32_t flows)
{
	struct bench_plan *plan = &i->skeleton->bss->plan;

	*plan = (struct bench_plan){
		.flow_mask = flows - 1,
		.scatter = 1,
		.step = BENCH_DATA_FIRST,
		.first = BENCH_DATA_FIRST,
		.last = BENCH_DATA_LAST,
	};
}

/* Data segments and ACKs. counted: one flow, with --all-segments. */
static void bench_data(struct instance *one, struct instance *million, struct instance *counted)
{
	static double ns[HOOKS][PROGRAMS][2][DATA_ROUNDS], all[HOOKS][DATA_ROUNDS];

	for (unsigned round = 0; round < DATA_ROUNDS; round++)
		for (int hook = 0; hook < HOOKS; hook++) {
			for (int p = EMPTY; p <= OURS; p++)
				for (int many = 0; many < 2; many++) {
					struct instance *i = many ? million : one;

					plan_data(i, many ? MILLION : 1);
					ns[hook][p][many][round] = run(i->programs[hook][p], PACKETS);
				}
			plan_data(counted, 1);
			all[hook][round] = run(counted->programs[hook][OURS_ALL], PACKETS);
		}
	for (int hook = 0; hook < HOOKS; hook++)
		printf("%s.all.one %.2f\n", hook_names[hook], median(all[hook], DATA_ROUNDS));
	for (int hook = 0; hook < HOOKS; hook++)
		for (int p = EMPTY; p <= OURS; p++)
			for (int many = 0; many < 2; many++)
				printf("%s.%s.%s %.2f\n", hook_names[hook], program_names[p], many ? "million" : "one",
				       median(ns[hook][p][many], DATA_ROUNDS));
}

/* ---- whole connections ---- */

static void plan_connections(struct instance *i, enum program program)
{
	static uint32_t next = 1;

	i->skeleton->bss->plan = (struct bench_plan){
		.flow = next,
		.flow_mask = (1u << 28) - 1,
		.net = 0x01000000u * (1 + program),
		.step = BENCH_CLOSE_FIRST,
		.first = BENCH_CLOSE_FIRST,
		.last = BENCH_CLOSE_LAST,
	};
	next += CONNECTIONS;
}

static void collect(struct instance *i, uint32_t n)
{
	uint8_t frame[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame), .repeat = 1);
	double start = cpu_ns();

	i->skeleton->bss->sweep_request = (struct sweep_request){.collect = n};
	if (bpf_prog_test_run_opts(bpf_program__fd(i->skeleton->progs.tcpfin_sweep), &run))
		fail("collecting", errno);
	i->collecting += cpu_ns() - start;
	i->reported += run.retval;
}

/* What user/live/live.c does between two looks: takes the notices, collects flows that have settled. */
static void settle(struct instance *i)
{
	ring_buffer__consume(i->ring);
	ring_buffer__consume(i->table_ring);
	while (i->settling.count > SETTLING) {
		uint32_t n = 0;

		while (n < COLLECT_SLOTS && i->settling.count > SETTLING &&
		       settling_queue_take(&i->settling, 0, &i->slots[n].event.head.key))
			n++;
		collect(i, n);
	}
}

/* On tc only: XDP differs in the first few ns, and its runs are too costly to set up for so few packets. */
static void bench_connections(struct instance *i)
{
	static double ns[PROGRAMS][CLOSE_ROUNDS];
	const unsigned warm_up = SETTLING / CONNECTIONS + 1, made = (warm_up + CLOSE_ROUNDS) * CONNECTIONS;

	for (unsigned round = 0; round < warm_up + CLOSE_ROUNDS; round++)
		for (int p = EMPTY; p <= TABLE; p++) {
			double took;

			plan_connections(i, p);
			took = run(i->programs[TC][p], CONNECTIONS * BENCH_CONNECTION) * BENCH_CONNECTION;
			settle(i);
			if (round >= warm_up)
				ns[p][round - warm_up] = took;
		}
	if (i->reported + i->settling.count != made || i->table_reported != made) {
		fprintf(stderr, "packet_path: %u connections, %u reported, %u settle, %u by the other tracker\n", made,
			i->reported, i->settling.count, i->table_reported);
		exit(1);
	}
	for (int p = EMPTY; p <= TABLE; p++)
		printf("tc.%s.connection %.1f\n", program_names[p], median(ns[p], CLOSE_ROUNDS));
	printf("tc.ours.collect %.1f\n", i->collecting / i->reported);
}

/* Established traffic again, while the flows of bench_connections settle. */
static void bench_settling(struct instance *i)
{
	static double ns[PROGRAMS][DATA_ROUNDS];

	for (unsigned round = 0; round < DATA_ROUNDS; round++)
		for (int p = EMPTY; p <= OURS; p++) {
			plan_data(i, MILLION);
			ns[p][round] = run(i->programs[TC][p], PACKETS);
		}
	for (int p = EMPTY; p <= OURS; p++)
		printf("tc.%s.settling %.2f\n", program_names[p], median(ns[p], DATA_ROUNDS));
}

/* ---- memory ---- */

/* What the kernel says that the map takes. */
static double map_bytes(const struct bpf_map *map)
{
	char path[64], line[128];
	double bytes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", bpf_map__fd(map));
	f = fopen(path, "re");
	if (!f)
		fail(path, errno);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "memlock:", 8))
			bytes = strtod(line + 8, NULL);
	fclose(f);
	return bytes;
}

/*
 * Kernel memory for an established flow. Kernels before 6.4 do not tell what a hash map adds to it: a struct htab_elem
 * and a bucket.
 */
static double flow_bytes(const struct instance *million)
{
	const double least = 48 + sizeof(struct flow_key) + sizeof(struct established) + 16;
	double told = map_bytes(million->skeleton->maps.established) / MILLION;

	return told > least ? told : least;
}

int main(void)
{
	char *arguments[] = {"packet_path", "lo", NULL};
	struct instance *one, *million, *counted, *busy;

	if (options_parse(&options, 2, arguments) >= 0)
		return 1;
	one = instance_new(1, false);
	million = instance_new(MILLION, false);
	counted = instance_new(1, true);
	fill_established(one, 1);
	fill_established(million, MILLION);
	printf("memory.flow %.1f\n", flow_bytes(million));
	fill_traffic(counted, 1);
	bench_data(one, million, counted);
	instance_free(counted);
	instance_free(one);
	instance_free(million);

	busy = instance_new(OTHERS + options.max_flows, false);
	fill_established(busy, OTHERS);
	fill_table(busy, OTHERS);
	bench_connections(busy);
	bench_settling(busy);
	instance_free(busy);
	return 0;
}
