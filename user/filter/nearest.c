// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Near is a small edit distance (Levenshtein: insertions, deletions, replacements), or a part of the name.
 */
#include "user/filter/nearest.h"

#include <stdio.h>
#include <string.h>

#define LONGEST 48 /* longer words are near to nothing */
#define SUGGESTIONS 3

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* How many characters must be inserted, deleted or replaced to make a word of len bytes of the name. */
static unsigned distance(const char *word, size_t len, const char *name)
{
	unsigned row[LONGEST + 1];

	for (size_t i = 0; i <= len; i++)
		row[i] = (unsigned)i;
	for (unsigned j = 1; *name; j++, name++) {
		unsigned diagonal = row[0];

		row[0] = j;
		for (size_t i = 1; i <= len; i++) {
			unsigned replaced = diagonal + (word[i - 1] != *name);

			diagonal = row[i];
			row[i] = least(replaced, least(row[i], row[i - 1]) + 1);
		}
	}
	return row[len];
}

/* 0 is nearest. A name that holds the word counts as one mistake. */
static unsigned remoteness(const char *word, size_t len, const char *name)
{
	char text[LONGEST + 1];

	snprintf(text, sizeof(text), "%.*s", (int)len, word);
	return strstr(name, text) && len > 2 ? 1 : distance(word, len, name);
}

struct suggestion {
	char name[NEAREST_NAME];
	unsigned far;
};

/* Keeps the nearest ones, each once. Returns how many there are now. */
static unsigned insert(struct suggestion best[SUGGESTIONS], unsigned found, const struct suggestion *s)
{
	unsigned place = found;

	for (unsigned i = 0; i < found; i++)
		if (!strcmp(best[i].name, s->name))
			return found;
	while (place && best[place - 1].far > s->far)
		place--;
	if (place == SUGGESTIONS)
		return found;
	found = least(found + 1, SUGGESTIONS);
	memmove(&best[place + 1], &best[place], (found - place - 1) * sizeof(*best));
	best[place] = *s;
	return found;
}

unsigned nearest_names(const char *word, size_t len, nearest_name *name, char *text, size_t size)
{
	struct suggestion best[SUGGESTIONS], s;
	unsigned found = 0;
	size_t used = 0;

	if (len > LONGEST)
		return 0;
	for (unsigned i = 0; name(i, s.name); i++) {
		s.far = remoteness(word, len, s.name);
		if (s.far <= 1 + len / 4)
			found = insert(best, found, &s);
	}
	for (unsigned i = 0; i < found && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", best[i].name);
	return found;
}
