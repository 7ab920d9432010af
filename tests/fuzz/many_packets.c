// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * many_packets COUNT [SEED]: packets through the parser at native speed, as many as no sanitizer has the time for. Each
 * is built header by header, with a known answer: the segment that it has, or the reason why it has none. Of two thirds
 * bytes or lengths are then changed, so that only what fuzz_packet.c promises of any bytes can be checked.
 *
 * A page that cannot be read lies behind the packet, or in front of it.
 */
#define _GNU_SOURCE 1 /* MAP_ANONYMOUS */
#include <sys/mman.h>

#include "tests/diff/random.h"
#include "tests/diff/store_be.h"
#include "tests/fuzz/fuzz_packet.c" /* its checks */
#include "user/record/counters.h"

#define ROOM 4096 /* a page: more than any packet here has */
#define PAYLOAD_MAX 1400
#define CAPTURED_MAX 40 /* bytes of payload that are there; of the others only the length is known */

struct packet {
	uint8_t *start;        /* headers are put in front of each other; the end is that of the page */
	uint32_t len, beyond;  /* beyond: bytes of the packet on the wire that were not captured */
	uint16_t type;         /* ethertype of what begins here; 0 where an IP protocol number tells */
	uint8_t protocol;      /* IP's number for what begins here */
	bool tunnelled, whole; /* whole: every byte is here */
	struct packet_meta meta;
	/* What the parser must find. */
	enum packet_verdict verdict;
	struct tcp_segment segment;
};

static struct random dice;
static uint8_t *page; /* between two that cannot be read */

static unsigned below(unsigned n)
{
	return random_below(&dice, n);
}

static bool once_in(unsigned n)
{
	return random_once_in(&dice, n);
}

/* ---- building, from the inside out ---- */

static uint8_t *push(struct packet *p, uint32_t n)
{
	p->start -= n;
	p->len += n;
	memset(p->start, 0, n);
	return p->start;
}

/* What lies further out is read first: its fault is the packet's. */
static void fault(struct packet *p, enum packet_verdict verdict)
{
	p->verdict = verdict;
}

static void push_tcp(struct packet *p)
{
	struct tcp_segment *s = &p->segment;
	uint32_t options = once_in(2) ? 0 : below(11) * 4;
	uint8_t *h;

	s->len = once_in(2) ? 0 : below(PAYLOAD_MAX);
	p->whole = s->len <= CAPTURED_MAX;
	push(p, p->whole ? s->len : CAPTURED_MAX);
	p->beyond = p->whole ? 0 : s->len - CAPTURED_MAX;
	s->options_len = (uint8_t)options;
	for (uint32_t at = options; at; at -= 4)
		store_be32(push(p, 4), (uint32_t)random_next(&dice));
	h = push(p, 20);
	s->sport = (uint16_t)random_next(&dice);
	s->dport = (uint16_t)random_next(&dice);
	s->seq = (uint32_t)random_next(&dice);
	s->ack = (uint32_t)random_next(&dice);
	s->win = (uint16_t)random_next(&dice);
	s->flags = (uint8_t)below(256);
	store_be16(h, s->sport);
	store_be16(h + 2, s->dport);
	store_be32(h + 4, s->seq);
	store_be32(h + 8, s->ack);
	h[12] = (uint8_t)((20 + options) / 4 << 4);
	h[13] = s->flags;
	store_be16(h + 14, s->win);
	p->protocol = PROTOCOL_TCP_;
	if (once_in(32)) {
		h[12] = (uint8_t)(below(5) << 4);
		fault(p, PACKET_BAD_TCP);
	}
}

static void push_icmp(struct packet *p, bool six)
{
	uint8_t *h = push(p, 8);

	h[0] = six ? (uint8_t)(1 + below(3)) : once_in(2) ? 3 : 11;
	h[1] = (uint8_t)below(16);
	p->segment.icmp = (uint16_t)(h[0] << 8 | h[1]);
	p->protocol = six ? PROTOCOL_ICMPV6_ : PROTOCOL_ICMP_;
	if (p->verdict == PACKET_TCP || p->verdict == PACKET_BAD_TCP)
		fault(p, PACKET_QUOTED);
}

