// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lists are short (FILTER_MAX), so each is searched from its start.
 */
#include "user/base/filter.h"

#include <string.h>

/* Are the first `bits` bits the same? */
static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	if (memcmp(a, b, bytes) != 0)
		return false;
	return !rest || !((a[bytes] ^ b[bytes]) >> (8 - rest));
}

static bool ports_pass(const struct filter *f, const struct filter_end ends[2])
{
	for (unsigned i = 0; i < f->port_count; i++)
		if (f->ports[i] == ends[0].port || f->ports[i] == ends[1].port)
			return true;
	return !f->port_count;
}

static bool hosts_pass(const struct filter *f, int family, const struct filter_end ends[2])
{
	for (unsigned i = 0; i < f->host_count; i++) {
		unsigned prefix = f->hosts[i].prefix;

		if (f->hosts[i].family != family)
			continue;
		if (prefix_equal(f->hosts[i].ip, ends[0].ip, prefix) ||
		    prefix_equal(f->hosts[i].ip, ends[1].ip, prefix))
			return true;
	}
	return !f->host_count;
}

bool filter_passes_ends(const struct filter *f, int family, const struct filter_end ends[2])
{
	if (f->family && f->family != family)
		return false;
	return ports_pass(f, ends) && hosts_pass(f, family, ends);
}

bool filter_passes(const struct filter *f, unsigned outcome, int family, const struct filter_end ends[2])
{
	if (f->outcomes && !(f->outcomes & 1u << outcome))
		return false;
	return filter_passes_ends(f, family, ends);
}
