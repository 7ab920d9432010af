/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record of one connection, as it is reported: verdict.c makes it from a flow, filters and formats read it. What
 * reads a record needs to know nothing of packets, maps or files.
 */
#ifndef TCPFIN_RECORD_H
#define TCPFIN_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bpf/core/traffic.h"
#include "user/sockets/cgroup_paths.h"
#include "user/sockets/listener.h"

/* NOBODY prints as null or "unknown"; NETWORK: none of the two, but something on the way in the name of one. */
enum role { SOURCE, DESTINATION, BOTH, NOBODY, NETWORK };

/* Of a segment, at the interface: it came in there, or went out. */
enum direction { DIRECTION_UNKNOWN, DIRECTION_INGRESS, DIRECTION_EGRESS };

/* The answer to a question that cannot always be answered; UNTOLD prints as null. */
enum answer { UNTOLD, NO, YES };

/*
 * What the verdict on an RST or FIN rests on: a socket of this host, asked as it passed; the numbers on the wire; or
 * neither, because those were displaced. BASIS_NONE: there is no such segment.
 */
enum basis { BASIS_NONE, BASIS_SOCKET, BASIS_WIRE, BASIS_UNKNOWN };

/* Would the receiver accept this RST? RFC 9293 section 3.10.7.4 and RFC 5961 section 3. */
enum reset_validity {
	RESET_UNKNOWN,       /* what decides was not seen */
	RESET_EXACT,         /* the next sequence number expected */
	RESET_IN_WINDOW,     /* accepted by old stacks, answered by a challenge ACK by newer ones */
	RESET_OUT_OF_WINDOW, /* never accepted */
};

/* SOURCE for DESTINATION, and DESTINATION for SOURCE. */
static inline enum role other_role(enum role role)
{
	return role == SOURCE ? DESTINATION : SOURCE;
}

enum outcome {
	OUTCOME_GRACEFUL,
	OUTCOME_RESET,
	OUTCOME_REFUSED,
	OUTCOME_HANDSHAKE_RESET,
	OUTCOME_UNANSWERED,
	OUTCOME_UNFINISHED,
	OUTCOME_OPEN,
	OUTCOME_UNKNOWN,
	OUTCOMES
};

enum pattern { PATTERN_NONE, PATTERN_FOUR_WAY, PATTERN_THREE_WAY, PATTERN_SIMULTANEOUS };

enum tcp_state {
	STATE_UNKNOWN,
	STATE_CLOSED,
	STATE_SYN_SENT,
	STATE_SYN_RECEIVED,
	STATE_ESTABLISHED,
	STATE_FIN_WAIT_1,
	STATE_FIN_WAIT_2,
	STATE_CLOSE_WAIT,
	STATE_CLOSING,
	STATE_LAST_ACK,
	STATE_TIME_WAIT,
	TCP_STATES
};

/* The step that an unfinished close waits for, and who must take it. */
enum missing {
	MISSING_NOTHING,
	MISSING_SOURCE_ACK,
	MISSING_DESTINATION_ACK,
	MISSING_SOURCE_FIN,
	MISSING_DESTINATION_FIN
};

/* Where the connection was when the RST came. */
enum phase { PHASE_NONE, PHASE_HANDSHAKE, PHASE_ESTABLISHED, PHASE_HALF_CLOSED, PHASE_CLOSING, PHASE_CLOSED };

enum timing {
	T_SYN_TO_SYNACK,
	T_SYNACK_TO_ACK,
	T_INITIAL_RTT,
	T_FIN_TO_ACK,
	T_HALF_CLOSED,
	T_PEER_FIN_TO_ACK,
	T_CLOSE,
	T_LIFETIME,
	TIMINGS
};

/* The steps of the close. For each, the record says from which segment it was read. */
enum evidence_step {
	EVIDENCE_FIN,
	EVIDENCE_FIN_ACK,
	EVIDENCE_PEER_FIN,
	EVIDENCE_PEER_FIN_ACK,
	EVIDENCE_RESET,
	EVIDENCES
};

