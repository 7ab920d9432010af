// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A row for each kind of tunnel that the parser tells apart and does not open.
 */
#include "user/base/log.h"
#include "user/record/unopened.h"

static const struct {
	enum packet_verdict verdict;
	const char *where;
} kinds[] = {
	{PACKET_NESTED_TUNNEL, "a tunnel inside a tunnel"},
	{PACKET_ESP, "ESP"},
	{PACKET_L2TP, "L2TP"},
	{PACKET_OTHER_TUNNEL, "tunnels such as GTP-U, VXLAN-GPE or GRE of PPTP"},
};

void unopened_note(const uint64_t counters[COUNTERS], unsigned *said)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint64_t packets = counters[COUNT_VERDICT + kinds[i].verdict];

		if (!packets || *said & 1u << i)
			continue;
		*said |= 1u << i;
		log_note("packets in %s are not looked into, and connections there are not seen (%llu so far)",
			 kinds[i].where, (unsigned long long)packets);
	}
}
