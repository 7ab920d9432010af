// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The size of each BPF program as loaded, and the verifier's effort, are kept within a budget: a change that costs is
 * seen here, on whatever kernel this runs. With --all-segments, too, and that nothing of it is there without. One line
 * a figure, in the form that every runner here has.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <cap-ng.h>

#include "bpf/core/flow_log.h" /* before the skeleton, which uses these types */
#include "bpf/core/traffic.h"
#include "bpf/core/watch.h"
#include "user/live/bpf_programs.h"
#include "tcx_order.skel.h"
#include "tcpfin_trace.skel.h"

/* A program's bounds. */
struct bounds {
	unsigned instructions, verified;
};

/*
 * The programs on the hooks, which every packet meets, and the large one behind them, which takes what opens or
 * closes a connection. Without CAP_PERFMON the kernel adds instructions that guard against mispredicted branches, and
 * the verifier walks their paths, too: at most half of what it would walk, so that another compiler does not bring
 * the programs over that.
 */
static const struct bounds hook_bounds[2] = {{3000, 10000}, {3500, 50000}}; /* [without CAP_PERFMON] */
static const struct bounds track_bounds[2] = {{8300, 30000}, {8800, 500000}};
#define MOST_INSTRUCTIONS 8800

static unsigned passed, failed, skipped;

static void judge(const char *program, const char *what, unsigned value, unsigned most)
{
	if (value <= most) {
		printf("ok budget_%s_%s (%u, at most %u)\n", program, what, value, most);
		passed++;
	} else {
		printf("not ok budget_%s_%s - %u, at most %u\n", program, what, value, most);
		failed++;
	}
}

static void skip(const char *program, const char *what, const char *why)
{
	printf("skip budget_%s_%s - %s\n", program, what, why);
	skipped++;
}

/* Does the program, as it was loaded, use the map? */
static bool uses_map(const struct bpf_prog_info *info, __u32 map)
{
	const struct bpf_insn *insns = (const void *)(uintptr_t)info->xlated_prog_insns;

	for (__u32 i = 0; i < info->xlated_prog_len / sizeof(*insns); i++)
		if (insns[i].code == (BPF_LD | BPF_IMM | BPF_DW) && insns[i].src_reg == BPF_PSEUDO_MAP_FD &&
		    (__u32)insns[i].imm == map)
			return true;
	return false;
}

static __u32 id_of(const struct bpf_map *map)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &size) ? 0 : info.id;
}

/* The programs that every packet meets have the table of --all-segments in them if they are for it, and only then. */
static void judge_option(const struct tcpfin_trace_bpf *s, bool on)
{
	static struct bpf_insn insns[MOST_INSTRUCTIONS];
	static const char *const hooks[] = {"xdp", "tc", "tc_l3"};

	for (unsigned i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		struct bpf_prog_info info = {.xlated_prog_insns = (uintptr_t)insns, .xlated_prog_len = sizeof(insns)};
		const struct bpf_program *program = bpf_programs_hook(s->obj, hooks[i], on);
		const char *name = bpf_program__name(program), *option = on ? "_with_option" : "_without_option";
		__u32 size = sizeof(info);

		if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) || !info.xlated_prog_insns) {
			skip(name, option + 1, "this kernel does not show the instructions");
		} else if (uses_map(&info, id_of(s->maps.tcpfin_traffic)) == on) {
			printf("ok budget_%s%s\n", name, option);
			passed++;
		} else {
			printf("not ok budget_%s%s - the table of --all-segments is %sin it\n", name, option,
			       on ? "not " : "");
			failed++;
		}
	}
}

/* The ring of -w is in the programs that record, if it is asked for; it is in none that a data segment meets. */
static void judge_packets(const struct tcpfin_trace_bpf *s, bool on)
{
	static struct bpf_insn insns[MOST_INSTRUCTIONS];
	const char *option = on ? "with_packets" : "without_packets";
	struct bpf_program *program;

	bpf_object__for_each_program(program, s->obj)
	{
		struct bpf_prog_info info = {.xlated_prog_insns = (uintptr_t)insns, .xlated_prog_len = sizeof(insns)};
		const char *name = bpf_program__name(program);
		__u32 size = sizeof(info);

		if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) || !info.xlated_prog_insns) {
			skip(name, option, "this kernel does not show the instructions");
		} else if (uses_map(&info, id_of(s->maps.tcpfin_packets)) == (on && strstr(name, "_track_"))) {
			printf("ok budget_%s_%s\n", name, option);
			passed++;
		} else {
			printf("not ok budget_%s_%s - the ring of packets is in it, or lacks\n", name, option);
			failed++;
		}
	}
}

