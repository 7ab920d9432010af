// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcx links need Linux 6.6.
 */
#include "user/attach/link_create.h"

#include <stdbool.h>

#include <bpf/bpf.h>
#include <linux/if_link.h>

/* Kernel constants that the headers of libbpf 1.1 do not have. */
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS 47
#define ATTACH_BEFORE (1U << 3) /* BPF_F_BEFORE; without a relative program: at the head of the chain */

static int attach_type(enum link_place place)
{
	return place == LINK_TC_IN ? ATTACH_TCX_INGRESS : place == LINK_TC_OUT ? ATTACH_TCX_EGRESS : BPF_XDP;
}

static unsigned attach_flags(enum link_place place)
{
	if (place == LINK_TC_IN || place == LINK_TC_OUT)
		return ATTACH_BEFORE;
	return place == LINK_XDP_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
}

int link_create(unsigned ifindex, int program, enum link_place place)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = attach_flags(place));

	return bpf_link_create(program, (int)ifindex, (enum bpf_attach_type)attach_type(place), &options);
}
