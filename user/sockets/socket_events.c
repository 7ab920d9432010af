// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loading needs privileges and the kernel's BTF, so it is done once at the start; later, only mapped memory is read.
 */
#include "user/sockets/socket_events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "bpf/core/flow_log.h" /* before the skeleton, which uses these types */
#include "bpf/socket_settings.h"
#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/base/privileges.h"
#include "user/sockets/cgroup_paths.h"
#include "sockets.skel.h"

#define SOCKETS 32768 /* half a second of 32,000 closes a second whose both ends are on this host */
#define ANSWERS 4096
/*
 * A turn of the ring adds two ways to a set on average. One that is still wanted gives way if sixteen come in a turn:
 * once in two billion. With eight on average it would be once in a hundred.
 */
#define PLACES_A_SET 2
#define SOCKET_SETS (SOCKETS / PLACES_A_SET)
#define ANSWER_SETS (ANSWERS / PLACES_A_SET)
_Static_assert(SOCKETS <= SOCKET_PLACES_MAX, "a way can name each");
#define BEHIND_NS SECOND_NS /* added to the settling time for a late reader or a slow peer */

enum { STATE_CHANGES, RESET_SENT, RESET_RECEIVED, TRACEPOINTS };
enum { CGROUP_PROGRAMS = 3 };

struct socket_events {
	struct sockets_bpf *skeleton;
	struct bpf_program *program[TRACEPOINTS]; /* those in use */
	struct bpf_link *link[TRACEPOINTS];
	struct socket_table table;
	void *mapped[4]; /* the table's four arrays */
	size_t mapped_size[4];
	struct bpf_link *cgroup_link[CGROUP_PROGRAMS];
	struct ring_buffer *cgroup_news;
	struct cgroup_paths *cgroups;
	char **reasons; /* names by number, NULL in between */
	uint32_t reason_count;
};

/* ---- names of reasons ---- */

/* Reads names such as "TCP_STATE" (SK_RST_REASON_TCP_STATE) from BTF: their numbers differ from kernel to kernel. */
static void take_reasons(struct socket_events *s, const struct btf *btf)
{
	static const char prefix[] = "SK_RST_REASON_";
	int id = btf__find_by_name_kind(btf, "sk_rst_reason", BTF_KIND_ENUM);
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;
	const struct btf_enum *names;

	if (!type)
		return;
	names = btf_enum(type);
	s->reason_count = btf_vlen(type);
	s->reasons = calloc(s->reason_count, sizeof(*s->reasons));
	for (uint32_t i = 0; s->reasons && i < s->reason_count; i++) {
		const char *name = btf__name_by_offset(btf, names[i].name_off);

		if (names[i].val >= 0 && (uint32_t)names[i].val < s->reason_count)
			s->reasons[names[i].val] =
				strdup(strncmp(name, prefix, strlen(prefix)) ? name : name + strlen(prefix));
	}
}

/* NULL for a number without a name, and for 0, SK_RST_REASON_NOT_SPECIFIED. */
static const char *reason_name(const struct socket_events *s, uint32_t reason)
{
	return s->reasons && reason && reason < s->reason_count ? s->reasons[reason] : NULL;
}

/* ---- cgroups ---- */

static int take_cgroup_news(void *context, void *data, size_t size)
{
	struct socket_events *s = context;

	if (size >= sizeof(struct cgroup_news))
		cgroup_paths_change(s->cgroups, data);
	return 0;
}

void socket_events_poll(struct socket_events *s)
{
	if (s->cgroup_news)
		ring_buffer__consume(s->cgroup_news);
}

/* Does a hierarchy of version 1 tell who a process belongs to, beside or in place of version 2? */
static bool has_legacy_cgroups(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char text[8192];
	size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	if (file)
		(void)fclose(file);
	text[len] = '\0';
	return cgroup_paths_has_legacy(text);
}

/* The kernel is to tell of changes first, and all that is there is read then: so nothing is missed in between. */
static void begin_cgroups(struct socket_events *s)
{
	struct bpf_program *const programs[CGROUP_PROGRAMS] = {
		s->skeleton->progs.tcpfin_cg_made,
		s->skeleton->progs.tcpfin_cg_renamed,
		s->skeleton->progs.tcpfin_cg_removed,
	};
	unsigned refused;

	s->cgroups = cgroup_paths_new();
	if (!s->cgroups)
		return;
	for (unsigned i = 0; i < CGROUP_PROGRAMS; i++)
		s->cgroup_link[i] = bpf_program__attach(programs[i]);
	s->cgroup_news = ring_buffer__new(bpf_map__fd(s->skeleton->maps.tcpfin_cgroups), take_cgroup_news, s, NULL);
	refused = cgroup_paths_read(s->cgroups, "/proc/self/mountinfo");
	if (refused)
		log_note("sockets: %u cgroups are not known by name: more than %u", refused, CGROUPS_MAX);
}

