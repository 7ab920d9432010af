// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections and bytes as fast as the machine makes them: the work that live watching is measured on.
 *
 *   conns serve ADDRESS PORT PORTS            answers requests on PORTS ports until SIGTERM; closes after its client
 *   conns open ADDRESS PORT PORTS SOURCE SOURCES SECONDS
 *                                             opens, asks, reads the answer and closes; prints "connections seconds"
 *   conns sink ADDRESS PORT                   reads what one client after the other sends, until SIGTERM
 *   conns send ADDRESS PORT SECONDS           sends all it can; prints "bytes seconds"
 *
 * Both servers print "ready" once they listen. The client has SOURCES addresses from SOURCE on: with several of them,
 * and several ports, TIME-WAIT never stops it.
 */
#define _GNU_SOURCE 1 /* accept4 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST 100 /* bytes */
#define ANSWER 500
#define PARALLEL 64 /* connections that the client keeps open */
#define EVENTS 64
#define BULK (256 * 1024)

static char payload[BULK];

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "conns: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int succeed(int result, const char *what)
{
	if (result < 0)
		fail(what);
	return result;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static unsigned number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || end == text || n > 65535) {
		fprintf(stderr, "conns: %s is no number\n", text);
		exit(2);
	}
	return (unsigned)n;
}

static struct sockaddr_in address(const char *text, unsigned port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	if (inet_pton(AF_INET, text, &a.sin_addr) != 1) {
		fprintf(stderr, "conns: %s is no address\n", text);
		exit(2);
	}
	return a;
}

static int listen_on(const char *host, unsigned port, int flags)
{
	struct sockaddr_in a = address(host, port);
	int fd = succeed(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket"), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	succeed(bind(fd, (struct sockaddr *)&a, sizeof(a)), "bind");
	succeed(listen(fd, 4096), "listen");
	return fd;
}

static void ready(void)
{
	puts("ready");
	fflush(stdout);
}

static void watch(int epoll, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};

	succeed(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e), "epoll_ctl");
}

/* ---- many short connections ---- */

static void accept_all(int epoll, int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		watch(epoll, fd, EPOLLIN);
	if (errno != EAGAIN && errno != ECONNABORTED)
		fail("accept");
}

/* The request fits in a segment, so it comes whole. */
static void answer(int fd)
{
	char request[REQUEST];
	ssize_t got = recv(fd, request, sizeof(request), 0);

	if (got == REQUEST && send(fd, payload, ANSWER, MSG_NOSIGNAL) == ANSWER)
		return;
	close(fd); /* the client has closed */
}

static void serve(const char *host, unsigned port, unsigned ports)
{
	int epoll = succeed(epoll_create1(EPOLL_CLOEXEC), "epoll_create"), first = -1, last = -1;
	struct epoll_event events[EVENTS];

	for (unsigned i = 0; i < ports; i++) {
		last = listen_on(host, port + i, SOCK_NONBLOCK);
		first = first < 0 ? last : first; /* descriptors of a fresh process follow each other */
		watch(epoll, last, EPOLLIN);
	}
	ready();
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;

			if (fd >= first && fd <= last)
				accept_all(epoll, fd);
			else
				answer(fd);
		}
	}
}

struct client {
	int epoll;
	struct sockaddr_in server, source;
	unsigned port, ports, sources;
	unsigned opened, done, reset;
};

