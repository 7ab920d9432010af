// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Views are one connection's where both initial sequence numbers agree, whatever the addresses: NAT changes those.
 * Where a number was not seen, addresses and ports must agree, and nothing may contradict: the number that was seen, or
 * the numbers of a FIN or RST.
 */
#include "user/join/views.h"

#include <stdlib.h>
#include <string.h>

#include "user/join/memory.h"
#include "user/record/community_id.h"

/* ---- adding ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The one copy of the text. NULL stays NULL. */
static const char *keep_text(struct views *v, const char *text)
{
	char *kept = text ? tree_find(&v->texts, text, by_text) : NULL;

	if (kept || !text)
		return kept;
	kept = memory_copy(text);
	tree_add(&v->texts, kept, by_text);
	return kept;
}

/* Kept texts are equal where their addresses are. */
static int by_address(const char *a, const char *b)
{
	return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

/* A host may have network namespaces with interfaces of the same name, so that the file counts as well. */
static int by_vantage(const void *a, const void *b)
{
	const struct vantage *x = a, *y = b;
	int order = by_address(x->host, y->host);

	order = order ? order : by_address(x->interface, y->interface);
	return order ? order : strcmp(x->file, y->file);
}

static unsigned find_vantage(struct views *v, const struct record *r, const char *file)
{
	struct vantage key = {.host = r->host, .interface = r->interfaces[0], .file = file, .number = v->vantage_count};
	struct vantage *vantage = tree_find(&v->vantage_tree, &key, by_vantage);

	if (vantage)
		return vantage->number;
	vantage = memory_array(1, sizeof(*vantage));
	*vantage = key;
	tree_add(&v->vantage_tree, vantage, by_vantage);
	v->vantages = memory_grown(v->vantages, v->vantage_count, &v->vantage_room, sizeof(struct vantage *));
	v->vantages[v->vantage_count] = vantage;
	return v->vantage_count++;
}

void views_add(struct views *v, const struct record *r, const char *file)
{
	struct view *view;
	uint64_t until = r->finish + (view_waits(r) ? 0 : WATCHED_ON);

	v->list = memory_grown(v->list, v->count, &v->room, sizeof(*v->list));
	view = &v->list[v->count++];
	*view = (struct view){.record = *r};
	view->record.host = keep_text(v, r->host);
	for (unsigned i = 0; i < 2; i++)
		view->record.socket[i].names = (struct cgroup_names){0}; /* the line's, and not joined */
	for (unsigned i = 0; i < RECORD_INTERFACES; i++)
		view->record.interfaces[i] = keep_text(v, r->interfaces[i]);
	view->record.reset.reason = keep_text(v, r->reset.reason);
	view->record.conn_state = keep_text(v, r->conn_state);
	view->vantage = find_vantage(v, &view->record, file);
	if (until > v->vantages[view->vantage]->until)
		v->vantages[view->vantage]->until = until;
}

void views_free(struct views *v)
{
	tree_free(v->vantage_tree);
	tree_free(v->texts);
	free(v->vantages);
	free(v->list);
	*v = (struct views){0};
}

/* ---- one view for each event.id ---- */

/* By event.id; of equal ones the one to keep is first. */
static int by_id(const void *a, const void *b)
{
	const struct record *x = &((const struct view *)a)->record, *y = &((const struct view *)b)->record;
	int order = strcmp(x->id, y->id);

	if (order)
		return order;
	if (x->final != y->final)
		return x->final ? -1 : 1;
	return (x->finish < y->finish) - (x->finish > y->finish);
}

static void leave_one_each(struct views *v)
{
	size_t kept = 0;

	qsort(v->list, v->count, sizeof(*v->list), by_id);
	for (size_t i = 0; i < v->count; i++) {
		if (kept && !strcmp(v->list[kept - 1].record.id, v->list[i].record.id))
			v->replaced++;
		else
			v->list[kept++] = v->list[i];
	}
	v->count = kept;
}

/* ---- grouping ---- */

static size_t group_of(struct views *v, size_t i)
{
	while (v->list[i].group != i)
		i = v->list[i].group = v->list[v->list[i].group].group;
	return i;
}

static void unite(struct views *v, size_t a, size_t b)
{
	v->list[group_of(v, b)].group = group_of(v, a);
}

static bool both_known(const struct record *r)
{
	return r->isn[SOURCE] >= 0 && r->isn[DESTINATION] >= 0;
}

/* By initial sequence numbers, those of which one is unknown first. */
static int by_numbers(const void *a, const void *b)
{
	const struct record *x = &((const struct view *)a)->record, *y = &((const struct view *)b)->record;
	bool known = both_known(x);

	if (known != both_known(y))
		return known ? 1 : -1;
	if (x->isn[SOURCE] != y->isn[SOURCE])
		return x->isn[SOURCE] < y->isn[SOURCE] ? -1 : 1;
	return (x->isn[DESTINATION] > y->isn[DESTINATION]) - (x->isn[DESTINATION] < y->isn[DESTINATION]);
}

/* By numbers, then by vantage and start. */
static int by_numbers_and_vantage(const void *a, const void *b)
{
	const struct view *x = a, *y = b;
	int order = by_numbers(a, b);

	if (order)
		return order;
	if (x->vantage != y->vantage)
		return x->vantage < y->vantage ? -1 : 1;
	return (x->record.start > y->record.start) - (x->record.start < y->record.start);
}

static int compare_ends(const struct record *x, const struct record *y)
{
	uint8_t of_x[36] = {0}, of_y[36] = {0};

	if (x->family != y->family)
		return x->family - y->family;
	community_ends(of_x, x->family, x->end);
	community_ends(of_y, y->family, y->end);
	return memcmp(of_x, of_y, sizeof(of_x));
}

/* The same ends, either way round, whoever was taken for the source. */
static int by_ends(const void *a, const void *b)
{
	return compare_ends(&((const struct view *)a)->record, &((const struct view *)b)->record);
}

/* Do two records of the same ends have the same FIN or RST? swapped: the source of one is the other's destination. */
static bool share_an_end(const struct record *x, const struct record *y, bool swapped)
{
	for (unsigned i = 0; i < x->segment_count; i++)
		for (unsigned k = 0; k < y->segment_count; k++) {
			const struct record_segment *a = &x->segments[i], *b = &y->segments[k];
			bool same_sender = (a->from == b->from) != swapped;

			if (a->flags & (TCP_FIN | TCP_RST) &&
			    !((a->flags ^ b->flags) & (TCP_FIN | TCP_RST | TCP_ACK)) && same_sender &&
			    a->raw_seq + a->len == b->raw_seq + b->len && a->raw_ack == b->raw_ack)
				return true;
		}
	return false;
}

static bool agree(int64_t a, int64_t b)
{
	return a < 0 || b < 0 || a == b;
}

/*
 * Are two views of the same ends one connection's? Where both saw its first SYN, that decides: the destination's number
 * may differ, if somebody in between answered for it. Midstream, who is the source is a guess.
 */
static bool is_one(const struct view *x, struct view *y)
{
	bool swapped = !record_end_equal(&x->record.end[SOURCE], &y->record.end[SOURCE]);
	const int64_t *a = x->record.isn, *b = y->record.isn;

	if (swapped && !x->record.midstream && !y->record.midstream)
		return false;
	if (both_known(&x->record) && both_known(&y->record) && !by_numbers(x, y))
		return false; /* unite_by_numbers has them apart */
	if (!swapped && a[SOURCE] >= 0 && b[SOURCE] >= 0)
		return a[SOURCE] == b[SOURCE];
	if (!agree(a[SOURCE], b[swapped]) || !agree(a[DESTINATION], b[!swapped]))
		return false;
	return (a[SOURCE] >= 0 && b[swapped] >= 0) || (a[DESTINATION] >= 0 && b[!swapped] >= 0) ||
	       share_an_end(&x->record, &y->record, swapped);
}

#define ENDS_MOST 512 /* views of the same ends that are compared with each other; more are joined by numbers alone */

/* v->list[from] to v->list[end - 1] have the same ends. */
static void unite_same_ends(struct views *v, size_t from, size_t end)
{
	if (end - from > ENDS_MOST)
		return;
	for (size_t i = from; i < end; i++)
		for (size_t k = i + 1; k < end; k++)
			if (group_of(v, i) != group_of(v, k) && is_one(&v->list[i], &v->list[k]))
				unite(v, i, k);
}

static void unite_by_ends(struct views *v)
{
	for (size_t from = 0, end; from < v->count; from = end) {
		for (end = from + 1; end < v->count && !by_ends(&v->list[from], &v->list[end]); end++)
			;
		unite_same_ends(v, from, end);
	}
}

/* By group, and in it those that saw the beginning first, then by start; what is made is last. */
static int by_group(const void *a, const void *b)
{
	const struct view *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->made != y->made)
		return x->made ? 1 : -1;
	if (x->record.midstream != y->record.midstream)
		return x->record.midstream ? 1 : -1;
	return (x->record.start > y->record.start) - (x->record.start < y->record.start);
}

