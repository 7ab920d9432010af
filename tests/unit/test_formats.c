// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Buffer, names, Community ID, and the exact bytes of CSV and JSON.
 */
#include "tests/unit/assert.h"

#include <time.h>

#include <arpa/inet.h>

#include "user/record/community_id.h"
#include "user/record/event_id.h"
#include "user/format/format.h"
#include "tests/unit/sample_record.h"

#define ID "00000000000000000000000000000000" /* event.id of samples */

#define DAY_NS 86400000000000ULL

/* Compares what was appended, and empties the buffer. */
static void expect(struct buffer *b, const char *want)
{
	buffer_char(b, '\0');
	assert_string_equal(b->data, want);
	expect_int(b->len, strlen(want) + 1);
	b->len = 0;
}

static void expect_contains(struct buffer *b, const char *part)
{
	buffer_char(b, '\0');
	if (!strstr(b->data, part))
		fail_msg("no %s in %s", part, b->data);
	b->len = 0;
}

/* ---- buffer ---- */

static void check_number(struct buffer *b, uint64_t n)
{
	char want[32];

	snprintf(want, sizeof(want), "%llu", (unsigned long long)n);
	buffer_unsigned(b, n);
	expect(b, want);
	snprintf(want, sizeof(want), "%lld", (long long)n);
	buffer_signed(b, (int64_t)n);
	expect(b, want);
}

TEST(test_numbers)
{
	struct buffer b = {0};
	uint64_t n;
	int i;

	for (n = 0; n < 100000; n++)
		check_number(&b, n);
	for (i = 0, n = 1; i < 20; i++, n *= 10) {
		check_number(&b, n - 1);
		check_number(&b, n);
		check_number(&b, 0 - n);
	}
	buffer_unsigned(&b, UINT64_MAX);
	expect(&b, "18446744073709551615");
	buffer_signed(&b, INT64_MIN);
	expect(&b, "-9223372036854775808");
	buffer_signed(&b, INT64_MAX);
	expect(&b, "9223372036854775807");
	buffer_digits(&b, 7, 6);
	expect(&b, "000007");
	buffer_digits(&b, 12345, 2); /* the last two */
	expect(&b, "45");
	buffer_free(&b);
}

/* Every operation may be the first one, or the one that does not fit any more. */
TEST(test_growth)
{
	struct buffer b = {0};
	char want[20001];
	int i;

	buffer_printf(&b, "%s|%d", "first", 1);
	expect(&b, "first|1");
	memset(want, 'x', sizeof(want) - 1);
	want[sizeof(want) - 1] = '\0';
	buffer_printf(&b, "%s", want);
	expect(&b, want);
	buffer_free(&b);
	assert_null(b.data);

	buffer_bytes(&b, "", 0);
	expect_int(b.len, 0);
	for (i = 0; i < 5000; i++) {
		buffer_text(&b, "ab");
		buffer_char(&b, 'c');
		buffer_unsigned(&b, 7);
	}
	expect_int(b.len, 20000);
	for (i = 0; i < 20000; i += 4)
		assert_memory_equal(b.data + i, "abc7", 4);
	buffer_free(&b);
}

TEST(test_pad)
{
	struct buffer b = {0};

	buffer_text(&b, "abc");
	buffer_pad(&b, 1, 5);
	buffer_char(&b, '|');
	expect(&b, "abc   |");
	buffer_text(&b, "abc");
	buffer_pad(&b, 0, 3);
	buffer_pad(&b, 0, 1);
	expect(&b, "abc  ");
	buffer_free(&b);
}

TEST(test_hostile_text)
{
	static const struct {
		const char *text, *printable, *json;
	} cases[] = {
		{"", "", "\"\""},
		{"eth0", "eth0", "\"eth0\""},
		{"\033[31mred\n\r\t", "\\x1b[31mred\\x0a\\x0d\\x09", "\"\\u001b[31mred\\u000a\\u000d\\u0009\""},
		{"a\"b\\c/", "a\"b\\c/", "\"a\\\"b\\\\c/\""},
		{"\x01\x1f\x7f", "\\x01\\x1f\\x7f", "\"\\u0001\\u001f\\u007f\""},
		/* valid: 2, 3 and 4 bytes, the ends of each range, the neighbours of the surrogates */
		{"\u00e4\u20ac\U0001f600", "\u00e4\u20ac\U0001f600", "\"\u00e4\u20ac\U0001f600\""},
		{"\u07ff\u0800\ud7ff\ue000\uffff", "\u07ff\u0800\ud7ff\ue000\uffff",
		 "\"\u07ff\u0800\ud7ff\ue000\uffff\""},
		{"\U00010000\U0010ffff", "\U00010000\U0010ffff", "\"\U00010000\U0010ffff\""},
		/* C1: a terminal takes U+009B as ESC [ */
		{"\xc2\x9b"
		 "31m\xc2\xa0",
		 "\\xc2\\x9b31m\xc2\xa0", "\"\\u009b31m\xc2\xa0\""},
		/* a lone continuation, a lone lead at the end, Latin-1 inside */
		{"\x80", "\\x80", "\"\ufffd\""},
		{"a\xc3", "a\\xc3", "\"a\ufffd\""},
		{"a\xe4z", "a\\xe4z", "\"a\ufffdz\""},
		/* overlong '/', overlong 3 and 4 bytes, a surrogate, above U+10FFFF, never used */
		{"\xc0\xaf", "\\xc0\\xaf", "\"\ufffd\ufffd\""},
		{"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf", "\"\ufffd\ufffd\ufffd\""},
		{"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf", "\"\ufffd\ufffd\ufffd\ufffd\""},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80", "\"\ufffd\ufffd\ufffd\""},
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\"\ufffd\ufffd\ufffd\ufffd\""},
		{"\xfe\xff", "\\xfe\\xff", "\"\ufffd\ufffd\""},
		/* right-to-left override, line separator, soft hyphen, a tag */
		{"a\u202eb\u2028c\u00ad", "a\\xe2\\x80\\xaeb\\xe2\\x80\\xa8c\\xc2\\xad",
		 "\"a\\u202eb\\u2028c\\u00ad\""},
		{"\U000e0041", "\\xf3\\xa0\\x81\\x81", "\"\\udb40\\udc41\""},
		/* cut characters are one replacement each, what follows is read anew */
		{"\xe2\x82"
		 "A\xf0\x9f\x98\n",
		 "\\xe2\\x82A\\xf0\\x9f\\x98\\x0a", "\"\ufffdA\ufffd\\u000a\""},
	};
	struct buffer b = {0};
	size_t i;

	buffer_csv_string(&b, "a\"b,\"\"");
	expect(&b, "\"a\"\"b,\"\"\"\"\"");
	for (i = 0; i < COUNT(cases); i++) {
		enter_row("%s", cases[i].printable);
		buffer_printable(&b, cases[i].text);
		expect(&b, cases[i].printable);
		buffer_json_string(&b, cases[i].text);
		expect(&b, cases[i].json);
	}
	buffer_free(&b);
}

