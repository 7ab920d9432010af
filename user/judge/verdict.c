// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The decision table: each function answers one question about a connection from its facts.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/address.h"
#include "user/base/clock.h"
#include "user/judge/flow_wait.h"
#include "user/judge/verdict.h"
#include "user/judge/zeek.h"
#include "user/record/event_id.h"

/* The flow, and which of its two sides has which role. */
struct facts {
	const struct flow_key *key;
	const struct flow *flow;
	unsigned side[2]; /* by role: SOURCE, DESTINATION */
	const struct verdict_context *context;
};

static const struct flow_side *side_of(const struct facts *c, enum role role)
{
	return &c->flow->side[c->side[role]];
}

static enum role role_of(const struct facts *c, unsigned side)
{
	return side == c->side[SOURCE] ? SOURCE : DESTINATION;
}

static bool has(const struct facts *c, enum role role, unsigned bits)
{
	return (side_of(c, role)->seen & bits) == bits;
}

static bool has_acked(const struct facts *c, enum role role)
{
	return side_of(c, role)->now.known & NUMBERS_ACK;
}

static bool in_state(const struct facts *c, unsigned bits)
{
	return c->flow->state & bits;
}

/* Was the connection open? A source that acknowledges what we never saw has had its answer. */
static bool was_open(const struct facts *c)
{
	return in_state(c, FLOW_PROVEN | FLOW_MIDSTREAM) || flow_destination_is_open(c->flow) ||
	       (!(c->flow->open.seen & OPEN_SYNACK) && has_acked(c, SOURCE));
}

/* ---- who is who ---- */

/*
 * The side that is the source: the sender of the SYN; else whom this host knows to have opened the connection; else, as
 * a guess, the side with the higher port, or between equal ports the one that closed first.
 */
unsigned verdict_source(const struct flow_key *key, const struct flow *f, unsigned opener)
{
	if (f->open.seen)
		return f->open.source & 1;
	if (opener)
		return opener - 1;
	if (key->port[0] != key->port[1])
		return key->port[0] < key->port[1];
	return f->side[1].seen & SIDE_FIN && (!(f->side[0].seen & SIDE_FIN) || f->side[1].t_fin < f->side[0].t_fin);
}

/* ---- who closed, and how ---- */

/* Did the first copy of `role`'s FIN acknowledge the other's FIN? Then it was sent after that one had arrived. */
static bool fin_answers(const struct facts *c, enum role role)
{
	return side_of(c, role)->fin_ack == side_of(c, other_role(role))->fin_end;
}

static enum role first_fin(const struct facts *c)
{
	bool source = has(c, SOURCE, SIDE_FIN), destination = has(c, DESTINATION, SIDE_FIN);

	if (!source || !destination)
		return source ? SOURCE : destination ? DESTINATION : NOBODY;
	if (fin_answers(c, SOURCE) != fin_answers(c, DESTINATION))
		return fin_answers(c, SOURCE) ? DESTINATION : SOURCE;
	if (!fin_answers(c, SOURCE))
		return BOTH;
	return side_of(c, SOURCE)->t_fin <= side_of(c, DESTINATION)->t_fin ? SOURCE : DESTINATION;
}

/* Was the FIN captured as a copy alone, behind its acknowledgment? Its time is not known. */
static bool fin_was_missed(const struct facts *c, enum role role)
{
	return c->flow->fin_missed >> c->side[role] & 1;
}

/*
 * Is it such a copy that acknowledges the other side's FIN? Where its sender was behind its own FIN as it first
 * acknowledged that one, nobody knows what the FIN acknowledged when it was sent first.
 */
static bool fin_copy_answers(const struct facts *c, enum role role)
{
	const struct flow_side *me = side_of(c, role);

	return fin_was_missed(c, role) && fin_answers(c, role) && has(c, other_role(role), SIDE_FIN_ACKED) &&
	       me->end_at_ack == me->fin_end;
}

/* first_fin; NOBODY where only the copy of the second one's FIN tells. */
static enum role sure_first_fin(const struct facts *c)
{
	enum role first = first_fin(c);

	return (first == SOURCE || first == DESTINATION) && fin_copy_answers(c, other_role(first)) ? NOBODY : first;
}

/* Are its SYNs, FINs and RSTs all that is known of it, and none of them has passed unseen? */
static bool closes_only(const struct facts *c)
{
	return c->context->closes_only || in_state(c, FLOW_BARE);
}

/* Does `role`'s FIN acknowledge nothing behind the other side's SYN? */
static bool acks_syn_alone(const struct facts *c, enum role role)
{
	const struct flow_open *o = &c->flow->open;
	enum role peer = other_role(role);

	return o->seen & (peer == SOURCE ? OPEN_SYN : OPEN_SYNACK) &&
	       side_of(c, role)->fin_ack == o->isn[c->side[peer]] + 1;
}

/*
 * Do all the numbers that `role`'s FIN acknowledges stand for payload of the other side? Its segments alone do not tell
 * that: ACKs behind a FIN have the number behind it. Payload up to there does, and so does a socket of this host that
 * had not closed when the watch began. Live, the handshake is enough, since no segment behind it passes unseen.
 */
static bool acks_payload_alone(const struct facts *c, enum role role)
{
	const struct flow_side *me = side_of(c, role), *peer = side_of(c, other_role(role));
	const struct verdict_context *known = c->context;
	unsigned side = c->side[other_role(role)];

	if (!(peer->now.known & NUMBERS_END) || seq_after(me->fin_ack, peer->now.end))
		return false;
	if (acks_syn_alone(c, role))
		return true;
	if (known->payload)
		return known->payload->sent_payload >> side & 1;
	if (!in_state(c, FLOW_MIDSTREAM))
		return true;
	/* Its segments pass here, so its FIN would have. */
	if (known->unclosed >> side & 1 && has(c, role, SIDE_FIN_ACKED))
		return true;
	return known->traffic && traffic_bytes(&known->traffic->side[side]);
}

/*
 * Can the other side's FIN have passed unseen before the only one that was seen? That one acknowledges what may be that
 * FIN, and nothing that came later shows that the other side was still sending then.
 */
static bool may_be_second(const struct facts *c, enum role only)
{
	const struct flow_side *me = side_of(c, only), *peer = side_of(c, other_role(only));

	if (closes_only(c) || has(c, other_role(only), SIDE_FIN) || acks_payload_alone(c, only) ||
	    (peer->now.known & NUMBERS_END && seq_after(peer->now.end, me->fin_ack)))
		return false;
	return !(me->now.known & NUMBERS_ACK) || !seq_after(me->now.ack, me->fin_ack);
}

/*
 * Can a FIN of the RST's receiver have passed unseen before the RST? Its sender has acknowledged more than was seen:
 * that FIN, or data that a capture has lost. Or nothing of the receiver was seen.
 */