/* Turns views round that took the connection's source for its destination. */
static void set_swapped(struct views *v)
{
	const struct view *first = NULL;

	for (size_t i = 0; i < v->count; i++) {
		struct view *view = &v->list[i];

		if (!first || first->group != view->group)
			first = view;
		view->swapped = view->record.midstream && !by_ends(first, view) &&
				!record_end_equal(&first->record.end[SOURCE], &view->record.end[SOURCE]);
	}
}

/*
 * Groups that initial numbers make are kept by a number of their own while the list is sorted by ends. What a vantage
 * sees again when it has ended is another connection of the same numbers: traffic is played anew. The first one of each
 * vantage is one connection, the second one, and so on.
 */
static void unite_by_numbers(struct views *v)
{
	size_t first = 0, again = 0;
	uint64_t finish = 0;

	qsort(v->list, v->count, sizeof(*v->list), by_numbers_and_vantage);
	for (size_t i = 0; i < v->count; i++) {
		struct view *view = &v->list[i];
		bool same = i && both_known(&view->record) && !by_numbers(&v->list[i - 1], view);

		if (!same)
			first = i;
		if (!same || view->vantage != v->list[i - 1].vantage)
			again = finish = 0;
		else if (view->record.start > finish)
			again++;
		finish = view->record.finish > finish ? view->record.finish : finish;
		view->group = first + again;
	}
}