/* ---- names ---- */

TEST(test_flags)
{
	static const struct {
		uint8_t flags;
		const char *text;
	} cases[] = {
		{0, "none"},
		{TCP_SYN, "S"},
		{TCP_SYN | TCP_ACK, "S."},
		{TCP_ACK, "."},
		{TCP_PSH | TCP_ACK, "P."},
		{TCP_FIN | TCP_ACK, "F."},
		{TCP_FIN | TCP_PSH | TCP_ACK, "FP."},
		{TCP_RST, "R"},
		{TCP_RST | TCP_ACK, "R."},
		{TCP_SYN | TCP_ECE | TCP_CWR, "SEW"},
		{0xff, "FSRP.UEW"},
	};
	char text[10];
	size_t i;

	for (i = 0; i < COUNT(cases); i++)
		assert_string_equal(flags_text(cases[i].flags, text), cases[i].text);
}

TEST(test_names)
{
	static const char *const outcomes[] = {"graceful",   "reset",      "refused", "handshake_reset",
					       "unanswered", "unfinished", "open",    "unknown"};
	static const char *const states[] = {"CLOSED",     "SYN-SENT",   "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
					     "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",      "LAST-ACK",    "TIME-WAIT"};
	static const char *const timings[] = {"syn_to_synack", "synack_to_ack",   "initial_rtt", "fin_to_ack",
					      "half_closed",   "peer_fin_to_ack", "close",       "lifetime"};
	int i;

	for (i = 0; i < OUTCOMES; i++)
		assert_string_equal(outcome_name(i), outcomes[i]);
	for (i = STATE_CLOSED; i < TCP_STATES; i++)
		assert_string_equal(state_name(i), states[i - STATE_CLOSED]);
	for (i = 0; i < TIMINGS; i++)
		assert_string_equal(timing_name(i), timings[i]);
	assert_null(state_name(STATE_UNKNOWN));
	assert_null(pattern_name(PATTERN_NONE));
	assert_string_equal(pattern_name(PATTERN_FOUR_WAY), "four_way");
	assert_string_equal(pattern_name(PATTERN_THREE_WAY), "three_way");
	assert_string_equal(pattern_name(PATTERN_SIMULTANEOUS), "simultaneous");
	assert_string_equal(role_name(SOURCE), "source");
	assert_string_equal(role_name(DESTINATION), "destination");
	assert_string_equal(role_name(BOTH), "both");
	assert_null(role_name(NOBODY));
	assert_null(missing_name(MISSING_NOTHING));
	assert_string_equal(missing_name(MISSING_SOURCE_ACK), "source_ack");
	assert_string_equal(missing_name(MISSING_DESTINATION_ACK), "destination_ack");
	assert_string_equal(missing_name(MISSING_SOURCE_FIN), "source_fin");
	assert_string_equal(missing_name(MISSING_DESTINATION_FIN), "destination_fin");
	assert_null(phase_name(PHASE_NONE));
	assert_string_equal(phase_name(PHASE_HANDSHAKE), "handshake");
	assert_string_equal(phase_name(PHASE_ESTABLISHED), "established");
	assert_string_equal(phase_name(PHASE_HALF_CLOSED), "half_closed");
	assert_string_equal(phase_name(PHASE_CLOSING), "closing");
	assert_string_equal(phase_name(PHASE_CLOSED), "closed");
	assert_string_equal(validity_name(RESET_UNKNOWN), "unknown");
	assert_string_equal(validity_name(RESET_EXACT), "exact");
	assert_string_equal(validity_name(RESET_IN_WINDOW), "in_window");
	assert_string_equal(validity_name(RESET_OUT_OF_WINDOW), "out_of_window");
}

/* ---- Community ID ---- */

