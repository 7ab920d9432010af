// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A field is a row: how its value is taken from a record, as bytes, and how those bytes are printed.
 */
#include "user/record/groups.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* ---- values ---- */

/* The end that ended the connection by an RST; NOBODY for other outcomes. */
static enum role resetter(const struct record *r)
{
	bool reset = r->outcome == OUTCOME_RESET || r->outcome == OUTCOME_REFUSED ||
		     r->outcome == OUTCOME_HANDSHAKE_RESET;

	return reset && r->reset.by <= DESTINATION ? r->reset.by : NOBODY;
}

enum role groups_local_end(const struct record *r)
{
	enum role by = resetter(r);

	if (by != NOBODY && socket_process(&r->socket[by]))
		return by;
	for (int role = DESTINATION; role >= SOURCE; role--)
		if (socket_process(&r->socket[role]))
			return (enum role)role;
	for (int role = DESTINATION; role >= SOURCE; role--)
		if (r->socket[role].known)
			return (enum role)role;
	return r->listener.state ? DESTINATION : NOBODY; /* only of addresses of this host */
}

#define INTERFACE_NAME 15 /* bytes, at most: IFNAMSIZ with its NUL */

static size_t take_text(uint8_t *part, const char *text)
{
	size_t len = text ? strnlen(text, GROUP_PART) : 0;

	memcpy(part, text ? text : "", len);
	return len;
}

static size_t take_process(uint8_t *part, const struct record *r)
{
	enum role end = groups_local_end(r);

	return take_text(part, end == NOBODY ? NULL : record_process_name(r, end));
}

/* The end that is on another host. Where this host is both or neither, the client. */
static size_t take_peer(uint8_t *part, const struct record *r)
{
	enum role peer = groups_local_end(r) == SOURCE ? DESTINATION : SOURCE;
	size_t len = r->family == 4 ? 4 : 16;

	memcpy(part, r->end[peer].ip, len);
	return len;
}

static size_t take_port(uint8_t *part, const struct record *r)
{
	memcpy(part, &r->end[DESTINATION].port, sizeof(uint16_t));
	return sizeof(uint16_t);
}

static size_t take_interface(uint8_t *part, const struct record *r)
{
	size_t len = 0;

	if (r->netns) {
		len = strnlen(r->netns, GROUP_PART - 1 - INTERFACE_NAME);
		memcpy(part, r->netns, len);
		part[len++] = '/';
	}
	return len + take_text(part + len, r->interfaces[0]);
}

static size_t take_outcome(uint8_t *part, const struct record *r)
{
	*part = (uint8_t)r->outcome;
	return 1;
}

static size_t take_reason(uint8_t *part, const struct record *r)
{
	return take_text(part, r->reset.reason);
}

/* Of the end that belongs to this host. Where both do, the other one counts if nothing is known of the first. */
static enum role named_end(const struct record *r)
{
	enum role local = groups_local_end(r), end = local == NOBODY ? SOURCE : local;
	bool named = record_unit(r, end) || r->socket[end].names.container;

	return named || local == NOBODY ? end : other_role(end);
}

static size_t take_unit(uint8_t *part, const struct record *r)
{
	return take_text(part, record_unit(r, named_end(r)));
}

static size_t take_container(uint8_t *part, const struct record *r)
{
	return take_text(part, r->socket[named_end(r)].names.container);
}

/* ---- printing ---- */

/* As a string with a NUL. */
static void put_text(char text[GROUP_PART + 1], const uint8_t *part, size_t len)
{
	memcpy(text, part, len);
	text[len] = '\0';
}

static void put_address(char text[GROUP_PART + 1], const uint8_t *part, size_t len)
{
	inet_ntop(len == 4 ? AF_INET : AF_INET6, part, text, GROUP_PART + 1);
}

static void put_port(char text[GROUP_PART + 1], const uint8_t *part, size_t len)
{
	uint16_t port;
	struct buffer b = {0};

	(void)len;
	memcpy(&port, part, sizeof(port));
	buffer_unsigned(&b, port);
	put_text(text, (const uint8_t *)b.data, b.len);
	buffer_free(&b);
}

