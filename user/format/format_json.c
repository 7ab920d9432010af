// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One record as one line of JSON, shaped after the Elastic Common Schema. The order of the fields is fixed.
 *
 * What was not seen is null; members for rare cases ("copy", "ttl_differs", ...) are there only if true. Text from
 * outside is escaped; the contract's own words need no escape. tcpfin-trace-record(5) describes every member.
 */
#include "user/format/format.h"

#include <string.h>

#include "user/format/format_parts.h"
#include "user/record/community_id.h"
#include "user/record/record_fields.h"

/* Appends a string constant. */
#define LITERAL(out, text) buffer_bytes(out, "" text "", sizeof(text) - 1)

/* One of the contract's words, or null. */
static void json_word(struct buffer *out, const char *word)
{
	size_t len;
	char *p;

	if (!word) {
		LITERAL(out, "null");
		return;
	}
	len = strlen(word);
	p = buffer_room(out, len + 2);
	p[0] = '"';
	memcpy(p + 1, word, len);
	p[len + 1] = '"';
	out->len += len + 2;
}

/* A number; null for NUMBER_UNSEEN and TIMING_UNSEEN. */
static void json_number(struct buffer *out, int64_t n)
{
	if (n < 0)
		LITERAL(out, "null");
	else
		buffer_unsigned(out, n);
}

static void json_bool(struct buffer *out, bool b)
{
	if (b)
		LITERAL(out, "true");
	else
		LITERAL(out, "false");
}

/* Appends a copy of what stands at `from` in the buffer. */
static void json_again(struct buffer *out, size_t from, size_t len)
{
	char *p = buffer_room(out, len);

	memcpy(p, out->data + from, len);
	out->len += len;
}

static void json_event(struct buffer *out, const struct record *r)
{
	size_t finish, len;

	LITERAL(out, "{\"@timestamp\":\"");
	finish = out->len;
	format_time(out, r->finish);
	len = out->len - finish;
	LITERAL(out, "\",\"event\":{\"dataset\":\"");
	buffer_text(out, record_dataset(r));
	LITERAL(out, "\",\"kind\":\"" RECORD_KIND "\",\"category\":[\"" RECORD_CATEGORY "\"],\"type\":[\"" RECORD_TYPE
		     "\",\"");
	buffer_text(out, record_type(r));
	LITERAL(out, "\"],\"id\":\"");
	buffer_text(out, r->id);
	LITERAL(out, "\",\"start\":\"");
	format_time(out, r->start);
	LITERAL(out, "\",\"end\":\"");
	json_again(out, finish, len);
	LITERAL(out, "\",\"duration\":");
	buffer_unsigned(out, record_duration(r));
	buffer_char(out, '}');
}

/* The interface's network namespace, where one was asked for. */
static void json_netns(struct buffer *out, const struct record *r)
{
	if (!r->netns)
		return;
	LITERAL(out, ",\"netns\":{\"name\":");
	buffer_json_string(out, r->netns);
	LITERAL(out, ",\"inode\":");
	buffer_unsigned(out, r->netns_inode);
	buffer_char(out, '}');
}

/* Which program told it, on which host, of which interface. */
static void json_observer(struct buffer *out, const struct record *r)
{
	LITERAL(out, ",\"ecs\":{\"version\":\"" RECORD_ECS "\"},\"agent\":{\"type\":\"" RECORD_AGENT
		     "\",\"version\":\"" TCPFIN_VERSION "\"}");
	if (r->host) {
		LITERAL(out, ",\"host\":{\"name\":");
		buffer_json_string(out, r->host);
		buffer_char(out, '}');
	}
	if (r->interfaces[0]) {
		LITERAL(out, ",\"observer\":{\"ingress\":{\"interface\":{\"name\":");
		buffer_json_string(out, r->interfaces[0]);
		LITERAL(out, "}}");
		json_netns(out, r);
		buffer_char(out, '}');
	}
}

static void json_tunnel(struct buffer *out, const struct record *r)
{
	LITERAL(out, ",\"tunnel\":{\"type\":\"");
	buffer_text(out, tunnel_name(r->tunnel));
	LITERAL(out, "\",\"id\":");
	if (r->tunnel_id >= 0)
		buffer_unsigned(out, (uint64_t)r->tunnel_id);
	else
		LITERAL(out, "null");
	buffer_char(out, '}');
}