/* The first IPv4 and the first IPv6 one are published values, the others were computed with Python's hashlib. */
TEST(test_community_id)
{
	static const struct {
		int family;
		const char *ip[2];
		uint16_t port[2];
		const char *id;
	} cases[] = {
		{4, {"128.232.110.120", "66.35.250.204"}, {34855, 80}, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{4, {"192.168.139.29", "110.42.175.115"}, {63164, 22}, "1:TihD1ec2uYYN28Lyvj/V58RLfwU="},
		{4, {"192.168.0.2", "192.168.0.10"}, {7, 9}, "1:TNe1jRXS6MZVxVcxfTz2jQqauxY="},
		/* the same address at both ends: the ports decide */
		{4, {"10.0.0.1", "10.0.0.1"}, {40001, 40000}, "1:iJjw7neBCpNBrE8FMNIuaHTi59E="},
		{6,
		 {"2001:470:e5bf:dead:4957:2174:e82c:4887", "2607:f8b0:400c:c03::1a"},
		 {63943, 25},
		 "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="},
		{6, {"2001:db8::1", "fe80::d:e:f"}, {443, 50000}, "1:boYbf/HRqi5ciTjlsDfkJHykAd4="},
		{6, {"fe80:51c0:0:1::1", "fe80:51c0:0:1::2"}, {1, 2}, "1:4ZE3cqnGN1djRAlVgwPLqIpwTUU="},
	};
	char id[COMMUNITY_ID_SIZE];
	size_t i, e;

	for (i = 0; i < COUNT(cases); i++) {
		struct record_end end[2], swapped[2];

		enter_row("%s port %u", cases[i].ip[0], cases[i].port[0]);
		memset(end, 0xa5, sizeof(end)); /* the bytes after an IPv4 address do not count */
		for (e = 0; e < 2; e++) {
			int family = cases[i].family == 4 ? AF_INET : AF_INET6;

			expect_int(inet_pton(family, cases[i].ip[e], end[e].ip), 1);
			end[e].port = cases[i].port[e];
			swapped[!e] = end[e];
		}
		community_id(id, cases[i].family, end);
		assert_string_equal(id, cases[i].id);
		community_id(id, cases[i].family, swapped);
		assert_string_equal(id, cases[i].id);
	}
}

/* ---- JSON ---- */

#define JSON_KIND "\"kind\":\"event\",\"category\":[\"network\"],\"type\":[\"connection\",\"end\"],"
#define JSON_AGENT \
	"\"ecs\":{\"version\":\"8.11.0\"},\"agent\":{\"type\":\"tcpfin-trace\",\"version\":\"" TCPFIN_VERSION "\"},"

static const char json_graceful[] =
	"{\"@timestamp\":\"2026-11-22T06:07:35.565665123Z\","
	"\"event\":{\"dataset\":\"tcpfin.close\"," JSON_KIND "\"id\":\"" ID
	"\",\"start\":\"2026-11-22T06:04:19.584723123Z\","
	"\"end\":\"2026-11-22T06:07:35.565665123Z\",\"duration\":195980942000}," JSON_AGENT
	"\"observer\":{\"ingress\":{\"interface\":{\"name\":\"eth0\"}}},"
	"\"network\":{\"transport\":\"tcp\",\"type\":\"ipv4\",\"vlan\":[100],"
	"\"community_id\":\"1:TihD1ec2uYYN28Lyvj/V58RLfwU=\"},"
	"\"source\":{\"ip\":\"192.168.139.29\",\"port\":63164,\"bytes\":3342},"
	"\"destination\":{\"ip\":\"110.42.175.115\",\"port\":22,\"bytes\":4477},"
	"\"tcp\":{\"final\":true,\"outcome\":\"graceful\",\"pattern\":\"four_way\",\"closer\":\"source\",\"time_wait\":"
	"\"source\","
	"\"state\":{\"source\":\"TIME-WAIT\",\"destination\":\"CLOSED\"},\"missing\":null,"
	"\"reset\":{\"by\":null,\"phase\":null,\"validity\":null,\"forged\":null},"
	"\"basis\":{\"reset\":null,\"fin\":null},\"late_reset\":false,"
	"\"timing\":{\"syn_to_synack\":44800000,\"synack_to_ack\":92000,\"initial_rtt\":44892000,"
	"\"fin_to_ack\":36020000,\"half_closed\":1965000,\"peer_fin_to_ack\":68000,\"close\":38053000,"
	"\"lifetime\":195980942000},"
	"\"retransmits\":{\"syn\":2,\"syn_ack\":3,\"fin_source\":0,\"fin_destination\":1},"
	"\"handshake\":{\"challenge_acks\":0},\"captured_twice\":0,\"clock_jumps\":0,"
	"\"half_closed_bytes\":0,\"window_scale\":{\"source\":8,\"destination\":7},"
	"\"isn\":{\"source\":null,\"destination\":null},\"silence\":null,\"silence_at_most\":false,"
	"\"completeness\":31,\"conn_state\":\"SF\",\"history\":\"ShADadFfA\",\"midstream\":false,"
	"\"evidence\":{\"fin\":3,\"fin_ack\":4,\"peer_fin\":5,\"peer_fin_ack\":6,\"reset\":null},"
	"\"fin_original\":{\"source\":true,\"destination\":false},\"resets_ignored\":0,"
	"\"segments\":["
	"{\"t\":0,\"from\":\"source\",\"flags\":\"S\",\"seq\":0,\"ack\":0,"
	"\"raw_seq\":1409610010,\"raw_ack\":0,\"len\":0,\"win\":64240},"
	"{\"t\":44800000,\"from\":\"destination\",\"flags\":\"S.\",\"seq\":0,\"ack\":1,"
	"\"raw_seq\":3908230190,\"raw_ack\":1409610011,\"len\":0,\"win\":29200},"
	"{\"t\":44892000,\"from\":\"source\",\"flags\":\".\",\"seq\":1,\"ack\":1,"
	"\"raw_seq\":1409610011,\"raw_ack\":3908230191,\"len\":0,\"win\":514},"
	"{\"t\":195942889000,\"from\":\"source\",\"flags\":\"F.\",\"seq\":3343,\"ack\":4478,"
	"\"raw_seq\":1409613353,\"raw_ack\":3908234668,\"len\":0,\"win\":511},"
	"{\"t\":195978909000,\"from\":\"destination\",\"flags\":\".\",\"seq\":4478,\"ack\":3344,"
	"\"raw_seq\":3908234668,\"raw_ack\":1409613354,\"len\":0,\"win\":294},"
	"{\"t\":195980874000,\"from\":\"destination\",\"flags\":\"F.\",\"seq\":4478,\"ack\":3344,"
	"\"raw_seq\":3908234668,\"raw_ack\":1409613354,\"len\":0,\"win\":294},"
	"{\"t\":195980942000,\"from\":\"source\",\"flags\":\".\",\"seq\":3344,\"ack\":4479,"
	"\"raw_seq\":1409613354,\"raw_ack\":3908234669,\"len\":0,\"win\":511}"
	"],\"segments_lost\":0}}\n";

static const char json_reset[] =
	"{\"@timestamp\":\"2000-03-01T00:00:00.000000007Z\","
	"\"event\":{\"dataset\":\"tcpfin.close\"," JSON_KIND "\"id\":\"" ID
	"\",\"start\":\"2000-02-28T23:59:59.000000000Z\","
	"\"end\":\"2000-03-01T00:00:00.000000007Z\",\"duration\":86401000000007}," JSON_AGENT
	"\"network\":{\"transport\":\"tcp\",\"type\":\"ipv6\",\"community_id\":\"1:EYc9SqN49VoaekhgG9NGxAL7vGE=\"},"
	"\"source\":{\"ip\":\"2001:db8::1\",\"port\":50000,\"bytes\":null},"
	"\"destination\":{\"ip\":\"fe80::d:e:f\",\"port\":443,\"bytes\":null},"
	"\"tcp\":{\"final\":true,\"outcome\":\"reset\",\"pattern\":null,\"closer\":\"destination\",\"time_wait\":null,"
	"\"state\":{\"source\":\"CLOSED\",\"destination\":\"CLOSED\"},\"missing\":null,"
	"\"reset\":{\"by\":\"destination\",\"phase\":\"half_closed\",\"validity\":\"in_window\",\"forged\":null,"
	"\"mptcp\":\"fastclose\",\"ttl_differs\":true},"
	"\"basis\":{\"reset\":\"socket\",\"fin\":\"unknown\"},\"late_reset\":true,"
	"\"timing\":{\"syn_to_synack\":null,\"synack_to_ack\":null,\"initial_rtt\":null,\"fin_to_ack\":null,"
	"\"half_closed\":null,\"peer_fin_to_ack\":null,\"close\":null,\"lifetime\":86401000000007},"
	"\"retransmits\":{\"syn\":0,\"syn_ack\":0,\"fin_source\":0,\"fin_destination\":0},"
	"\"handshake\":{\"challenge_acks\":0},\"captured_twice\":0,\"clock_jumps\":0,"
	"\"half_closed_bytes\":null,\"window_scale\":{\"source\":null,\"destination\":null},"
	"\"isn\":{\"source\":null,\"destination\":null},\"silence\":null,\"silence_at_most\":false,"
	"\"completeness\":0,\"conn_state\":\"OTH\",\"history\":\"^r\",\"midstream\":true,"
	"\"evidence\":{\"fin\":null,\"fin_ack\":null,\"peer_fin\":null,\"peer_fin_ack\":null,\"reset\":2},"
	"\"fin_original\":{\"source\":false,\"destination\":false},\"resets_ignored\":1,\"bytes_approximate\":true,"
	"\"segments\":["
	"{\"t\":0,\"from\":\"source\",\"flags\":\"P.\",\"seq\":4294967295,\"ack\":1,"
	"\"raw_seq\":4294967295,\"raw_ack\":1,\"len\":4200,\"win\":65535,\"ttl\":64,\"count\":3},"
	"{\"t\":5,\"from\":\"destination\",\"flags\":\"R.\",\"seq\":7,\"ack\":9,"
	"\"raw_seq\":7,\"raw_ack\":9,\"len\":0,\"win\":0,\"ttl\":64,\"ignored\":true},"
	"{\"t\":86401000000007,\"from\":\"destination\",\"flags\":\"R\",\"seq\":1,\"ack\":0,"
	"\"raw_seq\":1,\"raw_ack\":0,\"len\":0,\"win\":0,\"ttl\":64},"
	"{\"t\":86401000000008,\"from\":\"destination\",\"flags\":\"R\",\"seq\":1,\"ack\":0,"
	"\"raw_seq\":1,\"raw_ack\":0,\"len\":0,\"win\":0,\"ttl\":64,\"count\":2,\"copy\":true}"
	"],\"segments_lost\":4294967295}}\n";

static const char json_unanswered[] =
	"{\"@timestamp\":\"1970-01-01T00:00:03.000000000Z\","
	"\"event\":{\"dataset\":\"tcpfin.close\"," JSON_KIND "\"id\":\"" ID
	"\",\"start\":\"1970-01-01T00:00:00.000000000Z\","
	"\"end\":\"1970-01-01T00:00:03.000000000Z\",\"duration\":3000000000}," JSON_AGENT
	"\"observer\":{\"ingress\":{\"interface\":{\"name\":\"a\\\"b,\\u001b\\u000a\ufffd\"}}},"
	"\"network\":{\"transport\":\"tcp\",\"type\":\"ipv4\",\"vlan\":[4094,0],"
	"\"community_id\":\"1:LdN0oTsWjz5qVMMtMj5zPyV/TiU=\"},"
	"\"source\":{\"ip\":\"255.255.255.255\",\"port\":65535,\"bytes\":0},"
	"\"destination\":{\"ip\":\"0.0.0.0\",\"port\":0,\"bytes\":null},"
	"\"tcp\":{\"final\":true,\"outcome\":\"unanswered\",\"pattern\":null,\"closer\":\"unknown\",\"time_wait\":null,"
	"\"state\":{\"source\":\"SYN-SENT\",\"destination\":null},\"missing\":null,"
	"\"reset\":{\"by\":null,\"phase\":null,\"validity\":null,\"forged\":null},"
	"\"basis\":{\"reset\":null,\"fin\":null},\"late_reset\":false,"
	"\"timing\":{\"syn_to_synack\":null,\"synack_to_ack\":null,\"initial_rtt\":null,\"fin_to_ack\":null,"
	"\"half_closed\":null,\"peer_fin_to_ack\":null,\"close\":null,\"lifetime\":null},"
	"\"retransmits\":{\"syn\":2,\"syn_ack\":0,\"fin_source\":0,\"fin_destination\":0},"
	"\"handshake\":{\"challenge_acks\":0},\"captured_twice\":0,\"clock_jumps\":0,"
	"\"half_closed_bytes\":null,\"window_scale\":{\"source\":14,\"destination\":null},"
	"\"isn\":{\"source\":null,\"destination\":null},\"silence\":null,\"silence_at_most\":false,"
	"\"completeness\":1,\"conn_state\":\"S0\",\"history\":\"S\",\"midstream\":false,"
	"\"evidence\":{\"fin\":null,\"fin_ack\":null,\"peer_fin\":null,\"peer_fin_ack\":null,\"reset\":null},"
	"\"fin_original\":{\"source\":false,\"destination\":false},\"resets_ignored\":0,"
	"\"segments\":["
	"{\"t\":0,\"from\":\"source\",\"flags\":\"SEW\",\"seq\":0,\"ack\":0,"
	"\"raw_seq\":0,\"raw_ack\":0,\"len\":0,\"win\":64240},"
	"{\"t\":1000000000,\"from\":\"source\",\"flags\":\"S\",\"seq\":0,\"ack\":0,"
	"\"raw_seq\":0,\"raw_ack\":0,\"len\":0,\"win\":64240,\"count\":2,\"copy\":true}"
	"],\"segments_lost\":0}}\n";

TEST(test_json)
{
	struct format_style style = {0};
	struct buffer b = {0};
	struct record r;

	format_header(&b, FORMAT_JSON, &style);
	expect_int(b.len, 0);
	sample_graceful(&r);
	format_record(&b, FORMAT_JSON, &style, &r);
	expect(&b, json_graceful);
	sample_reset(&r);
	format_record(&b, FORMAT_JSON, &style, &r);
	expect(&b, json_reset);
	sample_unanswered(&r);
	format_record(&b, FORMAT_JSON, &style, &r);
	expect(&b, json_unanswered);
	buffer_free(&b);
}

TEST(test_json_extremes)
{
	struct buffer b = {0};
	struct record r;

	sample_graceful(&r);
	r.finish = UINT64_MAX;
	r.start = 0;
	format_json(&b, &r);
	expect_contains(&b, "\"end\":\"2554-07-21T23:34:33.709551615Z\",\"duration\":18446744073709551615}");
	r.start = UINT64_MAX;
	r.finish = UINT64_MAX - 1; /* packets out of order of time: no negative duration */
	format_json(&b, &r);
	expect_contains(&b, ".709551615Z\",\"end\":\"2554-07-21T23:34:33.709551614Z\",\"duration\":0}");
	r.timing[T_LIFETIME] = INT64_MAX;
	r.end[SOURCE].bytes = INT64_MAX;
	r.half_closed_bytes = INT64_MAX;
	r.segments[6].t = UINT64_MAX;
	format_json(&b, &r);
	buffer_char(&b, '\0');
	assert_non_null(strstr(b.data, "\"lifetime\":9223372036854775807}"));
	assert_non_null(strstr(b.data, "\"bytes\":9223372036854775807}"));
	assert_non_null(strstr(b.data, "\"half_closed_bytes\":9223372036854775807,"));
	assert_non_null(strstr(b.data, "{\"t\":18446744073709551615,"));
	b.len = 0;
	r.reset.by = SOURCE;
	r.reset.validity = RESET_UNKNOWN;
	r.reset.phase = PHASE_CLOSED;
	r.reset.mptcp = 8;
	format_json(&b, &r);
	expect_contains(&b, "{\"by\":\"source\",\"phase\":\"closed\",\"validity\":\"unknown\",\"forged\":null,"
			    "\"mptcp\":\"reset\"}");
	r.reset.mptcp = 2; /* a data sequence signal says nothing about the end */
	r.reset.by = NOBODY;
	format_json(&b, &r);
	expect_contains(&b, "\"reset\":{\"by\":null,\"phase\":null,\"validity\":null,\"forged\":null}");
	buffer_free(&b);
}

/* Every day that 64 bits of ns can name, against the C library. */
TEST(test_dates)
{
	struct buffer b = {0};
	struct record r;
	uint64_t day;

	sample_unanswered(&r);
	for (day = 0; day <= UINT64_MAX / DAY_NS; day++) {
		uint64_t second = day * 86400 + day * 7919 % 86400;
		time_t t = second;
		struct tm tm;
		char want[64];

		if (second > UINT64_MAX / 1000000000 - 1)
			break;
		r.finish = second * 1000000000 + day;
		format_json(&b, &r);
		gmtime_r(&t, &tm);
		strftime(want, sizeof(want), "{\"@timestamp\":\"%Y-%m-%dT%H:%M:%S", &tm);
		assert_memory_equal(b.data, want, strlen(want));
		b.len = 0;
	}
	assert_true(day > 213000);
	buffer_free(&b);
}

/* ---- strays ---- */

TEST(test_stray_json)
{
	static const char *const parts[] = {
		"\"dataset\":\"tcpfin.stray\"",
		"\"type\":[\"connection\",\"info\"]",
		"\"direction\":\"egress\"}",
		"\"source\":{\"ip\":\"10.0.0.1\",\"port\":40001}",
		"\"tcp\":{\"flags\":\"R.\",\"seq\":268435461,\"ack\":2415919111,\"len\":0,",
		"\"reset\":{\"reason\":\"NO_SOCKET\"},\"related\":[\"0123456789abcdef0123456789abcdef\"]}}\n",
	};
	struct buffer b = {0};
	struct record r;

	sample_stray(&r);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		format_json(&b, &r);
		expect_contains(&b, parts[i]);
	}
	buffer_free(&b);
}

