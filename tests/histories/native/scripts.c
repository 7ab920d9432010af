// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the applications of a history do. A script says what each end's application makes of what it hears; TCP and the
 * network do the rest.
 */
#include <stddef.h>
#include <string.h>

#include "tests/histories/native/history.h"

enum once { ONCE_REQUEST = 1, ONCE_RESPONSE = 2, ONCE_THEN = 4, ONCE_ANSWER = 8, ONCE_ABORT = 16 };

/* True the first time. */
static bool once(struct history *h, enum once what)
{
	bool new = !(h->play.done & what);

	h->play.done |= what;
	return new;
}

static void soon(struct history *h, action *act, unsigned side, uint64_t value, uint64_t most)
{
	network_after(h, history_between(h, 1, most), act, side, value);
}

static void write_soon(struct history *h, unsigned side, uint64_t length)
{
	end_write(h, side, (uint32_t)length);
}

static uint64_t sum(const uint32_t *lengths, unsigned n)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < n; i++)
		all += lengths[i];
	return all;
}

static bool has_request(const struct history *h)
{
	return h->end[1].taken == h->play.early + sum(h->play.request, h->play.requests);
}

/* Both have sent all of request and response, and each knows that it has arrived. */
static bool is_quiet(const struct history *h)
{
	return has_request(h) && h->end[0].taken == sum(h->play.response, h->play.responses) && !h->end[0].kept_count &&
	       !h->end[1].kept_count && h->end[0].state == END_SYNCHRONIZED && h->end[1].state == END_SYNCHRONIZED;
}

static void heard_talk(struct history *h, unsigned side, enum heard what)
{
	struct play *p = &h->play;

	(void)side;
	(void)what;
	if (h->end[0].state == END_SYNCHRONIZED && once(h, ONCE_REQUEST))
		for (unsigned i = 0; i < p->requests; i++)
			soon(h, write_soon, 0, p->request[i], 5 * MS);
	if (h->end[1].state == END_SYNCHRONIZED && has_request(h) && once(h, ONCE_RESPONSE))
		for (unsigned i = 0; i < p->responses; i++)
			soon(h, write_soon, 1, p->response[i], 5 * MS);
	if (p->done & ONCE_REQUEST && p->done & ONCE_RESPONSE && is_quiet(h) && once(h, ONCE_THEN) && p->then)
		soon(h, p->then, 0, 0, 400 * MS);
}

/* Request and response; then(side) is called once all is acknowledged. */
static void talk(struct history *h, action *then)
{
	h->play.then = then;
	h->end[0].heard = h->end[1].heard = heard_talk;
}

static void nobody_listens(struct history *h)
{
	h->end[0].heard = h->end[1].heard = NULL;
}

/* ---- the answer to a FIN ---- */

static void answer(struct history *h, unsigned side, uint64_t value)
{
	(void)value;
	for (unsigned i = 0; i < h->play.data; i++)
		end_write(h, side, (uint32_t)history_between(h, 1, 1000));
	if (h->play.aborts)
		end_abort(h, side);
	else
		end_close(h, side, 0);
}

static void heard_fin(struct history *h, unsigned side, enum heard what)
{
	if (what != HEARD_FIN || !once(h, ONCE_ANSWER))
		return;
	if (h->play.wait)
		network_after(h, h->play.wait, answer, side, 0);
	else
		answer(h, side, 0);
}

/* When the side has the peer's FIN, it sends data and closes, `wait` ns later; 0: at once. */
static void closes_after(struct history *h, unsigned side, uint64_t wait, unsigned data)
{
	h->play.wait = wait;
	h->play.data = data;
	h->end[side].heard = heard_fin;
}

/* ---- graceful ---- */

/* Which side begins: kept in the script. */
static unsigned first_side(const struct history *h)
{
	return h->play.script->side;
}

static void begin_one_closes(struct history *h, unsigned side, uint64_t value)
{
	const struct play *p = &h->play;

	(void)side;
	(void)value;
	closes_after(h, !first_side(h), p->wait, p->wait && history_below(h, 3) == 0 ? 3 : 0);
	end_close(h, first_side(h), p->last);
}

