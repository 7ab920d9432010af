/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs of the BPF object by their names: which one a hook takes, and where they jump to.
 */
#ifndef TCPFIN_BPF_PROGRAMS_H
#define TCPFIN_BPF_PROGRAMS_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/settings.h"

/* The program for a hook: "xdp", "tc", "tc_l3". */
static inline struct bpf_program *bpf_programs_hook(const struct bpf_object *object, const char *hook,
						    bool all_segments)
{
	char name[32];

	snprintf(name, sizeof(name), "tcpfin_%s%s", hook, all_segments ? "_all" : "");
	return bpf_object__find_program_by_name(object, name);
}

/* After loading: fills in the jumps to those programs that were loaded. Returns 0 or a negative errno. */
static inline int bpf_programs_connect(const struct bpf_object *object)
{
	static const struct {
		const char *array, *program;
		__u32 place;
	} jumps[] = {
		{"tcpfin_jumps_x", "tcpfin_track_xdp", JUMP_TRACK},
		{"tcpfin_jumps_t", "tcpfin_track_tc", JUMP_TRACK},
		{"tcpfin_jumps_x", "tcpfin_walk_xdp", JUMP_WALK},
		{"tcpfin_jumps_t", "tcpfin_walk_tc", JUMP_WALK},
		{"tcpfin_jumps_x", "tcpfin_track_quoted_xdp", JUMP_QUOTED},
		{"tcpfin_jumps_t", "tcpfin_track_quoted_tc", JUMP_QUOTED},
	};

	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		int array = bpf_object__find_map_fd_by_name(object, jumps[i].array);
		int program = bpf_program__fd(bpf_object__find_program_by_name(object, jumps[i].program));

		if (program >= 0 && bpf_map_update_elem(array, &jumps[i].place, &program, BPF_ANY))
			return -errno;
	}
	return 0;
}

#endif
