/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every field of a record, once: its path in JSON, its column in CSV, its type, when it is null, its value, and what it
 * means. The columns of CSV and the list in tcpfin-trace-record(5) come from this table (`make man-fields`).
 *
 * To add a field: a row here, its member in format_json.c, and `make man-fields`; tests/golden/fields.py says what is
 * missing where. Readers may find columns by position, so the row of a new column goes after those of all others.
 */
#ifndef TCPFIN_RECORD_FIELDS_H
#define TCPFIN_RECORD_FIELDS_H

#include "user/record/community_id.h"
#include "user/record/record.h"

enum record_field_type {
	FIELD_TIME,     /* uint64_t: ns since 1970 */
	FIELD_DURATION, /* struct field_number: ns */
	FIELD_BYTES,    /* struct field_number */
	FIELD_COUNT,    /* struct field_number */
	FIELD_NUMBER,   /* struct field_number: an identifier or a value in a unit of its own */
	FIELD_WORD,     /* const char *: one of the contract's words, or NULL */
	FIELD_TEXT,     /* const char *: text from outside, any bytes, or NULL */
	FIELD_NAMES,    /* const char *const [RECORD_INTERFACES]: such texts; NULL ends them */
	FIELD_BOOL,     /* bool */
	FIELD_ANSWER,   /* enum answer */
	FIELD_ADDRESS,  /* const uint8_t *: network byte order, of r->family */
	FIELD_ID,       /* the record's Community ID */
	FIELD_FLAGS,    /* the record's segments, as in the text format */
	FIELD_SIGNED,   /* JSON only: ns, may be negative */
	FIELD_OBJECT,   /* JSON only: other rows describe its members */
	FIELD_RUNS,     /* JSON only: arrays of a string and a number */
};

/* Whether a field's value can be missing. In CSV such a field is empty. */
enum record_field_presence {
	FIELD_ALWAYS,           /* there, and not null */
	FIELD_NULLABLE,         /* null where it was not seen */
	FIELD_OPTIONAL,         /* JSON leaves it out, or the object that holds it, where it does not apply */
	FIELD_OPTIONAL_NULLABLE /* both */
};

struct record_field {
	const char *path;   /* in JSON; "[]" follows the name of an array; NULL: CSV only */
	const char *column; /* in CSV; NULL: JSON only */
	enum record_field_type type;
	enum record_field_presence presence;
	const char *meaning; /* sentences; equal for fields that differ only in the end they are about */
};

/* The table below without values, in its order. */
extern const struct record_field record_fields[];
extern const unsigned record_field_count;

/* A field's value in one record. */
struct field_value {
	bool known;
	uint64_t number;          /* of times, durations, bytes, counts, numbers and truth values */
	uint64_t whole;           /* what a number is a share of; 0 for fields of records */
	const char *text;         /* of words, texts and identifiers; the record's, or id */
	const char *const *names; /* of names; RECORD_INTERFACES of them, NULL ends them */
	const uint8_t *ip;        /* of addresses */
	int family;               /* of ip: 4 or 6 */
	char id[COMMUNITY_ID_SIZE];
};

/* The value of the field with that number in the table. One that only JSON has, and FLAGS, are never known. */
__attribute__((nonnull)) void record_field_value(struct field_value *v, const struct record *r, unsigned field);

/* A number that may not be known. */
struct field_number {
	bool known;
	uint64_t value;
};

static inline struct field_number number_if(bool known, uint64_t value)
{
	return (struct field_number){known, value};
}

static inline struct field_number number_known(uint64_t value)
{
	return number_if(true, value);
}

/* NUMBER_UNSEEN and TIMING_UNSEEN are not known. */
static inline struct field_number number_seen(int64_t value)
{
	return number_if(value >= 0, (uint64_t)value);
}

/* ns from the first segment to the last step; 0 where packets of a capture are not in order of time. */
static inline uint64_t record_duration(const struct record *r)
{
	return r->finish > r->start ? r->finish - r->start : 0;
}

/* Is there a listener whose queue is known? */
static inline bool record_has_listener(const struct record *r)
{
	return r->listener.state == LISTENER_READY || r->listener.state == LISTENER_FULL;
}

/*
 * A row's value is an accessor of a member, so that the table also says where a value that is read back belongs
 * (user/readback/record_places.c gives the accessors that meaning): number_*, the words' *_name, and those below. What
 * follows from other members is derived(), what is the same of all records fixed(); both are not read back.
 */
#define derived(value) (value)
#define fixed(value) (value)
#define word_member(member) (member)
#define word_if(known, word) ((known) ? (word) : NULL)
#define text_if(known, member) ((known) ? (member) : NULL)
#define bool_if(known, member) ((known) && (member))
#define answer_if(known, member) ((known) ? (member) : UNTOLD)
#define address_if(known, member) ((known) ? (member) : NULL)

#define LISTENER_NUMBER(r, member) number_if(record_has_listener(r), (r)->listener.member)
#define RESET_SEEN(r) ((r)->reset.by != NOBODY)
#define CLOSER_NUMBER(s, member) number_if(socket_closer(s), (s)->member)
#define HOLDER_NUMBER(s, member) number_if(socket_holder(s), (s)->process.member)
#define SOCKET_NUMBER(s, member) number_seen((s)->known ? (int64_t)(s)->member : NUMBER_UNSEEN)
#define TRAFFIC_NUMBER(r, role, member) number_if((r)->counted, (r)->traffic[role].member)

