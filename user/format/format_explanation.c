// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The verdict as a sentence: what was seen, in the order in which it happened, with its numbers.
 *
 * A clause is made only of what the record holds, so it has no number that was not seen: where a time or a segment is
 * missing, the clause does without it and is still a whole sentence. Clauses begin with their separator.
 */
#include <inttypes.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/format/duration.h"
#include "user/format/format.h"
#include "user/format/format_parts.h"

#define COPIES_SATURATED 255 /* of the core's counters: at least that many */

static const char *the(enum role role)
{
	return role == SOURCE ? "the source" : "the destination";
}

static bool is_side(enum role role)
{
	return role == SOURCE || role == DESTINATION;
}

/* The segment that shows a step of the close, or NULL. */
static const struct record_segment *evidence(const struct record *r, enum evidence_step step)
{
	int i = r->evidence[step];

	return i >= 0 && (unsigned)i < r->segment_count ? &r->segments[i] : NULL;
}

/* ---- small words ---- */

/* " 106us later"; nothing where the time was not seen. */
static void put_later(struct buffer *out, int64_t ns, const char *later)
{
	if (ns == 0)
		buffer_text(out, " at once");
	if (ns <= 0)
		return;
	buffer_char(out, ' ');
	buffer_duration(out, ns);
	buffer_printf(out, " %s", later);
}

/* ns from one segment to a later one; TIMING_UNSEEN where their time stamps are wrong or in the other order. */
static int64_t between(const struct record_segment *from, const struct record_segment *to)
{
	if ((from->mark | to->mark) & SEGMENT_JUMPED)
		return TIMING_UNSEEN;
	return to->t >= from->t ? (int64_t)(to->t - from->t) : TIMING_UNSEEN;
}

static void put_times(struct buffer *out, unsigned n)
{
	if (n == 1)
		buffer_text(out, " once");
	else if (n == 2)
		buffer_text(out, " twice");
	else
		buffer_printf(out, " %s%u times", n >= COPIES_SATURATED ? "at least " : "", n);
}

static void put_bytes(struct buffer *out, int64_t bytes)
{
	buffer_signed(out, bytes);
	buffer_text(out, bytes == 1 ? " byte" : " bytes");
}

static void put_seq(struct buffer *out, const struct record_segment *s)
{
	if (s)
		buffer_printf(out, " (seq %u)", s->seq);
}

/* ---- when a segment came ---- */

static uint32_t segment_next(const struct record_segment *s)
{
	return s->raw_seq + s->len + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
}

/* Is `number` the next sequence number of `from` after its listed segments before index i? */
static bool follows(const struct record *r, unsigned i, enum role from, uint32_t number)
{
	while (i--) {
		const struct record_segment *s = &r->segments[i];

		if (s->from == from && !(s->mark & SEGMENT_IGNORED))
			return segment_next(s) == number;
	}
	return false;
}

/* The segment before s, if the numbers show that none between the two was left out; else NULL. */
static const struct record_segment *heard_last(const struct record *r, const struct record_segment *s)
{
	unsigned i = s - r->segments;
	const struct record_segment *last = s - 1;

	if (!i || (last->mark | s->mark) & SEGMENT_JUMPED || last->count > 1 || (last->mark & SEGMENT_IGNORED) ||
	    last->t > s->t || !(s->flags & TCP_ACK))
		return NULL;
	if (!follows(r, i, s->from, s->raw_seq) || !follows(r, i, other_role(s->from), s->raw_ack))
		return NULL;
	return last;
}

static void put_came_after(struct buffer *out, int64_t ns)
{
	buffer_text(out, " came ");
	if (ns)
		buffer_duration(out, ns);
	else
		buffer_text(out, "right");
	buffer_text(out, " after ");
}

/* " came 126us after the source's last segment", or how far into the connection. False: neither is known. */
static bool put_came(struct buffer *out, const struct record *r, const struct record_segment *s)
{
	const struct record_segment *last = heard_last(r, s);

	if (last) {
		put_came_after(out, between(last, s));
		buffer_printf(out, "%s's last segment", the(last->from));
		return true;
	}
	if (r->midstream || s->t == 0 || s->mark & SEGMENT_JUMPED)
		return false;
	buffer_text(out, " came ");
	buffer_duration(out, s->t);
	buffer_text(out, " into the connection");
	return true;
}

/* ---- graceful ---- */

