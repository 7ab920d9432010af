// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Drawings, sentences and durations: small ones are compared whole, and for thousands of generated records what must
 * hold for any drawing is checked on its lines.
 */
#include "tests/unit/assert.h"

#include <time.h>

#include "user/format/duration.h"
#include "user/format/format.h"
#include "tests/unit/sample_closes.h"
#include "tests/diff/random.h"

/* ---- samples ---- */

/* The longest of everything: 20 segments, IPv6, all numbers at their limits. */
static void crowded(struct record *r)
{
	unsigned i;

	begin(r);
	r->family = 6;
	memset(r->end[SOURCE].ip, 0xab, 16);
	memset(r->end[DESTINATION].ip, 0xcd, 16);
	r->end[SOURCE].port = r->end[DESTINATION].port = 65535;
	r->interfaces[0] = "verylongname\x1b[0m";
	r->vlan[0] = r->vlan[1] = 4095;
	r->bytes_approximate = true;
	r->end[SOURCE].bytes = r->end[DESTINATION].bytes = 0xffffffff;
	for (i = 0; i < RECORD_CLOSING; i++) {
		struct record_segment *s = add(r, 400 * 86400 * SECOND_NS, i % 2, 0xff & ~R, ~0u, ~0u - 1, ~0u);

		mark(s, i % 8, i % 3 ? ~0u : 1);
		s->flags &= i % 5 ? ~R : 0xff;
		s->win = 65535;
	}
	r->segments_lost = ~0u;
	for (i = 0; i < TIMINGS; i++)
		r->timing[i] = INT64_MAX;
	r->missing = MISSING_DESTINATION_ACK;
	r->late_reset = true;
	r->time_wait = BOTH;
	verdict(r, OUTCOME_UNFINISHED, DESTINATION, STATE_SYN_RECEIVED, STATE_SYN_RECEIVED);
}

/* ---- drawings ---- */

static char *text_of(struct buffer *b)
{
	buffer_char(b, '\0');
	return b->data; /* the caller frees it */
}

static char *draw_as(const struct record *r, const struct format_style *style)
{
	struct buffer b = {0};

	format_ladder(&b, style, r);
	return text_of(&b);
}

static char *draw(const struct record *r, unsigned columns, bool unicode, bool color)
{
	return draw_as(r, &(struct format_style){.columns = columns, .unicode = unicode, .color = color});
}

static void assert_drawing(const struct record *r, unsigned columns, const char *expected)
{
	char *text = draw(r, columns, false, false);

	assert_string_equal(text, expected);
	free(text);
}

TEST(draws_four_way)
{
	struct record r;

	four_way(&r);
	r.interfaces[0] = "eth0";
	r.vlan[0] = 100;
	assert_drawing(&r, 80,
		       "10.0.0.1:40001 -> 10.0.1.9:443, graceful four-way\n"
		       "2026-11-22 06:13:20.001234 on eth0, VLAN 100, lasted 3m16s\n"
		       "                 source                                      destination\n"
		       "           SYN-SENT |-- S  seq 0 len 0 -------------------------->|\n"
		       "44.8ms              |<- S. seq 0 ack 1 len 0 ---------------------| SYN-RECEIVED\n"
		       "  92us  ESTABLISHED |-- .  seq 1 ack 1 len 0 -------------------->| ESTABLISHED\n"
		       "                    :   3342 bytes >               < 4477 bytes   :\n"
		       " 3m16s   FIN-WAIT-1 |-- F. seq 3343 ack 4478 len 0 -------------->|\n"
		       "36.0ms   FIN-WAIT-2 |<- .  seq 4478 ack 3344 len 0 ---------------| CLOSE-WAIT\n"
		       "1.97ms              |<- F. seq 4478 ack 3344 len 0 ---------------| LAST-ACK\n"
		       "  68us    TIME-WAIT |-- .  seq 3344 ack 4479 len 0 -------------->| CLOSED\n"
		       "graceful four-way; the source closed first; the close took 38.1ms;\n"
		       "  the source holds TIME_WAIT\n\n");
}