static void push_ipv4(struct packet *p)
{
	uint32_t options = once_in(4) ? 4 * below(11) : 0, inside = p->len + p->beyond;
	struct tcp_segment *s = &p->segment;
	uint8_t *h = push(p, 20 + options);

	h[0] = (uint8_t)(0x45 + options / 4);
	store_be16(h + 2, once_in(16) ? 0 : inside + 20 + options);
	s->ip_id = (uint16_t)random_next(&dice);
	store_be16(h + 4, s->ip_id);
	h[8] = s->ttl = (uint8_t)below(256);
	h[9] = p->protocol;
	s->src = (struct ip_address){.lo = (uint32_t)random_next(&dice)};
	s->dst = (struct ip_address){.lo = (uint32_t)random_next(&dice)};
	store_be32(h + 12, (uint32_t)s->src.lo);
	store_be32(h + 16, (uint32_t)s->dst.lo);
	s->family = 4;
	s->partial = once_in(16);
	h[6] = s->partial ? 0x20 : 0;
	if (once_in(32) && p->protocol == PROTOCOL_TCP_) {
		store_be16(h + 6, 1 + below(0x1fff));
		fault(p, PACKET_FRAGMENT);
	}
	p->type = ETHERTYPE_IPV4_;
	p->protocol = PROTOCOL_IPV4_;
}

/* n extension headers; the verdict where they are too many. */
static void push_extensions(struct packet *p, unsigned n)
{
	static const uint8_t kinds[] = {0, 43, 60, 135, 139, 140};

	for (unsigned i = 0; i < n; i++) {
		uint32_t more = below(3);
		uint8_t *h = push(p, 8 + 8 * more);

		h[0] = p->protocol;
		h[1] = (uint8_t)more;
		p->protocol = kinds[below(sizeof(kinds))];
	}
	if (n > PACKET_MAX_EXTENSIONS)
		fault(p, PACKET_DEEP_CHAIN);
}

static void push_ipv6(struct packet *p)
{
	struct tcp_segment *s = &p->segment;
	uint32_t inside;
	uint8_t *h;

	if (once_in(4))
		push_extensions(p, below(PACKET_MAX_EXTENSIONS + 2));
	inside = p->len + p->beyond;
	h = push(p, 40);
	h[0] = 0x60;
	store_be16(h + 4, once_in(16) ? 0 : inside);
	h[6] = p->protocol;
	h[7] = s->ttl = (uint8_t)below(256);
	s->src = (struct ip_address){random_next(&dice), random_next(&dice)};
	s->dst = (struct ip_address){random_next(&dice), random_next(&dice)};
	for (int i = 0; i < 4; i++) {
		const uint64_t word = i & 2 ? (i & 1 ? s->dst.lo : s->dst.hi) : i & 1 ? s->src.lo : s->src.hi;

		store_be32(h + 8 + 8 * i, (uint32_t)(word >> 32));
		store_be32(h + 12 + 8 * i, (uint32_t)word);
	}
	s->family = 6;
	s->partial = 0;
	s->ip_id = 0;
	p->type = ETHERTYPE_IPV6_;
	p->protocol = PROTOCOL_IPV6_;
}

static void push_ip(struct packet *p, bool six)
{
	if (six)
		push_ipv6(p);
	else
		push_ipv4(p);
}

static void push_tags(struct packet *p, unsigned n)
{
	static const uint16_t kinds[] = {ETHERTYPE_8021Q_, ETHERTYPE_8021AD_, ETHERTYPE_QINQ_OLD_};

	for (unsigned i = 0; i < n; i++) {
		uint8_t *h = push(p, 4);

		store_be16(h, (uint32_t)random_next(&dice));
		store_be16(h + 2, p->type);
		p->type = kinds[below(3)];
		if (p->tunnelled) /* what is outside is not kept */
			continue;
		p->segment.vlan[1] = p->segment.vlan[0];
		p->segment.vlan[0] = load_be16(h) & 0xfff;
	}
}

static void push_labels(struct packet *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		store_be32(push(p, 4), (below(1 << 20) << 12) | (i ? 0 : 0x100) | below(256));
	if (n)
		p->type = once_in(2) ? ETHERTYPE_MPLS_ : ETHERTYPE_MPLS_UPSTREAM_;
	if (n > PACKET_MAX_LABELS)
		fault(p, PACKET_DEEP_CHAIN);
}

