// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Metrics as text: where each record is counted, what the two formats have otherwise, and that the number of series and
 * every counter keep their promises whatever the names are.
 */
#include "tests/unit/assert.h"

#include <arpa/inet.h>

#include "tests/unit/sample_record.h"
#include "user/monitoring/accept_header.h"
#include "user/monitoring/metrics.h"

static struct metrics *m;
static struct buffer text;

static void begin(void)
{
	metrics_free(m);
	m = metrics_new(1);
	assert_non_null(m);
}

static int end(void **state)
{
	(void)state;
	metrics_free(m);
	buffer_free(&text);
	text = (struct buffer){0};
	return 0;
}

static const char *print(enum exposition_format format)
{
	text.len = 0;
	metrics_print(&text, m, format);
	buffer_char(&text, '\0');
	return text.data;
}

/* The value of a sample, by its name and labels as they are printed. */
static uint64_t value_of(const char *sample)
{
	size_t len = strlen(sample);

	for (const char *line = print(EXPOSITION_TEXT); line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, sample, len) && line[len] == ' ')
			return strtoull(line + len + 1, NULL, 10);
	}
	return UINT64_MAX;
}

static unsigned lines_with(const char *part)
{
	unsigned n = 0;

	for (const char *at = strstr(text.data, part); at; at = strstr(at + 1, part))
		n++;
	return n;
}

/* ---- where records are counted ---- */

TEST(test_graceful)
{
	struct record r;

	begin();
	sample_graceful(&r);
	metrics_add(m, &r);
	expect_int(value_of("tcpfin_connections_total{outcome=\"graceful\",detail=\"four_way\",closer=\"source\"}"), 1);
	expect_int(value_of("tcpfin_connections_total{outcome=\"graceful\",detail=\"four_way\",closer=\"both\"}"), 0);
	expect_int(value_of("tcpfin_retransmits_total{segment=\"syn\",by=\"source\"}"), 2);
	expect_int(value_of("tcpfin_retransmits_total{segment=\"syn_ack\",by=\"destination\"}"), 3);
	expect_int(value_of("tcpfin_retransmits_total{segment=\"fin\",by=\"source\"}"), 0);
	expect_int(value_of("tcpfin_retransmits_total{segment=\"fin\",by=\"destination\"}"), 1);
	expect_int(value_of("tcpfin_close_step_seconds_bucket{step=\"close\",le=\"0.02\"}"), 0);
	expect_int(value_of("tcpfin_close_step_seconds_bucket{step=\"close\",le=\"0.05\"}"), 1);
	expect_int(value_of("tcpfin_handshake_seconds_count"), 1);
	assert_non_null(strstr(print(EXPOSITION_TEXT), "tcpfin_connection_duration_seconds_sum 195.980942000\n"));
}

TEST(test_reset)
{
	const char *sample =
		"tcpfin_resets_total{by=\"destination\",phase=\"half_closed\",validity=\"in_window\",forged="
		"\"unknown\"}";
	struct record r;

	begin();
	expect_int(value_of(sample), 0);
	sample_reset(&r);
	metrics_add(m, &r);
	expect_int(value_of(sample), 1);
	expect_int(value_of("tcpfin_reset_reasons_total{reason=\"unknown\"}"), 1);
	expect_int(
		value_of("tcpfin_connections_total{outcome=\"reset\",detail=\"half_closed\",closer=\"destination\"}"),
		1);
	expect_int(value_of("tcpfin_handshake_seconds_count"), 0); /* it was not seen */
}

/* The kernel's words are many, but so many series are shown and no more. */
TEST(test_reasons_are_bounded)
{
	struct record r;
	char reason[16];

	begin();
	sample_reset(&r);
	r.reset.reason = reason;
	for (unsigned i = 0; i < METRICS_REASONS + 100; i++) {
		snprintf(reason, sizeof(reason), "REASON_%u", i);
		metrics_add(m, &r);
		metrics_add(m, &r);
	}
	expect_int(value_of("tcpfin_reset_reasons_total{reason=\"REASON_63\"}"), 2);
	expect_int(value_of("tcpfin_reset_reasons_total{reason=\"REASON_64\"}"), UINT64_MAX);
	expect_int(value_of("tcpfin_reset_reasons_total{reason=\"other\"}"), 200);
}

