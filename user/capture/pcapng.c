// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A block is: type, total length, body, total length again. One block at a time lies whole in the input's buffer, and
 * its body is read through a cursor, which checks each bound.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "user/base/clock.h"
#include "user/base/pcapng_format.h"
#include "user/capture/link_header.h"
#include "user/capture/pcapng.h"

#define LARGEST_BLOCK (16u << 20) /* as libpcap has it */
#define MOST_INTERFACES 65536     /* with names, 20 MB */
#define LONGEST_NAME 255          /* what a file has more of a name is cut off */

struct pcapng_interface {
	const struct link_type *link_type; /* NULL: not read */
	uint32_t link, snaplen;            /* snaplen 0: no limit */
	uint64_t units;                    /* of time stamps, a second */
	uint64_t unit_ns;                  /* ns in a unit, 0 where that is no whole number */
	int64_t offset;                    /* seconds to add to each time stamp */
	char *name;
	bool closes_only; /* see PCAPNG_CLOSES_ONLY */
};

struct block {
	uint32_t type;
	struct cursor body;
};

/* A packet block's numbers, the same for all kinds. */
struct packet_head {
	uint32_t interface; /* in its section */
	uint64_t stamp;     /* in the interface's units */
	uint32_t captured, length;
};

bool pcapng_begins(const uint8_t *head)
{
	return ordered32(head, false) == PCAPNG_SECTION;
}

/* ---- blocks ---- */

/* A section's byte order, from its magic number. False: it has none. */
static bool learn_order(struct pcapng *ng, const uint8_t *magic)
{
	ng->swapped = ordered32(magic, true) == PCAPNG_BYTE_ORDER;
	return ng->swapped || ordered32(magic, false) == PCAPNG_BYTE_ORDER;
}

/* 0 where a block can have that total length. Padding makes each a multiple of four. */
static int check_length(struct input_file *in, uint32_t length)
{
	if (length < PCAPNG_LEAST_BLOCK)
		return input_file_refuse(in, -EBADMSG, "broken: a block's length is %u, less than %u", length,
					 PCAPNG_LEAST_BLOCK);
	if (length % 4)
		return input_file_refuse(in, -EBADMSG, "broken: a block's length is %u, no multiple of 4", length);
	if (length > LARGEST_BLOCK)
		return input_file_refuse(in, -EBADMSG, "a block's length is %u, bigger than %u", length, LARGEST_BLOCK);
	return 0;
}

/* Takes the next block: 1, 0 at the end of the file, or a negative errno. */
static int next_block(struct pcapng *ng, struct input_file *in, struct block *block)
{
	int got = input_file_need(in, PCAPNG_LEAST_BLOCK, "a block");
	uint32_t length, trailer;

	if (got <= 0)
		return got;
	block->type = ordered32(in->pos, ng->swapped);
	if (block->type == PCAPNG_SECTION && !learn_order(ng, in->pos + 8))
		return input_file_refuse(in, -EBADMSG, "broken: a section without a byte order");
	length = ordered32(in->pos + 4, ng->swapped);
	got = check_length(in, length);
	if (!got)
		got = input_file_need(in, length, "a block");
	if (got <= 0)
		return got;
	trailer = ordered32(in->pos + length - 4, ng->swapped);
	if (trailer != length)
		return input_file_refuse(in, -EBADMSG, "broken: a block's length is %u, and %u at its end", length,
					 trailer);
	block->body.pos = in->pos + 8;
	block->body.end = in->pos + length - 4;
	in->pos += length;
	return 1;
}

static int short_block(struct input_file *in, const char *what)
{
	return input_file_refuse(in, -EBADMSG, "broken: %s is too short for what it says", what);
}

/* A section begins: its interfaces are numbered from 0 again. */
static int take_section(struct pcapng *ng, struct input_file *in, struct block *block)
{
	const uint8_t *head; /* byte order, version, length of the section */
	unsigned major, minor;

	if (!cursor_pull(&block->body, 16, &head))
		return short_block(in, "a section's header");
	major = ordered16(head + 4, ng->swapped);
	minor = ordered16(head + 6, ng->swapped);
	if (major != 1 || (minor != 0 && minor != 2)) /* 1.2 is what some writers call 1.0 */
		return input_file_refuse(in, -EBADMSG, "version %u.%u of the pcapng format is unknown", major, minor);
	ng->section = ng->count;
	return 0;
}

int pcapng_start(struct pcapng *ng, struct input_file *in)
{
	struct block block;
	int got = next_block(ng, in, &block);

	return got < 0 ? got : take_section(ng, in, &block);
}

