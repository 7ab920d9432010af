// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Zeek follows each end's state by itself, without numbers: src/packet_analysis/protocol/tcp/TCPSessionAdapter.cc.
 * conn_state is made of the two final states, in scripts/base/protocols/conn/main.zeek. The originator is our source.
 *
 * Of the segments that the record does not list, data and ACKs between handshake and close are known to have been
 * there. What its receiver did not act on changes no state: Zeek takes any FIN or RST.
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "user/judge/zeek.h"

/* TCP_ENDPOINT_* of Zeek's TCP_Endpoint.h, without the two that this does not need. */
enum zeek_state { INACTIVE, SYN_SENT, PARTIAL, ESTABLISHED, CLOSED, RESET };

struct zeek {
	enum zeek_state state[2], before[2]; /* of originator and responder; `before`: before its latest change */
};

static void enter(struct zeek *z, enum role me, enum zeek_state state)
{
	if (z->state[me] == state)
		return;
	z->before[me] = z->state[me];
	z->state[me] = state;
}

/* UpdateInactiveState: the end is heard for the first time. */
static void hear_first(struct zeek *z, enum role me, uint8_t flags, bool data)
{
	enum role peer = other_role(me);

	if (flags & TCP_SYN && me == SOURCE)
		enter(z, me, SYN_SENT);
	if (flags & TCP_SYN && me == DESTINATION) {
		if (z->state[peer] == SYN_SENT)
			enter(z, peer, ESTABLISHED);
		enter(z, me, ESTABLISHED);
	}
	if (flags & TCP_FIN)
		enter(z, me, CLOSED);
	if (flags & TCP_RST)
		enter(z, me, RESET);
	if (z->state[me] != INACTIVE || (me == DESTINATION && !data && z->state[SOURCE] == SYN_SENT))
		return;
	enter(z, me, flags & TCP_ACK && z->state[peer] == ESTABLISHED ? ESTABLISHED : PARTIAL);
}

