// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * frames INTERFACE CONNECTIONS SECONDS: frames of 64 bytes as fast as one core sends them, past the queues. First the
 * handshakes of CONNECTIONS connections, then their data and ACKs, one connection after the other. Prints "frames
 * seconds".
 *
 * Their MAC addresses are nobody's: what receives them sees them at its hooks, and drops them before it looks for a
 * socket.
 */
#define _GNU_SOURCE 1 /* sendmmsg */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define FRAME 64
#define PAYLOAD (FRAME - 54)
#define BATCH 64
#define MOST 60000

enum { SYN = 2, PSH = 8, ACK = 16 };

struct frame {
	uint8_t bytes[FRAME];
};

static struct frame batch[BATCH];
static struct mmsghdr messages[BATCH];
static struct iovec parts[BATCH];
static unsigned long sent;
static unsigned filled;
static int out;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "frames: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void open_socket(const char *interface)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface)};
	int on = 1;

	out = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (out < 0 || bind(out, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(out, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)))
		fail(interface);
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	value = htonl(value);
	memcpy(at, &value, sizeof(value));
}

/* What all frames have in common. */
static void make_batch(void)
{
	for (int i = 0; i < BATCH; i++) {
		uint8_t *frame = batch[i].bytes;

		memset(frame, 2, 12); /* MAC addresses */
		put16(frame + 12, ETHERTYPE_IP);
		frame[14] = 0x45;
		put16(frame + 16, FRAME - 14);
		frame[22] = 64; /* hops */
		frame[23] = IPPROTO_TCP;
		frame[46] = 5 << 4;
		put16(frame + 48, 64000); /* window */
		parts[i] = (struct iovec){frame, FRAME};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
}

static void flush(void)
{
	for (unsigned done = 0; done < filled;) {
		int n = sendmmsg(out, messages + done, filled - done, 0);

		if (n < 0 && errno != ENOBUFS && errno != EAGAIN)
			fail("send");
		done += n > 0 ? (unsigned)n : 0;
	}
	sent += filled;
	filled = 0;
}

/* One more frame, of the client or its server. */
static void queue(unsigned connection, bool server, unsigned flags, uint32_t seq, uint32_t ack)
{
	uint8_t *frame = batch[filled].bytes;
	uint32_t client = 0x0a4d0001;

	put32(frame + 26, server ? 0x0a4d0002 : client);
	put32(frame + 30, server ? client : 0x0a4d0002);
	put16(frame + 34, server ? 443 : 1024 + connection);
	put16(frame + 36, server ? 1024 + connection : 443);
	put32(frame + 38, seq);
	put32(frame + 42, flags & ACK ? ack : 0);
	frame[47] = (uint8_t)flags;
	put16(frame + 16, flags & PSH ? FRAME - 14 : 40);
	if (++filled == BATCH)
		flush();
}

static void handshakes(unsigned connections)
{
	for (unsigned i = 0; i < connections; i++) {
		queue(i, false, SYN, 0, 0);
		queue(i, true, SYN | ACK, 0, 1);
		queue(i, false, ACK, 1, 1);
	}
	flush();
}

/* Each connection's next data, then each one's ACK. Returns the numbers that follow. */
static uint32_t pass(unsigned connections, uint32_t seq)
{
	for (unsigned i = 0; i < connections; i++)
		queue(i, false, PSH | ACK, seq, 1);
	for (unsigned i = 0; i < connections; i++)
		queue(i, true, ACK, 1, seq + PAYLOAD);
	return seq + PAYLOAD;
}

int main(int argc, char **argv)
{
	unsigned connections = argc == 4 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	uint32_t seq = 1;
	double start;

	if (!connections || connections > MOST) {
		fputs("frames INTERFACE CONNECTIONS SECONDS\n", stderr);
		return 2;
	}
	open_socket(argv[1]);
	make_batch();
	handshakes(connections);
	sent = 0;
	start = now();
	while (now() < start + strtod(argv[3], NULL))
		seq = pass(connections, seq);
	printf("%lu %.6f\n", sent, now() - start);
	return 0;
}