/* A cgroup is older than what happens in it: its news are there once that is known. */
static void name_ends(struct socket_events *s, struct socket_join *join)
{
	if (!s->cgroups)
		return;
	socket_events_poll(s);
	for (unsigned side = 0; side < 2; side++)
		if (join->side[side])
			join->names[side] = cgroup_paths_find(s->cgroups, join->side[side]->close.cgroup,
							      join->side[side]->close.legacy_cgroup);
}

/* ---- what they say ---- */

void socket_events_fetch(const struct socket_events *s, const struct flow_slot *slot, bool near)
{
	socket_table_fetch(&s->table, slot, near);
}

struct socket_join socket_events_find(struct socket_events *s, const struct socket_query *q)
{
	struct socket_join join = socket_table_find(&s->table, q);

	join.reset_reason = reason_name(s, join.reason);
	join.no_answer = !join.answer && s->link[RESET_SENT] && q->reset.time > s->table.since &&
			 !s->skeleton->bss->shared.answers_lost;
	name_ends(s, &join);
	return join;
}

bool socket_events_listener(struct socket_events *s, uint32_t inode, struct process *p, struct cgroup_names *names)
{
	struct socket_listen_call call;

	if (bpf_map_lookup_elem(bpf_map__fd(s->skeleton->maps.tcpfin_listens), &inode, &call))
		return false;
	*p = (struct process){.pid = (int)call.pid, .uid = call.uid};
	_Static_assert(sizeof(call.name) <= sizeof(p->name), "names are copied whole");
	memcpy(p->name, call.name, sizeof(call.name));
	if (s->cgroups) {
		socket_events_poll(s);
		*names = cgroup_paths_find(s->cgroups, call.cgroup, call.legacy_cgroup);
	}
	return true;
}

void socket_events_watch(struct socket_events *s, const uint32_t *interfaces, unsigned count)
{
	struct socket_shared *shared = &s->skeleton->bss->shared;

	count = count < SOCKET_INTERFACES ? count : SOCKET_INTERFACES;
	for (unsigned i = 0; i < count; i++)
		__atomic_store_n(&shared->interface[i], interfaces[i], __ATOMIC_RELAXED);
	__atomic_store_n(&shared->interfaces, count, __ATOMIC_RELEASE);
}

static bool is_one_of(uint32_t inode, const uint32_t *inodes, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (inodes[i] == inode)
			return true;
	return false;
}

/* Puts the namespace into a free place, unless it has one. Where all are taken, only what interfaces see counts. */
static void watch_namespace(struct socket_shared *shared, uint32_t inode)
{
	uint32_t *free_place = NULL;

	for (uint32_t i = 0; i < SOCKET_NAMESPACE_PLACES; i++) {
		uint32_t *place = &shared->namespace[socket_namespace_place(inode, i)];

		if (*place == inode)
			return;
		free_place = free_place || *place ? free_place : place;
	}
	if (free_place)
		__atomic_store_n(free_place, inode, __ATOMIC_RELAXED);
}

void socket_events_watch_namespaces(struct socket_events *s, const uint32_t *inodes, unsigned count)
{
	struct socket_shared *shared = &s->skeleton->bss->shared;

	for (uint32_t i = 0; i < SOCKET_NAMESPACES; i++)
		if (shared->namespace[i] && !is_one_of(shared->namespace[i], inodes, count))
			__atomic_store_n(&shared->namespace[i], 0, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < count; i++)
		watch_namespace(shared, inodes[i]);
}

uint64_t socket_events_lost(const struct socket_events *s)
{
	return s->skeleton->bss->shared.sockets_lost + s->skeleton->bss->shared.answers_lost;
}

/* ---- starting and stopping ---- */

/*
 * How many arguments the tracepoint has, -1 if BTF does not have it. In BTF, a tracepoint is a pointer to a function
 * whose first argument is not the tracepoint's.
 */
static int tracepoint_arguments(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;

	type = type ? btf__type_by_id(btf, type->type) : NULL; /* pointer */
	type = type ? btf__type_by_id(btf, type->type) : NULL; /* function */
	return type && btf_is_func_proto(type) ? btf_vlen(type) - 1 : -1;
}