TEST(draws_reset)
{
	struct record r;

	reset_after_own_fin(&r);
	assert_drawing(&r, 60,
		       "10.0.0.1:40001 -> 10.0.1.9:443, reset by the source\n"
		       "2026-11-22 06:13:20.001234\n"
		       "                 source                  destination\n"
		       "           SYN-SENT |-- S  seq 0 len 0 ------>|\n"
		       "44.8ms              |<- S. seq 0 ack 1 len 0 -| SYN-RECEIVED\n"
		       "  92us  ESTABLISHED |-- .  seq 1 ack 1 len 0 >| ESTABLISHED\n"
		       "5.00ms   FIN-WAIT-1 |-- F. seq 1 ack 1 len 0 >|\n"
		       " 200ms              |.. F. seq 1 ack 1 ......>|\n"
		       "1.00ms   FIN-WAIT-2 |<- .  seq 1 ack 2 len 0 -| CLOSE-WAIT\n"
		       "                    |   P. seq 1 ack 2        |\n"
		       "2.00ms              |<- len 100 --------------|\n"
		       "                    |   R. seq 70000001       |\n"
		       "  10us              |?- ack 2 ignored --------|\n"
		       "  90us       CLOSED |-- R  seq 2 len 0 ------X| CLOSED\n"
		       "reset by the source\n\n");
}

TEST(draws_refused)
{
	struct record r;

	refused(&r);
	assert_drawing(&r, 1, /* taken as 60 */
		       "10.0.0.1:40001 -> 10.0.1.9:443, refused by the destination\n"
		       "2026-11-22 06:13:20.001234\n"
		       "                 source                  destination\n"
		       "           SYN-SENT |-- S  seq 0 len 0 ------>|\n"
		       " 1.00s              |.. S  seq 0 len 0 again >|\n"
		       " 106us       CLOSED |X- R. seq 0 ack 1 len 0 -|\n"
		       "refused by the destination\n\n");
}

/* Folded data, losses, a verdict that knows more than the log, and the wide page with its clock. */
TEST(draws_folds_and_losses)
{
	struct record r;

	begin(&r);
	r.midstream = true;
	mark(add(&r, 0, SOURCE, P | A, 1, 1, 16000), SEGMENT_FOLDED, 12);
	add(&r, 1 * MS_NS, SOURCE, F | A, 16001, 1, 0);
	r.segments_lost = 1;
	r.missing = MISSING_DESTINATION_FIN;
	verdict(&r, OUTCOME_UNFINISHED, SOURCE, STATE_FIN_WAIT_2, STATE_CLOSE_WAIT);
	assert_drawing(
		&r, 100,
		"10.0.0.1:40001 -> 10.0.1.9:443, unfinished\n"
		"2026-11-22 06:13:20.001234\n"
		"                                 source                                          destination\n"
		"                                    :   handshake not seen                            :\n"
		"06:13:20.001234                     |== P. x12 seq 1 ack 1 len 16000 win 501 ========>|\n"
		"06:13:20.002234 1.00ms   FIN-WAIT-1 |-- F. seq 16001 ack 1 len 0 win 501 ------------>|\n"
		"                                    /\\/\\/\\/\\/\\/\\/\\/ 1 segment not kept "
		"\\/\\/\\/\\/\\/\\/\\/\\/\n"
		"                         FIN-WAIT-2 |                                                 | CLOSE-WAIT\n"
		"unfinished; the source closed first; missing: the destination's FIN\n\n");
}

TEST(draws_unicode)
{
	struct record r;
	char *text;

	three_way(&r);
	r.end[DESTINATION].bytes = 1;
	text = draw(&r, 80, true, false);
	assert_string_equal(text, "10.0.0.1:40001 → 10.0.1.9:443, graceful three-way\n"
				  "2026-11-22 06:13:20.001234\n"
				  "                 source                                      destination\n"
				  "           SYN-SENT │── S  seq 0 len 0 ──────────────────────────▶│\n"
				  "44.8ms              │◀─ S. seq 0 ack 1 len 0 ─────────────────────│ SYN-RECEIVED\n"
				  "  92us  ESTABLISHED │── .  seq 1 ack 1 len 0 ────────────────────▶│ ESTABLISHED\n"
				  " 250us              │◀─ F. seq 1 ack 1 len 0 ─────────────────────│ FIN-WAIT-1\n"
				  " 106us     LAST-ACK │── F. seq 1 ack 2 len 0 ────────────────────▶│ FIN-WAIT-2\n"
				  " 125ms       CLOSED │◀─ .  seq 2 ack 2 len 0 ─────────────────────│ TIME-WAIT\n"
				  "graceful three-way; the destination closed first;\n"
				  "  the destination holds TIME_WAIT\n\n");
	free(text);
}

