/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The size of each BPF program as loaded, and the verifier's effort, are kept within a budget: a change that costs is
 * seen here, on whatever kernel this runs. One line a figure, in the form that every runner here has.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../../bpf/settings.h" /* before the skeleton, which uses these types */
#include "tcpfin_trace.skel.h"

#define MAX_INSTRUCTIONS 4000
#define MAX_VERIFIED 100000

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

static void weigh(const struct bpf_program *program)
{
	const char *name = bpf_program__name(program);
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size)) {
		printf("not ok budget_%s - the kernel tells nothing of it: %s\n", name, strerror(errno));
		failed++;
		return;
	}
	if (info.xlated_prog_len)
		judge(name, "instructions", info.xlated_prog_len / sizeof(struct bpf_insn), MAX_INSTRUCTIONS);
	else
		skip(name, "instructions", "this kernel does not tell");
	if (info.verified_insns)
		judge(name, "verified", info.verified_insns, MAX_VERIFIED);
	else
		skip(name, "verified", "this kernel does not tell");
}

static int weigh_all(void)
{
	struct tcpfin_trace_bpf *s = tcpfin_trace_bpf__open();
	struct bpf_program *program;
	int err;

	if (!s)
		return -errno;
	s->rodata->settings.unproven_mask = 4095; /* a constant to the verifier; the maps' sizes are nothing to it */
	err = tcpfin_trace_bpf__load(s);
	if (!err)
		bpf_object__for_each_program(program, s->obj)
			weigh(program);
	tcpfin_trace_bpf__destroy(s);
	return err;
}

int main(void)
{
	int err = geteuid() ? -EPERM : weigh_all();

	if (err == -EPERM) {
		skip("all", "programs", "needs root");
	} else if (err) {
		printf("not ok budget_load - %s\n", strerror(-err));
		failed++;
	}
	printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
	return failed != 0;
}