static bool reset_may_follow_fin(const struct facts *c)
{
	const struct flow_reset *reset = &c->flow->reset;
	const struct numbers *by = &c->flow->side[reset->side & 1].now, *peer = &c->flow->side[!reset->side].now;

	if (closes_only(c) || !in_state(c, FLOW_RESET) || !was_open(c) || first_fin(c) != NOBODY)
		return false;
	if (!(peer->known & NUMBERS_END))
		return !in_state(c, FLOW_PROVEN);
	return (by->known & NUMBERS_ACK && seq_after(by->ack, peer->end)) ||
	       (reset->flags & TCP_ACK && reset->validity == RESET_EXACT && seq_after(reset->ack, peer->end));
}

static enum role closer(const struct facts *c, enum answer forged)
{
	enum role fin = first_fin(c);

	if (sure_first_fin(c) != fin)
		return NOBODY;
	if ((fin == SOURCE || fin == DESTINATION) && may_be_second(c, fin))
		return NOBODY;
	if (fin != NOBODY || !in_state(c, FLOW_RESET))
		return fin;
	if (forged == YES)
		return NETWORK;
	return reset_may_follow_fin(c) ? NOBODY : role_of(c, c->flow->reset.side);
}

/* Is its FIN, the first segment of the side that was heard, the first known acknowledgment of the other side's FIN? */
static bool ack_may_be_missed(const struct facts *c, enum role role)
{
	return has(c, role, SIDE_FIN_ANSWERS) && c->flow->begun_late >> c->side[role] & 1;
}

static enum pattern pattern(const struct facts *c, enum role first)
{
	if (first == NOBODY)
		return PATTERN_NONE;
	if (first == BOTH)
		return PATTERN_SIMULTANEOUS;
	if (ack_may_be_missed(c, other_role(first)))
		return PATTERN_NONE;
	return has(c, other_role(first), SIDE_FIN_ANSWERS) ? PATTERN_THREE_WAY : PATTERN_FOUR_WAY;
}

/* Was a FIN, or the data before it, sent again without an answer? Then not only the capture missed the ACK. */
static bool waits_in_vain(const struct facts *c)
{
	for (enum role role = SOURCE; role <= DESTINATION; role++)
		if (has(c, role, SIDE_FIN) && !has(c, role, SIDE_FIN_ACKED) &&
		    (side_of(c, role)->fin_copies || side_of(c, role)->data_copies))
			return true;
	return false;
}

/* Did a SYN that nothing answered get an "unreachable" instead? */
static bool refused_by_icmp(const struct facts *c)
{
	const struct flow *f = c->flow;

	return f->icmp && !(f->open.seen & OPEN_SYNACK) && role_of(c, f->icmp_side) == SOURCE &&
	       icmp_unreachable(f->icmp, c->key->family);
}

/* Was the ICMP error sent by the destination itself? */
static bool icmp_by_destination(const struct facts *c)
{
	const struct ip_address *by = &c->flow->icmp_by, *end = &c->key->addr[c->side[DESTINATION]];

	return address_equal(by, end);
}

/* May the one FIN that was seen, and acknowledged, be the last step of a close? */
static bool may_be_complete(const struct facts *c)
{
	enum role only = first_fin(c);

	return !in_state(c, FLOW_DONE) && (only == SOURCE || only == DESTINATION) && has(c, only, SIDE_FIN_ACKED) &&
	       may_be_second(c, only);
}

static enum outcome outcome(const struct facts *c, enum report_reason reason)
{
	const struct flow *f = c->flow;
	bool answered = f->open.seen & OPEN_SYNACK;

	if (in_state(c, FLOW_GRACEFUL))
		return OUTCOME_GRACEFUL;
	if (in_state(c, FLOW_RESET)) {
		if (was_open(c))
			return OUTCOME_RESET;
		answered &= f->open.t_synack <= f->reset.time;
		return answered || role_of(c, f->reset.side) == SOURCE ? OUTCOME_HANDSHAKE_RESET : OUTCOME_REFUSED;
	}
	if (in_state(c, FLOW_REPLACED) && in_state(c, FLOW_PROVEN) && !in_state(c, FLOW_BEGUN))
		return OUTCOME_UNKNOWN;
	if (in_state(c, FLOW_BEGUN)) {
		if (!in_state(c, FLOW_PROVEN))
			return OUTCOME_UNKNOWN; /* one direction only was seen */
		if (may_be_complete(c))
			return OUTCOME_UNKNOWN;
		return reason != REPORT_STOP || waits_in_vain(c) ? OUTCOME_UNFINISHED : OUTCOME_UNKNOWN;
	}
	if (in_state(c, FLOW_PROVEN))
		return flow_may_have_ended(f) ? OUTCOME_UNKNOWN : OUTCOME_OPEN;
	if (was_open(c))
		return OUTCOME_UNKNOWN;
	return refused_by_icmp(c) ? OUTCOME_REFUSED : OUTCOME_UNANSWERED;
}

/* The first step that the close still waits for. */
static enum missing missing(const struct facts *c)
{
	enum role first = first_fin(c), second;

	if (in_state(c, FLOW_DONE))
		return MISSING_NOTHING;
	if (first == NOBODY) {
		if (!was_open(c) && c->flow->open.seen & OPEN_SYNACK)
			return MISSING_SOURCE_ACK; /* of the SYN-ACK */
		return MISSING_NOTHING;
	}
	if (first == BOTH)
		first = has(c, SOURCE, SIDE_FIN_ACKED) ? DESTINATION : SOURCE;
	second = other_role(first);
	if (!has(c, first, SIDE_FIN_ACKED))
		return first == SOURCE ? MISSING_DESTINATION_ACK : MISSING_SOURCE_ACK;
	if (!has(c, second, SIDE_FIN))
		return first == SOURCE ? MISSING_DESTINATION_FIN : MISSING_SOURCE_FIN;
	return first == SOURCE ? MISSING_SOURCE_ACK : MISSING_DESTINATION_ACK;
}

static bool was_heard(const struct facts *c, enum role role)
{
	return side_of(c, role)->now.known & NUMBERS_END;
}

/* RFC 9293 section 3.3.2, as far as the wire shows it. */
static enum tcp_state state_before_close(const struct facts *c, enum role role)
{
	const struct flow_open *o = &c->flow->open;

	if (in_state(c, FLOW_PROVEN) || (in_state(c, FLOW_MIDSTREAM) && was_heard(c, role)))
		return STATE_ESTABLISHED;
	if (!was_heard(c, role))
		return STATE_UNKNOWN;
	if (role == SOURCE)
		return has_acked(c, SOURCE) ? STATE_ESTABLISHED : STATE_SYN_SENT;
	if (flow_destination_is_open(c->flow))
		return STATE_ESTABLISHED;
	return o->seen & OPEN_SYNACK ? STATE_SYN_RECEIVED : STATE_UNKNOWN;
}

/* Somebody else sent the RST in the side's name, and nobody has told the side since. */
static bool never_heard_of_reset(const struct facts *c, enum role role)
{
	const struct flow_reset *reset = &c->flow->reset;

	return (reset->fate & (RESET_DENIED | RESET_ANSWERED)) == RESET_DENIED && role_of(c, reset->side) == role;
}