static void json_network(struct buffer *out, const struct record *r)
{
	char id[COMMUNITY_ID_SIZE];

	LITERAL(out, ",\"network\":{\"transport\":\"tcp\",\"type\":\"ipv");
	buffer_unsigned(out, r->family);
	buffer_char(out, '"');
	if (r->vlan[0] >= 0) {
		LITERAL(out, ",\"vlan\":[");
		buffer_unsigned(out, r->vlan[0]);
		if (r->vlan[1] >= 0) {
			buffer_char(out, ',');
			buffer_unsigned(out, r->vlan[1]);
		}
		buffer_char(out, ']');
	}
	if (r->tunnel)
		json_tunnel(out, r);
	LITERAL(out, ",\"community_id\":\"");
	community_id(id, r->family, r->end);
	buffer_text(out, id);
	buffer_char(out, '"');
	if (r->direction) {
		LITERAL(out, ",\"direction\":");
		json_word(out, direction_name(r->direction));
	}
	buffer_char(out, '}');
}

/* A name from outside with what comes before it; nothing where it is not known. */
static void json_name(struct buffer *out, const char *before, const char *name)
{
	if (!name)
		return;
	buffer_text(out, before);
	buffer_json_string(out, name);
}

static void json_container(struct buffer *out, const struct cgroup_names *names)
{
	if (names->container) {
		json_name(out, ",\"container\":{\"id\":", names->container);
		buffer_char(out, '}');
	}
	if (names->pod) {
		json_name(out, ",\"orchestrator\":{\"pod\":{\"uid\":", names->pod);
		LITERAL(out, "}}");
	}
}

/* Who closed: members are null where the kernel did. Without a close there is no such object. */
static void json_process(struct buffer *out, const struct record_socket *s)
{
	const struct record_process *closer = socket_closer(s);

	if (s->how == HOW_UNKNOWN)
		return;
	LITERAL(out, ",\"process\":{\"pid\":");
	json_number(out, closer ? (int64_t)closer->pid : NUMBER_UNSEEN);
	LITERAL(out, ",\"name\":");
	if (closer)
		buffer_json_string(out, closer->name);
	else
		LITERAL(out, "null");
	if (closer)
		json_name(out, ",\"unit\":", s->names.unit);
	LITERAL(out, ",\"uid\":");
	json_number(out, closer ? (int64_t)closer->uid : NUMBER_UNSEEN);
	LITERAL(out, ",\"cgroup\":");
	json_number(out, closer ? (int64_t)s->cgroup : NUMBER_UNSEEN);
	LITERAL(out, ",\"netns\":");
	buffer_unsigned(out, s->netns);
	LITERAL(out, ",\"how\":");
	json_word(out, how_name(s->how));
	buffer_char(out, '}');
}

/* One of those who held the socket when the watch began, and how many they were. */
static void json_holder(struct buffer *out, const struct record_socket *s)
{
	const struct record_process *holder = socket_holder(s);

	if (!holder)
		return;
	LITERAL(out, ",\"holder\":{\"pid\":");
	buffer_unsigned(out, holder->pid);
	LITERAL(out, ",\"name\":");
	buffer_json_string(out, holder->name);
	json_name(out, ",\"unit\":", s->names.unit);
	LITERAL(out, ",\"uid\":");
	buffer_unsigned(out, holder->uid);
	LITERAL(out, ",\"holders\":");
	buffer_unsigned(out, holder->holders);
	buffer_char(out, '}');
}