/* "closed by the source: its FIN (seq 3343) came 3m16s into the connection" */
static void put_first_fin(struct buffer *out, const struct record *r)
{
	const struct record_segment *fin = evidence(r, EVIDENCE_FIN);
	size_t clause;

	buffer_printf(out, "closed by %s", the(r->closer));
	if (!fin)
		return;
	clause = out->len;
	buffer_text(out, ": its FIN");
	put_seq(out, fin);
	if (put_came(out, r, fin))
		return;
	out->len = clause;
	buffer_text(out, " with its FIN");
	put_seq(out, fin);
}

/* How the other side answered the first FIN, up to the last ACK. */
static void put_second_half(struct buffer *out, const struct record *r)
{
	buffer_printf(out, "; %s ", the(other_role(r->closer)));
	if (r->pattern == PATTERN_THREE_WAY) {
		buffer_text(out, "answered with its own FIN in the same segment");
		put_later(out, r->timing[T_FIN_TO_ACK], "later");
	} else {
		buffer_printf(out, "acknowledged %s", evidence(r, EVIDENCE_FIN) ? "it" : "the FIN");
		put_later(out, r->timing[T_FIN_TO_ACK], "later");
		buffer_text(out, ", closed its own side");
		put_later(out, r->timing[T_HALF_CLOSED], "after that");
	}
	if (r->timing[T_PEER_FIN_TO_ACK] > 0) {
		buffer_text(out, ", and the last ACK took ");
		buffer_duration(out, r->timing[T_PEER_FIN_TO_ACK]);
	} else {
		buffer_text(out, ", and the last ACK came");
		put_later(out, r->timing[T_PEER_FIN_TO_ACK], "later");
	}
}

static void put_simultaneous(struct buffer *out, const struct record *r)
{
	int64_t first = r->timing[T_FIN_TO_ACK], second = r->timing[T_PEER_FIN_TO_ACK];

	buffer_text(out, "closed by both: both sides sent their FIN before they had the other's");
	if (first <= 0 || second <= 0)
		return;
	buffer_text(out, "; the ACKs took ");
	buffer_duration(out, first);
	buffer_text(out, " and ");
	buffer_duration(out, second);
}

static void put_graceful(struct buffer *out, const struct record *r)
{
	if (r->pattern == PATTERN_SIMULTANEOUS || r->closer == BOTH) {
		put_simultaneous(out, r);
	} else if (!is_side(r->closer)) {
		buffer_text(out, "closed: both FINs were acknowledged, but whose was the first was not seen");
	} else {
		put_first_fin(out, r);
		if (r->pattern == PATTERN_NONE)
			buffer_text(out, "; both FINs were acknowledged");
		else
			put_second_half(out, r);
	}
}

/* ---- resets ---- */

/* The last segment before s with these control flags that is no copy and was not ignored; or NULL. */
static const struct record_segment *last_before(const struct record *r, const struct record_segment *s, uint8_t flags)
{
	while (s-- > r->segments) {
		if ((s->flags & flags) == flags && !(s->mark & (SEGMENT_COPY | SEGMENT_IGNORED)))
			return s;
	}
	return NULL;
}

/* " came 3.00ms after the source's FIN": the step of the close or opening that the RST followed. */
static bool put_came_after_step(struct buffer *out, const struct record_segment *rst, const struct record_segment *step,
				const char *name)
{
	if (!step || step->t > rst->t)
		return false;
	put_came_after(out, between(step, rst));
	if (step->from == rst->from)
		buffer_printf(out, "its own %s", name);
	else
		buffer_printf(out, "%s's %s", the(step->from), name);
	return true;
}

/* Payload of `from` before the RST that the other side never acknowledged, where the listed segments show it. */
struct unacknowledged {
	int64_t bytes;
	bool exact; /* no folded segments in the sum: those may hold one byte twice */
};

static struct unacknowledged unacknowledged(const struct record *r, const struct record_segment *rst, enum role from)
{
	struct unacknowledged sum = {.exact = true};
	const struct record_segment *s;
	bool known = false;
	uint32_t ack = 0;

	for (s = r->segments; s <= rst; s++) {
		if (s->from == from || !(s->flags & TCP_ACK) || (s->mark & SEGMENT_IGNORED))
			continue;
		ack = known ? seq_max(ack, s->raw_ack) : s->raw_ack;
		known = true;
	}
	for (s = r->segments; s < rst && known; s++) {
		int64_t beyond = seq_diff(s->raw_seq + s->len, ack);

		if (s->from != from || !s->len || beyond <= 0 || (s->mark & (SEGMENT_COPY | SEGMENT_IGNORED)))
			continue;
		sum.bytes += beyond < s->len ? beyond : s->len;
		sum.exact &= s->count == 1;
	}
	return sum;
}