/* ---- options ---- */

/* Each option is a code, a length and so many bytes, padded to a multiple of four. The list may lack its end. */
struct option {
	unsigned code, len;
	const uint8_t *value;
};

/* The next option: 1, 0 at the end, or -EBADMSG with the reason in `in`. what: has the options. */
static int next_option(const struct pcapng *ng, struct input_file *in, struct cursor *c, const char *what,
		       struct option *o)
{
	const uint8_t *head;

	*o = (struct option){0};
	if (!cursor_pull(c, 4, &head))
		return 0;
	o->code = ordered16(head, ng->swapped);
	o->len = ordered16(head + 2, ng->swapped);
	if (o->code == PCAPNG_END)
		return 0;
	return cursor_pull(c, (o->len + 3) & ~3u, &o->value) ? 1 : short_block(in, what);
}

/* ---- interfaces ---- */

/* if_tsresol: units of 10^-n seconds, or of 2^-n with the top bit set. False where 64 bits are too few for it. */
static bool set_resolution(struct pcapng_interface *i, uint8_t resolution)
{
	unsigned n = resolution & 0x7f;

	if (n > (resolution & 0x80 ? 63 : 19))
		return false;
	i->units = resolution & 0x80 ? 1ULL << n : 1;
	for (; !(resolution & 0x80) && n; n--)
		i->units *= 10;
	i->unit_ns = SECOND_NS % i->units ? 0 : SECOND_NS / i->units;
	return true;
}

static bool set_name(struct pcapng_interface *i, const uint8_t *name, size_t len)
{
	free(i->name);
	i->name = strndup((const char *)name, len < LONGEST_NAME ? len : LONGEST_NAME);
	return i->name;
}

static int take_option(const struct pcapng *ng, struct input_file *in, struct pcapng_interface *i, unsigned code,
		       const uint8_t *value, unsigned len)
{
	if (code == PCAPNG_INTERFACE_RESOLUTION && (len != 1 || !set_resolution(i, *value)))
		return input_file_refuse(in, -EBADMSG, "broken: the time stamp resolution of interface %u", ng->count);
	if (code == PCAPNG_INTERFACE_OFFSET && len != 8)
		return input_file_refuse(in, -EBADMSG, "broken: the time stamp offset of interface %u", ng->count);
	if (code == PCAPNG_INTERFACE_OFFSET)
		i->offset = (int64_t)ordered64(value, ng->swapped);
	if (code == PCAPNG_INTERFACE_DESCRIPTION)
		i->closes_only = len == strlen(PCAPNG_CLOSES_ONLY) && !memcmp(value, PCAPNG_CLOSES_ONLY, len);
	if (code == PCAPNG_INTERFACE_NAME && !set_name(i, value, len))
		return input_file_refuse(in, -ENOMEM, "no memory for an interface's name");
	return 0;
}

static int take_options(const struct pcapng *ng, struct input_file *in, struct pcapng_interface *i, struct cursor *c)
{
	struct option o;
	int got, err = 0;

	while (!err && (got = next_option(ng, in, c, "an interface's option", &o))) {
		if (got < 0)
			return got;
		err = take_option(ng, in, i, o.code, o.value, o.len);
	}
	return err;
}

/* Place for one interface more. 0 or a negative errno. */
static int grow_interfaces(struct pcapng *ng, struct input_file *in)
{
	uint32_t room = ng->room ? 2 * ng->room : 4;
	struct pcapng_interface *larger;

	if (ng->count == MOST_INTERFACES)
		return input_file_refuse(in, -EBADMSG, "more than %u interfaces", MOST_INTERFACES);
	if (ng->count < ng->room)
		return 0;
	larger = reallocarray(ng->interfaces, room, sizeof(*larger));
	if (!larger)
		return input_file_refuse(in, -ENOMEM, "no memory for %u interfaces", room);
	ng->interfaces = larger;
	ng->room = room;
	return 0;
}

static int take_interface(struct pcapng *ng, struct input_file *in, struct block *block)
{
	struct pcapng_interface i = {.units = 1000000, .unit_ns = 1000};
	const uint8_t *head; /* link type, two unused bytes, snap length */
	int err;

	if (!cursor_pull(&block->body, 8, &head))
		return short_block(in, "an interface's block");
	i.link = ordered16(head, ng->swapped);
	i.snaplen = ordered32(head + 4, ng->swapped);
	i.link_type = link_type_find(i.link);
	err = grow_interfaces(ng, in);
	if (!err)
		err = take_options(ng, in, &i, &block->body);
	if (err) {
		free(i.name);
		return err;
	}
	ng->interfaces[ng->count++] = i;
	ng->readable = ng->readable || i.link_type;
	return 0;
}

