/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a frame -> one TCP segment, or a named reason why it is none. Keeps no state. What nearly all packets need
 * is here and is inlined into the programs; the rest is PACKET_UNCOMMON, for header_walk.h.
 *
 * Reads only what is inside the cursor and never trusts a length: the payload length comes from the IP header, is
 * checked against the length of the packet on the wire, and is taken from there when the header says 0 (TSO, BIG TCP)
 * or the packet is a GSO super-packet.
 */
#ifndef TCPFIN_PACKET_H
#define TCPFIN_PACKET_H

#include "bpf/core/cursor.h"

/* TCP header flags, RFC 9293 section 3.1 (and 3168 for the ECN pair). */
enum {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
	TCP_ECE = 0x40,
	TCP_CWR = 0x80,
	TCP_CONTROL = TCP_FIN | TCP_SYN | TCP_RST, /* what opens and closes connections */
};

/* Why a packet is no TCP segment for us. The order is the order of the counters; names in counter_names. */
enum packet_verdict {
	PACKET_TCP,
	PACKET_NOT_IP,        /* another ethertype, or an IP version other than 4 and 6 */
	PACKET_NOT_TCP,       /* another protocol, "no next header" included */
	PACKET_FRAGMENT,      /* a later fragment: it has no TCP header */
	PACKET_TRUNCATED,     /* the bytes end inside a header */
	PACKET_BAD_IP,        /* a header length below the minimum */
	PACKET_BAD_LENGTH,    /* IP says more bytes than the packet has, or fewer than its headers */
	PACKET_BAD_TCP,       /* data offset below 5 */
	PACKET_MANY_TAGS,     /* more than PACKET_MAX_TAGS VLAN tags */
	PACKET_DEEP_CHAIN,    /* more than PACKET_MAX_EXTENSIONS extension headers, or PACKET_MAX_LABELS MPLS labels */
	PACKET_NESTED_TUNNEL, /* a tunnel in a tunnel: one level is opened */
	PACKET_ESP,           /* encrypted, bare or in UDP (RFC 4303, 3948) */
	PACKET_L2TP,          /* RFC 3931 */
	PACKET_OTHER_TUNNEL,  /* GTP-U, VXLAN-GPE, GRE of PPTP, and GRE and Geneve with payloads that are not read */
	PACKET_QUOTED,        /* an ICMP error that quotes a TCP segment */
	PACKET_VERDICTS,
	PACKET_UNCOMMON = PACKET_VERDICTS, /* of packet_parse_common only: header_walk.h knows more */
};

#define PACKET_MAX_TAGS 2
#define PACKET_MAX_EXTENSIONS 8

enum packet_link {
	PACKET_LINK_ETHERNET, /* starts with an Ethernet header */
	PACKET_LINK_IP,       /* starts with IP: tun, wireguard, raw captures */
	PACKET_LINK_TYPED,    /* link header taken off already, packet_meta.ethertype says what follows */
};

/* What is known of a packet beside its bytes. */
struct packet_meta {
	__u32 wire_len;  /* bytes of the whole packet from the cursor's start, those not captured included */
	__u16 ethertype; /* PACKET_LINK_TYPED only, host byte order */
	__u16 vlan_tci;  /* tag that the kernel took off into metadata; 0 with vlan_present == 0 */
	__u8 vlan_present;
	__u8 gso;      /* super-packet: IP length fields may not describe it */
	__u8 link;     /* enum packet_link */
	__u8 captured; /* from a file: wire_len is what the file's writer says */
};

/* An address as two host-order words, so that comparing and hashing need no byte loops. IPv4: hi 0, lo the address. */
struct ip_address {
	__u64 hi, lo;
};

/* What a segment was taken out of. */
enum packet_tunnel {
	TUNNEL_NONE,
	TUNNEL_IPIP, /* IPv4 or IPv6 in IPv4 or IPv6: RFC 2003, 2473, 4213 */
	TUNNEL_GRE,  /* RFC 2784, 2890; with an Ethernet frame also NVGRE, RFC 7637 */
	TUNNEL_VXLAN,
	TUNNEL_GENEVE,
	TUNNELS,
	TUNNEL_HAS_ID = 0x40, /* added: it has an identifier, which may be 0 */
};