static void weigh(const struct bpf_program *program, const char *mode, bool guarded)
{
	const char *name = bpf_program__name(program);
	const struct bounds *bounds = strstr(name, "_track_") ? &track_bounds[guarded] : &hook_bounds[guarded];
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);
	char what[64];

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size)) {
		printf("not ok budget_%s - the kernel tells nothing of it: %s\n", name, strerror(errno));
		failed++;
		return;
	}
	snprintf(what, sizeof(what), "instructions%s", mode);
	if (info.xlated_prog_len)
		judge(name, what, info.xlated_prog_len / sizeof(struct bpf_insn), bounds->instructions);
	else
		skip(name, what, "this kernel does not tell");
	snprintf(what, sizeof(what), "verified%s", mode);
	if (info.verified_insns)
		judge(name, what, info.verified_insns, bounds->verified);
	else
		skip(name, what, "this kernel does not tell");
}

/* ---- what the object asks of a kernel ---- */

struct feature {
	unsigned id;
	const char *name;
	unsigned since; /* the kernel that has it: 515 is 5.15 */
};

#define FLOOR 515 /* on the tc path */

#define HELPER(helper, since)                           \
	{                                               \
		BPF_FUNC_##helper, "" #helper "", since \
	}
/* clang-format off: a row a helper */
static const struct feature helpers[] = {
	HELPER(map_lookup_elem, 319),
	HELPER(ktime_get_ns, 401),
	HELPER(tail_call, 402),
	HELPER(skb_load_bytes, 405),
	HELPER(skb_pull_data, 409),
	HELPER(sk_release, 420),
	HELPER(sk_fullsock, 501),
	HELPER(tcp_sock, 501),
	HELPER(skc_lookup_tcp, 502),
	HELPER(ringbuf_reserve, 508),
	HELPER(ringbuf_submit, 508),
	HELPER(ktime_get_coarse_ns, 511),
	HELPER(loop, 517),
	HELPER(xdp_get_buff_len, 518),
	HELPER(xdp_load_bytes, 518),
};

static const struct feature map_types[] = {
	{BPF_MAP_TYPE_ARRAY, "array", 319},
	{BPF_MAP_TYPE_PROG_ARRAY, "prog_array", 402},
	{BPF_MAP_TYPE_PERCPU_ARRAY, "percpu_array", 406},
	{BPF_MAP_TYPE_RINGBUF, "ringbuf", 508},
};

static const struct feature map_flags[] = {
	{BPF_F_RDONLY_PROG, "rdonly_prog", 502},
	{BPF_F_MMAPABLE, "mmapable", 505},
};
/* clang-format on */

static const struct feature *find_feature(const struct feature *table, size_t count, unsigned id)
{
	for (size_t i = 0; i < count; i++)
		if (table[i].id == id)
			return &table[i];
	return NULL;
}

#define FIND(table, id) find_feature(table, sizeof(table) / sizeof((table)[0]), id)

/* Returns whether a kernel `most` has the feature. f: NULL where the table lacks it. */
static bool has_feature(const char *of, const char *kind, const struct feature *f, unsigned id, unsigned most)
{
	if (f && f->since <= most)
		return true;
	if (f)
		printf("not ok features_%s - %s %s is of Linux %u.%u\n", of, kind, f->name, f->since / 100,
		       f->since % 100);
	else
		printf("not ok features_%s - %s %u is not in the table\n", of, kind, id);
	return false;
}

static void count_features(const char *of, bool all)
{
	if (all)
		printf("ok features_%s\n", of);
	passed += all;
	failed += !all;
}

/*
 * The helpers that the program calls; libbpf has appended the functions that it calls. XDP may ask for what its own
 * need.
 */
static void judge_helpers(const struct bpf_program *program)
{
	const struct bpf_insn *insns = bpf_program__insns(program);
	unsigned most = bpf_program__type(program) == BPF_PROG_TYPE_XDP ? ~0u : FLOOR;
	const char *name = bpf_program__name(program);
	bool all = true;

	for (size_t i = 0; i < bpf_program__insn_cnt(program); i++)
		if (insns[i].code == (BPF_JMP | BPF_CALL) && !insns[i].src_reg)
			all &= has_feature(name, "helper", FIND(helpers, (unsigned)insns[i].imm),
					   (unsigned)insns[i].imm, most);
	count_features(name, all);
}

