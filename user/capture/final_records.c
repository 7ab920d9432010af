// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A table by event.id, open addressing. Records that wait are kept as the JSON that they are read from.
 */
#include "user/capture/final_records.h"

#include <stdlib.h>
#include <unistd.h>

#include "user/base/exit_code.h"
#include "user/base/log.h"
#include "user/format/format.h"
#include "user/readback/record_reader.h"

struct entry {
	uint8_t id[16];
	uint64_t order;       /* from 1 on; 0: the entry is free */
	struct buffer *waits; /* the last interim record; NULL: the connection was counted */
};

struct final_records {
	struct entry *entries;
	size_t size, used; /* size: a power of two */
	unsigned waiting;
	uint64_t order, again;
	uint64_t factor[2]; /* odd */
};

/* ---- the table ---- */

/* event.id has 32 digits of base 16. */
static void id_bytes(const char *text, uint8_t id[16])
{
	for (int i = 0; i < 32; i++) {
		unsigned char c = (unsigned char)text[i], digit = (c & 0x40 ? c + 9 : c) & 15;

		id[i / 2] = (uint8_t)(id[i / 2] << 4 | digit);
	}
}

/* Nobody outside can choose ids that meet: the factors are secret. */
static uint64_t hash(const struct final_records *f, const uint8_t id[16])
{
	uint64_t half[2];

	memcpy(half, id, sizeof(half));
	half[0] = (half[0] ^ half[0] >> 32) * f->factor[0] + (half[1] ^ half[1] >> 32) * f->factor[1];
	return half[0] >> 32 | half[0] << 32;
}

/* The id's entry, or the free one where it belongs. */
static struct entry *find(const struct final_records *f, struct entry *entries, size_t size, const uint8_t id[16])
{
	for (uint64_t place = hash(f, id);; place++) {
		struct entry *e = &entries[place & (size - 1)];

		if (!e->order || !memcmp(e->id, id, sizeof(e->id)))
			return e;
	}
}

static void out_of_memory(void)
{
	log_error("out of memory");
	exit(EXIT_RUNTIME);
}

/* Moves the entries that wait or are younger than `oldest` into a table of that size. */
static void rebuild(struct final_records *f, size_t size, uint64_t oldest)
{
	struct entry *entries = calloc(size, sizeof(*entries));

	if (!entries)
		out_of_memory();
	f->used = 0;
	for (size_t i = 0; i < f->size; i++) {
		const struct entry *e = &f->entries[i];

		if (!e->order || (e->order < oldest && !e->waits))
			continue;
		*find(f, entries, size, e->id) = *e;
		f->used++;
	}
	free(f->entries);
	f->entries = entries;
	f->size = size;
}

/* At most half of the table is used. */
static void make_room(struct final_records *f)
{
	if (f->used < f->size / 2)
		return;
	if (f->size < 2 * FINAL_RECORDS)
		rebuild(f, 2 * f->size, 0);
	else
		rebuild(f, f->size, f->order - FINAL_RECORDS / 2);
}

struct final_records *final_records_new(void)
{
	struct final_records *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	if (getentropy(f->factor, sizeof(f->factor)))
		f->factor[0] = f->factor[1] = (uintptr_t)f * 0x9e3779b97f4a7c15;
	f->factor[0] |= 1;
	f->factor[1] |= 1;
	f->size = 1024;
	f->entries = calloc(f->size, sizeof(*f->entries));
	if (f->entries)
		return f;
	free(f);
	return NULL;
}

/* ---- records ---- */

static void forget_waiting(struct final_records *f, struct entry *e)
{
	if (!e->waits)
		return;
	buffer_free(e->waits);
	free(e->waits);
	e->waits = NULL;
	f->waiting--;
}

void final_records_free(struct final_records *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->size; i++)
		forget_waiting(f, &f->entries[i]);
	free(f->entries);
	free(f);
}

/* A later interim record replaces an earlier one. False: no more are kept. */
static bool keep_waiting(struct final_records *f, struct entry *e, const struct record *r)
{
	if (!e->waits) {
		if (f->waiting == WAITING_RECORDS)
			return false;
		e->waits = calloc(1, sizeof(*e->waits));
		if (!e->waits)
			out_of_memory();
		f->waiting++;
	}
	e->waits->len = 0;
	format_json(e->waits, r);
	return true;
}

bool final_records_take(struct final_records *f, const struct record *r)
{
	uint8_t id[16] = {0};
	struct entry *e;
	bool known, waited;

	make_room(f);
	id_bytes(r->id, id);
	e = find(f, f->entries, f->size, id);
	known = e->order;
	waited = e->waits;
	if (!known) {
		memcpy(e->id, id, sizeof(id));
		f->used++;
		e->order = ++f->order;
	}
	if (!r->final && (!known || waited))
		return !keep_waiting(f, e, r);
	f->again += known && !waited && r->final;
	forget_waiting(f, e);
	return !known || waited;
}

/* ---- the end ---- */

static int by_order(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;

	return (x->order > y->order) - (x->order < y->order);
}

static struct entry **list_waiting(const struct final_records *f)
{
	struct entry **list = calloc(f->waiting + 1, sizeof(struct entry *));
	unsigned count = 0;

	if (!list)
		out_of_memory();
	for (size_t i = 0; i < f->size; i++)
		if (f->entries[i].waits)
			list[count++] = &f->entries[i];
	qsort(list, count, sizeof(struct entry *), by_order);
	return list;
}

void final_records_each_waiting(struct final_records *f, void (*take)(void *context, const struct record *r),
				void *context)
{
	struct record_reader *reader = record_reader_new();
	struct entry **list = list_waiting(f);
	const struct record *r;
	char error[128];

	if (!reader)
		out_of_memory();
	for (unsigned i = 0; i < f->waiting; i++) {
		struct buffer *line = list[i]->waits;

		line->data[--line->len] = '\0'; /* in place of the newline */
		if (record_reader_take(reader, line->data, line->len, &r, error, sizeof(error)) == LINE_RECORD)
			take(context, r);
	}
	free(list);
	record_reader_free(reader);
}

uint64_t final_records_again(const struct final_records *f)
{
	return f->again;
}
