/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The language of --where and --check: comparisons of named values with constants, joined by and, or, not.
 *
 *	half_closed > 1s and (closer = source or process = 'nginx*') and not midstream
 *
 * A comparison with a value that is not known is false, whatever its operator.
 */
#ifndef TCPFIN_CONDITION_H
#define TCPFIN_CONDITION_H

#include <stdbool.h>
#include <stddef.h>

#include "user/filter/nearest.h"
#include "user/record/record_fields.h"

#define CONDITION_EITHER 12 /* how many values a name can stand for, such as those of both ends */

/* What names stand for. A subject is what has the values: a record, or counts. */
struct condition_names {
	const char *what;   /* "field" or "count", for errors */
	nearest_name *name; /* names to suggest */
	/* The numbers of the values that a word stands for; returns how many. 0: no such name. */
	unsigned (*find)(const char *word, size_t len, uint16_t which[CONDITION_EITHER]);
	enum record_field_type (*type)(unsigned which);
	/* The i-th word that a value can have, NULL after the last; NULL: any text can be one. */
	const char *(*word)(unsigned which, unsigned i);
	void (*value)(struct field_value *v, const void *subject, unsigned which);
	bool shares; /* values have a whole, so that "5%" can be compared with */
};

struct condition;

/*
 * Parses text, which must outlive the condition. NULL where it is none, with a line in error that names the position,
 * the word there, and names that are near it. names: not owned.
 */
struct condition *condition_parse(const struct condition_names *names, const char *text, char *error, size_t size);
void condition_free(struct condition *c);
/* Does it hold of the subject? */
bool condition_holds(const struct condition *c, const void *subject);
/* Is there a value in it of whose number the test is true? */
bool condition_uses(const struct condition *c, bool (*test)(unsigned which, const void *context), const void *context);
/* The text it was parsed from. */
const char *condition_text(const struct condition *c);

#endif
