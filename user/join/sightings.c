// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A record's segments as what can be found again in another view.
 */
#include "user/join/sightings.h"

#include "user/base/clock.h"

/* Data and folded ACKs are not listed one by one, and so are not comparable. */
static bool is_comparable(const struct record_segment *s)
{
	if (s->flags & (TCP_SYN | TCP_FIN | TCP_RST))
		return true;
	return s->flags & TCP_ACK && !s->len && !(s->mark & SEGMENT_FOLDED);
}

static enum segment_kind kind_of(uint8_t flags)
{
	if (flags & TCP_RST)
		return KIND_RST;
	if (flags & TCP_SYN)
		return flags & TCP_ACK ? KIND_SYN_ACK : KIND_SYN;
	return flags & TCP_FIN ? KIND_FIN : KIND_ACK;
}

/* Offloads join and cut data in front of a FIN, so that only the number behind it stays. */
static struct segment_key key_of(const struct view *view, const struct record_segment *s)
{
	enum segment_kind kind = kind_of(s->flags);

	return (struct segment_key){.kind = kind,
				    .from = view_role(view, s->from),
				    .number = kind == KIND_FIN ? s->raw_seq + s->len : s->raw_seq,
				    .ack = s->flags & TCP_ACK ? s->raw_ack : 0};
}

#define LAST_TIME (4102444800 * SECOND_NS) /* the year 2100; up to then differences of differences fit into 63 bits */

/* Is it a time that others can be compared with? Records may say anything. */
static bool is_time(uint64_t start, uint64_t later)
{
	return start < LAST_TIME && later < LAST_TIME - start;
}

void sightings_add(struct sightings *s, const struct view *view)
{
	const struct record *r = &view->record;
	uint64_t latest = 0;

	for (unsigned i = 0; i < r->segment_count && s->count < SIGHTINGS_MOST; i++) {
		const struct record_segment *segment = &r->segments[i];
		bool set_back = segment->t < latest; /* the view's clock was, since the segment before */

		latest = set_back ? latest : segment->t;

		if (is_comparable(segment))
			s->list[s->count++] = (struct sighting){.key = key_of(view, segment),
								.segment = segment,
								.time = r->start + segment->t,
								.timed = !(segment->mark & SEGMENT_JUMPED) &&
									 !set_back && is_time(r->start, segment->t),
								.made = view->made,
								.count = segment->count};
		else if (!segment->len)
			s->folded_acks[view_role(view, segment->from)] = true;
	}
}

bool segment_key_equal(const struct segment_key *a, const struct segment_key *b)
{
	return a->kind == b->kind && a->from == b->from && a->number == b->number && a->ack == b->ack;
}

unsigned sightings_find(const struct sightings *s, const struct segment_key *key, const struct sighting **first)
{
	unsigned count = 0;

	*first = NULL;
	for (unsigned i = 0; i < s->count; i++) {
		if (!segment_key_equal(&s->list[i].key, key))
			continue;
		*first = *first ? *first : &s->list[i];
		count += s->list[i].count;
	}
	return count;
}

bool sightings_is_first(const struct sightings *s, const struct sighting *of)
{
	const struct sighting *first;

	sightings_find(s, &of->key, &first);
	return first == of;
}