/* Who closed, who held, and why the kernel reset: names with a byte a column. */
TEST(draws_sockets)
{
	struct record r;
	char *text;

	three_way(&r);
	r.socket[SOURCE] = (struct record_socket){
		.how = HOW_SHUTDOWN, .process = {.pid = 4194304, .name = "curl"}, .unread_bytes = 300};
	r.socket[DESTINATION] = (struct record_socket){
		.how = HOW_KERNEL,
		.process = {.pid = 77, .name = "a\x1b keeper of sockets", .holders = 2},
	};
	r.reset.reason = "TCP_ABORT_ON_CLOSE";
	text = draw(&r, 80, false, false);
	assert_non_null(strstr(text, "graceful three-way; the destination closed first;\n"
				     "  the destination holds TIME_WAIT; source: curl[4194304] shutdown, 300 unread;\n"
				     "  destination: a??keeper?of?so[77]+1 held; RST: TCP_ABORT_ON_CLOSE\n\n"));
	free(text);
	r.socket[DESTINATION].process.holders = 0;
	text = draw(&r, 80, false, false);
	assert_null(strstr(text, "destination:"));
	free(text);
}

/* ---- what holds for any drawing ---- */

static unsigned columns_of(const char *text, size_t len)
{
	unsigned columns = 0;
	size_t i;

	for (i = 0; i < len; i++)
		columns += ((unsigned char)text[i] & 0xc0) != 0x80;
	return columns;
}

static void assert_lines_fit(const char *text, unsigned columns, bool unicode)
{
	const char *line, *end;

	for (line = text; *line; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		assert_in_range(columns_of(line, end - line), 0, columns);
		assert_true(end == line || end[-1] != ' ');
	}
	assert_string_equal(line - 2, "\n\n");
	for (; *text; text++) {
		unsigned char c = *text;

		assert_true(c == '\n' || (c >= 0x20 && c < 0x7f) || (unicode && c >= 0x80));
	}
}

/* Colour adds escape sequences to the very same text. */
static void assert_color_only_doubles(const struct record *r, unsigned columns, const char *plain)
{
	char *colored = draw(r, columns, true, true), *from = colored, *to = colored;

	while (*from) {
		if (*from == '\033')
			from = strchr(from, 'm') + 1;
		else
			*to++ = *from++;
	}
	assert_true(to != from);
	*to = '\0';
	assert_string_equal(colored, plain);
	free(colored);
}

/* The text alone, as far as it does not depend on the page. */
static char *without_space(char *text)
{
	char *from, *to = text;

	for (from = text; *from; from++)
		if (*from != ' ' && *from != '\n')
			*to++ = *from & 0x80 ? '?' : *from;
	*to = '\0';
	return text;
}

/* With -v the same drawing is followed by the sentence, all of it. */
static void assert_explains(const struct record *r, unsigned columns, const char *plain)
{
	char *explained = draw_as(r, &(struct format_style){.columns = columns, .verbose = true});
	struct buffer sentence = {0};
	size_t drawing = strlen(plain) - 1; /* but for the empty line */

	assert_lines_fit(explained, columns, false);
	assert_memory_equal(explained, plain, drawing);
	format_explanation(&sentence, r);
	assert_string_equal(without_space(explained + drawing), without_space(text_of(&sentence)));
	buffer_free(&sentence);
	free(explained);
}

static void assert_draws_well(const struct record *r)
{
	static const unsigned widths[] = {60, 61, 79, 80, 99, 100, 120, 300};
	unsigned i;

	for (i = 0; i < COUNT(widths); i++) {
		char *ascii = draw(r, widths[i], false, false), *unicode = draw(r, widths[i], true, false);

		assert_lines_fit(ascii, widths[i], false);
		assert_lines_fit(unicode, widths[i], true);
		assert_color_only_doubles(r, widths[i], unicode);
		assert_explains(r, widths[i], ascii);
		free(ascii);
		free(unicode);
	}
}

TEST(fits_all_widths)
{
	static void (*const samples[])(struct record * r) = {four_way, three_way, simultaneous, reset_after_own_fin,
							     refused,  crowded,   begin};
	struct record r;
	unsigned i;

	for (i = 0; i < COUNT(samples); i++) {
		enter_row("sample %u", i);
		samples[i](&r);
		assert_draws_well(&r);
		r.family = 6;
		assert_draws_well(&r);
	}
}

static struct random dice;

static uint64_t random_word(void)
{
	return random_next(&dice);
}

static uint32_t below(uint32_t n)
{
	return random_below(&dice, n);
}

/* Mostly small numbers, sometimes any. */
static uint32_t some_number(void)
{
	return below(4) ? below(3000) : (uint32_t)random_word();
}