/* Alone or with its last data; the other side at once, later, or after more data. */
static void one_closes(struct history *h, unsigned side)
{
	static const struct {
		uint64_t least, above;
	} waits[] = {{0, 1}, {1, 30 * MS}, {MS, 900 * MS}};
	unsigned wait = (unsigned)history_below(h, 3);

	(void)side;
	h->play.last = history_below(h, 3) ? 0 : (uint32_t)history_between(h, 1, 1000);
	h->play.wait = history_between(h, waits[wait].least, waits[wait].above);
	talk(h, begin_one_closes);
}

static void close_if_first(struct history *h, unsigned side, uint64_t value)
{
	(void)value;
	if (h->end[side].state == END_SYNCHRONIZED)
		end_close(h, side, 0);
}

static void begin_both_close(struct history *h, unsigned side, uint64_t value)
{
	(void)side;
	(void)value;
	end_close(h, 0, 0);
	network_after(h, history_below(h, h->delay[0] + h->delay[1] + 1), close_if_first, 1, 0);
}

/* Each before it can have the other's FIN. */
static void both_close(struct history *h, unsigned side)
{
	(void)side;
	talk(h, begin_both_close);
}

/* The SYN carries the first of the request (RFC 7413), which the destination may leave alone. */
static void fast_open(struct history *h, unsigned side)
{
	h->play.early = h->end[0].syn_data = (uint32_t)history_between(h, 1, 1400);
	h->end[1].takes_syn_data = history_below(h, 2);
	one_closes(h, side);
}

/* A keep-alive: nothing, at the number before the next one (RFC 9293 section 3.8.4). */
static void probe(struct history *h, unsigned side, uint64_t value)
{
	const struct end *e = &h->end[side];

	(void)value;
	if (e->state == END_SYNCHRONIZED && !e->kept_count)
		end_send(h, side, TCP_ACK, e->nxt - 1, 0);
}

static void close_answered_late(struct history *h, unsigned side, uint64_t wait)
{
	closes_after(h, !side, wait, 0);
	end_close(h, side, 0);
}

static void begin_probed(struct history *h, unsigned side, uint64_t value)
{
	(void)side;
	(void)value;
	for (unsigned i = 1; i < 5; i++)
		network_after(h, i * 900 * MS, probe, (unsigned)history_below(h, 2), 0);
	network_after(h, 2500 * MS, close_answered_late, first_side(h), 5000 * MS);
}

/* Both sides send keep-alives, before the close and while it is half closed. */
static void probed_closes(struct history *h, unsigned side)
{
	(void)side;
	talk(h, begin_probed);
}

static void close_late(struct history *h, unsigned side, uint64_t value)
{
	(void)value;
	end_close(h, side, 0);
}

static void heard_fin_go_on(struct history *h, unsigned side, enum heard what)
{
	if (what != HEARD_FIN || !once(h, ONCE_ANSWER))
		return;
	for (unsigned i = 1; i < 6; i++)
		network_after(h, i * 5000 * MS, write_soon, side, history_between(h, 1, 1000));
	network_after(h, 30000 * MS, close_late, side, 0);
}

static void begin_long(struct history *h, unsigned side, uint64_t value)
{
	(void)side;
	(void)value;
	h->end[!first_side(h)].heard = heard_fin_go_on;
	h->end[first_side(h)].heard = NULL;
	end_close(h, first_side(h), 0);
}

/* The other side goes on sending for half a minute. */
static void long_half_closed(struct history *h, unsigned side)
{
	(void)side;
	talk(h, begin_long);
}

static void abort_late(struct history *h, unsigned side, uint64_t value)
{
	(void)value;
	end_abort(h, side);
}

static void heard_acked_abort(struct history *h, unsigned side, enum heard what)
{
	if (what == HEARD_ACKED && end_fin_acked(&h->end[side]) && once(h, ONCE_ABORT))
		soon(h, abort_late, side, 0, 300 * MS);
}

static void heard_fin_close(struct history *h, unsigned side, enum heard what)
{
	if (what != HEARD_FIN || !once(h, ONCE_ANSWER))
		return;
	h->end[side].heard = heard_acked_abort;
	end_close(h, side, 0);
}