static void json_socket(struct buffer *out, const struct record_socket *s)
{
	if (!s->known)
		return;
	LITERAL(out, ",\"socket\":{\"unread_bytes\":");
	json_number(out, s->unread_bytes);
	LITERAL(out, ",\"unsent_bytes\":");
	json_number(out, s->unsent_bytes);
	LITERAL(out, ",\"close_to_fin\":");
	json_number(out, s->close_to_fin);
	LITERAL(out, ",\"peer_fin_to_close\":");
	json_number(out, s->peer_fin_to_close);
	LITERAL(out, ",\"srtt\":");
	json_number(out, s->srtt);
	LITERAL(out, ",\"retransmits\":");
	buffer_unsigned(out, s->retransmits);
	LITERAL(out, ",\"reset_received\":");
	json_number(out, s->reset_received);
	if (!socket_process(s))
		json_name(out, ",\"unit\":", s->names.unit);
	if (s->lost)
		LITERAL(out, ",\"lost\":true");
	LITERAL(out, ",\"states\":[");
	for (unsigned i = 0; i < s->step_count; i++) {
		buffer_text(out, i ? ",{\"t\":" : "{\"t\":");
		buffer_signed(out, s->steps[i].t);
		LITERAL(out, ",\"state\":");
		json_word(out, state_name(s->steps[i].state));
		buffer_char(out, '}');
	}
	LITERAL(out, "]}");
}

static void json_listener(struct buffer *out, const struct record *r)
{
	const struct record_listener *l = &r->listener;

	if (!l->state)
		return;
	LITERAL(out, ",\"listener\":{\"state\":");
	json_word(out, listener_state_name(l->state));
	LITERAL(out, ",\"t\":");
	buffer_signed(out, l->t);
	if (record_has_listener(r)) {
		LITERAL(out, ",\"queue\":");
		buffer_unsigned(out, l->queue);
		LITERAL(out, ",\"backlog\":");
		buffer_unsigned(out, l->backlog);
		LITERAL(out, ",\"uid\":");
		buffer_unsigned(out, l->uid);
	}
	if (l->pid) {
		LITERAL(out, ",\"pid\":");
		buffer_unsigned(out, l->pid);
		LITERAL(out, ",\"name\":");
		buffer_json_string(out, l->name);
	}
	json_name(out, ",\"unit\":", l->unit);
	buffer_char(out, '}');
}

/* An end with its address and port; the caller adds what else it has, and closes it. */
static void json_begin_end(struct buffer *out, const struct record *r, enum role role)
{
	LITERAL(out, ",\"");
	buffer_text(out, role_name(role));
	LITERAL(out, "\":{\"ip\":\"");
	format_address(out, r->family, r->end[role].ip);
	LITERAL(out, "\",\"port\":");
	buffer_unsigned(out, r->end[role].port);
}

static void json_end(struct buffer *out, const struct record *r, enum role role)
{
	json_begin_end(out, r, role);
	LITERAL(out, ",\"bytes\":");
	json_number(out, r->end[role].bytes);
	json_process(out, &r->socket[role]);
	json_holder(out, &r->socket[role]);
	json_container(out, &r->socket[role].names);
	json_socket(out, &r->socket[role]);
	if (role == DESTINATION)
		json_listener(out, r);
	buffer_char(out, '}');
}

static void json_verdict(struct buffer *out, const struct record *r)
{
	LITERAL(out, ",\"tcp\":{\"final\":");
	json_bool(out, r->final);
	LITERAL(out, ",\"outcome\":");
	json_word(out, outcome_name(r->outcome));
	LITERAL(out, ",\"pattern\":");
	json_word(out, pattern_name(r->pattern));
	LITERAL(out, ",\"closer\":");
	json_word(out, role_or_unknown(r->closer));
	LITERAL(out, ",\"time_wait\":");
	json_word(out, role_name(r->time_wait));
	LITERAL(out, ",\"state\":{\"source\":");
	json_word(out, state_name(r->end[SOURCE].state));
	LITERAL(out, ",\"destination\":");
	json_word(out, state_name(r->end[DESTINATION].state));
	LITERAL(out, "},\"missing\":");
	json_word(out, missing_name(r->missing));
}

static void json_reset(struct buffer *out, const struct record *r)
{
	bool seen = r->reset.by != NOBODY;

	LITERAL(out, ",\"reset\":{\"by\":");
	json_word(out, role_name(r->reset.by));
	LITERAL(out, ",\"phase\":");
	json_word(out, seen ? phase_name(r->reset.phase) : NULL);
	LITERAL(out, ",\"validity\":");
	json_word(out, seen ? validity_name(r->reset.validity) : NULL);
	LITERAL(out, ",\"forged\":");
	if (!seen || r->reset.forged == UNTOLD)
		LITERAL(out, "null");
	else
		json_bool(out, r->reset.forged == YES);
	if (r->reset.reason) {
		LITERAL(out, ",\"reason\":");
		buffer_json_string(out, r->reset.reason);
	}
	if (seen && mptcp_name(r->reset.mptcp)) {
		LITERAL(out, ",\"mptcp\":");
		json_word(out, mptcp_name(r->reset.mptcp));
	}
	if (seen && r->reset.ttl_differs)
		LITERAL(out, ",\"ttl_differs\":true");
	LITERAL(out, "},\"basis\":{\"reset\":");
	json_word(out, basis_name(r->basis_reset));
	LITERAL(out, ",\"fin\":");
	json_word(out, basis_name(r->basis_fin));
	LITERAL(out, "},\"late_reset\":");
	json_bool(out, r->late_reset);
}

