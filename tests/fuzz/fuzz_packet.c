// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The packet parser on any bytes with any metadata. The packet is a heap block of its exact size, so that the sanitizer
 * detects a read beside it; the fields of a TCP segment are compared with the bytes.
 *
 * Input: 8 bytes of metadata (parse_meta), then the packet.
 */
#include <stdbool.h>
#include <string.h>

#include "bpf/core/flow_hash.h"
#include "bpf/core/header_walk.h"
#include "tests/fuzz/fuzz.h"

static struct packet_meta parse_meta(struct input *in)
{
	uint8_t bits = take8(in), big = take8(in);
	struct packet_meta m = {.link = bits % 3, .gso = bits >> 4 & 1, .vlan_present = bits >> 5 & 1};

	m.ethertype = take16(in);
	m.vlan_tci = take16(in);
	m.wire_len = take16(in) << (big & 15); /* the part that was not captured */
	return m;
}

/* Reads options only where the packet has them whole, as user/capture/replay.c and the BPF programs do. */
static void check_options(struct tcp_segment *s, const uint8_t *packet, size_t len)
{
	struct tcp_options o = {.len = s->options_len};

	expect(s->options_len <= PACKET_OPTIONS_MAX);
	if (len < (size_t)s->options_off + s->options_len)
		return;
	memcpy(o.bytes, packet + s->options_off, o.len);
	packet_options(s, &o);
	expect(o.at <= o.len);
	expect(s->wscale <= 14 || s->wscale == SEGMENT_NO_WSCALE);
	expect(s->mptcp <= 15 || s->mptcp == SEGMENT_NO_MPTCP);
}

/* Is the packet in a tunnel whose own packet is a first fragment? Then what is in it may be longer than the frame. */
static bool is_cut(const struct packet_meta *m, const struct cursor *c)
{
	struct packet_walk w;
	struct tcp_segment s = {0};

	packet_walk_begin(&w, &s, m);
	for (unsigned i = 0; i < PACKET_WALK_STEPS && packet_walk_step(&w, &s, c); i++)
		;
	return w.cut && s.tunnel;
}

/* The payload ends within the packet, unless the writer of a capture may have cut that; else within the longest one. */
static void check_length(const struct tcp_segment *s, const struct packet_meta *m, const struct cursor *c)
{
	if ((uint64_t)s->options_off + s->options_len + s->len <= m->wire_len)
		return;
	expect(m->captured || is_cut(m, c));
	expect((uint64_t)s->options_len + s->len + 20 <= UINT16_MAX);
}

static void check_segment(const struct tcp_segment *s, const uint8_t *packet, size_t len)
{
	const uint8_t *tcp = packet + s->options_off - 20;

	expect(s->options_off >= 40 && s->options_off <= len);
	expect(s->sport == (tcp[0] << 8 | tcp[1]) && s->flags == tcp[13] && s->options_len + 20 == (tcp[12] >> 4) * 4);
	expect(s->family == 4 || s->family == 6);
	expect(s->partial <= 1);
	if (s->tunnel & TUNNEL_HAS_ID) /* kept where the tags are otherwise */
		return;
	for (int i = 0; i < PACKET_MAX_TAGS; i++)
		expect(s->vlan[i] < 4096 || s->vlan[i] == PACKET_NO_TAG);
	expect(s->vlan[0] != PACKET_NO_TAG || s->vlan[1] == PACKET_NO_TAG);
}

/* Both directions of a connection have one hash, and opposite sides. */
static void check_both_directions(const struct tcp_segment *s)
{
	const struct flow_hash_key key = flow_hash_key_of(42);
	struct tcp_segment back = *s;
	uint32_t side = flow_side_of(s);

	back.src = s->dst;
	back.dst = s->src;
	back.sport = s->dport;
	back.dport = s->sport;
	expect(flow_hash(s, 1, &key) == flow_hash(&back, 1, &key));
	expect(side != flow_side_of(&back) || (s->sport == s->dport && !memcmp(&s->src, &s->dst, sizeof(s->src))));
}

/* Parses the packet under the cursor into *s, and checks what is promised of any bytes. */
static enum packet_verdict check_packet(struct tcp_segment *s, const struct cursor *c, const struct packet_meta *meta)
{
	size_t len = (size_t)(c->end - c->pos);
	enum packet_verdict verdict;

	memset(s, 0xaa, sizeof(*s)); /* no valid value, for fields that the parser does not set */
	verdict = packet_parse(s, c, meta);
	expect(verdict >= PACKET_TCP && verdict < PACKET_VERDICTS);
	if (verdict == PACKET_TCP) {
		check_length(s, meta, c);
		check_segment(s, c->pos, len);
		check_options(s, c->pos, len);
		check_both_directions(s);
	}
	return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	struct packet_meta meta = parse_meta(&in);
	size_t len = input_left(&in);
	uint8_t *packet = malloc(len ? len : 1);
	struct cursor c = {packet, packet + len};
	struct tcp_segment s;

	meta.wire_len += len;
	if (len)
		memcpy(packet, in.pos, len);
	check_packet(&s, &c, &meta);
	free(packet);
	return 0;
}