/* A value on a bound belongs to it; a lifetime sum of many years does not wrap. */
TEST(test_bounds)
{
	const struct {
		const char *name, *le;
		int64_t ns;
		uint64_t within;
	} rows[] = {
		{"nothing", "1e-05", 0, 1},
		{"on the first bound", "1e-05", 10000, 1},
		{"behind it", "1e-05", 10001, 0},
		{"on the last bound", "5000.0", 5000000000000, 1},
		{"behind it", "5000.0", 5000000000001, 0},
		{"beyond all", "+Inf", INT64_MAX, 1},
	};
	char sample[128];

	begin();
	FOR_EACH_ROW(rows, row) {
		struct duration_histogram before = m->lifetime;
		struct record r;

		sample_nothing_seen(&r);
		r.timing[T_LIFETIME] = row->ns;
		snprintf(sample, sizeof(sample), "tcpfin_connection_duration_seconds_bucket{le=\"%s\"}", row->le);
		metrics_add(m, &r);
		expect_int(value_of(sample), row->within);
		m->lifetime = before;
	}
}

TEST(test_large_sum)
{
	struct record r;

	begin();
	sample_nothing_seen(&r);
	r.timing[T_LIFETIME] = 3600 * 1000000000LL;
	for (unsigned i = 0; i < 6000000; i++)
		duration_histogram_add(&m->lifetime, (uint64_t)r.timing[T_LIFETIME]);
	assert_non_null(
		strstr(print(EXPOSITION_TEXT), "tcpfin_connection_duration_seconds_sum 21600000000.000000000\n"));
}

/* ---- the formats ---- */

TEST(test_formats_differ)
{
	begin();
	print(EXPOSITION_TEXT);
	expect_int(lines_with("# TYPE tcpfin_connections_total counter\n"), 1);
	expect_int(lines_with("# TYPE tcpfin_build_info gauge\n"), 1);
	expect_int(lines_with("# EOF"), 0);
	print(EXPOSITION_OPENMETRICS);
	expect_int(lines_with("# TYPE tcpfin_connections counter\n"), 1);
	expect_int(lines_with("# TYPE tcpfin_build info\n"), 1);
	assert_string_equal(text.data + text.len - 1 - strlen("# EOF\n"), "# EOF\n");
}

/* What is not known is left out: no statistics of BPF, no tables of a capture. */
TEST(test_unknown_is_left_out)
{
	begin();
	print(EXPOSITION_TEXT);
	expect_int(lines_with("tcpfin_bpf"), 0);
	expect_int(lines_with("tcpfin_table"), 0);
	m->now.established.capacity = 1024;
	m->now.established.entries = 7;
	m->now.program_count = 1;
	memcpy(m->now.programs[0].name, "tc_in", 6);
	m->now.programs[0].runs = 3;
	m->now.programs[0].ns = 1500000000;
	expect_int(value_of("tcpfin_table_entries{table=\"established\"}"), 7);
	expect_int(value_of("tcpfin_bpf_runs_total{program=\"tc_in\"}"), 3);
	assert_non_null(strstr(text.data, "tcpfin_bpf_run_seconds_total{program=\"tc_in\"} 1.500000000\n"));
}