static void put_unacknowledged(struct buffer *out, const struct record *r, const struct record_segment *rst)
{
	enum role from = other_role(rst->from);
	struct unacknowledged u = unacknowledged(r, rst, from);

	if (!u.bytes)
		return;
	buffer_text(out, "; ");
	if (u.exact)
		put_bytes(out, u.bytes);
	else
		buffer_text(out, "data");
	buffer_printf(out, " from %s %s never acknowledged", the(from), u.exact && u.bytes != 1 ? "were" : "was");
}

static const char *phase_words(enum phase phase)
{
	static const char *const words[] = {
		[PHASE_NONE] = "",
		[PHASE_HANDSHAKE] = " during the handshake",
		[PHASE_ESTABLISHED] = " while the connection was established",
		[PHASE_HALF_CLOSED] = " while one side had closed",
		[PHASE_CLOSING] = " while both sides were closing",
		[PHASE_CLOSED] = " after the close",
	};

	return words[phase];
}

static const char *validity_words(enum reset_validity validity)
{
	static const char *const words[] = {
		[RESET_UNKNOWN] = "could not be checked against its receiver's numbers",
		[RESET_EXACT] = "had exactly the number that its receiver expected",
		[RESET_IN_WINDOW] = "had a number inside its receiver's window, but not the one expected",
		[RESET_OUT_OF_WINDOW] = "had a number outside its receiver's window",
	};

	return words[validity];
}

/* Has the side sent an RST behind the one that decides? */
static bool resets_from(const struct record *r, enum role role)
{
	const struct record_segment *s = evidence(r, EVIDENCE_RESET);

	while (s && ++s < r->segments + r->segment_count)
		if (s->flags & TCP_RST && s->from == role)
			return true;
	return false;
}

static void put_reset(struct buffer *out, const struct record *r)
{
	const struct record_segment *rst = evidence(r, EVIDENCE_RESET);

	if (!is_side(r->reset.by)) {
		buffer_printf(out, "reset%s, but by whom was not seen", phase_words(r->reset.phase));
		return;
	}
	buffer_printf(out, "reset %s %s%s: ", r->reset.forged == YES ? "in the name of" : "by", the(r->reset.by),
		      phase_words(r->reset.phase));
	buffer_text(out, r->reset.forged == YES ? "an RST" : "its RST");
	put_seq(out, rst);
	if (rst && (put_came_after_step(out, rst, last_before(r, rst, TCP_FIN), "FIN") || put_came(out, r, rst)))
		buffer_text(out, " and");
	buffer_printf(out, " %s", validity_words(r->reset.validity));
	if (rst)
		put_unacknowledged(out, r, rst);
}

/* Somebody else has sent the RST. */
static void put_forged(struct buffer *out, const struct record *r)
{
	if (r->reset.forged != YES || !is_side(r->reset.by))
		return;
	if (r->reset.reason && !strcmp(r->reset.reason, RECORD_PACKET_FILTER)) {
		buffer_text(out, "; a packet filter of this host sent it, its TCP sent none");
		return;
	}
	buffer_printf(out, "; %s did not send it, as it went on", the(r->reset.by));
	if (r->late_reset)
		return;
	buffer_printf(out, ", so something on the network did");
	if (resets_from(r, other_role(r->reset.by)))
		buffer_printf(out, "; the RST from %s only answers what came for a connection that it no longer had",
			      the(other_role(r->reset.by)));
}

static void put_syn_copies(struct buffer *out, const struct record *r)
{
	if (!r->syn_retransmits)
		return;
	buffer_text(out, "; the SYN had been retransmitted");
	put_times(out, r->syn_retransmits);
}

/* What an ICMP error says, in the words of RFC 792, 1812 and 4443. */
static const char *icmp_words(const struct record *r)
{
	unsigned type = r->icmp.type, code = r->icmp.code;

	if (r->family == 4 && type == 3 && code == 4)
		return "fragmentation needed";
	if (r->family == 4 && type == 3)
		return code == 0                               ? "net unreachable"
		       : code == 1                             ? "host unreachable"
		       : code == 3                             ? "port unreachable"
		       : code == 9 || code == 10 || code == 13 ? "administratively prohibited"
							       : "unreachable";
	if (r->family == 6 && type == 1)
		return code == 0   ? "no route"
		       : code == 1 ? "administratively prohibited"
		       : code == 3 ? "address unreachable"
		       : code == 4 ? "port unreachable"
				   : "unreachable";
	return r->family == 6 && type == 2 ? "packet too big" : "time exceeded";
}

