/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program to compare with, from an object file: one program for each kind of hook, and a ring buffer if it reports.
 * Any tracker that is built so can take part.
 */
#ifndef TCPFIN_BENCH_REFERENCE_H
#define TCPFIN_BENCH_REFERENCE_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_EVERY_NS 20000000 /* when a reader comes by */

struct reference {
	struct bpf_object *object;
	int xdp, tc; /* programs' descriptors */
	struct ring_buffer *ring;
	uint64_t events; /* taken from the ring */
};

static inline _Noreturn void reference_fail(const char *what, int err)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static inline int reference_event(void *context, void *data, size_t size)
{
	struct reference *r = context;

	(void)data;
	(void)size;
	r->events++;
	return 0;
}

/* Loads the object. *r must stay where it is: the ring knows it. */
static inline void reference_open(struct reference *r, const char *path)
{
	struct bpf_program *program = NULL;
	struct bpf_map *map = NULL;
	int err;

	*r = (struct reference){.object = bpf_object__open(path), .xdp = -1, .tc = -1};
	if (!r->object)
		reference_fail(path, errno);
	err = bpf_object__load(r->object);
	if (err)
		reference_fail(path, err);
	while ((program = bpf_object__next_program(r->object, program)))
		*(bpf_program__type(program) == BPF_PROG_TYPE_XDP ? &r->xdp : &r->tc) = bpf_program__fd(program);
	while ((map = bpf_object__next_map(r->object, map))) {
		if (bpf_map__type(map) != BPF_MAP_TYPE_RINGBUF)
			continue;
		r->ring = ring_buffer__new(bpf_map__fd(map), reference_event, r, NULL);
		if (!r->ring)
			reference_fail("ring", errno);
	}
}

/* What a reader does when it comes by. */
static inline void reference_read(struct reference *r)
{
	if (r->ring)
		ring_buffer__consume(r->ring);
}

static inline void reference_close(struct reference *r)
{
	ring_buffer__free(r->ring);
	bpf_object__close(r->object);
}

#endif
