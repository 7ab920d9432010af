// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads the ranges of the header one after the other. A weight is a number of thousandths, as the header has at most
 * three digits behind the point.
 */
#include "user/monitoring/accept_header.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "user/base/decimal.h"

/* The weight among the parameters of a range, which end at `end`; 1000 without one, 0 for one that is no number. */
static unsigned weight_of(const char *parameters, const char *end)
{
	uint64_t weight;

	for (const char *p = parameters; p < end; p++) {
		if (*p != ';')
			continue;
		p += 1 + strspn(p + 1, " \t");
		if (strncasecmp(p, "q=", 2) != 0)
			continue;
		if (!decimal_read(p + 2, 1000, &weight))
			return 0;
		return weight < 1000 ? (unsigned)weight : 1000;
	}
	return 1000;
}

/* The greatest weight of the media type; 0 where it is not named. */
static unsigned weight_in(const char *accept, const char *type)
{
	size_t len = strlen(type);
	unsigned greatest = 0;

	for (const char *range = accept; *range;) {
		const char *end = range + strcspn(range, ",");
		unsigned weight;

		range += strspn(range, " \t");
		if (!strncasecmp(range, type, len) && strchr(" \t;,", range[len])) {
			weight = weight_of(range + len, end);
			greatest = weight > greatest ? weight : greatest;
		}
		range = end + (*end == ',');
	}
	return greatest;
}

enum exposition_format accept_header_format(const char *accept)
{
	unsigned openmetrics = accept ? weight_in(accept, "application/openmetrics-text") : 0;

	return openmetrics && openmetrics >= weight_in(accept, "text/plain") ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT;
}
