// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * IPFIX without a collector: that every element has room, texts from outside, that templates are bounded and told again
 * when they must be, and a transport whose other end does not read, is gone or comes back. What is exported of a record
 * is compared by tests/golden/ipfix.py.
 */
#include "tests/unit/assert.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/sample_record.h"
#include "user/base/clock.h"
#include "user/ipfix/messages.h"
#include "user/ipfix/transport.h"

/* ---- elements ---- */

TEST(test_room_for_all)
{
	unsigned count, bytes = 0;
	const struct ipfix_element *e = ipfix_elements(&count);

	assert_true(count > 100 && count < IPFIX_ELEMENTS - 16);
	for (unsigned i = 0; i < count; i++) {
		enter_row("%s", e[i].name);
		assert_true(strlen(e[i].name) < IPFIX_NAME - 1);
		expect_int(e[i].offset % e[i].size, 0);
		assert_true(e[i].offset + e[i].size <= IPFIX_VALUES_BYTES);
		bytes += e[i].size;
		for (unsigned j = 0; j < i; j++) {
			assert_string_not_equal(e[i].name, e[j].name);
			assert_true(!e[i].number || e[i].number != e[j].number);
		}
	}
	assert_true(bytes < IPFIX_VALUES_BYTES - 512);
}

static struct ipfix_values values;

static unsigned element_of(const char *name)
{
	unsigned count;
	const struct ipfix_element *e = ipfix_elements(&count);

	for (unsigned i = 0; i < count; i++)
		if (!strcmp(e[i].name, name))
			return i;
	fail_msg("no element %s", name);
	return 0;
}

static const struct ipfix_text *text_of(const char *name)
{
	unsigned count;
	const struct ipfix_element *e = ipfix_elements(&count);

	assert_true(ipfix_has(&values.known, element_of(name)));
	return (const struct ipfix_text *)(values.bytes + e[element_of(name)].offset);
}

/* A process may give itself any name. */
TEST(test_texts_from_outside)
{
	const struct ipfix_text *text;
	struct record r;

	sample_graceful(&r);
	r.socket[SOURCE].how = HOW_CLOSE;
	snprintf(r.socket[SOURCE].process.name, RECORD_NAME, "a\xff\xe2\x82z\n");
	ipfix_values_of(&values, &r, NO);
	text = text_of("tcpfinSourceProcessName");
	expect_int(text->len, 9);
	assert_memory_equal(text->bytes, "a\xef\xbf\xbd\xef\xbf\xbdz\n", 9);
	r.socket[SOURCE].process.name[0] = '\0';
	ipfix_values_of(&values, &r, NO);
	assert_false(ipfix_has(&values.known, element_of("tcpfinSourceProcessName")));
}

TEST(test_texts_without_end)
{
	static char name[2 * IPFIX_TEXTS_BYTES];
	struct record r;

	sample_graceful(&r);
	memset(name, 'x', sizeof(name) - 1);
	r.interfaces[0] = name;
	ipfix_values_of(&values, &r, NO);
	expect_int(text_of("interfaceName")->len, IPFIX_TEXTS_BYTES);
	expect_int(values.texts_len, IPFIX_TEXTS_BYTES);
}

/* ---- messages ---- */

#define LARGEST 1232

static struct seen {
	unsigned messages, records, data, templates; /* data: records of connections by the callback's count */
	uint32_t next_sequence;
	bool known[UINT16_MAX + 1]; /* templates that were told */
	uint16_t last_template;
} seen;

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* A template set with one template; one of options has its scope count first. */
static void see_template(const uint8_t *set)
{
	seen.templates++;
	seen.last_template = (uint16_t)get16(set + 4);
	seen.known[seen.last_template] = true;
}

static void see_sets(const uint8_t *bytes, size_t len, unsigned records)
{
	for (size_t at = 16; at < len; at += get16(bytes + at + 2)) {
		unsigned id = get16(bytes + at);

		assert_true(get16(bytes + at + 2) > 4 && at + get16(bytes + at + 2) <= len);
		if (id == 2 || id == 3)
			see_template(bytes + at);
		else
			assert_true(seen.known[id]);
		seen.records += id >= 256 && records ? records : 0;
	}
}