#define RECORD_INTERFACES 8 /* that are listed of one connection */
#define RECORD_HANDSHAKE 3
#define RECORD_CLOSING 16
#define RECORD_SEGMENTS (RECORD_HANDSHAKE + RECORD_CLOSING)
#define EVENT_ID_SIZE 33   /* of an event.id as text, its NUL included */
#define TIMING_UNSEEN (-1) /* of timings: the step was not seen; prints as null */
#define NUMBER_UNSEEN (-1) /* of other numbers */

struct record_end {
	uint8_t ip[16]; /* network byte order; IPv4 uses the first four */
	uint16_t port;  /* host byte order */
	int64_t bytes;  /* payload sent, by sequence numbers modulo 2^32; NUMBER_UNSEEN */
	enum tcp_state state;
	int wscale; /* shift count, NUMBER_UNSEEN where not offered or not seen */
	unsigned fin_retransmits;
	unsigned data_copies; /* segments from before its FIN that it sent after it, without an answer */
};

static inline bool record_end_equal(const struct record_end *a, const struct record_end *b)
{
	return a->port == b->port && !memcmp(a->ip, b->ip, sizeof(a->ip));
}

/* How an end was closed; HOW_UNKNOWN: it is not closed, or is on another host. */
enum how { HOW_UNKNOWN, HOW_CLOSE, HOW_SHUTDOWN, HOW_EXIT, HOW_ABORT, HOW_UNACCEPTED, HOW_KERNEL };

#define RECORD_STEPS 5
#define RECORD_NAME 64 /* bytes of a process's name, its NUL included */

/*
 * The process that a record names at an end of this host: who closed the socket or, if nobody is known to have, who
 * held it.
 */
struct record_process {
	uint32_t pid, uid;
	unsigned holders;       /* 0: it closed the socket; else how many processes held it when the watch began */
	char name[RECORD_NAME]; /* as the process calls itself: any bytes, for printers to escape; "" if not known */
};

/* The socket of an end that is on this host. */
struct record_socket {
	bool known; /* its changes of state were seen */
	bool lost;  /* but not the first ones: they gave way to others' */
	enum how how;
	struct record_process process;      /* see socket_closer and socket_holder */
	uint64_t cgroup;                    /* of the process that closed: the inode number of its directory */
	struct cgroup_names names;          /* what that process, or else the socket, belongs to; owned by the source */
	uint32_t netns;                     /* inode number of the socket's network namespace */
	int64_t unread_bytes, unsent_bytes; /* at the close; NUMBER_UNSEEN before it */
	int64_t close_to_fin;               /* ns from the call to the FIN here on the wire, TIMING_UNSEEN */
	int64_t peer_fin_to_close; /* ns from the other end's FIN here on the wire to the call, TIMING_UNSEEN */
	int64_t srtt;              /* ns, TIMING_UNSEEN */
	uint32_t retransmits;      /* of the whole connection */
	int64_t reset_received;    /* ns since the connection's first segment: it acted on an RST; TIMING_UNSEEN */
	struct {
		int64_t t; /* ns since the connection's first segment; a call may come before it */
		enum tcp_state state;
	} steps[RECORD_STEPS]; /* states that it entered, from the close on */
	unsigned step_count;
};

/* What this host's listener said while the source's SYN was not answered. */
struct record_listener {
	enum listener_state state; /* LISTENER_UNKNOWN: the kernel was not asked, or does not tell */
	int64_t t;                 /* ns since the first segment: when the kernel was asked */
	uint32_t queue, backlog;   /* as in struct listener, as is all that follows: not of LISTENER_NONE */
	uint32_t uid;              /* of its socket */
	uint32_t pid;              /* 0: neither it nor the name is known */
	char name[RECORD_NAME];    /* as in struct record_process */
	const char *unit;          /* systemd's, of that process; NULL: not known; owned by the source */
};

/* The process that closed the socket; NULL where nobody did, the kernel did, or it is not known. */
static inline const struct record_process *socket_closer(const struct record_socket *s)
{
	return s->how != HOW_UNKNOWN && s->how != HOW_KERNEL ? &s->process : NULL;
}

