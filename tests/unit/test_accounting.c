// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * made = reported + open + counted as lost, exactly, while the tables overflow: random connections, as many at once as
 * there are tuples, and user space that comes by as it likes. What is reported has its own closer.
 */
#include "tests/unit/assert.h"

#include "tests/unit/bounded_tables.h"
#include "tests/unit/conversation.h"

#define TUPLES 64
#define SETTLE (5 * MS)

/* A segment of the script that every connection plays; SOURCE and DESTINATION are exchanged where the server closes. */
struct act {
	uint8_t from, flags;
	uint32_t seq, ack, len;
	bool closes;
};

static const struct act script[] = {
	{A, SYN, 0, 0, 0, false},  {B, SYN | ACK, 0, 1, 0, false}, {A, ACK, 1, 1, 0, false},
	{A, PSH, 1, 1, 50, false}, {B, PSH, 1, 51, 50, false},     {A, ACK, 51, 51, 0, false},
	{A, FIN, 51, 51, 0, true}, {B, ACK, 51, 52, 0, true},      {B, FIN, 51, 52, 0, true},
	{A, ACK, 52, 52, 0, true},
};

/* What plays on a tuple. */
struct player {
	bool plays;
	unsigned next;     /* act */
	uint32_t isn;      /* of both sides; the connection's number, times a million */
	unsigned closer;   /* side */
	bool reset, stays; /* ends by an RST; is not closed */
	bool refused;      /* the server answers the SYN by an RST */
};

struct play {
	struct tables tables;
	struct due due;
	struct player players[TUPLES];
	unsigned made, reported, midstream, wrong, stay; /* `stay` open for ever */
	unsigned closers[4096]; /* by number of the connection: side + 1, 0 once it was reported */
	uint64_t now, random;
	uint16_t id;
};

static struct play p;

static uint32_t draw(uint32_t below)
{
	p.random = p.random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((p.random >> 33) % below);
}

static unsigned closer_of(const struct flow *f)
{
	if (f->state & FLOW_RESET)
		return f->reset.side + 1u;
	return f->side[A].t_fin < f->side[B].t_fin ? A + 1 : B + 1;
}

static void take_report(void *context, const struct judged *j, uint32_t slot, const struct due_report *how)
{
	const struct flow *f = &j->flow;
	unsigned *closer = &p.closers[f->open.isn[A] / 1000000 % COUNT(p.closers)];

	(void)context;
	(void)slot;
	if (how->stray)
		return;
	p.reported++;
	p.midstream += (f->state & FLOW_MIDSTREAM) != 0;
	p.wrong += !(f->state & FLOW_DONE) || closer_of(f) != *closer;
	*closer = 0;
}

static void begin_play(uint64_t seed, uint32_t max_established)
{
	memset(&p, 0, sizeof(p));
	p.random = seed;
	p.now = EPOCH;
	bounded_begin(&p.tables, max_established, BOUNDED_SLOTS);
	p.due = (struct due){
		.tables = &p.tables.memory,
		.wait = {.settle = SETTLE,
			 .doubt = 10 * SECOND,
			 .attempt = 10 * SECOND,
			 .repeat = SETTLE,
			 .idle = 60 * SECOND},
		.report = take_report,
		.counters = p.tables.counters,
	};
}

static void send_act(unsigned tuple, const struct act *act)
{
	const struct player *player = &p.players[tuple];
	bool other = act->closes && player->closer == B;
	uint32_t isn[2] = {player->isn, player->isn + 500000};
	struct wire w = {.time = p.now - EPOCH,
			 .from = other ? !act->from : act->from,
			 .flags = act->flags,
			 .seq = act->seq,
			 .ack = act->ack,
			 .len = act->len,
			 .port = (uint16_t)(40000 + tuple)};
	struct tcp_segment s;

	make_absolute(&w, isn, &p.id);
	s = parse_wire(&w);
	bounded_segment(&p.tables, &s);
}

static void begin_connection(struct player *player, unsigned stays)
{
	p.made++;
	*player = (struct player){.plays = true, .isn = p.made * 1000000u, .closer = draw(2), .reset = !draw(4)};
	player->refused = !draw(4);
	if (player->refused)
		player->closer = B;
	player->stays = !player->refused && draw(16) < stays && p.stay < TUPLES / 4;
	p.stay += player->stays;
	p.closers[p.made % COUNT(p.closers)] = player->closer + 1;
}

