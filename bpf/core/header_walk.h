/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Header after header to a TCP segment, for packets that packet_parse_common leaves: IPv4 options and authentication
 * header, IPv6 extension headers, MPLS labels, PPPoE sessions, and one level of tunnels: VXLAN, Geneve, GRE, IP in IP.
 * Other tunnels are told apart and not opened.
 *
 * Each header is one step, and what is known between two steps is memory: the verifier checks the step once, however
 * long the chain is. Bytes are fetched by cursor_copy alone, since a chain has no fixed offsets.
 */
#ifndef TCPFIN_HEADER_WALK_H
#define TCPFIN_HEADER_WALK_H

#include "bpf/core/packet.h"

/* What the next header is: an IP protocol number below 256, or one of these. */
enum walk_next {
	WALK_ETHERNET = 0x100,
	WALK_IP,  /* its version decides */
	WALK_PPP, /* a PPP protocol number, RFC 1661 section 2 */
	WALK_VXLAN,
	WALK_GENEVE,
	WALK_ESP_IN_UDP,
	WALK_ETHERTYPE = 0x10000, /* added to the ethertype */
};

/* More headers than any chain within the other limits has; the programs unroll it. */
#define PACKET_WALK_STEPS 40
#define PACKET_MAX_LABELS 8

struct packet_walk {
	__u64 off;       /* of the next header, from the packet's start */
	__u64 ip_end;    /* offset of the IP packet's end by its header; 0 where that contradicts the packet's length */
	__u32 next;      /* enum walk_next */
	__u32 verdict;   /* once a step says that it was the last */
	__u16 tags;      /* VLAN tags passed */
	__u16 labels;    /* MPLS labels passed */
	__u16 chain;     /* extension headers passed */
	__u16 link_type; /* ethertype of what the IP header under the walk was announced as; 0: nothing */
	__u32 cut;       /* the tunnel's packet was a first fragment: what is in it may be longer than what is here */
	struct packet_meta meta;
};

/* Ends the walk. The value is that of a step: it was the last one. */
static __always_inline int walk_end(struct packet_walk *w, enum packet_verdict verdict)
{
	w->verdict = verdict;
	return 0;
}

/* Moves over a header of n bytes. The value is that of a step: there is another one. */
static __always_inline int walk_on(struct packet_walk *w, __u64 n, __u32 next)
{
	w->off += n;
	w->next = next;
	return 1;
}

/* The beginning of a walk through the packet. The segment gets the tag that the kernel took off. */
static __always_inline void packet_walk_begin(struct packet_walk *w, struct tcp_segment *s, const struct packet_meta *m)
{
	w->meta = *m;
	w->off = 0;
	w->ip_end = 0;
	w->verdict = PACKET_DEEP_CHAIN; /* of a chain longer than the steps */
	w->tags = packet_begin(s, m);
	w->labels = 0;
	w->chain = 0;
	w->link_type = 0;
	w->cut = 0;
	if (m->link == PACKET_LINK_ETHERNET)
		w->next = WALK_ETHERNET;
	else if (m->link == PACKET_LINK_IP)
		w->next = WALK_IP;
	else
		w->next = WALK_ETHERTYPE + m->ethertype;
}

/* ---- below IP ---- */

static __always_inline int walk_ethernet(struct packet_walk *w, const struct cursor *c)
{
	__u8 type[2] __attribute__((aligned(8)));

	if (!cursor_copy(c, w->off + 12, type, sizeof(type)))
		return walk_end(w, PACKET_TRUNCATED);
	return walk_on(w, 14, WALK_ETHERTYPE + load_be16(type));
}

static __always_inline int walk_vlan(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c)
{
	__u8 h[4] __attribute__((aligned(8)));

	if (w->tags == PACKET_MAX_TAGS)
		return walk_end(w, PACKET_MANY_TAGS);
	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	if (!s->tunnel && w->tags == 0)
		s->vlan[0] = load_be16(h) & 0xfff;
	else if (!s->tunnel)
		s->vlan[1] = load_be16(h) & 0xfff;
	w->tags++;
	return walk_on(w, 4, WALK_ETHERTYPE + load_be16(h + 2));
}

/*
 * A label stack entry, RFC 3032 section 2.1. What follows the last one is not announced: IP begins with its version,
 * and what carries other things must not look like that (RFC 4928 section 3).
 */