static void generated_segment(struct record *r)
{
	uint8_t flags = below(8) ? A | (1 << below(4)) : (uint8_t)random_word();
	struct record_segment *s = add(r, below(3) ? below(2000000000) : 0, below(2), flags, some_number(),
				       some_number(), below(2) ? 0 : some_number());

	mark(s, below(3) ? 0 : below(8), below(4) ? 1 : 1 + some_number() % 1000000);
	if (!below(20))
		s->t = random_word() >> (2 + below(62));
}

/* Any names: they come from outside. */
static void generated_socket(struct record_socket *s)
{
	unsigned i;

	s->how = below(HOW_KERNEL + 1);
	s->unread_bytes = (int64_t)some_number() - 1;
	s->process.pid = random_word() >> 33;
	for (i = 0; i < sizeof(s->process.name) - 1; i++)
		s->process.name[i] = below(8) ? ' ' + below(95) : random_word();
	s->process.holders = below(3) || socket_closer(s) ? 0 : 1 + some_number() / 2;
}

static void generated_sockets(struct record *r)
{
	static const char *const reasons[] = {NULL, "TCP_STATE",
					      "A_REASON_WITH_A_NAME_THAT_IS_LONGER_THAN_ANY_OF_TODAY"};

	generated_socket(&r->socket[SOURCE]);
	generated_socket(&r->socket[DESTINATION]);
	r->reset.reason = reasons[below(3)];
}

static void generated(struct record *r)
{
	unsigned count = below(RECORD_CLOSING + 1), i;

	begin(r);
	r->family = below(2) ? 4 : 6;
	for (i = 0; i < 16; i++)
		r->end[SOURCE].ip[i] = random_word();
	while (r->segment_count < count)
		generated_segment(r);
	verdict(r, below(OUTCOMES), below(4), below(TCP_STATES), below(TCP_STATES));
	r->pattern = below(4);
	r->time_wait = below(4);
	r->missing = below(5);
	reset_by(r, below(3) == 2 ? NOBODY : below(2), below(6), below(4));
	for (i = 0; i < EVIDENCES; i++)
		r->evidence[i] = count ? (int)below(count + 1) - 1 : -1;
	for (i = 0; i < TIMINGS; i++)
		r->timing[i] = below(3) ? (int64_t)some_number() * 1000 : TIMING_UNSEEN;
	for (i = 0; i < 2; i++) {
		r->end[i].bytes = below(2) ? (int64_t)some_number() : NUMBER_UNSEEN;
		r->end[i].fin_retransmits = below(4) ? 0 : below(256);
	}
	r->half_closed_bytes = below(2) ? (int64_t)some_number() : NUMBER_UNSEEN;
	r->midstream = !below(4);
	r->late_reset = !below(4);
	r->reset.ignored = below(4) ? 0 : below(256);
	r->reset.ttl_differs = !below(4);
	r->reset.forged = below(3);
	r->reset.mptcp = below(9);
	r->segments_lost = below(4) ? 0 : some_number();
	r->syn_retransmits = below(4) ? 0 : below(256);
}

/* The last state beside a lifeline, "" where there is none. at: column of the margin on the narrow ASCII page. */
static const char *last_state(const char *text, unsigned at, char state[16])
{
	const char *line, *end;

	state[0] = '\0';
	for (line = text; *line; line = end + 1) {
		char lifeline = 0;

		end = strchr(line, '\n');
		if (end - line >= 47)
			lifeline = line[46];
		if (lifeline == '|' && end - line > (int)at && line[20] == '|' && (at > 20 || line[18] != ' '))
			sscanf(line + at, "%15s", state);
	}
	return state;
}

static void ends_in_the_verdicts_states(const struct record *r)
{
	char *text = draw(r, 60, false, false), state[16];
	static const unsigned margin[2] = {7, 47};
	int side;

	for (side = SOURCE; side <= DESTINATION; side++) {
		const char *last = last_state(text, margin[side], state), *known = state_name(r->end[side].state);

		/* Without a state in the margin, the side is where it was before the first segment. */
		if (known && *last)
			assert_string_equal(last, known);
		else if (known)
			assert_true(r->end[side].state == STATE_CLOSED || r->end[side].state == STATE_ESTABLISHED);
	}
	free(text);
}

TEST(generated_drawings_hold)
{
	struct record r;
	int i;

	for (i = 0; i < 3000; i++) {
		enter_row("generated record %d", i);
		generated(&r);
		generated_sockets(&r);
		assert_draws_well(&r);
		ends_in_the_verdicts_states(&r);
	}
}

/* ---- what is not listed ---- */

static bool drawing_has(const struct record *r, const char *part)
{
	char *text = draw(r, 80, false, false);
	bool has = strstr(text, part) != NULL;

	free(text);
	return has;
}

