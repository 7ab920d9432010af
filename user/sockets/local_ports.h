/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local ports that connect() may choose from: net.ipv4.ip_local_port_range without the reserved ones. Both hold for
 * IPv6, too.
 */
#ifndef TCPFIN_LOCAL_PORTS_H
#define TCPFIN_LOCAL_PORTS_H

#include <stdbool.h>
#include <stdint.h>

struct local_ports {
	uint16_t first, last;
	unsigned usable;            /* how many of them are neither reserved nor taken */
	uint64_t taken[65536 / 64]; /* a bit a port: reserved, or a listener's */
};

/* Of this network namespace. False where /proc does not tell them: then there are none. */
bool local_ports_read(struct local_ports *p);
/* From the two files' text. False for a range that is none; what is no list of ports reserves none. */
bool local_ports_parse(struct local_ports *p, const char *range, const char *reserved);
/* connect() passes over this one. */
void local_ports_take(struct local_ports *p, uint16_t port);
/* May connect() choose it? */
bool local_ports_usable(const struct local_ports *p, uint16_t port);
/* Is it in the range, whatever is taken of it? */
bool local_ports_inside(const struct local_ports *p, uint16_t port);

/* The first number of a file below /proc/sys/net/ipv4, or -1. */
long local_setting(const char *name);

#endif