static void json_timing(struct buffer *out, const struct record *r)
{
	int t;

	LITERAL(out, ",\"timing\":{");
	for (t = 0; t < TIMINGS; t++) {
		if (t)
			buffer_char(out, ',');
		json_word(out, timing_name(t));
		buffer_char(out, ':');
		json_number(out, r->timing[t]);
	}
	buffer_char(out, '}');
}

static void json_counts(struct buffer *out, const struct record *r)
{
	LITERAL(out, ",\"retransmits\":{\"syn\":");
	buffer_unsigned(out, r->syn_retransmits);
	LITERAL(out, ",\"syn_ack\":");
	buffer_unsigned(out, r->synack_retransmits);
	LITERAL(out, ",\"fin_source\":");
	buffer_unsigned(out, r->end[SOURCE].fin_retransmits);
	LITERAL(out, ",\"fin_destination\":");
	buffer_unsigned(out, r->end[DESTINATION].fin_retransmits);
	LITERAL(out, "},\"handshake\":{\"challenge_acks\":");
	buffer_unsigned(out, r->challenge_acks);
	LITERAL(out, "},\"captured_twice\":");
	buffer_unsigned(out, r->captured_twice);
	LITERAL(out, ",\"clock_jumps\":");
	buffer_unsigned(out, r->clock_jumps);
	LITERAL(out, ",\"half_closed_bytes\":");
	json_number(out, r->half_closed_bytes);
	LITERAL(out, ",\"window_scale\":{\"source\":");
	json_number(out, r->end[SOURCE].wscale);
	LITERAL(out, ",\"destination\":");
	json_number(out, r->end[DESTINATION].wscale);
	LITERAL(out, "},\"isn\":{\"source\":");
	json_number(out, r->isn[SOURCE]);
	LITERAL(out, ",\"destination\":");
	json_number(out, r->isn[DESTINATION]);
	LITERAL(out, "},\"silence\":");
	json_number(out, r->silence);
	LITERAL(out, ",\"silence_at_most\":");
	json_bool(out, r->silence_at_most);
	LITERAL(out, ",\"completeness\":");
	buffer_unsigned(out, r->completeness);
	LITERAL(out, ",\"conn_state\":");
	json_word(out, r->conn_state);
	LITERAL(out, ",\"history\":");
	json_word(out, r->history);
	LITERAL(out, ",\"midstream\":");
	json_bool(out, r->midstream);
}

static void json_icmp(struct buffer *out, const struct record *r)
{
	LITERAL(out, ",\"icmp\":{\"type\":");
	buffer_unsigned(out, r->icmp.type);
	LITERAL(out, ",\"code\":");
	buffer_unsigned(out, r->icmp.code);
	LITERAL(out, ",\"by\":\"");
	format_address(out, r->family, r->icmp.by);
	LITERAL(out, "\"}");
}

static void json_black_hole(struct buffer *out, const struct record *r)
{
	LITERAL(out, ",\"mtu_black_hole\":{\"sender\":");
	json_word(out, role_name(r->mtu_black_hole.sender));
	LITERAL(out, ",\"bytes\":");
	buffer_unsigned(out, r->mtu_black_hole.bytes);
	LITERAL(out, ",\"retransmits\":");
	buffer_unsigned(out, r->mtu_black_hole.retransmits);
	LITERAL(out, ",\"passed\":");
	json_number(out, r->mtu_black_hole.passed ? (int64_t)r->mtu_black_hole.passed : NUMBER_UNSEEN);
	buffer_char(out, '}');
}

