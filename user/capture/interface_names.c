// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names are compared when a packet is of another interface than those before it; a small cache remembers the number of
 * each interface that packets come from.
 */
#include "user/capture/interface_names.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_NAMES 1023 /* with so many, a look through all takes few us */
#define CACHED 256      /* a power of two */

/* What tells interfaces apart within the files: SLL2's index, else the number of pcapng's block. */
struct cached {
	bool known;
	unsigned file;
	uint32_t ifindex, interface;
	uint16_t number;
};

struct interface_names {
	unsigned count;
	char *name[MOST_NAMES];
	struct cached cache[CACHED];
};

struct interface_names *interface_names_new(void)
{
	return calloc(1, sizeof(struct interface_names));
}

void interface_names_free(struct interface_names *names)
{
	for (unsigned i = 0; names && i < names->count; i++)
		free(names->name[i]);
	free(names);
}

static unsigned place_of(const struct captured_packet *p)
{
	return ((p->ifindex ^ p->interface * 31 ^ p->file * 131) * 0x9e3779b1u >> 16) & (CACHED - 1);
}

uint16_t interface_names_known(const struct interface_names *names, const struct captured_packet *p)
{
	const struct cached *c = &names->cache[place_of(p)];

	if (!c->known || c->file != p->file || c->ifindex != p->ifindex || c->interface != p->interface)
		return INTERFACE_NOT_KNOWN;
	return c->number;
}

/* The number of the name, which is added if it is new and there is room; else 0. */
static uint16_t number_of(struct interface_names *names, const char *name)
{
	unsigned i = 0;

	while (i < names->count && strcmp(names->name[i], name) != 0)
		i++;
	if (i < names->count)
		return (uint16_t)(i + 1);
	if (i == MOST_NAMES)
		return 0;
	names->name[i] = strdup(name);
	if (!names->name[i])
		return 0;
	return (uint16_t)++names->count;
}

uint16_t interface_names_add(struct interface_names *names, const struct captured_packet *p, const char *name)
{
	struct cached *c = &names->cache[place_of(p)];
	char index[16];

	if (p->ifindex) {
		snprintf(index, sizeof(index), "#%u", p->ifindex);
		name = index;
	}
	*c = (struct cached){.known = true, .file = p->file, .ifindex = p->ifindex, .interface = p->interface};
	c->number = name && *name ? number_of(names, name) : 0;
	return c->number;
}

unsigned interface_names_count(const struct interface_names *names)
{
	return names->count;
}

const char *interface_names_get(const struct interface_names *names, uint16_t number)
{
	return names->name[number - 1];
}
