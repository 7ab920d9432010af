// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections are listed as they begin. At the end, the list is searched for those whose tuple has a kept connection:
 * of each such tuple they are a run, in order, in which the second reading moves on.
 */
#include "user/flight/connection_spans.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/exit_code.h"
#include "user/base/log.h"

#define MIDSTREAM ((uint64_t)1 << 63) /* in begun.first */
#define NOT_KEPT UINT64_MAX

struct begun {
	uint64_t tuple;
	uint64_t first; /* number of its first packet, with MIDSTREAM */
	uint64_t ended; /* of the last one before its report; 0: it was not reported, and is no connection */
};

/* A connection of a tuple of which one is kept. */
struct span {
	uint64_t first, ended;
	uint64_t kept; /* its number among those kept; NOT_KEPT */
};

struct run {
	uint64_t tuple;
	uint64_t start, count; /* of spans; count 0: the place is free */
	uint64_t at;           /* spans of the run that have begun */
};

struct connection_spans {
	struct flow_hash_key key; /* random, so that nobody can foresee equal hashes */
	struct begun *begun;
	uint64_t begun_count, begun_room;
	struct kept_connection *kept;
	uint64_t kept_count, kept_room;
	uint64_t *index; /* by begun: number among those kept + 1, open addressing over kept->begun */
	uint64_t index_size;
	struct run *runs; /* open addressing */
	uint64_t run_size;
	struct span *spans;
};

static void *must(void *memory)
{
	if (memory)
		return memory;
	log_error("out of memory for packets (-w)");
	exit(EXIT_RUNTIME);
}

struct connection_spans *connection_spans_new(void)
{
	struct connection_spans *s = calloc(1, sizeof(*s));

	if (s && getentropy(&s->key, sizeof(s->key)))
		s->key = flow_hash_key_of((uintptr_t)s);
	return s;
}

void connection_spans_free(struct connection_spans *s)
{
	if (!s)
		return;
	for (uint64_t i = 0; i < s->kept_count; i++)
		free(s->kept[i].comment);
	free(s->kept);
	free(s->index);
	free(s->begun);
	free(s->runs);
	free(s->spans);
	free(s);
}

uint64_t connection_spans_tuple(const struct connection_spans *s, const struct tcp_segment *segment)
{
	return flow_hash_tunnelled(segment, 0, &s->key);
}

/* ---- the first reading ---- */

/* An array of `count` elements with room for one more. */
static void *grown(void *array, uint64_t count, uint64_t *room, size_t size)
{
	if (count < *room)
		return array;
	*room = *room ? 2 * *room : 64;
	return must(reallocarray(array, *room, size));
}

uint64_t connection_spans_begin(struct connection_spans *s, uint64_t tuple, uint64_t number, bool midstream)
{
	s->begun = grown(s->begun, s->begun_count, &s->begun_room, sizeof(*s->begun));
	s->begun[s->begun_count] = (struct begun){.tuple = tuple, .first = number | (midstream ? MIDSTREAM : 0)};
	return s->begun_count++;
}

void connection_spans_end(struct connection_spans *s, uint64_t begun, uint64_t number)
{
	s->begun[begun].ended = number;
}

/* Where the index has the connection, or its free place. */
static uint64_t *index_place(const struct connection_spans *s, uint64_t begun)
{
	for (uint64_t place = begun * FLOW_HASH_PRIME >> 20;; place++) {
		uint64_t *number = &s->index[place & (s->index_size - 1)];

		if (!*number || s->kept[*number - 1].begun == begun)
			return number;
	}
}

/* At most half of the index is used. */
static void grow_index(struct connection_spans *s)
{
	if (2 * s->kept_count < s->index_size)
		return;
	s->index_size = s->index_size ? 2 * s->index_size : 128;
	free(s->index);
	s->index = must(calloc(s->index_size, sizeof(*s->index)));
	for (uint64_t i = 0; i < s->kept_count; i++)
		*index_place(s, s->kept[i].begun) = i + 1;
}

struct kept_connection *connection_spans_keep(struct connection_spans *s, uint64_t begun)
{
	uint64_t *number;

