// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One record as one line of CSV (RFC 4180: a header, lines end in CR LF), from one list of columns that makes both the
 * header and the lines.
 *
 * A column is called as its JSON field, with the name of the innermost object in front: tcp_outcome,
 * timing_fin_to_ack, source_ip; where both ends have such an object, the end's name, too. Empty means null. Times of day are RFC 3339 in UTC, durations ns. The segments are
 * there as tcp_flags, the sequence that the text format shows.
 */
#include "user/format/format.h"

#include "user/format/format_parts.h"
#include "user/record/community_id.h"

static void csv_word(struct buffer *out, const char *word)
{
	if (word)
		buffer_text(out, word);
}

/* Text from outside, quoted whatever it holds. */
static void csv_quoted(struct buffer *out, const char *text)
{
	struct buffer printable = {0};
	size_t i;

	if (!text)
		return;
	buffer_printable(&printable, text);
	buffer_char(out, '"');
	for (i = 0; i < printable.len; i++) {
		if (printable.data[i] == '"')
			buffer_char(out, '"');
		buffer_char(out, printable.data[i]);
	}
	buffer_char(out, '"');
	buffer_free(&printable);
}

static void csv_number(struct buffer *out, int64_t n)
{
	if (n >= 0)
		buffer_unsigned(out, n);
}

static void csv_if(struct buffer *out, bool known, uint64_t n)
{
	if (known)
		buffer_unsigned(out, n);
}

/* Of a socket whose changes were seen. */
static void csv_socket(struct buffer *out, const struct record_socket *s, int64_t n)
{
	if (s->known)
		csv_number(out, n);
}

static void csv_bool(struct buffer *out, bool b)
{
	buffer_text(out, b ? "true" : "false");
}

static void csv_community_id(struct buffer *out, const struct record *r)
{
	char id[COMMUNITY_ID_SIZE];

	community_id(id, r->family, r->end);
	buffer_text(out, id);
}

static void csv_duration(struct buffer *out, const struct record *r)
{
	buffer_unsigned(out, r->finish > r->start ? r->finish - r->start : 0);
}

static void csv_closer(struct buffer *out, const struct record *r)
{
	const char *closer = role_name(r->closer);

	buffer_text(out, closer ? closer : "unknown");
}

#define HOLDER(s, field) (socket_holder(s) ? (int64_t)(s)->process.field : NUMBER_UNSEEN)

/* Those of one end's socket. */
#define SOCKET_COLUMNS(COLUMN, end, s)                                                            \
	COLUMN(end "_process_pid", csv_if(out, socket_closer(s), (s)->process.pid))               \
	COLUMN(end "_process_name", csv_quoted(out, socket_closer(s) ? (s)->process.name : NULL)) \
	COLUMN(end "_process_uid", csv_if(out, socket_closer(s), (s)->process.uid))               \
	COLUMN(end "_process_cgroup", csv_if(out, socket_closer(s), (s)->cgroup))                 \
	COLUMN(end "_process_netns", csv_if(out, (s)->how != HOW_UNKNOWN, (s)->netns))            \
	COLUMN(end "_process_how", csv_word(out, how_name((s)->how)))                             \
	COLUMN(end "_holder_pid", csv_number(out, HOLDER(s, pid)))                                \
	COLUMN(end "_holder_name", csv_quoted(out, socket_holder(s) ? (s)->process.name : NULL))  \
	COLUMN(end "_holder_uid", csv_number(out, HOLDER(s, uid)))                                \
	COLUMN(end "_holder_holders", csv_number(out, HOLDER(s, holders)))                        \
	COLUMN(end "_socket_unread_bytes", csv_socket(out, s, (s)->unread_bytes))                 \
	COLUMN(end "_socket_unsent_bytes", csv_socket(out, s, (s)->unsent_bytes))                 \
	COLUMN(end "_socket_close_to_fin", csv_socket(out, s, (s)->close_to_fin))                 \
	COLUMN(end "_socket_peer_fin_to_close", csv_socket(out, s, (s)->peer_fin_to_close))       \
	COLUMN(end "_socket_srtt", csv_socket(out, s, (s)->srtt))                                 \
	COLUMN(end "_socket_retransmits", csv_socket(out, s, (s)->retransmits))                   \
	COLUMN(end "_socket_reset_received", csv_socket(out, s, (s)->reset_received))

