// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A table by number, with chains. A cgroup stays in it until it is removed, and then until CGROUPS_GONE others were:
 * however many come and go, those that are there are never crowded out.
 *
 * Numbers are those of directories, and each hierarchy counts its own. The kernel does not use a number twice.
 */
#include "user/sockets/cgroup_paths.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUCKETS 16384
#define DEPTH 32 /* of directories that are read */
#define NONE UINT32_MAX

struct cgroup {
	uint64_t id;
	uint32_t next; /* in its chain, or in the list of free ones */
	bool used, legacy, gone;
	char *path; /* owned; the names lie behind it */
	struct cgroup_names names;
};

struct cgroup_paths {
	struct cgroup *list; /* owned */
	uint32_t count, room, free;
	uint32_t bucket[BUCKETS];
	struct {
		uint64_t id;
		bool legacy;
	} gone[CGROUPS_GONE]; /* a ring, in the order of their removal */
	uint32_t gone_count;
};

/* ---- the table ---- */

struct cgroup_paths *cgroup_paths_new(void)
{
	struct cgroup_paths *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->free = NONE;
	memset(p->bucket, 0xff, sizeof(p->bucket));
	return p;
}

void cgroup_paths_free(struct cgroup_paths *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->count; i++)
		free(p->list[i].path);
	free(p->list);
	free(p);
}

static uint32_t *bucket_of(struct cgroup_paths *p, uint64_t id)
{
	return &p->bucket[(id ^ id >> 32) % BUCKETS];
}

static struct cgroup *find(const struct cgroup_paths *p, uint64_t id, bool legacy)
{
	for (uint32_t i = p->bucket[(id ^ id >> 32) % BUCKETS]; i != NONE; i = p->list[i].next)
		if (p->list[i].id == id && p->list[i].legacy == legacy)
			return &p->list[i];
	return NULL;
}

/* A free entry, NONE without memory or room. */
static uint32_t take_entry(struct cgroup_paths *p)
{
	uint32_t room = p->room ? 2 * p->room : 256, n = p->free;
	struct cgroup *list;

	if (n != NONE) {
		p->free = p->list[n].next;
		return n;
	}
	if (p->count < p->room)
		return p->count++;
	list = room <= CGROUPS_MAX ? reallocarray(p->list, room, sizeof(*list)) : NULL;
	if (!list)
		return NONE;
	p->list = list;
	p->room = room;
	return p->count++;
}

static struct cgroup *insert(struct cgroup_paths *p, uint64_t id, bool legacy)
{
	uint32_t n = take_entry(p), *bucket = bucket_of(p, id);

	if (n == NONE)
		return NULL;
	p->list[n] = (struct cgroup){.id = id, .legacy = legacy, .used = true, .next = *bucket};
	*bucket = n;
	return &p->list[n];
}

static void take_out(struct cgroup_paths *p, struct cgroup *c)
{
	uint32_t n = (uint32_t)(c - p->list), *link = bucket_of(p, c->id);

	while (*link != n)
		link = &p->list[*link].next;
	*link = c->next;
	free(c->path);
	*c = (struct cgroup){.next = p->free};
	p->free = n;
}

/* ---- names ---- */

static const char *store(char **at, const char *name)
{
	size_t size = strlen(name) + 1;
	const char *stored = *at;

	if (size == 1)
		return NULL;
	memcpy(*at, name, size);
	*at += size;
	return stored;
}

/* Gives the cgroup a path, and the names in it. Without memory it keeps those that it had. */
static void set_path(struct cgroup *c, const char *path)
{
	struct cgroup_identity i;
	size_t size = strlen(path) + 1;
	char *text, *at;

	cgroup_identity_read(&i, path);
	text = malloc(size + strlen(i.unit) + strlen(i.container) + strlen(i.pod) + 3);
	if (!text)
		return;
	at = text + size;
	memcpy(text, path, size);
	c->names = (struct cgroup_names){store(&at, i.unit), store(&at, i.container), store(&at, i.pod)};
	free(c->path);
	c->path = text;
}

/* False: there is no room for one more. */
static bool add(struct cgroup_paths *p, uint64_t id, bool legacy, const char *path)
{
	struct cgroup *c = find(p, id, legacy);

	c = c ? c : insert(p, id, legacy);
	if (c)
		set_path(c, path);
	return c;
}

struct cgroup_names cgroup_names_of(const struct cgroup_identity *i)
{
	return (struct cgroup_names){
		.unit = *i->unit ? i->unit : NULL,
		.container = *i->container ? i->container : NULL,
		.pod = *i->pod ? i->pod : NULL,
	};
}

struct cgroup_names cgroup_paths_find(const struct cgroup_paths *p, uint64_t unified, uint32_t legacy)
{
	const struct cgroup *one = unified ? find(p, unified, false) : NULL,
			    *two = legacy ? find(p, legacy, true) : NULL;
	struct cgroup_names names = one ? one->names : (struct cgroup_names){0};

	if (!two)
		return names;
	names.unit = names.unit ? names.unit : two->names.unit;
	names.container = names.container ? names.container : two->names.container;
	names.pod = names.pod ? names.pod : two->names.pod;
	return names;
}

/* ---- changes ---- */

/* Those below a cgroup that has another name now have other paths, too. Only version 1 knows this. */
static void rename_below(struct cgroup_paths *p, const char *old, const char *path)
{
	size_t len = strlen(old);
	char text[PATH_MAX];

	for (uint32_t i = 0; i < p->count; i++) {
		struct cgroup *c = &p->list[i];

		if (!c->used || !c->legacy || c->gone || !c->path || strncmp(c->path, old, len) != 0 ||
		    c->path[len] != '/')
			continue;
		if ((size_t)snprintf(text, sizeof(text), "%s%s", path, c->path + len) < sizeof(text))
			set_path(c, text);
	}
}