/* One of the processes that held the socket when the watch began; NULL where one closed it, or none is known. */
static inline const struct record_process *socket_holder(const struct record_socket *s)
{
	return s->process.holders ? &s->process : NULL;
}

/* The process that the record names for this end, whatever it did; NULL without one. */
static inline const struct record_process *socket_process(const struct record_socket *s)
{
	return socket_closer(s) || socket_holder(s) ? &s->process : NULL;
}

enum {
	SEGMENT_COPY = 1,    /* retransmission of a segment seen before */
	SEGMENT_IGNORED = 2, /* its receiver would not act on it: wrong numbers or contradicting flags */
	SEGMENT_FOLDED = 4,  /* plain data or ACKs, `count` of them: len is their sum */
	SEGMENT_SOCKET =
		16, /* a FIN or RST: a socket of this host was asked as it passed, or this host's TCP sent it */
	SEGMENT_JUMPED = 32,  /* its time stamp was wrong: t only tells its place */
	SEGMENT_RECALLED = 8, /* of a handshake, from what the opening keeps: its IP id is not known */
};

/* reset.reason of an RST that this host sent, but not its TCP. */
#define RECORD_PACKET_FILTER "PACKET_FILTER"

struct record_segment {
	uint64_t t; /* ns since the connection's first segment */
	enum role from;
	uint8_t flags;
	uint8_t mark; /* SEGMENT_ bits */
	uint32_t raw_seq, raw_ack;
	uint32_t seq, ack; /* relative as Wireshark shows them */
	uint32_t len, count;
	uint16_t win; /* as in the header: not scaled */
	uint8_t ttl;
	uint16_t ip_id;
};

/* What a side sent, counted with --all-segments. */
struct record_traffic {
	uint64_t packets;
	uint64_t bytes;       /* payload, retransmissions included */
	uint64_t retransmits; /* segments with payload that had been sent before, or that came after later payload */
	uint64_t retransmitted_bytes;
	int64_t last_data; /* ns since the connection's first segment, NUMBER_UNSEEN without payload */
	struct {
		uint32_t count;
		uint8_t flags;
	} run[TRAFFIC_RUNS]; /* segments with the same flags, in order */
	unsigned run_count;
	uint32_t runs_lost; /* segments after the last run */
};

#define RECORD_RELATED 4

/* A connection that belongs to the record's: by role, its ends. */
struct record_peer {
	char id[EVENT_ID_SIZE]; /* "" where nobody asks for it */
	int family;             /* 4 or 6: it may have been translated; 0: read back, where the ends are not in JSON */
	uint8_t ip[2][16];
	uint16_t port[2];
	bool same_syn; /* the same SYN with other addresses or ports; else the source's port is the same */
};

struct record {
	/* Where it was seen, in that order; NULL ends them where they are fewer. Owned by the source. */
	const char *interfaces[RECORD_INTERFACES];
	const char *netns;         /* name of their network namespace (--netns), else NULL; owned by the source */
	uint32_t netns_inode;      /* with netns */
	const char *host;          /* its name; NULL for a capture file; owned by the source */
	char id[EVENT_ID_SIZE];    /* names the connection: see event_id.h; "" where nobody asks for it */
	int family;                /* 4 or 6 */
	int vlan[PACKET_MAX_TAGS]; /* outer first; -1 where none */
	enum packet_tunnel tunnel; /* what its packets were in; TUNNEL_NONE */
	int64_t tunnel_id;         /* VNI, or GRE's key; NUMBER_UNSEEN where the tunnel has none */
	struct {
		bool known;
		bool by_destination;
		unsigned type, code;
		uint8_t by[16]; /* as record_end.ip */
	} icmp;                 /* an ICMP error that quotes a segment of the connection */
	/* Large segments of a side that its path swallowed; see bpf/core/black_hole.h. */
	struct {
		enum role sender;     /* meaningful with bytes */
		unsigned bytes;       /* payload of one that was swallowed; 0: none was */
		unsigned retransmits; /* so often it was sent again */
		unsigned passed;      /* payload of the smaller copy that passed at last; 0: none was sent */
	} mtu_black_hole;
	struct record_end end[2]; /* by role: SOURCE, DESTINATION */
	uint64_t start, finish;   /* wall clock, ns since 1970: first segment, last step of the verdict */