static void begin_reset_behind(struct history *h, unsigned side, uint64_t value)
{
	(void)side;
	(void)value;
	h->end[!first_side(h)].heard = heard_fin_close;
	h->end[first_side(h)].heard = NULL;
	end_close(h, first_side(h), 0);
}

/* The side that closed second sends an RST when its FIN was acknowledged. */
static void reset_behind_close(struct history *h, unsigned side)
{
	(void)side;
	talk(h, begin_reset_behind);
}

/* ---- a window that is full ---- */

static void abort_if_open(struct history *h, unsigned side, uint64_t value)
{
	(void)value;
	if (h->end[side].state == END_SYNCHRONIZED)
		end_abort(h, side);
}

static void open_window(struct history *h, unsigned side, uint64_t value)
{
	(void)value;
	if (h->end[side].state != END_SYNCHRONIZED)
		return;
	h->end[side].shut = h->end[side].fills = false;
	end_send(h, side, TCP_ACK, 0, 0);
}

/*
 * Probes the window, with nothing as Linux or with a byte (RFC 9293 section 3.8.6.1), until it is open: then the rest
 * is sent, and the connection closed. value: how often it has probed.
 */
static void probe_window(struct history *h, unsigned side, uint64_t value)
{
	const struct end *e = &h->end[side];

	if (e->state != END_SYNCHRONIZED)
		return;
	if (!e->peer_shut && !e->kept_count && value) {
		write_soon(h, side, h->play.last + 1);
		closes_after(h, !side, h->play.wait, 0);
		end_close(h, side, 0);
		return;
	}
	/* What waits for an acknowledgment is repeated, and is a probe. */
	if (!e->kept_count && h->play.beyond)
		write_soon(h, side, 1);
	else if (!e->kept_count)
		end_send(h, side, TCP_ACK, e->nxt - 1, 0);
	network_after(h, (200 * MS) << value, probe_window, side, value < 4 ? value + 1 : value);
}

static void begin_full(struct history *h, unsigned side, uint64_t value)
{
	unsigned writer = !first_side(h);

	(void)side;
	(void)value;
	nobody_listens(h);
	h->end[!writer].fills = true;
	end_write(h, writer, (uint32_t)history_between(h, 1, 1460));
	network_after(h, 300 * MS, probe_window, writer, 0);
	if (history_below(h, 3)) /* it reads on, or is closed before all was read */
		network_after(h, history_between(h, 500 * MS, 5000 * MS), open_window, !writer, 0);
	else
		network_after(h, history_between(h, 500 * MS, 5000 * MS), abort_if_open, history_below(h, 2), 0);
}

/* The side reads nothing for a while: its window fills, and is probed. */
static void fills(struct history *h, unsigned side)
{
	(void)side;
	h->play.beyond = history_below(h, 2);
	h->play.last = (uint32_t)history_below(h, 1000);
	h->play.wait = history_below(h, 30 * MS);
	talk(h, begin_full);
}

/* ---- resets ---- */

static void begin_abort(struct history *h, unsigned side, uint64_t value)
{
	(void)side;
	(void)value;
	end_abort(h, first_side(h));
}

static void one_aborts(struct history *h, unsigned side)
{
	(void)side;
	talk(h, begin_abort);
}

static void begin_abort_with_data(struct history *h, unsigned side, uint64_t value)
{
	(void)side;
	(void)value;
	nobody_listens(h);
	end_write(h, first_side(h), (uint32_t)history_between(h, 1, 1460));
	end_abort(h, first_side(h));
}

/* An RST right behind data that is on its way: if that is lost, the RST is challenged, and comes again. */
static void abort_with_data(struct history *h, unsigned side)
{
	(void)side;
	talk(h, begin_abort_with_data);
}

static void begin_crossing(struct history *h, unsigned side, uint64_t value)
{
	(void)side;
	(void)value;
	nobody_listens(h);
	end_close(h, !first_side(h), 0);
	network_after(h, history_below(h, h->delay[0] + h->delay[1] + 1), abort_if_open, first_side(h), 0);
}

