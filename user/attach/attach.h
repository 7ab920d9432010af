/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One interface: chooses the hook, attaches the programs, detaches them.
 *
 * Order of use: attach_plan for every interface, load the programs that the plans need, attach_start, attach_stop.
 */
#ifndef TCPFIN_ATTACH_H
#define TCPFIN_ATTACH_H

#include <limits.h>
#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#include "user/attach/clsact.h"
#include "user/cli/options.h"

/* A network namespace, as it is asked and named. */
struct attach_netns {
	uint32_t number;         /* by which the helper knows it; 0: the program's own, without --netns */
	uint32_t inode;          /* of /proc/PID/ns/net */
	int route;               /* the socket by which it is asked (interface_query.h); the owner's */
	char name[NAME_MAX + 1]; /* "" with number 0 */
};

struct attachment {
	struct attach_netns netns;
	uint32_t number; /* what stands for it in keys: its ifindex, or set by the caller before attach_start */
	char name[IF_NAMESIZE];
	unsigned ifindex;
	enum hook hook;  /* never HOOK_AUTO: what was chosen */
	bool l3;         /* the device has no Ethernet header */
	bool loopback;   /* one direction sees every packet */
	char reason[96]; /* why this hook, as text for the user */
	int links[3];    /* bpf_link descriptors: tc ingress, tc egress, XDP; -1 where there is none */
	uint32_t tcx[2]; /* ids of the links in tcx chains, by direction: ingress, egress; 0 where there is none */
	int filters;     /* how many clsact filters are attached, on kernels without tcx */
	char before_us[2]
		      [TCX_ORDER_TEXT]; /* who comes before ours at tc, by direction; "": nobody, as far as is known */
};

struct attach_programs {
	int xdp, tc, tc_l3; /* descriptors; -1: not loaded */
	int tc_close;       /* at ingress beside xdp, for what only tc can do */
};

/*
 * Fills in *a for the interface of that namespace and chooses its hook; attaches nothing. 0, or a negative errno with a
 * line in error (-ENODEV: no such interface).
 */
int attach_plan(struct attachment *a, const struct attach_netns *netns, const char *name, enum hook hook, char *error,
		size_t error_size);
#define ATTACH_LABEL (NAME_MAX + IF_NAMESIZE + 2)
/* Its name for people, with that of its namespace where --netns was given ("web/eth0"); until the next call. */
const char *attach_label(const struct attachment *a);
/* Attaches the programs as planned. 0, or a negative errno with a line in error and nothing left attached. */
int attach_start(struct attachment *a, const struct attach_programs *programs, char *error, size_t error_size);
/* Detaches whatever is attached. Safe on a zeroed or stopped attachment. */
void attach_stop(struct attachment *a);
/* Has the kernel tcx? program: descriptor of a tc program, which is tried on an index that no interface has. */
bool attach_has_tcx(int program);
/* Will attach_stop need CAP_NET_ADMIN? Closing a descriptor detaches a link; a clsact filter must be removed. */
bool attach_needs_net_admin(const struct attachment *a);

enum attach_state {
	ATTACH_ON,
	ATTACH_OFF,     /* somebody detached a program of ours */
	ATTACH_MOVED,   /* to another network namespace, where links follow it */
	ATTACH_GONE,    /* the interface was deleted */
	ATTACH_UNKNOWN, /* the kernel could not be asked now */
};

/* Asks the kernel what has become of the interface. Updates its name and, for clsact, before_us. */
enum attach_state attach_state(struct attachment *a);
/* Is the interface up? True as well if the kernel cannot be asked. */
bool attach_is_up(const struct attachment *a);
/* Does it have an IPv4 or IPv6 address, link-local ones included? True as well if the kernel cannot be asked. */
bool attach_has_address(const struct attachment *a);

#endif