	bool stray;               /* no connection: a RST or FIN that belongs to none, from source to destination */
	enum direction direction; /* of a stray */

	bool final; /* false: so far; another record of the connection follows */
	enum outcome outcome;
	enum pattern pattern;
	enum role closer;    /* NOBODY: unknown; NETWORK: a RST that its alleged sender did not send */
	enum role time_wait; /* NOBODY: nobody holds it, or unknown */
	enum missing missing;
	struct {
		enum role by; /* NOBODY without an RST */
		enum phase phase;
		enum reset_validity validity;
		uint8_t mptcp;          /* subtype of the MPTCP option, SEGMENT_NO_MPTCP */
		unsigned ignored;       /* RSTs that their receiver did not act on */
		const char *reason;     /* the sending kernel's word for it; NULL: unknown. Owned by the source */
		enum answer forged;     /* its alleged sender did not send it */
		bool ttl_differs;       /* its TTL is not that of the same side's handshake */
		uint8_t ttl, usual_ttl; /* its own, and that of the handshake; 0: not seen */
	} reset;
	enum basis basis_reset, basis_fin; /* of the RST, of the first FIN */
	bool late_reset;
	bool midstream;       /* the handshake was not seen: who is source is a guess, or known from this host */
	bool fin_original[2]; /* by role: the first copy of its FIN was surely the original */
	bool bytes_approximate;
	int64_t timing[TIMINGS]; /* ns, TIMING_UNSEEN */
	int64_t isn[2];          /* by role: initial sequence numbers, NUMBER_UNSEEN */
	unsigned syn_retransmits, synack_retransmits;
	bool stuck_in_syn_received; /* the destination repeated its SYN-ACK and took nothing of the source's */
	unsigned challenge_acks;    /* SYNs that an ACK of an older connection answered */
	unsigned clock_jumps;       /* listed segments whose time stamp was wrong */
	unsigned captured_twice;    /* packets that were seen twice */
	int64_t half_closed_bytes;  /* NUMBER_UNSEEN */
	int completeness;           /* Wireshark's tcp.completeness */
	const char *conn_state;     /* Zeek's */
	char history[24];           /* Zeek's, upper case: source */
	bool heard_before[2]; /* by role: it had been heard before the first listed segment, without a handshake */

	int64_t silence;              /* ns from the last payload to what ended it: see silence.h; NUMBER_UNSEEN */
	bool silence_at_most;         /* there may have been payload in between */
	enum answer silence_answered; /* it ended with payload that an RST answered, or nothing */
	bool counted;                 /* traffic is known */
	int64_t idle; /* ns from the last payload, or the handshake, to the first step of the close; TIMING_UNSEEN */

	struct record_socket socket[2]; /* by role */
	struct record_listener listener;

	struct record_peer related[RECORD_RELATED];
	unsigned related_count;

	int evidence[EVIDENCES]; /* index into segments, -1 where not seen or not in the log */
	struct record_segment segments[RECORD_SEGMENTS];
	unsigned segment_count;
	uint32_t segments_lost;
	struct record_traffic traffic[2]; /* by role; only if `counted` */
};

/* The segment that a stray is: its first FIN or RST. NULL where it is none. */
static inline const struct record_segment *record_stray_segment(const struct record *r)
{
	for (unsigned i = 0; r->stray && i < r->segment_count; i++)
		if (r->segments[i].flags & (TCP_FIN | TCP_RST))
			return &r->segments[i];
	return NULL;
}

/* Was the connection seen at more than one interface? */
static inline bool record_has_interfaces(const struct record *r)
{
	return r->interfaces[0] && r->interfaces[1];
}

