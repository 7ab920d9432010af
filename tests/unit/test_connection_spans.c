// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which packets belong to which connection, where a tuple is used again.
 */
#include "tests/unit/assert.h"
#include "user/flight/connection_spans.h"

enum { TUPLE = 7, OTHER = 8 };

/* The connections, by what names them, that have that packet: as "0", "10" for two, or "" for none. */
static void expect_of(struct connection_spans *s, uint64_t tuple, uint64_t number, const char *expected)
{
	struct kept_connection *of[CONNECTION_SPANS_MOST];
	unsigned count = connection_spans_of(s, tuple, number, of);
	char text[CONNECTION_SPANS_MOST + 1] = "";

	for (unsigned i = 0; i < count; i++)
		text[i] = (char)('0' + of[i]->begun);
	assert_string_equal(text, expected);
}

/* Before its SYN nothing is a connection's; after its report, all until the next one begins. */
TEST(test_from_syn_to_next)
{
	struct connection_spans *s = connection_spans_new();
	uint64_t first = connection_spans_begin(s, TUPLE, 10, false);

	connection_spans_end(s, first, 20);
	connection_spans_end(s, connection_spans_begin(s, OTHER, 15, false), 30);
	connection_spans_end(s, connection_spans_begin(s, TUPLE, 40, false), 50);
	connection_spans_keep(s, first);
	connection_spans_seal(s);
	expect_of(s, TUPLE, 9, "");
	expect_of(s, TUPLE, 10, "0");
	expect_of(s, OTHER, 16, "");
	expect_of(s, TUPLE, 39, "0");
	expect_of(s, TUPLE, 40, "");
	connection_spans_free(s);
}

/* Two of the tuple, of which the first one begins at 10; reported at 20 and 50, and kept. */
static struct connection_spans *two(uint64_t second_begin, bool midstream)
{
	struct connection_spans *s = connection_spans_new();
	uint64_t first = connection_spans_begin(s, TUPLE, 10, midstream),
		 second = connection_spans_begin(s, TUPLE, second_begin, midstream);

	connection_spans_end(s, first, 20);
	connection_spans_end(s, second, 50);
	connection_spans_keep(s, first);
	connection_spans_keep(s, second);
	connection_spans_keep(s, first); /* by a later record of it */
	connection_spans_seal(s);
	return s;
}

/* One whose handshake was not seen has what came before, back to the report of the one before. */
TEST(test_midstream)
{
	struct connection_spans *s = two(40, true);

	expect_of(s, TUPLE, 1, "0");
	expect_of(s, TUPLE, 20, "0");
	expect_of(s, TUPLE, 21, "1");
	expect_of(s, TUPLE, 99, "1");
	connection_spans_free(s);
}

/* A SYN inside a connection: both have what comes until the older one is reported. */
TEST(test_inside)
{
	struct connection_spans *s = two(15, false);

	expect_of(s, TUPLE, 14, "0");
	expect_of(s, TUPLE, 15, "10");
	expect_of(s, TUPLE, 20, "10");
	expect_of(s, TUPLE, 21, "1");
	connection_spans_free(s);
}

/* One that is never reported was no connection: its packets are those of the one before. */
TEST(test_not_reported)
{
	struct connection_spans *s = connection_spans_new();
	uint64_t first = connection_spans_begin(s, TUPLE, 10, false);

	connection_spans_begin(s, TUPLE, 15, false);
	connection_spans_end(s, first, 20);
	connection_spans_keep(s, first);
	connection_spans_seal(s);
	expect_of(s, TUPLE, 30, "0");
	connection_spans_free(s);
}

/* Many connections, every third kept. */
TEST(test_many)
{
	struct connection_spans *s = connection_spans_new();
	struct kept_connection *of[CONNECTION_SPANS_MOST];

	for (uint64_t i = 0; i < 10000; i++) {
		uint64_t begun = connection_spans_begin(s, i * FLOW_HASH_PRIME, i + 1, false);

		connection_spans_end(s, begun, i + 1);
		if (i % 3 == 0)
			assert_true(connection_spans_keep(s, begun)->begun == i);
	}
	connection_spans_seal(s);
	for (uint64_t i = 0; i < 10000; i++) {
		expect_int(connection_spans_of(s, i * FLOW_HASH_PRIME, i + 1, of), i % 3 == 0);
		assert_true(i % 3 || of[0]->begun == i);
	}
	connection_spans_free(s);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