/* RFC 9110, section 12.5.1. The first one is Prometheus 2.42's. */
TEST(test_accept)
{
	const struct {
		const char *name;
		enum exposition_format format;
	} rows[] = {
		{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/"
		 "plain;"
		 "version=0.0.4;q=0.5,*/*;q=0.1",
		 EXPOSITION_OPENMETRICS},
		{"*/*", EXPOSITION_TEXT},
		{"", EXPOSITION_TEXT},
		{"text/plain", EXPOSITION_TEXT},
		{"application/openmetrics-text", EXPOSITION_OPENMETRICS},
		{"APPLICATION/OpenMetrics-Text ; Q=0.2", EXPOSITION_OPENMETRICS},
		{"text/plain;q=0.3 , application/openmetrics-text;q=0.2", EXPOSITION_TEXT},
		{"text/plain;q=0.2,application/openmetrics-text; version=1.0.0; q=0.200", EXPOSITION_OPENMETRICS},
		{"application/openmetrics-text;q=0", EXPOSITION_TEXT},
		{"application/openmetrics-text;q=", EXPOSITION_TEXT},
		{"application/openmetrics-text;q=x,text/plain", EXPOSITION_TEXT},
		{"application/openmetrics-texts", EXPOSITION_TEXT},
		{",;,;q=1,", EXPOSITION_TEXT},
	};

	FOR_EACH_ROW(rows, row)
		expect_int(accept_header_format(row->name), row->format);
	expect_int(accept_header_format(NULL), EXPOSITION_TEXT);
}

/* Whose turn it is, and in which state. */
TEST(test_stuck)
{
	const struct {
		const char *name;
		enum missing missing;
		uint64_t source, destination;
	} rows[] = {
		{"nothing", MISSING_NOTHING, 0, 0},
		{"ACK of the source", MISSING_SOURCE_ACK, 1, 0},
		{"ACK of the destination", MISSING_DESTINATION_ACK, 0, 1},
		{"FIN of the source", MISSING_SOURCE_FIN, 1, 0},
		{"FIN of the destination", MISSING_DESTINATION_FIN, 0, 1},
	};
	struct record r;

	begin();
	sample_nothing_seen(&r);
	r.end[SOURCE].state = STATE_CLOSE_WAIT;
	r.end[DESTINATION].state = STATE_LAST_ACK;
	print(EXPOSITION_TEXT);
	expect_int(lines_with("tcpfin_stuck_closes"), 0);
	m->now.watches_closes = true;
	FOR_EACH_ROW(rows, row) {
		memset(m->now.stuck, 0, sizeof(m->now.stuck));
		r.missing = row->missing;
		metrics_add_waiting(&m->now, &r, false);
		metrics_add_waiting(&m->now, &r, true);
		expect_int(value_of("tcpfin_stuck_closes{state=\"CLOSE-WAIT\",turn=\"source\"}"), row->source);
		expect_int(value_of("tcpfin_stuck_closes{state=\"LAST-ACK\",turn=\"destination\"}"), row->destination);
		expect_int(value_of("tcpfin_stuck_closes{state=\"CLOSE-WAIT\",turn=\"destination\"}"), 0);
	}
}

/* ---- groups ---- */

static void add_peer(uint32_t peer)
{
	struct record r;

	sample_graceful(&r);
	peer = htonl(peer);
	memcpy(r.end[SOURCE].ip, &peer, sizeof(peer));
	metrics_add(m, &r);
}

static void add_process(const char *name)
{
	struct record r;

	sample_sockets(&r);
	snprintf(r.socket[SOURCE].process.name, sizeof(r.socket[SOURCE].process.name), "%s", name);
	metrics_add(m, &r);
}

/* A group begins at 0, and "other" keeps what it had of it. */
TEST(test_group_comes_up)
{
	const char *own = "tcpfin_peer_connections_total{peer=\"0.0.0.7\",outcome=\"graceful\"}";
	const char *other = "tcpfin_peer_connections_total{peer=\"other\",outcome=\"graceful\"}";

	begin();
	expect_int(value_of(other), 0);
	add_peer(7);
	expect_int(value_of(own), 0);
	expect_int(value_of(other), 1);
	add_peer(7);
	expect_int(value_of(own), 1);
	expect_int(value_of(other), 1);
}

/* Every series' value at the last look. */
static struct series {
	char name[256];
	uint64_t value;
} seen[4096];
static unsigned seen_count;

static struct series *series_of(const char *name, size_t len)
{
	for (unsigned i = 0; i < seen_count; i++)
		if (!strncmp(seen[i].name, name, len) && !seen[i].name[len])
			return &seen[i];
	assert_true(seen_count < COUNT(seen) && len < sizeof(seen->name));
	memcpy(seen[seen_count].name, name, len);
	seen[seen_count].name[len] = '\0';
	seen[seen_count].value = 0;
	return &seen[seen_count++];
}

