// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * side_by_side INODE: runs the counters of side_by_side.bpf.c for the network namespace with that inode number, and
 * prints what they have so far for each byte that it reads.
 */
#include <stdio.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tests/side_by_side.skel.h"

enum { NAMESPACE, FIRST, SECOND };

static unsigned read_number(const struct side_by_side_bpf *s, unsigned which)
{
	unsigned value = 0;

	bpf_map_lookup_elem(bpf_map__fd(s->maps.numbers), &which, &value);
	return value;
}

int main(int argc, char **argv)
{
	struct side_by_side_bpf *s = argc == 2 ? side_by_side_bpf__open_and_load() : NULL;
	unsigned which = NAMESPACE, inode = s ? (unsigned)strtoul(argv[1], NULL, 10) : 0;

	if (!s || bpf_map_update_elem(bpf_map__fd(s->maps.numbers), &which, &inode, BPF_ANY) ||
	    side_by_side_bpf__attach(s)) {
		perror("side_by_side");
		return 1;
	}
	while (getchar() != EOF) {
		printf("%u %u\n", read_number(s, FIRST), read_number(s, SECOND));
		fflush(stdout);
	}
	side_by_side_bpf__destroy(s);
	return 0;
}