static void push_pppoe(struct packet *p)
{
	uint8_t *h = push(p, 8);

	h[0] = 0x11;
	store_be16(h + 4, p->len - 6 + p->beyond);
	store_be16(h + 6, p->type == ETHERTYPE_IPV4_ ? 0x0021 : 0x0057);
	p->type = ETHERTYPE_PPPOE_;
}

static void push_ethernet(struct packet *p)
{
	store_be16(push(p, 14) + 12, p->type);
	p->type = 0x6558; /* Ethernet in GRE and Geneve */
}

static void push_udp(struct packet *p, uint16_t port)
{
	uint8_t *h = push(p, 8);

	store_be16(h, 1 + below(65535));
	store_be16(h + 2, port);
	store_be16(h + 4, p->len + p->beyond);
	p->protocol = PROTOCOL_UDP_;
}

/* What is between link and IP, or between a tunnel's frame and IP: tags, and labels or a session, or nothing. */
static void push_shims(struct packet *p)
{
	if (once_in(8))
		push_labels(p, below(PACKET_MAX_LABELS + 2));
	else if (once_in(8))
		push_pppoe(p);
	if (once_in(3)) {
		unsigned tags = 1 + below(3);

		push_tags(p, tags);
		if (tags > PACKET_MAX_TAGS)
			fault(p, PACKET_MANY_TAGS);
	}
}

/* ---- tunnels ---- */

static void push_gre(struct packet *p)
{
	bool checksum = once_in(3), key = once_in(2), sequence = once_in(3);
	uint8_t *h = push(p, 4 + 4u * (checksum + key + sequence));

	h[0] = (uint8_t)(checksum << 7 | key << 5 | sequence << 4);
	store_be16(h + 2, p->type);
	p->segment.tunnel = TUNNEL_GRE;
	p->protocol = PROTOCOL_GRE_;
	if (!key)
		return;
	p->segment.tunnel |= TUNNEL_HAS_ID;
	p->segment.tunnel_id = below(0x100000); /* NVGRE's begin above */
	store_be32(h + 4 + 4 * checksum, p->segment.tunnel_id);
}

static void push_vni(struct packet *p, uint32_t header, enum packet_tunnel tunnel, uint16_t port)
{
	uint8_t *h = push(p, header);

	p->segment.tunnel = tunnel | TUNNEL_HAS_ID;
	p->segment.tunnel_id = below(1 << 24);
	store_be32(h + 4, p->segment.tunnel_id << 8);
	if (tunnel == TUNNEL_VXLAN) {
		h[0] = 8;
	} else {
		h[0] = (uint8_t)((header - 8) / 4);
		store_be16(h + 2, p->type);
	}
	push_udp(p, port);
}

/* nested: there will be another one around it. */
static void push_tunnel(struct packet *p, bool nested)
{
	enum packet_tunnel kind = 1 + below(TUNNELS - 1);
	struct tcp_segment inner;

	if (kind == TUNNEL_VXLAN || (kind != TUNNEL_IPIP && once_in(2))) {
		push_shims(p);
		push_ethernet(p);
	}
	p->segment.vlan[0] = p->segment.vlan[1] = PACKET_NO_TAG;
	if (kind == TUNNEL_IPIP)
		p->segment.tunnel = TUNNEL_IPIP;
	else if (kind == TUNNEL_GRE)
		push_gre(p);
	else if (kind == TUNNEL_VXLAN)
		push_vni(p, 8, kind, once_in(2) ? PORT_VXLAN_ : PORT_VXLAN_OF_LINUX_);
	else
		push_vni(p, 8 + 4 * below(8), kind, PORT_GENEVE_);
	if (nested)
		fault(p, PACKET_NESTED_TUNNEL);
	p->tunnelled = true;
	inner = p->segment;
	push_ip(p, once_in(2));
	p->segment = inner;
}

/* ---- packets ---- */

static void push_link(struct packet *p)
{
	bool shims = !once_in(3);

	p->meta.link = (uint8_t)below(3);
	if (p->meta.link != PACKET_LINK_IP && shims)
		push_shims(p);
	if (p->meta.link == PACKET_LINK_ETHERNET)
		push_ethernet(p);
	else if (p->meta.link == PACKET_LINK_TYPED)
		p->meta.ethertype = p->type;
	if (p->meta.link != PACKET_LINK_IP && !shims && once_in(4)) {
		p->meta.vlan_present = 1;
		p->meta.vlan_tci = (uint16_t)below(4096);
		if (!p->tunnelled)
			p->segment.vlan[0] = p->meta.vlan_tci;
	}
	p->meta.gso = once_in(16);
	p->meta.wire_len = p->len + p->beyond;
}