/* Every column: its name, and what appends it to `out` from the record `r`. New ones go to the end. */
#define COLUMNS(COLUMN)                                                                                         \
	COLUMN("timestamp", format_time(out, r->finish))                                                        \
	COLUMN("event_start", format_time(out, r->start))                                                       \
	COLUMN("event_end", format_time(out, r->finish))                                                        \
	COLUMN("event_duration", csv_duration(out, r))                                                          \
	COLUMN("observer_interface", csv_quoted(out, r->interface))                                             \
	COLUMN("network_type", buffer_text(out, r->family == 4 ? "ipv4" : "ipv6"))                              \
	COLUMN("network_vlan_outer", csv_number(out, r->vlan[0]))                                               \
	COLUMN("network_vlan_inner", csv_number(out, r->vlan[1]))                                               \
	COLUMN("network_community_id", csv_community_id(out, r))                                                \
	COLUMN("source_ip", format_address(out, r->family, r->end[SOURCE].ip))                                  \
	COLUMN("source_port", buffer_unsigned(out, r->end[SOURCE].port))                                        \
	COLUMN("source_bytes", csv_number(out, r->end[SOURCE].bytes))                                           \
	COLUMN("destination_ip", format_address(out, r->family, r->end[DESTINATION].ip))                        \
	COLUMN("destination_port", buffer_unsigned(out, r->end[DESTINATION].port))                              \
	COLUMN("destination_bytes", csv_number(out, r->end[DESTINATION].bytes))                                 \
	COLUMN("tcp_outcome", csv_word(out, outcome_name(r->outcome)))                                          \
	COLUMN("tcp_pattern", csv_word(out, pattern_name(r->pattern)))                                          \
	COLUMN("tcp_closer", csv_closer(out, r))                                                                \
	COLUMN("tcp_time_wait", csv_word(out, role_name(r->time_wait)))                                         \
	COLUMN("state_source", csv_word(out, state_name(r->end[SOURCE].state)))                                 \
	COLUMN("state_destination", csv_word(out, state_name(r->end[DESTINATION].state)))                       \
	COLUMN("tcp_missing", csv_word(out, missing_name(r->missing)))                                          \
	COLUMN("reset_by", csv_word(out, role_name(r->reset.by)))                                               \
	COLUMN("reset_phase", csv_word(out, RESET_SEEN(r) ? phase_name(r->reset.phase) : NULL))                 \
	COLUMN("reset_validity", csv_word(out, RESET_SEEN(r) ? validity_name(r->reset.validity) : NULL))        \
	COLUMN("reset_mptcp", csv_word(out, RESET_SEEN(r) ? mptcp_name(r->reset.mptcp) : NULL))                 \
	COLUMN("reset_ttl_differs", csv_bool(out, RESET_SEEN(r) && r->reset.ttl_differs))                       \
	COLUMN("tcp_late_reset", csv_bool(out, r->late_reset))                                                  \
	COLUMN("timing_syn_to_synack", csv_number(out, r->timing[T_SYN_TO_SYNACK]))                             \
	COLUMN("timing_synack_to_ack", csv_number(out, r->timing[T_SYNACK_TO_ACK]))                             \
	COLUMN("timing_initial_rtt", csv_number(out, r->timing[T_INITIAL_RTT]))                                 \
	COLUMN("timing_fin_to_ack", csv_number(out, r->timing[T_FIN_TO_ACK]))                                   \
	COLUMN("timing_half_closed", csv_number(out, r->timing[T_HALF_CLOSED]))                                 \
	COLUMN("timing_peer_fin_to_ack", csv_number(out, r->timing[T_PEER_FIN_TO_ACK]))                         \
	COLUMN("timing_close", csv_number(out, r->timing[T_CLOSE]))                                             \
	COLUMN("timing_lifetime", csv_number(out, r->timing[T_LIFETIME]))                                       \
	COLUMN("retransmits_syn", buffer_unsigned(out, r->syn_retransmits))                                     \
	COLUMN("retransmits_syn_ack", buffer_unsigned(out, r->synack_retransmits))                              \
	COLUMN("retransmits_fin_source", buffer_unsigned(out, r->end[SOURCE].fin_retransmits))                  \
	COLUMN("retransmits_fin_destination", buffer_unsigned(out, r->end[DESTINATION].fin_retransmits))        \
	COLUMN("tcp_half_closed_bytes", csv_number(out, r->half_closed_bytes))                                  \
	COLUMN("window_scale_source", csv_number(out, r->end[SOURCE].wscale))                                   \
	COLUMN("window_scale_destination", csv_number(out, r->end[DESTINATION].wscale))                         \
	COLUMN("tcp_completeness", buffer_unsigned(out, r->completeness))                                       \
	COLUMN("tcp_conn_state", csv_word(out, r->conn_state))                                                  \
	COLUMN("tcp_history", buffer_text(out, r->history))                                                     \
	COLUMN("tcp_midstream", csv_bool(out, r->midstream))                                                    \
	COLUMN("fin_original_source", csv_bool(out, r->fin_original[SOURCE]))                                   \
	COLUMN("fin_original_destination", csv_bool(out, r->fin_original[DESTINATION]))                         \
	COLUMN("tcp_resets_ignored", buffer_unsigned(out, r->reset.ignored))                                    \
	COLUMN("tcp_bytes_approximate", csv_bool(out, r->bytes_approximate))                                    \
	COLUMN("tcp_flags", format_flags(out, r))                                                               \
	COLUMN("tcp_segments_lost", buffer_unsigned(out, r->segments_lost))                                     \
	COLUMN("traffic_source_packets", csv_if(out, r->counted, r->traffic[SOURCE].packets))                   \
	COLUMN("traffic_source_bytes", csv_if(out, r->counted, r->traffic[SOURCE].bytes))                       \
	COLUMN("traffic_source_retransmits", csv_if(out, r->counted, r->traffic[SOURCE].retransmits))           \
	COLUMN("traffic_destination_packets", csv_if(out, r->counted, r->traffic[DESTINATION].packets))         \
	COLUMN("traffic_destination_bytes", csv_if(out, r->counted, r->traffic[DESTINATION].bytes))             \
	COLUMN("traffic_destination_retransmits", csv_if(out, r->counted, r->traffic[DESTINATION].retransmits)) \
	COLUMN("traffic_idle", csv_number(out, r->counted ? r->idle : NUMBER_UNSEEN))                           \
	COLUMN("reset_reason", csv_quoted(out, r->reset.reason))                                                \
	SOCKET_COLUMNS(COLUMN, "source", &r->socket[SOURCE])                                                    \
	SOCKET_COLUMNS(COLUMN, "destination", &r->socket[DESTINATION])

#define RESET_SEEN(r) ((r)->reset.by != NOBODY)
#define HEADER_FIELD(name, append) buffer_text(out, name ",");
#define RECORD_FIELD(name, append) \
	append;                    \
	buffer_char(out, ',');

/* In place of the last field's comma. */
static void csv_end_line(struct buffer *out)
{
	out->len--;
	buffer_text(out, "\r\n");
}

void format_csv_header(struct buffer *out)
{
	COLUMNS(HEADER_FIELD)
	csv_end_line(out);
}

void format_csv(struct buffer *out, const struct record *r)
{
	COLUMNS(RECORD_FIELD)
	csv_end_line(out);
}