TEST(test_stray_sentence)
{
	struct buffer b = {0};
	struct record r;

	sample_stray(&r);
	format_explanation(&b, &r);
	expect(&b,
	       "an RST of no known connection, number 268435461, acknowledging 2415919111, sent; the kernel's reason "
	       "for it is NO_SOCKET; it may belong to 10.0.0.1:40001 -> 10.0.1.9:80");
	buffer_free(&b);
}

/* ---- CSV ---- */

static const char csv_header[] =
	"timestamp,event_start,event_end,event_duration,interface_name,network_type,network_vlan_outer,"
	"network_vlan_inner,network_community_id,source_ip,source_port,source_bytes,destination_ip,destination_port,"
	"destination_bytes,tcp_outcome,tcp_pattern,tcp_closer,tcp_time_wait,state_source,state_destination,tcp_missing,"
	"reset_by,reset_phase,reset_validity,reset_mptcp,reset_ttl_differs,tcp_late_reset,timing_syn_to_synack,"
	"timing_synack_to_ack,timing_initial_rtt,timing_fin_to_ack,timing_half_closed,timing_peer_fin_to_ack,"
	"timing_close,timing_lifetime,retransmits_syn,retransmits_syn_ack,retransmits_fin_source,"
	"retransmits_fin_destination,tcp_half_closed_bytes,window_scale_source,window_scale_destination,"
	"tcp_completeness,tcp_conn_state,tcp_history,tcp_midstream,fin_original_source,fin_original_destination,"
	"tcp_resets_ignored,tcp_bytes_approximate,tcp_flags,tcp_segments_lost,"
	"traffic_source_packets,traffic_source_bytes,traffic_source_retransmits,traffic_destination_packets,"
	"traffic_destination_bytes,traffic_destination_retransmits,traffic_idle,reset_reason,"
	"source_process_pid,source_process_name,source_process_uid,source_process_cgroup,source_process_netns,"
	"source_process_how,source_holder_pid,source_holder_name,source_holder_uid,source_holder_holders,"
	"source_socket_unread_bytes,source_socket_unsent_bytes,source_socket_close_to_fin,"
	"source_socket_peer_fin_to_close,source_socket_srtt,source_socket_retransmits,source_socket_reset_received,"
	"destination_process_pid,destination_process_name,destination_process_uid,destination_process_cgroup,"
	"destination_process_netns,destination_process_how,destination_holder_pid,destination_holder_name,"
	"destination_holder_uid,destination_holder_holders,destination_socket_unread_bytes,"
	"destination_socket_unsent_bytes,destination_socket_close_to_fin,destination_socket_peer_fin_to_close,"
	"destination_socket_srtt,destination_socket_retransmits,destination_socket_reset_received,"
	"reset_forged,handshake_challenge_acks,tcp_captured_twice,"
	"network_tunnel_type,network_tunnel_id,"
	"event_id,tcp_final,isn_source,isn_destination,host_name,tcp_silence,tcp_silence_at_most,"
	"basis_reset,basis_fin,icmp_type,icmp_code,icmp_by,tcp_clock_jumps,tcp_related,"
	"event_dataset,event_kind,event_category,event_type,ecs_version,agent_type,agent_version,tcp_interfaces,"
	"destination_listener_state,destination_listener_t,destination_listener_queue,destination_listener_backlog,"
	"destination_listener_uid,destination_listener_pid,destination_listener_name,netns_name,netns_inode,"
	"source_process_unit,source_holder_unit,source_socket_unit,source_container_id,source_orchestrator_pod_uid,"
	"destination_process_unit,destination_holder_unit,destination_socket_unit,destination_container_id,"
	"destination_orchestrator_pod_uid,mtu_black_hole_sender,mtu_black_hole_bytes,mtu_black_hole_retransmits,"
	"mtu_black_hole_passed,destination_listener_unit\r\n";
