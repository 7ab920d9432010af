/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which connections are reported. A connection passes if every kind of filter given lets it pass; a kind lets it pass
 * if one of its values matches either end. An empty list or mask lets everything pass.
 */
#ifndef TCPFIN_FILTER_H
#define TCPFIN_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#define FILTER_MAX 16 /* values of a kind */

struct filter {
	int family;                 /* 4 or 6; 0: both */
	uint16_t ports[FILTER_MAX]; /* host byte order; of either end */
	unsigned port_count;
	struct {
		uint8_t ip[16];  /* network byte order; IPv4 uses the first four */
		int family;      /* 4 or 6 */
		unsigned prefix; /* bits */
	} hosts[FILTER_MAX];     /* ADDRESS or ADDRESS/PREFIX of either end */
	unsigned host_count;
	uint32_t outcomes; /* bits 1 << enum outcome; 0: all */
};

struct filter_end {
	const uint8_t *ip; /* network byte order; 4 bytes or 16, by the family */
	uint16_t port;     /* host byte order */
};

/* Does a connection of that enum outcome between these ends pass? family: 4 or 6. */
bool filter_passes(const struct filter *f, unsigned outcome, int family, const struct filter_end ends[2]);
/* Does a connection between these ends pass, whatever its outcome? */
bool filter_passes_ends(const struct filter *f, int family, const struct filter_end ends[2]);

#endif
