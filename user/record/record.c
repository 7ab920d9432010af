// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What follows from the members of a record together.
 */
#include "user/record/record.h"

uint64_t record_unlisted_bytes(const struct record *r, enum role role)
{
	int64_t listed = 0;

	for (unsigned i = 0; i < r->segment_count; i++) {
		const struct record_segment *s = &r->segments[i];

		if (s->from == role && !(s->mark & (SEGMENT_COPY | SEGMENT_IGNORED)))
			listed += s->len;
	}
	return r->end[role].bytes > listed ? (uint64_t)(r->end[role].bytes - listed) : 0;
}