/* A FIN of the one side, an RST of the other, which may not have the FIN yet. */
static void abort_crosses_fin(struct history *h, unsigned side)
{
	(void)side;
	talk(h, begin_crossing);
}

static void begin_abort_for_fin(struct history *h, unsigned side, uint64_t value)
{
	(void)side;
	(void)value;
	closes_after(h, first_side(h), history_between(h, MS, 500 * MS), 0);
	h->play.aborts = true;
	end_close(h, !first_side(h), 0);
}

/* The peer's FIN is acknowledged, and answered by an RST some time later. */
static void abort_for_fin(struct history *h, unsigned side)
{
	(void)side;
	talk(h, begin_abort_for_fin);
}

static void begin_abort_after_fin(struct history *h, unsigned side, uint64_t value)
{
	(void)side;
	(void)value;
	h->end[first_side(h)].heard = heard_acked_abort;
	h->end[!first_side(h)].heard = NULL;
	end_close(h, first_side(h), 0);
}

/* FIN; once that is acknowledged, an RST of the same side. */
static void abort_after_fin(struct history *h, unsigned side)
{
	(void)side;
	talk(h, begin_abort_after_fin);
}

static void end_close_later(struct history *h, unsigned side, uint64_t value)
{
	(void)value;
	if (h->end[side].state == END_SYNCHRONIZED)
		end_close(h, side, 0);
}

static void write_if_open(struct history *h, unsigned side, uint64_t length)
{
	if (h->end[side].state == END_SYNCHRONIZED)
		end_write(h, side, (uint32_t)length);
}

static void begin_forgotten(struct history *h, unsigned side, uint64_t value)
{
	static action *const says[] = {write_if_open, end_close_later, probe};

	(void)side;
	(void)value;
	nobody_listens(h);
	h->end[first_side(h)].state = END_CLOSED;
	h->end[first_side(h)].reset = true; /* knows of nothing, and says so */
	soon(h, says[history_below(h, 3)], !first_side(h), history_between(h, 1, 1460), 900 * MS);
}

/* The side's host has begun anew. The other one finds that out when it sends: data, a FIN or a keep-alive. */
static void forgets(struct history *h, unsigned side)
{
	(void)side;
	talk(h, begin_forgotten);
}

static void refused(struct history *h, unsigned side)
{
	(void)side;
	h->end[1].state = END_CLOSED;
}

static void heard_syn_ack_abort(struct history *h, unsigned side, enum heard what)
{
	if (what == HEARD_SYN_ACK)
		end_abort(h, side);
}

/* The source has given up when the SYN-ACK comes. */
static void cancelled(struct history *h, unsigned side)
{
	(void)side;
	h->end[0].heard = heard_syn_ack_abort;
}

/* ---- what is not finished ---- */

static void unanswered(struct history *h, unsigned side)
{
	(void)side;
	h->end[1].deaf = true;
}

static void begin_without_answer(struct history *h, unsigned side, uint64_t value)
{
	(void)side;
	(void)value;
	h->end[first_side(h)].deaf = true;
	end_close(h, !first_side(h), 0);
}

/* The side's host is gone when the other one closes. */
static void gone(struct history *h, unsigned side)
{
	(void)side;
	talk(h, begin_without_answer);
}

static void begin_never_closes(struct history *h, unsigned side, uint64_t value)
{
	(void)side;
	(void)value;
	h->end[first_side(h)].heard = NULL;
	end_close(h, !first_side(h), 0);
}

static void never_closes(struct history *h, unsigned side)
{
	(void)side;
	talk(h, begin_never_closes);
}

static void stays_open(struct history *h, unsigned side)
{
	(void)side;
	talk(h, NULL);
}

/* ---- forgeries ---- */

/*
 * In the name of the side, `distance` beyond the number that the other side expects; with ACK, acknowledging what is
 * `beyond` all that the other side has sent.
 */
static void forge(struct history *h, unsigned side, uint64_t distance)
{
	const struct end *e = &h->end[!side];
	const struct play *p = &h->play;
	const struct sent s = {.side = (uint8_t)side,
			       .flags = p->forgery,
			       .seq = e->rcv + distance,
			       .ack = p->forgery & TCP_ACK ? e->nxt + p->beyond : 0,
			       .length = p->forged_length,
			       .stamp = e->stamps ? e->recent - p->age : 0,
			       .scaled = e->scaled};

	if (e->state == END_SYNCHRONIZED)
		network_inject(h, &s);
}