static void put_icmp(struct buffer *out, const struct record *r)
{
	format_address(out, r->family, r->icmp.by);
	buffer_printf(out, " answered by ICMP %u/%u (%s)", r->icmp.type, r->icmp.code, icmp_words(r));
}

/* Was the SYN refused by an ICMP error, not by an RST? */
static bool refused_by_icmp(const struct record *r)
{
	return r->outcome == OUTCOME_REFUSED && r->reset.by == NOBODY && r->icmp.known;
}

/* Time counts from the last copy of the SYN, the only one that the RST can be an answer to. */
static void put_refused(struct buffer *out, const struct record *r)
{
	const struct record_segment *rst = evidence(r, EVIDENCE_RESET), *syn = rst;

	if (refused_by_icmp(r)) {
		buffer_text(out, "refused: ");
		put_icmp(out, r);
		put_syn_copies(out, r);
		return;
	}
	buffer_printf(out, "refused: %s answered the source's SYN with an RST",
		      r->reset.forged == YES ? "somebody in the destination's name" : "the destination");
	while (syn && syn-- > r->segments) {
		if ((syn->flags & TCP_SYN) && syn->from != rst->from) {
			put_later(out, syn->count == 1 ? between(syn, rst) : TIMING_UNSEEN, "later");
			break;
		}
	}
	put_syn_copies(out, r);
}

static void put_handshake_reset(struct buffer *out, const struct record *r)
{
	const struct record_segment *rst = evidence(r, EVIDENCE_RESET);
	size_t clause;

	buffer_text(out, "reset");
	if (is_side(r->reset.by))
		buffer_printf(out, " %s %s", r->reset.forged == YES ? "in the name of" : "by", the(r->reset.by));
	buffer_text(out, " before the handshake was complete");
	if (!rst)
		return;
	clause = out->len;
	buffer_text(out, r->reset.forged == YES ? ": the RST" : ": its RST");
	put_seq(out, rst);
	if (!put_came_after_step(out, rst, last_before(r, rst, TCP_SYN | TCP_ACK), "SYN-ACK"))
		out->len = clause;
}

/* ---- what was not answered or not finished ---- */

/* The time from the first to the last segment with these control flags of a side, if all `sent` are listed. */
static int64_t span_of(const struct record *r, enum role from, uint8_t flags, unsigned sent)
{
	const struct record_segment *first = NULL, *last = NULL;
	unsigned listed = 0, i;

	for (i = 0; i < r->segment_count; i++) {
		const struct record_segment *s = &r->segments[i];

		if ((s->flags & (TCP_CONTROL | TCP_ACK)) != flags || s->from != from || (s->mark & SEGMENT_IGNORED))
			continue;
		first = first ? first : s;
		listed += s->count;
		last = s;
	}
	return last && listed == sent && last->count == 1 ? between(first, last) : TIMING_UNSEEN;
}

/* The destination still has an older connection between the same ports, and the source never resets it. */
static void put_challenges(struct buffer *out, const struct record *r)
{
	if (!r->challenge_acks)
		return;
	buffer_printf(out, " but an ACK of an older connection of the same ports, which %s still had,",
		      the(DESTINATION));
	put_times(out, r->challenge_acks);
}

/* What got no answer is the SYN or, where that was answered, the SYN-ACK. */
static void put_unanswered(struct buffer *out, const struct record *r)
{
	bool answered = r->missing == MISSING_SOURCE_ACK;
	unsigned sent = 1 + (answered ? r->synack_retransmits : r->syn_retransmits);
	int64_t span = span_of(r, answered ? DESTINATION : SOURCE, answered ? TCP_SYN | TCP_ACK : TCP_SYN, sent);
	const char *name = answered ? "SYN-ACK" : "SYN";

	buffer_printf(out, "unanswered: %s", the(answered ? DESTINATION : SOURCE));
	if (sent == 1) {
		buffer_printf(out, "'s %s got no answer", name);
		put_challenges(out, r);
		return;
	}
	buffer_printf(out, " sent its %s", name);
	put_times(out, sent);
	if (span > 0) {
		buffer_text(out, " in ");
		buffer_duration(out, span);
	}
	buffer_text(out, " and got no answer");
	put_challenges(out, r);
}

/* The FIN of a side, if it is listed. */
static const struct record_segment *fin_of(const struct record *r, enum role side)
{
	const struct record_segment *first = evidence(r, EVIDENCE_FIN), *second = evidence(r, EVIDENCE_PEER_FIN);

	if (first && first->from == side)
		return first;
	return second && second->from == side ? second : NULL;
}