TEST(shows_unlisted_bytes)
{
	struct record r;

	/* silent in the close: all its bytes came before */
	begin(&r);
	handshake(&r);
	add(&r, 1 * MS_NS, SOURCE, R, 51, 0, 0);
	r.end[SOURCE].bytes = 50;
	r.end[DESTINATION].bytes = 1;
	reset_by(&r, SOURCE, PHASE_ESTABLISHED, RESET_EXACT);
	assert_true(drawing_has(&r, ":   50 bytes >                     < 1 byte   :\n"));
	/* only what is not listed */
	add(&r, 1 * MS_NS, DESTINATION, P | A, 101, 51, 400);
	r.end[DESTINATION].bytes = 500;
	assert_true(drawing_has(&r, " < 100 bytes   :\n"));
	r.bytes_approximate = true;
	assert_true(drawing_has(&r, " < ~100 bytes   :\n"));
	/* a SYN's payload (RFC 7413) is listed with it */
	begin(&r);
	add(&r, 0, SOURCE, S, 0, 0, 50);
	add(&r, 1 * MS_NS, DESTINATION, S | A, 0, 51, 0);
	add(&r, 1 * MS_NS, SOURCE, A, 51, 1, 0);
	add(&r, 1 * MS_NS, SOURCE, F | A, 51, 1, 0);
	r.end[SOURCE].bytes = 50;
	r.end[DESTINATION].bytes = 0;
	assert_false(drawing_has(&r, " bytes"));
	r.end[SOURCE].bytes = 60;
	r.segments[3].seq = 61;
	assert_true(drawing_has(&r, ":   10 bytes >   "));
	/* without a handshake it is not known where they began */
	r.midstream = true;
	assert_false(drawing_has(&r, " bytes"));
}

/* Time stamps decide the order, but a drawing must not hide it when they contradict. */
TEST(shows_times_that_go_back)
{
	struct record r;

	four_way(&r);
	r.segments[4].t = r.segments[3].t - 1;
	assert_true(drawing_has(&r, "\n early   FIN-WAIT-2 |<- "));
}

/* ---- sentences ---- */

static void assert_sentence(const struct record *r, const char *expected)
{
	struct buffer b = {0};

	format_explanation(&b, r);
	assert_string_equal(text_of(&b), expected);
	buffer_free(&b);
}

TEST(explains_graceful)
{
	struct record r;

	four_way(&r);
	assert_sentence(&r, "closed by the source: its FIN (seq 3343) came 3m16s into the connection; the destination "
			    "acknowledged it 36.0ms later, closed its own side 1.97ms after that, and the last ACK "
			    "took 68us; the source holds TIME_WAIT");
	three_way(&r);
	assert_sentence(&r, "closed by the destination: its FIN (seq 1) came 250us after the source's last segment; "
			    "the source answered with its own FIN in the same segment 106us later, and the last ACK "
			    "took 125ms; the destination holds TIME_WAIT");
	simultaneous(&r);
	assert_sentence(&r, "closed by both: both sides sent their FIN before they had the other's; the ACKs took 90us "
			    "and 30us; both sides hold TIME_WAIT");
}

TEST(explains_graceful_in_part)
{
	struct record r;

	four_way(&r);
	r.midstream = true;
	close_timings(&r, TIMING_UNSEEN, TIMING_UNSEEN, TIMING_UNSEEN);
	assert_sentence(&r, "closed by the source with its FIN (seq 3343); the destination acknowledged it, closed its "
			    "own side, and the last ACK came; the handshake was not seen; the source holds TIME_WAIT");
	evidence(&r, -1, -1, -1, -1, -1);
	close_timings(&r, 1, 0, 0);
	r.half_closed_bytes = 5000;
	r.end[SOURCE].fin_retransmits = 2;
	r.end[DESTINATION].fin_retransmits = 255;
	r.segments_lost = 14;
	assert_sentence(&r, "closed by the source; the destination acknowledged the FIN 1ns later, closed its own side "
			    "at once, and the last ACK came at once; the destination sent 5000 bytes more after it had "
			    "acknowledged the FIN; the source retransmitted its FIN twice; the destination "
			    "retransmitted its FIN at least 255 times; the handshake was not seen; 14 segments were "
			    "not kept; the source holds TIME_WAIT");
	r.closer = NOBODY;
	r.midstream = false;
	r.end[SOURCE].fin_retransmits = r.end[DESTINATION].fin_retransmits = 0;
	r.segments_lost = 1;
	r.time_wait = NOBODY;
	assert_sentence(&r, "closed: both FINs were acknowledged, but whose was the first was not seen; 1 segment was "
			    "not kept");
}

