// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Opens the BPF object, sets the sizes of its tables, and loads no more programs than the interfaces need.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/settings.h" /* before the skeleton, which uses these types */
#include "bpf/tables.h"
#include "user/base/log.h"
#include "user/base/privileges.h"
#include "user/live/bpf_programs.h"
#include "user/live/loader.h"
#include "tcpfin_trace.skel.h"

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

static int size_maps(struct tcpfin_trace_bpf *s, const struct options *o)
{
	uint32_t sets = power_of_two(o->max_unproven / UNPROVEN_WAYS);
	int err;

	s->rodata->settings.unproven_mask = sets - 1;
	s->rodata->settings.count_packets = o->stats;
	s->rodata->settings.all_segments = o->all_segments;
	if (getentropy((void *)&s->rodata->settings.hash_seed, sizeof(s->rodata->settings.hash_seed)))
		return -errno;
	err = bpf_map__set_max_entries(s->maps.unproven, sets);
	err = err ? err : bpf_map__set_max_entries(s->maps.established, o->max_flows);
	err = err ? err : bpf_map__set_max_entries(s->maps.closing, o->max_closing);
	if (o->all_segments)
		err = err ? err : bpf_map__set_max_entries(s->maps.traffic, o->max_flows + o->max_closing);
	return err ? err : bpf_map__set_max_entries(s->maps.ring, o->ring_bytes);
}

/*
 * Only what an interface needs is loaded: verifying is most of the start-up time. One that comes back may be of another
 * kind.
 */
static void choose_programs(struct tcpfin_trace_bpf *s, const struct options *o, const struct interfaces *interfaces)
{
	bool xdp = o->follow, tc = o->follow, tc_l3 = o->follow;
	struct bpf_program *program;

	for (unsigned i = 0; i < interfaces->count; i++) {
		const struct attachment *a = &interfaces->watched[i].attachment;

		xdp |= a->hook != HOOK_TC;
		tc_l3 |= a->l3;
		tc |= !a->l3 && !(a->loopback && a->hook != HOOK_TC);
	}
	bpf_object__for_each_program(program, s->obj)
		bpf_program__set_autoload(program, program == s->progs.tcpfin_sweep);
	bpf_program__set_autoload(hook_program(s, o, PROGRAM_XDP), xdp);
	bpf_program__set_autoload(s->progs.tcpfin_track_xdp, xdp);
	bpf_program__set_autoload(s->progs.tcpfin_proven_xdp, xdp);
	bpf_program__set_autoload(hook_program(s, o, PROGRAM_TC), tc);
	bpf_program__set_autoload(hook_program(s, o, PROGRAM_TC_L3), tc_l3);
	bpf_program__set_autoload(s->progs.tcpfin_track_tc, tc || tc_l3);
	bpf_program__set_autoload(s->progs.tcpfin_proven_tc, tc || tc_l3);
}

/* Their elements, and what hash maps add to each. */
uint64_t loader_table_bytes(const struct options *o)
{
	const uint64_t element = 48, bucket = 16;
	uint64_t counted = o->all_segments ? o->max_flows + o->max_closing : 0;

	return (uint64_t)power_of_two(o->max_unproven / UNPROVEN_WAYS) * sizeof(struct unproven_set) +
	       o->max_flows * (element + sizeof(struct flow_key) + sizeof(struct established)) +
	       o->max_closing * (element + sizeof(struct flow_key) + sizeof(struct closing)) +
	       (power_of_two(o->max_flows) + power_of_two(o->max_closing)) * bucket +
	       counted * (element + sizeof(struct traffic_key) + sizeof(struct traffic_entry) + bucket) +
	       LAST_SEEN_CELLS * sizeof(struct last_seen) + sizeof(struct watch) +
	       COLLECT_SLOTS * sizeof(struct collect_slot) + o->ring_bytes;
}

/* Says why the object could not be loaded. err: a negative errno. Returns the exit code. */
static int load_error(const struct options *o, int err)
{
	if (err == -ENOMEM)
		log_error("no memory for tables of %llu MiB: lower --max-flows, --max-closing or --ring",
			  (unsigned long long)(loader_table_bytes(o) >> 20));
	else
		log_error("cannot load the BPF programs: %s%s", strerror(-err),
			  o->verbose ? "" : "; -v shows the kernel's reasons");
	return privileges_exit_code(err);
}

int loader_load(struct tcpfin_trace_bpf **skeleton, const struct options *o, const struct interfaces *interfaces)
{
	struct tcpfin_trace_bpf *s = *skeleton = tcpfin_trace_bpf__open();
	int err;

	if (!s) {
		log_error("cannot open the BPF object: %s", strerror(errno));
		return EXIT_RUNTIME;
	}
	choose_programs(s, o, interfaces);
	err = size_maps(s, o);
	err = err ? err : tcpfin_trace_bpf__load(s);
	err = err ? err : bpf_programs_connect(s->obj);
	return err ? load_error(o, err) : EXIT_FINE;
}

struct attach_programs loader_programs(const struct tcpfin_trace_bpf *s, const struct options *o)
{
	return (struct attach_programs){
		.xdp = bpf_program__fd(hook_program(s, o, PROGRAM_XDP)),
		.tc = bpf_program__fd(hook_program(s, o, PROGRAM_TC)),
		.tc_l3 = bpf_program__fd(hook_program(s, o, PROGRAM_TC_L3)),
	};
}