#define SEGMENT_NO_WSCALE 0xff
#define SEGMENT_CUT_WSCALE 0xfe /* a capture does not hold the options of the SYN */
#define SEGMENT_NO_MPTCP 0xff
#define PACKET_NO_TAG 0xffff

/* One TCP segment, all numbers in host byte order. */
struct tcp_segment {
	struct ip_address src, dst;
	__u64 time; /* ns; set by the host of the parser, not by it */
	__u32 seq, ack;
	__u32 len; /* payload bytes */
	__u16 sport, dport;
	__u16 win;   /* as in the header, not scaled */
	__u16 ip_id; /* IPv4 identification, 0 for IPv6 */
	union {
		__u16 vlan[PACKET_MAX_TAGS]; /* VLAN identifiers, outer first; PACKET_NO_TAG where none */
		__u32 tunnel_id;             /* instead, with TUNNEL_HAS_ID: VNI, or GRE's key */
	};
	__u8 family; /* 4 or 6 */
	__u8 flags;
	__u8 ttl;     /* or hop limit */
	__u8 wscale;  /* shift count; SEGMENT_NO_WSCALE without the option or before packet_options */
	__u8 mptcp;   /* subtype of the MPTCP option; SEGMENT_NO_MPTCP likewise */
	__u8 partial; /* first fragment of a datagram: len is a lower bound */
	__u8 tunnel;  /* enum packet_tunnel. The tunnel's own headers are not kept, VLAN tags included */
	__u8 options_len;
	__u16 options_off; /* of the TCP options, from the start of the packet; see packet_options */
	/*
	 * Not 0: this is what an ICMP error quotes of a segment, with type and code here. Addresses, ports and seq are
	 * known, and the family; flags are 0.
	 */
	__u16 icmp;
	struct ip_address by; /* with icmp: who sent the error */
};

enum {
	ETHERTYPE_IPV4_ = 0x0800,
	ETHERTYPE_IPV6_ = 0x86dd,
	ETHERTYPE_8021Q_ = 0x8100,
	ETHERTYPE_8021AD_ = 0x88a8,
	ETHERTYPE_QINQ_OLD_ = 0x9100,
	ETHERTYPE_MPLS_ = 0x8847,
	ETHERTYPE_MPLS_UPSTREAM_ = 0x8848, /* RFC 5332: the upstream router has assigned the label */
	ETHERTYPE_PPPOE_ = 0x8864,         /* session stage, RFC 2516 */
};

static __always_inline flag_t ethertype_is_vlan(__u16 ethertype)
{
	return ethertype == ETHERTYPE_8021Q_ || ethertype == ETHERTYPE_8021AD_ || ethertype == ETHERTYPE_QINQ_OLD_;
}

/* Is IP behind a header of this kind, which header_walk.h passes over? */
static __always_inline flag_t ethertype_is_shim(__u16 ethertype)
{
	return ethertype == ETHERTYPE_MPLS_ || ethertype == ETHERTYPE_MPLS_UPSTREAM_ || ethertype == ETHERTYPE_PPPOE_;
}

/* Most bytes that the options of a TCP header can have. */
#define PACKET_OPTIONS_MAX 40

/*
 * The options of one header, fetched by the caller: a variable offset into the packet is more than the verifier likes.
 * The read position is memory, not a local, because the verifier would follow a local through every path.
 */
struct tcp_options {
	__u8 bytes[PACKET_OPTIONS_MAX];
	__u32 len;
	__u32 at;
};

/*
 * Reads the option at o->at into the segment, if it is window scale (RFC 7323) or MPTCP (RFC 8684), and moves behind
 * it. Returns whether there may be another one. Malformed options end the walk, as in every stack; what was read before
 * counts.
 */
