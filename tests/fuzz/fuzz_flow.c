// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * flow_step() on a script of segments: no step loses a fact, and at the end verdict and formats are consistent. The
 * flow's owner does the least that flow_table.c does: it begins a flow, keeps only the opening while established, and
 * closes it.
 *
 * Input: 4 bytes (begin), a byte with the length of an interface name, the name, a script.
 */
#include <string.h>

#include "user/judge/flow_step.h"
#include "user/judge/verdict.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/script.h"

enum life { LIFE_UNPROVEN, LIFE_ESTABLISHED, LIFE_CLOSING };

struct owner {
	enum life life;
	struct flow_open open; /* established */
	struct flow flow;      /* the others */
	struct flow_segment log[FLOW_LOG_CLOSING];
	struct last_seen evidence;
};

#define HASH 0x123456789abcdef0u

/* ---- steps ---- */

static void check_side(const struct flow_side *was, const struct flow_side *is)
{
	expect(!(is->seen & SIDE_FIN_ACKED) || is->seen & SIDE_FIN);
	expect(!(was->seen & SIDE_FIN) || is->seen & SIDE_FIN);
	if (was->seen & SIDE_FIN_ACKED) {
		expect(is->seen & SIDE_FIN_ACKED);
		expect(is->fin_end == was->fin_end);
		expect(is->t_fin <= was->t_fin && is->t_fin_acked <= was->t_fin_acked);
	}
	expect(is->fin_copies >= was->fin_copies);
}

static void check_state(const struct flow *f)
{
	flag_t fins = (f->side[0].seen | f->side[1].seen) & SIDE_FIN;

	expect(!!(f->state & FLOW_GRACEFUL) == !!(f->side[0].seen & f->side[1].seen & SIDE_FIN_ACKED));
	expect((f->state & FLOW_DONE) != FLOW_DONE);
	expect(!(f->state & (FLOW_LATE_RESET | FLOW_REPEATED)) || f->state & FLOW_GRACEFUL);
	expect(!!(f->state & FLOW_BEGUN) == (fins || f->state & FLOW_RESET));
	expect(f->t_progress <= f->t_last);
}

static void check_step(const struct flow *was, const struct flow *is, unsigned cap, unsigned step)
{
	expect(is->log_len <= cap && is->log_len >= was->log_len && is->log_len - was->log_len <= 1);
	check_side(&was->side[0], &is->side[0]);
	check_side(&was->side[1], &is->side[1]);
	check_state(is);
	expect(!(was->state & FLOW_GRACEFUL) || is->state & FLOW_GRACEFUL);
	expect(!(was->state & FLOW_PROVEN) || is->state & FLOW_PROVEN);
	expect(was->state & FLOW_PROVEN || !(is->state & FLOW_PROVEN) || step & STEP_PROVEN);
	expect(!(step & STEP_DONE) || is->state & FLOW_DONE);
	expect(was->state & FLOW_DONE || !(is->state & FLOW_DONE) || step & STEP_DONE);
	expect(is->t_last >= was->t_last && is->t_first <= was->t_first);
	expect(is->lost >= was->lost);
	/* An RST that was denied and is believed after all is no ignored one any more, nor are its copies. */
	expect(is->open.resets_ignored + (step & STEP_DONE ? is->reset.copies + 1 : 0) >= was->open.resets_ignored);
}

/* The same packet seen twice changes nothing but `duplicates`. */
static void step_again(struct owner *o, unsigned cap, const struct tcp_segment *s, uint32_t side)
{
	struct owner was = *o;

	expect(!flow_step(&o->flow, o->log, cap, s, side));
	o->flow.duplicates = was.flow.duplicates;
	expect(!memcmp(&was, o, sizeof(was)));
}

static uint32_t step(struct owner *o, const struct tcp_segment *s, uint32_t side)
{
	uint32_t cap = o->life == LIFE_UNPROVEN ? FLOW_LOG_UNPROVEN : FLOW_LOG_CLOSING;
	struct flow was = o->flow;
	unsigned done = flow_step(&o->flow, o->log, cap, s, side);

	check_step(&was, &o->flow, cap, done);
	if (o->flow.log_len == was.log_len || s->time < o->flow.t_last)
		return done;
	step_again(o, cap, s, side);
	return done;
}

/* ---- the owner ---- */