static __always_inline int walk_mpls(struct packet_walk *w, const struct cursor *c)
{
	__u8 h[4] __attribute__((aligned(8)));

	if (w->labels == PACKET_MAX_LABELS)
		return walk_end(w, PACKET_DEEP_CHAIN);
	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	w->labels++;
	return walk_on(w, 4, h[2] & 1 ? WALK_IP : WALK_ETHERTYPE + ETHERTYPE_MPLS_);
}

/* RFC 2516 section 4: version 1, type 1, code 0 in a session. */
static __always_inline int walk_pppoe(struct packet_walk *w, const struct cursor *c)
{
	__u8 h[2] __attribute__((aligned(8)));

	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	if (h[0] != 0x11 || h[1] != 0)
		return walk_end(w, PACKET_NOT_IP);
	return walk_on(w, 6, WALK_PPP);
}

/* The ethertype of a PPP protocol that may carry TCP; 0: it does not (RFC 1332, 5072, 3032). */
static __always_inline __u16 ppp_ethertype(__u16 protocol)
{
	switch (protocol) {
	case 0x0021:
		return ETHERTYPE_IPV4_;
	case 0x0057:
		return ETHERTYPE_IPV6_;
	case 0x0281:
	case 0x0283:
		return ETHERTYPE_MPLS_;
	}
	return 0;
}

/* The protocol's high byte may be left out where it is 0: numbers are odd, high bytes even (RFC 1661 section 2). */
static __always_inline int walk_ppp(struct packet_walk *w, const struct cursor *c)
{
	__u8 h[2] __attribute__((aligned(8)));
	__u16 ethertype;

	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	ethertype = ppp_ethertype(h[0] & 1 ? h[0] : load_be16(h));
	if (!ethertype)
		return walk_end(w, PACKET_NOT_IP);
	return walk_on(w, h[0] & 1 ? 1 : 2, WALK_ETHERTYPE + ethertype);
}

static __always_inline int walk_ethertype(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c,
					  __u16 ethertype)
{
	if (ethertype_is_vlan(ethertype))
		return walk_vlan(w, s, c);
	if (ethertype == ETHERTYPE_MPLS_ || ethertype == ETHERTYPE_MPLS_UPSTREAM_)
		return walk_mpls(w, c);
	if (ethertype == ETHERTYPE_PPPOE_)
		return walk_pppoe(w, c);
	if (ethertype != ETHERTYPE_IPV4_ && ethertype != ETHERTYPE_IPV6_)
		return walk_end(w, PACKET_NOT_IP);
	w->link_type = ethertype;
	return walk_on(w, 0, WALK_IP);
}

/* ---- IP ---- */

/* The end of an IP packet of so many bytes by its header, from the packet's start; 0: it contradicts the packet. */
static __always_inline __u64 walk_ip_end(const struct packet_walk *w, __u64 said, flag_t zero)
{
	__u64 held = w->meta.wire_len - w->off;
	__u64 len = w->cut && !zero ? said : packet_ip_len(&w->meta, said, held, zero);

	return len ? w->off + len : 0;
}

/* Must a header of this protocol be whole in the first fragment? A later one has none. */
static __always_inline flag_t protocol_is_known(__u32 protocol)
{
	return protocol == PROTOCOL_TCP_ || protocol == PROTOCOL_UDP_ || protocol_goes_on(protocol);
}

static __always_inline int walk_ipv4(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c)
{
	__u8 h[20] __attribute__((aligned(8)));
	__u64 header_len, said;

	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	header_len = (h[0] & 15) * 4;
	if (header_len < 20)
		return walk_end(w, PACKET_BAD_IP);
	if (load_be16(h + 6) & 0x1fff) /* of UDP it may be anything's, and is most likely no tunnel's */
		return walk_end(w, protocol_is_known(h[9]) && h[9] != PROTOCOL_UDP_ ? PACKET_FRAGMENT : PACKET_NOT_TCP);
	said = load_be16(h + 2);
	w->ip_end = walk_ip_end(w, said, said == 0);
	packet_ipv4_fields(s, h);
	return walk_on(w, header_len, h[9]);
}

static __always_inline int walk_ipv6(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c)
{
	__u8 h[40] __attribute__((aligned(8)));
	__u64 said;

	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	said = load_be16(h + 4);
	w->ip_end = walk_ip_end(w, said + 40, said == 0);
	packet_ipv6_fields(s, h);
	return walk_on(w, 40, h[6]);
}