const char *pcapng_interface_name(const struct pcapng *ng, uint32_t interface)
{
	return interface < ng->count ? ng->interfaces[interface].name : NULL;
}

void pcapng_describe_interface(const struct pcapng *ng, uint32_t interface, uint32_t *link, uint32_t *snaplen)
{
	*link = ng->interfaces[interface].link;
	*snaplen = ng->interfaces[interface].snaplen;
}

static uint64_t unread_packets(const struct pcapng *ng)
{
	uint64_t packets = ng->unread_others;

	for (uint32_t i = 0; i < ng->unread_links; i++)
		packets += ng->unread[i].packets;
	return packets;
}

/* Appends to text, which has `size` bytes and may be full. Returns its length. */
__attribute__((format(printf, 4, 5))) static size_t append(char *text, size_t size, size_t len, const char *format, ...)
{
	va_list arguments;
	int added = 0;

	va_start(arguments, format);
	if (len < size)
		added = vsnprintf(text + len, size - len, format, arguments);
	va_end(arguments);
	return len + (added > 0 ? (size_t)added : 0);
}

uint64_t pcapng_describe_unread(const struct pcapng *ng, char *text, size_t size)
{
	uint64_t packets = unread_packets(ng);
	size_t len = append(text, size, 0, "%" PRIu64 " packets were not looked at: ", packets);
	char link[128];

	for (uint32_t i = 0; i < ng->unread_links; i++) {
		link_type_describe(ng->unread[i].link, link, sizeof(link));
		if (ng->unread_links > 1)
			len = append(text, size, len, "%s%" PRIu64 " of ", i ? ", " : "", ng->unread[i].packets);
		len = append(text, size, len, "%s", link);
	}
	if (ng->unread_others)
		len = append(text, size, len, ", %" PRIu64 " of others", ng->unread_others);
	append(text, size, len, ng->unread_links > 1 ? "; these are not supported" : " is not supported");
	return packets;
}

void pcapng_free(struct pcapng *ng)
{
	for (uint32_t i = 0; i < ng->count; i++)
		free(ng->interfaces[i].name);
	free(ng->interfaces);
}

/* ---- packets ---- */

/*
 * A time stamp as ns since 1970. 64 bits of seconds and an offset reach further than 64 bits of ns: what is before or
 * behind those is held at their first or last second.
 */
static uint64_t stamp_ns(const struct pcapng_interface *i, uint64_t stamp)
{
	static const uint64_t last_second = UINT64_MAX / SECOND_NS - 1;
	__int128 second = (__int128)(stamp / i->units) + i->offset;
	unsigned __int128 fraction = (unsigned __int128)(stamp % i->units) * SECOND_NS / i->units;

	if (second < 0)
		return 0;
	if (second > last_second)
		return last_second * SECOND_NS;
	return (uint64_t)second * SECOND_NS + (uint64_t)fraction;
}

/* The common case of stamp_ns without its divisions: whole ns a unit, no offset, before the year 2500. */
static uint64_t packet_time(const struct pcapng_interface *i, uint64_t stamp)
{
	static const uint64_t common = (uint64_t)1 << 63;

	if (i->unit_ns && !i->offset && stamp < common / i->unit_ns)
		return stamp * i->unit_ns;
	return stamp_ns(i, stamp);
}

/* The numbers of an enhanced packet block, or of the obsolete one that has a count of drops beside the interface. */
static bool pull_long_head(struct cursor *c, bool swapped, bool enhanced, struct packet_head *h)
{
	const uint8_t *head;

	if (!cursor_pull(c, 20, &head))
		return false;
	h->interface = enhanced ? ordered32(head, swapped) : ordered16(head, swapped);
	h->stamp = (uint64_t)ordered32(head + 4, swapped) << 32 | ordered32(head + 8, swapped);
	h->captured = ordered32(head + 12, swapped);
	h->length = ordered32(head + 16, swapped);
	return true;
}

/* A simple packet block has its length only: it comes from the first interface, which may limit it, and has no time. */
static bool pull_simple_head(struct cursor *c, bool swapped, struct packet_head *h)
{
	const uint8_t *head;

	if (!cursor_pull(c, 4, &head))
		return false;
	*h = (struct packet_head){.length = ordered32(head, swapped)};
	h->captured = h->length;
	return true;
}