/* Makes the numbers of groups places of the list again, after it was sorted. */
static void renumber(struct views *v)
{
	size_t *first = memory_array(v->count, sizeof(*first));

	for (size_t i = 0; i < v->count; i++)
		first[i] = SIZE_MAX;
	for (size_t i = 0; i < v->count; i++) {
		size_t group = v->list[i].group;

		if (first[group] == SIZE_MAX)
			first[group] = i;
		v->list[i].group = first[group];
	}
	free(first);
}

/* ---- SYNs that no end sent ---- */

/* Does the view list what answers this SYN: a SYN-ACK or RST that acknowledges it, or the RST with its number? */
static bool has_answer(const struct view *view, uint32_t syn)
{
	for (unsigned i = 0; i < view->record.segment_count; i++) {
		const struct record_segment *s = &view->record.segments[i];

		if (s->flags & TCP_RST && s->raw_seq == syn + 1)
			return true;
		if (s->flags & TCP_ACK && s->flags & (TCP_SYN | TCP_RST) && s->raw_ack == syn + 1)
			return true;
	}
	return false;
}

/* The first view of its group, which lies in v->list. */
static struct view *first_of_group(const struct views *v, struct view *of)
{
	while (of > v->list && of[-1].group == of->group)
		of--;
	return of;
}

