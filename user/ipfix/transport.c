// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TCP keeps messages that the socket does not take in a queue of a few; a collector that lets it run full is one that
 * does not answer: the connection is closed, and tried again. UDP tells of a loss, if at all, by an error that comes
 * with one of the next calls.
 */
#include "user/ipfix/transport.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/helper/helper.h"

#define ADDRESSES 8   /* of a name that are tried */
#define WAITING 64    /* messages in the queue */
#define START_MS 5000 /* for a connection at the start */
#define LATER_NS (10 * SECOND_NS)
#define SLOW_MS 5000                      /* that a capture waits for the collector to take something */
#define END_MS 2000                       /* for what is on its way at the end */
#define FIRST_PAUSE_NS SECOND_NS          /* before the next attempt */
#define LONGEST_PAUSE_NS (30 * SECOND_NS) /* it doubles up to that */
#define REFUSAL_NS (300 * MS_NS)          /* in which the collector's host says that nobody listens */

/* The addresses of the collector; the helper has its own copy, and goes to the next one with each request. */
struct places {
	bool tcp;
	unsigned count, next;
	struct {
		struct sockaddr_storage address;
		socklen_t len;
	} list[ADDRESSES];
};

struct ipfix_transport {
	const struct option_collector *where;
	struct places places;
	bool may_wait;
	int fd;                /* -1: closed */
	bool connected;        /* TCP: else the connection is being made */
	uint64_t until;        /* ns of CLOCK_MONOTONIC: when making it is given up */
	uint64_t next_try;     /* the same, while closed */
	uint64_t pause;        /* ns between attempts */
	bool refused;          /* UDP: the collector is away, */
	uint64_t unrefused;    /* and when a message was sent after it had last said so; 0: none was */
	bool failing;          /* said already */
	unsigned last_records; /* UDP: in the last message */
	uint64_t lost;
	struct buffer queue;
	struct {
		size_t len; /* bytes that are not sent yet */
		unsigned records;
	} waiting[WAITING];
	unsigned waiting_count;
};

/* ---- sockets ---- */