static void json_interfaces(struct buffer *out, const struct record *r)
{
	if (!record_has_interfaces(r))
		return;
	for (unsigned i = 0; i < RECORD_INTERFACES && r->interfaces[i]; i++) {
		buffer_text(out, i ? "," : ",\"interfaces\":[");
		buffer_json_string(out, r->interfaces[i]);
	}
	buffer_char(out, ']');
}

static void json_related(struct buffer *out, const struct record *r)
{
	for (unsigned i = 0; i < r->related_count; i++) {
		buffer_text(out, i ? ",\"" : ",\"related\":[\"");
		buffer_text(out, r->related[i].id);
		buffer_char(out, '"');
	}
	if (r->related_count)
		buffer_char(out, ']');
}

/* What the verdict rests on, and how far it can be trusted. */
static void json_evidence(struct buffer *out, const struct record *r)
{
	LITERAL(out, ",\"evidence\":{\"fin\":");
	json_number(out, r->evidence[EVIDENCE_FIN]);
	LITERAL(out, ",\"fin_ack\":");
	json_number(out, r->evidence[EVIDENCE_FIN_ACK]);
	LITERAL(out, ",\"peer_fin\":");
	json_number(out, r->evidence[EVIDENCE_PEER_FIN]);
	LITERAL(out, ",\"peer_fin_ack\":");
	json_number(out, r->evidence[EVIDENCE_PEER_FIN_ACK]);
	LITERAL(out, ",\"reset\":");
	json_number(out, r->evidence[EVIDENCE_RESET]);
	LITERAL(out, "},\"fin_original\":{\"source\":");
	json_bool(out, r->fin_original[SOURCE]);
	LITERAL(out, ",\"destination\":");
	json_bool(out, r->fin_original[DESTINATION]);
	LITERAL(out, "},\"resets_ignored\":");
	buffer_unsigned(out, r->reset.ignored);
	if (r->icmp.known)
		json_icmp(out, r);
	if (r->mtu_black_hole.bytes)
		json_black_hole(out, r);
	json_related(out, r);
	json_interfaces(out, r);
	if (r->bytes_approximate)
		LITERAL(out, ",\"bytes_approximate\":true");
}

static void json_runs(struct buffer *out, const struct record_traffic *t)
{
	char flags[10];
	unsigned i;

	LITERAL(out, ",\"flags\":[");
	for (i = 0; i < t->run_count; i++) {
		if (i)
			buffer_char(out, ',');
		buffer_char(out, '[');
		json_word(out, flags_text(t->run[i].flags, flags));
		buffer_char(out, ',');
		buffer_unsigned(out, t->run[i].count);
		buffer_char(out, ']');
	}
	LITERAL(out, "],\"flags_lost\":");
	buffer_unsigned(out, t->runs_lost);
}

static void json_traffic_end(struct buffer *out, const struct record_traffic *t)
{
	LITERAL(out, "{\"packets\":");
	buffer_unsigned(out, t->packets);
	LITERAL(out, ",\"bytes\":");
	buffer_unsigned(out, t->bytes);
	LITERAL(out, ",\"retransmits\":");
	buffer_unsigned(out, t->retransmits);
	LITERAL(out, ",\"retransmitted_bytes\":");
	buffer_unsigned(out, t->retransmitted_bytes);
	LITERAL(out, ",\"last_data\":");
	json_number(out, t->last_data);
	json_runs(out, t);
	buffer_char(out, '}');
}

/* What --all-segments counted. */
static void json_traffic(struct buffer *out, const struct record *r)
{
	if (!r->counted)
		return;
	LITERAL(out, ",\"traffic\":{\"source\":");
	json_traffic_end(out, &r->traffic[SOURCE]);
	LITERAL(out, ",\"destination\":");
	json_traffic_end(out, &r->traffic[DESTINATION]);
	LITERAL(out, ",\"idle\":");
	json_number(out, r->idle);
	buffer_char(out, '}');
}

/*
 * In records with an RST, and of ignored segments: what another box in the path would have set otherwise than the
 * alleged sender.
 */