/* What is the same of all records, in the words of the Elastic Common Schema. */
#define RECORD_ECS "8.11.0"
#define RECORD_AGENT "tcpfin-trace"
#define RECORD_DATASET "tcpfin.close"
#define RECORD_STRAY_DATASET "tcpfin.stray"
#define RECORD_KIND "event"
#define RECORD_CATEGORY "network"
#define RECORD_TYPE "connection"

static inline const char *record_dataset(const struct record *r)
{
	return r->stray ? RECORD_STRAY_DATASET : RECORD_DATASET;
}

/* The second event.type: "end"; "info" while the connection goes on. */
static inline const char *record_type(const struct record *r)
{
	return r->final && r->outcome != OUTCOME_OPEN && !r->stray ? "end" : "info";
}

/* This host's listener at an end; NULL without one whose process is known. */
static inline const struct record_listener *record_listener_at(const struct record *r, enum role role)
{
	return role == DESTINATION && r->listener.pid ? &r->listener : NULL;
}

/* The name of the process that closed or held an end or, where none is known, that listens there; NULL: not known. */
static inline const char *record_process_name(const struct record *r, enum role role)
{
	const struct record_process *p = socket_process(&r->socket[role]);
	const struct record_listener *l = record_listener_at(r, role);

	return p ? p->name : l ? l->name : NULL;
}

/* The number of that process; 0: not known. */
static inline uint32_t record_process_pid(const struct record *r, enum role role)
{
	const struct record_process *p = socket_process(&r->socket[role]);
	const struct record_listener *l = record_listener_at(r, role);

	return p ? p->pid : l ? l->pid : 0;
}

/* The systemd unit of an end or, where that is not known, of who listens there; NULL: not known. */
static inline const char *record_unit(const struct record *r, enum role role)
{
	const char *unit = r->socket[role].names.unit;
	const struct record_listener *l = record_listener_at(r, role);

	return unit ? unit : l ? l->unit : NULL;
}

/* A state by the kernel's number of it (include/net/tcp_states.h); STATE_UNKNOWN for other numbers. */
enum tcp_state kernel_state(unsigned number);

/*
 * Payload of a side (SOURCE or DESTINATION) that no listed segment carries: it was sent between handshake and close, or
 * in a segment that found no place in the log. 0 where its bytes are not known.
 */
uint64_t record_unlisted_bytes(const struct record *r, enum role role);

/*
 * Names as the contract has them ("four_way", "TIME-WAIT", "source" ...). NULL only for values that print as null:
 * PATTERN_NONE, TUNNEL_NONE, MISSING_NOTHING, PHASE_NONE, NOBODY, STATE_UNKNOWN.
 */
const char *outcome_name(enum outcome outcome);
/* As ECS has it: "ingress" or "egress"; NULL for DIRECTION_UNKNOWN. */
const char *direction_name(enum direction direction);
const char *tunnel_name(enum packet_tunnel tunnel); /* NULL for TUNNEL_NONE */
const char *pattern_name(enum pattern pattern);
const char *role_name(enum role role);
const char *role_or_unknown(enum role role); /* as role_name; "unknown" for NOBODY */
const char *state_name(enum tcp_state state);
const char *missing_name(enum missing missing);
/* "close", "shutdown", "exit", "abort", "unaccepted" or "kernel"; NULL for HOW_UNKNOWN. */
const char *how_name(enum how how);
/* "none", "ready" or "full"; NULL for LISTENER_UNKNOWN. */
const char *listener_state_name(enum listener_state state);
const char *phase_name(enum phase phase);
const char *validity_name(enum reset_validity validity);
/* "socket", "wire" or "unknown"; NULL for BASIS_NONE. */
const char *basis_name(enum basis basis);
const char *timing_name(enum timing timing);
/*
 * What the MPTCP option of an RST says (RFC 8684 sections 3.5 and 3.6): "fastclose" or "reset"; NULL for other
 * subtypes.
 */
const char *mptcp_name(uint8_t subtype);

/* tcpdump's letters for TCP flags: "S", "S.", "F.", "P.", ".", "R" ...; "none" without any. buf: at least 10 bytes. */
const char *flags_text(uint8_t flags, char buf[10]);

#endif