static bool pull_head(struct block *block, bool swapped, struct packet_head *h)
{
	if (block->type == PCAPNG_SIMPLE_PACKET)
		return pull_simple_head(&block->body, swapped, h);
	return pull_long_head(&block->body, swapped, block->type == PCAPNG_ENHANCED_PACKET, h);
}

static void count_unread(struct pcapng *ng, uint32_t link)
{
	uint32_t i = 0;

	while (i < ng->unread_links && ng->unread[i].link != link)
		i++;
	if (i == PCAPNG_UNREAD_LINKS) {
		ng->unread_others++;
		return;
	}
	if (i == ng->unread_links)
		ng->unread[ng->unread_links++] = (struct pcapng_unread){.link = link};
	ng->unread[i].packets++;
}

/* Where the link type of a packet is not read: passes it on, counted, if other packets can be read. */
static int take_unread(struct pcapng *ng, struct input_file *in, uint32_t link, struct captured_packet *p)
{
	if (!ng->readable)
		return link_type_refuse(in, link);
	count_unread(ng, link);
	p->link_type = link_type_unread();
	return 1;
}

static void set_packet(struct captured_packet *p, const struct pcapng_interface *i, const struct packet_head *h,
		       const uint8_t *bytes)
{
	p->time = packet_time(i, h->stamp);
	p->bytes.pos = bytes;
	p->bytes.end = bytes + (h->captured < h->length ? h->captured : h->length);
	p->meta.wire_len = h->length;
	p->link_type = i->link_type;
	p->closes_only = i->closes_only;
}

/* An interface's statistics tell when its capture ended. What is wrong with them is passed over. */
static int take_statistics(struct pcapng *ng, struct input_file *in, struct block *block)
{
	const uint8_t *head; /* interface, time stamp */
	const struct pcapng_interface *i;
	struct option o;
	uint64_t end;

	if (!cursor_pull(&block->body, 12, &head) || ordered32(head, ng->swapped) >= ng->count - ng->section)
		return 0;
	i = &ng->interfaces[ng->section + ordered32(head, ng->swapped)];
	while (next_option(ng, in, &block->body, "an interface's statistics", &o) > 0) {
		if (o.code != PCAPNG_STATISTICS_END || o.len != 8)
			continue;
		end = packet_time(i, (uint64_t)ordered32(o.value, ng->swapped) << 32 |
					     ordered32(o.value + 4, ng->swapped));
		ng->end = end > ng->end ? end : ng->end;
	}
	return 0;
}

static int take_packet(struct pcapng *ng, struct input_file *in, struct block *block, struct captured_packet *p)
{
	uint32_t described = ng->count - ng->section;
	const struct pcapng_interface *i;
	struct packet_head h;

	if (!pull_head(block, ng->swapped, &h))
		return short_block(in, "a packet's block");
	if (h.interface >= described)
		return input_file_refuse(in, -EBADMSG, "broken: a packet of interface %u, where %u are described",
					 h.interface, described);
	p->interface = ng->section + h.interface;
	i = &ng->interfaces[p->interface];
	if (block->type == PCAPNG_SIMPLE_PACKET && i->snaplen && h.captured > i->snaplen)
		h.captured = i->snaplen;
	if (!cursor_has(&block->body, h.captured))
		return short_block(in, "a packet's block");
	set_packet(p, i, &h, block->body.pos);
	return p->link_type ? 1 : take_unread(ng, in, i->link, p);
}

/* 1 where the block was a packet's, 0 where it was not, or a negative errno. */
static int take_block(struct pcapng *ng, struct input_file *in, struct block *block, struct captured_packet *p)
{
	switch (block->type) {
	case PCAPNG_ENHANCED_PACKET:
	case PCAPNG_SIMPLE_PACKET:
	case PCAPNG_OLD_PACKET:
		return take_packet(ng, in, block, p);
	case PCAPNG_INTERFACE:
		return take_interface(ng, in, block);
	case PCAPNG_STATISTICS:
		return take_statistics(ng, in, block);
	case PCAPNG_SECTION:
		return take_section(ng, in, block);
	}
	return 0;
}

int pcapng_next(struct pcapng *ng, struct input_file *in, struct captured_packet *p)
{
	struct block block;
	int got;

	do {
		got = next_block(ng, in, &block);
		if (!got && ng->count && !ng->readable)
			return link_type_refuse(in, ng->interfaces[0].link);
		if (got <= 0)
			return got;
		got = take_block(ng, in, &block, p);
	} while (!got);
	return got;
}
