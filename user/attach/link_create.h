/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A link that keeps a program on an interface of the caller's network namespace until its descriptor is closed.
 */
#ifndef TCPFIN_LINK_CREATE_H
#define TCPFIN_LINK_CREATE_H

/* The tc ones are at the head of their tcx chain. */
enum link_place { LINK_TC_IN, LINK_TC_OUT, LINK_XDP_NATIVE, LINK_XDP_GENERIC, LINK_PLACES };

/* A link's descriptor, or a negative errno: at tc, -EINVAL where the kernel has no tcx. */
int link_create(unsigned ifindex, int program, enum link_place place);

#endif