#define BEFORE_BASIS ",,0,0,,," ID ",true,,,,,false"
#define CSV_AGENT ",0,,tcpfin.close,event,network,end,8.11.0,tcpfin-trace," TCPFIN_VERSION ",,,,,,,,,,"
#define NO_CGROUPS ",,,,,,,,,,,,,,,\r\n" /* twice 5 columns, 4 of a black hole, and the listener's unit */
#define BEFORE_CGROUPS BEFORE_BASIS ",,,,," CSV_AGENT
#define LAST_COLUMNS BEFORE_CGROUPS NO_CGROUPS
#define WITHOUT_SOCKETS ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,," /* a reason and twice 17 columns */
#define NO_SOCKETS WITHOUT_SOCKETS LAST_COLUMNS
static const char csv_graceful[] =
	"2026-11-22T06:07:35.565665123Z,2026-11-22T06:04:19.584723123Z,2026-11-22T06:07:35.565665123Z,195980942000,"
	"\"eth0\",ipv4,100,,1:TihD1ec2uYYN28Lyvj/V58RLfwU=,192.168.139.29,63164,3342,110.42.175.115,22,4477,"
	"graceful,four_way,source,source,TIME-WAIT,CLOSED,,,,,,false,false,"
	"44800000,92000,44892000,36020000,1965000,68000,38053000,195980942000,"
	"2,3,0,1,0,8,7,31,SF,ShADadFfA,false,true,false,0,false,>S <S. >. ... >F. <. <F. >.,0,,,,,,," NO_SOCKETS;