static void json_ip_header(struct buffer *out, const struct record *r, const struct record_segment *s)
{
	if (r->reset.by == NOBODY && !(s->mark & SEGMENT_IGNORED))
		return;
	LITERAL(out, ",\"ttl\":");
	buffer_unsigned(out, s->ttl);
	if (r->family == 6 || s->mark & SEGMENT_RECALLED)
		return;
	LITERAL(out, ",\"ip_id\":");
	buffer_unsigned(out, s->ip_id);
}

static void json_segment(struct buffer *out, const struct record *r, const struct record_segment *s)
{
	char flags[10];

	LITERAL(out, "{\"t\":");
	if (s->mark & SEGMENT_JUMPED)
		LITERAL(out, "null");
	else
		buffer_unsigned(out, s->t);
	LITERAL(out, ",\"from\":");
	json_word(out, role_name(s->from));
	LITERAL(out, ",\"flags\":");
	json_word(out, flags_text(s->flags, flags));
	LITERAL(out, ",\"seq\":");
	buffer_unsigned(out, s->seq);
	LITERAL(out, ",\"ack\":");
	buffer_unsigned(out, s->ack);
	LITERAL(out, ",\"raw_seq\":");
	buffer_unsigned(out, s->raw_seq);
	LITERAL(out, ",\"raw_ack\":");
	buffer_unsigned(out, s->raw_ack);
	LITERAL(out, ",\"len\":");
	buffer_unsigned(out, s->len);
	LITERAL(out, ",\"win\":");
	buffer_unsigned(out, s->win);
	json_ip_header(out, r, s);
	if (s->count > 1) {
		LITERAL(out, ",\"count\":");
		buffer_unsigned(out, s->count);
	}
	if (s->mark & SEGMENT_COPY)
		LITERAL(out, ",\"copy\":true");
	if (s->mark & SEGMENT_IGNORED)
		LITERAL(out, ",\"ignored\":true");
	buffer_char(out, '}');
}

static void json_segments(struct buffer *out, const struct record *r)
{
	unsigned i;

	LITERAL(out, ",\"segments\":[");
	for (i = 0; i < r->segment_count; i++) {
		if (i)
			buffer_char(out, ',');
		json_segment(out, r, &r->segments[i]);
	}
	LITERAL(out, "],\"segments_lost\":");
	buffer_unsigned(out, r->segments_lost);
}

static void json_stray_segment(struct buffer *out, const struct record *r)
{
	const struct record_segment *s = record_stray_segment(r);
	char flags[10];

	LITERAL(out, ",\"tcp\":{\"flags\":");
	json_word(out, flags_text(s->flags, flags));
	LITERAL(out, ",\"seq\":");
	buffer_unsigned(out, s->raw_seq);
	LITERAL(out, ",\"ack\":");
	buffer_unsigned(out, s->raw_ack);
	LITERAL(out, ",\"len\":");
	buffer_unsigned(out, s->len);
	LITERAL(out, ",\"win\":");
	buffer_unsigned(out, s->win);
	LITERAL(out, ",\"ttl\":");
	buffer_unsigned(out, s->ttl);
	if (r->family == 4) {
		LITERAL(out, ",\"ip_id\":");
		buffer_unsigned(out, s->ip_id);
	}
}

/* A segment of no connection: an object of its own kind. */
static void format_json_stray(struct buffer *out, const struct record *r)
{
	json_event(out, r);
	json_observer(out, r);
	json_network(out, r);
	for (enum role role = SOURCE; role <= DESTINATION; role++) {
		json_begin_end(out, r, role);
		buffer_char(out, '}');
	}
	json_stray_segment(out, r);
	if (r->reset.reason) {
		LITERAL(out, ",\"reset\":{\"reason\":");
		buffer_json_string(out, r->reset.reason);
		buffer_char(out, '}');
	}
	json_interfaces(out, r);
	json_related(out, r);
	LITERAL(out, "}}\n");
}

void format_json(struct buffer *out, const struct record *r)
{
	if (r->stray) {
		format_json_stray(out, r);
		return;
	}
	json_event(out, r);
	json_observer(out, r);
	json_network(out, r);
	json_end(out, r, SOURCE);
	json_end(out, r, DESTINATION);
	json_verdict(out, r);
	json_reset(out, r);
	json_timing(out, r);
	json_counts(out, r);
	json_evidence(out, r);
	json_traffic(out, r);
	json_segments(out, r);
	LITERAL(out, "}}\n");
}