/* No series of the family has fallen or begun above 0, and all together are `sum`. Returns how many there are. */
static unsigned look_at(const char *family, uint64_t sum)
{
	unsigned n = 0;

	for (const char *line = print(EXPOSITION_TEXT); line; line = strchr(line, '\n')) {
		const char *space;
		struct series *s;
		unsigned before = seen_count;
		uint64_t value;

		line += *line == '\n';
		if (strncmp(line, family, strlen(family)) != 0)
			continue;
		space = strstr(line, "} ") + 1;
		value = strtoull(space, NULL, 10);
		s = series_of(line, (size_t)(space - line));
		assert_true(value >= s->value);
		if (before && seen_count > before)
			expect_int(value, 0);
		s->value = value;
		sum -= value;
		n++;
	}
	expect_int(sum, 0);
	return n;
}

/* The peer of connection i: 25 that stand out one after the other, one that always does, and 100,000 others. */
static uint32_t peer_of(unsigned look, unsigned i, uint64_t *random)
{
	*random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
	if (i % 4 == 0)
		return look / 8 + 1;
	return i % 10 == 1 ? 900 : (uint32_t)(*random >> 33) % 100000 + 1000;
}

/* With a look every 1,000 connections, over three hours. */
TEST(test_many_peers)
{
	const char *family = "tcpfin_peer_connections_total{";
	uint64_t added = 0, random = 42;
	unsigned n = 0;

	begin();
	seen_count = 0;
	look_at(family, 0);
	for (unsigned look = 0; look < 200; look++) {
		for (unsigned i = 0; i < 1000; i++, added++)
			add_peer(peer_of(look, i, &random));
		m->now.time += 60000000000ULL;
		n = look_at(family, added);
	}
	expect_int(n, (25 + 1 + 1) * OUTCOMES);
	expect_int(value_of("tcpfin_peer_connections_total{peer=\"0.0.0.25\",outcome=\"graceful\"}"), 7 * 250);
	expect_int(value_of("tcpfin_peer_connections_total{peer=\"0.0.3.132\",outcome=\"graceful\"}"), 199 * 100);
}

/* There are never more series than so many, even where more peers stand out. */
TEST(test_series_are_bounded)
{
	const char *family = "tcpfin_peer_connections_total{";
	unsigned n = 0;

	begin();
	seen_count = 0;
	look_at(family, 0);
	for (unsigned look = 1; look <= 100; look++) {
		for (unsigned i = 0; i < 1000; i++)
			add_peer(look);
		n = look_at(family, look * 1000);
	}
	expect_int(n, (SHOWN_GROUPS + 1) * OUTCOMES);
}

/* Names that would make two series of one name, or break a line. */
TEST(test_hostile_names)
{
	static const char *const names[] = {"other", "unknown", "a\"b", "a\\b", "\n", "\\x0a", "\xff", "a}b 7"};

	begin();
	seen_count = 0;
	look_at("tcpfin_process_connections_total{", 0);
	for (unsigned round = 0; round < 3; round++) {
		struct record r;

		for (unsigned i = 0; i < COUNT(names); i++)
			add_process(names[i]);
		sample_graceful(&r); /* no process is known */
		metrics_add(m, &r);
		print(EXPOSITION_TEXT);
	}
	expect_int(value_of("tcpfin_process_connections_total{process=\"a\\\"b\",outcome=\"graceful\"}"), 2);
	expect_int(value_of("tcpfin_process_connections_total{process=\"a\\\\b\",outcome=\"graceful\"}"), 2);
	expect_int(value_of("tcpfin_process_connections_total{process=\"\\\\xff\",outcome=\"graceful\"}"), 2);
	print(EXPOSITION_TEXT);
	expect_int(lines_with("process=\"other\",outcome=\"graceful\""), 1);
	expect_int(lines_with("process=\"unknown\",outcome=\"graceful\""), 1);
	expect_int(lines_with("process=\"\\\\x0a\",outcome=\"graceful\""), 1);
}

int main(void)
{
	return run_unit_tests(NULL, end);
}