/* The version decides, not the ethertype: where they differ no receiver would take the packet. */
static __always_inline int walk_ip(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c)
{
	__u8 first[1] __attribute__((aligned(8)));

	if (!cursor_copy(c, w->off, first, sizeof(first)))
		return walk_end(w, PACKET_TRUNCATED);
	if (w->meta.wire_len < w->off)
		return walk_end(w, PACKET_BAD_LENGTH);
	if (first[0] >> 4 == 4 && w->link_type != ETHERTYPE_IPV6_)
		return walk_ipv4(w, s, c);
	if (first[0] >> 4 == 6 && w->link_type != ETHERTYPE_IPV4_)
		return walk_ipv6(w, s, c);
	return walk_end(w, PACKET_NOT_IP);
}

/* ---- above IP ---- */

/* Eight bytes are all that a router must quote (RFC 792); they hold ports and sequence number. */
static __always_inline int walk_quoted_tcp(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c)
{
	__u8 h[8] __attribute__((aligned(8)));

	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	s->sport = load_be16(h);
	s->dport = load_be16(h + 2);
	s->seq = load_be32(h + 4);
	s->ack = 0;
	s->len = 0;
	s->flags = 0;
	s->win = 0;
	s->wscale = SEGMENT_NO_WSCALE;
	s->mptcp = SEGMENT_NO_MPTCP;
	s->options_len = 0;
	s->options_off = 0;
	return walk_end(w, PACKET_QUOTED);
}

/* Does an error of this type tell what became of a packet (RFC 792, RFC 4443 section 3)? */
static __always_inline flag_t icmp_is_error(__u32 protocol, __u32 type)
{
	if (protocol == PROTOCOL_ICMP_)
		return type == 3 || type == 11; /* unreachable, fragmentation needed; time exceeded */
	return type >= 1 && type <= 3;          /* unreachable, packet too big, time exceeded */
}

static __always_inline int walk_icmp(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c,
				     __u32 protocol)
{
	__u8 h[8] __attribute__((aligned(8)));

	if (s->icmp || s->family != (protocol == PROTOCOL_ICMP_ ? 4 : 6))
		return walk_end(w, PACKET_NOT_TCP);
	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	if (!icmp_is_error(protocol, h[0]))
		return walk_end(w, PACKET_NOT_TCP);
	s->icmp = load_be16(h);
	s->by.hi = s->src.hi;
	s->by.lo = s->src.lo;
	w->cut = 1; /* the quoted packet is longer than what is quoted */
	w->chain = 0;
	w->link_type = protocol == PROTOCOL_ICMP_ ? ETHERTYPE_IPV4_ : ETHERTYPE_IPV6_;
	return walk_on(w, 8, WALK_IP);
}

static __always_inline int walk_tcp(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c)
{
	__u8 h[20] __attribute__((aligned(8)));

	if (s->icmp)
		return walk_quoted_tcp(w, s, c);
	if (w->ip_end < w->off + 20)
		return walk_end(w, PACKET_BAD_LENGTH);
	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	return walk_end(w, packet_tcp(s, h, w->off, w->ip_end - w->off));
}

/*
 * What follows the next n bytes is inside a tunnel. Only what the tunnel's identifier is is kept of it. Tags, labels
 * and extension headers count anew.
 */
static __always_inline int walk_into(struct packet_walk *w, struct tcp_segment *s, __u64 n, __u32 next,
				     enum packet_tunnel tunnel)
{
	if (s->icmp)
		return walk_end(w, PACKET_NOT_TCP);
	if (s->tunnel)
		return walk_end(w, PACKET_NESTED_TUNNEL);
	s->tunnel = tunnel;
	s->vlan[0] = s->vlan[1] = PACKET_NO_TAG;
	w->cut = s->partial;
	w->tags = 0;
	w->labels = 0;
	w->chain = 0;
	w->link_type = 0;
	return walk_on(w, n, next);
}

/* As walk_into, of a tunnel with an identifier. */
static __always_inline int walk_into_id(struct packet_walk *w, struct tcp_segment *s, __u64 n, __u32 next,
					enum packet_tunnel tunnel, __u32 id)
{
	if (!walk_into(w, s, n, next, tunnel))
		return 0;
	s->tunnel = tunnel | TUNNEL_HAS_ID;
	s->tunnel_id = id;
	return 1;
}

