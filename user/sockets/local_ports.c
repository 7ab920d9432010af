// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /proc/sys/net shows the settings of the reader's own network namespace.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/sockets/local_ports.h"

#define LIST_BYTES (64 * 1024) /* of the list of reserved ports: room for thousands of ranges */

static bool read_setting(const char *name, char *text, size_t size)
{
	char path[128];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, text, size - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	return len >= 0;
}

long local_setting(const char *name)
{
	char text[64], *end;
	long value;

	if (!read_setting(name, text, sizeof(text)))
		return -1;
	value = strtol(text, &end, 10);
	return end == text ? -1 : value;
}

void local_ports_take(struct local_ports *p, uint16_t port)
{
	if (local_ports_usable(p, port))
		p->usable--;
	p->taken[port / 64] |= 1ULL << port % 64;
}

bool local_ports_inside(const struct local_ports *p, uint16_t port)
{
	return p->last && port >= p->first && port <= p->last;
}

bool local_ports_usable(const struct local_ports *p, uint16_t port)
{
	return local_ports_inside(p, port) && !(p->taken[port / 64] >> port % 64 & 1);
}

/* Parses a port at *text and moves *text behind it. False where there is none. */
static bool next_port(const char **text, uint16_t *port)
{
	char *end;
	unsigned long value = strtoul(*text, &end, 10);

	if (end == *text || value > 65535)
		return false;
	*port = (uint16_t)value;
	*text = end;
	return true;
}

/* list: such as "8080,9000-9010" */
static void take_reserved(struct local_ports *p, const char *list)
{
	uint16_t first, last;

	while (next_port(&list, &first)) {
		last = first;
		if (*list == '-') {
			list++;
			if (!next_port(&list, &last))
				return;
		}
		for (unsigned port = first; port <= last; port++)
			local_ports_take(p, (uint16_t)port);
		if (*list != ',')
			return;
		list++;
	}
}

bool local_ports_parse(struct local_ports *p, const char *range, const char *reserved)
{
	uint16_t first, last;

	memset(p, 0, sizeof(*p));
	if (!next_port(&range, &first) || !next_port(&range, &last) || !first || last < first)
		return false;
	p->first = first;
	p->last = last;
	p->usable = last - first + 1u;
	take_reserved(p, reserved);
	return true;
}

bool local_ports_read(struct local_ports *p)
{
	char range[64], *reserved = calloc(1, LIST_BYTES);
	bool known = reserved && read_setting("ip_local_port_range", range, sizeof(range));

	if (known && !read_setting("ip_local_reserved_ports", reserved, LIST_BYTES))
		*reserved = '\0';
	if (!known)
		memset(p, 0, sizeof(*p));
	known = known && local_ports_parse(p, range, reserved);
	free(reserved);
	return known;
}