static void begin_disturbed(struct history *h, unsigned side, uint64_t value)
{
	const struct play *p = &h->play;

	(void)side;
	(void)value;
	if (p->distance || p->age)
		soon(h, forge, p->forger, (uint64_t)p->distance, 100 * MS);
	else if (p->beyond)
		soon(h, forge, p->forger, 0, 100 * MS);
	else /* a guess that walks through the window, and misses */
		for (unsigned i = 0; i < 5; i++)
			soon(h, forge, p->forger, i * 9000 + 7, 100 * MS);
	network_after(h, 400 * MS, close_answered_late, 0, 30 * MS);
}

/* A forgery that nobody acts on, then an ordinary close. */
static void disturbed(struct history *h, uint8_t flags, int64_t distance, uint32_t length)
{
	h->play.forger = (unsigned)history_below(h, 2);
	h->play.forgery = flags;
	h->play.distance = distance;
	h->play.forged_length = length;
	talk(h, begin_disturbed);
}

static int64_t far_away(struct history *h)
{
	return (int64_t)history_between(h, 1000000, 1000000000);
}

static void reset_out_of_window(struct history *h, unsigned side)
{
	(void)side;
	disturbed(h, TCP_RST, far_away(h), 0);
}

static void reset_in_window(struct history *h, unsigned side)
{
	(void)side;
	disturbed(h, TCP_RST, (int64_t)history_between(h, 1000, 50000), 0);
}

static void reset_one_off(struct history *h, unsigned side)
{
	static const int64_t distances[] = {-1, 1, 2};

	(void)side;
	disturbed(h, TCP_RST, distances[history_below(h, 3)], history_below(h, 2) ? 40 : 0);
}

static void reset_left_of_window(struct history *h, unsigned side)
{
	(void)side;
	disturbed(h, TCP_RST | TCP_ACK, -(int64_t)history_between(h, 2, 50000), 0);
}

static void fin_left_of_window(struct history *h, unsigned side)
{
	(void)side;
	disturbed(h, TCP_FIN | TCP_ACK, -(int64_t)history_between(h, 2, 50000), 0);
}

static void fin_out_of_window(struct history *h, unsigned side)
{
	(void)side;
	disturbed(h, TCP_FIN | TCP_ACK, far_away(h), 0);
}

static void data_out_of_window(struct history *h, unsigned side)
{
	(void)side;
	disturbed(h, TCP_ACK, far_away(h), 100);
}

static void acknowledgment_beyond(struct history *h, unsigned side)
{
	(void)side;
	h->play.beyond = history_between(h, 1, 1000000000);
	disturbed(h, TCP_ACK, 0, 0);
}

/* ---- time stamps (RFC 7323 section 5) ---- */

static void use_stamps(struct history *h)
{
	h->end[0].stamps = h->end[1].stamps = true;
	h->end[0].syn_plain = 0;
}

/* A duplicate from long ago, which is next in sequence or inside the window. */
static void old_duplicate(struct history *h, uint8_t flags, uint32_t length)
{
	use_stamps(h);
	h->play.age = (uint32_t)history_between(h, 1, history_below(h, 2) ? 1000 : 1 << 30);
	disturbed(h, flags, history_below(h, 2) ? 0 : (int64_t)history_between(h, 1, 50000), length);
}

static void old_fin(struct history *h, unsigned side)
{
	(void)side;
	old_duplicate(h, TCP_FIN | TCP_ACK, (uint32_t)history_below(h, 2) * (uint32_t)history_between(h, 1, 1000));
}

static void old_data(struct history *h, unsigned side)
{
	(void)side;
	old_duplicate(h, TCP_PSH | TCP_ACK, (uint32_t)history_between(h, 1, 1000));
}