static __always_inline int walk_ip_in_ip(struct packet_walk *w, struct tcp_segment *s, __u16 ethertype)
{
	return walk_into(w, s, 0, WALK_ETHERTYPE + ethertype, TUNNEL_IPIP);
}

/* Transparent Ethernet bridging, the protocol of Ethernet frames in GRE and Geneve. */
#define ETHERTYPE_ETHERNET_ 0x6558

/* What follows a tunnel's header, by its ethertype; 0: nothing that is opened. */
static __always_inline __u32 walk_payload(__u16 ethertype)
{
	if (ethertype == ETHERTYPE_ETHERNET_)
		return WALK_ETHERNET;
	if (ethertype == ETHERTYPE_IPV4_ || ethertype == ETHERTYPE_IPV6_ || ethertype == ETHERTYPE_MPLS_)
		return WALK_ETHERTYPE + ethertype;
	return 0;
}

/*
 * The identifier in a GRE key. With an Ethernet frame it may be NVGRE's, whose low byte tells flows of one network
 * apart; its networks have numbers from 0x1000 on (RFC 7637 sections 3.2 and 3.3).
 */
static __always_inline __u32 gre_id(__u32 key, __u32 next)
{
	return next == WALK_ETHERNET && key >> 8 >= 0x1000 ? key >> 8 : key;
}

/* Flags, version, protocol; checksum, key and sequence number where their flags are set: RFC 2784 and 2890. */
static __always_inline int walk_gre(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c)
{
	__u8 h[4] __attribute__((aligned(8))), key[4] __attribute__((aligned(8)));
	__u64 checksum, key_len, len;
	__u32 next;

	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	next = walk_payload(load_be16(h + 2));
	if (h[0] & 0x40 || h[1] & 7 || !next) /* routing (RFC 1701), another version */
		return walk_end(w, PACKET_OTHER_TUNNEL);
	checksum = h[0] >> 7 << 2;
	key_len = (h[0] >> 5 & 1) << 2;
	len = 4 + checksum + key_len + ((h[0] >> 4 & 1) << 2);
	if (!key_len)
		return walk_into(w, s, len, next, TUNNEL_GRE);
	if (!cursor_copy(c, w->off + 4 + checksum, key, sizeof(key)))
		return walk_end(w, PACKET_TRUNCATED);
	return walk_into_id(w, s, len, next, TUNNEL_GRE, gre_id(load_be32(key), next));
}

/* What the protocol number of VXLAN-GPE stands for (draft-ietf-nvo3-vxlan-gpe section 3.2). 0: it is not read. */
static __always_inline __u32 walk_gpe_payload(__u8 protocol)
{
	if (protocol == 3)
		return WALK_ETHERNET;
	return protocol == 1 || protocol == 2 ? WALK_IP : 0;
}

/*
 * RFC 7348 section 5: of the flags the bit for a valid VNI, that of the group policy extension, and that of VXLAN-GPE
 * with a protocol number may be set. What else comes to the port is no VXLAN.
 */
static __always_inline int walk_vxlan(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c)
{
	__u8 h[8] __attribute__((aligned(8)));
	__u32 next;

	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	if ((h[0] & 0x7b) != 0x08)
		return walk_end(w, PACKET_NOT_TCP);
	next = h[0] & 4 ? walk_gpe_payload(h[3]) : WALK_ETHERNET;
	if (!next)
		return walk_end(w, PACKET_OTHER_TUNNEL);
	return walk_into_id(w, s, 8, next, TUNNEL_VXLAN, load_be32(h + 4) >> 8);
}

/* RFC 8926 section 3.4: version 0, options in units of four bytes, protocol, VNI. */
static __always_inline int walk_geneve(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c)
{
	__u8 h[8] __attribute__((aligned(8)));
	__u32 next;

	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	next = walk_payload(load_be16(h + 2));
	if (h[0] >> 6)
		return walk_end(w, PACKET_NOT_TCP);
	if (!next)
		return walk_end(w, PACKET_OTHER_TUNNEL);
	return walk_into_id(w, s, 8 + (h[0] & 0x3f) * 4, next, TUNNEL_GENEVE, load_be32(h + 4) >> 8);
}