static void open_one(struct client *c)
{
	struct sockaddr_in source = c->source;
	int fd = succeed(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket"), on = 1;

	source.sin_addr.s_addr = htonl(ntohl(source.sin_addr.s_addr) + c->opened % c->sources);
	/* The port is chosen when the destination is known: it may then be in use with another one. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	succeed(bind(fd, (struct sockaddr *)&source, sizeof(source)), "bind");
	c->server.sin_port = htons((uint16_t)(c->port + c->opened / c->sources % c->ports));
	if (connect(fd, (struct sockaddr *)&c->server, sizeof(c->server)) && errno != EINPROGRESS)
		fail("connect");
	watch(c->epoll, fd, EPOLLOUT);
	c->opened++;
}

static void ask(struct client *c, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	if (send(fd, payload, REQUEST, MSG_NOSIGNAL) != REQUEST)
		fail("send");
	succeed(epoll_ctl(c->epoll, EPOLL_CTL_MOD, fd, &e), "epoll_ctl");
}

static void finish(struct client *c, int fd)
{
	char buffer[ANSWER];
	ssize_t got = recv(fd, buffer, sizeof(buffer), MSG_WAITALL);

	if (got < 0 &&
	    errno == ECONNRESET) /* happens while XDP comes to an interface or leaves it: a connection all the same */
		c->reset++;
	else if (got != ANSWER)
		fail("recv");
	close(fd);
	c->done++;
}

static void open_and_close(struct client *c, double seconds)
{
	struct epoll_event events[EVENTS];
	double start = now(), end = start + seconds;
	bool going = true;

	while (going || c->done < c->opened) {
		int n;

		while (going && c->opened - c->done < PARALLEL)
			open_one(c);
		n = epoll_wait(c->epoll, events, EVENTS, 1000);
		if (n <= 0)
			fail("waiting for the server");
		for (int i = 0; i < n; i++) {
			if (events[i].events & EPOLLIN)
				finish(c, events[i].data.fd);
			else
				ask(c, events[i].data.fd);
		}
		going = now() < end;
	}
	printf("%u %.6f\n", c->done, now() - start);
	if (c->reset)
		fprintf(stderr, "conns: %u of them were reset\n", c->reset);
}

/* ---- one that carries all it can ---- */

static void sink(const char *host, unsigned port)
{
	int listener = listen_on(host, port, 0);

	ready();
	for (;;) {
		int fd = succeed(accept4(listener, NULL, NULL, SOCK_CLOEXEC), "accept");

		while (recv(fd, payload, sizeof(payload), 0) > 0)
			;
		close(fd);
	}
}

/* Counts what the other end has taken: sending ends, and its acknowledgment is waited for, before the clock is read. */
static void send_bulk(const char *host, unsigned port, double seconds)
{
	struct sockaddr_in a = address(host, port);
	int fd = succeed(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
	double start, end;
	uint64_t bytes = 0;
	char byte;

	succeed(connect(fd, (struct sockaddr *)&a, sizeof(a)), "connect");
	start = now();
	end = start + seconds;
	while (now() < end) {
		ssize_t sent = send(fd, payload, sizeof(payload), MSG_NOSIGNAL);

		if (sent < 0)
			fail("send");
		bytes += (uint64_t)sent;
	}
	shutdown(fd, SHUT_WR);
	if (recv(fd, &byte, 1, 0) != 0)
		fail("the end of the other side");
	printf("%llu %.6f\n", (unsigned long long)bytes, now() - start);
	close(fd);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(what, "serve") && argc == 5) {
		serve(argv[2], number(argv[3]), number(argv[4]));
	} else if (!strcmp(what, "open") && argc == 8) {
		struct client c = {.epoll = succeed(epoll_create1(EPOLL_CLOEXEC), "epoll_create"),
				   .server = address(argv[2], 0),
				   .port = number(argv[3]),
				   .ports = number(argv[4]),
				   .source = address(argv[5], 0),
				   .sources = number(argv[6])};

		open_and_close(&c, strtod(argv[7], NULL));
	} else if (!strcmp(what, "sink") && argc == 4) {
		sink(argv[2], number(argv[3]));
	} else if (!strcmp(what, "send") && argc == 5) {
		send_bulk(argv[2], number(argv[3]), strtod(argv[4], NULL));
	} else {
		fputs("conns serve|open|sink|send ADDRESS PORT ...: see the head of conns.c\n", stderr);
		return 2;
	}
	return 0;
}