static void begin_set_back(struct history *h, unsigned side, uint64_t value)
{
	unsigned who = (unsigned)history_below(h, 3);

	(void)value;
	side = first_side(h);
	nobody_listens(h);
	h->end[side].set_back = history_below(h, 4) ? (int64_t)history_between(h, 1, 3000) : 1000000;
	if (who < 2) {
		close_answered_late(h, side ^ who, history_below(h, 2) * history_between(h, 1, 900 * MS));
		return;
	}
	end_write(h, side, (uint32_t)history_between(h, 1, 1460));
	soon(h, abort_if_open, side, 0, 900 * MS);
}

/* The clock of the side's stamps is set back: until it has caught up, all that the side sends is dropped but RSTs. */
static void stamps_set_back(struct history *h, unsigned side)
{
	(void)side;
	use_stamps(h);
	talk(h, begin_set_back);
}

static void resets_of_many_numbers(struct history *h, unsigned side)
{
	(void)side;
	disturbed(h, TCP_RST, 0, 0);
}

static void syn_in_connection(struct history *h, unsigned side)
{
	(void)side;
	disturbed(h, TCP_SYN, far_away(h), 0);
}

static void speak(struct history *h, unsigned side, uint64_t length)
{
	if (h->end[side].state == END_SYNCHRONIZED)
		end_write(h, side, (uint32_t)length);
}

static void begin_forged(struct history *h, unsigned side, uint64_t value)
{
	(void)side;
	(void)value;
	h->play.forgery = TCP_RST;
	forge(h, first_side(h), 0);
	network_after(h, history_between(h, 100 * MS, 900 * MS), speak, first_side(h), 100);
}

/* The receiver ends; the alleged sender knows nothing, and sends more, which the receiver's host answers by RST. */
static void forged_of(struct history *h, unsigned side)
{
	(void)side;
	talk(h, begin_forged);
}

const struct script scripts[] = {
	{"source_closes", one_closes, 0},
	{"destination_closes", one_closes, 1},
	{"both_close", both_close, 0},
	{"source_closes_fast_open", fast_open, 0},
	{"destination_closes_fast_open", fast_open, 1},
	{"source_closes_with_keep_alives", probed_closes, 0},
	{"destination_closes_with_keep_alives", probed_closes, 1},
	{"source_closes_long_before", long_half_closed, 0},
	{"destination_closes_long_before", long_half_closed, 1},
	{"source_closes_then_reset", reset_behind_close, 0},
	{"destination_closes_then_reset", reset_behind_close, 1},
	{"source_aborts", one_aborts, 0},
	{"destination_aborts", one_aborts, 1},
	{"source_aborts_with_data", abort_with_data, 0},
	{"destination_aborts_with_data", abort_with_data, 1},
	{"source_aborts_crossing", abort_crosses_fin, 0},
	{"destination_aborts_crossing", abort_crosses_fin, 1},
	{"source_aborts_half_closed", abort_for_fin, 0},
	{"destination_aborts_half_closed", abort_for_fin, 1},
	{"source_aborts_after_fin", abort_after_fin, 0},
	{"destination_aborts_after_fin", abort_after_fin, 1},
	{"source_forgets", forgets, 0},
	{"destination_forgets", forgets, 1},
	{"source_window_full", fills, 0},
	{"destination_window_full", fills, 1},
	{"refused", refused, 0},
	{"cancelled", cancelled, 0},
	{"unanswered", unanswered, 0},
	{"source_gone", gone, 0},
	{"destination_gone", gone, 1},
	{"source_never_closes", never_closes, 0},
	{"destination_never_closes", never_closes, 1},
	{"stays_open", stays_open, 0},
	{"reset_out_of_window", reset_out_of_window, 0},
	{"reset_in_window", reset_in_window, 0},
	{"reset_one_off", reset_one_off, 0},
	{"reset_left_of_window", reset_left_of_window, 0},
	{"fin_left_of_window", fin_left_of_window, 0},
	{"fin_out_of_window", fin_out_of_window, 0},
	{"data_out_of_window", data_out_of_window, 0},
	{"acknowledgment_beyond", acknowledgment_beyond, 0},
	{"resets_of_many_numbers", resets_of_many_numbers, 0},
	{"syn_in_connection", syn_in_connection, 0},
	{"old_fin", old_fin, 0},
	{"old_data", old_data, 0},
	{"source_stamps_set_back", stamps_set_back, 0},
	{"destination_stamps_set_back", stamps_set_back, 1},
	{"forged_of_source", forged_of, 0},
	{"forged_of_destination", forged_of, 1},
};
const unsigned script_count = sizeof(scripts) / sizeof(scripts[0]);