/* RFC 3948 section 2: what begins with four zero bytes is IKE; a single byte keeps a mapping alive. */
static __always_inline int walk_esp_in_udp(struct packet_walk *w, const struct cursor *c)
{
	__u8 h[8] __attribute__((aligned(8)));

	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_NOT_TCP);
	return walk_end(w, load_be32(h) ? PACKET_ESP : PACKET_NOT_TCP);
}

static __always_inline int walk_udp(struct packet_walk *w, const struct cursor *c)
{
	__u8 h[8] __attribute__((aligned(8)));

	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	switch (load_be16(h + 2)) {
	case PORT_VXLAN_:
	case PORT_VXLAN_OF_LINUX_:
		return walk_on(w, 8, WALK_VXLAN);
	case PORT_GENEVE_:
		return walk_on(w, 8, WALK_GENEVE);
	case PORT_ESP_:
		return walk_on(w, 8, WALK_ESP_IN_UDP);
	case PORT_L2TP_:
		return walk_end(w, PACKET_L2TP);
	case PORT_GTP_U_:
	case PORT_VXLAN_GPE_:
		return walk_end(w, PACKET_OTHER_TUNNEL);
	}
	return walk_end(w, PACKET_NOT_TCP);
}

/*
 * IPv4 has one extension header, and no fragment header. The table keeps the kinds from becoming branches; its index is
 * loaded anew, so that to the verifier it is the same number on all paths.
 */
static __always_inline int walk_extension(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c,
					  __u32 kind)
{
	__u8 h[8] __attribute__((aligned(8)));
	__u64 unit = packet_extension_unit[reload(w->next) & 0xff];

	if (!unit || (s->family == 4 && kind != PROTOCOL_AUTHENTICATION_))
		return walk_end(w, PACKET_NOT_TCP);
	if (w->chain == PACKET_MAX_EXTENSIONS)
		return walk_end(w, PACKET_DEEP_CHAIN);
	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	if (kind == 44 && load_be16(h + 2) & 0xfff8)
		return walk_end(w, PACKET_FRAGMENT);
	if (kind == 44)
		s->partial |= h[3] & 1;
	w->chain++;
	return walk_on(w, 8 + h[1] * (unit & 15), h[0]);
}

/* Takes the next header. Returns whether there is another one; if not, w->verdict is the packet's. */
static __always_inline int packet_walk_step(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c)
{
	__u32 next = w->next;

	if (next >= WALK_ETHERTYPE)
		return walk_ethertype(w, s, c, next);
	switch (next) {
	case WALK_ETHERNET:
		return walk_ethernet(w, c);
	case WALK_IP:
		return walk_ip(w, s, c);
	case WALK_PPP:
		return walk_ppp(w, c);
	case WALK_VXLAN:
		return walk_vxlan(w, s, c);
	case WALK_GENEVE:
		return walk_geneve(w, s, c);
	case WALK_ESP_IN_UDP:
		return walk_esp_in_udp(w, c);
	case PROTOCOL_TCP_:
		return walk_tcp(w, s, c);
	case PROTOCOL_UDP_:
		return walk_udp(w, c);
	case PROTOCOL_IPV4_:
		return walk_ip_in_ip(w, s, ETHERTYPE_IPV4_);
	case PROTOCOL_IPV6_:
		return walk_ip_in_ip(w, s, ETHERTYPE_IPV6_);
	case PROTOCOL_GRE_:
		return walk_gre(w, s, c);
	case PROTOCOL_ICMP_:
	case PROTOCOL_ICMPV6_:
		return walk_icmp(w, s, c, next);
	case PROTOCOL_ESP_:
		return walk_end(w, PACKET_ESP);
	case PROTOCOL_L2TP_:
		return walk_end(w, PACKET_L2TP);
	}
	return walk_extension(w, s, c, next);
}

#ifndef __bpf__
/*
 * Parses the packet under the cursor, which stays where it is. *s is complete only for PACKET_TCP (time excepted,
 * which is the caller's).
 */
static inline enum packet_verdict packet_parse(struct tcp_segment *s, const struct cursor *c,
					       const struct packet_meta *m)
{
	struct cursor common = *c;
	enum packet_verdict verdict = packet_parse_common(s, &common, m);
	struct packet_walk w;

	if (verdict != PACKET_UNCOMMON)
		return verdict;
	packet_walk_begin(&w, s, m);
	for (unsigned i = 0; i < PACKET_WALK_STEPS && packet_walk_step(&w, s, c); i++)
		;
	return w.verdict;
}
#endif

#endif
