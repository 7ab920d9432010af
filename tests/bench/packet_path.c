// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a packet costs in the kernel, by BPF_PROG_TEST_RUN.
 *
 *   packet_path connections|data|flow xdp|tc INTERFACE ROUNDS NAME=PROGRAM...
 *
 * connections  short connections: one after the other, 1,000 and 10,000 interleaved, while 100,000 others are open.
 * data         segments of established flows: 1 flow, 8,192, 65,536 and 1,048,576
 * flow         segments of one flow
 *
 * A PROGRAM is an object file (reference.h) or the number of a program that the kernel has: that of a running tracer on
 * INTERFACE, whose reader runs as it does in life. Readers of objects run here, in a thread on the last CPU. The first
 * program must be one that does nothing: what it takes is the driver's share in all figures, and its call without a
 * driver is measured as "bare".
 *
 * Programs take turns of a few milliseconds, in one order and in the reverse one. Prints a line for each set of flows
 * and program, "SET NAME VALUE...", one value a round: ns of CPU time a packet. For connections also "played NAME
 * COUNT" and "reported NAME COUNT" at the end.
 */
#define _GNU_SOURCE 1 /* CPU affinity */
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/plan.h"
#include "tests/bench/reference.h"
#include "driver.skel.h"

#define MOST_CANDIDATES 8
#define MOST_ROUNDS 99
#define OTHERS (100u * 1000)
#define CONNECTION_PACKETS (5000u * PLAN_CONNECTION_STEPS) /* a turn */
#define DATA_PACKETS 500000u
#define DATA_SIZES 4
#define DRAW_BREATH_NS 250000000u /* least time of a round of connections: 20,000 a second and program */
#define FIRST_BASE (1u << 22)     /* number of the first connection, beyond all flows that stay open */

/* One program with a driver of its own, so that each plays a plan of its own. */
struct candidate {
	const char *name;
	struct reference reference; /* without object: a running tracer's */
	struct driver_bpf *driver;
	int program, drive; /* what is measured, and the driver's program */
	uint64_t played;
	double ns[MOST_ROUNDS];
};

static struct candidate candidates[MOST_CANDIDATES];
static double bare_ns[MOST_ROUNDS];
static int count, rounds, interface;
static bool xdp;

/* ---- candidates ---- */

static int program_of(struct candidate *c, const char *what)
{
	char *end;
	unsigned long id = strtoul(what, &end, 10);
	int fd;

	if (*end) {
		reference_open(&c->reference, what);
		return xdp ? c->reference.xdp : c->reference.tc;
	}
	fd = bpf_prog_get_fd_by_id((uint32_t)id);
	if (fd < 0)
		reference_fail(what, errno);
	return fd;
}

static void candidate_open(struct candidate *c, char *argument)
{
	char *what = strchr(argument, '=');
	uint32_t zero = 0;
	int err;

	if (!what)
		reference_fail(argument, EINVAL);
	*what++ = 0;
	c->name = argument;
	c->program = program_of(c, what);
	c->driver = driver_bpf__open_and_load();
	if (!c->driver)
		reference_fail("driver", errno);
	err = bpf_map_update_elem(bpf_map__fd(xdp ? c->driver->maps.measured_xdp : c->driver->maps.measured_tc), &zero,
				  &c->program, BPF_ANY);
	if (err)
		reference_fail(argument, err);
	c->drive = bpf_program__fd(xdp ? c->driver->progs.drive_xdp : c->driver->progs.drive_tc);
}

static void pin(pthread_t thread, long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	pthread_setaffinity_np(thread, sizeof(set), &set);
}

static void *read_reports(void *unused)
{
	const struct timespec pause = {.tv_nsec = READ_EVERY_NS};

	for (;;) {
		for (int i = 0; i < count; i++)
			reference_read(&candidates[i].reference);
		nanosleep(&pause, NULL);
	}
	return unused;
}

static void start_reader(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, read_reports, NULL))
		reference_fail("thread", EAGAIN);
	pin(thread, sysconf(_SC_NPROCESSORS_ONLN) - 1);
	pin(pthread_self(), 0);
}

/* ---- running ---- */

static double clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Ethernet, IPv4 and TCP headers; the driver writes what changes. Options as Linux sends them in a SYN. */
static void make_frame(uint8_t frame[PLAN_FRAME_BYTES])
{
	static const uint8_t syn_options[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};

	memset(frame, 0, PLAN_FRAME_BYTES);
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
	uint8_t frame[PLAN_FRAME_BYTES];
	struct __sk_buff skb = {.ifindex = (uint32_t)interface};
	struct xdp_md md = {.data_end = sizeof(frame), .ingress_ifindex = (uint32_t)interface};
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = sizeof(frame), .repeat = (int)packets);
	double start;

	o.ctx_in = xdp ? (void *)&md : (void *)&skb;
	o.ctx_size_in = xdp ? sizeof(md) : sizeof(skb);
	make_frame(frame);
	start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	if (bpf_prog_test_run_opts(program, &o))
		reference_fail("test run", errno);
	return (clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / packets;
}

/* A round: all take a turn, in one order or in the reverse one. */
static void take_turns(int round, uint32_t packets)
{
	bare_ns[round] = run(candidates[0].program, packets);
	for (int i = 0; i < count; i++) {
		struct candidate *c = &candidates[round % 2 ? count - 1 - i : i];

		c->ns[round] = run(c->drive, packets);
	}
}

static void print_line(const char *set, uint32_t flows, const char *name, const double *ns)
{
	printf("%s.%u %s", set, flows, name);
	for (int round = 0; round < rounds; round++)
		printf(" %.2f", ns[round]);
	putchar('\n');
}

