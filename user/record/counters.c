// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The counters' names, one for each.
 */
#include "user/record/counters.h"

_Static_assert(COUNT_VERDICT == 2 && PACKET_VERDICTS == 15 && COUNTERS - COUNT_ESTABLISHED == 27,
	       "a counter came or went: give it a name, then change these numbers");

const char *const counter_names[COUNTERS] = {
	[COUNT_PACKETS] = "packets",
	[COUNT_LOOKED_UP] = "looked_up",
	[COUNT_VERDICT + PACKET_TCP] = "tcp_segments",
	[COUNT_VERDICT + PACKET_NOT_IP] = "not_ip",
	[COUNT_VERDICT + PACKET_NOT_TCP] = "not_tcp",
	[COUNT_VERDICT + PACKET_FRAGMENT] = "later_fragment",
	[COUNT_VERDICT + PACKET_TRUNCATED] = "truncated",
	[COUNT_VERDICT + PACKET_BAD_IP] = "bad_ip_header",
	[COUNT_VERDICT + PACKET_BAD_LENGTH] = "bad_length",
	[COUNT_VERDICT + PACKET_BAD_TCP] = "bad_tcp_header",
	[COUNT_VERDICT + PACKET_MANY_TAGS] = "too_many_vlan_tags",
	[COUNT_VERDICT + PACKET_DEEP_CHAIN] = "too_many_extension_headers",
	[COUNT_VERDICT + PACKET_NESTED_TUNNEL] = "nested_tunnel",
	[COUNT_VERDICT + PACKET_ESP] = "esp",
	[COUNT_VERDICT + PACKET_L2TP] = "l2tp",
	[COUNT_VERDICT + PACKET_OTHER_TUNNEL] = "other_tunnel",
	[COUNT_VERDICT + PACKET_QUOTED] = "icmp_errors",
	[COUNT_ICMP_FORGED] = "icmp_forged",
	[COUNT_ESTABLISHED] = "established",
	[COUNT_CLOSES] = "closes_begun",
	[COUNT_CLOSED] = "established_closed",
	[COUNT_STRAY_RST] = "stray_rst",
	[COUNT_STRAY] = "stray",
	[COUNT_LATE] = "late_segments",
	[COUNT_CONTRADICTORY] = "contradictory",
	[COUNT_RING_FULL] = "ring_full",
	[COUNT_UNPROVEN_EVICTED] = "unproven_evicted",
	[COUNT_ESTABLISHED_FULL] = "established_full",
	[COUNT_CLOSING_FULL] = "closing_full",
	[COUNT_MIDSTREAM_FULL] = "midstream_full",
	[COUNT_IDLE_FORGOTTEN] = "idle_forgotten",
	[COUNT_CONTENDED] = "contended",
	[COUNT_SOCKETS_LOST] = "sockets_lost",
	[COUNT_INTERIM_LIMITED] = "interim_limited",
	[COUNT_INTERIM_EVICTED] = "interim_evicted",
	[COUNT_SETTLED_EARLY] = "settled_early",
	[COUNT_FLOWS_FORGOTTEN] = "flows_forgotten",
	[COUNT_FLOWS_CUT] = "flows_cut",
	[COUNT_CLOCK_JUMPS] = "clock_jumps",
	[COUNT_STRAYS_LIMITED] = "strays_limited",
	[COUNT_VIEWS_JOINED] = "views_joined",
	[COUNT_IPFIX_LOST] = "ipfix_lost",
	[COUNT_KAFKA_LOST] = "kafka_lost",
	[COUNT_PACKETS_NOT_KEPT] = "packets_not_kept",
};

bool counter_is_internal(unsigned counter)
{
	static const bool internal[COUNTERS] = {
		[COUNT_PACKETS] = true,
		[COUNT_LOOKED_UP] = true,
		[COUNT_VERDICT + PACKET_TCP] = true,
		[COUNT_VERDICT + PACKET_NOT_IP] = true,
		[COUNT_VERDICT + PACKET_NOT_TCP] = true,
		[COUNT_VERDICT + PACKET_FRAGMENT] = true,
		[COUNT_VERDICT + PACKET_QUOTED] = true,
		[COUNT_ESTABLISHED] = true,
		[COUNT_CLOSES] = true,
		[COUNT_CLOSED] = true,
		[COUNT_LATE] = true,
		[COUNT_CONTRADICTORY] = true,
		[COUNT_RING_FULL] = true,
		[COUNT_VIEWS_JOINED] = true,
	};

	return internal[counter];
}

bool counter_is_loss(unsigned counter)
{
	static const bool losses[COUNTERS] = {
		[COUNT_CLOSING_FULL] = true, [COUNT_MIDSTREAM_FULL] = true, [COUNT_ESTABLISHED_FULL] = true,
		[COUNT_CONTENDED] = true,    [COUNT_SOCKETS_LOST] = true,   [COUNT_FLOWS_FORGOTTEN] = true,
		[COUNT_IPFIX_LOST] = true,   [COUNT_KAFKA_LOST] = true,     [COUNT_PACKETS_NOT_KEPT] = true,
	};

	return losses[counter];
}

uint64_t counters_lost(const uint64_t counters[COUNTERS])
{
	uint64_t lost = 0;

	for (unsigned i = 0; i < COUNTERS; i++)
		lost += counter_is_loss(i) ? counters[i] : 0;
	return lost;
}
