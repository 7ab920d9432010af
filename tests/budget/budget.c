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
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <cap-ng.h>

#include "user/live/bpf_programs.h" /* before the skeleton, which uses its types */
#include "tcx_order.skel.h"
#include "tcpfin_trace.skel.h"

#define MAX_INSTRUCTIONS 4000
#define MAX_VERIFIED 100000
/*
 * Without CAP_PERFMON the kernel adds instructions that guard against mispredicted branches, and the verifier walks
 * their paths, too. Half of what it would walk at most, so that another compiler does not bring the programs over that.
 */
#define MAX_INSTRUCTIONS_GUARDED 5000
#define MAX_VERIFIED_GUARDED 500000

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
	static struct bpf_insn insns[MAX_INSTRUCTIONS];
	static const char *const hooks[] = {"xdp", "tc", "tc_l3"};

	for (unsigned i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		struct bpf_prog_info info = {.xlated_prog_insns = (uintptr_t)insns, .xlated_prog_len = sizeof(insns)};
		const struct bpf_program *program = bpf_programs_hook(s->obj, hooks[i], on);
		const char *name = bpf_program__name(program), *option = on ? "_with_option" : "_without_option";
		__u32 size = sizeof(info);

		if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) || !info.xlated_prog_insns) {
			skip(name, option + 1, "this kernel does not show the instructions");
		} else if (uses_map(&info, id_of(s->maps.traffic)) == on) {
			printf("ok budget_%s%s\n", name, option);
			passed++;
		} else {
			printf("not ok budget_%s%s - the table of --all-segments is %sin it\n", name, option,
			       on ? "not " : "");
			failed++;
		}
	}
}

static void weigh(const struct bpf_program *program, const char *mode, bool guarded)
{
	const char *name = bpf_program__name(program);
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
		judge(name, what, info.xlated_prog_len / sizeof(struct bpf_insn),
		      guarded ? MAX_INSTRUCTIONS_GUARDED : MAX_INSTRUCTIONS);
	else
		skip(name, what, "this kernel does not tell");
	snprintf(what, sizeof(what), "verified%s", mode);
	if (info.verified_insns)
		judge(name, what, info.verified_insns, guarded ? MAX_VERIFIED_GUARDED : MAX_VERIFIED);
	else
		skip(name, what, "this kernel does not tell");
}

static int weigh_all(bool all_segments, bool guarded)
{
	static const char *const modes[2][2] = {{"", "_without_perfmon"},
						{"_all_segments", "_all_segments_without_perfmon"}};
	struct tcpfin_trace_bpf *s = tcpfin_trace_bpf__open();
	struct bpf_program *program;
	int err;

	if (!s)
		return -errno;
	s->rodata->settings.unproven_mask = 4095; /* a constant to the verifier; the maps' sizes are nothing to it */
	s->rodata->settings.all_segments = all_segments;
	err = tcpfin_trace_bpf__load(s);
	if (!err) {
		bpf_object__for_each_program(program, s->obj) weigh(program, modes[all_segments][guarded], guarded);
		if (!guarded)
			judge_option(s, all_segments);
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

static int weigh_ahead(void)
{
	struct tcx_order_bpf *s = tcx_order_bpf__open();
	int err;

	if (!s)
		return -errno;
	s->rodata->ours[0] = 1; /* a constant to the verifier: with 0 nothing is left of it */
	s->rodata->ours[1] = 2;
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

int main(void)
{
	int err = geteuid() ? -EPERM : weigh_all(false, false);

	err = err ? err : weigh_all(true, false);
	err = err ? err : weigh_ahead();
	if (!err)
		err = drop_perfmon() || weigh_all(false, true) || weigh_all(true, true) ? -EACCES : 0;
	if (err == -EPERM) {
		skip("all", "programs", "needs root");
	} else if (err) {
		printf("not ok budget_load - %s\n", strerror(-err));
		failed++;
	}
	printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed != 0;
}
