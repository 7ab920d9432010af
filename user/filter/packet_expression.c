// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A record becomes an Ethernet frame with a SYN, which libpcap's interpreter looks at. What a frame does not have from
 * the record is refused when the expression is compiled: first by the words of the language that read it, so that the
 * message can name the word, then by the loads of the compiled program.
 */
#include "user/filter/packet_expression.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ETHERNET 14
#define TAG 4
#define IPV4 20
#define IPV6 40
#define TCP 20
#define LONGEST_FRAME (ETHERNET + PACKET_MAX_TAGS * TAG + IPV6 + TCP)

struct packet_expression {
	struct bpf_program program;
};

/* ---- the frame ---- */

static uint8_t *put16(uint8_t *p, unsigned n)
{
	p[0] = (uint8_t)(n >> 8);
	p[1] = (uint8_t)n;
	return p + 2;
}

/* Ethernet header with the record's VLAN tags. */
static uint8_t *put_link(uint8_t *p, const struct record *r)
{
	p += 12;
	for (unsigned i = 0; i < PACKET_MAX_TAGS; i++)
		if (r->vlan[i] >= 0)
			p = put16(put16(p, 0x8100), (unsigned)r->vlan[i]);
	return put16(p, r->family == 4 ? 0x0800 : 0x86dd);
}

static uint8_t *put_ipv4(uint8_t *p, const struct record *r)
{
	p[0] = 0x45;
	put16(p + 2, IPV4 + TCP);
	p[9] = 6;
	memcpy(p + 12, r->end[SOURCE].ip, 4);
	memcpy(p + 16, r->end[DESTINATION].ip, 4);
	return p + IPV4;
}

static uint8_t *put_ipv6(uint8_t *p, const struct record *r)
{
	p[0] = 0x60;
	put16(p + 4, TCP);
	p[6] = 6;
	memcpy(p + 8, r->end[SOURCE].ip, 16);
	memcpy(p + 24, r->end[DESTINATION].ip, 16);
	return p + IPV6;
}

bool packet_expression_matches(const struct packet_expression *e, const struct record *r)
{
	uint8_t frame[LONGEST_FRAME] = {0}, *p = put_link(frame, r);
	unsigned len;

	p = r->family == 4 ? put_ipv4(p, r) : put_ipv6(p, r);
	put16(put16(p, r->end[SOURCE].port), r->end[DESTINATION].port);
	p[12] = TCP / 4 << 4;
	len = (unsigned)(p + TCP - frame);
	return bpf_filter(e->program.bf_insns, frame, len, len);
}

/* ---- what is refused ---- */

/* Words that read what a record does not have. "[" is part of every offset: tcp[13]. */
static const char *const unread_words[] = {
	"ether",  "len",    "less",  "greater", "broadcast", "multicast", "gateway",  "protochain", "mpls",  "pppoed",
	"pppoes", "geneve", "vxlan", "link",    "wlan",      "inbound",   "outbound", "ifname",     "on",    "llc",
	"decnet", "rnr",    "ppp",   "slip",    "fddi",      "tr",        "lat",      "moprc",      "mopdl",
};

/* The first word of text that is refused: its start, and its length in *len. NULL: none. */
static const char *unread_word(const char *text, size_t *len)
{
	static const char gaps[] = " \t\n()!&|=<>+";

	for (const char *p = text + strspn(text, gaps); *p; p += *len, p += strspn(p, gaps)) {
		*len = strcspn(p, gaps);
		if (memchr(p, '[', *len))
			return p;
		for (unsigned i = 0; i < sizeof(unread_words) / sizeof(unread_words[0]); i++)
			if (strlen(unread_words[i]) == *len && !memcmp(p, unread_words[i], *len))
				return p;
	}
	return NULL;
}

/* Fields of a frame without tags that are the record's, or those of every first fragment without IP options. */
static const struct load {
	unsigned at, size;
} loads[] = {
	{12, 2},                            /* EtherType */
	{14, 1}, {20, 2}, {23, 1},          /* IPv4: header length, fragment, protocol */
	{26, 4}, {30, 4},                   /* IPv4 addresses */
	{20, 1}, {54, 1},                   /* IPv6 next header, and that of a fragment header */
	{22, 4}, {26, 4}, {30, 4}, {34, 4}, /* IPv6 source */
	{38, 4}, {42, 4}, {46, 4}, {50, 4}, /* IPv6 destination */
	{54, 2}, {56, 2},                   /* ports after IPv6 */
	{14, 2},                            /* VLAN identifier, without the tags before it */
	{28, 4}, {38, 4},                   /* ARP addresses, which "host" looks at, too: no record is of ARP */
};

/* Each tag before a field moves it by four bytes. */
static bool is_load_known(unsigned at, unsigned size)
{
	for (unsigned tags = 0; tags <= PACKET_MAX_TAGS + 1; tags++)
		for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
			if (loads[i].at + tags * TAG == at && loads[i].size == size)
				return true;
	return false;
}

static bool is_instruction_known(const struct bpf_insn *insn)
{
	static const unsigned sizes[] = {[BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1};
	unsigned class = BPF_CLASS(insn->code), mode = BPF_MODE(insn->code);

	if (class != BPF_LD && class != BPF_LDX)
		return true;
	if (mode == BPF_LEN)
		return false;
	if (mode == BPF_ABS || mode == BPF_MSH)
		return is_load_known(insn->k, sizes[BPF_SIZE(insn->code) >> 3]);
	if (mode == BPF_IND) /* ports after an IPv4 header */
		return BPF_SIZE(insn->code) == BPF_H && insn->k % TAG % 2 == 0 && insn->k >= 14 && insn->k <= 28;
	return true;
}

static bool is_program_known(const struct bpf_program *program)
{
	for (unsigned i = 0; i < program->bf_len; i++)
		if (!is_instruction_known(&program->bf_insns[i]))
			return false;
	return true;
}

/* ---- compiling ---- */

/* libpcap's reason, without what every one of them begins with. */
static const char *without_prefix(const char *reason)
{
	static const char prefix[] = "can't parse filter expression: ";

	return strncmp(reason, prefix, strlen(prefix)) ? reason : reason + strlen(prefix);
}

static int compile(struct packet_expression *e, const char *text, char *error, size_t size)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, LONGEST_FRAME);
	int err;

	if (!pcap) {
		snprintf(error, size, "out of memory");
		return -1;
	}
	err = pcap_compile(pcap, &e->program, text, 1, PCAP_NETMASK_UNKNOWN);
	if (err)
		snprintf(error, size, "%s", without_prefix(pcap_geterr(pcap)));
	pcap_close(pcap);
	return err;
}

struct packet_expression *packet_expression_compile(const char *text, char *error, size_t size)
{
	struct packet_expression *e;
	size_t len;
	const char *word = unread_word(text, &len);

	if (!text[strspn(text, " \t\n")]) { /* to libpcap it would stand for everything */
		snprintf(error, size, "it is empty");
		return NULL;
	}
	if (word) {
		snprintf(error, size, "\"%.*s\" reads what a connection's record does not have", (int)len, word);
		return NULL;
	}
	e = calloc(1, sizeof(*e));
	if (!e || compile(e, text, error, size)) {
		free(e);
		return NULL;
	}
	if (is_program_known(&e->program))
		return e;
	snprintf(error, size, "\"%s\" reads what a connection's record does not have", text);
	packet_expression_free(e);
	return NULL;
}

void packet_expression_free(struct packet_expression *e)
{
	if (!e)
		return;
	pcap_freecode(&e->program);
	free(e);
}
