/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local ports that connect() may choose from: net.ipv4.ip_local_port_range without ip_local_reserved_ports. Both
 * settings also apply to IPv6. Ports are in host byte order.
 */
#ifndef TCPFIN_LOCAL_PORTS_H
#define TCPFIN_LOCAL_PORTS_H

#include <stdbool.h>
#include <stdint.h>

struct local_ports {
	uint16_t first, last;
	unsigned usable;            /* how many of the range are neither reserved nor taken */
	uint64_t taken[65536 / 64]; /* a bit a port: reserved, or a listener's */
};

/* Reads the range of this network namespace. False where /proc does not have it: the range is empty then. */
bool local_ports_read(struct local_ports *p);
/* Parses the text of the two settings. False if `range` is no range; a list that cannot be parsed reserves no ports. */
bool local_ports_parse(struct local_ports *p, const char *range, const char *reserved);
/* Takes a port out of those that connect() may choose. */
void local_ports_take(struct local_ports *p, uint16_t port);
/* May connect() choose this port? */
bool local_ports_usable(const struct local_ports *p, uint16_t port);
/* Is the port in the range, taken or not? */
bool local_ports_inside(const struct local_ports *p, uint16_t port);

/* The first number in /proc/sys/net/ipv4/NAME, or -1. */
long local_setting(const char *name);

#endif
