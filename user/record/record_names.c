// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The words of the contract, each spelled in this one place. Users and tests rely on them: they never change. Last, the
 * states by their numbers in the kernel.
 */
#include <stddef.h>
#include <linux/types.h>

#include "bpf/socket_event.h"
#include "user/record/record.h"

const char *outcome_name(enum outcome outcome)
{
	static const char *const names[OUTCOMES] = {
		[OUTCOME_GRACEFUL] = "graceful",
		[OUTCOME_RESET] = "reset",
		[OUTCOME_REFUSED] = "refused",
		[OUTCOME_HANDSHAKE_RESET] = "handshake_reset",
		[OUTCOME_UNANSWERED] = "unanswered",
		[OUTCOME_UNFINISHED] = "unfinished",
		[OUTCOME_OPEN] = "open",
		[OUTCOME_UNKNOWN] = "unknown",
	};

	return names[outcome];
}

const char *direction_name(enum direction direction)
{
	static const char *const names[] = {NULL, "ingress", "egress"};

	return names[direction];
}

const char *tunnel_name(enum packet_tunnel tunnel)
{
	static const char *const names[] = {
		[TUNNEL_NONE] = NULL,     [TUNNEL_IPIP] = "ipip",     [TUNNEL_GRE] = "gre",
		[TUNNEL_VXLAN] = "vxlan", [TUNNEL_GENEVE] = "geneve",
	};

	return names[tunnel];
}

const char *pattern_name(enum pattern pattern)
{
	static const char *const names[] = {
		[PATTERN_NONE] = NULL,
		[PATTERN_FOUR_WAY] = "four_way",
		[PATTERN_THREE_WAY] = "three_way",
		[PATTERN_SIMULTANEOUS] = "simultaneous",
	};

	return names[pattern];
}

const char *role_name(enum role role)
{
	static const char *const names[] = {
		[SOURCE] = "source", [DESTINATION] = "destination", [BOTH] = "both", [NETWORK] = "network",
		[NOBODY] = NULL,
	};

	return names[role];
}

const char *role_or_unknown(enum role role)
{
	return role == NOBODY ? "unknown" : role_name(role);
}

/* The states of RFC 9293 section 3.3.2. */
const char *state_name(enum tcp_state state)
{
	static const char *const names[TCP_STATES] = {
		[STATE_UNKNOWN] = NULL,
		[STATE_CLOSED] = "CLOSED",
		[STATE_SYN_SENT] = "SYN-SENT",
		[STATE_SYN_RECEIVED] = "SYN-RECEIVED",
		[STATE_ESTABLISHED] = "ESTABLISHED",
		[STATE_FIN_WAIT_1] = "FIN-WAIT-1",
		[STATE_FIN_WAIT_2] = "FIN-WAIT-2",
		[STATE_CLOSE_WAIT] = "CLOSE-WAIT",
		[STATE_CLOSING] = "CLOSING",
		[STATE_LAST_ACK] = "LAST-ACK",
		[STATE_TIME_WAIT] = "TIME-WAIT",
	};

	return names[state];
}

const char *missing_name(enum missing missing)
{
	static const char *const names[] = {
		[MISSING_NOTHING] = NULL,
		[MISSING_SOURCE_ACK] = "source_ack",
		[MISSING_DESTINATION_ACK] = "destination_ack",
		[MISSING_SOURCE_FIN] = "source_fin",
		[MISSING_DESTINATION_FIN] = "destination_fin",
	};

	return names[missing];
}

const char *listener_state_name(enum listener_state state)
{
	static const char *const names[] = {
		[LISTENER_UNKNOWN] = NULL,
		[LISTENER_NONE] = "none",
		[LISTENER_READY] = "ready",
		[LISTENER_FULL] = "full",
	};

	return names[state];
}

const char *how_name(enum how how)
{
	static const char *const names[] = {
		[HOW_UNKNOWN] = NULL,    [HOW_CLOSE] = "close", [HOW_SHUTDOWN] = "shutdown",
		[HOW_EXIT] = "exit",     [HOW_ABORT] = "abort", [HOW_UNACCEPTED] = "unaccepted",
		[HOW_KERNEL] = "kernel",
	};

	return names[how];
}

const char *phase_name(enum phase phase)
{
	static const char *const names[] = {
		[PHASE_NONE] = NULL,
		[PHASE_HANDSHAKE] = "handshake",
		[PHASE_ESTABLISHED] = "established",
		[PHASE_HALF_CLOSED] = "half_closed",
		[PHASE_CLOSING] = "closing",
		[PHASE_CLOSED] = "closed",
	};

	return names[phase];
}

const char *validity_name(enum reset_validity validity)
{
	static const char *const names[] = {
		[RESET_UNKNOWN] = "unknown",
		[RESET_EXACT] = "exact",
		[RESET_IN_WINDOW] = "in_window",
		[RESET_OUT_OF_WINDOW] = "out_of_window",
	};

	return names[validity];
}

const char *basis_name(enum basis basis)
{
	static const char *const names[] = {
		[BASIS_SOCKET] = "socket",
		[BASIS_WIRE] = "wire",
		[BASIS_UNKNOWN] = "unknown",
	};

	return names[basis];
}

const char *timing_name(enum timing timing)
{
	static const char *const names[TIMINGS] = {
		[T_SYN_TO_SYNACK] = "syn_to_synack",
		[T_SYNACK_TO_ACK] = "synack_to_ack",
		[T_INITIAL_RTT] = "initial_rtt",
		[T_FIN_TO_ACK] = "fin_to_ack",
		[T_HALF_CLOSED] = "half_closed",
		[T_PEER_FIN_TO_ACK] = "peer_fin_to_ack",
		[T_CLOSE] = "close",
		[T_LIFETIME] = "lifetime",
	};

	return names[timing];
}

const char *mptcp_name(uint8_t subtype)
{
	return subtype == 7 ? "fastclose" : subtype == 8 ? "reset" : NULL;
}

const char *flags_text(uint8_t flags, char buf[10])
{
	static const char letters[] = "FSRP.UEW"; /* by bit, from bit 0 on: tcpdump prints them in this order */
	char *p = buf;

	if (!flags)
		return "none";
	for (unsigned left = flags; left; left &= left - 1)
		*p++ = letters[__builtin_ctz(left)];
	*p = '\0';
	return buf;
}

enum tcp_state kernel_state(unsigned number)
{
	static const enum tcp_state states[SOCKET_STATES] = {
		[SOCKET_ESTABLISHED] = STATE_ESTABLISHED,
		[SOCKET_SYN_SENT] = STATE_SYN_SENT,
		[SOCKET_SYN_RECV] = STATE_SYN_RECEIVED,
		[SOCKET_FIN_WAIT1] = STATE_FIN_WAIT_1,
		[SOCKET_FIN_WAIT2] = STATE_FIN_WAIT_2,
		[SOCKET_TIME_WAIT] = STATE_TIME_WAIT,
		[SOCKET_CLOSE] = STATE_CLOSED,
		[SOCKET_CLOSE_WAIT] = STATE_CLOSE_WAIT,
		[SOCKET_LAST_ACK] = STATE_LAST_ACK,
		[SOCKET_CLOSING] = STATE_CLOSING,
	};

	return number < SOCKET_STATES ? states[number] : STATE_UNKNOWN;
}
