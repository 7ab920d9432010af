// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Opens the BPF object, sets the sizes of its tables, and loads no more programs than the interfaces need.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/core/flow_log.h" /* before the skeleton, which uses these types */
#include "bpf/core/lost.h"
#include "bpf/core/traffic.h"
#include "bpf/core/watch.h"
#include "bpf/seen_packet.h"
#include "bpf/settings.h"
#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/base/privileges.h"
#include "user/cli/interface_pattern.h"
#include "user/live/bpf_programs.h"
#include "user/live/loader.h"
#include "tcpfin_trace.skel.h"

#define SLOTS_A_SET 4      /* of 7 ways: a tuple has two sets, so both are seldom full; fewer sets are fewer pages */
#define OPENINGS_A_BLOCK 4 /* most need none */
/* In small tables, too, those that are lost within a second have room: each is counted once as long as it is known. */
#define LOST_SETS_LEAST 4096
#define SETS_A_LOST_SET 8

enum { PROGRAM_XDP, PROGRAM_TC, PROGRAM_TC_L3, HOOK_PROGRAMS };

static struct bpf_program *hook_program(const struct tcpfin_trace_bpf *s, const struct options *o, size_t i)
{
	static const char *const hooks[HOOK_PROGRAMS] = {"xdp", "tc", "tc_l3"};

	return bpf_programs_hook(s->obj, hooks[i], o->all_segments);
}

