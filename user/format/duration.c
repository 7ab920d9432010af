// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One rule for every duration printed for people: the value is rounded before the unit is chosen, so that it never
 * reads "1000us" for "1.00ms".
 */
#include "user/format/duration.h"

#include "user/base/clock.h"

#define MINUTE_NS (60 * SECOND_NS)
#define HOUR_NS (60 * MINUTE_NS)

/* Inline, as is its caller: a division by a constant is a product, one by a variable takes ten times as long. */
static inline __attribute__((always_inline)) uint64_t in_units(uint64_t ns, uint64_t unit)
{
	return ns / unit + (ns % unit >= unit - unit / 2);
}

/* Three digits, one or two of them decimals. number: from 100 to 999, in units of the last one. */
static inline void decimal(struct buffer *b, unsigned number, unsigned decimals, const char *name)
{
	char *p = buffer_room(b, 4);

	p[0] = (char)('0' + number / 100);
	p[decimals == 1 ? 1 : 2] = (char)('0' + number / 10 % 10);
	p[decimals == 1 ? 2 : 1] = '.';
	p[3] = (char)('0' + number % 10);
	b->len += 4;
	buffer_text(b, name);
}

/* Three significant digits of `unit`, when the rounded value stays below `limit` units. */
static inline __attribute__((always_inline)) bool scaled(struct buffer *b, uint64_t ns, uint64_t unit, unsigned limit,
							 const char *name)
{
	unsigned hundredths, tenths, whole;

	if (ns >= limit * unit)
		return false;
	hundredths = in_units(ns, unit / 100);
	tenths = in_units(ns, unit / 10);
	whole = in_units(ns, unit);
	if (hundredths < 1000) {
		decimal(b, hundredths, 2, name);
		return true;
	}
	/* No tenths of microseconds: capture clocks are not that exact. */
	if (tenths < 1000 && tenths < limit * 10 && unit != US_NS) {
		decimal(b, tenths, 1, name);
		return true;
	}
	if (whole >= limit)
		return false;
	buffer_unsigned(b, whole);
	buffer_text(b, name);
	return true;
}

/* Two neighbouring units, rounded to the smaller one. */
static void paired(struct buffer *b, uint64_t small_units, unsigned per_large, char large, char small)
{
	buffer_unsigned(b, small_units / per_large);
	buffer_char(b, large);
	buffer_digits(b, small_units % per_large, 2);
	buffer_char(b, small);
}

void buffer_duration(struct buffer *b, int64_t duration)
{
	uint64_t ns = duration;

	if (duration < 0) {
		buffer_char(b, '-');
	} else if (duration == 0) {
		buffer_char(b, '0');
	} else if (ns < 1000) {
		buffer_unsigned(b, ns);
		buffer_text(b, "ns");
	} else if (scaled(b, ns, US_NS, 1000, "us") || scaled(b, ns, MS_NS, 1000, "ms") ||
		   scaled(b, ns, SECOND_NS, 60, "s")) {
		return;
	} else if (in_units(ns, SECOND_NS) < 60 * 60) {
		paired(b, in_units(ns, SECOND_NS), 60, 'm', 's');
	} else if (in_units(ns, MINUTE_NS) < 24 * 60) {
		paired(b, in_units(ns, MINUTE_NS), 60, 'h', 'm');
	} else {
		paired(b, in_units(ns, HOUR_NS), 24, 'd', 'h');
	}
}
