// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A file header of 24 bytes, then packets: a header of 16 bytes (seconds, fraction, captured length, length) and the
 * captured bytes.
 */
#include <errno.h>

#include "user/base/clock.h"
#include "user/capture/classic_pcap.h"
#include "user/capture/link_header.h"

#define FILE_HEADER 24

static const struct form {
	uint32_t magic, tick, header_len;
} forms[] = {
	{0xa1b2c3d4, 1000, 16},
	{0xa1b23c4d, 1, 16},
	{0xa1b2cd34, 1000, 24}, /* Kuznetzov's: interface, protocol and packet type follow the lengths */
};

static const struct form *find_form(uint32_t magic)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (forms[i].magic == magic)
			return &forms[i];
	return NULL;
}

bool classic_pcap_begins(const uint8_t *head)
{
	return find_form(ordered32(head, false)) || find_form(ordered32(head, true));
}

static void learn_form(struct classic_pcap *c, const uint8_t *head)
{
	const struct form *form = find_form(ordered32(head, false));

	c->swapped = !form;
	if (!form)
		form = find_form(ordered32(head, true));
	c->tick = form->tick;
	c->header_len = form->header_len;
}

/*
 * Before version 2.3 the two lengths stood in the other order, and so they did in some files that call themselves 2.3.
 * 543.0 is a tcpdump of DG/UX, with the old order. False: no such version.
 */
static bool learn_lengths(struct classic_pcap *c, unsigned major, unsigned minor)
{
	if (major == 543 && minor == 0)
		c->lengths = CAPTURED_SECOND;
	else if (major != 2 || minor > 4)
		return false;
	else
		c->lengths = minor == 4 ? CAPTURED_FIRST : minor == 3 ? CAPTURED_SMALLER : CAPTURED_SECOND;
	return true;
}

/* Where no sane length is told, any is. With Kuznetzov's header, Ethernet's 14 bytes come in addition. */
static void learn_snaplen(struct classic_pcap *c, uint32_t snaplen, uint32_t link)
{
	c->snaplen = snaplen && snaplen <= INT32_MAX ? snaplen : CLASSIC_LONGEST;
	if (c->header_len == 24 && link == 1)
		c->snaplen += 14;
}

int classic_pcap_start(struct classic_pcap *c, struct input_file *in)
{
	int got = input_file_need(in, FILE_HEADER, "the file header");
	unsigned major, minor;
	uint32_t link;

	if (got < 0)
		return got;
	learn_form(c, in->pos);
	major = ordered16(in->pos + 4, c->swapped);
	minor = ordered16(in->pos + 6, c->swapped);
	if (!learn_lengths(c, major, minor))
		return input_file_refuse(in, -EBADMSG, "version %u.%u of the pcap format is unknown", major, minor);
	link = ordered32(in->pos + 20, c->swapped) & 0x03ffffff; /* above: length of a frame check sequence */
	learn_snaplen(c, ordered32(in->pos + 16, c->swapped), link);
	in->pos += FILE_HEADER;
	c->link_type = link_type_find(link);
	return c->link_type ? 0 : link_type_refuse(in, link);
}

/* Seconds are unsigned. A fraction of a second or more, which no clock shows, must not become another second. */
static uint64_t packet_time(const struct classic_pcap *c, const uint8_t *header)
{
	uint64_t fraction = (uint64_t)ordered32(header + 4, c->swapped) * c->tick;

	if (fraction >= SECOND_NS)
		fraction = SECOND_NS - 1;
	return ordered32(header, c->swapped) * (uint64_t)SECOND_NS + fraction;
}

/* The two lengths of a packet's header. */
static void read_lengths(const struct classic_pcap *c, const uint8_t *header, uint32_t *captured, uint32_t *length)
{
	uint32_t first = ordered32(header + 8, c->swapped), second = ordered32(header + 12, c->swapped);
	bool other = c->lengths == CAPTURED_SECOND || (c->lengths == CAPTURED_SMALLER && first > second);

	*captured = other ? second : first;
	*length = other ? first : second;
}

int classic_pcap_next(const struct classic_pcap *c, struct input_file *in, struct captured_packet *p)
{
	int got = input_file_need(in, c->header_len, "a packet's header");
	uint32_t captured, length, held;

	if (got <= 0)
		return got;
	read_lengths(c, in->pos, &captured, &length);
	if (captured > CLASSIC_LONGEST)
		return input_file_refuse(in, -EBADMSG, "broken: a packet's captured length is %u, bigger than %u",
					 captured, CLASSIC_LONGEST);
	got = input_file_need(in, (size_t)c->header_len + captured, "a packet");
	if (got <= 0)
		return got;
	held = captured < c->snaplen ? captured : c->snaplen;
	p->time = packet_time(c, in->pos);
	p->bytes.pos = in->pos + c->header_len;
	p->bytes.end = p->bytes.pos + (held < length ? held : length);
	p->meta.wire_len = length;
	p->interface = 0;
	p->closes_only = false;
	p->link_type = c->link_type;
	in->pos += c->header_len + captured;
	return 1;
}