/* The fields of one end's socket. end: "source" or "destination"; s: its struct record_socket. */
#define RECORD_SOCKET_FIELDS(FIELD, MEMBER, end, s)                                                                   \
	MEMBER(end ".process", OBJECT, OPTIONAL,                                                                      \
	       "Who closed this end, if it is on this host. Left out while nobody has closed it, and for ends "       \
	       "elsewhere. The members but netns and how are null where the kernel closed.")                          \
	FIELD(end ".process.pid", end "_process_pid", NUMBER, OPTIONAL_NULLABLE, CLOSER_NUMBER(s, process.pid),       \
	      "Process number, in the PID namespace in which tcpfin-trace was started.")                              \
	FIELD(end ".process.name", end "_process_name", TEXT, OPTIONAL_NULLABLE,                                      \
	      text_if(socket_closer(s), (s)->process.name),                                                           \
	      "Name of the process as the kernel has it, at most 15 bytes.")                                          \
	FIELD(end ".process.uid", end "_process_uid", NUMBER, OPTIONAL_NULLABLE, CLOSER_NUMBER(s, process.uid),       \
	      "User of the process.")                                                                                 \
	FIELD(end ".process.cgroup", end "_process_cgroup", NUMBER, OPTIONAL_NULLABLE, CLOSER_NUMBER(s, cgroup),      \
	      "Cgroup of the process, version 2: the inode number of its directory below /sys/fs/cgroup.")            \
	FIELD(end ".process.netns", end "_process_netns", NUMBER, OPTIONAL,                                           \
	      number_if((s)->how != HOW_UNKNOWN, (s)->netns),                                                         \
	      "Network namespace of the socket: the inode number that /proc/PID/ns/net shows.")                       \
	FIELD(end ".process.how", end "_process_how", WORD, OPTIONAL, how_name((s)->how),                             \
	      "How it closed: close; shutdown (others still hold the socket, or the process itself does); exit "      \
	      "(the process ended, also by a signal); abort (SO_LINGER with no time, or ss -K); unaccepted (the "     \
	      "process closed the listener, or ended, before it accepted the connection); kernel (a reset from the "  \
	      "other end or a timeout, no process; also for sockets that the kernel itself holds, such as "           \
	      "subflows of MPTCP).")                                                                                  \
	MEMBER(end ".holder", OBJECT, OPTIONAL,                                                                       \
	       "Who held the socket of this end when the watch began. Only for connections older than the watch, "    \
	       "at ends on this host that no process is known to have closed. Holding is not closing.")               \
	FIELD(end ".holder.pid", end "_holder_pid", NUMBER, OPTIONAL, HOLDER_NUMBER(s, pid),                          \
	      "Number of one of the processes that held it.")                                                         \
	FIELD(end ".holder.name", end "_holder_name", TEXT, OPTIONAL, text_if(socket_holder(s), (s)->process.name),   \
	      "Name of that process.")                                                                                \
	FIELD(end ".holder.uid", end "_holder_uid", NUMBER, OPTIONAL, HOLDER_NUMBER(s, uid), "User of that process.") \
	FIELD(end ".holder.holders", end "_holder_holders", COUNT, OPTIONAL, HOLDER_NUMBER(s, holders),               \
	      "How many processes held it.")                                                                          \
	MEMBER(end ".socket", OBJECT, OPTIONAL,                                                                       \
	       "What the socket of this end says, if it is on this host and its changes of state were seen.")         \
	FIELD(end ".socket.unread_bytes", end "_socket_unread_bytes", BYTES, OPTIONAL_NULLABLE,                       \
	      SOCKET_NUMBER(s, unread_bytes),                                                                         \
	      "What had come and the application had not read at the close. Closing with unread bytes sends an "      \
	      "RST.")                                                                                                 \
	FIELD(end ".socket.unsent_bytes", end "_socket_unsent_bytes", BYTES, OPTIONAL_NULLABLE,                       \
	      SOCKET_NUMBER(s, unsent_bytes),                                                                         \
	      "What the application had written and the kernel had not sent once at the close.")                      \
	FIELD(end ".socket.close_to_fin", end "_socket_close_to_fin", DURATION, OPTIONAL_NULLABLE,                    \
	      SOCKET_NUMBER(s, close_to_fin), "From the call that closed to its FIN at this interface.")              \
	FIELD(end ".socket.peer_fin_to_close", end "_socket_peer_fin_to_close", DURATION, OPTIONAL_NULLABLE,          \
	      SOCKET_NUMBER(s, peer_fin_to_close),                                                                    \
	      "From the other end's FIN at this interface to the call that closed: the application's share of "       \
	      "half closed.")                                                                                         \
	FIELD(end ".socket.srtt", end "_socket_srtt", DURATION, OPTIONAL_NULLABLE, SOCKET_NUMBER(s, srtt),            \
	      "The socket's smoothed round trip time.")                                                               \
	FIELD(end ".socket.retransmits", end "_socket_retransmits", COUNT, OPTIONAL, SOCKET_NUMBER(s, retransmits),   \
	      "The socket's retransmissions over the whole connection.")                                              \
	FIELD(end ".socket.reset_received", end "_socket_reset_received", DURATION, OPTIONAL_NULLABLE,                \
	      SOCKET_NUMBER(s, reset_received),                                                                       \
	      "When the socket acted on an RST, from the connection's first segment on.")                             \
	MEMBER(end ".socket.lost", BOOL, OPTIONAL,                                                                    \
	       "Earlier changes of its state were lost, for lack of room: who closed it may be unknown. Only if "     \
	       "true.")                                                                                               \
	MEMBER(end ".socket.states[].t", SIGNED, OPTIONAL,                                                            \
	       "When the socket entered the state, in ns from the connection's first segment on. Negative for a "     \
	       "call before it.")                                                                                     \
	MEMBER(end ".socket.states[].state", WORD, OPTIONAL,                                                          \
	       "The RFC 9293 state that the socket entered, from the close on. A socket that leaves a TIME-WAIT "     \
	       "behind enters CLOSED itself.")

