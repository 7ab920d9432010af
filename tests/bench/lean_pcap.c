// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lean_pcap FILE: the tracker that captures are measured against, the least that can say which connections of a file
 * have closed. libpcap reads; each segment is looked up once in a table with open addressing. Prints how many
 * connections it met and how many of them closed.
 *
 * Ethernet and IPv4 alone. It judges no numbers, and forgets nothing.
 */
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS (14 + 20 + 20)

enum { FIN = 1, SYN = 2, RST = 4, CONTROL = FIN | SYN | RST };

/*
 * `addresses` and `ports` have the lower end in their upper half; without ports the place is free. What each segment
 * reads or writes comes first, so that it rarely takes two cache lines.
 */
struct connection {
	uint64_t addresses;
	uint64_t last; /* us */
	uint32_t ports;
	uint8_t fins; /* bit 0: by the lower end, bit 1: by the higher one */
	bool closed;
	uint64_t began; /* us */
	uint64_t story; /* 4 bits a control segment, the latest lowest: its flags, and 8 for the higher end */
};

static struct connection *table;
static uint64_t mask = (1 << 16) - 1; /* places - 1 */
static uint64_t met, closes;

static struct connection *place(uint64_t addresses, uint32_t ports)
{
	uint64_t hash = (addresses ^ ports * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;

	hash = (hash ^ hash >> 32) * 0xc4ceb9fe1a85ec53u;
	for (hash >>= 32;; hash++) {
		struct connection *c = &table[hash & mask];

		if (!c->ports || (c->addresses == addresses && c->ports == ports))
			return c;
	}
}

static void allocate(void)
{
	table = calloc(mask + 1, sizeof(*table));
	if (table)
		return;
	fputs("lean_pcap: no memory\n", stderr);
	exit(1);
}

static void grow(void)
{
	struct connection *old = table;
	uint64_t places = mask + 1;

	mask = places * 2 - 1;
	allocate();
	for (uint64_t i = 0; i < places; i++)
		if (old[i].ports)
			*place(old[i].addresses, old[i].ports) = old[i];
	free(old);
}

static uint32_t load32(const u_char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void note(struct connection *c, unsigned flags, unsigned higher)
{
	c->story = c->story << 4 | flags | higher << 3;
	if (flags & FIN)
		c->fins |= 1 << higher;
	if (!c->closed && (flags & RST || c->fins == 3)) {
		c->closed = true;
		closes++;
	}
}

/* Puts the ends in order and counts the segment; time in us. */
static void segment(const u_char *ip, const u_char *tcp, uint64_t time)
{
	uint32_t from = load32(ip + 12), to = load32(ip + 16), ports = load32(tcp);
	unsigned higher = from == to ? (ports & 0xffff) > ports >> 16 : from > to, flags = tcp[13] & CONTROL;
	uint64_t addresses = higher ? (uint64_t)to << 32 | from : (uint64_t)from << 32 | to;
	struct connection *c;

	if (met * 2 > mask)
		grow();
	if (higher)
		ports = ports << 16 | ports >> 16;
	c = place(addresses, ports);
	if (!c->ports) {
		met++;
		c->addresses = addresses;
		c->ports = ports;
		c->began = time;
	}
	c->last = time;
	if (flags)
		note(c, flags, higher);
}

static void packet(u_char *unused, const struct pcap_pkthdr *header, const u_char *bytes)
{
	const u_char *ip = bytes + 14, *tcp = ip + (ip[0] & 15) * 4;

	(void)unused;
	if (header->caplen < HEADERS || bytes[12] != 8 || bytes[13] || ip[9] != 6 || tcp + 20 > bytes + header->caplen)
		return;
	segment(ip, tcp, (uint64_t)header->ts.tv_sec * 1000000 + (uint64_t)header->ts.tv_usec);
}

int main(int argc, char **argv)
{
	char error[PCAP_ERRBUF_SIZE] = "give a file";
	pcap_t *pcap = argc == 2 ? pcap_open_offline(argv[1], error) : NULL;

	if (!pcap) {
		fprintf(stderr, "lean_pcap: %s\n", error);
		return 1;
	}
	allocate();
	if (pcap_loop(pcap, -1, packet, NULL) < 0) {
		fprintf(stderr, "lean_pcap: %s\n", pcap_geterr(pcap));
		return 1;
	}
	printf("%llu %llu\n", (unsigned long long)met, (unsigned long long)closes);
	pcap_close(pcap);
	return 0;
}
