/* SPDX-License-Identifier: GPL-2.0 */
/*
 * After loading, the jumps from the hooks' programs to the tracking ones are filled in, of those kinds that were loaded.
 */
#ifndef TCPFIN_PROGRAMS_H
#define TCPFIN_PROGRAMS_H

#include <errno.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static inline int programs_connect_one(const struct bpf_object *object, const char *array, const char *program)
{
	int fd = bpf_program__fd(bpf_object__find_program_by_name(object, program));
	__u32 zero = 0;

	if (fd < 0)
		return 0;
	return bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, array), &zero, &fd, BPF_ANY) ? -errno : 0;
}

/* Returns 0 or a negative errno. */
static inline int programs_connect(const struct bpf_object *object)
{
	int err = programs_connect_one(object, "track_xdp", "tcpfin_track_xdp");

	return err ? err : programs_connect_one(object, "track_tc", "tcpfin_track_tc");
}

#endif