/* What is remembered of both sides' last segments, as the recorder hands it to a log. */
static void lend(struct flow *f, const struct last_seen *last)
{
	struct block_side numbers[2];

	numbers_read(numbers, last, &f->open, HASH);
	for (unsigned i = 0; i < 2; i++)
		flow_lend(f, i, &numbers[i].before);
}

/* The first FIN or RST of an established flow, or of one that is known only from last_seen. */
static void begin_close(struct owner *o, const struct tcp_segment *s, uint32_t side)
{
	memset(&o->flow, 0, sizeof(o->flow));
	if (o->open.seen) {
		flow_reopen(&o->flow, &o->open);
	} else if (last_seen_fits(&o->evidence, s, side, HASH)) {
		flow_init(&o->flow, s, side, 0);
		o->flow.state |= FLOW_PROVEN;
	} else {
		return;
	}
	lend(&o->flow, &o->evidence);
	o->life = LIFE_CLOSING;
	step(o, s, side);
	if (o->flow.state & FLOW_BEGUN)
		return;
	o->life = LIFE_ESTABLISHED;
	o->open.resets_ignored = o->flow.open.resets_ignored;
}

static void take(struct owner *o, const struct tcp_segment *s, uint32_t side)
{
	if (o->life == LIFE_ESTABLISHED) {
		if (!(s->flags & TCP_CONTROL))
			last_seen_note(&o->evidence, s, side, HASH);
		else if (!(s->flags & TCP_SYN))
			begin_close(o, s, side);
		return;
	}
	if (!(step(o, s, side) & STEP_PROVEN))
		return;
	o->life = o->flow.state & FLOW_BEGUN ? LIFE_CLOSING : LIFE_ESTABLISHED;
	o->open = o->flow.open;
	last_seen_begin(&o->evidence, &o->open, s, side, HASH);
}

/* The first segment makes an unproven flow, or, with what & 1, both sides were seen before the script begins. */
static void begin(struct owner *o, uint8_t what, struct script *script)
{
	struct script peek = *script;
	struct tcp_segment first;
	unsigned talk, side;

	memset(o, 0, sizeof(*o));
	if (!script_next(&peek, &first, &talk, &side))
		return;
	if (!(what & 1)) {
		flow_init(&o->flow, &first, side, what >> 1 & 1);
		return;
	}
	o->life = LIFE_ESTABLISHED;
	for (side = 0; side < 2; side++) {
		struct last_seen_side *w = &o->evidence.side[side];

		w->end = script->talks[0].number[side][NUMBER_ISN];
		w->ack = script->talks[0].number[!side][NUMBER_ISN];
		w->win = what << 8;
		w->tag = last_seen_tag(HASH);
	}
}

/* ---- the report ---- */

static void report(struct owner *o, const struct verdict_context *context, const struct format_style *style)
{
	struct tcp_segment ends = {0};
	struct flow_key key = {0};
	struct record r;

	script_ends(&ends, style->columns % SCRIPT_TALKS, 0);
	key.addr[0] = ends.src;
	key.addr[1] = ends.dst;
	key.port[0] = ends.sport;
	key.port[1] = ends.dport;
	key.family = ends.family;
	if (o->life == LIFE_ESTABLISHED) {
		if (!o->open.seen)
			return;
		memset(&o->flow, 0, sizeof(o->flow));
		flow_reopen(&o->flow, &o->open);
		lend(&o->flow, &o->evidence);
	} else if (flow_is_stray(&o->flow)) {
		return;
	}
	verdict(&r, &key, &o->flow, o->log, context);
	check_record(&r);
	check_formats(&r, style);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	uint8_t what = take8(&in), how = take8(&in);
	struct format_style style = {.color = how & 1, .unicode = how & 2, .verbose = how & 4, .columns = take16(&in)};
	struct verdict_context context = {.order_by_time = how & 8, .reason = how & 16 ? REPORT_STOP : REPORT_ENDED};
	char interface[16] = "";
	unsigned talk, side, len;
	struct script script;
	struct tcp_segment s;
	struct owner o;

	len = take8(&in) & 15;
	for (unsigned i = 0; i < len; i++)
		interface[i] = (char)take8(&in);
	context.interfaces[0] = len ? interface : NULL;
	script_begin(&script, in);
	begin(&o, what, &script);
	while (script_next(&script, &s, &talk, &side))
		take(&o, &s, side);
	report(&o, &context, &style);
	return 0;
}