static const char csv_reset[] =
	"2000-03-01T00:00:00.000000007Z,2000-02-28T23:59:59.000000000Z,2000-03-01T00:00:00.000000007Z,86401000000007,"
	",ipv6,,,1:EYc9SqN49VoaekhgG9NGxAL7vGE=,2001:db8::1,50000,,fe80::d:e:f,443,,"
	"reset,,destination,,CLOSED,CLOSED,,destination,half_closed,in_window,fastclose,true,true,"
	",,,,,,,86401000000007,"
	"0,0,0,0,,,,0,OTH,^r,true,false,false,1,true,... >P.*3 <R.! <R <R*2~ (4294967295 "
	"lost),4294967295,,,,,,," WITHOUT_SOCKETS BEFORE_BASIS ",socket,unknown,,," CSV_AGENT NO_CGROUPS;
static const char csv_unanswered[] =
	"1970-01-01T00:00:03.000000000Z,1970-01-01T00:00:00.000000000Z,1970-01-01T00:00:03.000000000Z,3000000000,"
	"\"a\"\"b,\\x1b\\x0a\\xff\",ipv4,4094,0,1:LdN0oTsWjz5qVMMtMj5zPyV/TiU=,255.255.255.255,65535,0,0.0.0.0,0,,"
	"unanswered,,unknown,,SYN-SENT,,,,,,,false,false,"
	",,,,,,,,"
	"2,0,0,0,,14,,1,S0,S,false,false,false,0,false,>SEW >S*2~,0,,,,,,," NO_SOCKETS;

static unsigned csv_fields(const char *line)
{
	unsigned fields = 1;
	bool quoted = false;

	for (; *line; line++) {
		quoted ^= *line == '"';
		fields += *line == ',' && !quoted;
	}
	return fields;
}

TEST(test_csv)
{
	struct format_style style = {0};
	struct buffer b = {0};
	struct record r;

	format_header(&b, FORMAT_CSV, &style);
	expect(&b, csv_header);
	sample_graceful(&r);
	format_record(&b, FORMAT_CSV, &style, &r);
	expect(&b, csv_graceful);
	expect_int(csv_fields(b.data), csv_fields(csv_header));
	sample_reset(&r);
	format_record(&b, FORMAT_CSV, &style, &r);
	expect(&b, csv_reset);
	expect_int(csv_fields(b.data), csv_fields(csv_header));
	sample_unanswered(&r);
	format_record(&b, FORMAT_CSV, &style, &r);
	expect(&b, csv_unanswered);
	expect_int(csv_fields(b.data), csv_fields(csv_header));
	buffer_free(&b);
}

/* ---- tunnels ---- */

TEST(test_tunnels)
{
	static const struct {
		const char *name;
		enum packet_tunnel tunnel;
		int64_t id;
		const char *json, *csv, *sentence;
	} table[] = {
		{"VXLAN", TUNNEL_VXLAN, 16777215,
		 "\"ipv4\",\"tunnel\":{\"type\":\"vxlan\",\"id\":16777215},\"community_id\"", ",vxlan,16777215,",
		 "; inside vxlan 16777215"},
		{"Geneve, VNI 0", TUNNEL_GENEVE, 0,
		 "\"ipv4\",\"tunnel\":{\"type\":\"geneve\",\"id\":0},\"community_id\"", ",geneve,0,",
		 "; inside geneve 0"},
		{"GRE without a key", TUNNEL_GRE, NUMBER_UNSEEN,
		 "\"ipv4\",\"tunnel\":{\"type\":\"gre\",\"id\":null},\"community_id\"", ",gre,,", "; inside gre"},
		{"IP in IP", TUNNEL_IPIP, NUMBER_UNSEEN,
		 "\"ipv4\",\"tunnel\":{\"type\":\"ipip\",\"id\":null},\"community_id\"", ",ipip,,", "; inside ipip"},
	};

	FOR_EACH_ROW(table, row) {
		struct buffer b = {0};
		struct record r;

		sample_graceful(&r);
		r.vlan[0] = -1;
		r.tunnel = row->tunnel;
		r.tunnel_id = row->id;
		format_json(&b, &r);
		format_csv(&b, &r);
		format_explanation(&b, &r);
		buffer_char(&b, 0);
		assert_non_null(strstr(b.data, row->json));
		assert_non_null(strstr(b.data, row->csv));
		assert_non_null(strstr(b.data, row->sentence));
		buffer_free(&b);
	}
}

/* ---- interim records ---- */

/* What is only so far is told in each format, and what is not, in none. */
TEST(test_interim)
{
	static const struct {
		enum format format;
		const char *interim, *last;
	} forms[] = {
		{FORMAT_TEXT, " so far ", "so far"},
		{FORMAT_LADDER, ", so far", "so far"},
		{FORMAT_JSON, "\"tcp\":{\"final\":false,", "\"final\":false"},
		{FORMAT_CSV, ",network,info,8.11.0,", ",false,,,,,false,,,,,,0,,tcpfin.close,event,network,end,"},
	};
	struct format_style style = {.columns = 100};
	struct record r;

	for (unsigned i = 0; i < COUNT(forms); i++) {
		struct buffer b = {0};

		enter_row("format %u", i);
		sample_graceful(&r);
		format_record(&b, forms[i].format, &style, &r);
		buffer_char(&b, 0);
		assert_null(strstr(b.data, forms[i].last));
		b.len = 0;
		r.final = false;
		format_record(&b, forms[i].format, &style, &r);
		buffer_char(&b, 0);
		assert_non_null(strstr(b.data, forms[i].interim));
		buffer_free(&b);
	}
}

/* ---- packets whose time stamp was wrong ---- */

TEST(test_clock_jumps)
{
	struct format_style style = {.verbose = true, .columns = 100};
	struct buffer b = {0};
	struct record r;

	sample_graceful(&r);
	r.clock_jumps = 1;
	r.segments[1].mark = SEGMENT_JUMPED;
	format_json(&b, &r);
	buffer_char(&b, 0);
	assert_non_null(strstr(b.data, "\"clock_jumps\":1,"));
	assert_non_null(strstr(b.data, "{\"t\":null,\"from\":\"destination\",\"flags\":\"S.\""));
	b.len = 0;
	format_record(&b, FORMAT_TEXT, &style, &r);
	buffer_char(&b, 0);
	assert_non_null(strstr(b.data, "; the time stamp of 1 segment was wrong: no step is measured there"));
	buffer_free(&b);
}

/* ---- event.id ---- */

