// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The library has threads of its own, and parses what comes from the network: hence a process of its own, which can
 * connect and nothing else.
 */
#include "user/kafka/producer.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/base/privileges.h"
#include "user/base/side_process.h"
#include "user/kafka/librdkafka.h"

#define POLL_MS 50

struct producer {
	const struct producer_start *start;
	struct exchange_state *state;
	struct librdkafka lib;
	rd_kafka_t *handle;
	rd_kafka_topic_t *topic;
	uint64_t reported; /* ns of CLOCK_MONOTONIC: when the library last said what became of a record */
	uint64_t over;     /* when the program was seen to have ended; 0: not yet */
	char message[EXCHANGE_MESSAGE];
};

/* ---- what is told ---- */

static void add_one(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELEASE);
}

static void tell(struct exchange_state *state, const char *what, const char *why)
{
	snprintf(state->trouble, sizeof(state->trouble), "%s%s%s", what, *why ? ": " : "", why);
	__atomic_fetch_add(&state->troubles, 1, __ATOMIC_RELEASE);
}

static void refused(struct producer *p, rd_kafka_resp_err_t error)
{
	add_one(&p->state->lost[EXCHANGE_REFUSED]);
	tell(p->state, "a record is refused", p->lib.err2str(error));
}

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
	struct producer *p = opaque;

	(void)handle;
	p->reported = clock_ns(CLOCK_MONOTONIC);
	if (!message->err)
		add_one(&p->state->delivered);
	else if (message->err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
		add_one(&p->state->lost[EXCHANGE_TIMED_OUT]);
	else
		refused(p, message->err);
}

/* That all brokers are down follows each one's own error, and would hide why: a wrong password, a certificate. */
static void on_error(rd_kafka_t *handle, int error, const char *reason, void *opaque)
{
	struct producer *p = opaque;

	(void)handle;
	if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		tell(p->state, p->lib.err2str(error), reason);
}

/* The library's log tells the same as its errors, and more than anybody reads. */
static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *line)
{
	(void)handle;
	(void)level;
	(void)facility;
	(void)line;
}

/* ---- starting ---- */

/* Ends the process; what went wrong has been told. */
static _Noreturn void fail(struct exchange_state *state, const char *what, const char *why)
{
	tell(state, what, why);
	_exit(1);
}

static void set(struct producer *p, rd_kafka_conf_t *conf, const struct kafka_setting *setting)
{
	char error[200], what[64] = "cannot set up librdkafka";

	if (p->lib.conf_set(conf, setting->name, setting->value, error, sizeof(error)) == RD_KAFKA_CONF_OK)
		return;
	if (setting->line)
		snprintf(what, sizeof(what), "--kafka-config, line %u", setting->line);
	fail(p->state, what, error);
}

/* Modules that the C library needs to resolve names are loaded now: later, code can no longer be mapped. */
static void load_resolver(void)
{
	struct addrinfo *list = NULL;

	if (!getaddrinfo("localhost", NULL, NULL, &list))
		freeaddrinfo(list);
}

/* Keys and certificates are read here. */
static void create(struct producer *p)
{
	rd_kafka_conf_t *conf = p->lib.conf_new();
	char error[200];

	p->lib.conf_set_opaque(conf, p);
	p->lib.conf_set_dr_msg_cb(conf, on_delivery);
	p->lib.conf_set_error_cb(conf, on_error);
	p->lib.conf_set_log_cb(conf, on_log);
	for (unsigned i = 0; i < p->start->settings->count; i++)
		set(p, conf, &p->start->settings->list[i]);
	p->handle = p->lib.new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
	if (!p->handle)
		fail(p->state, "cannot start librdkafka", error);
	p->topic = p->lib.topic_new(p->handle, p->start->topic, NULL);
	if (!p->topic)
		fail(p->state, "cannot use the topic", p->lib.err2str(p->lib.last_error()));
}

static void begin(struct producer *p)
{
	int kept[] = {p->start->records, p->start->alive};
	const char *missing;

	side_process_begin("tcpfin-kafka");
	side_process_close_others(kept, 2);
	missing = librdkafka_load(&p->lib);
	if (missing)
		fail(p->state, "cannot load librdkafka (Debian: librdkafka1)", missing);
	load_resolver();
	if (privileges_keep_for_keys())
		fail(p->state, "cannot give up rights", strerror(errno));
	create(p);
	if (privileges_drop_to_connect())
		fail(p->state, "cannot give up rights", strerror(errno));
	if (write(p->start->alive, "", 1) != 1)
		_exit(1);
}

/* ---- records ---- */

/* Has the program closed its end? */
static bool is_over(struct producer *p)
{
	struct pollfd fd = {.fd = p->start->records};

	if (!p->over && poll(&fd, 1, 0) > 0 && fd.revents & POLLHUP)
		p->over = clock_ns(CLOCK_MONOTONIC);
	return p->over;
}

/* Has the program ended, and nothing become of any record for a while? */
static bool is_hopeless(struct producer *p)
{
	uint64_t since = is_over(p) && p->over > p->reported ? p->over : p->reported;

	return p->over && clock_ns(CLOCK_MONOTONIC) - since > PRODUCER_LAST_SECONDS * SECOND_NS;
}

/* Gives the library a record. False: its queue is full. */
static bool give(struct producer *p, char *key, const struct exchange_entry *entry)
{
	rd_kafka_resp_err_t error;

	if (!p->lib.produce(p->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, key + entry->key_size,
			    entry->value_size, key, entry->key_size, NULL))
		return true;
	error = p->lib.last_error();
	if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		return false;
	refused(p, error);
	return true;
}

static void take_entry(struct producer *p, char *key, const struct exchange_entry *entry)
{
	while (!give(p, key, entry)) {
		if (!p->start->patient || is_hopeless(p)) {
			add_one(&p->state->lost[EXCHANGE_QUEUE_FULL]);
			return;
		}
		p->lib.poll(p->handle, POLL_MS);
	}
}

/* A message that is not whole entries ends the process: the program is not what it was. */
static void take_message(struct producer *p, size_t size)
{
	struct exchange_entry entry;

	for (size_t at = 0; at < size; at += entry.key_size + entry.value_size) {
		if (size - at < sizeof(entry))
			_exit(1);
		memcpy(&entry, p->message + at, sizeof(entry));
		at += sizeof(entry);
		if (entry.key_size > size - at || entry.value_size > size - at - entry.key_size)
			_exit(1);
		take_entry(p, p->message + at, &entry);
	}
}

/* False: the program has ended, and there is nothing more from it. */
static bool take_next(struct producer *p)
{
	struct pollfd fd = {.fd = p->start->records, .events = POLLIN};
	ssize_t n;

	if (poll(&fd, 1, POLL_MS) <= 0)
		return true;
	n = recv(fd.fd, p->message, sizeof(p->message), MSG_TRUNC); /* the message's size, not what was read of it */
	if (n > (ssize_t)sizeof(p->message))
		_exit(1);
	if (n > 0)
		take_message(p, (size_t)n);
	return n > 0 || (n < 0 && errno == EINTR);
}

static void deliver_rest(struct producer *p)
{
	while (p->lib.outq_len(p->handle) && !is_hopeless(p))
		p->lib.poll(p->handle, POLL_MS);
}

void producer_run(const struct producer_start *start)
{
	static struct producer producer;
	struct producer *p = &producer;

	p->start = start;
	p->state = start->state;
	begin(p);
	while (take_next(p))
		p->lib.poll(p->handle, 0);
	deliver_rest(p);
	_exit(0); /* what the library still holds is lost, and the program counts it */
}