static __always_inline flag_t packet_option(struct tcp_segment *s, struct tcp_options *o)
{
	__u32 at = reload(o->at), len;

	if (at >= o->len || at >= PACKET_OPTIONS_MAX || o->bytes[at] == 0)
		return 0;
	if (o->bytes[at] == 1) {
		o->at = at + 1;
		return 1;
	}
	if (at + 2 > o->len || at >= PACKET_OPTIONS_MAX - 1)
		return 0;
	len = o->bytes[at + 1];
	if (len < 2 || at + len > o->len)
		return 0;
	o->at = at + len;
	if (len < 3 || at >= PACKET_OPTIONS_MAX - 2)
		return 1;
	if (o->bytes[at] == 3 && len == 3)
		s->wscale = o->bytes[at + 2] > 14 ? 14 : o->bytes[at + 2]; /* RFC 7323 section 2.3 */
	if (o->bytes[at] == 30 && s->mptcp != 7) /* a fast close: Linux adds a reset (8), which says why */
		s->mptcp = o->bytes[at + 2] >> 4;
	return 1;
}

/* Reads all options of the segment. */
static inline void packet_options(struct tcp_segment *s, struct tcp_options *o)
{
	for (o->at = 0; packet_option(s, o);)
		;
}

/* The TCP header h, `off` bytes into the packet. l4_len: bytes of TCP header and payload by the IP header's word. */
static __always_inline enum packet_verdict packet_tcp(struct tcp_segment *s, const __u8 *h, __u64 off, __u64 l4_len)
{
	__u64 header_len;

	header_len = (h[12] >> 4) * 4;
	if (header_len < 20)
		return PACKET_BAD_TCP;
	if (header_len > l4_len)
		return PACKET_BAD_LENGTH;
	s->sport = load_be16(h);
	s->dport = load_be16(h + 2);
	s->seq = load_be32(h + 4);
	s->ack = load_be32(h + 8);
	s->flags = h[13];
	s->win = load_be16(h + 14);
	s->len = l4_len - header_len;
	s->wscale = SEGMENT_NO_WSCALE;
	s->mptcp = SEGMENT_NO_MPTCP;
	s->options_len = header_len - 20;
	s->options_off = off + 20;
	return PACKET_TCP;
}

/* IP protocol numbers. */
enum {
	PROTOCOL_ICMP_ = 1,
	PROTOCOL_IPV4_ = 4,
	PROTOCOL_TCP_ = 6,
	PROTOCOL_UDP_ = 17,
	PROTOCOL_IPV6_ = 41,
	PROTOCOL_GRE_ = 47,
	PROTOCOL_ESP_ = 50,
	PROTOCOL_AUTHENTICATION_ = 51, /* RFC 4302 */
	PROTOCOL_ICMPV6_ = 58,
	PROTOCOL_L2TP_ = 115,
};

/* UDP's destination ports of tunnels. */
enum {
	PORT_L2TP_ = 1701,
	PORT_GTP_U_ = 2152,
	PORT_ESP_ = 4500, /* beside IKE, RFC 3948 */
	PORT_VXLAN_ = 4789,
	PORT_VXLAN_GPE_ = 4790,
	PORT_GENEVE_ = 6081,
	PORT_VXLAN_OF_LINUX_ = 8472, /* what Linux takes unless told otherwise: it is older than the assigned number */
};

/* Are there, or may there be, more headers of interest behind an IP header with this protocol that is not TCP? */
static __always_inline flag_t protocol_goes_on(__u32 protocol)
{
	return protocol == PROTOCOL_IPV4_ || protocol == PROTOCOL_IPV6_ || protocol == PROTOCOL_GRE_ ||
	       protocol == PROTOCOL_ESP_ || protocol == PROTOCOL_AUTHENTICATION_ || protocol == PROTOCOL_L2TP_ ||
	       protocol == PROTOCOL_ICMP_ || protocol == PROTOCOL_ICMPV6_;
}

static __always_inline flag_t port_is_tunnel(__u16 port)
{
	return port == PORT_VXLAN_ || port == PORT_VXLAN_OF_LINUX_ || port == PORT_GENEVE_ || port == PORT_ESP_ ||
	       port == PORT_L2TP_ || port == PORT_GTP_U_ || port == PORT_VXLAN_GPE_;
}

/*
 * A packet that is not TCP: is it to be walked through? ip_bytes: length of the IP header under the cursor, a constant;
 * UDP begins behind it, unless this is a later fragment.
 */