/* What an end on this host belongs to, by the path of the cgroup. */
#define RECORD_CGROUP_FIELDS(FIELD, MEMBER, end, s)                                                                   \
	FIELD(end ".process.unit", end "_process_unit", TEXT, OPTIONAL, text_if(socket_closer(s), (s)->names.unit),   \
	      "The systemd unit of that process, as the path of its cgroup has it, also where the process or its "    \
	      "cgroup are gone. Left out where the path names none.")                                                 \
	FIELD(end ".holder.unit", end "_holder_unit", TEXT, OPTIONAL, text_if(socket_holder(s), (s)->names.unit),     \
	      "The systemd unit of that process.")                                                                    \
	FIELD(end ".socket.unit", end "_socket_unit", TEXT, OPTIONAL,                                                 \
	      text_if((s)->known && !socket_process(s), (s)->names.unit),                                             \
	      "Where no process is named: the systemd unit in which the socket was made or, for an accepted one, "    \
	      "its listener. By cgroups of version 2 only.")                                                          \
	MEMBER(end ".container", OBJECT, OPTIONAL, "The container of this end. Left out where it is in none.")        \
	FIELD(end ".container.id", end "_container_id", TEXT, OPTIONAL, (s)->names.container,                         \
	      "The container of that process or, where none is named, of the socket or of who listens there, by the " \
	      "path of its cgroup: the whole identifier that docker, podman, containerd and CRI-O give it, or the "   \
	      "name that LXC and systemd-nspawn know it by.")                                                         \
	MEMBER(end ".orchestrator", OBJECT, OPTIONAL, "The pod of this end. Left out where it is in none.")           \
	FIELD(end ".orchestrator.pod.uid", end "_orchestrator_pod_uid", TEXT, OPTIONAL, (s)->names.pod,               \
	      "The uid of the Kubernetes pod, by the same path.")

/* What --all-segments counts of one side. */
#define RECORD_TRAFFIC_MEMBERS(MEMBER, side)                                                                       \
	MEMBER("tcp.traffic." side, OBJECT, OPTIONAL,                                                              \
	       "With --all-segments, of connections whose handshake was seen: what was counted of every segment "  \
	       "that the side sent.")                                                                              \
	MEMBER("tcp.traffic." side ".retransmitted_bytes", BYTES, OPTIONAL, "Payload in those retransmissions.")   \
	MEMBER("tcp.traffic." side ".last_data", DURATION, OPTIONAL_NULLABLE,                                      \
	       "When the side last sent payload, from the connection's first segment on. Live it is as exact as "  \
	       "a tick of the kernel's clock, a few milliseconds.")                                                \
	MEMBER("tcp.traffic." side ".flags[]", RUNS, OPTIONAL,                                                     \
	       "The flags of the segments in order: an array of flags in tcpdump's letters and how many segments " \
	       "in a row had them.")                                                                               \
	MEMBER("tcp.traffic." side ".flags_lost", COUNT, OPTIONAL, "Segments after the last entry of flags.")

/*
 * FIELD(path, column, type, presence, value, meaning): a field with a column; value: an expression of the record `r`.
 * MEMBER(path, type, presence, meaning): a field that only JSON has.
 */