static void put_missing_ack(struct buffer *out, const struct record *r, enum role silent)
{
	const struct record_segment *fin = fin_of(r, other_role(silent));

	buffer_printf(out, "unfinished: %s never acknowledged %s's FIN", the(silent), the(other_role(silent)));
	put_seq(out, fin);
	if (r->closer == silent)
		buffer_printf(out, "; %s had closed first", the(silent));
}

static void put_missing_fin(struct buffer *out, const struct record *r, enum role silent)
{
	buffer_printf(out, "unfinished: %s acknowledged %s's FIN", the(silent), the(other_role(silent)));
	put_seq(out, fin_of(r, other_role(silent)));
	put_later(out, r->timing[T_FIN_TO_ACK], "later");
	buffer_text(out, " but never sent its own");
}

static void put_states(struct buffer *out, const struct record *r)
{
	const char *join = "; ";
	int side;

	for (side = SOURCE; side <= DESTINATION; side++) {
		if (r->end[side].state == STATE_UNKNOWN)
			continue;
		buffer_printf(out, "%s%s is left in %s", join, the(side), state_name(r->end[side].state));
		join = ", ";
	}
}

static void put_unfinished(struct buffer *out, const struct record *r)
{
	switch (r->missing) {
	case MISSING_SOURCE_ACK:
	case MISSING_DESTINATION_ACK:
		put_missing_ack(out, r, r->missing == MISSING_SOURCE_ACK ? SOURCE : DESTINATION);
		break;
	case MISSING_SOURCE_FIN:
	case MISSING_DESTINATION_FIN:
		put_missing_fin(out, r, r->missing == MISSING_SOURCE_FIN ? SOURCE : DESTINATION);
		break;
	case MISSING_NOTHING:
		buffer_text(out, "unfinished: the close began and did not end in time");
		break;
	}
}

static void put_open(struct buffer *out, const struct record *r)
{
	buffer_text(out, "still open when it was reported");
	if (r->timing[T_LIFETIME] <= 0)
		return;
	buffer_text(out, ", ");
	buffer_duration(out, r->timing[T_LIFETIME]);
	buffer_text(out, " after its first segment");
}

static void put_unknown(struct buffer *out, const struct record *r)
{
	bool is_first = r->closer != NOBODY || evidence(r, EVIDENCE_PEER_FIN); /* else the other side's may have been */
	const char *const steps[EVIDENCES] = {
		[EVIDENCE_FIN] = is_first ? "the first FIN" : "a FIN",
		[EVIDENCE_FIN_ACK] = is_first ? "the first FIN's ACK" : "its ACK",
		[EVIDENCE_PEER_FIN] = "the second FIN",
		[EVIDENCE_PEER_FIN_ACK] = "the second FIN's ACK",
		[EVIDENCE_RESET] = "an RST",
	};
	unsigned seen = 0, named = 0;
	int step;

	for (step = 0; step < EVIDENCES; step++)
		seen += evidence(r, step) != NULL;
	buffer_text(out, "unknown: what decides the close was not seen");
	for (step = 0; step < EVIDENCES; step++) {
		if (!evidence(r, step))
			continue;
		buffer_text(out, !named ? "; only " : named + 1 < seen ? ", " : " and ");
		buffer_text(out, steps[step]);
		named++;
	}
	if (seen)
		buffer_text(out, seen == 1 ? " was" : " were");
}

/* ---- what goes with any verdict ---- */

static void put_half_closed(struct buffer *out, const struct record *r)
{
	if (r->half_closed_bytes <= 0 || !is_side(r->closer))
		return;
	buffer_printf(out, "; %s sent ", the(other_role(r->closer)));
	put_bytes(out, r->half_closed_bytes);
	buffer_text(out, r->pattern == PATTERN_THREE_WAY ? " more with it" : " more after it had acknowledged the FIN");
}

static void put_fin_copies(struct buffer *out, const struct record *r)
{
	int side;

	for (side = SOURCE; side <= DESTINATION; side++) {
		if (!r->end[side].fin_retransmits)
			continue;
		buffer_printf(out, "; %s retransmitted its FIN", the(side));
		put_times(out, r->end[side].fin_retransmits);
	}
}

/* Linux repeats the data before a FIN, not the FIN (RFC 9293 section 3.8.1: the first segment of the queue). */
static void put_data_copies(struct buffer *out, const struct record *r)
{
	for (enum role side = SOURCE; side <= DESTINATION; side++) {
		if (!r->end[side].data_copies)
			continue;
		buffer_printf(out, "; %s repeated the data before its FIN", the(side));
		put_times(out, r->end[side].data_copies);
		buffer_text(out, " after it");
	}
}