/* Has the vantage a view of that group? */
static bool is_seen_from(const struct views *v, unsigned vantage, const struct view *group)
{
	for (size_t i = 0, count = views_of_one(v, (size_t)(group - v->list)); i < count; i++)
		if (group[i].vantage == vantage)
			return true;
	return false;
}

/*
 * Was the first view's SYN made in the name of the other one's connection? Both are of one vantage and have the same
 * ends. It was if another vantage lists the answer among the connection's segments, and has not seen the SYN.
 */
static bool is_made_for(const struct views *v, struct view *made, struct view *genuine)
{
	struct view *group = first_of_group(v, genuine), *own = first_of_group(v, made);
	int64_t syn = made->record.isn[SOURCE], other = genuine->record.isn[SOURCE];

	if (made->made || genuine->made || made->record.midstream || syn < 0 || other < 0 || syn == other ||
	    !record_end_equal(&made->record.end[SOURCE], &genuine->record.end[SOURCE]))
		return false;
	for (size_t i = 0, count = views_of_one(v, (size_t)(group - v->list)); i < count; i++)
		if (!group[i].made && has_answer(&group[i], (uint32_t)syn) && !is_seen_from(v, group[i].vantage, own))
			return true;
	return false;
}

/* Makes all views of that group views of the other one's connection. */
static void take_over(const struct views *v, struct view *made, const struct view *genuine)
{
	struct view *group = first_of_group(v, made);

	for (size_t i = 0, count = views_of_one(v, (size_t)(group - v->list)); i < count; i++) {
		group[i].made = true;
		group[i].group = genuine->group;
	}
}

/* By vantage and ends, of pointers. */
static int by_place(const void *a, const void *b)
{
	const struct view *x = *(const struct view *const *)a, *y = *(const struct view *const *)b;

	if (x->vantage != y->vantage)
		return x->vantage < y->vantage ? -1 : 1;
	return by_ends(x, y);
}

/* list[0] to list[count - 1] are of one vantage and have the same ends. */
static bool take_over_made(const struct views *v, struct view **list, size_t count)
{
	bool found = false;

	for (size_t i = 0; i < count && count <= ENDS_MOST; i++)
		for (size_t k = 0; k < count; k++)
			if (is_made_for(v, list[i], list[k])) {
				take_over(v, list[i], list[k]);
				found = true;
			}
	return found;
}

/* Finds SYNs that no end sent, with numbers of their own, and puts what they began beside the connections. */
static void find_made(struct views *v)
{
	struct view **list = memory_array(v->count, sizeof(struct view *));
	bool found = false;

	for (size_t i = 0; i < v->count; i++)
		list[i] = &v->list[i];
	qsort(list, v->count, sizeof(struct view *), by_place);
	for (size_t from = 0, end; from < v->count; from = end) {
		for (end = from + 1; end < v->count && !by_place(&list[from], &list[end]); end++)
			;
		found |= take_over_made(v, &list[from], end - from);
	}
	free(list);
	if (found)
		qsort(v->list, v->count, sizeof(*v->list), by_group);
}

void views_group(struct views *v)
{
	if (!v->count)
		return; /* and qsort() takes no NULL */
	leave_one_each(v);
	unite_by_numbers(v);
	qsort(v->list, v->count, sizeof(*v->list), by_ends);
	renumber(v);
	unite_by_ends(v);
	for (size_t i = 0; i < v->count; i++)
		v->list[i].group = group_of(v, i);
	qsort(v->list, v->count, sizeof(*v->list), by_group);
	find_made(v);
	set_swapped(v);
}

size_t views_of_one(const struct views *v, size_t first)
{
	size_t end = first + 1;

	while (end < v->count && v->list[end].group == v->list[first].group)
		end++;
	return end - first;
}