/* It changes with all that tells two connections apart, and with nothing else. */
TEST(test_event_id)
{
	char id[EVENT_ID_SIZE], other[EVENT_ID_SIZE];
	struct record r;

	sample_graceful(&r);
	r.isn[SOURCE] = 1;
	event_id(id, &r, 5);
	expect_int(strlen(id), 32);
	r.isn[DESTINATION] = 7; /* an interim record of the handshake does not know it */
	r.outcome = OUTCOME_RESET;
	r.finish++;
	event_id(other, &r, 5);
	assert_string_equal(id, other);
	event_id(other, &r, 6);
	assert_string_not_equal(id, other);
	r.isn[SOURCE] = 2;
	event_id(other, &r, 5);
	assert_string_not_equal(id, other);
	r.isn[SOURCE] = 1;
	r.host = "a";
	event_id(other, &r, 5);
	assert_string_not_equal(id, other);
	r.host = NULL;
	r.end[SOURCE].port++;
	event_id(other, &r, 5);
	assert_string_not_equal(id, other);
	sample_reset(&r); /* IPv6: the longest block */
	r.host = "a name";
	event_id(id, &r, ~0ULL);
	r.end[DESTINATION].ip[15]++;
	event_id(other, &r, ~0ULL);
	assert_string_not_equal(id, other);
}

/* ---- --all-segments ---- */

TEST(test_traffic)
{
	struct buffer b = {0};
	struct record r;

	sample_counted(&r);
	format_json(&b, &r);
	buffer_char(&b, 0);
	assert_non_null(strstr(b.data, ",\"traffic\":{\"source\":{\"packets\":12,\"bytes\":18446744073709551615,"
				       "\"retransmits\":2,\"retransmitted_bytes\":7,\"last_data\":262300000,"
				       "\"flags\":[[\"S\",1],[\".\",10],[\"F.\",1]],\"flags_lost\":0},"
				       "\"destination\":{\"packets\":1,\"bytes\":0,\"retransmits\":0,"
				       "\"retransmitted_bytes\":0,\"last_data\":null,\"flags\":[[\"S.\",1]],"
				       "\"flags_lost\":9},\"idle\":60000000000},\"segments\":["));
	b.len = 0;
	format_csv(&b, &r);
	buffer_char(&b, 0);
	assert_non_null(strstr(b.data, ",12,18446744073709551615,2,1,0,0,60000000000" NO_SOCKETS));
	b.len = 0;
	format_explanation(&b, &r);
	buffer_char(&b, 0);
	assert_non_null(strstr(b.data, "; the source sent 12 segments with 18446744073709551615 "
				       "bytes, 2 of them retransmitted; the destination sent 1 segment with 0 bytes"));
	buffer_free(&b);
}

/* ---- this host's sockets ---- */

TEST(test_sockets_json)
{
	struct buffer b = {0};
	struct record r;

	sample_sockets(&r);
	format_json(&b, &r);
	buffer_char(&b, 0);
	assert_non_null(strstr(b.data, ",\"process\":{\"pid\":1234,\"name\":\"a\\u001b\\\"b\","
				       "\"unit\":\"we\\u001b\\\"b.service\",\"uid\":33,"
				       "\"cgroup\":18446744073709551,\"netns\":4026531840,\"how\":\"close\"},"
				       "\"container\":{\"id\":\"" SAMPLE_CONTAINER "\"},"
				       "\"orchestrator\":{\"pod\":{\"uid\":\"" SAMPLE_POD "\"}},"
				       "\"socket\":{\"unread_bytes\":300,\"unsent_bytes\":0,\"close_to_fin\":17000,"
				       "\"peer_fin_to_close\":20000000,\"srtt\":71000,\"retransmits\":4,"
				       "\"reset_received\":null,\"states\":[{\"t\":-5,\"state\":\"LAST-ACK\"},"
				       "{\"t\":7,\"state\":\"CLOSED\"}]}},\"destination\":"));
	assert_non_null(strstr(
		b.data,
		",\"process\":{\"pid\":null,\"name\":null,\"uid\":null,\"cgroup\":null,"
		"\"netns\":1,\"how\":\"kernel\"},\"container\":{\"id\":\"deb12\"},\"socket\":{\"unread_bytes\":null,"
		"\"unsent_bytes\":9,\"close_to_fin\":null,\"peer_fin_to_close\":null,"
		"\"srtt\":null,\"retransmits\":0,\"reset_received\":12,"
		"\"unit\":\"sshd.service\",\"states\":[]}},"));
	assert_non_null(strstr(b.data, ",\"reason\":\"TCP_ABORT_ON_CLOSE\"}"));
	b.len = 0;
	r.socket[DESTINATION].how = HOW_UNKNOWN; /* not closed yet */
	format_json(&b, &r);
	buffer_char(&b, 0);
	assert_null(strstr(b.data, "kernel"));
	buffer_free(&b);
}

TEST(test_sockets_explanation)
{
	struct buffer b = {0};
	struct record r;

	sample_sockets(&r);
	format_explanation(&b, &r);
	buffer_char(&b, 0);
	assert_non_null(strstr(b.data,
			       "; a\\x1b\"b[1234] closed the source's socket with 300 bytes unread, 20.0ms after "
			       "the destination's FIN; the kernel's reason for the RST is TCP_ABORT_ON_CLOSE"));
	assert_null(strstr(b.data, "destination's socket"));
	buffer_free(&b);
}

/* The interface's network namespace, in all formats that name the interface. */
TEST(test_netns)
{
	struct buffer b = {0};
	struct record r;

	sample_graceful(&r);
	r.netns = "w\"eb";
	r.netns_inode = 4026532000;
	format_json(&b, &r);
	buffer_char(&b, 0);
	assert_non_null(strstr(b.data, "\"observer\":{\"ingress\":{\"interface\":{\"name\":\"eth0\"}},"
				       "\"netns\":{\"name\":\"w\\\"eb\",\"inode\":4026532000}},"));
	b.len = 0;
	format_csv(&b, &r);
	buffer_char(&b, 0);
	assert_non_null(strstr(b.data, ",\"w\"\"eb\",4026532000" NO_CGROUPS));
	buffer_free(&b);
}

TEST(test_sockets_csv)
{
	struct buffer b = {0};
	struct record r;

	sample_sockets(&r);
	format_csv(&b, &r);
	buffer_char(&b, 0);
	expect_int(csv_fields(b.data), csv_fields(csv_header));
	assert_non_null(strstr(b.data, ",\"TCP_ABORT_ON_CLOSE\","
				       "1234,\"a\\x1b\"\"b\",33,18446744073709551,4026531840,close,,,,,"
				       "300,0,17000,20000000,71000,4,,"
				       ",,,,1,kernel,,,,,,9,,,,0,12" BEFORE_CGROUPS
				       ",\"we\\x1b\"\"b.service\",,,\"" SAMPLE_CONTAINER "\",\"" SAMPLE_POD "\","
				       ",,\"sshd.service\",\"deb12\",,,,,,\r\n"));
	buffer_free(&b);
}