static void judge_map(const struct bpf_map *map)
{
	const char *name = bpf_map__name(map);
	unsigned flags = bpf_map__map_flags(map), type = bpf_map__type(map);
	bool all = has_feature(name, "map type", FIND(map_types, type), type, FLOOR);

	for (unsigned flag = 1; flag && flag <= flags; flag <<= 1)
		if (flags & flag)
			all &= has_feature(name, "map flag", FIND(map_flags, flag), flag, FLOOR);
	count_features(name, all);
}

static void judge_features(const struct tcpfin_trace_bpf *s)
{
	struct bpf_program *program;
	struct bpf_map *map;

	bpf_object__for_each_program(program, s->obj) judge_helpers(program);
	bpf_object__for_each_map(map, s->obj) judge_map(map);
}

/* ---- all programs ---- */

enum mode { PLAIN, ALL_SEGMENTS, PACKETS, MODES };

/*
 * Sizes as of a small watch. A mask of 0 makes every index a constant, so that the verifier sees neither all that it
 * walks in life, nor what it refuses.
 */
static void set_sizes(struct tcpfin_trace_bpf *s)
{
	s->rodata->settings.set_mask = 1023;
	s->rodata->settings.slots_mask = 4095;
	s->rodata->settings.closing_mask = 1023;
	s->rodata->settings.opening_mask = 1023;
	s->rodata->settings.last_seen_mask = 8191;
	s->rodata->settings.lost_mask = 4095;
	s->rodata->settings.openings = 2;
	s->rodata->settings.max_established = 1024;
}

static int weigh_all(enum mode mode, bool guarded)
{
	static const char *const names[MODES][2] = {{"", "_without_perfmon"},
						    {"_all_segments", "_all_segments_without_perfmon"},
						    {"_packets", "_packets_without_perfmon"}};
	struct tcpfin_trace_bpf *s = tcpfin_trace_bpf__open();
	struct bpf_program *program;
	int err;

	if (!s)
		return -errno;
	set_sizes(s);
	s->rodata->settings.all_segments = mode == ALL_SEGMENTS;
	s->rodata->settings.packets = mode == PACKETS;
	err = tcpfin_trace_bpf__load(s);
	if (!err) {
		bpf_object__for_each_program(program, s->obj) weigh(program, names[mode][guarded], guarded);
		if (!guarded)
			judge_packets(s, mode == PACKETS);
		if (!guarded && mode != PACKETS)
			judge_option(s, mode == ALL_SEGMENTS);
		if (!guarded && mode == PLAIN)
			judge_features(s);
	}
	tcpfin_trace_bpf__destroy(s);
	return err;
}

static bool has_tcx(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has = btf && btf__find_by_name_kind(btf, "tcx_link", BTF_KIND_STRUCT) > 0;

	btf__free(btf);
	return has;
}

static int weigh_tcx_order(void)
{
	struct tcx_order_bpf *s = tcx_order_bpf__open();
	int err;

	if (!s)
		return -errno;
	if (has_tcx()) {
		err = tcx_order_bpf__load(s);
		if (!err)
			weigh(s->progs.tcpfin_tcx_order, "", false);
	} else {
		skip("tcpfin_tcx_order", "instructions", "no tcx here");
		err = 0;
	}
	tcx_order_bpf__destroy(s);
	return err;
}

/* From here on: CAP_BPF and CAP_NET_ADMIN only. */
static int drop_perfmon(void)
{
	capng_clear(CAPNG_SELECT_CAPS);
	capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_BPF, CAP_NET_ADMIN, -1);
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

/* Before 6.12 the verifier may want CAP_PERFMON of the recorder; the program says so when it starts. */
static bool kernel_before_6_12(void)
{
	unsigned major = 0, minor = 0;
	struct utsname name;

	return !uname(&name) && sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 12));
}

static int weigh_guarded(void)
{
	int err = drop_perfmon() || weigh_all(PLAIN, true) || weigh_all(ALL_SEGMENTS, true) || weigh_all(PACKETS, true)
			  ? -EACCES
			  : 0;

	if (!err || !kernel_before_6_12())
		return err;
	skip("all", "without_perfmon", "this kernel's verifier asks for CAP_PERFMON");
	return 0;
}

int main(void)
{
	int err = geteuid() ? -EPERM : weigh_all(PLAIN, false);

	err = err ? err : weigh_all(ALL_SEGMENTS, false);
	err = err ? err : weigh_all(PACKETS, false);
	err = err ? err : weigh_tcx_order();
	err = err ? err : weigh_guarded();
	if (err == -EPERM) {
		skip("all", "programs", "needs root");
	} else if (err) {
		printf("not ok budget_load - %s\n", strerror(-err));
		failed++;
	}
	printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed != 0;
}