static enum tcp_state state(const struct facts *c, enum role role)
{
	bool sent = has(c, role, SIDE_FIN), acked = has(c, role, SIDE_FIN_ACKED);
	bool got = has(c, other_role(role), SIDE_FIN_ACKED); /* it acknowledged the other's FIN, so it had it */

	if (in_state(c, FLOW_RESET | FLOW_LATE_RESET) && !never_heard_of_reset(c, role))
		return STATE_CLOSED;
	if (flow_may_have_ended(c->flow) || may_be_complete(c))
		return STATE_UNKNOWN;
	if (!sent && !got && first_fin(c) != NOBODY && may_be_second(c, other_role(role)))
		return STATE_UNKNOWN;
	if (!sent)
		return got ? STATE_CLOSE_WAIT : state_before_close(c, role);
	if (!got)
		return acked ? STATE_FIN_WAIT_2 : STATE_FIN_WAIT_1;
	if (fin_copy_answers(c, role))
		return STATE_UNKNOWN;
	if (fin_answers(c, role) && !(fin_answers(c, other_role(role)) && first_fin(c) == role))
		return acked ? STATE_CLOSED : STATE_LAST_ACK;
	return acked ? STATE_TIME_WAIT : STATE_CLOSING;
}

/*
 * An RST after the close leaves no TIME-WAIT: its sender had none, or its receiver gave it up for the RST (RFC 1337).
 */
static enum role time_wait(const struct facts *c)
{
	return in_state(c, FLOW_GRACEFUL) && !in_state(c, FLOW_LATE_RESET) ? first_fin(c) : NOBODY;
}

/* Is it known which FIN, of those that came before the end, was the first one? */
static bool knows_first_fin(const struct facts *c)
{
	enum role first = sure_first_fin(c);

	return first == BOTH || (first != NOBODY && !may_be_second(c, first));
}

static enum phase reset_phase(const struct facts *c)
{
	unsigned fins = has(c, SOURCE, SIDE_FIN) + has(c, DESTINATION, SIDE_FIN);

	if (in_state(c, FLOW_LATE_RESET))
		return PHASE_CLOSED;
	if (!was_open(c))
		return PHASE_HANDSHAKE;
	if (reset_may_follow_fin(c) || (fins == 1 && !knows_first_fin(c)))
		return PHASE_NONE;
	return fins == 0 ? PHASE_ESTABLISHED : fins == 1 ? PHASE_HALF_CLOSED : PHASE_CLOSING;
}

/*
 * The core judged the RST by the handshake's numbers, which say little once a connection was open that it did not see
 * open.
 */
static enum reset_validity reset_validity(const struct facts *c)
{
	const struct flow_reset *reset = &c->flow->reset;
	const struct flow_side *by = &c->flow->side[reset->side & 1];

	if (in_state(c, FLOW_PROVEN | FLOW_MIDSTREAM) || !was_open(c))
		return reset->validity;
	return by->now.known & NUMBERS_END && by->now.end == reset->seq ? RESET_EXACT : RESET_UNKNOWN;
}

/* Has the side something to do: to repeat what was not acknowledged, or to acknowledge what has come? */
static bool owes(const struct flow *f, unsigned side)
{
	const struct numbers *me = &f->side[side].now, *peer = &f->side[!side].now;

	return (me->known & peer->known & NUMBERS_ACK && me->known & NUMBERS_END && seq_after(me->end, peer->ack)) ||
	       (me->known & peer->known & NUMBERS_END && me->known & NUMBERS_ACK && seq_after(peer->end, me->ack));
}

/*
 * For so long (ns) a living TCP leaves nothing undone: an ACK waits for half a second at most (RFC 1122 section
 * 4.2.3.2), a retransmission for a few round trips.
 */
static uint64_t patience(const struct flow_open *o)
{
	bool known = (o->seen & (OPEN_SYN | OPEN_ACK)) == (OPEN_SYN | OPEN_ACK) && o->t_ack > o->t_syn;
	uint64_t trips = known ? 3 * (o->t_ack - o->t_syn) : SECOND_NS;

	return trips > SECOND_NS / 2 ? trips : SECOND_NS / 2;
}

/*
 * Has a packet filter of this host made the RST? It is no socket's there. Over IPv6 neither is one by which TCP answers
 * what it has no socket for: so there TCP's tracepoint must have been silent.
 */
static bool filter_made_it(const struct facts *c, const struct verdict_context *context)
{
	return c->flow->reset.fate & RESET_FILTERED && (c->key->family == 4 || context->sockets.no_answer);
}

/*
 * Did the RST's alleged sender not send it? It did if its kernel says so, or if it left undone for long what only a
 * connection that is gone leaves undone; it did not if it went on.
 */
static enum answer forged(const struct facts *c, const struct verdict_context *context)
{
	const struct flow *f = c->flow;
	uint64_t watched = f->t_last + context->quiet;

	if (!in_state(c, FLOW_RESET | FLOW_LATE_RESET))
		return UNTOLD;
	if (context->sockets.reset_reason)
		return NO;
	if (f->reset.fate & RESET_DENIED || filter_made_it(c, context))
		return YES;
	if (f->reset.fate & RESET_GONE)
		return NO;
	return owes(f, f->reset.side & 1) && watched >= f->reset.time + patience(&f->open) ? NO : UNTOLD;
}

/* A close that came to its end has survived the RSTs as well that found no place in the log. */
static unsigned resets_ignored(const struct facts *c)
{
	unsigned ignored = c->flow->open.resets_ignored;

	if ((c->flow->state & (FLOW_DONE | FLOW_LATE_RESET)) == FLOW_GRACEFUL)
		ignored += c->flow->reset.copies;
	return ignored > 255 ? 255 : ignored;
}

static void judge_reset(struct record *r, const struct facts *c, enum answer forged)
{
	const struct flow_reset *reset = &c->flow->reset;
	uint8_t ttl = c->flow->open.ttl[reset->side & 1];

	r->reset.by = NOBODY;
	r->reset.mptcp = SEGMENT_NO_MPTCP;
	r->reset.ignored = resets_ignored(c);
	r->late_reset = in_state(c, FLOW_LATE_RESET);
	if (!in_state(c, FLOW_RESET | FLOW_LATE_RESET))
		return;
	r->reset.by = role_of(c, reset->side);
	r->reset.phase = reset_phase(c);
	r->reset.validity = reset_validity(c);
	r->reset.mptcp = reset->mptcp;
	r->reset.forged = forged;
	r->reset.ttl = reset->ttl;
	r->reset.usual_ttl = ttl;
	r->reset.ttl_differs = ttl && ttl != reset->ttl;
}

/* ---- times ---- */

/* From a to b; never negative: a capture may hold packets out of time order. */
static int64_t span(uint64_t a, uint64_t b)
{
	return b > a ? (int64_t)(b - a) : 0;
}

