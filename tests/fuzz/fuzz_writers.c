// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The writers on any record: every value that a field's type and comment in record.h allow, even in combinations that
 * no verdict gives. Each format and the summary are well-formed and printable.
 *
 * Input: 4 bytes of style, then the record's fields in their order; where it ends, the rest are zeroes.
 */
#include <string.h>

#include "user/format/summary.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/fuzz.h"

static uint64_t take64(struct input *in)
{
	uint64_t high = take32(in);

	return high << 32 | take32(in);
}

/* A value of an enum with that many. */
static unsigned take_choice(struct input *in, unsigned choices)
{
	return take8(in) % choices;
}

/* A number of at most `bits` bits, or -1 for one that was not seen. All lengths are equally likely. */
static int64_t take_seen(struct input *in, unsigned bits)
{
	uint8_t how = take8(in);

	return how & 0x80 ? -1 : (int64_t)(take64(in) >> (64 - bits + how % bits));
}

static void take_end(struct input *in, struct record_end *end)
{
	for (int i = 0; i < 16; i++)
		end->ip[i] = take8(in);
	end->port = take16(in);
	end->bytes = take_seen(in, 32);
	end->state = take_choice(in, TCP_STATES);
	end->wscale = (int)take_choice(in, 16) - 1;
	end->fin_retransmits = take8(in);
}

static void take_name(struct input *in, char *name, unsigned size)
{
	unsigned len = take_choice(in, size);

	for (unsigned i = 0; i < len; i++)
		name[i] = (char)take8(in);
	name[len] = '\0';
}

static struct cgroup_names take_cgroup_names(struct input *in, char text[3][16])
{
	for (unsigned i = 0; i < 3; i++)
		take_name(in, text[i], sizeof(text[i]));
	return (struct cgroup_names){.unit = *text[0] ? text[0] : NULL,
				     .container = *text[1] ? text[1] : NULL,
				     .pod = *text[2] ? text[2] : NULL};
}

static void take_socket(struct input *in, struct record_socket *s)
{
	uint8_t how = take8(in);

	s->known = how & 0x80;
	s->how = how % (HOW_KERNEL + 1u);
	s->process.pid = take32(in);
	s->process.uid = take32(in);
	s->cgroup = take64(in);
	take_name(in, s->process.name, sizeof(s->process.name));
	s->unread_bytes = take_seen(in, 32);
	s->close_to_fin = take_seen(in, 63);
	s->reset_received = take_seen(in, 63);
	s->step_count = take_choice(in, RECORD_STEPS + 1);
	for (unsigned i = 0; i < s->step_count; i++) {
		s->steps[i].t = (int64_t)(take64(in) >> 1); /* not negative: check.c takes no such number */
		s->steps[i].state = take_choice(in, TCP_STATES);
	}
	if (how & 0x40 && !socket_closer(s))
		s->process.holders = take32(in);
}

static void take_listener(struct input *in, struct record_listener *l)
{
	l->state = take_choice(in, LISTENER_FULL + 1);
	l->t = (int64_t)(take64(in) >> 1); /* the question comes after the SYN */
	l->queue = take32(in);
	l->backlog = take32(in);
	l->uid = take32(in);
	l->pid = l->state > LISTENER_NONE ? take32(in) : 0;
	take_name(in, l->name, sizeof(l->name));
}

static void take_verdict(struct input *in, struct record *r)
{
	r->outcome = take_choice(in, OUTCOMES);
	r->pattern = take_choice(in, PATTERN_SIMULTANEOUS + 1);
	r->closer = take_choice(in, NOBODY + 1);
	r->time_wait = take_choice(in, NOBODY + 1);
	r->missing = take_choice(in, MISSING_DESTINATION_FIN + 1);
	r->reset.by = take_choice(in, NOBODY + 1);
	r->reset.phase = take_choice(in, PHASE_CLOSED + 1);
	r->reset.validity = take_choice(in, RESET_OUT_OF_WINDOW + 1);
	r->mtu_black_hole.sender = take_choice(in, DESTINATION + 1);
	r->mtu_black_hole.bytes = take8(in);
	r->mtu_black_hole.passed = take8(in);
	r->reset.mptcp = take8(in);
	r->reset.ignored = take8(in);
}

