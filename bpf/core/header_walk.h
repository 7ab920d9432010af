/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Header after header to a TCP segment, for packets that packet_parse_common leaves: IPv4 options and authentication
 * header, IPv6 extension headers, MPLS labels, PPPoE sessions.
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
	WALK_IP,                  /* its version decides */
	WALK_PPP,                 /* a PPP protocol number, RFC 1661 section 2 */
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
	w->tags = 0;
	w->labels = 0;
	w->chain = 0;
	w->link_type = 0;
	s->vlan[0] = s->vlan[1] = PACKET_NO_TAG;
	if (m->vlan_present) {
		s->vlan[0] = m->vlan_tci & 0xfff;
		w->tags = 1;
	}
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
	if (w->tags == 0)
		s->vlan[0] = load_be16(h) & 0xfff;
	else
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

static __always_inline int walk_ipv4(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c)
{
	__u8 h[20] __attribute__((aligned(8)));
	__u64 header_len, said, ip_len;

	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	header_len = (h[0] & 15) * 4;
	if (header_len < 20)
		return walk_end(w, PACKET_BAD_IP);
	if (h[9] != PROTOCOL_TCP_ && h[9] != PROTOCOL_AUTHENTICATION_)
		return walk_end(w, PACKET_NOT_TCP);
	if (load_be16(h + 6) & 0x1fff)
		return walk_end(w, PACKET_FRAGMENT);
	said = load_be16(h + 2);
	ip_len = packet_ip_len(&w->meta, said, w->meta.wire_len - w->off, said == 0);
	w->ip_end = ip_len ? w->off + ip_len : 0;
	packet_ipv4_fields(s, h);
	return walk_on(w, header_len, h[9]);
}

static __always_inline int walk_ipv6(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c)
{
	__u8 h[40] __attribute__((aligned(8)));
	__u64 said, ip_len;

	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	said = load_be16(h + 4);
	ip_len = packet_ip_len(&w->meta, said + 40, w->meta.wire_len - w->off, said == 0);
	w->ip_end = ip_len ? w->off + ip_len : 0;
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

static __always_inline int walk_tcp(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c)
{
	__u8 h[20] __attribute__((aligned(8)));

	if (w->ip_end < w->off + 20)
		return walk_end(w, PACKET_BAD_LENGTH);
	if (!cursor_copy(c, w->off, h, sizeof(h)))
		return walk_end(w, PACKET_TRUNCATED);
	return walk_end(w, packet_tcp(s, h, w->off, w->ip_end - w->off));
}

/* IPv4 has one extension header, and no fragment header. The table keeps the kinds from becoming branches. */
static __always_inline int walk_extension(struct packet_walk *w, struct tcp_segment *s, const struct cursor *c,
					  __u32 kind)
{
	__u8 h[8] __attribute__((aligned(8)));
	__u64 unit = packet_extension_unit[kind & 0xff];

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
	case PROTOCOL_TCP_:
		return walk_tcp(w, s, c);
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
