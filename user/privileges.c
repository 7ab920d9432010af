// SPDX-License-Identifier: GPL-2.0
/*
 * CAP_BPF and CAP_NET_ADMIN are enough; CAP_SYS_ADMIN stands in for the first.
 */
#include <stdbool.h>

#include <cap-ng.h>

#include "log.h"
#include "options.h"
#include "privileges.h"

static bool capable(unsigned capability)
{
	return capng_have_capability(CAPNG_EFFECTIVE, capability);
}

int privileges_check(void)
{
	bool bpf, net_admin;

	capng_get_caps_process();
	bpf = capable(CAP_BPF) || capable(CAP_SYS_ADMIN);
	net_admin = capable(CAP_NET_ADMIN);
	if (bpf && net_admin)
		return EXIT_FINE;
	log_error("live watching needs %s%s%s: run it with sudo, or read a capture with -r", bpf ? "" : "CAP_BPF",
		  bpf || net_admin ? "" : " and ", net_admin ? "" : "CAP_NET_ADMIN");
	return EXIT_PERMISSION;
}