static int compare_times(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool find_jump(const struct verdict_context *context, uint64_t time)
{
	return bsearch(&time, context->jumped, context->jumped_count, sizeof(time), compare_times);
}

/* Is it the time of a packet whose own time stamp was wrong? */
static inline bool jumped(const struct facts *c, uint64_t time)
{
	return c->context->jumped_count && find_jump(c->context, time);
}

/* The span of a step from a to b; TIMING_UNSEEN where the clock was wrong at either. */
static int64_t step_span(const struct facts *c, uint64_t a, uint64_t b)
{
	return jumped(c, a) || jumped(c, b) ? TIMING_UNSEEN : span(a, b);
}

static void time_opening(struct record *r, const struct facts *c)
{
	const struct flow_open *o = &c->flow->open;
	bool syn = o->seen & OPEN_SYN, synack = o->seen & OPEN_SYNACK;
	bool ack = o->seen & OPEN_ACK && !in_state(c, FLOW_BARE); /* else it is a FIN that came long after */

	if (syn && synack)
		r->timing[T_SYN_TO_SYNACK] = step_span(c, o->t_syn, o->t_synack);
	if (synack && ack)
		r->timing[T_SYNACK_TO_ACK] = step_span(c, o->t_synack, o->t_ack);
	if (syn && ack)
		r->timing[T_INITIAL_RTT] = step_span(c, o->t_syn, o->t_ack);
}

static uint64_t last_step(const struct facts *c)
{
	return in_state(c, FLOW_DONE) ? flow_end_time(c->flow) : c->flow->t_last;
}

static void time_close(struct record *r, const struct facts *c, uint64_t end)
{
	enum role first = r->closer == BOTH ? SOURCE : first_fin(c);
	const struct flow_side *active, *passive;
	uint64_t begin;

	if (first == NOBODY)
		return;
	active = side_of(c, first);
	passive = side_of(c, other_role(first));
	if (active->seen & SIDE_FIN_ACKED && !fin_was_missed(c, first) && !ack_may_be_missed(c, other_role(first)))
		r->timing[T_FIN_TO_ACK] = step_span(c, active->t_fin, active->t_fin_acked);
	if (active->seen & SIDE_FIN_ACKED && passive->seen & SIDE_FIN && r->closer != BOTH &&
	    !fin_was_missed(c, other_role(first)) && !ack_may_be_missed(c, other_role(first)))
		r->timing[T_HALF_CLOSED] = step_span(c, active->t_fin_acked, passive->t_fin);
	if (passive->seen & SIDE_FIN_ACKED && !fin_was_missed(c, other_role(first)))
		r->timing[T_PEER_FIN_TO_ACK] = step_span(c, passive->t_fin, passive->t_fin_acked);
	begin = passive->seen & SIDE_FIN && passive->t_fin < active->t_fin ? passive->t_fin : active->t_fin;
	if (in_state(c, FLOW_DONE) && knows_first_fin(c))
		r->timing[T_CLOSE] = step_span(c, begin, end);
}

/* ---- numbers ---- */

static bool isn_known(const struct facts *c, enum role role)
{
	return c->flow->open.seen & OPEN_SYNACK || (role == SOURCE && c->flow->open.seen & OPEN_SYN);
}

static uint32_t isn(const struct facts *c, enum role role)
{
	return c->flow->open.isn[c->side[role]];
}

/*
 * What the other side has received, by its FIN or RST, where nothing else was captured that could tell. False: neither
 * says so.
 */
static bool last_byte_of_bare(const struct facts *c, enum role role, uint32_t *end)
{
	const struct flow_reset *reset = &c->flow->reset;
	enum role peer = other_role(role);

	if (in_state(c, FLOW_RESET) && role_of(c, reset->side) == peer && reset->flags & TCP_ACK)
		*end = reset->ack;
	else if (has(c, peer, SIDE_FIN))
		*end = side_of(c, peer)->fin_ack;
	else
		return false;
	return true;
}

/*
 * Does the number of the RST that ended the connection tell what the side has sent? One that was not expected is a
 * guess of whoever forged it, unless nothing else tells what the side has sent.
 */
static bool reset_tells_end(const struct facts *c, enum role role)
{
	const struct flow_reset *reset = &c->flow->reset;

	if (!in_state(c, FLOW_RESET) || !in_state(c, FLOW_PROVEN) || role_of(c, reset->side) != role)
		return false;
	return reset->validity == RESET_EXACT ||
	       (reset->validity == RESET_UNKNOWN &&
		(in_state(c, FLOW_BARE) || !(side_of(c, role)->now.known & NUMBERS_END)));
}

/* end: the sequence number after the side's last payload byte. False where nothing shows it. */
static bool last_byte(const struct facts *c, enum role role, uint32_t *end)
{
	const struct flow_side *me = side_of(c, role), *peer = side_of(c, other_role(role));

	if (me->seen & SIDE_FIN)
		*end = me->fin_end - 1;
	else if (reset_tells_end(c, role))
		*end = me->now.known & NUMBERS_END ? seq_max(me->now.end, c->flow->reset.seq) : c->flow->reset.seq;
	else if (in_state(c, FLOW_BARE) && in_state(c, FLOW_PROVEN))
		return last_byte_of_bare(c, role, end);
	else if (me->now.known & NUMBERS_END)
		*end = me->now.end;
	else if (peer->now.known & NUMBERS_ACK && c->flow->open.seen & OPEN_SYN) /* else it may be behind a FIN */
		*end = peer->now.ack;
	else
		return false;
	return true;
}

static int64_t bytes_sent(const struct facts *c, enum role role)
{
	uint32_t end;

	if (!isn_known(c, role) || !last_byte(c, role, &end))
		return NUMBER_UNSEEN;
	return end - (isn(c, role) + 1);
}

/*
 * Sequence numbers give bytes modulo 2^32. A side may have sent 4 GiB more if it had the time for that many round trips
 * with the largest window that the other one could have offered, and for as many bytes at FASTEST_PATH: a round trip
 * within a host takes microseconds. Its time ends with its FIN, and what is known to have been silent is none.
 */
#define FASTEST_PATH 12.5 /* bytes a ns, 100 Gbit/s: more than any one connection has carried */
#define WRAP 4294967296.0

/* ns in which the side may have sent data. */
static double sending_time(const struct record *r, const struct facts *c, enum role role)
{
	double silence = r->silence == NUMBER_UNSEEN || r->silence_at_most ? 0 : (double)r->silence;
	double time = (double)r->timing[T_LIFETIME];

	if (has(c, role, SIDE_FIN))
		time = (double)(int64_t)(side_of(c, role)->t_fin - c->flow->t_first);
	return time - silence;
}

/* Bytes a ns that the side can have sent, by the other one's largest window. rtt: ns. */
static double fastest(const struct record *r, enum role role, double rtt)
{
	bool scaled = r->end[SOURCE].wscale >= 0 && r->end[DESTINATION].wscale >= 0;
	double window = (double)(65535ULL << (scaled ? r->end[other_role(role)].wscale : 0));

	return window / rtt < FASTEST_PATH ? window / rtt : FASTEST_PATH;
}

static bool may_have_wrapped(const struct record *r, const struct facts *c)
{
	double rtt = r->timing[T_INITIAL_RTT] > 0 ? (double)r->timing[T_INITIAL_RTT] : 1;

	if (r->timing[T_INITIAL_RTT] == TIMING_UNSEEN || r->timing[T_LIFETIME] <= 0)
		return false;
	for (enum role role = SOURCE; role <= DESTINATION; role++)
		if (sending_time(r, c, role) * fastest(r, role, rtt) > WRAP)
			return true;
	return false;
}

static int64_t bytes_half_closed(const struct facts *c, enum role first)
{
	const struct flow_side *passive;
	uint32_t end;

	if (first > DESTINATION || !has(c, first, SIDE_FIN_ACKED))
		return NUMBER_UNSEEN;
	passive = side_of(c, other_role(first));
	if (!last_byte(c, other_role(first), &end))
		return NUMBER_UNSEEN;
	return seq_after(end, passive->end_at_ack) ? (int64_t)(end - passive->end_at_ack) : 0;
}

static bool carried_data(const struct record *r)
{
	if (r->end[SOURCE].bytes > 0 || r->end[DESTINATION].bytes > 0)
		return true;
	for (unsigned i = 0; i < r->segment_count; i++)
		if (r->segments[i].len > 0)
			return true;
	return false;
}

/* The value of Wireshark's tcp.completeness: 1 SYN, 2 SYN-ACK, 4 ACK, 8 data, 16 FIN, 32 RST. */
static int completeness(const struct record *r, const struct facts *c)
{
	const struct flow_open *o = &c->flow->open;
	int value = 0;

	if (o->seen & OPEN_SYN)
		value |= 1;
	if (o->seen & OPEN_SYNACK)
		value |= 2;
	if (o->seen & OPEN_ACK)
		value |= 4;
	if (carried_data(r))
		value |= 8;
	if ((c->flow->side[0].seen | c->flow->side[1].seen) & SIDE_FIN)
		value |= 16;
	if (in_state(c, FLOW_RESET | FLOW_LATE_RESET) || o->resets_ignored)
		value |= 32;
	for (unsigned i = 0; i < r->segment_count; i++) {
		const struct record_segment *s = &r->segments[i];

		if ((s->flags & (TCP_SYN | TCP_ACK)) == TCP_ACK)
			value |= 4;
		if (s->flags & TCP_RST)
			value |= 32;
		if ((s->flags & (TCP_FIN | TCP_ACK)) == (TCP_FIN | TCP_ACK))
			value |= 16;
	}
	return value;
}

/* The source has completed the handshake and sent data, and the destination has done nothing but repeat its SYN-ACK. */
static bool is_stuck_in_syn_received(const struct facts *c, const struct record *r)
{
	const struct flow_open *o = &c->flow->open;
	const struct numbers *n = &side_of(c, DESTINATION)->now;

	return o->synack_copies && o->seen & OPEN_ACK && n->known & NUMBERS_END && n->known & NUMBERS_ACK &&
	       n->end == o->isn[c->side[DESTINATION]] + 1 &&
	       n->ack == o->isn[c->side[SOURCE]] + 1 + (o->seen & OPEN_SYN_DATA ? o->syn_len : 0) &&
	       r->end[SOURCE].bytes > 0;
}

/* ---- the segments ---- */

/*
 * What relative numbers count from: the ISN, or one below the lowest number seen. (Wireshark takes the first number
 * seen, but folded ACKs are listed with their last.)
 */
static uint32_t relative_base(const struct facts *c, enum role role, const struct flow_segment *log, unsigned n)
{
	unsigned side = c->side[role];
	bool found = false;
	uint32_t lowest = 1;

	if (isn_known(c, role))
		return isn(c, role);
	for (unsigned i = 0; i < n; i++) {
		uint32_t number = log[i].side == side ? log[i].seq : log[i].ack;

		if (log[i].side != side && !(log[i].flags & TCP_ACK))
			continue;
		if (!found || seq_after(lowest, number))
			lowest = number;
		found = true;
	}
	return lowest - 1;
}

/* Was it believed when it came, until a later segment showed that its receiver had not acted on it? */
static bool disproved(const struct facts *c, const struct flow_segment *e)
{
	const struct flow_side *side = &c->flow->side[e->side & 1];

	if (e->flags & TCP_RST)
		return !in_state(c, FLOW_RESET | FLOW_LATE_RESET) || e->time < c->flow->reset.time;
	return e->flags & TCP_FIN && (side->seen & (SIDE_FIN | SIDE_FIN_PARTIAL)) == SIDE_FIN &&
	       e->seq + e->len + 1 != side->fin_end;
}

static void copy_segments(struct record *r, const struct facts *c, const struct flow_segment *log, unsigned n)
{
	uint32_t base[2];

	base[SOURCE] = relative_base(c, SOURCE, log, n);
	base[DESTINATION] = relative_base(c, DESTINATION, log, n);
	for (unsigned i = 0; i < n; i++) {
		struct record_segment *s = &r->segments[i];
		const struct flow_segment *e = &log[i];

		s->t = span(c->flow->t_first, e->time);
		s->from = role_of(c, e->side);
		s->flags = e->flags;
		s->mark = disproved(c, e) ? e->mark | SEGMENT_IGNORED : e->mark;
		s->mark |= jumped(c, e->time) ? SEGMENT_JUMPED : 0;
		r->clock_jumps += s->mark & SEGMENT_JUMPED ? 1 : 0;
		s->raw_seq = e->seq;
		s->raw_ack = e->ack;
		s->seq = e->seq - base[s->from];
		s->ack = e->flags & TCP_ACK ? e->ack - base[other_role(s->from)] : 0;
		s->len = e->len;
		s->count = e->count;
		s->win = e->win;
		s->ttl = e->ttl;
		s->ip_id = e->ip_id;
	}
	r->segment_count = n;
	r->segments_lost = c->flow->lost;
}

static void sort_by_time(struct flow_segment *log, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		for (unsigned j = i; j > 0 && log[j].time < log[j - 1].time; j--) {
			struct flow_segment swap = log[j];

			log[j] = log[j - 1];
			log[j - 1] = swap;
		}
}

/* Index of the segment of `role` at this time with these flags (and this acknowledgment, if it has one), or -1. */
static int find_segment(const struct record *r, const struct facts *c, enum role role, uint8_t flags, uint64_t time,
			const uint32_t *ack)
{
	uint64_t t = (uint64_t)span(c->flow->t_first, time);

	for (unsigned i = 0; i < r->segment_count; i++) {
		const struct record_segment *s = &r->segments[i];

		if (s->from == role && (s->flags & flags) == flags && s->t == t && !(s->mark & SEGMENT_IGNORED) &&
		    (!ack || s->raw_ack == *ack))
			return (int)i;
	}
	return -1;
}

static void find_evidence(struct record *r, const struct facts *c)
{
	enum role first = r->closer == BOTH ? SOURCE : first_fin(c);

	for (int i = 0; i < EVIDENCES; i++)
		r->evidence[i] = -1;
	if (in_state(c, FLOW_RESET | FLOW_LATE_RESET))
		r->evidence[EVIDENCE_RESET] =
			find_segment(r, c, role_of(c, c->flow->reset.side), TCP_RST, c->flow->reset.time, NULL);
	if (first == NOBODY)
		return;
	for (int turn = 0; turn < 2; turn++) {
		enum role role = turn ? other_role(first) : first;
		const struct flow_side *side = side_of(c, role);

		if (side->seen & SIDE_FIN)
			r->evidence[turn ? EVIDENCE_PEER_FIN : EVIDENCE_FIN] =
				find_segment(r, c, role, TCP_FIN, side->t_fin, NULL);
		if (side->seen & SIDE_FIN_ACKED && !fin_was_missed(c, role))
			r->evidence[turn ? EVIDENCE_PEER_FIN_ACK : EVIDENCE_FIN_ACK] =
				find_segment(r, c, other_role(role), TCP_ACK, side->t_fin_acked, &side->fin_end);
	}
}

/* Was a socket asked about the segment of that step? */
static bool asked(const struct record *r, enum evidence_step step)
{
	return r->evidence[step] >= 0 && r->segments[r->evidence[step]].mark & SEGMENT_SOCKET;
}

/* Do the numbers seen show that the FIN is its side's? It followed the data, or the other side acknowledged it. */
static bool fin_proven(const struct flow_side *side)
{
	return side->seen & (SIDE_FIN_NEXT | SIDE_FIN_ACKED);
}

/* Call once the evidence is found. */
static void find_basis(struct record *r, const struct facts *c)
{
	enum role first = r->closer == BOTH ? SOURCE : first_fin(c);
	bool fin = first != NOBODY && has(c, first, SIDE_FIN);

	r->basis_reset = r->basis_fin = BASIS_NONE;
	if (r->reset.by != NOBODY)
		r->basis_reset = asked(r, EVIDENCE_RESET)             ? BASIS_SOCKET
				 : r->reset.validity == RESET_UNKNOWN ? BASIS_UNKNOWN
								      : BASIS_WIRE;
	if (fin)
		r->basis_fin = asked(r, EVIDENCE_FIN)          ? BASIS_SOCKET
			       : fin_proven(side_of(c, first)) ? BASIS_WIRE
							       : BASIS_UNKNOWN;
}

/* ---- the traffic, with --all-segments ---- */

static void copy_traffic(struct record_traffic *to, const struct traffic_side *from, uint64_t start)
{
	to->packets = traffic_packets(from);
	to->bytes = traffic_bytes(from);
	to->retransmits = from->retransmits;
	to->retransmitted_bytes = from->retransmitted_bytes;
	to->last_data = to->bytes ? span(start, from->t_data) : NUMBER_UNSEEN;
	to->runs_lost = from->runs_lost;
	to->run_count = from->runs;
	for (unsigned i = 0; i < to->run_count; i++) {
		to->run[i].count = from->run[i].count;
		to->run[i].flags = from->run[i].flags;
	}
}

/* When the first FIN or the RST that ended it came; 0 without either. */
static uint64_t close_begins(const struct facts *c)
{
	uint64_t begins = 0;

	for (enum role role = SOURCE; role <= DESTINATION; role++)
		if (has(c, role, SIDE_FIN) && (!begins || side_of(c, role)->t_fin < begins))
			begins = side_of(c, role)->t_fin;
	return begins ? begins : in_state(c, FLOW_RESET) ? c->flow->reset.time : 0;
}

static void traffic(struct record *r, const struct facts *c, const struct traffic *t)
{
	uint64_t active = c->flow->open.t_ack, begins = close_begins(c);
	unsigned twice = 0;

	r->captured_twice = c->flow->duplicates;
	r->idle = TIMING_UNSEEN;
	r->counted = t;
	if (!t)
		return;
	for (enum role role = SOURCE; role <= DESTINATION; role++) {
		const struct traffic_side *side = &t->side[c->side[role]];

		copy_traffic(&r->traffic[role], side, c->flow->t_first);
		twice += side->twice;
		if (traffic_bytes(side) && side->t_data > active)
			active = side->t_data;
	}
	r->captured_twice = twice; /* those of the log, too */
	if (begins)                /* data may go on after the first FIN */
		r->idle = begins > active ? (int64_t)(begins - active) : 0;
}

/* What the path swallowed, by the socket of this host. Whoever repeats its FIN hears nothing at all. */
static void swallowed_of_socket(struct record *r, const struct facts *c, enum role role, const struct closing_socket *s)
{
	if (!s || !s->swallowed || s->awaited <= black_hole_least(c->key->family) ||
	    side_of(c, other_role(role))->fin_copies)
		return;
	r->mtu_black_hole.sender = role;
	r->mtu_black_hole.bytes = s->awaited;
	r->mtu_black_hole.retransmits = s->awaited_copies;
}

/* What the path swallowed of the side that repeated more of it. */
static void black_hole(struct record *r, const struct facts *c, const struct verdict_context *context)
{
	const struct black_hole *hole = context->traffic ? &context->traffic->hole : context->hole;

	for (enum role role = SOURCE; hole && role <= DESTINATION; role++) {
		const struct black_hole_side *side = &hole->side[c->side[role]];

		if (!side->bytes || side->repeated <= r->mtu_black_hole.retransmits)
			continue;
		r->mtu_black_hole.sender = role;
		r->mtu_black_hole.bytes = side->bytes;
		r->mtu_black_hole.retransmits = side->repeated;
		r->mtu_black_hole.passed = side->passed;
	}
	for (enum role role = SOURCE; !r->mtu_black_hole.bytes && role <= DESTINATION; role++)
		swallowed_of_socket(r, c, role, context->sockets.side[c->side[role]]);
}

/* Is one of the times wrong between which the connection was silent? */
static bool payload_jumped(const struct facts *c, const struct last_payload *p)
{
	return p && (jumped(c, p->last) || jumped(c, p->before) || jumped(c, p->open));
}

static void forget_silence(struct record *r)
{
	r->silence = NUMBER_UNSEEN;
	r->silence_at_most = false;
	r->silence_answered = NO;
}

static void silence(struct record *r, const struct facts *c, const struct flow *whole)
{
	const struct verdict_context *context = c->context;
	struct silence s = silence_before_close(whole, context->payload, context->traffic, &context->sockets);

	r->silence = s.ns;
	r->silence_at_most = s.at_most;
	r->silence_answered = s.answered ? YES : NO;
	if (payload_jumped(c, context->payload))
		forget_silence(r);
}

/* ---- this host's sockets ---- */

/*
 * A process that ends makes no call. A socket that others hold as well is not closed by a process's close(): it was
 * shut down, or destroyed.
 */
static enum how how_closed(const struct socket_close *close)
{
	bool last = close->flags & SOCKET_LAST_HOLDER, aborted = close->to == SOCKET_CLOSE;

	if (!close->to)
		return HOW_UNKNOWN;
	if (!(close->flags & SOCKET_PROCESS))
		return HOW_KERNEL;
	if (close->flags & SOCKET_UNACCEPTED)
		return HOW_UNACCEPTED;
	if (last && close->flags & SOCKET_EXITING)
		return HOW_EXIT;
	if (aborted && (!last || close->flags & SOCKET_LINGER_0) && close->from != SOCKET_SYN_SENT)
		return HOW_ABORT;
	return last ? HOW_CLOSE : HOW_SHUTDOWN;
}

static void socket_closed(struct record_socket *to, const struct facts *c, enum role role,
			  const struct socket_close *close)
{
	const struct flow_side *own = side_of(c, role), *peer = side_of(c, other_role(role));

	to->unread_bytes = close->unread;
	to->unsent_bytes = close->unsent;
	if (to->how == HOW_KERNEL)
		return;
	to->process.pid = close->pid;
	to->process.uid = close->uid;
	to->cgroup = close->cgroup;
	_Static_assert(sizeof(close->name) <= RECORD_NAME, "names are copied whole");
	memcpy(to->process.name, close->name, sizeof(close->name));
	if (close->to != SOCKET_CLOSE && own->seen & SIDE_FIN && own->t_fin >= close->time)
		to->close_to_fin = span(close->time, own->t_fin);
	if (peer->seen & SIDE_FIN && close->time >= peer->t_fin)
		to->peer_fin_to_close = span(peer->t_fin, close->time);
}

static void socket_of(struct record_socket *to, const struct facts *c, enum role role, const struct closing_socket *s)
{
	if (!s)
		return;
	to->known = true;
	to->how = how_closed(&s->close);
	to->netns = s->netns;
	to->unread_bytes = to->unsent_bytes = NUMBER_UNSEEN;
	to->close_to_fin = to->peer_fin_to_close = TIMING_UNSEEN;
	if (to->how != HOW_UNKNOWN)
		socket_closed(to, c, role, &s->close);
	to->srtt = s->srtt ? s->srtt * US_NS : TIMING_UNSEEN;
	to->retransmits = s->retransmits;
	to->reset_received = s->reset_received ? (int64_t)(s->reset_received - c->flow->t_first) : TIMING_UNSEEN;
	_Static_assert(SOCKET_STEPS <= RECORD_STEPS, "each has a place");
	to->step_count = s->step_count;
	for (unsigned i = 0; i < s->step_count; i++) {
		to->steps[i].t = (int64_t)(s->entered[i] - c->flow->t_first);
		to->steps[i].state = kernel_state(s->states[i]);
	}
}

/* Copies the holder, unless a process is known to have closed: a record names one process an end. */
static void holder_of(struct record_socket *to, const struct verdict_holder *holder)
{
	if (!holder->process || socket_closer(to))
		return;
	to->process.pid = (uint32_t)holder->process->pid;
	to->process.uid = holder->process->uid;
	to->process.holders = holder->holders;
	_Static_assert(sizeof(holder->process->name) <= RECORD_NAME, "names are copied whole");
	memcpy(to->process.name, holder->process->name, sizeof(holder->process->name));
	to->names = cgroup_names_of(&holder->process->identity);
}

/* Why this host sent the RST: its kernel's word, or ours where its TCP has sent none. */
static const char *reset_reason(const struct facts *c, const struct verdict_context *context)
{
	if (context->sockets.reset_reason)
		return context->sockets.reset_reason;
	return filter_made_it(c, context) ? RECORD_PACKET_FILTER : NULL;
}

static void listener_of(struct record_listener *to, const struct facts *c, const struct verdict_context *context)
{
	const struct listener *l = context->listener;
	const struct process *holder = context->listener_holder;

	if (!l)
		return;
	to->state = l->state;
	to->t = (int64_t)(l->time - c->flow->t_first);
	to->queue = l->queue;
	to->backlog = l->backlog;
	to->uid = l->uid;
	if (!holder)
		return;
	to->pid = (uint32_t)holder->pid;
	to->unit = context->listener_names.unit;
	_Static_assert(sizeof(holder->name) <= RECORD_NAME, "names are copied whole");
	memcpy(to->name, holder->name, sizeof(holder->name));
}

/* The container of an end of which nothing is known but its listener. */
static void names_of_listener(struct cgroup_names *names, const struct verdict_context *context)
{
	if (names->unit || names->container || names->pod || !context->listener_holder)
		return;
	names->container = context->listener_names.container;
	names->pod = context->listener_names.pod;
}

static void sockets(struct record *r, const struct facts *c, const struct verdict_context *context)
{
	for (enum role role = SOURCE; role <= DESTINATION; role++) {
		unsigned side = c->side[role];

		socket_of(&r->socket[role], c, role, context->sockets.side[side]);
		r->socket[role].lost = context->sockets.lost[side];
		r->socket[role].names = context->sockets.names[side];
		holder_of(&r->socket[role], &context->holder[side]);
	}
	if (r->reset.by != NOBODY)
		r->reset.reason = reset_reason(c, context);
	listener_of(&r->listener, c, context);
	names_of_listener(&r->socket[DESTINATION].names, context);
}

/* ---- all of it ---- */

static void ends(struct record *r, const struct facts *c)
{
	const struct flow_open *o = &c->flow->open;

	for (enum role role = SOURCE; role <= DESTINATION; role++) {
		unsigned side = c->side[role];
		struct record_end *end = &r->end[role];

		address_to_bytes(end->ip, &c->key->addr[side], c->key->family);
		end->port = c->key->port[side];
		end->state = state(c, role);
		end->wscale = o->wscale[side] > 14 ? NUMBER_UNSEEN : o->wscale[side];
		end->fin_retransmits = side_of(c, role)->fin_copies;
		end->data_copies = has(c, role, SIDE_FIN_ACKED) ? 0 : side_of(c, role)->data_copies;
		end->bytes = bytes_sent(c, role);
		r->isn[role] = isn_known(c, role) ? (int64_t)isn(c, role) : NUMBER_UNSEEN;
		r->fin_original[role] = has(c, role, SIDE_FIN | SIDE_FIN_NEXT) && !fin_was_missed(c, role);
	}
}

/* Forgets FINs and acknowledgments that came after the RST that ended the connection: they are no part of its close. */
static void drop_after_reset(struct flow *f)
{
	if (!(f->state & FLOW_RESET))
		return;
	for (unsigned side = 0; side < 2; side++) {
		struct flow_side *s = &f->side[side];

		if (s->seen & SIDE_ACKED_AFTER_RESET)
			s->seen &= ~SIDE_FIN_ACKED;
		if (!(s->seen & SIDE_FIN_AFTER_RESET))
			continue;
		s->seen &= ~(SIDE_FIN | SIDE_FIN_ACKED | SIDE_FIN_NEXT | SIDE_FIN_ANSWERS);
		if (s->now.end == s->fin_end)
			s->now.end--;
	}
}

/* Where the connection was seen, and when. end: flow time of its last step. */
static void frame(struct record *r, const struct facts *c, const struct verdict_context *context, uint64_t end)
{
	memcpy(r->interfaces, context->interfaces, sizeof(r->interfaces));
	r->netns = context->netns;
	r->netns_inode = context->netns_inode;
	r->family = c->key->family;
	for (int i = 0; i < PACKET_MAX_TAGS; i++)
		r->vlan[i] = c->flow->open.vlan[i] == PACKET_NO_TAG ? -1 : c->flow->open.vlan[i];
	r->tunnel = c->flow->tunnel;
	r->tunnel_id = c->flow->tunnel_has_id ? (int64_t)c->flow->tunnel_id : NUMBER_UNSEEN;
	r->start = c->flow->t_first + context->wall_offset;
	r->finish = end + context->wall_offset;
	r->midstream = in_state(c, FLOW_MIDSTREAM);
}

static void judge(struct record *r, const struct facts *c, const struct verdict_context *context)
{
	enum answer made_up = forged(c, context);

	r->outcome = outcome(c, context->reason);
	r->closer = closer(c, made_up);
	r->pattern = r->outcome == OUTCOME_GRACEFUL ? pattern(c, r->closer) : PATTERN_NONE;
	r->time_wait = time_wait(c);
	r->missing = missing(c);
	judge_reset(r, c, made_up);
}

static void times(struct record *r, const struct facts *c, uint64_t end)
{
	const struct flow_open *o = &c->flow->open;

	for (int i = 0; i < TIMINGS; i++)
		r->timing[i] = TIMING_UNSEEN;
	time_opening(r, c);
	time_close(r, c, end);
	if (o->seen & OPEN_SYN)
		r->timing[T_LIFETIME] = step_span(c, o->t_syn, end);
}

/* Puts the flow's segments into `all`: of a reopened flow, those of its handshake before the log. Returns how many. */
static unsigned gather_segments(struct flow_segment all[RECORD_SEGMENTS], const struct flow *f,
				const struct flow_segment *log, bool order_by_time)
{
	unsigned kept = f->log_len < FLOW_LOG_CLOSING ? f->log_len : FLOW_LOG_CLOSING;
	unsigned n = f->state & FLOW_REOPENED ? flow_handshake_log(&f->open, all) : 0;

	memcpy(all + n, log, kept * sizeof(*log));
	n += kept;
	if (order_by_time)
		sort_by_time(all, n);
	return n;
}

static void fill_icmp(struct record *r, const struct facts *c)
{
	r->icmp.known = c->flow->icmp != 0;
	r->icmp.type = c->flow->icmp >> 8;
	r->icmp.code = c->flow->icmp & 0xff;
	r->icmp.by_destination = icmp_by_destination(c);
	address_to_bytes(r->icmp.by, &c->flow->icmp_by, r->family);
	if (r->outcome == OUTCOME_REFUSED && !in_state(c, FLOW_RESET))
		r->closer = r->icmp.by_destination ? DESTINATION : NETWORK;
}

static void handshake(struct record *r, const struct facts *c)
{
	r->syn_retransmits = c->flow->open.syn_copies;
	r->synack_retransmits = c->flow->open.synack_copies;
	r->challenge_acks = c->flow->challenged;
	r->stuck_in_syn_received = is_stuck_in_syn_received(c, r);
}

/* The event.id of a related connection, as its own record has it. */
static void name_peer(struct record_peer *to, const struct related_peer *peer, const struct verdict_context *context)
{
	struct record other = {.family = peer->family, .host = context->host};

	to->family = peer->family;
	for (enum role role = SOURCE; role <= DESTINATION; role++) {
		to->port[role] = peer->port[role];
		address_to_bytes(to->ip[role], &peer->addr[role], peer->family);
		memcpy(other.end[role].ip, to->ip[role], sizeof(to->ip[role]));
		other.end[role].port = peer->port[role];
	}
	other.isn[SOURCE] = peer->midstream ? NUMBER_UNSEEN : (int64_t)peer->isn;
	if (!context->nameless)
		event_id(to->id, &other, peer->start + (uint64_t)context->id_offset);
}

static void find_related(struct record *r, const struct facts *c, unsigned source)
{
	const struct verdict_context *context = c->context;
	struct related_peer me = related_of_flow(c->key, c->flow, source), found[RELATED_MOST];
	const struct record_segment *stray = record_stray_segment(r);

	_Static_assert(RELATED_MOST <= RECORD_RELATED, "each has a place");
	if (!context->related)
		return;
	me.midstream |= r->stray;
	r->related_count = stray ? related_find_stray(context->related, &me, stray->raw_seq, stray->raw_ack, found)
				 : related_find(context->related, &me, found);
	for (unsigned i = 0; i < r->related_count; i++) {
		name_peer(&r->related[i], &found[i], context);
		r->related[i].same_syn = !me.midstream && !found[i].midstream;
	}
}

/* A stray closes nothing. What is said of a connection's end does not hold of it. */
static void make_stray(struct record *r, const struct verdict_context *context)
{
	r->stray = true;
	r->direction = context->direction;
	r->outcome = OUTCOME_UNKNOWN;
	r->pattern = PATTERN_NONE;
	r->closer = NOBODY;
	r->time_wait = NOBODY;
	r->missing = MISSING_NOTHING;
	forget_silence(r);
	r->mtu_black_hole.bytes = 0;
	r->reset.ignored = 0;
	r->completeness = 0;
	r->conn_state = "OTH";
	r->history[0] = '\0';
}

/* What is read from the listed segments. */
static void read_segments(struct record *r, const struct facts *c)
{
	find_evidence(r, c);
	find_basis(r, c);
	r->completeness = completeness(r, c);
	zeek_names(r);
}

void verdict(struct record *r, const struct flow_key *key, const struct flow *whole, const struct flow_segment *log,
	     const struct verdict_context *context)
{
	struct flow_segment ordered[RECORD_SEGMENTS];
	struct flow decided = *whole, *f = &decided;
	unsigned n = gather_segments(ordered, f, log, context->order_by_time);
	unsigned source = verdict_source(key, f, context->opener);
	const struct facts c = {.key = key, .flow = f, .side = {source, !source}, .context = context};
	uint64_t end;

	drop_after_reset(f);
	end = last_step(&c);
	memset(r, 0, offsetof(struct record, segments)); /* of those, copy_segments fills as many as there are */
	frame(r, &c, context, end);
	r->final = context->reason != REPORT_INTERIM;
	judge(r, &c, context);
	times(r, &c, end);
	ends(r, &c);
	r->host = context->host;
	if (!context->nameless)
		event_id(r->id, r, f->t_first + (uint64_t)context->id_offset);
	r->half_closed_bytes = bytes_half_closed(&c, r->closer);
	traffic(r, &c, context->traffic);
	silence(r, &c, whole);
	black_hole(r, &c, context);
	r->bytes_approximate = may_have_wrapped(r, &c);
	sockets(r, &c, context);
	handshake(r, &c);
	fill_icmp(r, &c);
	copy_segments(r, &c, ordered, n);
	if (r->clock_jumps)
		forget_silence(r);
	for (enum role role = SOURCE; role <= DESTINATION; role++)
		r->heard_before[role] = f->heard_before & 1 << c.side[role];
	if (!context->brief)
		read_segments(r, &c);
	if (context->stray)
		make_stray(r, context);
	find_related(r, &c, source);
}