static void rename_one(struct cgroup_paths *p, uint64_t id, bool legacy, const char *path)
{
	struct cgroup *c = find(p, id, legacy);
	char *old = c && c->path ? strdup(c->path) : NULL;

	add(p, id, legacy, path);
	if (old && *old)
		rename_below(p, old, path);
	free(old);
}

/* The one that was removed CGROUPS_GONE removals before is forgotten. */
static void remove_one(struct cgroup_paths *p, uint64_t id, bool legacy)
{
	uint32_t n = p->gone_count % CGROUPS_GONE;
	struct cgroup *c = find(p, id, legacy), *old = NULL;

	if (!c || c->gone)
		return;
	if (p->gone_count >= CGROUPS_GONE)
		old = find(p, p->gone[n].id, p->gone[n].legacy);
	c->gone = true;
	p->gone[n].id = id;
	p->gone[n].legacy = legacy;
	p->gone_count++;
	if (old)
		take_out(p, old);
	if (p->gone_count == 2 * CGROUPS_GONE)
		p->gone_count = CGROUPS_GONE;
}

void cgroup_paths_change(struct cgroup_paths *p, const struct cgroup_news *news)
{
	bool cut = strnlen(news->path, sizeof(news->path)) >= sizeof(news->path) - 1;
	const char *path = cut ? "" : news->path;

	if (news->change == CGROUP_MADE)
		add(p, news->id, news->legacy, path);
	else if (news->change == CGROUP_RENAMED)
		rename_one(p, news->id, news->legacy, path);
	else
		remove_one(p, news->id, news->legacy);
}

/* ---- the cgroups that are there ---- */

struct walk {
	struct cgroup_paths *paths;
	bool legacy;
	char path[PATH_MAX + 1]; /* of the directory at hand, from the hierarchy's root on */
	size_t len;
	unsigned depth, refused;
};

static void walk(struct walk *w, int directory);

/* name: of a cgroup in that directory. */
static void walk_into(struct walk *w, int directory, const char *name, uint64_t id)
{
	size_t len = w->len, more = strlen(name) + 1;
	int fd;

	if (w->depth == DEPTH || len + more >= sizeof(w->path))
		return;
	w->path[len] = '/';
	memcpy(w->path + len + 1, name, more);
	w->refused += !add(w->paths, id, w->legacy, w->path);
	fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		w->len += more;
		w->depth++;
		walk(w, fd);
		w->depth--;
		w->len = len;
	}
	w->path[len] = '\0';
}

/* directory: its descriptor, which is closed. What vanishes meanwhile is passed over. */
static void walk(struct walk *w, int directory)
{
	DIR *entries = fdopendir(directory);
	const struct dirent *entry;

	if (!entries) {
		close(directory);
		return;
	}
	while ((entry = readdir(entries)))
		if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			walk_into(w, directory, entry->d_name, entry->d_ino);
	closedir(entries);
}

/* ---- where they are mounted ---- */

static bool is_escape(const char *text)
{
	return text[0] == '\\' && text[1] <= '3' && strspn(text + 1, "01234567") >= 3;
}

/* Takes back the escapes of a path in mountinfo: \040 for a blank (proc(5)). */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (is_escape(text)) {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* Is the word among those of the list of that length, which commas part? */
static bool lists(const char *list, size_t len, const char *word)
{
	size_t word_len = strlen(word);

	for (size_t at = 0, end; at <= len; at = end + 1) {
		for (end = at; end < len && list[end] != ','; end++)
			;
		if (end - at == word_len && !memcmp(list + at, word, word_len))
			return true;
	}
	return false;
}

/* root: which part of the hierarchy is mounted at that place. */
static unsigned read_mount(struct cgroup_paths *p, const char *root, const char *place, bool legacy)
{
	struct walk w = {.paths = p, .legacy = legacy};
	int fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat top;

	if (fd < 0)
		return 0;
	if (strcmp(root, "/") != 0) {
		w.len = (size_t)snprintf(w.path, sizeof(w.path), "%s", root);
		w.refused = !fstat(fd, &top) && !add(p, top.st_ino, legacy, root);
	}
	walk(&w, fd);
	return w.refused;
}

/* A line of proc(5)'s mountinfo: "36 35 98:0 /root /place options fields - type source options". */
static unsigned read_line(struct cgroup_paths *p, char *line)
{
	char root[PATH_MAX], place[PATH_MAX], type[32], options[1024] = "";
	const char *behind = strstr(line, " - ");

	if (!behind || sscanf(behind, " - %31s %*s %1023s", type, options) < 1 || strncmp(type, "cgroup", 6) != 0 ||
	    sscanf(line, "%*s %*s %*s %4095s %4095s", root, place) != 2)
		return 0;
	if (!strcmp(type, "cgroup") && !lists(options, strlen(options), "pids"))
		return 0;
	unescape(root);
	unescape(place);
	return read_mount(p, root, place, strcmp(type, "cgroup2") != 0);
}

unsigned cgroup_paths_read(struct cgroup_paths *p, const char *mounts)
{
	FILE *file = fopen(mounts, "re");
	unsigned refused = 0;
	char *line = NULL;
	size_t size = 0;

	while (file && getline(&line, &size, file) > 0)
		refused += read_line(p, line);
	free(line);
	if (file)
		(void)fclose(file);
	return refused;
}

bool cgroup_paths_has_legacy(const char *text)
{
	while (*text) {
		const char *controllers = strchr(text, ':');

		if (controllers && lists(controllers + 1, strcspn(controllers + 1, ":\n"), "pids"))
			return true;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return false;
}