TEST(explains_late_reset)
{
	struct record r;

	three_way(&r);
	add(&r, 3 * MS_NS, SOURCE, R, 2, 0, 0);
	r.late_reset = true;
	r.time_wait = NOBODY;
	reset_by(&r, SOURCE, PHASE_CLOSED, RESET_EXACT);
	r.evidence[EVIDENCE_RESET] = 6;
	r.segments[3].t = r.segments[2].t; /* the FIN came with the ACK before */
	assert_sentence(&r, "closed by the destination: its FIN (seq 1) came right after the source's last segment; "
			    "the source answered with its own FIN in the same segment 106us later, and the last ACK "
			    "took 125ms; the source sent an RST 3.00ms after the last ACK");
	r.evidence[EVIDENCE_RESET] = -1;
	r.evidence[EVIDENCE_FIN] = -1;
	r.pattern = PATTERN_NONE;
	assert_sentence(&r, "closed by the destination; both FINs were acknowledged; the source sent an RST after the "
			    "close");
}

TEST(explains_reset)
{
	struct record r;

	reset_after_own_fin(&r);
	assert_sentence(&r, "reset by the source while one side had closed: its RST (seq 2) came 203ms after its own "
			    "FIN and had exactly the number that its receiver expected; 100 bytes from the destination "
			    "were never acknowledged; the source retransmitted its FIN once; an RST was ignored by its "
			    "receiver");
	/* the FIN was the destination's: taxonomy R6; and folded data may hold a byte twice */
	r.segments[3].from = DESTINATION;
	r.segments[6].count = 2;
	r.end[SOURCE].fin_retransmits = 0;
	r.reset.ignored = 2;
	r.reset.validity = RESET_IN_WINDOW;
	r.reset.ttl_differs = true;
	r.reset.ttl = 200;
	r.reset.usual_ttl = 64;
	r.reset.mptcp = 7;
	r.closer = DESTINATION;
	assert_sentence(&r, "reset by the source while one side had closed: its RST (seq 2) came 203ms after the "
			    "destination's FIN and had a number inside its receiver's window, but not the one "
			    "expected; data from the destination was never acknowledged; the RST's TTL is 200, that of "
			    "the same side's handshake 64; the RST carried an MPTCP fast close; 2 RSTs were ignored by "
			    "their receivers");
}

TEST(explains_reset_in_established)
{
	struct record r;

	begin(&r);
	handshake(&r);
	add(&r, 2 * SECOND_NS, DESTINATION, R | A, 1, 1, 0);
	evidence(&r, -1, -1, -1, -1, 3);
	reset_by(&r, DESTINATION, PHASE_ESTABLISHED, RESET_EXACT);
	verdict(&r, OUTCOME_RESET, DESTINATION, STATE_CLOSED, STATE_CLOSED);
	assert_sentence(&r, "reset by the destination while the connection was established: its RST (seq 1) came 2.00s "
			    "after the source's last segment and had exactly the number that its receiver expected");
	/* what came between is not listed, so that segment was not the last one */
	r.segments[3].seq += 100;
	r.segments[3].raw_seq += 100;
	r.reset.validity = RESET_UNKNOWN;
	assert_sentence(&r, "reset by the destination while the connection was established: its RST (seq 101) came "
			    "2.04s into the connection and could not be checked against its receiver's numbers");
	r.evidence[EVIDENCE_RESET] = -1;
	assert_sentence(&r, "reset by the destination while the connection was established: its RST could not be "
			    "checked against its receiver's numbers");
	r.reset.by = NOBODY;
	r.reset.phase = PHASE_CLOSING;
	assert_sentence(&r, "reset while both sides were closing, but by whom was not seen");
}

TEST(explains_failed_opening)
{
	struct record r;

	refused(&r);
	assert_sentence(&r, "refused: the destination answered the source's SYN with an RST 106us later; the SYN had "
			    "been retransmitted once");
	begin(&r);
	add(&r, 0, SOURCE, S, 0, 0, 0);
	add(&r, 1 * MS_NS, DESTINATION, S | A, 0, 1, 0);
	add(&r, 68 * US_NS, SOURCE, R, 1, 0, 0);
	evidence(&r, -1, -1, -1, -1, 2);
	reset_by(&r, SOURCE, PHASE_HANDSHAKE, RESET_EXACT);
	verdict(&r, OUTCOME_HANDSHAKE_RESET, SOURCE, STATE_CLOSED, STATE_CLOSED);
	assert_sentence(&r, "reset by the source before the handshake was complete: its RST (seq 1) came 68us after "
			    "the destination's SYN-ACK");
	r.segments[2].from = DESTINATION;
	r.reset.by = DESTINATION;
	assert_sentence(&r, "reset by the destination before the handshake was complete: its RST (seq 1) came 68us "
			    "after its own SYN-ACK");
}