static __always_inline enum packet_verdict packet_not_tcp(const struct cursor *c, __u32 protocol, const __u32 ip_bytes,
							  flag_t later_fragment)
{
	if (protocol == PROTOCOL_UDP_ && !later_fragment) {
		if (!cursor_has(c, ip_bytes + 8))
			return PACKET_TRUNCATED;
		return port_is_tunnel(load_be16(c->pos + ip_bytes + 2)) ? PACKET_UNCOMMON : PACKET_NOT_TCP;
	}
	return protocol_goes_on(protocol) ? PACKET_UNCOMMON : PACKET_NOT_TCP;
}

/*
 * Extension headers that may stand in front of TCP, by their number: 8 bytes and so many more for each count in their
 * second byte. 0 where the header is none of them. IPv4 has the authentication header only.
 */
#define PACKET_EXTENSION_FIXED 16 /* the second byte counts nothing */
static const __u8 packet_extension_unit[256] = {
	[0] = 8,                        /* hop-by-hop options (RFC 8200 section 4) */
	[43] = 8,                       /* routing */
	[44] = PACKET_EXTENSION_FIXED,  /* fragment */
	[PROTOCOL_AUTHENTICATION_] = 4, /* its length counts four bytes, as IPv4 headers do */
	[60] = 8,                       /* destination options */
	[135] = 8,                      /* mobility (RFC 6275) */
	[139] = 8,                      /* host identity (RFC 7401) */
	[140] = 8,                      /* shim6 (RFC 5533) */
};

/* Headers of IPv4 and TCP without options. */
#define PACKET_BARE 40

/*
 * Bytes of the IP packet. said: by its header; held: what the packet really has. 0 when they contradict, unless whoever
 * wrote a capture seems to have cut the frame behind its headers and to have lost its length.
 */
static __always_inline __u64 packet_ip_len(const struct packet_meta *m, __u64 said, __u64 held, flag_t zero)
{
	if (zero || m->gso)
		return held;
	return said > held && !(m->captured && held > PACKET_BARE) ? 0 : said;
}

/* What an IPv4 header of at least 20 bytes says of the segment, its protocol and length aside. */
static __always_inline void packet_ipv4_fields(struct tcp_segment *s, const __u8 *h)
{
	s->partial = (load_be16(h + 6) & 0x2000) != 0;
	s->family = 4;
	s->ttl = h[8];
	s->ip_id = load_be16(h + 4);
	s->src.hi = 0;
	s->src.lo = load_be32(h + 12);
	s->dst.hi = 0;
	s->dst.lo = load_be32(h + 16);
}

/* What the fixed IPv6 header of 40 bytes says of the segment, next header and length aside. */
static __always_inline void packet_ipv6_fields(struct tcp_segment *s, const __u8 *h)
{
	s->partial = 0;
	s->family = 6;
	s->ttl = h[7];
	s->ip_id = 0;
	s->src.hi = load_be64(h + 8);
	s->src.lo = load_be64(h + 16);
	s->dst.hi = load_be64(h + 24);
	s->dst.lo = load_be64(h + 32);
}

/* An IPv4 packet under the cursor, `off` bytes into the packet. */
static __always_inline enum packet_verdict packet_ipv4(struct tcp_segment *s, const struct cursor *c,
						       const struct packet_meta *m, __u64 off)
{
	const __u8 *h = c->pos;
	__u64 header_len, ip_len, said;

	if (!cursor_has(c, 20))
		return PACKET_TRUNCATED;
	header_len = (h[0] & 15) * 4;
	if (header_len < 20)
		return PACKET_BAD_IP;
	if (h[9] != PROTOCOL_TCP_ && header_len == 20)
		return packet_not_tcp(c, h[9], 20, (load_be16(h + 6) & 0x1fff) != 0);
	if (h[9] != PROTOCOL_TCP_)
		return PACKET_UNCOMMON;
	if (load_be16(h + 6) & 0x1fff)
		return PACKET_FRAGMENT;
	said = load_be16(h + 2);
	ip_len = packet_ip_len(m, said, m->wire_len - off, said == 0);
	if (ip_len < header_len + 20)
		return PACKET_BAD_LENGTH;
	packet_ipv4_fields(s, h);
	if (header_len != 20)
		return PACKET_UNCOMMON;
	if (!cursor_has(c, 40))
		return PACKET_TRUNCATED;
	return packet_tcp(s, h + 20, off + 20, ip_len - 20);
}