static void put_late_reset(struct buffer *out, const struct record *r)
{
	const struct record_segment *rst = evidence(r, EVIDENCE_RESET), *ack = evidence(r, EVIDENCE_PEER_FIN_ACK);

	if (!r->late_reset)
		return;
	if (is_side(r->reset.by))
		buffer_printf(out, "; %s sent an RST", the(r->reset.by));
	else
		buffer_text(out, "; an RST came");
	if (rst && ack && between(ack, rst) > 0) {
		put_later(out, between(ack, rst), "after the last ACK");
		return;
	}
	buffer_text(out, " after the close");
}

static void put_reset_details(struct buffer *out, const struct record *r)
{
	put_forged(out, r);
	if (r->reset.ttl_differs && !r->reset.usual_ttl)
		buffer_text(out, "; the RST's TTL is not that of the same side's handshake");
	else if (r->reset.ttl_differs)
		buffer_printf(out, "; the RST's TTL is %u, that of the same side's handshake %u", r->reset.ttl,
			      r->reset.usual_ttl);
	if (r->reset.by != NOBODY && (r->reset.mptcp == 7 || r->reset.mptcp == 8)) /* RFC 8684 sections 3.5, 3.6 */
		buffer_printf(out, "; the RST carried an MPTCP %s", r->reset.mptcp == 7 ? "fast close" : "reset");
	if (r->reset.ignored == 1)
		buffer_text(out, "; an RST was ignored by its receiver");
	else if (r->reset.ignored)
		buffer_printf(out, "; %s%u RSTs were ignored by their receivers",
			      r->reset.ignored >= COPIES_SATURATED ? "at least " : "", r->reset.ignored);
}

/* ---- this host's sockets ---- */

/* "; nginx[1234] closed the destination's socket with 300 bytes unread" */
static void put_closed(struct buffer *out, const struct record_socket *s, enum role role)
{
	static const char *const verbs[] = {
		[HOW_CLOSE] = "closed",
		[HOW_SHUTDOWN] = "shut down",
		[HOW_EXIT] = "ended and so closed",
		[HOW_ABORT] = "aborted",
		[HOW_UNACCEPTED] = "closed the listener and so, before accept(),",
	};

	buffer_text(out, "; ");
	buffer_printable(out, s->process.name);
	buffer_printf(out, "[%u] %s %s's socket", s->process.pid, verbs[s->how], the(role));
	if (s->unread_bytes > 0) {
		buffer_text(out, " with ");
		put_bytes(out, s->unread_bytes);
		buffer_text(out, " unread");
	}
	if (s->peer_fin_to_close >= 0) {
		buffer_text(out, ", ");
		buffer_duration(out, s->peer_fin_to_close);
		buffer_printf(out, " after %s's FIN", the(other_role(role)));
	}
}

/* "; nginx[1234] and 1 more held the destination's socket when the watch began" */
static void put_held(struct buffer *out, const struct record_socket *s, enum role role)
{
	buffer_text(out, "; ");
	buffer_printable(out, s->process.name);
	buffer_printf(out, "[%u] ", s->process.pid);
	if (s->process.holders > 1)
		buffer_printf(out, "and %u more ", s->process.holders - 1);
	buffer_printf(out, "held %s's socket when the watch began", the(role));
}

static void put_sockets(struct buffer *out, const struct record *r)
{
	enum role role;

	for (role = SOURCE; role <= DESTINATION; role++) {
		const struct record_socket *s = &r->socket[role];

		if (socket_closer(s))
			put_closed(out, s, role);
		else if (socket_holder(s))
			put_held(out, s, role);
	}
	if (r->reset.reason && strcmp(r->reset.reason, RECORD_PACKET_FILTER) != 0) {
		buffer_text(out, "; the kernel's reason for the RST is ");
		buffer_printable(out, r->reset.reason);
	}
}

/* "; 1.0s after the first SYN the listen queue of nginx[1234] was full: 129 waited in it, its backlog is 128" */
static void put_listener(struct buffer *out, const struct record *r)
{
	const struct record_listener *l = &r->listener;

	if (!l->state)
		return;
	buffer_text(out, "; ");
	buffer_duration(out, l->t);
	buffer_text(out, " after the first SYN ");
	if (l->state == LISTENER_NONE) {
		buffer_text(out, "nothing on this host listened there");
		return;
	}
	buffer_text(out, "the listen queue of ");
	if (l->pid) {
		buffer_printable(out, l->name);
		buffer_printf(out, "[%u]", l->pid);
		if (l->unit) {
			buffer_text(out, " of ");
			buffer_printable(out, l->unit);
		}
	} else {
		buffer_printf(out, "user %u", l->uid);
	}
	buffer_printf(out, " %s: %u waited in it, its backlog is %u",
		      l->state == LISTENER_FULL ? "was full" : "had room", l->queue, l->backlog);
}