TEST(explains_unanswered)
{
	struct record r;

	begin(&r);
	add(&r, 0, SOURCE, S, 0, 0, 0);
	verdict(&r, OUTCOME_UNANSWERED, NOBODY, STATE_SYN_SENT, STATE_UNKNOWN);
	assert_sentence(&r, "unanswered: the source's SYN got no answer");
	mark(add(&r, 1 * SECOND_NS, SOURCE, S, 0, 0, 0), SEGMENT_COPY, 1);
	mark(add(&r, 2 * SECOND_NS, SOURCE, S, 0, 0, 0), SEGMENT_COPY, 1);
	r.syn_retransmits = 2;
	assert_sentence(&r, "unanswered: the source sent its SYN 3 times in 3.00s and got no answer");
	r.syn_retransmits = 255; /* not all are listed: no time */
	assert_sentence(&r, "unanswered: the source sent its SYN at least 256 times and got no answer");
	/* a handshake that stopped after the SYN-ACK */
	add(&r, 1 * MS_NS, DESTINATION, S | A, 0, 1, 0);
	r.missing = MISSING_SOURCE_ACK;
	assert_sentence(&r, "unanswered: the destination's SYN-ACK got no answer");
	mark(add(&r, 1 * SECOND_NS, DESTINATION, S | A, 0, 1, 0), SEGMENT_COPY, 1);
	r.synack_retransmits = 1;
	assert_sentence(&r, "unanswered: the destination sent its SYN-ACK twice in 1.00s and got no answer");
	assert_true(drawing_has(&r, "\nunanswered; missing: the source's ACK of the SYN-ACK\n"));
}

TEST(explains_unfinished)
{
	struct record r;

	four_way(&r);
	r.time_wait = NOBODY;
	r.missing = MISSING_SOURCE_ACK;
	r.end[DESTINATION].fin_retransmits = 5;
	verdict(&r, OUTCOME_UNFINISHED, SOURCE, STATE_FIN_WAIT_2, STATE_LAST_ACK);
	assert_sentence(&r, "unfinished: the source never acknowledged the destination's FIN (seq 4478); the source "
			    "had closed first; the destination retransmitted its FIN 5 times; the source is left in "
			    "FIN-WAIT-2, the destination is left in LAST-ACK");
	r.missing = MISSING_DESTINATION_FIN;
	r.end[DESTINATION].fin_retransmits = 0;
	verdict(&r, OUTCOME_UNFINISHED, SOURCE, STATE_FIN_WAIT_2, STATE_CLOSE_WAIT);
	assert_sentence(&r, "unfinished: the destination acknowledged the source's FIN (seq 3343) 36.0ms later but "
			    "never sent its own; the source is left in FIN-WAIT-2, the destination is left in "
			    "CLOSE-WAIT");
	r.missing = MISSING_DESTINATION_ACK;
	r.evidence[EVIDENCE_FIN] = -1;
	verdict(&r, OUTCOME_UNFINISHED, SOURCE, STATE_UNKNOWN, STATE_ESTABLISHED);
	assert_sentence(&r, "unfinished: the destination never acknowledged the source's FIN; the destination is left "
			    "in ESTABLISHED");
}

TEST(explains_open_and_unknown)
{
	struct record r;

	begin(&r);
	handshake(&r);
	verdict(&r, OUTCOME_OPEN, NOBODY, STATE_ESTABLISHED, STATE_ESTABLISHED);
	assert_sentence(&r, "still open when it was reported");
	r.timing[T_LIFETIME] = 7500 * SECOND_NS;
	assert_sentence(&r, "still open when it was reported, 2h05m after its first segment");
	four_way(&r);
	r.time_wait = NOBODY;
	verdict(&r, OUTCOME_UNKNOWN, NOBODY, STATE_UNKNOWN, STATE_UNKNOWN);
	evidence(&r, 3, 4, 5, -1, -1);
	assert_sentence(&r, "unknown: what decides the close was not seen; only the first FIN, the first FIN's ACK and "
			    "the second FIN were");
	evidence(&r, 3, -1, -1, -1, -1);
	assert_sentence(&r, "unknown: what decides the close was not seen; only a FIN was");
	evidence(&r, 3, 4, -1, -1, -1);
	assert_sentence(&r, "unknown: what decides the close was not seen; only a FIN and its ACK were");
	r.closer = SOURCE;
	assert_sentence(&r, "unknown: what decides the close was not seen; only the first FIN and the first FIN's ACK "
			    "were");
	r.closer = NOBODY;
	evidence(&r, 3, -1, -1, -1, -1);
	r.missing = MISSING_DESTINATION_ACK;
	assert_true(drawing_has(&r, "\nunknown; the close took 38.1ms; not seen: the destination's ACK of the FIN\n"));
	evidence(&r, -1, -1, -1, -1, -1);
	assert_sentence(&r, "unknown: what decides the close was not seen");
}