static void put_outcome(char text[GROUP_PART + 1], const uint8_t *part, size_t len)
{
	const char *name = outcome_name((enum outcome) * part);

	(void)len;
	put_text(text, (const uint8_t *)name, strlen(name));
}

/* ---- the table ---- */

static const struct {
	const char *name, *title;
	unsigned width;
	bool number;
	size_t (*take)(uint8_t *part, const struct record *r); /* returns the length, at most GROUP_PART */
	void (*put)(char text[GROUP_PART + 1], const uint8_t *part, size_t len);
} fields[GROUP_FIELDS] = {
	[GROUP_PROCESS] = {"process", "PROCESS", 15, false, take_process, put_text},
	[GROUP_PEER] = {"peer", "PEER", 15, false, take_peer, put_address},
	[GROUP_PORT] = {"port", "PORT", 7, true, take_port, put_port},
	[GROUP_INTERFACE] = {"interface", "INTERFACE", 10, false, take_interface, put_text},
	[GROUP_OUTCOME] = {"outcome", "OUTCOME", 15, false, take_outcome, put_outcome},
	[GROUP_REASON] = {"reason", "REASON", 22, false, take_reason, put_text},
	[GROUP_UNIT] = {"unit", "UNIT", 24, false, take_unit, put_text},
	[GROUP_CONTAINER] = {"container", "CONTAINER", 20, false, take_container, put_text},
};

const char *group_name(unsigned field)
{
	return fields[field].name;
}

const char *group_title(enum group_field field)
{
	return fields[field].title;
}

unsigned group_width(enum group_field field)
{
	return fields[field].width;
}

bool group_is_number(enum group_field field)
{
	return fields[field].number;
}

/* ---- lists of fields ---- */

static bool add_field(struct groups *g, const char *name, size_t len)
{
	unsigned field = 0;

	while (field < GROUP_FIELDS &&
	       (strlen(fields[field].name) != len || memcmp(fields[field].name, name, len) != 0))
		field++;
	for (unsigned i = 0; i < g->count; i++)
		if (g->field[i] == field)
			return false;
	if (field == GROUP_FIELDS)
		return false;
	g->field[g->count++] = (enum group_field)field;
	return true;
}

int groups_parse(struct groups *g, const char *text)
{
	struct groups list = {0};

	for (;; text++) {
		size_t len = strcspn(text, ",");

		if (!add_field(&list, text, len))
			return -EINVAL;
		text += len;
		if (!*text)
			break;
	}
	*g = list;
	return 0;
}

/* ---- keys ---- */

void groups_key(const struct groups *g, const struct record *r, struct group_key *key)
{
	key->len = 0;
	for (unsigned i = 0; i < g->count; i++) {
		uint8_t *part = key->bytes + key->len;
		size_t len = fields[g->field[i]].take(part + 1, r);

		*part = (uint8_t)len;
		key->len += 1 + len;
	}
}

static bool part_text(const struct groups *g, const uint8_t *key, unsigned n, char text[GROUP_PART + 1])
{
	for (unsigned i = 0; i < n; i++)
		key += 1 + *key;
	if (!*key)
		return false;
	fields[g->field[n]].put(text, key + 1, *key);
	return true;
}

bool groups_text(const struct groups *g, const uint8_t *key, unsigned n, struct buffer *out)
{
	char text[GROUP_PART + 1];

	if (!part_text(g, key, n, text))
		return false;
	buffer_printable(out, text);
	return true;
}

void groups_json(const struct groups *g, const uint8_t *key, unsigned n, struct buffer *out)
{
	char text[GROUP_PART + 1];

	if (!part_text(g, key, n, text))
		buffer_text(out, "null");
	else if (group_is_number(g->field[n]))
		buffer_text(out, text);
	else
		buffer_json_string(out, text);
}
