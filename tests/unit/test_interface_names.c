// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The interfaces of captures: one name is one interface, whatever describes it, and their number is bounded.
 */
#include "tests/unit/assert.h"

#include <stdio.h>

#include "user/capture/interface_names.h"

/* As a reader of packets asks. */
static uint16_t number_of(struct interface_names *names, const struct captured_packet *p, const char *name)
{
	uint16_t known = interface_names_known(names, p);

	return known == INTERFACE_NOT_KNOWN ? interface_names_add(names, p, name) : known;
}

TEST(test_by_name)
{
	const struct captured_packet first = {.interface = 0}, second = {.interface = 1}, again = {.interface = 2},
				     other_file = {.file = 1};
	struct interface_names *names = interface_names_new();

	for (unsigned round = 0; round < 2; round++) {
		expect_int(number_of(names, &first, "eth0"), 1);
		expect_int(number_of(names, &second, "eth1"), 2);
		expect_int(number_of(names, &again, "eth0"), 1); /* another section */
		expect_int(number_of(names, &other_file, "eth1"), 2);
	}
	expect_int(interface_names_count(names), 2);
	assert_string_equal(interface_names_get(names, 1), "eth0");
	assert_string_equal(interface_names_get(names, 2), "eth1");
	interface_names_free(names);
}

TEST(test_without_a_name)
{
	const struct captured_packet first = {.interface = 0}, second = {.interface = 1};
	struct interface_names *names = interface_names_new();

	expect_int(number_of(names, &first, NULL), 0);
	expect_int(number_of(names, &second, ""), 0);
	expect_int(number_of(names, &first, NULL), 0);
	expect_int(interface_names_count(names), 0);
	interface_names_free(names);
}

/* What dumpcap writes for "any": a name that says nothing, and the index of each packet's interface. */
TEST(test_by_index)
{
	const struct captured_packet two = {.ifindex = 2}, most = {.ifindex = UINT32_MAX}, none = {.ifindex = 0};
	struct interface_names *names = interface_names_new();

	expect_int(number_of(names, &two, "any"), 1);
	expect_int(number_of(names, &most, "any"), 2);
	expect_int(number_of(names, &none, "any"), 3);
	expect_int(number_of(names, &two, "any"), 1);
	assert_string_equal(interface_names_get(names, 1), "#2");
	assert_string_equal(interface_names_get(names, 2), "#4294967295");
	assert_string_equal(interface_names_get(names, 3), "any");
	interface_names_free(names);
}

/* Whoever writes a file with a new interface in each packet gets no more names, and no wrong ones. */
TEST(test_too_many)
{
	struct interface_names *names = interface_names_new();
	struct captured_packet p = {0};
	char name[16];

	for (unsigned round = 0; round < 2; round++)
		for (p.ifindex = 1; p.ifindex < 5000; p.ifindex++) {
			uint16_t number = number_of(names, &p, NULL);

			expect_int(number, p.ifindex <= 1023 ? p.ifindex : 0);
			snprintf(name, sizeof(name), "#%u", p.ifindex);
			if (number)
				assert_string_equal(interface_names_get(names, number), name);
		}
	expect_int(interface_names_count(names), 1023);
	interface_names_free(names);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
