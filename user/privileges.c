// SPDX-License-Identifier: GPL-2.0
/*
 * CAP_BPF and CAP_NET_ADMIN load and attach; without CAP_PERFMON the verifier refuses the flow tables' variable offsets.
 * CAP_SYS_ADMIN stands in for the first and the last.
 */
#include <stdbool.h>

#include <cap-ng.h>

#include "buffer.h"
#include "log.h"
#include "options.h"
#include "privileges.h"

static bool capable(unsigned capability)
{
	return capng_have_capability(CAPNG_EFFECTIVE, capability);
}

int privileges_check(void)
{
	static const struct {
		unsigned capability;
		const char *name;
		bool admin; /* CAP_SYS_ADMIN implies it */
	} needed[] = {{CAP_BPF, "CAP_BPF", true}, {CAP_PERFMON, "CAP_PERFMON", true}, {CAP_NET_ADMIN, "CAP_NET_ADMIN", false}};
	struct buffer missing = {};

	capng_get_caps_process();
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (capable(needed[i].capability) || (needed[i].admin && capable(CAP_SYS_ADMIN)))
			continue;
		buffer_text(&missing, missing.len ? ", " : "");
		buffer_text(&missing, needed[i].name);
	}
	if (!missing.len)
		return EXIT_FINE;
	buffer_char(&missing, 0);
	log_error("live watching needs %s: run it with sudo, or read a capture with -r", missing.data);
	buffer_free(&missing);
	return EXIT_PERMISSION;
}
