// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A block's length stands before and behind its body; it is put in when the body is there.
 */
#include "user/flight/pcapng_writer.h"

#include "user/base/pcapng_format.h"

#define LONGEST_NAME 255
#define NANOSECONDS 9 /* if_tsresol: a power of ten */

static void put16(struct buffer *b, uint16_t n)
{
	buffer_bytes(b, &n, sizeof(n));
}

static void put32(struct buffer *b, uint32_t n)
{
	buffer_bytes(b, &n, sizeof(n));
}

static void put_padded(struct buffer *b, const void *bytes, size_t len)
{
	static const char zeroes[3];

	buffer_bytes(b, bytes, len);
	buffer_bytes(b, zeroes, -len & 3);
}

static size_t begin_block(struct buffer *b, uint32_t type)
{
	size_t start = b->len;

	put32(b, type);
	put32(b, 0);
	return start;
}

static void end_block(struct buffer *b, size_t start)
{
	uint32_t length = (uint32_t)(b->len - start) + 4;

	put32(b, length);
	memcpy(b->data + start + 4, &length, sizeof(length));
}

static void put_option(struct buffer *b, uint16_t code, const void *value, size_t len)
{
	put16(b, code);
	put16(b, (uint16_t)len);
	put_padded(b, value, len);
}

/* A length that ends where a character of UTF-8 does. */
static size_t whole_characters(const char *text, size_t len)
{
	while (len && (text[len] & 0xc0) == 0x80)
		len--;
	return len;
}

static void put_text(struct buffer *b, uint16_t code, const char *text, size_t most)
{
	size_t len = strlen(text);

	put_option(b, code, text, len <= most ? len : whole_characters(text, most));
}

static void end_options(struct buffer *b)
{
	put_option(b, PCAPNG_END, "", 0);
}

void pcapng_put_section(struct buffer *b, const char *program, const char *comment)
{
	const uint64_t length = UINT64_MAX; /* not told: it ends with the file */
	size_t start = begin_block(b, PCAPNG_SECTION);

	put32(b, PCAPNG_BYTE_ORDER);
	put16(b, 1);
	put16(b, 0);
	buffer_bytes(b, &length, sizeof(length));
	put_text(b, PCAPNG_SECTION_PROGRAM, program, PCAPNG_LONGEST_COMMENT);
	put_text(b, PCAPNG_COMMENT, comment, PCAPNG_LONGEST_COMMENT);
	end_options(b);
	end_block(b, start);
}

void pcapng_put_interface(struct buffer *b, const struct pcapng_interface_block *i)
{
	const uint8_t resolution = NANOSECONDS;
	size_t start = begin_block(b, PCAPNG_INTERFACE);

	put16(b, (uint16_t)i->link);
	put16(b, 0);
	put32(b, i->snaplen);
	if (i->name && *i->name)
		put_text(b, PCAPNG_INTERFACE_NAME, i->name, LONGEST_NAME);
	if (i->closes_only)
		put_text(b, PCAPNG_INTERFACE_DESCRIPTION, PCAPNG_CLOSES_ONLY, LONGEST_NAME);
	put_option(b, PCAPNG_INTERFACE_RESOLUTION, &resolution, sizeof(resolution));
	end_options(b);
	end_block(b, start);
}

void pcapng_put_statistics(struct buffer *b, uint32_t interface, uint64_t end)
{
	const uint32_t stamp[2] = {(uint32_t)(end >> 32), (uint32_t)end};
	size_t start = begin_block(b, PCAPNG_STATISTICS);

	put32(b, interface);
	buffer_bytes(b, stamp, sizeof(stamp));
	put_option(b, PCAPNG_STATISTICS_END, stamp, sizeof(stamp));
	end_options(b);
	end_block(b, start);
}

static void put_packet_options(struct buffer *b, const struct pcapng_packet_block *p)
{
	const uint32_t flags = p->direction;

	if (p->comment)
		put_text(b, PCAPNG_COMMENT, p->comment, PCAPNG_LONGEST_COMMENT);
	if (flags)
		put_option(b, PCAPNG_PACKET_FLAGS, &flags, sizeof(flags));
	if (p->comment || flags)
		end_options(b);
}

void pcapng_put_packet(struct buffer *b, const struct pcapng_packet_block *p)
{
	size_t start = begin_block(b, PCAPNG_ENHANCED_PACKET);

	put32(b, p->interface);
	put32(b, (uint32_t)(p->time >> 32));
	put32(b, (uint32_t)p->time);
	put32(b, p->captured);
	put32(b, p->length);
	put_padded(b, p->bytes, p->captured);
	put_packet_options(b, p);
	end_block(b, start);
}