#define RECORD_FIELDS(FIELD, MEMBER)                                                                                  \
	FIELD("@timestamp", "timestamp", TIME, ALWAYS, r->finish, "When the last step of the verdict was seen.")      \
	FIELD("event.start", "event_start", TIME, ALWAYS, r->start,                                                   \
	      "When the first segment was seen. Midstream, the first one of the close.")                              \
	FIELD("event.end", "event_end", TIME, ALWAYS, r->finish, "The same as @timestamp.")                           \
	FIELD("event.duration", "event_duration", DURATION, ALWAYS, number_known(record_duration(r)),                 \
	      "From event.start to event.end. 0 where the packets of a capture are not in order of time.")            \
	FIELD("observer.ingress.interface.name", "interface_name", TEXT, OPTIONAL, r->interfaces[0],                  \
	      "The interface, or the first one of several. In captures the name that a pcapng file has for it, or # " \
	      "and its index (link type SLL2, of tcpdump -i any). Left out where a capture does not tell it.")        \
	MEMBER("network.transport", WORD, ALWAYS, "Always tcp.")                                                      \
	FIELD("network.type", "network_type", WORD, ALWAYS, derived(r->family == 4 ? "ipv4" : "ipv6"),                \
	      "ipv4 or ipv6.")                                                                                        \
	FIELD("network.vlan[]", "network_vlan_outer", NUMBER, OPTIONAL, number_seen(r->vlan[0]),                      \
	      "Identifier of the outer or only VLAN tag.")                                                            \
	FIELD("network.vlan[]", "network_vlan_inner", NUMBER, OPTIONAL, number_seen(r->vlan[1]),                      \
	      "Identifier of the inner VLAN tag.")                                                                    \
	MEMBER("network.tunnel", OBJECT, OPTIONAL, "Left out where the connection was in no tunnel.")                 \
	FIELD("network.community_id", "network_community_id", ID, ALWAYS, r,                                          \
	      "Community ID, version 1, seed 0: joins records with those of Zeek, Suricata and others.")              \
	FIELD("source.ip", "source_ip", ADDRESS, ALWAYS, r->end[SOURCE].ip, "Address of this end.")                   \
	FIELD("source.port", "source_port", NUMBER, ALWAYS, number_known(r->end[SOURCE].port), "Port of this end.")   \
	FIELD("source.bytes", "source_bytes", BYTES, NULLABLE, number_seen(r->end[SOURCE].bytes),                     \
	      "Payload that this end sent, by sequence numbers, modulo 4 GiB.")                                       \
	FIELD("destination.ip", "destination_ip", ADDRESS, ALWAYS, r->end[DESTINATION].ip, "Address of this end.")    \
	FIELD("destination.port", "destination_port", NUMBER, ALWAYS, number_known(r->end[DESTINATION].port),         \
	      "Port of this end.")                                                                                    \
	FIELD("destination.bytes", "destination_bytes", BYTES, NULLABLE, number_seen(r->end[DESTINATION].bytes),      \
	      "Payload that this end sent, by sequence numbers, modulo 4 GiB.")                                       \
	FIELD("tcp.outcome", "tcp_outcome", WORD, ALWAYS, outcome_name(r->outcome),                                   \
	      "How the connection ended: graceful, reset, refused, handshake_reset, unanswered, unfinished, "         \
	      "open or unknown.")                                                                                     \
	FIELD("tcp.pattern", "tcp_pattern", WORD, NULLABLE, pattern_name(r->pattern),                                 \
	      "Of a graceful close: four_way (FIN, ACK, FIN, ACK), three_way (the answer to the FIN is a FIN) "       \
	      "or simultaneous (neither FIN acknowledges the other). Else null, and where the closer is unknown.")    \
	FIELD("tcp.closer", "tcp_closer", WORD, ALWAYS, role_or_unknown(r->closer),                                   \
	      "Who closed first: source, destination, both, network or unknown. The sender of the first FIN, by "     \
	      "sequence numbers; without a FIN, the sender of the RST, or network where that one did not send it. "   \
	      "Unknown where the other side's FIN may have passed unseen before that, or at the same time.")          \
	FIELD("tcp.time_wait", "tcp_time_wait", WORD, NULLABLE, role_name(r->time_wait),                              \
	      "Who is left holding TIME-WAIT: source, destination or both. Null where nobody is, or it is not "       \
	      "known.")                                                                                               \
	FIELD("tcp.state.source", "state_source", WORD, NULLABLE, state_name(r->end[SOURCE].state),                   \
	      "The RFC 9293 state in which the side is left, as far as the wire shows it.")                           \
	FIELD("tcp.state.destination", "state_destination", WORD, NULLABLE, state_name(r->end[DESTINATION].state),    \
	      "The RFC 9293 state in which the side is left, as far as the wire shows it.")                           \
	FIELD("tcp.missing", "tcp_missing", WORD, NULLABLE, missing_name(r->missing),                                 \
	      "The step that the close or the handshake still waits for: source_ack, destination_ack, "               \
	      "source_fin or destination_fin. Null where none is due or which one is not known, and for the "         \
	      "SYN-ACK.")                                                                                             \
	FIELD("tcp.reset.by", "reset_by", WORD, NULLABLE, role_name(r->reset.by),                                     \
	      "Who sent the RST that ended the connection, or came after its end: source or destination.")            \
	FIELD("tcp.reset.phase", "reset_phase", WORD, NULLABLE, word_if(RESET_SEEN(r), phase_name(r->reset.phase)),   \
	      "Where the connection was when the RST came: handshake, established, half_closed (one FIN), "           \
	      "closing (both FINs) or closed. Null without an RST, and where a FIN may have passed unseen "           \
	      "before it.")                                                                                           \
	FIELD("tcp.reset.validity", "reset_validity", WORD, NULLABLE,                                                 \
	      word_if(RESET_SEEN(r), validity_name(r->reset.validity)),                                               \
	      "How the number of the RST fits what its receiver expects (RFC 5961): exact, in_window, "               \
	      "out_of_window or unknown. The number of a FIN that the receiver has counts as exact: receivers "       \
	      "accept it.")                                                                                           \
	FIELD("tcp.reset.mptcp", "reset_mptcp", WORD, OPTIONAL, word_if(RESET_SEEN(r), mptcp_name(r->reset.mptcp)),   \
	      "The RST carried an MPTCP option (RFC 8684): fastclose or reset.")                                      \
	FIELD("tcp.reset.ttl_differs", "reset_ttl_differs", BOOL, OPTIONAL,                                           \
	      bool_if(RESET_SEEN(r), r->reset.ttl_differs),                                                           \
	      "The TTL of the RST is not that of the same side's handshake: another box may have sent it. In "        \
	      "JSON only if true.")                                                                                   \
	FIELD("tcp.late_reset", "tcp_late_reset", BOOL, ALWAYS, r->late_reset,                                        \
	      "An RST came after a graceful close was complete.")                                                     \
	FIELD("tcp.timing.syn_to_synack", "timing_syn_to_synack", DURATION, NULLABLE,                                 \
	      number_seen(r->timing[T_SYN_TO_SYNACK]), "From the SYN to the SYN-ACK.")                                \
	FIELD("tcp.timing.synack_to_ack", "timing_synack_to_ack", DURATION, NULLABLE,                                 \
	      number_seen(r->timing[T_SYNACK_TO_ACK]), "From the SYN-ACK to the ACK that completes the handshake.")   \
	FIELD("tcp.timing.initial_rtt", "timing_initial_rtt", DURATION, NULLABLE,                                     \
	      number_seen(r->timing[T_INITIAL_RTT]),                                                                  \
	      "From the SYN to the ACK that completes the handshake: the round trip between the ends, wherever "      \
	      "it was seen.")                                                                                         \
	FIELD("tcp.timing.fin_to_ack", "timing_fin_to_ack", DURATION, NULLABLE, number_seen(r->timing[T_FIN_TO_ACK]), \
	      "From the closer's FIN to its acknowledgment.")                                                         \
	FIELD("tcp.timing.half_closed", "timing_half_closed", DURATION, NULLABLE,                                     \
	      number_seen(r->timing[T_HALF_CLOSED]),                                                                  \
	      "From that acknowledgment to the other side's FIN: how long the other application took to close. "      \
	      "Null for a simultaneous close.")                                                                       \
	FIELD("tcp.timing.peer_fin_to_ack", "timing_peer_fin_to_ack", DURATION, NULLABLE,                             \
	      number_seen(r->timing[T_PEER_FIN_TO_ACK]), "From the other side's FIN to its acknowledgment.")          \
	FIELD("tcp.timing.close", "timing_close", DURATION, NULLABLE, number_seen(r->timing[T_CLOSE]),                \
	      "From the first FIN to the last ACK, or to the RST.")                                                   \
	FIELD("tcp.timing.lifetime", "timing_lifetime", DURATION, NULLABLE, number_seen(r->timing[T_LIFETIME]),       \
	      "From the SYN to the last step.")                                                                       \
	FIELD("tcp.retransmits.syn", "retransmits_syn", COUNT, ALWAYS, number_known(r->syn_retransmits),              \
	      "Copies of the SYN. 255 is at least so many, as in the counts below.")                                  \
	FIELD("tcp.retransmits.syn_ack", "retransmits_syn_ack", COUNT, ALWAYS, number_known(r->synack_retransmits),   \
	      "Copies of the SYN-ACK.")                                                                               \
	FIELD("tcp.retransmits.fin_source", "retransmits_fin_source", COUNT, ALWAYS,                                  \
	      number_known(r->end[SOURCE].fin_retransmits), "Copies of the side's FIN.")                              \
	FIELD("tcp.retransmits.fin_destination", "retransmits_fin_destination", COUNT, ALWAYS,                        \
	      number_known(r->end[DESTINATION].fin_retransmits), "Copies of the side's FIN.")                         \
	FIELD("tcp.half_closed_bytes", "tcp_half_closed_bytes", BYTES, NULLABLE, number_seen(r->half_closed_bytes),   \
	      "What the other side sent after it had acknowledged the closer's FIN.")                                 \
	FIELD("tcp.window_scale.source", "window_scale_source", NUMBER, NULLABLE, number_seen(r->end[SOURCE].wscale), \
	      "The shift count that the side offered (RFC 7323): 7 is a factor of 128.")                              \
	FIELD("tcp.window_scale.destination", "window_scale_destination", NUMBER, NULLABLE,                           \
	      number_seen(r->end[DESTINATION].wscale),                                                                \
	      "The shift count that the side offered (RFC 7323): 7 is a factor of 128.")                              \
	FIELD("tcp.completeness", "tcp_completeness", NUMBER, ALWAYS, number_known(r->completeness),                  \
	      "Wireshark's tcp.completeness, a sum: 1 SYN, 2 SYN-ACK, 4 ACK, 8 data, 16 FIN, 32 RST.")                \
	FIELD("tcp.conn_state", "tcp_conn_state", WORD, ALWAYS, word_member(r->conn_state),                           \
	      "Zeek's conn_state: S0, S1, SF, REJ, S2, S3, RSTO, RSTR, RSTOS0, RSTRH, SH, SHR or OTH, by Zeek's "     \
	      "rules. Zeek takes every FIN and RST; here, those that their receiver ignored are left out.")           \
	FIELD("tcp.history", "tcp_history", WORD, ALWAYS, word_member(r->history),                                    \
	      "Zeek's history: S SYN, H SYN-ACK, A ACK, D data, F FIN, R RST, upper case from the source. S, H, F "   \
	      "and "                                                                                                  \
	      "R come again with another number. At most 23 letters.")                                                \
	FIELD("tcp.midstream", "tcp_midstream", BOOL, ALWAYS, r->midstream,                                           \
	      "The handshake was not seen. Which end is the source is then known from the sockets that this "         \
	      "host had at the start, or else guessed: the lower port is the destination's.")                         \
	FIELD("tcp.fin_original.source", "fin_original_source", BOOL, ALWAYS, r->fin_original[SOURCE],                \
	      "The first FIN seen of that side directly followed its data, so no earlier copy was missed. False as "  \
	      "well where that is not sure: where numbers were not seen, or jumped as forged ones do.")               \
	FIELD("tcp.fin_original.destination", "fin_original_destination", BOOL, ALWAYS, r->fin_original[DESTINATION], \
	      "The first FIN seen of that side directly followed its data, so no earlier copy was missed. False as "  \
	      "well where that is not sure: where numbers were not seen, or jumped as forged ones do.")               \
	FIELD("tcp.resets_ignored", "tcp_resets_ignored", COUNT, ALWAYS, number_known(r->reset.ignored),              \
	      "RSTs that their receiver did not act on. 255 is at least so many. Of a connection without its "        \
	      "handshake (tcp.midstream) those before its close are not counted.")                                    \
	FIELD("tcp.bytes_approximate", "tcp_bytes_approximate", BOOL, OPTIONAL, r->bytes_approximate,                 \
	      "The connection was fast and long enough for 4 GiB more than the numbers say. In JSON only if "         \
	      "true.")                                                                                                \
	FIELD(NULL, "tcp_flags", FLAGS, ALWAYS, r, "CSV only: the column FLAGS of the text format.")                  \
	FIELD("tcp.segments_lost", "tcp_segments_lost", COUNT, ALWAYS, number_known(r->segments_lost),                \
	      "Segments that found no place in the record.")                                                          \
	FIELD("tcp.traffic.source.packets", "traffic_source_packets", COUNT, OPTIONAL,                                \
	      TRAFFIC_NUMBER(r, SOURCE, packets), "Segments that the side sent.")                                     \
	FIELD("tcp.traffic.source.bytes", "traffic_source_bytes", BYTES, OPTIONAL, TRAFFIC_NUMBER(r, SOURCE, bytes),  \
	      "Payload that the side sent, retransmissions included.")                                                \
	FIELD("tcp.traffic.source.retransmits", "traffic_source_retransmits", COUNT, OPTIONAL,                        \
	      TRAFFIC_NUMBER(r, SOURCE, retransmits),                                                                 \
	      "Segments with payload that had been sent before, or that came later than what follows them.")          \
	RECORD_TRAFFIC_MEMBERS(MEMBER, "source")                                                                      \
	FIELD("tcp.traffic.destination.packets", "traffic_destination_packets", COUNT, OPTIONAL,                      \
	      TRAFFIC_NUMBER(r, DESTINATION, packets), "Segments that the side sent.")                                \
	FIELD("tcp.traffic.destination.bytes", "traffic_destination_bytes", BYTES, OPTIONAL,                          \
	      TRAFFIC_NUMBER(r, DESTINATION, bytes), "Payload that the side sent, retransmissions included.")         \
	FIELD("tcp.traffic.destination.retransmits", "traffic_destination_retransmits", COUNT, OPTIONAL,              \
	      TRAFFIC_NUMBER(r, DESTINATION, retransmits),                                                            \
	      "Segments with payload that had been sent before, or that came later than what follows them.")          \
	RECORD_TRAFFIC_MEMBERS(MEMBER, "destination")                                                                 \
	FIELD("tcp.traffic.idle", "traffic_idle", DURATION, OPTIONAL_NULLABLE,                                        \
	      number_if(r->counted && r->idle >= 0, r->idle),                                                         \
	      "With --all-segments: from the last payload, or the handshake, to the first FIN or the RST.")           \
	FIELD("tcp.reset.reason", "reset_reason", TEXT, OPTIONAL, r->reset.reason,                                    \
	      "Why this host sent the RST, in its kernel's words, from Linux 6.10 on: see RESET REASONS. "            \
	      "PACKET_FILTER: this host sent it, but its TCP did not. Left out where another host sent it, or the "   \
	      "kernel does not say.")                                                                                 \
	RECORD_SOCKET_FIELDS(FIELD, MEMBER, "source", &r->socket[SOURCE])                                             \
	RECORD_SOCKET_FIELDS(FIELD, MEMBER, "destination", &r->socket[DESTINATION])                                   \
	FIELD("tcp.reset.forged", "reset_forged", ANSWER, NULLABLE, answer_if(RESET_SEEN(r), r->reset.forged),        \
	      "Whether somebody else sent the RST in the name of reset.by. True: that side went on as if it had "     \
	      "sent none. False: its kernel says that it sent it, or the side left undone what a living connection "  \
	      "does. Null where neither is known.")                                                                   \
	FIELD("tcp.handshake.challenge_acks", "handshake_challenge_acks", COUNT, ALWAYS,                              \
	      number_known(r->challenge_acks),                                                                        \
	      "SYNs that were answered by an ACK of an older connection (RFC 5961, section 4).")                      \
	FIELD("tcp.captured_twice", "tcp_captured_twice", COUNT, ALWAYS, number_known(r->captured_twice),             \
	      "Packets that were seen twice within a millisecond, by two hooks or a mirrored port, and count once. "  \
	      "Without --all-segments only those of SYN, SYN-ACK and the close are counted, live only those of the "  \
	      "close.")                                                                                               \
	FIELD("network.tunnel.type", "network_tunnel_type", WORD, OPTIONAL, tunnel_name(r->tunnel),                   \
	      "The tunnel that the connection's packets came in: vxlan, geneve, gre or ipip (IPv4 or IPv6 in IPv4 "   \
	      "or IPv6). Everything else in the record is of the inner packets; the tunnel's VLAN tags are left "     \
	      "out.")                                                                                                 \
	FIELD("network.tunnel.id", "network_tunnel_id", NUMBER, OPTIONAL_NULLABLE, number_seen(r->tunnel_id),         \
	      "Its VNI, or GRE's key (for NVGRE the VSID). Null where the tunnel has none. Equal addresses and "      \
	      "ports in tunnels with different identifiers are different connections.")                               \
	FIELD("event.id", "event_id", WORD, ALWAYS, word_member(r->id),                                               \
	      "Names the connection: the same in an interim record and in the one that replaces it, and in no "       \
	      "record of another connection.")                                                                        \
	FIELD("tcp.final", "tcp_final", BOOL, ALWAYS, r->final,                                                       \
	      "False in an interim record: the connection's story goes on, and another record with the "              \
	      "same event.id replaces this one.")                                                                     \
	FIELD("tcp.isn.source", "isn_source", NUMBER, NULLABLE, number_seen(r->isn[SOURCE]),                          \
	      "Initial sequence number of the side, as in the header.")                                               \
	FIELD("tcp.isn.destination", "isn_destination", NUMBER, NULLABLE, number_seen(r->isn[DESTINATION]),           \
	      "Initial sequence number of the side, as in the header.")                                               \
	FIELD("host.name", "host_name", TEXT, OPTIONAL, r->host,                                                      \
	      "Name of the host that watches. Left out for capture files.")                                           \
	FIELD("tcp.silence", "tcp_silence", DURATION, NULLABLE, number_seen(r->silence),                              \
	      "From the last new payload either way to whichever came first: the first FIN, the RST, or payload "     \
	      "that nothing, or only an RST, answered. Live from the socket of an end on this host, to a tick of "    \
	      "its kernel (1 to 10 ms), where payload sent again counts, or with --all-segments; else null.")         \
	FIELD("tcp.silence_at_most", "tcp_silence_at_most", BOOL, ALWAYS, r->silence_at_most,                         \
	      "There may have been payload in the time that tcp.silence tells, such as what numbers show to be "      \
	      "missing "                                                                                              \
	      "in a capture.")                                                                                        \
	FIELD("tcp.basis.reset", "basis_reset", WORD, NULLABLE, basis_name(r->basis_reset),                           \
	      "What the verdict on the RST rests on: socket (this host's, which was asked as the RST passed, or "     \
	      "sent it), wire (the numbers seen), or unknown (they were displaced). A socket in another network "     \
	      "namespace than the interface's is not asked.")                                                         \
	FIELD("tcp.basis.fin", "basis_fin", WORD, NULLABLE, basis_name(r->basis_fin),                                 \
	      "What the verdict on the first FIN rests on, in the same words.")                                       \
	MEMBER("tcp.icmp", OBJECT, OPTIONAL,                                                                          \
	       "An ICMP error that quotes a segment of this connection, with a number that was in flight. A "         \
	       "handshake that got nothing but an unreachable is refused, by the destination where that sent it, "    \
	       "else by the network; other errors explain, and change no outcome.")                                   \
	FIELD("tcp.icmp.type", "icmp_type", NUMBER, OPTIONAL, number_if(r->icmp.known, r->icmp.type),                 \
	      "Its type: 3 unreachable (code 4: fragmentation needed), 11 time exceeded; of ICMPv6 1 unreachable, "   \
	      "2 packet too big, 3 time exceeded.")                                                                   \
	FIELD("tcp.icmp.code", "icmp_code", NUMBER, OPTIONAL, number_if(r->icmp.known, r->icmp.code), "Its code.")    \
	FIELD("tcp.icmp.by", "icmp_by", ADDRESS, OPTIONAL, address_if(r->icmp.known, r->icmp.by), "Who sent it.")     \
	FIELD("tcp.clock_jumps", "tcp_clock_jumps", COUNT, ALWAYS, number_known(r->clock_jumps),                      \
	      "Listed segments of a capture whose time stamp was more than a minute away from those around "          \
	      "them. The steps that they begin or end have no time.")                                                 \
	FIELD("tcp.related[]", "tcp_related", WORD, OPTIONAL, derived(r->related_count ? r->related[0].id : NULL),    \
	      "event.id of connections that belong to this one: the same SYN with other addresses or ports (NAT, a "  \
	      "service's address), what another interface saw where that differs, or, of a reset without its "        \
	      "handshake, a connection of the same port. Left out where none is known. CSV has the first.")           \
	FIELD("event.dataset", "event_dataset", WORD, ALWAYS, derived(record_dataset(r)),                             \
	      "The kind of object: tcpfin.close.")                                                                    \
	FIELD("event.kind", "event_kind", WORD, ALWAYS, fixed(RECORD_KIND), "Always event.")                          \
	FIELD("event.category[]", "event_category", WORD, ALWAYS, fixed(RECORD_CATEGORY), "Always network alone.")    \
	FIELD("event.type[]", "event_type", WORD, ALWAYS, derived(record_type(r)),                                    \
	      "Always connection, and end; info in place of end while the connection goes on. CSV has the "           \
	      "second one.")                                                                                          \
	FIELD("ecs.version", "ecs_version", WORD, ALWAYS, fixed(RECORD_ECS),                                          \
	      "The version of the Elastic Common Schema whose names the record uses.")                                \
	FIELD("agent.type", "agent_type", WORD, ALWAYS, fixed(RECORD_AGENT), "Always tcpfin-trace.")                  \
	FIELD("agent.version", "agent_version", WORD, ALWAYS, fixed(TCPFIN_VERSION), "The version of tcpfin-trace.")  \
	FIELD("tcp.interfaces[]", "tcp_interfaces", NAMES, OPTIONAL, r->interfaces,                                   \
	      "All interfaces at which the opening or the close was seen, at most eight, the first one first. Left "  \
	      "out where it was one only. CSV has them with blanks between them.")                                    \
	MEMBER("destination.listener", OBJECT, OPTIONAL,                                                              \
	       "What this host's listener said soon after the source had to repeat its SYN, or the destination its "  \
	       "SYN-ACK to a source that had answered. Only where the destination is this host, and the kernel "      \
	       "tells; not with --netns.")                                                                            \
	FIELD("destination.listener.state", "destination_listener_state", WORD, OPTIONAL,                             \
	      listener_state_name(r->listener.state),                                                                 \
	      "full: more connections waited for accept() than its backlog allows, so that SYNs are dropped; ready: " \
	      "its queue had room; none: nothing listened there.")                                                    \
	FIELD("destination.listener.t", "destination_listener_t", DURATION, OPTIONAL,                                 \
	      number_if(r->listener.state != LISTENER_UNKNOWN, r->listener.t),                                        \
	      "When the kernel was asked, from the first SYN on.")                                                    \
	FIELD("destination.listener.queue", "destination_listener_queue", COUNT, OPTIONAL, LISTENER_NUMBER(r, queue), \
	      "Connections that waited for accept().")                                                                \
	FIELD("destination.listener.backlog", "destination_listener_backlog", COUNT, OPTIONAL,                        \
	      LISTENER_NUMBER(r, backlog), "How many may wait.")                                                      \
	FIELD("destination.listener.uid", "destination_listener_uid", NUMBER, OPTIONAL, LISTENER_NUMBER(r, uid),      \
	      "User that the listener belongs to.")                                                                   \
	FIELD("destination.listener.pid", "destination_listener_pid", NUMBER, OPTIONAL,                               \
	      number_if(r->listener.pid, r->listener.pid),                                                            \
	      "The process that called listen(), or one of those that held the listener when the watch began.")       \
	FIELD("destination.listener.name", "destination_listener_name", TEXT, OPTIONAL,                               \
	      text_if(r->listener.pid, r->listener.name), "Name of that process.")                                    \
	MEMBER("tcp.evidence", OBJECT, ALWAYS,                                                                        \
	       "The entries of segments from which each step was read, counted from 0. Null where the step was "      \
	       "not seen, or its segment found no place.")                                                            \
	MEMBER("tcp.evidence.fin", NUMBER, NULLABLE, "The closer's FIN.")                                             \
	MEMBER("tcp.evidence.fin_ack", NUMBER, NULLABLE, "The acknowledgment of the closer's FIN.")                   \
	MEMBER("tcp.evidence.peer_fin", NUMBER, NULLABLE, "The other side's FIN.")                                    \
	MEMBER("tcp.evidence.peer_fin_ack", NUMBER, NULLABLE, "The acknowledgment of the other side's FIN.")          \
	MEMBER("tcp.evidence.reset", NUMBER, NULLABLE, "The RST.")                                                    \
	MEMBER("tcp.segments[]", OBJECT, OPTIONAL,                                                                    \
	       "The segments that opened and closed the connection, in order. Data in between is not listed.")        \
	MEMBER("tcp.segments[].t", DURATION, OPTIONAL_NULLABLE,                                                       \
	       "When it was seen, from the connection's first segment on. Null where its time stamp was wrong.")      \
	MEMBER("tcp.segments[].from", WORD, OPTIONAL, "source or destination.")                                       \
	MEMBER("tcp.segments[].flags", WORD, OPTIONAL,                                                                \
	       "Its flags in tcpdump's letters: F FIN, S SYN, R RST, P PSH, . ACK, U URG, E ECE, W CWR; none.")       \
	MEMBER("tcp.segments[].seq", NUMBER, OPTIONAL,                                                                \
	       "Relative number, as Wireshark shows it: from the initial number on, or from the lowest number "       \
	       "seen.")                                                                                               \
	MEMBER("tcp.segments[].ack", NUMBER, OPTIONAL,                                                                \
	       "Relative number, as Wireshark shows it: from the initial number on, or from the lowest number "       \
	       "seen.")                                                                                               \
	MEMBER("tcp.segments[].raw_seq", NUMBER, OPTIONAL, "The number in the header.")                               \
	MEMBER("tcp.segments[].raw_ack", NUMBER, OPTIONAL, "The number in the header.")                               \
	MEMBER("tcp.segments[].len", BYTES, OPTIONAL, "Payload. Of folded segments, the sum.")                        \
	MEMBER("tcp.segments[].win", NUMBER, OPTIONAL, "The window in the header, not scaled.")                       \
	MEMBER("tcp.segments[].ttl", NUMBER, OPTIONAL,                                                                \
	       "TTL or hop limit, in records with an RST: compare it with those of the same side's other "            \
	       "segments.")                                                                                           \
	MEMBER("tcp.segments[].ip_id", NUMBER, OPTIONAL,                                                              \
	       "IPv4 identification, in records with an RST. Left out where the handshake was recalled from long "    \
	       "before the close.")                                                                                   \
	MEMBER("tcp.segments[].count", COUNT, OPTIONAL,                                                               \
	       "How many segments are folded into this entry, if more than one.")                                     \
	MEMBER("tcp.segments[].copy", BOOL, OPTIONAL, "A retransmission. Only if true.")                              \
	MEMBER("tcp.segments[].ignored", BOOL, OPTIONAL, "Its receiver would not act on it. Only if true.")           \
	FIELD("observer.netns.name", "netns_name", TEXT, OPTIONAL, r->netns,                                          \
	      "With --netns: the network namespace of the interface, by its name or the lowest number of a process "  \
	      "in it.")                                                                                               \
	FIELD("observer.netns.inode", "netns_inode", NUMBER, OPTIONAL, number_if(r->netns, r->netns_inode),           \
	      "With --netns: its inode number, as in process.netns.")                                                 \
	RECORD_CGROUP_FIELDS(FIELD, MEMBER, "source", &r->socket[SOURCE])                                             \
	RECORD_CGROUP_FIELDS(FIELD, MEMBER, "destination", &r->socket[DESTINATION])                                   \
	MEMBER("tcp.mtu_black_hole", OBJECT, OPTIONAL,                                                                \
	       "The path swallowed large segments: those of one size were sent again and again without an answer, "   \
	       "while smaller ones passed and the receiver was alive. Left out where none were. Of captures, and "    \
	       "live with --all-segments; else of what a socket of this host sent before the other end's FIN came.")  \
	FIELD("tcp.mtu_black_hole.sender", "mtu_black_hole_sender", WORD, OPTIONAL,                                   \
	      word_if(r->mtu_black_hole.bytes, role_name(r->mtu_black_hole.sender)),                                  \
	      "Whose segments they were: source or destination.")                                                     \
	FIELD("tcp.mtu_black_hole.bytes", "mtu_black_hole_bytes", BYTES, OPTIONAL,                                    \
	      number_if(r->mtu_black_hole.bytes, r->mtu_black_hole.bytes), "Payload of such a segment.")              \
	FIELD("tcp.mtu_black_hole.retransmits", "mtu_black_hole_retransmits", COUNT, OPTIONAL,                        \
	      number_if(r->mtu_black_hole.bytes, r->mtu_black_hole.retransmits), "How often it was sent again.")      \
	FIELD("tcp.mtu_black_hole.passed", "mtu_black_hole_passed", BYTES, OPTIONAL_NULLABLE,                         \
	      number_if(r->mtu_black_hole.passed, r->mtu_black_hole.passed),                                          \
	      "Payload of the smaller segment that carried the same data at last and was acknowledged. Null where "   \
	      "none was.")                                                                                            \
	FIELD("destination.listener.unit", "destination_listener_unit", TEXT, OPTIONAL, r->listener.unit,             \
	      "The systemd unit of that process.")

#endif