static void see(void *context, const uint8_t *bytes, size_t len, unsigned records)
{
	(void)context;
	assert_true(len <= LARGEST);
	expect_int(get16(bytes), 10);
	expect_int(get16(bytes + 2), len);
	expect_int(get16(bytes + 12) << 16 | get16(bytes + 14), 7);
	seen.messages++;
	seen.data += records;
	see_sets(bytes, len, records);
}

static struct ipfix_messages *begin_messages(void)
{
	struct ipfix_messages *m = ipfix_messages_new(32473, 7, LARGEST, see, NULL);

	assert_non_null(m);
	memset(&seen, 0, sizeof(seen));
	assert_true(ipfix_messages_begin(m));
	return m;
}

/* A record with those elements only, and what all records have: another template. */
static void add_kept(struct ipfix_messages *m, const uint64_t kept[IPFIX_ELEMENTS / 64])
{
	struct ipfix_presence common;
	struct record r;

	sample_graceful(&r);
	ipfix_values_of(&values, &r, NO);
	common = ipfix_common(&values.known);
	for (unsigned i = 0; i < IPFIX_ELEMENTS / 64; i++)
		values.known.words[i] &= kept[i] | common.words[i];
	assert_true(ipfix_messages_add(m, &values));
}

static const uint64_t all[IPFIX_ELEMENTS / 64] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};

/* However many kinds of records there are: each is sent, and no number of a template is above the bound. */
TEST(test_templates_are_bounded)
{
	struct ipfix_messages *m = begin_messages();
	uint64_t kept[IPFIX_ELEMENTS / 64] = {0}, random = 1;

	assert_true(seen.messages > 5);
	for (unsigned i = 0; i < 2000; i++) {
		for (unsigned word = 0; word < IPFIX_ELEMENTS / 64; word++)
			kept[word] = random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		add_kept(m, kept);
	}
	ipfix_messages_flush(m);
	assert_true(seen.templates > IPFIX_TEMPLATES - 8 && seen.templates <= IPFIX_TEMPLATES + 1);
	for (unsigned id = 256 + IPFIX_TEMPLATES + 1; id <= UINT16_MAX; id++)
		assert_false(seen.known[id]);
	expect_int(seen.data, seen.records);
	expect_int(seen.data, 2000);
	ipfix_messages_free(m);
}

/* Templates are repeated while they are used; one that was not used for long is told before it is used again. */
TEST(test_templates_are_repeated)
{
	struct ipfix_messages *m = begin_messages();

	add_kept(m, all);
	ipfix_messages_flush(m);
	for (unsigned i = 0; i < 20; i++) {
		memset(&seen, 0, sizeof(seen));
		ipfix_messages_repeat(m);
		assert_true(seen.known[256]);
		expect_int(seen.known[257], i < 9);
	}
	memset(&seen, 0, sizeof(seen));
	add_kept(m, all);
	ipfix_messages_flush(m);
	expect_int(seen.templates, 1);
	expect_int(seen.last_template, 257);
	add_kept(m, all);
	ipfix_messages_flush(m);
	expect_int(seen.templates, 1);
	ipfix_messages_free(m);
}

/* After a new beginning nothing is taken for known, and what was not sent is gone. */
TEST(test_new_session)
{
	struct ipfix_messages *m = begin_messages();

	add_kept(m, all);
	expect_int(ipfix_messages_waiting(m), 1);
	memset(&seen, 0, sizeof(seen));
	assert_true(ipfix_messages_begin(m));
	expect_int(ipfix_messages_waiting(m), 0);
	add_kept(m, all);
	ipfix_messages_flush(m);
	expect_int(seen.data, 1);
	assert_true(seen.known[257]);
	ipfix_messages_free(m);
}

/* ---- the transport ---- */

static struct options options;