/* A connection by its ends; of a record that was read back, by its event.id. */
static void put_peer(struct buffer *out, const struct record_peer *peer)
{
	if (!peer->family) {
		buffer_text(out, peer->id);
		return;
	}
	for (enum role role = SOURCE; role <= DESTINATION; role++) {
		format_address(out, peer->family, peer->ip[role]);
		buffer_printf(out, peer->family == 6 ? " port %u%s" : ":%u%s", peer->port[role],
			      role == SOURCE ? " -> " : "");
	}
}

/* The first of the related connections: more of them are in JSON. */
static void put_related(struct buffer *out, const struct record *r)
{
	const struct record_peer *peer = r->related;

	if (!r->related_count)
		return;
	if (!peer->family)
		buffer_text(out, "; it belongs together with ");
	else if (peer->same_syn)
		buffer_text(out, "; it was also seen as ");
	else
		buffer_text(out, "; the same port of the source has a connection ");
	put_peer(out, peer);
}

static void put_gaps(struct buffer *out, const struct record *r)
{
	if (r->tunnel)
		buffer_printf(out, "; inside %s", tunnel_name(r->tunnel));
	if (r->tunnel && r->tunnel_id >= 0)
		buffer_printf(out, " %lld", (long long)r->tunnel_id);
	if (r->clock_jumps)
		buffer_printf(out, "; the time stamp%s of %u segment%s wrong: no step is measured there",
			      r->clock_jumps == 1 ? "" : "s", r->clock_jumps, r->clock_jumps == 1 ? " was" : "s were");
	if (r->captured_twice)
		buffer_printf(out, "; %u packet%s captured twice", r->captured_twice,
			      r->captured_twice == 1 ? " was" : "s were");
	if (r->midstream)
		buffer_text(out, "; the handshake was not seen");
	if (r->segments_lost)
		buffer_printf(out, "; %u segment%s not kept", r->segments_lost,
			      r->segments_lost == 1 ? " was" : "s were");
}

static void put_time_wait(struct buffer *out, const struct record *r)
{
	if (r->time_wait == BOTH)
		buffer_text(out, "; both sides hold TIME_WAIT");
	else if (is_side(r->time_wait))
		buffer_printf(out, "; %s holds TIME_WAIT", the(r->time_wait));
}

/* Copies of SYN and SYN-ACK, and what answered the SYN first, where the outcome's clause has not told them. */
static void put_handshake_copies(struct buffer *out, const struct record *r)
{
	if (r->challenge_acks && r->outcome != OUTCOME_UNANSWERED) {
		buffer_text(out, "; an ACK of an older connection of the same ports answered the SYN first,");
		put_times(out, r->challenge_acks);
	}
	if (r->outcome == OUTCOME_UNANSWERED || r->outcome == OUTCOME_REFUSED)
		return;
	put_syn_copies(out, r);
	if (!r->synack_retransmits)
		return;
	buffer_text(out, "; the destination repeated its SYN-ACK");
	put_times(out, r->synack_retransmits);
	if (!r->stuck_in_syn_received)
		return;
	buffer_text(out, " and never left SYN-RECEIVED, although the source had answered");
	if (!r->listener.state)
		buffer_text(out, ": its accept queue may be full");
}

/* "; another server answered the SYN, too: 4 SYN-ACKs with another number (seq 696225615, TTL 55)" */
static void put_other_synacks(struct buffer *out, const struct record *r)
{
	const struct record_segment *first = NULL;
	unsigned count = 0;

	for (unsigned i = 0; i < r->segment_count; i++) {
		const struct record_segment *s = &r->segments[i];

		if ((s->flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK) || !(s->mark & SEGMENT_IGNORED))
			continue;
		first = first ? first : s;
		count += s->count;
	}
	if (first)
		buffer_printf(out, "; %u SYN-ACK%s with another number (%u, TTL %u) came, too, and %s ignored", count,
			      count == 1 ? "" : "s", first->raw_seq, first->ttl, count == 1 ? "was" : "were");
}

