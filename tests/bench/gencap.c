// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gencap SEGMENTS FILE: a capture of that many segments, 20 a connection, many connections at a time, each packet cut
 * to 96 bytes. The same for the same number, and a smaller number's packets are the beginning of a larger one's.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAPLEN 96
#define OPEN 2048         /* connections at a time, a power of two */
#define STEP_US 10        /* between two packets */
#define START 1700000000u /* s since 1970 */
#define HEADERS 66        /* Ethernet, IPv4, TCP with time stamps */

enum { FIN = 1, SYN = 2, PSH = 8, ACK = 16 };

struct step {
	uint32_t seq, ack; /* relative; the client's numbers begin at 0 */
	uint16_t len;
	uint8_t flags, server;
};

/* Handshake, a request of 200 bytes, an answer of 5500, and the close. */
static const struct step script[] = {
	{0, 0, 0, SYN, 0},
	{0, 1, 0, SYN | ACK, 1},
	{1, 1, 0, ACK, 0},
	{1, 1, 200, PSH | ACK, 0},
	{1, 201, 0, ACK, 1},
	{1, 201, 1000, ACK, 1},
	{201, 1001, 0, ACK, 0},
	{1001, 201, 1000, ACK, 1},
	{201, 2001, 0, ACK, 0},
	{2001, 201, 1000, ACK, 1},
	{201, 3001, 0, ACK, 0},
	{3001, 201, 1000, ACK, 1},
	{201, 4001, 0, ACK, 0},
	{4001, 201, 1000, ACK, 1},
	{201, 5001, 0, ACK, 0},
	{5001, 201, 500, PSH | ACK, 1},
	{201, 5501, 0, FIN | ACK, 0},
	{5501, 202, 0, ACK, 1},
	{5501, 202, 0, FIN | ACK, 1},
	{202, 5502, 0, ACK, 0},
};
#define STEPS (sizeof(script) / sizeof(script[0]))

struct connection {
	uint32_t number;
	unsigned step;
};

static uint8_t *put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v >> 16), v);
}

static void put_checksum(uint8_t *ip)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~(sum + (sum >> 16)));
}

static void put_addresses(uint8_t *ip, uint8_t *tcp, uint32_t number, int server)
{
	uint32_t client = 0x0a000000 + number / 60000, port = 1024 + number % 60000;

	put32(ip + 12, server ? 0xc0a80001 : client);
	put32(ip + 16, server ? client : 0xc0a80001);
	put16(tcp, server ? 443 : port);
	put16(tcp + 2, server ? port : 443);
}

/* Returns the length on the wire. */
static uint32_t make_packet(uint8_t packet[SNAPLEN], const struct connection *c, uint32_t id)
{
	const struct step *s = &script[c->step];
	uint8_t *ip = packet + 14, *tcp = ip + 20;
	uint32_t client = c->number * 2654435761u, server = c->number * 40503u;

	memset(packet, 0, SNAPLEN);
	put16(packet + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, HEADERS - 14 + s->len);
	put16(ip + 4, id);
	ip[8] = 64;
	ip[9] = 6;
	put_addresses(ip, tcp, c->number, s->server);
	put_checksum(ip);
	put32(tcp + 4, (s->server ? server : client) + s->seq);
	put32(tcp + 8, s->flags & ACK ? (s->server ? client : server) + s->ack : 0);
	tcp[12] = 8 << 4;
	tcp[13] = s->flags;
	put16(tcp + 14, 64000);
	put32(tcp + 20, 0x0101080a); /* NOP, NOP, time stamps */
	return HEADERS + s->len;
}

static void write_header(FILE *f)
{
	const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, snaplen, link;
	} header = {0xa1b2c3d4, 2, 4, 0, 0, SNAPLEN, 1};

	fwrite(&header, sizeof(header), 1, f);
}

static void write_packet(FILE *f, const struct connection *c, uint64_t n)
{
	struct {
		uint32_t sec, usec, caplen, len;
		uint8_t packet[SNAPLEN];
	} p;
	uint64_t us = n * STEP_US;

	p.sec = START + (uint32_t)(us / 1000000);
	p.usec = (uint32_t)(us % 1000000);
	p.len = make_packet(p.packet, c, (uint32_t)n);
	p.caplen = p.len < SNAPLEN ? p.len : SNAPLEN;
	fwrite(&p, 16 + p.caplen, 1, f);
}

int main(int argc, char **argv)
{
	static struct connection open[OPEN];
	uint64_t segments = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
	uint32_t next = 0, random = 1;
	FILE *f;

	if (!segments) {
		fputs("gencap SEGMENTS FILE\n", stderr);
		return 2;
	}
	f = fopen(argv[2], "wbe");
	if (!f) {
		fprintf(stderr, "gencap: %s: %s\n", argv[2], strerror(errno));
		return 1;
	}
	setvbuf(f, NULL, _IOFBF, 1 << 20);
	for (unsigned i = 0; i < OPEN; i++)
		open[i] = (struct connection){.number = next++};
	write_header(f);
	for (uint64_t n = 0; n < segments; n++) {
		struct connection *c;

		random = random * 1664525 + 1013904223;
		c = &open[random >> 16 & (OPEN - 1)];
		write_packet(f, c, n);
		if (++c->step == STEPS)
			*c = (struct connection){.number = next++};
	}
	if (ferror(f) || fclose(f)) {
		fprintf(stderr, "gencap: %s: cannot be written\n", argv[2]);
		return 1;
	}
	return 0;
}