static void assert_wellformed(const char *text)
{
	static const char *const faults[] = {"  ", " ;", ";;", ",;", ": ;", " ,", "(null)", " -", ",,", ":;"};
	unsigned i;

	for (i = 0; i < COUNT(faults); i++)
		assert_null(strstr(text, faults[i]));
	assert_true(*text >= 'a' && *text <= 'z');
	assert_null(strchr(" ;,:", text[strlen(text) - 1]));
	for (; *text; text++)
		assert_in_range(*text, ' ', '~');
}

TEST(generated_sentences_hold)
{
	struct record r;
	int i;

	for (i = 0; i < 20000; i++) {
		struct buffer b = {0};

		enter_row("generated record %d", i);
		generated(&r);
		format_explanation(&b, &r);
		assert_wellformed(text_of(&b));
		buffer_free(&b);
	}
}

/* All verdicts with nothing seen beside them: no sentence may hold a number. */
TEST(has_no_number_unseen)
{
	unsigned i;

	for (i = 0; i < OUTCOMES * 4 * 4 * 5 * 6 * 4; i++) {
		struct buffer b = {0};
		struct record r;

		enter_row("verdict %u", i);
		begin(&r);
		r.outcome = i % OUTCOMES;
		r.pattern = i / OUTCOMES % 4;
		r.closer = i / OUTCOMES / 4 % 4;
		r.missing = i / OUTCOMES / 16 % 5;
		r.reset.phase = i / OUTCOMES / 80 % 6;
		r.reset.validity = i / OUTCOMES / 480;
		r.reset.by = i % 3 == 2 ? NOBODY : i % 3;
		r.late_reset = i % 2;
		format_explanation(&b, &r);
		assert_wellformed(text_of(&b));
		assert_null(strpbrk(b.data, "0123456789"));
		buffer_free(&b);
	}
}

/* ---- durations ---- */

TEST(prints_durations)
{
	static const struct {
		int64_t ns;
		const char *text;
	} table[] = {
		{-1, "-"},
		{INT64_MIN, "-"},
		{0, "0"},
		{1, "1ns"},
		{740, "740ns"},
		{999, "999ns"},
		{1000, "1.00us"},
		{1500, "1.50us"},
		{9994, "9.99us"},
		{9995, "10us"},
		{9999, "10us"},
		{10499, "10us"},
		{68 * US_NS, "68us"},
		{67500, "68us"},
		{126 * US_NS, "126us"},
		{999499, "999us"},
		{999500, "1.00ms"},
		{1965 * US_NS, "1.97ms"},
		{9995 * US_NS, "10.0ms"},
		{36020 * US_NS, "36.0ms"},
		{99949 * US_NS, "99.9ms"},
		{99950 * US_NS, "100ms"},
		{125346 * US_NS, "125ms"},
		{999499999, "999ms"},
		{999500000, "1.00s"},
		{2500 * MS_NS, "2.50s"},
		{59949 * MS_NS, "59.9s"},
		{59950 * MS_NS, "1m00s"},
		{60 * SECOND_NS, "1m00s"},
		{195980942 * US_NS, "3m16s"},
		{3599499 * MS_NS, "59m59s"},
		{3599500 * MS_NS, "1h00m"},
		{7500 * SECOND_NS, "2h05m"},
		{86369 * SECOND_NS, "23h59m"},
		{86370 * SECOND_NS, "1d00h"},
		{76 * 3600 * SECOND_NS, "3d04h"},
		{INT64_MAX, "106752d00h"},
	};
	unsigned i;

	for (i = 0; i < COUNT(table); i++) {
		struct buffer b = {0};

		enter_row("%" PRId64 " ns", table[i].ns);
		buffer_duration(&b, table[i].ns);
		assert_string_equal(text_of(&b), table[i].text);
		buffer_free(&b);
	}
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