/* ---- a history ---- */

/* Options of the SYNs, ECN (RFC 3168 section 6.1.1), and which of them a SYN that is repeated lacks (6.1.1.1). */
static void choose_options(struct history *h)
{
	bool ecn = history_below(h, 3) == 0;

	for (unsigned side = 0; side < 2; side++) {
		h->end[side].stamps = history_below(h, 4);
		h->end[side].scaled = history_below(h, 8);
	}
	h->end[0].syn_flags = ecn ? TCP_ECE | TCP_CWR : 0;
	h->end[1].syn_flags = ecn && history_below(h, 4) ? TCP_ECE : 0;
	for (unsigned side = 0; side < 2; side++)
		h->end[side].syn_plain = history_below(h, 3) ? 0 : (unsigned)history_between(h, 1, 4);
	if (h->end[0].syn_plain && history_below(h, 2))
		h->lost_syns = (unsigned)history_between(h, 1, 4);
}

static void choose_lengths(struct history *h, uint32_t *lengths, unsigned *n, unsigned above)
{
	*n = (unsigned)history_below(h, above);
	for (unsigned i = 0; i < *n; i++)
		lengths[i] = (uint32_t)history_between(h, 1, 1460);
}

/* What the capture lacks of what came by. */
static void leave_out(struct history *h)
{
	static const enum left_out kinds[] = {LEFT_NOTHING,   LEFT_NOTHING, LEFT_NOTHING,
					      LEFT_BEGINNING, LEFT_END,     LEFT_SOME};
	unsigned cut;

	h->left_out = kinds[history_below(h, 6)];
	if (h->passed_count < 3)
		h->left_out = LEFT_NOTHING;
	if (h->left_out == LEFT_NOTHING)
		return;
	cut = (unsigned)history_between(h, 1, h->passed_count);
	for (unsigned i = 0; i < h->passed_count; i++) {
		bool hidden = h->left_out == LEFT_BEGINNING ? i < cut
			      : h->left_out == LEFT_END     ? i >= cut
							    : history_below(h, 5) == 0;

		h->sent[h->passed[i]].hidden = hidden;
	}
}

void history_make(struct history *h, uint64_t seed, uint64_t number)
{
	static const struct quality qualities[] = {{0, 0, 0, 0},  {0, 0, 0, 0},   {10, 0, 0, 0},  {20, 10, 0, 0},
						   {0, 0, 30, 0}, {20, 0, 0, 70}, {10, 10, 20, 0}};

	memset(h, 0, offsetof(struct history, events)); /* the arrays behind are filled as they are counted */
	h->number = number;
	h->random.state = seed * 0x9e3779b97f4a7c15 ^ number << 20;
	h->quality = qualities[history_below(h, 7)];
	for (unsigned side = 0; side < 2; side++) {
		uint64_t near = history_below(h, 2) ? history_below(h, ORDER) : ORDER - history_between(h, 1, 3000);

		h->delay[side] = history_between(h, 50000, 20 * MS);
		h->ids[side] = (uint16_t)random_next(&h->random);
		h->end[side].isn = h->end[side].una = h->end[side].nxt = ORDER + near;
		h->end[side].takes_syn_data = true;
	}
	h->end[0].state = END_SYN_SENT;
	h->end[1].state = END_LISTEN;
	choose_lengths(h, h->play.request, &h->play.requests, 4);
	choose_lengths(h, h->play.response, &h->play.responses, 6);
	h->ipv6 = history_below(h, 3) == 0;
	h->mirrored = history_below(h, 10) == 0;
	h->source_is_high = history_below(h, 2);
	choose_options(h);
	h->play.script = &scripts[history_below(h, script_count)];
	h->play.script->begin(h, h->play.script->side);
	end_connect(h, 0);
	network_run(h, 100 * SECOND);
	leave_out(h);
}