static const struct tracepoint {
	const char *name;    /* in BTF */
	int arguments;       /* how many the program reads */
	const char *without; /* what is not known without it, for a note */
} tracepoints[TRACEPOINTS] = {
	[STATE_CHANGES] = {"btf_trace_inet_sock_set_state", 3, "which process closes"},
	[RESET_SENT] = {"btf_trace_tcp_send_reset", 3, "why it resets connections"},
	[RESET_RECEIVED] = {"btf_trace_tcp_receive_reset", 1, "which resets it acted upon"},
};

/*
 * Chooses a program for each tracepoint: one that BTF types, or a raw one; NULL where the tracepoint has too few
 * arguments.
 */
static void choose_programs(struct socket_events *s, const int arguments[TRACEPOINTS], bool raw)
{
	const struct sockets_bpf *b = s->skeleton;
	struct bpf_program *const programs[TRACEPOINTS][2] = {
		[STATE_CHANGES] = {b->progs.tcpfin_state, b->progs.tcpfin_state_raw},
		[RESET_SENT] = {b->progs.tcpfin_reset_out, b->progs.tcpfin_reset_out_raw},
		[RESET_RECEIVED] = {b->progs.tcpfin_reset_in, b->progs.tcpfin_reset_in_raw},
	};

	for (int i = 0; i < TRACEPOINTS; i++) {
		bool unknown = arguments[i] < 0, enough = unknown || arguments[i] >= tracepoints[i].arguments;

		s->program[i] = enough ? programs[i][raw || unknown] : NULL;
		for (int kind = 0; kind < 2; kind++)
			bpf_program__set_autoload(programs[i][kind], programs[i][kind] == s->program[i]);
	}
}

/*
 * Attaches the chosen programs. 0 if at least one could be: for a raw program, attaching finds out whether the
 * tracepoint exists and has as many arguments. An error of a BTF program is returned at once, so that raw ones are
 * tried.
 */
static int attach(struct socket_events *s)
{
	int err = -ENOENT, attached = 0;

	for (int i = 0; i < TRACEPOINTS; i++) {
		s->link[i] = s->program[i] ? bpf_program__attach(s->program[i]) : NULL;
		attached += s->link[i] != NULL;
		if (!s->program[i] || s->link[i] || errno == ENOENT)
			continue;
		err = -errno;
		if (bpf_program__type(s->program[i]) == BPF_PROG_TYPE_TRACING)
			return err;
	}
	return attached ? 0 : err;
}

static void note_missing(const struct socket_events *s)
{
	for (int i = 0; i < TRACEPOINTS; i++)
		if (!s->link[i])
			log_note("sockets: this kernel does not tell %s", tracepoints[i].without);
}

static void unload(struct socket_events *s)
{
	for (int i = 0; i < TRACEPOINTS; i++)
		bpf_link__destroy(s->link[i]);
	memset(s->link, 0, sizeof(s->link));
	for (int i = 0; i < CGROUP_PROGRAMS; i++)
		bpf_link__destroy(s->cgroup_link[i]);
	sockets_bpf__destroy(s->skeleton);
	s->skeleton = NULL;
}

/* ns: the clocks that are called coarse advance by a jiffy. */
static uint64_t jiffy(void)
{
	struct timespec resolution = {0};

	clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
	return (uint64_t)resolution.tv_nsec;
}

/* Before loading: sizes, constants, and the packet programs' sets in place of an array of their own. */
static int set_up(struct socket_events *s, const struct socket_packets *packets, uint64_t settle)
{
	struct sockets_bpf *b = s->skeleton;
	struct socket_settings *settings = (struct socket_settings *)&b->rodata->settings;
	int err;

	settings->key = packets->key;
	settings->wait = settle + BEHIND_NS;
	settings->jiffy = jiffy();
	settings->set_mask = packets->set_mask;
	settings->sets_mask = SOCKET_SETS - 1;
	settings->answer_sets_mask = ANSWER_SETS - 1;
	settings->sockets_mask = SOCKETS - 1;
	settings->answers_mask = ANSWERS - 1;
	settings->legacy_cgroups = has_legacy_cgroups();
	err = bpf_map__reuse_fd(b->maps.tcpfin_sets, packets->sets);
	err = err ? err : bpf_map__set_max_entries(b->maps.tcpfin_socksets, SOCKET_SETS);
	err = err ? err : bpf_map__set_max_entries(b->maps.tcpfin_sockets, SOCKETS);
	err = err ? err : bpf_map__set_max_entries(b->maps.tcpfin_answsets, ANSWER_SETS);
	return err ? err : bpf_map__set_max_entries(b->maps.tcpfin_answers, ANSWERS);
}

