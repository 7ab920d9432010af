/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What several agents say of connections: every record that was read, and which of them are about one connection.
 */
#ifndef TCPFIN_VIEWS_H
#define TCPFIN_VIEWS_H

#include "user/record/record.h"

/* Where records were made: an interface of a host, or a capture, by file. All of its times are of one clock. */
struct vantage {
	const char *host, *interface; /* NULL: a capture file's records have none */
	const char *file;             /* not copied */
	unsigned number;              /* its place in struct views */
	uint64_t until;               /* ns since 1970: when it is known to have still been watching */
};

/* What one vantage says of one connection. */
struct view {
	struct record record; /* its texts are the views' */
	unsigned vantage;
	bool swapped; /* its source is the connection's destination: it did not see who began */
	bool made;    /* of what began with a SYN that no end sent, in the connection's name */
	size_t group; /* while views are grouped: another view of the same connection, or itself */
};

struct views {
	struct view *list;
	size_t count, room;
	struct vantage **vantages;
	unsigned vantage_count;
	size_t vantage_room;
	void *vantage_tree;
	void *texts;       /* a tree: host names, interfaces and reasons, each once */
	uint64_t replaced; /* records that were left out because another one says the same, or more */
};

void views_free(struct views *v);
/* Adds a copy of the record. file: its name, which must outlive the views. Exits where memory is short. */
void views_add(struct views *v, const struct record *r, const char *file);
/*
 * After the last one was added: leaves one view for each event.id, the final one or else the latest. Then the views of
 * one connection lie next to each other, in the order of their start, those that are made last.
 */
void views_group(struct views *v);
/* How many views, from `first` on, are of one connection. first < v->count */
size_t views_of_one(const struct views *v, size_t first);

/* ns after the last step of a complete close that it was still watched, unless --settle said otherwise. */
#define WATCHED_ON 500000000

/* Was the connection watched until the agent, or the capture, ended? Else until WATCHED_ON after its last step. */
static inline bool view_waits(const struct record *r)
{
	return r->outcome == OUTCOME_OPEN || r->outcome == OUTCOME_UNFINISHED || r->outcome == OUTCOME_UNANSWERED ||
	       r->outcome == OUTCOME_UNKNOWN;
}

/* A role of the view's record as the connection's: SOURCE and DESTINATION may be swapped. */
static inline enum role view_role(const struct view *view, enum role role)
{
	return view->swapped && (role == SOURCE || role == DESTINATION) ? other_role(role) : role;
}

/* The end of the view's record that is the connection's `role`. */
static inline const struct record_end *view_end(const struct view *view, enum role role)
{
	return &view->record.end[(role == DESTINATION) != view->swapped];
}

/* An initial sequence number of the connection, NUMBER_UNSEEN. */
static inline int64_t view_isn(const struct view *view, enum role role)
{
	return view->record.isn[(role == DESTINATION) != view->swapped];
}

#endif