static void print_set(const char *set, uint32_t flows)
{
	print_line(set, flows, "bare", bare_ns);
	for (int i = 0; i < count; i++)
		print_line(set, flows, candidates[i].name, candidates[i].ns);
	fflush(stdout);
}

/* ---- plans ---- */

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
	return b ? common_divisor(b, a % b) : a;
}

/* About 0.618 of all slots: then those that follow each other are far apart. */
static uint32_t stride_of(uint32_t slots)
{
	uint32_t stride = (uint32_t)(slots * 0.6180339887) + 1;

	while (common_divisor(slots, stride) != 1)
		stride++;
	return stride > slots ? 1 : stride;
}

static struct plan *plan_of(struct candidate *c)
{
	return &c->driver->bss->plan;
}

static void plan_set(struct candidate *c, struct plan plan)
{
	plan.stride = stride_of(plan.slots);
	plan.left = plan.slots;
	*plan_of(c) = plan;
}

/* Opens the flows with the numbers first to last - 1. */
static void open_flows(struct candidate *c, uint32_t first, uint32_t last)
{
	if (first == last)
		return;
	plan_set(c, (struct plan){.slots = 1,
				  .first = PLAN_CONNECTION,
				  .steps = PLAN_HANDSHAKE_STEPS,
				  .renew = 1,
				  .base = first,
				  .end = last - first});
	run(c->drive, (last - first) * PLAN_HANDSHAKE_STEPS);
}

/* ---- established flows ---- */

static void measure_data(uint32_t flows)
{
	for (int i = 0; i < count; i++) {
		plan_set(&candidates[i],
			 (struct plan){.slots = flows, .first = PLAN_DATA, .steps = PLAN_DATA_STEPS, .leads = 1});
		run(candidates[i].drive, flows < DATA_PACKETS ? DATA_PACKETS : flows); /* each flow is met once */
	}
	for (int round = 0; round < rounds; round++)
		take_turns(round, DATA_PACKETS);
	print_set("data", flows);
}

/* The first so many sizes. */
static void data(size_t number)
{
	static const uint32_t sizes[DATA_SIZES] = {1, 1 << 13, 1 << 16, 1 << 20};
	uint32_t open = 0;

	for (size_t n = 0; n < number; open = sizes[n++]) {
		for (int i = 0; i < count; i++)
			open_flows(&candidates[i], open, sizes[n]);
		measure_data(sizes[n]);
	}
}

/* ---- whole connections ---- */

/* From here on new connections begin as old ones end, each slot in another phase. */
static void begin_connections(struct candidate *c, uint32_t slots, uint32_t base)
{
	plan_set(c, (struct plan){.slots = slots,
				  .first = PLAN_CONNECTION,
				  .steps = PLAN_CONNECTION_STEPS,
				  .leads = slots > 1 ? 7 : 0,
				  .renew = 1,
				  .base = base,
				  .begin = slots > 1,
				  .end = UINT32_MAX});
	run(c->drive, slots * PLAN_CONNECTION_STEPS);
}

/* All that have begun come to their end. Returns the number that follows. */
static uint32_t end_connections(struct candidate *c)
{
	struct plan *plan = plan_of(c);

	plan->end = plan->turn + 2; /* those that lead may be in the next turn */
	run(c->drive, plan->slots * PLAN_CONNECTION_STEPS * 3);
	c->played += (uint64_t)(plan->end - plan->begin) * plan->slots;
	return plan->base + plan->end * plan->slots;
}

static void wait_until(double when)
{
	double left = when - clock_ns(CLOCK_MONOTONIC);

	if (left > 0)
		nanosleep(&(struct timespec){.tv_nsec = (long)left}, NULL);
}

static uint32_t measure_connections(uint32_t slots, uint32_t base)
{
	uint32_t next = base;

	for (int i = 0; i < count; i++)
		begin_connections(&candidates[i], slots, base);
	for (int round = 0; round < rounds; round++) {
		double start = clock_ns(CLOCK_MONOTONIC);

		take_turns(round, CONNECTION_PACKETS);
		wait_until(start + DRAW_BREATH_NS);
	}
	for (int i = 0; i < count; i++)
		next = end_connections(&candidates[i]);
	print_set("connection", slots);
	return next;
}

static void connections(void)
{
	static const uint32_t sizes[] = {1, 1000, 10000};
	uint32_t base = FIRST_BASE;

	for (int i = 0; i < count; i++)
		open_flows(&candidates[i], 0, OTHERS);
	for (size_t n = 0; n < sizeof(sizes) / sizeof(*sizes); n++)
		base = measure_connections(sizes[n], base);
	wait_until(clock_ns(CLOCK_MONOTONIC) + 2 * READ_EVERY_NS);
	for (int i = 0; i < count; i++)
		printf("played %s %llu\nreported %s %llu\n", candidates[i].name,
		       (unsigned long long)candidates[i].played, candidates[i].name,
		       (unsigned long long)candidates[i].reference.events);
}

int main(int argc, char **argv)
{
	char *end;

	if (argc < 6 || argc - 5 > MOST_CANDIDATES) {
		fputs("packet_path connections|data|flow xdp|tc INTERFACE ROUNDS NAME=PROGRAM...\n", stderr);
		return 2;
	}
	xdp = !strcmp(argv[2], "xdp");
	interface = (int)if_nametoindex(argv[3]);
	rounds = (int)strtol(argv[4], &end, 10);
	if (!interface || *end || rounds < 1 || rounds > MOST_ROUNDS)
		reference_fail("arguments", EINVAL);
	for (count = 0; count < argc - 5; count++)
		candidate_open(&candidates[count], argv[5 + count]);
	start_reader();
	if (!strcmp(argv[1], "data"))
		data(DATA_SIZES);
	else if (!strcmp(argv[1], "flow"))
		data(1);
	else
		connections();
	return 0;
}
