// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lists are short (FILTER_MAX), so each is searched from its start.
 */
#include "user/base/filter.h"

#include "user/base/address.h"

static bool port_matches(const struct filter_ports *p, uint16_t port)
{
	return port >= p->first && port <= p->last;
}

static bool ports_pass(const struct filter *f, const struct filter_end ends[2])
{
	struct filter_kind kind = {0};

	for (const struct filter_ports *p = f->ports; p < f->ports + f->port_count; p++)
		filter_kind_add(&kind, p->negated, port_matches(p, ends[0].port) || port_matches(p, ends[1].port));
	return filter_kind_passes(&kind);
}

static bool host_matches(const struct filter_host *h, int family, const uint8_t *ip)
{
	return h->family == family && address_prefix_equal(h->ip, ip, h->prefix);
}

static bool hosts_pass(const struct filter *f, int family, const struct filter_end ends[2])
{
	struct filter_kind kind = {0};

	for (const struct filter_host *h = f->hosts; h < f->hosts + f->host_count; h++)
		filter_kind_add(&kind, h->negated,
				host_matches(h, family, ends[0].ip) || host_matches(h, family, ends[1].ip));
	return filter_kind_passes(&kind);
}

bool filter_passes(const struct filter *f, int family, const struct filter_end ends[2])
{
	if (f->family && f->family != family)
		return false;
	return ports_pass(f, ends) && hosts_pass(f, family, ends);
}