/* What the player sends in place of that act: an RST where one is its end. */
static struct act act_of(const struct player *player)
{
	struct act act = script[player->next];

	if (player->refused && player->next == 1)
		act.flags = TCP_RST | TCP_ACK;
	if (act.closes && player->reset)
		act.flags = TCP_RST | TCP_ACK;
	return act;
}

/* One segment more of a tuple; one in eight comes twice, some of them after others. */
static void play_act(unsigned tuple, unsigned most, unsigned stays)
{
	struct player *player = &p.players[tuple];
	struct act act;

	if (!player->plays && p.made == most)
		return;
	if (!player->plays)
		begin_connection(player, stays);
	act = act_of(player);
	if (player->stays && act.closes)
		return;
	send_act(tuple, &act);
	if (!draw(8))
		return; /* again next time */
	player->next++;
	player->plays = !(act.flags & TCP_RST) && player->next < COUNT(script);
}

static bool all_played(unsigned most)
{
	if (p.made < most)
		return false;
	for (unsigned i = 0; i < TUPLES; i++)
		if (p.players[i].plays && !(p.players[i].stays && script[p.players[i].next].closes))
			return false;
	return true;
}

/* polls: user space comes by after one of so many segments. */
static void play(unsigned most, unsigned polls, unsigned stays)
{
	while (!all_played(most)) {
		p.now += draw(200) * 1000;
		play_act(draw(TUPLES), most, stays);
		if (!draw(polls))
			bounded_poll(&p.tables, &p.due, p.now);
	}
	bounded_poll(&p.tables, &p.due, p.now + 120 * SECOND);
}

static void end_play(void)
{
	due_free(&p.due);
	flow_tables_free(&p.tables.memory);
}

static void expect_exact(void)
{
	const uint64_t *n = p.tables.counters;
	uint64_t open = n[COUNT_ESTABLISHED] - n[COUNT_CLOSED];

	expect_int(p.reported + open + n[COUNT_ESTABLISHED_FULL] + n[COUNT_CLOSING_FULL] + n[COUNT_MIDSTREAM_FULL],
		   p.made);
	expect_int(p.midstream, 0);
	expect_int(p.wrong, 0);
	expect_int(n[COUNT_UNPROVEN_EVICTED] + n[COUNT_MIDSTREAM_FULL] + n[COUNT_CONTENDED], 0);
	expect_int(p.tables.established, open);
}

/* What is left when all has ended: nothing but what is open, or serves to recognise copies. */
static void expect_nothing_held(uint64_t open)
{
	unsigned held = 0, watched = 0;

	for (unsigned i = 0; i < BOUNDED_SLOTS; i++)
		held += word_phase(p.tables.slots[i].word) && !(p.tables.slots[i].word & PHASE_REPORTED);
	for (unsigned i = 0; i < WATCH_CELLS; i++)
		watched += p.tables.watch[i];
	expect_int(held, open);
	expect_int(watched, 0);
	expect_int(p.tables.spares[1].tail - p.tables.spares[1].head, BOUNDED_CLOSING);
	expect_int(p.tables.spares[2].tail - p.tables.spares[2].head, BOUNDED_OPENING);
}

static const struct load {
	const char *name;
	uint32_t max_established;
	unsigned polls, stays; /* one in so many polls; so many of 16 connections stay open */
} loads[] = {
	{"user space is quick", 32, 10, 0},
	{"user space is slow", 32, 300, 0},
	{"user space hardly comes", 32, 3000, 0},
	{"few may be established", 4, 30, 0},
	{"few may be established, user space hardly comes", 4, 3000, 0},
	{"some stay open", 8, 100, 1},
};

TEST(test_overload_is_counted)
{
	FOR_EACH_ROW(loads, load) {
		for (uint64_t seed = 1; seed <= 5; seed++) {
			begin_play(seed, load->max_established);
			play(2000, load->polls, load->stays);
			assert_true(p.reported && p.reported < p.made);
			expect_exact();
			expect_nothing_held(p.tables.counters[COUNT_ESTABLISHED] - p.tables.counters[COUNT_CLOSED]);
			end_play();
		}
	}
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