/* UpdateSYN_SentState, UpdateEstablishedState and UpdateClosedState; a RST is the last state (UpdateResetState). */
static void hear_again(struct zeek *z, enum role me, uint8_t flags)
{
	enum role peer = other_role(me);
	bool open = z->state[me] == ESTABLISHED || z->state[me] == PARTIAL;

	if (z->state[me] == PARTIAL && z->state[peer] == INACTIVE && (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		enter(z, me, SYN_SENT);
	if (flags & TCP_FIN && !(flags & TCP_RST) && (open || z->state[me] == SYN_SENT)) {
		enter(z, me, CLOSED);
		if (open && z->state[peer] == RESET && z->before[peer] == CLOSED) /* it had closed before its RST */
			enter(z, peer, CLOSED);
	}
	if (flags & TCP_RST && !(z->state[me] == CLOSED && z->state[peer] == CLOSED))
		enter(z, me, RESET);
}

static void hear(struct zeek *z, enum role me, uint8_t flags, bool data)
{
	if (z->state[me] == INACTIVE)
		hear_first(z, me, flags, data);
	else if (z->state[me] != RESET)
		hear_again(z, me, flags);
}

/* ---- history: update_history of TCPSessionAdapter.cc ---- */

/* The letters that come again do so where the number is another than that of the last one with the letter. */
struct last_number {
	bool seen;
	uint32_t number;
};

struct history {
	struct record *r;
	size_t length;
	uint32_t letters[2]; /* by role: a bit each, by their place in the alphabet */
	struct last_number syn[2], fin[2], rst[2];
};

static void add(struct history *h, char letter, enum role from)
{
	h->letters[from] |= 1u << (letter & 31);
	if (h->length + 1 < sizeof(h->r->history))
		h->r->history[h->length++] = from == SOURCE ? letter : (char)(letter | 0x20);
}

static void add_once(struct history *h, char letter, enum role from)
{
	if (!(h->letters[from] >> (letter & 31) & 1))
		add(h, letter, from);
}

static void add_new(struct history *h, char letter, enum role from, struct last_number *last, uint32_t number)
{
	if (!last->seen || last->number != number)
		add(h, letter, from);
	last->seen = true;
	last->number = number;
}

static void spell(struct history *h, const struct record_segment *s)
{
	uint8_t control = s->flags & TCP_CONTROL;
	enum role from = s->from;

	if (control & (control - 1))
		add_once(h, (control & (TCP_FIN | TCP_RST)) == (TCP_FIN | TCP_RST) ? 'I' : 'Q', from);
	else if (control == TCP_SYN)
		add_new(h, s->flags & TCP_ACK ? 'H' : 'S', from, &h->syn[from], s->raw_seq);
	else if (control == TCP_FIN)
		add_new(h, 'F', from, &h->fin[from], s->raw_seq + s->len);
	else if (control == TCP_RST)
		add_new(h, 'R', from, &h->rst[from], s->raw_seq);
	else if (s->len)
		add_once(h, 'D', from);
	else if (s->flags & TCP_ACK)
		add_once(h, 'A', from);
}

/* ---- the names: conn_state of main.zeek ---- */

/* Does a RST of the originator follow its SYN with nothing of an open connection between? /\^?S[^HAFGIQ]*R/ */
static bool reset_after_syn(const char *history)
{
	const char *reset = strchr(history, 'R'), *other = strpbrk(history, "HAFGIQ");

	return history[0] == 'S' && reset && (!other || other > reset);
}

/* Was payload captured? Without a handshake its bytes are not known, and one segment with data is enough. */
static bool carried_data(const struct record *r)
{
	for (enum role role = SOURCE; role <= DESTINATION; role++)
		if (r->end[role].bytes > 0 || (r->midstream && r->heard_before[role]))
			return true;
	for (unsigned i = 0; i < r->segment_count; i++)
		if (r->segments[i].len && !(r->segments[i].flags & TCP_CONTROL))
			return true;
	return false;
}

static const char *name_reset_responder(const struct zeek *z, const struct record *r)
{
	enum zeek_state orig = z->state[SOURCE];

	if (orig == SYN_SENT || (orig == RESET && !carried_data(r)))
		return "REJ";
	return orig == INACTIVE || orig == PARTIAL ? "RSTRH" : "RSTR";
}

static const char *name(const struct zeek *z, const struct record *r)
{
	enum zeek_state orig = z->state[SOURCE], resp = z->state[DESTINATION];
	bool no_orig = orig == INACTIVE || orig == PARTIAL, no_resp = resp == INACTIVE || resp == PARTIAL;

	if (resp == RESET)
		return name_reset_responder(z, r);
	if (orig == RESET && no_resp)
		return reset_after_syn(r->history) ? "RSTOS0" : "OTH";
	if (orig == RESET)
		return "RSTO";
	if (orig == CLOSED && resp == CLOSED)
		return "SF";
	if (orig == CLOSED)
		return no_resp ? "SH" : "S2";
	if (resp == CLOSED)
		return no_orig ? "SHR" : "S3";
	if (orig == SYN_SENT && resp == INACTIVE)
		return "S0";
	return orig == ESTABLISHED && resp == ESTABLISHED ? "S1" : "OTH";
}

/* Data and ACKs between handshake and close, as far as bytes and numbers prove them. */
static void hear_unlisted(struct zeek *z, struct history *h)
{
	const struct record *r = h->r;

	for (enum role role = SOURCE; role <= DESTINATION; role++) {
		if (r->midstream && z->state[role] == INACTIVE && r->heard_before[role])
			hear(z, role, TCP_ACK, true);
		if (record_unlisted_bytes(r, role)) {
			add_once(h, 'D', role);
			hear(z, role, TCP_ACK, true);
		}
	}
}

/* Is the segment behind the handshake? Only there may others be left out. */
static bool is_behind_handshake(const struct record_segment *s, const struct record_segment *first)
{
	return !(s->flags & TCP_SYN) &&
	       (s != first + 2 || s->mark & SEGMENT_FOLDED || s->flags & TCP_CONTROL || s->len);
}

void zeek_names(struct record *r)
{
	struct zeek z = {.state = {INACTIVE, INACTIVE}};
	struct history h = {.r = r};
	bool opened = false;

	for (unsigned i = 0; i < r->segment_count; i++) {
		const struct record_segment *s = &r->segments[i];

		if (!opened && is_behind_handshake(s, r->segments)) {
			hear_unlisted(&z, &h);
			opened = true;
		}
		spell(&h, s);
		if (!(s->mark & SEGMENT_IGNORED))
			hear(&z, s->from, s->flags, s->len > 0);
	}
	if (!opened)
		hear_unlisted(&z, &h);
	r->history[h.length] = 0;
	r->conn_state = name(&z, r);
}