/* A socket on a port of this host, and the options that name it. */
static int place(int type)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, type, 0), small = 4096, on = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_true(fd >= 0 && !bind(fd, (struct sockaddr *)&address, len) &&
		    !getsockname(fd, (struct sockaddr *)&address, &len));
	options = (struct options){.ipfix.text = "here",
				   .ipfix.host = "127.0.0.1",
				   .ipfix_transport = type == SOCK_STREAM ? IPFIX_TCP : IPFIX_UDP};
	snprintf(options.ipfix.port, sizeof(options.ipfix.port), "%d", ntohs(address.sin_port));
	return fd;
}

static struct ipfix_transport *transport;
static uint8_t message[16384];

/* A collector that takes the connection and nothing else holds nobody up, and loses what does not fit. */
TEST(test_collector_that_does_not_read)
{
	int listening = place(SOCK_STREAM), sent = 0;
	uint64_t begun = clock_ns(CLOCK_MONOTONIC);

	assert_false(listen(listening, 1));
	expect_int(ipfix_transport_open(&transport, &options), EXIT_FINE);
	while (ipfix_transport_is_open(transport) && sent < 100000) {
		ipfix_transport_send(transport, message, sizeof(message), 3);
		sent++;
	}
	assert_true(sent > 64 && sent < 100000);
	assert_true(ipfix_transport_lost(transport) >= 3 * 64);
	assert_true(clock_ns(CLOCK_MONOTONIC) - begun < (uint64_t)(5 * SECOND_NS));
	expect_int(ipfix_transport_poll(transport, clock_ns(CLOCK_MONOTONIC)), IPFIX_NOTHING_NEW);
	ipfix_transport_free(transport);
	close(listening);
}

/* The next connection comes after a pause, and later and later. */
TEST(test_collector_that_comes_back)
{
	int listening = place(SOCK_STREAM);
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	assert_false(listen(listening, 1));
	expect_int(ipfix_transport_open(&transport, &options), EXIT_FINE);
	close(accept(listening, NULL, NULL));
	usleep(10000);
	expect_int(ipfix_transport_poll(transport, now), IPFIX_NOTHING_NEW);
	assert_false(ipfix_transport_is_open(transport));
	ipfix_transport_send(transport, message, sizeof(message), 5);
	expect_int(ipfix_transport_lost(transport), 5);
	expect_int(ipfix_transport_poll(transport, now), IPFIX_NOTHING_NEW); /* too early */
	now += 2 * SECOND_NS;
	expect_int(ipfix_transport_poll(transport, now), IPFIX_NOTHING_NEW);
	usleep(10000);
	expect_int(ipfix_transport_poll(transport, now), IPFIX_NEW_SESSION);
	assert_true(ipfix_transport_is_open(transport));
	ipfix_transport_free(transport);
	close(listening);
}

/* A connection that is never answered is given up. */
TEST(test_connection_that_is_not_made)
{
	int listening = place(SOCK_STREAM);

	expect_int(ipfix_transport_open(&transport, &options), EXIT_RUNTIME);
	ipfix_transport_free(transport);
	close(listening);
}

/* Over UDP an error belongs to an earlier message, whose records are lost, and not to that with which it comes. */
TEST(test_datagrams_that_are_refused)
{
	int fd = place(SOCK_DGRAM);
	uint64_t now;

	expect_int(ipfix_transport_open(&transport, &options), EXIT_FINE);
	ipfix_transport_send(transport, message, 100, 1);
	expect_int(read(fd, message, sizeof(message)), 100);
	close(fd);
	ipfix_transport_send(transport, message, 100, 2);
	ipfix_transport_send(transport, message, 100, 4);
	expect_int(ipfix_transport_lost(transport), 2);
	ipfix_transport_end(transport);
	expect_int(ipfix_transport_lost(transport), 6);
	now = clock_ns(CLOCK_MONOTONIC) + (uint64_t)SECOND_NS;
	expect_int(ipfix_transport_poll(transport, now), IPFIX_NOTHING_NEW);
	ipfix_transport_free(transport);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