static void take_flags(struct input *in, struct record *r)
{
	uint8_t bits = take8(in);

	r->reset.ttl_differs = bits & 1;
	r->late_reset = bits & 2;
	r->midstream = bits & 4;
	r->fin_original[SOURCE] = bits & 8;
	r->fin_original[DESTINATION] = bits & 16;
	r->bytes_approximate = bits & 32;
}

static void take_numbers(struct input *in, struct record *r)
{
	for (int i = 0; i < TIMINGS; i++)
		r->timing[i] = take_seen(in, 63);
	r->syn_retransmits = take8(in);
	r->synack_retransmits = take8(in);
	r->half_closed_bytes = take_seen(in, 32);
	r->completeness = take8(in) & 63;
	r->segments_lost = take32(in);
}

static void take_history(struct input *in, struct record *r)
{
	static const char letters[] = "SHAFRDshafrd^";
	static const char *const states[] = {"S0", "S1", "SF", "REJ", "RSTO", "RSTR", "OTH"};
	unsigned len = take_choice(in, sizeof(r->history));

	r->conn_state = states[take_choice(in, sizeof(states) / sizeof(states[0]))];
	for (unsigned i = 0; i < len; i++)
		r->history[i] = letters[take_choice(in, sizeof(letters) - 1)];
}

static void take_segments(struct input *in, struct record *r)
{
	uint64_t t = 0;

	r->segment_count = take_choice(in, RECORD_SEGMENTS + 1);
	for (unsigned i = 0; i < r->segment_count; i++) {
		struct record_segment *s = &r->segments[i];
		int64_t since = take_seen(in, 58);

		t += since > 0 ? (uint64_t)since : 0;
		*s = (struct record_segment){
			.t = t,
			.from = take_choice(in, 2),
			.flags = take8(in),
			.mark = take8(in),
			.raw_seq = take32(in),
			.raw_ack = take32(in),
			.seq = take32(in),
			.ack = take32(in),
			.len = take32(in),
			.win = take16(in),
			.count = take16(in) + 1u,
			.ttl = take8(in),
			.ip_id = take16(in),
		};
	}
	for (int i = 0; i < EVIDENCES; i++)
		r->evidence[i] = (int)take_choice(in, r->segment_count + 1) - 1;
}

static void take_record(struct input *in, struct record *r)
{
	r->family = take8(in) & 1 ? 6 : 4;
	for (int i = 0; i < PACKET_MAX_TAGS; i++)
		r->vlan[i] = (int)(take16(in) & 0x1fff) - 1;
	take_end(in, &r->end[SOURCE]);
	take_end(in, &r->end[DESTINATION]);
	r->start = take64(in);
	r->finish = take64(in);
	take_verdict(in, r);
	take_flags(in, r);
	take_numbers(in, r);
	take_history(in, r);
	take_segments(in, r);
}

static void check_summary(const struct record *r)
{
	struct buffer b = {0};
	struct summary *s = calloc(1, sizeof(*s));

	expect(s);
	summary_add(s, r);
	summary_print(&b, s);
	check_printable(b.data, b.len, false, false);
	buffer_free(&b);
	free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	uint8_t how = take8(&in), named = take8(&in);
	struct format_style style = {.color = how & 1, .unicode = how & 2, .verbose = how & 4, .columns = take16(&in)};
	struct record r = {0};
	char interface[16] = "", names[2][3][16];

	take_record(&in, &r);
	for (enum role role = SOURCE; role <= DESTINATION; role++) {
		take_socket(&in, &r.socket[role]);
		r.socket[role].names = take_cgroup_names(&in, names[role]);
	}
	take_listener(&in, &r.listener);
	for (unsigned i = 0; i < (named & 15u); i++)
		interface[i] = (char)take8(&in);
	for (unsigned i = 0; i < (named & 16 ? 1u + (named >> 5) : 0); i++)
		r.interfaces[i] = interface + i;
	check_formats(&r, &style);
	check_summary(&r);
	return 0;
}