static void build(struct packet *p)
{
	bool six = once_in(2);

	memset(p, 0, sizeof(*p));
	p->start = page + ROOM;
	p->segment.vlan[0] = p->segment.vlan[1] = PACKET_NO_TAG;
	push_tcp(p);
	push_ip(p, six);
	if (once_in(16)) { /* what a router quotes, it quotes whole here */
		push_icmp(p, six);
		push_ip(p, six);
	} else if (once_in(4)) {
		bool nested = once_in(8);

		push_tunnel(p, nested);
		if (nested)
			push_tunnel(p, false);
	}
	push_link(p);
}

/* Is its one IP header the segment's? */
static bool is_simple(const struct packet *p)
{
	return !p->tunnelled && !p->segment.icmp;
}

static void check_found(const struct packet *p, enum packet_verdict verdict, const struct tcp_segment *s)
{
	const struct tcp_segment *w = &p->segment;

	expect(verdict == p->verdict);
	if (verdict == PACKET_QUOTED)
		expect(s->sport == w->sport && s->dport == w->dport && s->seq == w->seq && s->icmp == w->icmp);
	if (verdict != PACKET_TCP)
		return;
	expect(s->sport == w->sport && s->dport == w->dport && s->seq == w->seq && s->ack == w->ack);
	expect(s->flags == w->flags && s->win == w->win && s->len == w->len && s->options_len == w->options_len);
	expect(s->tunnel == w->tunnel &&
	       (s->tunnel & TUNNEL_HAS_ID ? s->tunnel_id == w->tunnel_id : s->vlan[0] == w->vlan[0]));
	if (!is_simple(p)) /* addresses are those of the last header */
		return;
	expect(s->family == w->family && s->ip_id == w->ip_id && s->ttl == w->ttl && s->partial == w->partial);
	expect(s->vlan[1] == w->vlan[1] && !memcmp(&s->src, &w->src, 2 * sizeof(s->src)));
}

/* ---- changes ---- */

/* Cuts bytes off, so that the packet ends where the page does, or begins where it does. */
static void cut(struct packet *p)
{
	uint32_t left = below(p->len + 1);

	memmove(page + ROOM - left, p->start, left);
	p->start = page + ROOM - left;
	p->len = left;
	if (once_in(2))
		p->meta.captured = 1;
	if (!once_in(3))
		return;
	memmove(page, p->start, left);
	p->start = page;
}

static void change(struct packet *p)
{
	for (unsigned n = below(4); n && p->len; n--)
		p->start[below(p->len)] = once_in(2) ? (uint8_t)random_next(&dice) : (uint8_t)(1u << below(8));
	if (once_in(4))
		p->meta.wire_len = below(3) ? below(2 * p->len + 1) : p->len + below(1 << 20);
	if (p->meta.wire_len < p->len)
		p->meta.wire_len = p->len;
	if (once_in(2))
		cut(p);
}

/* Returns the verdict. */
static enum packet_verdict one(void)
{
	struct tcp_segment s;
	struct packet p;
	enum packet_verdict verdict;
	struct cursor c;
	bool changed;

	build(&p);
	changed = below(3);
	if (changed)
		change(&p);
	c = (struct cursor){p.start, p.start + p.len};
	verdict = check_packet(&s, &c, &p.meta);
	if (!changed)
		check_found(&p, verdict, &s);
	return verdict;
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 0, found[PACKET_VERDICTS] = {0};
	uint8_t *pages = mmap(NULL, 3 * ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	page = pages + ROOM;
	if (!count || pages == MAP_FAILED || mprotect(page, ROOM, PROT_READ | PROT_WRITE)) {
		fputs("usage: many_packets COUNT [SEED]\n", stderr);
		return 2;
	}
	dice.state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	for (uint64_t n = 0; n < count; n++)
		found[one()]++;
	printf("# %llu packets, by verdict:", (unsigned long long)count);
	for (int i = 0; i < PACKET_VERDICTS; i++)
		printf(" %s %llu", counter_names[COUNT_VERDICT + i], (unsigned long long)found[i]);
	putchar('\n');
	return 0;
}
