/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pairs of ends are of interest. A pair passes if every kind of filter given lets it pass. A kind lets it pass if
 * one of its values matches either end, or none was given, and no negated value matches either end.
 */
#ifndef TCPFIN_FILTER_H
#define TCPFIN_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#define FILTER_MAX 16 /* values of a kind */

struct filter {
	int family; /* 4 or 6; 0: both */
	struct filter_ports {
		uint16_t first, last; /* host byte order; of either end */
		bool negated;
	} ports[FILTER_MAX];
	unsigned port_count;
	struct filter_host {
		uint8_t ip[16];  /* network byte order; IPv4 uses the first four */
		int family;      /* 4 or 6 */
		unsigned prefix; /* bits */
		bool negated;
	} hosts[FILTER_MAX]; /* ADDRESS or ADDRESS/PREFIX of either end */
	unsigned host_count;
};

struct filter_end {
	const uint8_t *ip; /* network byte order; 4 bytes or 16, by the family */
	uint16_t port;     /* host byte order */
};

/* Does a connection between these ends pass? family: 4 or 6. */
bool filter_passes(const struct filter *f, int family, const struct filter_end ends[2]);

/* The rule for the values of a kind, as they are looked at one after another; starts as {0}. */
struct filter_kind {
	bool wanted;   /* a value that is not negated was given */
	bool matched;  /* one of those matches */
	bool excluded; /* a negated one matches */
};

static inline void filter_kind_add(struct filter_kind *k, bool negated, bool matches)
{
	k->wanted |= !negated;
	k->matched |= !negated && matches;
	k->excluded |= negated && matches;
}

static inline bool filter_kind_passes(const struct filter_kind *k)
{
	return !k->excluded && (k->matched || !k->wanted);
}

#endif