	grow_index(s);
	number = index_place(s, begun);
	if (*number)
		return &s->kept[*number - 1];
	s->kept = grown(s->kept, s->kept_count, &s->kept_room, sizeof(*s->kept));
	s->kept[s->kept_count] = (struct kept_connection){.begun = begun};
	*number = ++s->kept_count;
	return &s->kept[s->kept_count - 1];
}

const struct kept_connection *connection_spans_kept(const struct connection_spans *s, uint64_t *count)
{
	*count = s->kept_count;
	return s->kept;
}

/* ---- between the two ---- */

/* The tuple's run, or its free place. */
static struct run *run_of(const struct connection_spans *s, uint64_t tuple)
{
	for (uint64_t place = tuple >> 20;; place++) {
		struct run *run = &s->runs[place & (s->run_size - 1)];

		if (!run->count || run->tuple == tuple)
			return run;
	}
}

/* A run for each tuple of which a connection is kept. Its count is 1 until it is known. */
static void make_runs(struct connection_spans *s)
{
	s->run_size = 128;
	while (s->run_size < 2 * s->kept_count)
		s->run_size *= 2;
	s->runs = must(calloc(s->run_size, sizeof(*s->runs)));
	for (uint64_t i = 0; i < s->kept_count; i++) {
		uint64_t tuple = s->begun[s->kept[i].begun].tuple;

		*run_of(s, tuple) = (struct run){.tuple = tuple, .count = 1};
	}
}

/* Counts the connections of each run, and gives each its place among the spans. */
static void measure_runs(struct connection_spans *s)
{
	uint64_t start = 0;

	for (uint64_t i = 0; i < s->begun_count; i++)
		if (s->begun[i].ended)
			run_of(s, s->begun[i].tuple)->at++;
	for (struct run *run = s->runs; run < s->runs + s->run_size; run++) {
		if (!run->count) {
			run->at = 0; /* of tuples that are not kept */
			continue;
		}
		run->start = start;
		start += run->at;
		run->count = run->at;
		run->at = 0;
	}
	s->spans = must(calloc(start + 1, sizeof(*s->spans)));
}

/*
 * Where the packets of a connection begin. One whose handshake was not seen has those of its tuple since the one before
 * was reported.
 */
static uint64_t first_of(const struct begun *begun, const struct begun *before)
{
	uint64_t first = begun->first & ~MIDSTREAM;

	if (!(begun->first & MIDSTREAM))
		return first;
	if (!before)
		return 0;
	return before->ended < first ? before->ended + 1 : first;
}

static void fill_runs(struct connection_spans *s)
{
	uint64_t *last = must(calloc(s->run_size, sizeof(*last))); /* by run: the connection before, + 1 */

	for (uint64_t i = 0; i < s->begun_count; i++) {
		struct run *run = run_of(s, s->begun[i].tuple);
		uint64_t *before = &last[run - s->runs];
		uint64_t kept = *index_place(s, i);

		if (!run->count || !s->begun[i].ended)
			continue;
		s->spans[run->start + run->at++] = (struct span){
			.first = first_of(&s->begun[i], *before ? &s->begun[*before - 1] : NULL),
			.ended = s->begun[i].ended,
			.kept = kept ? kept - 1 : NOT_KEPT,
		};
		*before = i + 1;
	}
	for (struct run *run = s->runs; run < s->runs + s->run_size; run++)
		run->at = 0;
	free(last);
}

void connection_spans_seal(struct connection_spans *s)
{
	grow_index(s);
	make_runs(s);
	measure_runs(s);
	fill_runs(s);
	free(s->begun);
	s->begun = NULL;
	s->begun_count = s->begun_room = 0;
}

/* ---- the second reading ---- */

unsigned connection_spans_of(struct connection_spans *s, uint64_t tuple, uint64_t number,
			     struct kept_connection *of[CONNECTION_SPANS_MOST])
{
	struct run *run = run_of(s, tuple);
	const struct span *spans = s->spans + run->start;
	unsigned count = 0;

	while (run->at < run->count && spans[run->at].first <= number)
		run->at++;
	for (uint64_t i = 1; i <= run->at && i <= CONNECTION_SPANS_MOST; i++) {
		const struct span *span = &spans[run->at - i];

		if (span->kept != NOT_KEPT && (i == 1 || number <= span->ended))
			of[count++] = &s->kept[span->kept];
	}
	return count;
}
