// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TCP segments of nobody, as fast as one core sends them, into a laboratory without a way out.
 *
 *   flood INTERFACE MAC syn|fin|rst|mixed ADDRESS PORT SECONDS
 *
 * To that MAC address and ADDRESS:PORT, each segment from another address of 198.18.0.0/15 (RFC 2544), with random
 * ports and numbers. Prints how many were sent.
 */
#define _GNU_SOURCE 1 /* sendmmsg */
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_packet.h>

#define BATCH 64

struct frame {
	struct ether_header ether;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed)); /* behind 14 bytes of Ethernet nothing is aligned */

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* xorshift: cheap, and never twice the same tuple in a run. */
static uint64_t draw(void)
{
	static uint64_t x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	return x ^= x << 17;
}

static int open_socket(const char *interface)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface)};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)))
		fail(interface);
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
	return fd;
}

static void set_flags(struct frame *f, const char *kind)
{
	f->tcp.syn = !strcmp(kind, "syn");
	f->tcp.fin = f->tcp.ack = !strcmp(kind, "fin");
	f->tcp.rst = !strcmp(kind, "rst");
}

static void set_target(struct frame *f, const char *mac, const char *address, const char *port)
{
	unsigned char *m = f->ether.ether_dhost;

	if (sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]) != 6)
		fail(mac);
	if (inet_pton(AF_INET, address, &f->ip.daddr) != 1)
		fail(address);
	f->ether.ether_shost[0] = 2;
	f->ether.ether_type = htons(ETHERTYPE_IP);
	f->ip.version = 4;
	f->ip.ihl = 5;
	f->ip.ttl = 64;
	f->ip.protocol = IPPROTO_TCP;
	f->ip.tot_len = htons(sizeof(f->ip) + sizeof(f->tcp));
	f->tcp.dest = htons((uint16_t)strtoul(port, NULL, 10));
	f->tcp.doff = sizeof(f->tcp) / 4;
	f->tcp.window = htons(64240);
}

/* Checksums are left out: whoever only watches goes without, and the kernel shall not spend its time on answers. */
static void vary(struct frame *f)
{
	uint64_t a = draw(), b = draw();

	f->ip.saddr = htonl(0xc6120000 | (a & 0x1ffff));
	f->tcp.source = htons((uint16_t)(1024 + (a >> 32) % 64000));
	f->tcp.seq = (uint32_t)b;
	f->tcp.ack_seq = f->tcp.ack ? (uint32_t)(b >> 32) : 0;
}

/* Three patterns, which take turns. */
static uint64_t flood(int fd, const struct frame patterns[3], double seconds)
{
	struct frame frames[BATCH];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH] = {};
	double end = now() + seconds;
	uint64_t sent = 0;

	for (int i = 0; i < BATCH; i++) {
		frames[i] = patterns[i % 3];
		parts[i] = (struct iovec){&frames[i], sizeof(frames[i])};
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (now() < end) {
		int n;

		for (int i = 0; i < BATCH; i++)
			vary(&frames[i]);
		n = sendmmsg(fd, messages, BATCH, 0);
		if (n < 0 && errno != ENOBUFS)
			fail("send");
		sent += n > 0 ? (uint64_t)n : 0;
	}
	return sent;
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = {"syn", "fin", "rst"};
	struct frame patterns[3] = {};
	bool mixed = argc > 3 && !strcmp(argv[3], "mixed");

	if (argc != 7) {
		fputs("flood INTERFACE MAC syn|fin|rst|mixed ADDRESS PORT SECONDS\n", stderr);
		return 2;
	}
	for (int i = 0; i < 3; i++) {
		set_target(&patterns[i], argv[2], argv[4], argv[5]);
		set_flags(&patterns[i], mixed ? kinds[i] : argv[3]);
	}
	printf("%llu\n", (unsigned long long)flood(open_socket(argv[1]), patterns, strtod(argv[6], NULL)));
	return 0;
}
