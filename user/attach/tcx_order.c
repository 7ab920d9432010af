// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The BPF iterator is loaded and attached at the start. Each look opens it anew, because it cannot be rewound.
 */
#include "user/attach/tcx_order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tcx_order.skel.h"
#include "user/base/log.h"
#include "user/base/privileges.h"

#define MOST_LINKS 2048 /* with a program of another author before one of any instance of ours */

struct tcx_order {
	struct tcx_order_bpf *skeleton;
	struct bpf_link *iterator;
	struct tcx_order_record found[MOST_LINKS];
	unsigned count;
};

static int load(struct tcx_order *a)
{
	int err;

	a->skeleton = tcx_order_bpf__open();
	if (!a->skeleton)
		return -errno;
	err = tcx_order_bpf__load(a->skeleton);
	if (err)
		return err;
	a->iterator = bpf_program__attach_iter(a->skeleton->progs.tcpfin_tcx_order, NULL);
	return a->iterator ? 0 : -errno;
}

struct tcx_order *tcx_order_start(void)
{
	struct tcx_order *a = calloc(1, sizeof(*a));
	int err = a ? load(a) : -ENOMEM;

	if (!err)
		return a;
	log_note("programs that others put before ours at tc will not be noticed: %s", privileges_tracing_error(err));
	tcx_order_stop(a);
	return NULL;
}

void tcx_order_stop(struct tcx_order *a)
{
	if (!a)
		return;
	bpf_link__destroy(a->iterator);
	tcx_order_bpf__destroy(a->skeleton);
	free(a);
}

int tcx_order_look(struct tcx_order *a)
{
	int fd = bpf_iter_create(bpf_link__fd(a->iterator));
	size_t size = 0;
	ssize_t n;
	int err;

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, (char *)a->found + size, sizeof(a->found) - size);
		size += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	err = n < 0 ? -errno : 0;
	close(fd);
	a->count = size / sizeof(a->found[0]);
	return err;
}

const struct tcx_order_record *tcx_order_of(const struct tcx_order *a, uint32_t link)
{
	for (unsigned i = 0; i < a->count; i++)
		if (a->found[i].link == link)
			return &a->found[i];
	return NULL;
}