static uint32_t power_of_two(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

struct table_sizes loader_sizes(const struct options *o)
{
	struct table_sizes n = {.closing_blocks = o->max_closing};

	n.slots = o->max_flows + o->max_closing + o->max_unproven;
	n.slots += n.slots / 8; /* those that were reported, and what user space is about to give back */
	n.sets = power_of_two(n.slots / SLOTS_A_SET);
	n.openings = 2 + o->max_unproven / n.sets;
	n.opening_blocks = o->max_unproven / OPENINGS_A_BLOCK;
	n.cells = power_of_two(o->evidence);
	n.lost_sets = n.sets / SETS_A_LOST_SET > LOST_SETS_LEAST ? n.sets / SETS_A_LOST_SET : LOST_SETS_LEAST;
	return n;
}

/* ns between two readings of the coarse clock that differ. */
static uint64_t coarse_tick(void)
{
	struct timespec tick = {0};

	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	return (uint64_t)tick.tv_sec * SECOND_NS + (uint64_t)tick.tv_nsec;
}

static int size_map(struct bpf_map *map, uint32_t entries, int err)
{
	return err ? err : bpf_map__set_max_entries(map, entries);
}

static int size_maps(struct tcpfin_trace_bpf *s, const struct options *o)
{
	struct table_sizes n = loader_sizes(o);
	uint32_t slot_ring = power_of_two(n.slots), closing_ring = power_of_two(n.closing_blocks);
	uint32_t opening_ring = power_of_two(n.opening_blocks);
	int err = 0;

	s->rodata->settings.set_mask = n.sets - 1;
	s->rodata->settings.slots_mask = slot_ring - 1;
	s->rodata->settings.closing_mask = closing_ring - 1;
	s->rodata->settings.opening_mask = opening_ring - 1;
	s->rodata->settings.openings = n.openings;
	s->rodata->settings.max_established = o->max_flows;
	s->rodata->settings.last_seen_mask = n.cells - 1;
	s->rodata->settings.lost_mask = n.lost_sets - 1;
	s->rodata->settings.count_packets = o->stats;
	s->rodata->settings.all_segments = o->all_segments;
	s->rodata->settings.tick = coarse_tick();
	s->rodata->settings.strays = o->strays;
	s->rodata->settings.answers = interfaces_may_be_several(o);
	s->rodata->settings.packets = o->packets != NULL;
	s->rodata->settings.close_at_tc = true;
	s->rodata->settings.numbered = o->netns != NULL;
	if (getentropy((void *)&s->rodata->settings.hash_key, sizeof(s->rodata->settings.hash_key)))
		return -errno;
	err = size_map(s->maps.tcpfin_sets, n.sets, err);
	err = size_map(s->maps.tcpfin_slots, n.slots, err);
	err = size_map(s->maps.tcpfin_blocks, n.closing_blocks + n.opening_blocks, err);
	err = size_map(s->maps.tcpfin_numbers, n.cells, err);
	err = size_map(s->maps.tcpfin_lost, n.lost_sets, err);
	err = size_map(s->maps.tcpfin_freeslot, slot_ring, err);
	err = size_map(s->maps.tcpfin_freeclos, closing_ring, err);
	err = size_map(s->maps.tcpfin_freeopen, opening_ring, err);
	err = size_map(s->maps.tcpfin_traffic, o->all_segments ? n.slots : 1, err);
	err = size_map(s->maps.tcpfin_packets, o->packets ? SEEN_PACKETS : 1, err);
	return size_map(s->maps.tcpfin_ring, o->ring_bytes, err);
}

/*
 * Only what an interface needs is loaded: verifying is most of the start-up time. One that comes later may be of any
 * kind.
 */
static void choose_programs(struct tcpfin_trace_bpf *s, const struct options *o, const struct interfaces *interfaces)
{
	bool later = o->follow || o->netns || interface_patterns_given(o), xdp = later, tc = later, tc_l3 = later;
	struct bpf_program *program;

	for (unsigned i = 0; i < interfaces->count; i++) {
		const struct attachment *a = &interfaces->watched[i].attachment;

		xdp |= a->hook != HOOK_TC;
		tc_l3 |= a->l3;
		tc |= !a->l3 && !(a->loopback && a->hook != HOOK_TC);
	}
	bpf_object__for_each_program(program, s->obj) bpf_program__set_autoload(program, false);
	bpf_program__set_autoload(hook_program(s, o, PROGRAM_XDP), xdp);
	bpf_program__set_autoload(s->progs.tcpfin_walk_xdp, xdp);
	bpf_program__set_autoload(s->progs.tcpfin_track_xdp, xdp);
	bpf_program__set_autoload(s->progs.tcpfin_tc_close, xdp);
	bpf_program__set_autoload(s->progs.tcpfin_track_quoted_xdp, xdp);
	bpf_program__set_autoload(hook_program(s, o, PROGRAM_TC), tc);
	bpf_program__set_autoload(hook_program(s, o, PROGRAM_TC_L3), tc_l3);
	bpf_program__set_autoload(s->progs.tcpfin_walk_tc, tc || tc_l3);
	bpf_program__set_autoload(s->progs.tcpfin_track_tc, true);
	bpf_program__set_autoload(s->progs.tcpfin_track_quoted_tc, tc || tc_l3);
}

uint64_t loader_table_bytes(const struct options *o)
{
	struct table_sizes n = loader_sizes(o);
	uint64_t rings = power_of_two(n.slots) + power_of_two(n.closing_blocks) + power_of_two(n.opening_blocks);

	return n.sets * sizeof(struct flow_set) + n.slots * sizeof(struct flow_slot) +
	       n.lost_sets * sizeof(struct lost_set) +
	       (n.closing_blocks + n.opening_blocks) * sizeof(struct flow_block) + rings * sizeof(uint64_t) +
	       (o->all_segments ? n.slots * sizeof(struct traffic) : 0) +
	       (o->packets ? SEEN_PACKETS * sizeof(struct seen_packet) : 0) + n.cells * sizeof(struct last_seen) +
	       sizeof(struct watch) + o->ring_bytes;
}

/*
 * libbpf gives programs of the section "xdp.frags" the flag as it loads them, whatever bpf_program__set_flags says.
 * With a handler of ours for the section, the flags are ours to set. 0 or a negative errno.
 */
static int own_frags(void)
{
	static int handler;

	if (!handler)
		handler = libbpf_register_prog_handler("xdp.frags", BPF_PROG_TYPE_XDP, BPF_XDP, NULL);
	return handler < 0 ? handler : 0;
}

/*
 * In generic mode a program with frags would take the Ethernet header from everybody's programs at tc ingress; see
 * bpf/. All of these programs, because one jumps only to its like.
 */
static void set_frags(struct tcpfin_trace_bpf *s, const struct options *o)
{
	struct bpf_program *programs[] = {hook_program(s, o, PROGRAM_XDP), s->progs.tcpfin_walk_xdp,
					  s->progs.tcpfin_track_xdp, s->progs.tcpfin_track_quoted_xdp};

	for (size_t i = 0; o->hook != HOOK_XDP_GENERIC && i < sizeof(programs) / sizeof(programs[0]); i++)
		bpf_program__set_flags(programs[i], BPF_F_XDP_HAS_FRAGS);
}

int loader_error(const struct options *o, int err)
{
	if (err == -ENOMEM)
		log_error("no memory for tables of %llu MiB: lower --max-flows, --max-closing or --ring",
			  (unsigned long long)(loader_table_bytes(o) >> 20));
	else if (privileges_want_perfmon(err))
		log_error("this kernel loads the BPF programs only with CAP_PERFMON beside CAP_BPF and CAP_NET_ADMIN");
	else
		log_error("cannot load the BPF programs: %s%s", strerror(-err),
			  o->verbose ? "" : "; -v shows the kernel's reasons");
	return privileges_exit_code(err);
}

/* Fills in the jumps from the programs that number interfaces. 0 or a negative errno. */
static int connect_hooks(const struct tcpfin_trace_bpf *s, const struct options *o)
{
	const struct attach_programs p = loader_programs(s, o);
	const struct {
		const struct bpf_map *array;
		uint32_t place;
		int program;
	} jumps[] = {
		{s->maps.tcpfin_jumps_x, JUMP_HOOK, p.xdp},
		{s->maps.tcpfin_jumps_t, JUMP_HOOK, p.tc},
		{s->maps.tcpfin_jumps_t, JUMP_HOOK_L3, p.tc_l3},
		{s->maps.tcpfin_jumps_t, JUMP_HOOK_CLOSE, p.tc_close},
	};

	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++)
		if (jumps[i].program >= 0 &&
		    bpf_map_update_elem(bpf_map__fd(jumps[i].array), &jumps[i].place, &jumps[i].program, BPF_ANY))
			return -errno;
	return 0;
}

