/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs on interfaces: which hook, why, and getting off again.
 *
 * Order of use: attach_plan for every interface, load the programs that the plans need, attach_start, attach_stop.
 */
#ifndef TCPFIN_ATTACH_H
#define TCPFIN_ATTACH_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#include "user/attach/clsact.h"
#include "user/cli/options.h"

struct attachment {
	char name[IF_NAMESIZE];
	unsigned ifindex;
	enum hook hook;  /* never HOOK_AUTO: what was chosen */
	bool l3;         /* the device has no Ethernet header */
	bool loopback;   /* one direction shows every packet */
	char reason[96]; /* why this hook, for the user */
	int links[2];    /* bpf_link descriptors; -1 where there is none */
	uint32_t tcx[2]; /* ids of those in a tcx chain, by direction: ingress, egress; 0 where there is none */
	int filters;     /* clsact filters, on kernels without tcx */
	char before_us[2]
		      [TCX_ORDER_TEXT]; /* who comes before ours at tc, by direction; "": nobody, as far as is known */
};

struct attach_programs {
	int xdp, tc, tc_l3; /* descriptors */
};

/* 0, or a negative errno with a line in error. -ENODEV: no such interface. Changes nothing. */
int attach_plan(struct attachment *a, const char *name, enum hook hook, char *error, size_t error_size);
/* 0, or a negative errno with a line in error and nothing left attached. */
int attach_start(struct attachment *a, const struct attach_programs *programs, char *error, size_t error_size);
/* Takes off whatever is on. Safe on a zeroed or stopped attachment. */
void attach_stop(struct attachment *a);
/* Will attach_stop need CAP_NET_ADMIN? Links go with their descriptors, clsact filters do not. */
bool attach_needs_net_admin(const struct attachment *a);

enum attach_state {
	ATTACH_ON,
	ATTACH_OFF,     /* somebody has taken us off */
	ATTACH_MOVED,   /* to another network namespace, where links follow it */
	ATTACH_GONE,    /* the interface is */
	ATTACH_UNKNOWN, /* it could not be asked now */
};

/* Looks after the interface; a new name of it is taken over, and a clsact filter that comes before ours. */
enum attach_state attach_state(struct attachment *a);
bool attach_is_up(const struct attachment *a);
/* Has it an IPv4 or IPv6 address, a link-local one included? */
bool attach_has_address(const struct attachment *a);

#endif