/* "; the connection had been silent for 6m01s before the data that met the RST" */
static void put_silence(struct buffer *out, const struct record *r)
{
	if (r->silence <= (int64_t)SECOND_NS)
		return;
	buffer_text(out, r->silence_at_most ? "; the connection had been silent for at most "
					    : "; the connection had been silent for ");
	buffer_duration(out, r->silence);
	if (r->silence_answered == UNTOLD)
		return;
	if (r->silence_answered == NO)
		buffer_text(out, " before its close began");
	else if (r->outcome == OUTCOME_RESET)
		buffer_text(out, " before the data that met the RST");
	else
		buffer_text(out, " before data that nothing answered");
}

/* "; the path swallowed large segments of the source: 1448 bytes were sent again 7 times without an answer" */
static void put_black_hole(struct buffer *out, const struct record *r)
{
	if (!r->mtu_black_hole.bytes)
		return;
	buffer_printf(out, "; the path swallowed large segments of %s: ", the(r->mtu_black_hole.sender));
	put_bytes(out, r->mtu_black_hole.bytes);
	buffer_text(out, " were sent again");
	put_times(out, r->mtu_black_hole.retransmits);
	if (r->mtu_black_hole.passed)
		buffer_printf(out, " without an answer, and passed in segments of %u", r->mtu_black_hole.passed);
	else
		buffer_text(out, " without an answer, while smaller segments passed");
}

/* What all segments show, and what --all-segments counted. */
static void put_traffic(struct buffer *out, const struct record *r)
{
	int side;

	put_black_hole(out, r);
	if (!r->counted)
		return;
	for (side = SOURCE; side <= DESTINATION; side++) {
		const struct record_traffic *t = &r->traffic[side];

		buffer_printf(out, "; %s sent %" PRIu64 " segment%s with %" PRIu64 " byte%s", the(side), t->packets,
			      t->packets == 1 ? "" : "s", t->bytes, t->bytes == 1 ? "" : "s");
		if (t->retransmits)
			buffer_printf(out, ", %" PRIu64 " of them retransmitted", t->retransmits);
	}
}

/* A RST or FIN that belongs to no connection. */
static void put_stray(struct buffer *out, const struct record *r)
{
	const struct record_segment *s = record_stray_segment(r);
	bool reset = s->flags & TCP_RST;

	buffer_printf(out, "%s of no known connection, number %u", reset ? "an RST" : "a FIN", s->raw_seq);
	if (s->flags & TCP_ACK)
		buffer_printf(out, ", acknowledging %u", s->raw_ack);
	if (r->direction)
		buffer_text(out, r->direction == DIRECTION_INGRESS ? ", received" : ", sent");
	if (r->reset.reason && !strcmp(r->reset.reason, RECORD_PACKET_FILTER))
		buffer_text(out, "; a packet filter of this host sent it, not its TCP");
	else if (r->reset.reason) {
		buffer_text(out, "; the kernel's reason for it is ");
		buffer_printable(out, r->reset.reason);
	}
	for (unsigned i = 0; i < r->related_count; i++) {
		buffer_text(out, i ? ", " : "; it may belong to ");
		put_peer(out, &r->related[i]);
	}
	if (r->tunnel)
		buffer_printf(out, "; inside %s", tunnel_name(r->tunnel));
}

void format_explanation(struct buffer *out, const struct record *r)
{
	static void (*const verdicts[OUTCOMES])(struct buffer * out, const struct record *r) = {
		[OUTCOME_GRACEFUL] = put_graceful,
		[OUTCOME_RESET] = put_reset,
		[OUTCOME_REFUSED] = put_refused,
		[OUTCOME_HANDSHAKE_RESET] = put_handshake_reset,
		[OUTCOME_UNANSWERED] = put_unanswered,
		[OUTCOME_UNFINISHED] = put_unfinished,
		[OUTCOME_OPEN] = put_open,
		[OUTCOME_UNKNOWN] = put_unknown,
	};

	if (r->stray) {
		put_stray(out, r);
		return;
	}
	verdicts[r->outcome](out, r);
	put_handshake_copies(out, r);
	put_other_synacks(out, r);
	put_half_closed(out, r);
	put_fin_copies(out, r);
	put_data_copies(out, r);
	put_late_reset(out, r);
	put_reset_details(out, r);
	put_sockets(out, r);
	put_listener(out, r);
	if (r->icmp.known && !refused_by_icmp(r)) {
		buffer_text(out, "; ");
		put_icmp(out, r);
	}
	put_related(out, r);
	if (r->outcome == OUTCOME_UNFINISHED)
		put_states(out, r);
	put_silence(out, r);
	put_traffic(out, r);
	put_gaps(out, r);
	put_time_wait(out, r);
	if (!r->final)
		buffer_text(out, "; so far: its last record follows");
}