int loader_try(struct tcpfin_trace_bpf **skeleton, const struct options *o, const struct interfaces *interfaces)
{
	struct tcpfin_trace_bpf *s;
	int err = own_frags();

	if (err)
		return err;
	s = *skeleton = tcpfin_trace_bpf__open();
	if (!s)
		return -errno;
	choose_programs(s, o, interfaces);
	set_frags(s, o);
	err = size_maps(s, o);
	err = err ? err : tcpfin_trace_bpf__load(s);
	err = err ? err : bpf_programs_connect(s->obj);
	return err || !o->netns ? err : connect_hooks(s, o);
}

int loader_load(struct tcpfin_trace_bpf **skeleton, const struct options *o, const struct interfaces *interfaces)
{
	int err = loader_try(skeleton, o, interfaces);

	return err ? loader_error(o, err) : EXIT_FINE;
}

struct entry_maps loader_entry_maps(const struct tcpfin_trace_bpf *s, const struct options *o)
{
	return (struct entry_maps){
		.scratch = bpf_map__fd(s->maps.tcpfin_scratch),
		.jumps_x = bpf_map__fd(s->maps.tcpfin_jumps_x),
		.jumps_t = bpf_map__fd(s->maps.tcpfin_jumps_t),
		.xdp_frags = o->hook != HOOK_XDP_GENERIC,
	};
}

struct socket_packets loader_socket_packets(const struct tcpfin_trace_bpf *s)
{
	return (struct socket_packets){
		.sets = bpf_map__fd(s->maps.tcpfin_sets),
		.set_mask = s->rodata->settings.set_mask,
		.key = s->rodata->settings.hash_key,
	};
}

struct attach_programs loader_programs(const struct tcpfin_trace_bpf *s, const struct options *o)
{
	return (struct attach_programs){
		.xdp = bpf_program__fd(hook_program(s, o, PROGRAM_XDP)),
		.tc = bpf_program__fd(hook_program(s, o, PROGRAM_TC)),
		.tc_l3 = bpf_program__fd(hook_program(s, o, PROGRAM_TC_L3)),
		.tc_close = bpf_program__fd(s->progs.tcpfin_tc_close),
	};
}
