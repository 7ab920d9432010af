// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcpdump's expressions over records: what each matches, by family and VLAN tags, and what is refused.
 */
#include "tests/unit/assert.h"
#include "tests/unit/sample_record.h"
#include "user/filter/packet_expression.h"

static char error[512];

static const struct record v4 = {
	.family = 4,
	.vlan = {-1, -1},
	.end = {{.ip = {10, 0, 0, 1}, .port = 40001}, {.ip = {192, 168, 7, 9}, .port = 443}},
};
static const struct record v6 = {
	.family = 6,
	.vlan = {-1, -1},
	.end = {{.ip = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, .port = 40002},
		{.ip = {0x20, 0x01, 0x0d, 0xb8, [15] = 9}, .port = 22}},
};

static bool matches(const char *text, const struct record *r)
{
	struct packet_expression *e = packet_expression_compile(text, error, sizeof(error));
	bool result;

	if (!e)
		fail_msg("%s: %s", text, error);
	result = packet_expression_matches(e, r);
	packet_expression_free(e);
	return result;
}

static struct record tagged(struct record r, int outer, int inner)
{
	r.vlan[0] = outer;
	r.vlan[1] = inner;
	return r;
}

TEST(test_matches)
{
	static const struct {
		const char *name;
		bool v4, v6, one_tag, two_tags; /* the tagged ones are the IPv4 one, with 100, and 200 and 100 */
	} rows[] = {
		{"tcp", true, true, false, false},
		{"udp or icmp", false, false, false, false},
		{"ip", true, false, false, false},
		{"ip6", false, true, false, false},
		{"host 10.0.0.1", true, false, false, false},
		{"src host 10.0.0.1", true, false, false, false},
		{"dst host 10.0.0.1", false, false, false, false},
		{"net 192.168.0.0/16", true, false, false, false},
		{"host 2001:db8::9", false, true, false, false},
		{"src net 2001:db8::/32", false, true, false, false},
		{"port 443", true, false, false, false},
		{"dst port 22", false, true, false, false},
		{"src portrange 40000-40001", true, false, false, false},
		{"not port 443", false, true, true, true},
		{"tcp port 22 and ip6", false, true, false, false},
		{"vlan", false, false, true, true},
		{"vlan 100 and port 443", false, false, true, false},
		{"vlan 200 and vlan 100 and host 192.168.7.9", false, false, false, true},
		{"port 443 or (vlan and port 443)", true, false, true, false},
		{"ip proto 6", true, false, false, false},
	};
	const struct record one = tagged(v4, 100, -1), two = tagged(v4, 200, 100);

	FOR_EACH_ROW(rows, row) {
		expect_int(matches(row->name, &v4), row->v4);
		expect_int(matches(row->name, &v6), row->v6);
		expect_int(matches(row->name, &one), row->one_tag);
		expect_int(matches(row->name, &two), row->two_tags);
	}
}

TEST(test_refused)
{
#define NOT_KNOWN " reads what a connection's record does not have"
	static const struct {
		const char *name, *error;
	} rows[] = {
		{"", "it is empty"},
		{" ", "it is empty"},
		{"prot 443", "syntax error"},
		{"port", "syntax error"},
		{"tcp[13] & 1 != 0", "\"tcp[13]\"" NOT_KNOWN},
		{"tcp[tcpflags] == tcp-syn", "\"tcp[tcpflags]\"" NOT_KNOWN},
		{"port 80 and ip[8] < 5", "\"ip[8]\"" NOT_KNOWN},
		{"len > 100", "\"len\"" NOT_KNOWN},
		{"port 80 and greater 100", "\"greater\"" NOT_KNOWN},
		{"ether host 00:00:00:00:00:01", "\"ether\"" NOT_KNOWN},
		{"(broadcast)", "\"broadcast\"" NOT_KNOWN},
		{"ip protochain 6", "\"protochain\"" NOT_KNOWN},
		{"mpls 5 and port 80", "\"mpls\"" NOT_KNOWN},
		{"host 00:00:00:00:00:01", NULL}, /* libpcap's own words */
		{"atalk", "\"atalk\"" NOT_KNOWN}, /* by what the program loads: the whole expression is named */
	};
#undef NOT_KNOWN

	FOR_EACH_ROW(rows, row) {
		assert_null(packet_expression_compile(row->name, error, sizeof(error)));
		if (row->error)
			assert_string_equal(error, row->error);
	}
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