/* A socket on its way to the next address, or a negative errno. */
static int connect_next(struct places *p)
{
	unsigned i = p->next++ % p->count;
	const struct sockaddr *address = (const struct sockaddr *)&p->list[i].address;
	int fd = socket(address->sa_family, (p->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (!connect(fd, address, p->list[i].len) || errno == EINPROGRESS)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* What the helper does when it is asked for a connection. */
static int answer(void *context, const struct helper_question *question, struct helper_reply *reply)
{
	(void)question;
	return helper_reply_descriptor(reply, connect_next(context));
}

/* 0 once the connection is made, or a negative errno. */
static int wait_connected(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	socklen_t size = sizeof(int);
	int err = 0;

	if (poll(&p, 1, START_MS) != 1)
		return -ETIMEDOUT;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) ? -errno : -err;
}

/* ---- the start ---- */

/* NULL, or why the collector is not found. */
static const char *find(struct places *p, const struct option_collector *where)
{
	const struct addrinfo hints = {.ai_socktype = p->tcp ? SOCK_STREAM : SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found;
	int err = getaddrinfo(where->host, where->port, &hints, &found);

	if (err)
		return err == EAI_SYSTEM ? strerror(errno) : gai_strerror(err);
	for (const struct addrinfo *a = found; a && p->count < ADDRESSES; a = a->ai_next) {
		memcpy(&p->list[p->count].address, a->ai_addr, a->ai_addrlen);
		p->list[p->count++].len = a->ai_addrlen;
	}
	freeaddrinfo(found);
	return NULL;
}

/* A connection to the first address that takes one, or a negative errno: the last one's. */
static int connect_first(struct places *p)
{
	int fd = -EADDRNOTAVAIL, err;

	for (unsigned i = 0; i < p->count; i++) {
		fd = connect_next(p);
		err = fd >= 0 && p->tcp ? wait_connected(fd) : 0;
		if (fd >= 0 && !err)
			return fd;
		if (fd >= 0)
			close(fd);
		fd = err ? err : fd;
	}
	return fd;
}

int ipfix_transport_open(struct ipfix_transport **place, const struct options *options)
{
	struct ipfix_transport *t = calloc(1, sizeof(*t));
	const char *fault = "out of memory";

	*place = t;
	if (t) {
		*t = (struct ipfix_transport){.where = &options->ipfix,
					      .places.tcp = options->ipfix_transport == IPFIX_TCP,
					      .may_wait = options->files.count,
					      .fd = -1,
					      .pause = FIRST_PAUSE_NS};
		fault = find(&t->places, t->where);
		t->fd = fault ? -1 : connect_first(&t->places);
		fault = fault || t->fd >= 0 ? fault : strerror(-t->fd);
	}
	if (!fault) {
		t->connected = true;
		signal(SIGPIPE, SIG_IGN); /* of a collector that closes at once, before others ignore it */
		helper_withhold(t->fd);
		helper_offer(HELPER_COLLECTOR, answer, &t->places);
		return EXIT_FINE;
	}
	log_error("--ipfix %s: %s", options->ipfix.text, fault);
	return EXIT_RUNTIME;
}

void ipfix_transport_free(struct ipfix_transport *t)
{
	if (!t)
		return;
	if (t->fd >= 0)
		close(t->fd);
	buffer_free(&t->queue);
	free(t);
}

/* ---- losses ---- */

void ipfix_transport_count_lost(struct ipfix_transport *t, uint64_t records)
{
	t->lost += records;
}

uint64_t ipfix_transport_lost(const struct ipfix_transport *t)
{
	return t->lost;
}

/* Says so once, until the collector is back. */
static void say_lost(struct ipfix_transport *t, const char *why)
{
	if (!t->failing)
		log_warn("IPFIX collector %s: %s: records for it are lost and counted until it is back", t->where->text,
			 why);
	t->failing = true;
}

static void say_back(struct ipfix_transport *t)
{
	if (t->failing)
		log_note("IPFIX collector %s is back", t->where->text);
	t->failing = false;
}

/* Closes, and loses what waits. The next attempt comes later and later. */
static void fail(struct ipfix_transport *t, const char *why)
{
	say_lost(t, why);
	helper_withhold(-1); /* before the helper is there: the number may soon be another descriptor's */
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	t->connected = false;
	for (unsigned i = 0; i < t->waiting_count; i++)
		t->lost += t->waiting[i].records;
	t->waiting_count = 0;
	t->queue.len = 0;
	t->next_try = clock_ns(CLOCK_MONOTONIC) + t->pause;
	t->pause = t->pause * 2 < LONGEST_PAUSE_NS ? t->pause * 2 : LONGEST_PAUSE_NS;
}

bool ipfix_transport_is_open(const struct ipfix_transport *t)
{
	return t->fd >= 0 && t->connected;
}

/* ---- UDP ---- */

/* Datagrams are lost from now on, until one is not refused for a while. */
static void note_away(struct ipfix_transport *t, const char *why)
{
	t->refused = true;
	t->unrefused = 0;
	say_lost(t, why);
}

/* The collector's host says that nobody listens: what was sent last is lost. */
static void note_refusal(struct ipfix_transport *t)
{
	t->lost += t->last_records;
	t->last_records = 0;
	note_away(t, strerror(ECONNREFUSED));
}

static ssize_t write_patiently(struct ipfix_transport *t, const uint8_t *bytes, size_t len)
{
	struct pollfd p = {.fd = t->fd, .events = POLLOUT};
	ssize_t n = write(t->fd, bytes, len);

	if (n >= 0 || errno != EAGAIN || !t->may_wait)
		return n;
	poll(&p, 1, SLOW_MS);
	return write(t->fd, bytes, len);
}

/* An error that comes with it is that of an earlier message, so that it is tried again once. */
static void send_datagram(struct ipfix_transport *t, const uint8_t *bytes, size_t len, unsigned records)
{
	ssize_t n = write_patiently(t, bytes, len);

	if (n < 0 && errno == ECONNREFUSED) {
		note_refusal(t);
		n = write_patiently(t, bytes, len);
	}
	if (n >= 0) {
		t->last_records = records;
		t->unrefused = t->unrefused ? t->unrefused : clock_ns(CLOCK_MONOTONIC);
		return;
	}
	t->lost += records;
	if (errno == ECONNREFUSED)
		note_refusal(t);
	else if (errno == EAGAIN || errno == ENOBUFS)
		note_away(t, strerror(errno));
	else
		fail(t, strerror(errno));
}

/* Has an error come in the meantime? What is received is nothing that IPFIX has. */
static void take_errors(struct ipfix_transport *t)
{
	uint8_t byte;

	if (read(t->fd, &byte, sizeof(byte)) < 0 && errno == ECONNREFUSED)
		note_refusal(t);
}

/* The collector is taken to be back once a message was not refused for a while. */
static enum ipfix_news poll_datagrams(struct ipfix_transport *t, uint64_t now)
{
	take_errors(t);
	if (!t->refused || !t->unrefused || now < t->unrefused + REFUSAL_NS)
		return IPFIX_NOTHING_NEW;
	t->refused = false;
	say_back(t);
	return IPFIX_BACK;
}

/* ---- TCP ---- */

/* n bytes of the queue are sent. */
static void take_sent(struct ipfix_transport *t, size_t n)
{
	unsigned whole = 0;

	memmove(t->queue.data, t->queue.data + n, t->queue.len - n);
	t->queue.len -= n;
	while (whole < t->waiting_count && n >= t->waiting[whole].len)
		n -= t->waiting[whole++].len;
	t->waiting_count -= whole;
	memmove(t->waiting, t->waiting + whole, t->waiting_count * sizeof(t->waiting[0]));
	if (t->waiting_count)
		t->waiting[0].len -= n;
}

/* Sends what the socket takes. */
static void drain(struct ipfix_transport *t)
{
	while (t->fd >= 0 && t->queue.len) {
		ssize_t n = write(t->fd, t->queue.data, t->queue.len);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno != EINTR)
			fail(t, strerror(errno));
		else if (n > 0)
			take_sent(t, (size_t)n);
	}
}

/* Waits until the queue is sent, or the socket has taken nothing for `ms`. */
static void drain_patiently(struct ipfix_transport *t, int ms)
{
	struct pollfd p = {.fd = t->fd, .events = POLLOUT};

	drain(t);
	while (t->fd >= 0 && t->queue.len && poll(&p, 1, ms) == 1)
		drain(t);
}

static void send_by_stream(struct ipfix_transport *t, const uint8_t *bytes, size_t len, unsigned records)
{
	if (t->waiting_count == WAITING && t->may_wait)
		drain_patiently(t, SLOW_MS);
	if (t->waiting_count == WAITING)
		fail(t, "it does not take what it is sent");
	if (t->fd < 0) {
		t->lost += records;
		return;
	}
	buffer_bytes(&t->queue, bytes, len);
	t->waiting[t->waiting_count].len = len;
	t->waiting[t->waiting_count++].records = records;
	drain(t);
}

/* Has the collector closed? What it sends is nothing that IPFIX has. */
static void take_close(struct ipfix_transport *t)
{
	uint8_t bytes[256];
	ssize_t n = read(t->fd, bytes, sizeof(bytes));

	if (!n)
		fail(t, "it has closed the connection");
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		fail(t, strerror(errno));
}

/* A connection that is being made: is it there now? */
static enum ipfix_news poll_connecting(struct ipfix_transport *t, uint64_t now)
{
	struct pollfd p = {.fd = t->fd, .events = POLLOUT};
	int ready = poll(&p, 1, 0);

	if (ready == 1 && p.revents & (POLLERR | POLLHUP)) {
		take_close(t);
	} else if (ready == 1) {
		t->connected = true;
		t->pause = FIRST_PAUSE_NS;
		say_back(t);
		return IPFIX_NEW_SESSION;
	} else if (now >= t->until) {
		fail(t, strerror(ETIMEDOUT));
	}
	return IPFIX_NOTHING_NEW;
}

static void poll_stream(struct ipfix_transport *t)
{
	take_close(t);
	drain(t);
}

/* ---- both ---- */

/* Asks the helper for the next socket. */
static enum ipfix_news open_again(struct ipfix_transport *t, uint64_t now)
{
	const struct helper_question question = {.request = HELPER_COLLECTOR};
	int fd = helper_ask_descriptor(&question);

	if (fd < 0) {
		fail(t, strerror(-fd));
		return IPFIX_NOTHING_NEW;
	}
	t->fd = fd;
	t->until = now + LATER_NS;
	t->connected = !t->places.tcp;
	t->refused = t->connected;
	t->unrefused = 0;
	return t->connected ? IPFIX_NEW_SESSION : IPFIX_NOTHING_NEW;
}

enum ipfix_news ipfix_transport_poll(struct ipfix_transport *t, uint64_t now)
{
	if (t->fd < 0)
		return now >= t->next_try ? open_again(t, now) : IPFIX_NOTHING_NEW;
	if (!t->connected)
		return poll_connecting(t, now);
	if (!t->places.tcp)
		return poll_datagrams(t, now);
	poll_stream(t);
	return IPFIX_NOTHING_NEW;
}

void ipfix_transport_send(struct ipfix_transport *t, const uint8_t *bytes, size_t len, unsigned records)
{
	if (!ipfix_transport_is_open(t))
		t->lost += records;
	else if (t->places.tcp)
		send_by_stream(t, bytes, len, records);
	else
		send_datagram(t, bytes, len, records);
}

void ipfix_transport_end(struct ipfix_transport *t)
{
	if (!ipfix_transport_is_open(t))
		return;
	if (t->places.tcp)
		drain_patiently(t, END_MS);
	else
		take_errors(t);
	if (t->queue.len)
		fail(t, "it does not take what it is sent");
}
