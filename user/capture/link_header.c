// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A row for each link type, with the function that reads its header. A new link type is a new row.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include <pcap/pcap.h>
#include <pcap/sll.h>

#include "bpf/core/header_walk.h"
#include "user/capture/link_header.h"

struct link_type {
	uint32_t number; /* LINKTYPE_ */
	enum packet_link link;
	/*
	 * PACKET_LINK_TYPED only: takes the header and sets the ethertype of what follows (0: not IP). False where the
	 * header is cut.
	 */
	bool (*take)(struct captured_packet *p);
};

static bool take_sll(struct captured_packet *p)
{
	const uint8_t *header;

	if (!cursor_pull(&p->bytes, SLL_HDR_LEN, &header))
		return false;
	p->meta.ethertype = load_be16(header + 14);
	return true;
}

static bool take_sll2(struct captured_packet *p)
{
	const uint8_t *header;

	if (!cursor_pull(&p->bytes, SLL2_HDR_LEN, &header))
		return false;
	p->meta.ethertype = load_be16(header);
	p->ifindex = load_be32(header + 4);
	return true;
}

/* AF_INET is 2 everywhere; AF_INET6 depends on the capturing system. */
static uint16_t family_ethertype(uint32_t family)
{
	switch (family) {
	case 2:
		return ETHERTYPE_IPV4_;
	case 10: /* Linux */
	case 23: /* Windows */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD, DragonFly */
	case 30: /* macOS */
		return ETHERTYPE_IPV6_;
	}
	return 0;
}

/*
 * The address family in four bytes: network byte order (LOOP) or that of the capturing host (NULL). Only the value
 * shows which order the host had: families are small numbers.
 */
static bool take_family(struct captured_packet *p)
{
	const uint8_t *header;
	uint32_t family;

	if (!cursor_pull(&p->bytes, 4, &header))
		return false;
	family = load_be32(header);
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	p->meta.ethertype = family_ethertype(family);
	return true;
}

/* The first bytes of PPP in HDLC-like framing, and of Cisco's (RFC 1662 section 3.1, RFC 1547 section 4.3.1). */
enum { HDLC_ALL_STATIONS = 0xff, HDLC_UNNUMBERED = 0x03, CISCO_UNICAST = 0x0f, CISCO_MULTICAST = 0x8f };

/* Cisco HDLC: address, control, ethertype. */
static bool take_cisco_hdlc(struct captured_packet *p)
{
	const uint8_t *header;

	if (!cursor_pull(&p->bytes, 4, &header))
		return false;
	p->meta.ethertype = load_be16(header + 2);
	return true;
}

/*
 * PPP, with or without address and control (RFC 1661 section 6.6). A serial line may carry Cisco's framing instead. The
 * high byte of the protocol may be left out where it is 0 (section 6.5).
 */
static bool take_ppp(struct captured_packet *p)
{
	const uint8_t *header = p->bytes.pos;

	if (cursor_has(&p->bytes, 2) && header[0] == HDLC_ALL_STATIONS && header[1] == HDLC_UNNUMBERED)
		p->bytes.pos += 2;
	else if (cursor_has(&p->bytes, 1) && (header[0] == CISCO_UNICAST || header[0] == CISCO_MULTICAST))
		return take_cisco_hdlc(p);
	if (!cursor_pull(&p->bytes, 1, &header))
		return false;
	if (header[0] & 1) {
		p->meta.ethertype = ppp_ethertype(header[0]);
		return true;
	}
	if (!cursor_pull(&p->bytes, 1, &header))
		return false;
	p->meta.ethertype = ppp_ethertype(load_be16(header - 1));
	return true;
}

/* The PPPoE header comes first. */
static bool take_pppoe(struct captured_packet *p)
{
	p->meta.ethertype = ETHERTYPE_PPPOE_;
	return true;
}

/* Packets of other link types are not looked at. */
static bool take_nothing(struct captured_packet *p)
{
	(void)p;
	return true;
}

static const struct link_type link_types[] = {
	{1, PACKET_LINK_ETHERNET, NULL},
	{101, PACKET_LINK_IP, NULL},               /* RAW */
	{12, PACKET_LINK_IP, NULL},                /* RAW, as some systems number it in files */
	{14, PACKET_LINK_IP, NULL},                /* RAW of OpenBSD */
	{228, PACKET_LINK_IP, NULL},               /* IPV4 */
	{229, PACKET_LINK_IP, NULL},               /* IPV6 */
	{113, PACKET_LINK_TYPED, take_sll},        /* LINUX_SLL */
	{276, PACKET_LINK_TYPED, take_sll2},       /* LINUX_SLL2 */
	{0, PACKET_LINK_TYPED, take_family},       /* NULL */
	{108, PACKET_LINK_TYPED, take_family},     /* LOOP */
	{9, PACKET_LINK_TYPED, take_ppp},          /* PPP */
	{50, PACKET_LINK_TYPED, take_ppp},         /* PPP_HDLC */
	{51, PACKET_LINK_TYPED, take_pppoe},       /* PPP_ETHER */
	{104, PACKET_LINK_TYPED, take_cisco_hdlc}, /* C_HDLC */
};
static const struct link_type unread = {UINT32_MAX, PACKET_LINK_TYPED, take_nothing};

const struct link_type *link_type_find(uint32_t number)
{
	for (size_t i = 0; i < sizeof(link_types) / sizeof(link_types[0]); i++)
		if (link_types[i].number == number)
			return &link_types[i];
	return NULL;
}

const struct link_type *link_type_unread(void)
{
	return &unread;
}

uint32_t link_type_number(const struct link_type *type)
{
	return type->number;
}

void link_type_describe(uint32_t number, char *text, size_t size)
{
	const char *name = pcap_datalink_val_to_name((int)number);
	const char *description = pcap_datalink_val_to_description((int)number);

	snprintf(text, size, "link type %u (%s, %s)", number, name ? name : "no name",
		 description ? description : "unknown");
}

int link_type_refuse(struct input_file *in, uint32_t number)
{
	char text[128];

	link_type_describe(number, text, sizeof(text));
	return input_file_refuse(in, -EPROTONOSUPPORT, "%s is not supported; capture on Ethernet, IP or \"any\"", text);
}

void link_header_take(struct captured_packet *p)
{
	const uint8_t *frame = p->bytes.pos;

	p->ifindex = 0;
	p->meta = (struct packet_meta){.wire_len = p->meta.wire_len, .link = p->link_type->link, .captured = 1};
	if (!p->link_type->take)
		return;
	if (!p->link_type->take(p)) {
		p->meta.link = PACKET_LINK_IP;
		p->bytes.pos = p->bytes.end;
	}
	p->meta.wire_len -= (uint32_t)(p->bytes.pos - frame);
}