/* An IPv6 packet under the cursor, `off` bytes into the packet. */
static __always_inline enum packet_verdict packet_ipv6(struct tcp_segment *s, const struct cursor *c,
						       const struct packet_meta *m, __u64 off)
{
	const __u8 *h = c->pos;
	__u64 ip_len, said;

	if (!cursor_has(c, 40))
		return PACKET_TRUNCATED;
	said = load_be16(h + 4);
	ip_len = packet_ip_len(m, said + 40, m->wire_len - off, said == 0);
	packet_ipv6_fields(s, h);
	if (h[6] != PROTOCOL_TCP_)
		return packet_extension_unit[h[6]] ? PACKET_UNCOMMON : packet_not_tcp(c, h[6], 40, 0);
	if (ip_len < 60)
		return PACKET_BAD_LENGTH;
	if (!cursor_has(c, 60))
		return PACKET_TRUNCATED;
	return packet_tcp(s, h + 40, off + 40, ip_len - 40);
}

/* What the segment is before its headers are read. Returns the number of VLAN tags that the kernel took off. */
static __always_inline __u32 packet_begin(struct tcp_segment *s, const struct packet_meta *m)
{
	s->tunnel = TUNNEL_NONE;
	s->icmp = 0;
	s->vlan[0] = s->vlan[1] = PACKET_NO_TAG;
	if (!m->vlan_present)
		return 0;
	s->vlan[0] = m->vlan_tci & 0xfff;
	return 1;
}

/*
 * Parses the packet under the cursor, as far as nearly all packets need it. *s is complete only for PACKET_TCP (time
 * excepted, which is the caller's). PACKET_UNCOMMON: packet_parse (header_walk.h) says what it is. The cursor ends
 * somewhere inside the packet.
 */
static __always_inline enum packet_verdict packet_parse_common(struct tcp_segment *s, struct cursor *c,
							       const struct packet_meta *m)
{
	__u64 link_len = 0, tags = packet_begin(s, m);
	__u16 ethertype = m->ethertype;
	const __u8 *h;
	int i;

	if (m->link == PACKET_LINK_ETHERNET) {
		if (!cursor_pull(c, 14, &h))
			return PACKET_TRUNCATED;
		ethertype = load_be16(h + 12);
		link_len = 14;
	}
	if (m->link != PACKET_LINK_IP) {
		for (i = 0; i < PACKET_MAX_TAGS; i++) {
			if (!ethertype_is_vlan(ethertype))
				break;
			if (tags == PACKET_MAX_TAGS)
				return PACKET_MANY_TAGS;
			if (!cursor_pull(c, 4, &h))
				return PACKET_TRUNCATED;
			if (tags == 0)
				s->vlan[0] = load_be16(h) & 0xfff;
			else
				s->vlan[1] = load_be16(h) & 0xfff;
			tags++;
			ethertype = load_be16(h + 2);
			link_len += 4;
		}
		if (ethertype_is_vlan(ethertype))
			return PACKET_MANY_TAGS;
		if (ethertype != ETHERTYPE_IPV4_ && ethertype != ETHERTYPE_IPV6_)
			return ethertype_is_shim(ethertype) ? PACKET_UNCOMMON : PACKET_NOT_IP;
	}
	if (!cursor_has(c, 1))
		return PACKET_TRUNCATED;
	h = c->pos;
	if (m->wire_len < link_len)
		return PACKET_BAD_LENGTH;
	/* The version decides, not the ethertype: where they differ no receiver would take the packet. */
	if (h[0] >> 4 == 4 && (m->link == PACKET_LINK_IP || ethertype == ETHERTYPE_IPV4_))
		return packet_ipv4(s, c, m, link_len);
	if (h[0] >> 4 == 6 && (m->link == PACKET_LINK_IP || ethertype == ETHERTYPE_IPV6_))
		return packet_ipv6(s, c, m, link_len);
	return PACKET_NOT_IP;
}

#endif