static int load_as(struct socket_events *s, const struct socket_packets *packets, uint64_t settle,
		   const int arguments[TRACEPOINTS], bool raw)
{
	int err;

	s->skeleton = sockets_bpf__open();
	if (!s->skeleton)
		return -errno;
	choose_programs(s, arguments, raw);
	err = set_up(s, packets, settle);
	err = err ? err : sockets_bpf__load(s->skeleton);
	return err ? err : attach(s);
}

static int load(struct socket_events *s, const struct socket_packets *packets, uint64_t settle)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int arguments[TRACEPOINTS], err;

	if (!btf)
		return -EOPNOTSUPP;
	for (int i = 0; i < TRACEPOINTS; i++)
		arguments[i] = tracepoint_arguments(btf, tracepoints[i].name);
	take_reasons(s, btf);
	if (!s->reason_count) /* a kernel without reset reasons passes none to the tracepoint */
		arguments[RESET_SENT] = 0;
	btf__free(btf);
	err = load_as(s, packets, settle, arguments, false);
	if (err) {
		unload(s);
		err = load_as(s, packets, settle, arguments, true);
	}
	return err;
}

/* Maps one of the table's arrays. NULL: errno says why not. i: of s->mapped. */
static void *map_array(struct socket_events *s, unsigned i, const struct bpf_map *map)
{
	size_t size = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (memory == MAP_FAILED)
		return NULL;
	s->mapped[i] = memory;
	s->mapped_size[i] = size;
	return memory;
}

static int map_table(struct socket_events *s)
{
	const struct sockets_bpf *b = s->skeleton;
	const struct socket_settings *settings = (const struct socket_settings *)&b->rodata->settings;

	s->table = (struct socket_table){
		.sets = map_array(s, 0, b->maps.tcpfin_socksets),
		.sockets = map_array(s, 1, b->maps.tcpfin_sockets),
		.answer_sets = map_array(s, 2, b->maps.tcpfin_answsets),
		.answers = map_array(s, 3, b->maps.tcpfin_answers),
		.sets_mask = settings->sets_mask,
		.answer_sets_mask = settings->answer_sets_mask,
		.sockets_mask = settings->sockets_mask,
		.answers_mask = settings->answers_mask,
		.key = settings->key,
		.since = clock_ns(CLOCK_MONOTONIC),
		.jiffy = settings->jiffy,
	};
	return s->table.sets && s->table.sockets && s->table.answer_sets && s->table.answers ? 0 : -errno;
}

int socket_events_try(struct socket_events **events, const struct socket_packets *packets, uint64_t settle)
{
	struct socket_events *s = *events = calloc(1, sizeof(*s));
	int err = s ? load(s, packets, settle) : -ENOMEM;

	return err ? err : map_table(s);
}

const char *socket_events_error(int err)
{
	return err == -EOPNOTSUPP ? "this kernel has no BTF" : privileges_tracing_error(err);
}

struct socket_tells socket_events_tells(const struct socket_events *s)
{
	return (struct socket_tells){
		.processes = s->link[STATE_CHANGES],
		.resets_sent = s->link[RESET_SENT],
		.resets_received = s->link[RESET_RECEIVED],
		.reasons = s->reason_count,
	};
}

struct socket_events *socket_events_start(const struct socket_packets *packets, uint64_t settle)
{
	struct socket_events *s;
	int err = socket_events_try(&s, packets, settle);

	if (!err) {
		note_missing(s);
		begin_cgroups(s);
		return s;
	}
	log_note("sockets: which process closes is not known: %s", socket_events_error(err));
	socket_events_stop(s);
	return NULL;
}

void socket_events_stop(struct socket_events *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < 4; i++)
		if (s->mapped[i])
			munmap(s->mapped[i], s->mapped_size[i]);
	ring_buffer__free(s->cgroup_news);
	cgroup_paths_free(s->cgroups);
	unload(s);
	for (uint32_t i = 0; s->reasons && i < s->reason_count; i++)
		free(s->reasons[i]);
	free(s->reasons);
	free(s);
}

void socket_events_note_losses(const struct socket_events *s)
{
	uint64_t sockets = s->skeleton->bss->shared.sockets_lost, answers = s->skeleton->bss->shared.answers_lost;
	uint64_t cgroups = s->skeleton->bss->shared.cgroups_lost;

	if (sockets)
		log_note("sockets: who closed was lost at %llu ends of watched connections: the table was full",
			 (unsigned long long)sockets);
	if (answers)
		log_note("sockets: the reason was lost of %llu resets of watched connections: the table was full",
			 (unsigned long long)answers);
	if (cgroups)
		log_note("sockets: the names of up to %llu cgroups were lost: they came faster than they were read",
			 (unsigned long long)cgroups);
}