/* Only the end whose socket's changes were lost says so. */
TEST(test_lost_socket_changes_json)
{
	struct buffer b = {0};
	struct record r;

	sample_lost(&r);
	format_json(&b, &r);
	buffer_char(&b, 0);
	assert_non_null(strstr(b.data, "\"reset_received\":null,\"states\":[{"));
	assert_non_null(
		strstr(b.data, "\"reset_received\":12,\"unit\":\"sshd.service\",\"lost\":true,\"states\":[]}},"));
	buffer_free(&b);
}

/* Expects the text somewhere in what the format prints. b: for the output, which is dropped. */
static void expect_text(struct buffer *b, const struct record *r,
			void (*format)(struct buffer *, const struct record *), const char *text)
{
	b->len = 0;
	format(b, r);
	buffer_char(b, 0);
	if (!strstr(b->data, text))
		print_message("no %s in: %s\n", text, b->data);
	assert_non_null(strstr(b->data, text));
}

/* What is printed of a listener is what is known of it. */
TEST(test_listener)
{
	struct buffer b = {0};
	struct record r;

	sample_listener(&r);
	expect_text(&b, &r, format_json,
		    ",\"listener\":{\"state\":\"full\",\"t\":1000000000,\"queue\":2,\"backlog\":1,\"uid\":5,"
		    "\"pid\":77,\"name\":\"k\\u000a\\\"e\",\"unit\":\"k\\u001b.service\"}}");
	expect_text(&b, &r, format_csv,
		    ",full,1000000000,2,1,5,77,\"k\\x0a\"\"e\",,,,,,,,,,,,,,,,,\"k\\x1b.service\"\r\n");
	expect_text(&b, &r, format_explanation,
		    " the listen queue of k\\x0a\"e[77] of k\\x1b.service was full: 2 waited in it, its backlog "
		    "is 1");
	r.listener.pid = 0;
	r.listener.unit = NULL;
	expect_text(&b, &r, format_json, ",\"uid\":5}}");
	expect_text(&b, &r, format_csv, ",5,,,," NO_CGROUPS);
	expect_text(&b, &r, format_explanation, "; 1.00s after the first SYN the listen queue of user 5 was full: ");
	r.listener = (struct record_listener){.state = LISTENER_NONE, .t = 0};
	expect_text(&b, &r, format_json, ",\"listener\":{\"state\":\"none\",\"t\":0}}");
	expect_text(&b, &r, format_csv, ",none,0,,,,,,," NO_CGROUPS);
	expect_text(&b, &r, format_explanation, " after the first SYN nothing on this host listened there");
	buffer_free(&b);
}

/* A holder is printed apart from a closer, and never in its place. */
TEST(test_holder)
{
	struct buffer b = {0};
	struct record r;

	sample_held(&r);
	format_json(&b, &r);
	buffer_char(&b, 0);
	assert_non_null(strstr(b.data, "\"how\":\"kernel\"},\"holder\":{\"pid\":77,\"name\":\"k\\u000a\\\"e\","
				       "\"unit\":\"sshd.service\",\"uid\":5,"
				       "\"holders\":3},\"container\":{\"id\":\"deb12\"},\"socket\":{"));
	assert_non_null(strstr(b.data, "\"how\":\"close\"},\"container\":{"));
	b.len = 0;
	r.socket[DESTINATION].process.holders = 1;
	format_explanation(&b, &r);
	buffer_char(&b, 0);
	assert_non_null(strstr(b.data, "; k\\x0a\"e[77] held the destination's socket when the watch began; "));
	b.len = 0;
	format_csv(&b, &r);
	buffer_char(&b, 0);
	assert_non_null(strstr(b.data, ",1,kernel,77,\"k\\x0a\"\"e\",5,1,,9,,,,0,12" BEFORE_CGROUPS));
	assert_non_null(strstr(b.data, "\",,\"sshd.service\",,\"deb12\",,,,,,\r\n"));
	buffer_free(&b);
}

/* ---- output that harms nobody ---- */

/* A record whose every text from outside is that one. */
static void sample_of_text(struct record *r, const char *text)
{
	sample_held(r);
	r->interfaces[0] = text;
	r->reset.reason = text;
	for (int role = SOURCE; role <= DESTINATION; role++)
		snprintf(r->socket[role].process.name, RECORD_NAME, "%s", text);
}

static const struct format_style styles[] = {{.columns = 80}, {.columns = 80, .unicode = true, .verbose = true}};

/* No format passes on a character that is not seen but acts. */
TEST(test_harmful_characters)
{
	static const char *const bad[] = {"\x1b",   "\x07",   "\xc2\x9b", "\u202e", "\u202a",    "\u2066",
					  "\u2069", "\u2028", "\u2029",   "\u200b", "\u200d",    "\u200f",
					  "\u061c", "\ufeff", "\u00ad",   "\u3164", "\U000e0041"};
	struct buffer b = {0};
	struct record r;
	char name[32];

	for (size_t i = 0; i < COUNT(bad); i++)
		for (size_t n = 0; n < COUNT(styles) * (FORMAT_LADDER + 1); n++) {
			snprintf(name, sizeof(name), "a%sb", bad[i]);
			enter_row("character %zu, format %zu", i, n / COUNT(styles));
			sample_of_text(&r, name);
			format_record(&b, n / COUNT(styles), &styles[n % COUNT(styles)], &r);
			buffer_char(&b, '\0');
			assert_null(strstr(b.data, bad[i]));
			b.len = 0;
		}
	buffer_free(&b);
}

/* No cell of CSV begins as a formula; the other formats have the text as it is. */
TEST(test_formulas)
{
	static const char *const formulas[] = {"=1+1", "@SUM(1)", "+1", "-1", " =1", "\uff1d1"};
	struct format_style style = {.columns = 80};
	struct buffer b = {0};
	struct record r;
	char cell[32];

	for (size_t i = 0; i < COUNT(formulas); i++) {
		enter_row("%s", formulas[i]);
		sample_of_text(&r, formulas[i]);
		format_record(&b, FORMAT_CSV, &style, &r);
		buffer_char(&b, '\0');
		snprintf(cell, sizeof(cell), ",\"%s\",", formulas[i]);
		assert_null(strstr(b.data, cell));
		snprintf(cell, sizeof(cell), ",\"'%s\",", formulas[i]);
		assert_non_null(strstr(b.data, cell));
		b.len = 0;
		format_record(&b, FORMAT_JSON, &style, &r);
		expect_contains(&b, formulas[i]);
	}
	buffer_free(&b);
}

/* format_record hands each format what it asks for. */
TEST(test_dispatch)
{
	struct format_style style = {.columns = 80};
	struct buffer b = {0}, want = {0};
	struct record r;

	sample_graceful(&r);
	format_header(&b, FORMAT_LADDER, &style);
	expect_int(b.len, 0);
	format_record(&b, FORMAT_LADDER, &style, &r);
	format_ladder(&want, &style, &r);
	buffer_char(&want, '\0');
	assert_true(want.len > 1);
	expect(&b, want.data);
	buffer_free(&want);
	buffer_free(&b);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
