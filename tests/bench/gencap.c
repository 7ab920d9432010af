// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gencap CONNECTIONS SEGMENTS OPEN FILE: a capture of that many connections, each of SEGMENTS segments (an even number
 * from 10 on), OPEN of them at a time, all closed at the end; each packet cut to 96 bytes. The same file for the same
 * numbers.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAPLEN 96
#define STEP_US 10        /* between two packets */
#define START 1700000000u /* s since 1970 */
#define HEADERS 66        /* Ethernet, IPv4, TCP with time stamps */

enum { FIN = 1, SYN = 2, PSH = 8, ACK = 16 };

struct step {
	uint32_t seq, ack; /* relative; the client's numbers begin at 0 */
	uint16_t len;
	uint8_t flags, server;
};

#define REQUEST 200
#define PART 1000 /* of the answer, a segment */

static unsigned segments; /* a connection */

/* The connection's step n: handshake, a request, its answer in parts that are acknowledged each, and the close. */
static struct step step_of(unsigned n)
{
	uint32_t parts = (segments - 8) / 2, done = n < 4 ? 0 : (n - 4) / 2 * PART;

	if (n >= segments - 4) {
		const uint32_t c = 1 + REQUEST, s = 1 + parts * PART;
		const struct step close[] = {{c, s, 0, FIN | ACK, 0},
					     {s, c + 1, 0, ACK, 1},
					     {s, c + 1, 0, FIN | ACK, 1},
					     {c + 1, s + 1, 0, ACK, 0}};

		return close[n - (segments - 4)];
	}
	if (n < 4) {
		const struct step open[] = {
			{0, 0, 0, SYN, 0}, {0, 1, 0, SYN | ACK, 1}, {1, 1, 0, ACK, 0}, {1, 1, REQUEST, PSH | ACK, 0}};

		return open[n];
	}
	if (n % 2 == 0)
		return (struct step){1 + done, 1 + REQUEST, PART, PSH | ACK, 1};
	return (struct step){1 + REQUEST, 1 + done + PART, 0, ACK, 0};
}

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
	const struct step step = step_of(c->step), *s = &step;
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

/* Random steps of the open connections, until all have come to their ends. */
static void write_connections(FILE *f, struct connection *open, uint32_t opened, uint32_t connections)
{
	uint32_t next = opened;
	uint64_t random = 1;

	for (uint64_t n = 0; opened; n++) {
		struct connection *c;

		random = random * 6364136223846793005u + 1442695040888963407u;
		c = &open[(random >> 32) * opened >> 32];
		write_packet(f, c, n);
		if (++c->step < segments)
			continue;
		*c = next < connections ? (struct connection){.number = next++} : open[--opened];
	}
}

int main(int argc, char **argv)
{
	uint32_t number[3] = {0};
	struct connection *open;
	FILE *f;

	for (int i = 0; argc == 5 && i < 3; i++)
		number[i] = (uint32_t)strtoul(argv[1 + i], NULL, 10);
	segments = number[1];
	if (!number[0] || segments < 10 || segments % 2 || !number[2] || number[2] > number[0]) {
		fputs("gencap CONNECTIONS SEGMENTS OPEN FILE\n", stderr);
		return 2;
	}
	open = calloc(number[2], sizeof(*open));
	f = fopen(argv[4], "wbe");
	if (!open || !f) {
		fprintf(stderr, "gencap: %s: %s\n", argv[4], strerror(errno));
		return 1;
	}
	setvbuf(f, NULL, _IOFBF, 1 << 20);
	for (uint32_t i = 0; i < number[2]; i++)
		open[i] = (struct connection){.number = i};
	write_header(f);
	write_connections(f, open, number[2], number[0]);
	if (ferror(f) || fclose(f)) {
		fprintf(stderr, "gencap: %s: cannot be written\n", argv[4]);
		return 1;
	}
	free(open);
	return 0;
}
