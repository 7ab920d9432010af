// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loading needs privileges and the kernel's BTF, so it is done once at the start; later, only rings are read.
 */
#include "user/sockets/socket_events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/base/privileges.h"
#include "sockets.skel.h"

#define CLOSING_SOCKETS 32768 /* half a second of 32,000 closes a second whose both ends are on this host */
#define ANSWERS 4096
#define BEHIND_NS SECOND_NS /* added to the settling time for a late reader or a slow peer */

enum { STATE_CHANGES, RESET_SENT, RESET_RECEIVED, TRACEPOINTS };

struct socket_events {
	struct sockets_bpf *skeleton;
	struct bpf_program *program[TRACEPOINTS]; /* those in use */
	struct bpf_link *link[TRACEPOINTS];
	struct ring_buffer *ring;
	struct socket_table *table;
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

/* ---- events ---- */

static int take_event(void *context, void *data, size_t size)
{
	struct socket_events *s = context;
	const struct socket_event *e = data;

	(void)size;
	socket_table_take(s->table, e, reason_name(s, e->reason));
	return 0;
}

void socket_events_poll(struct socket_events *s)
{
	ring_buffer__consume(s->ring);
}

struct socket_join socket_events_find(const struct socket_events *s, const struct socket_query *q)
{
	return socket_table_find(s->table, q);
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
		[STATE_CHANGES] = {b->progs.socket_state, b->progs.socket_state_raw},
		[RESET_SENT] = {b->progs.socket_reset_sent, b->progs.socket_reset_sent_raw},
		[RESET_RECEIVED] = {b->progs.socket_reset_received, b->progs.socket_reset_received_raw},
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
	sockets_bpf__destroy(s->skeleton);
	s->skeleton = NULL;
}

static int load_as(struct socket_events *s, const int arguments[TRACEPOINTS], bool raw)
{
	int err;

	s->skeleton = sockets_bpf__open();
	if (!s->skeleton)
		return -errno;
	choose_programs(s, arguments, raw);
	err = sockets_bpf__load(s->skeleton);
	return err ? err : attach(s);
}

static int load(struct socket_events *s)
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
	err = load_as(s, arguments, false);
	if (err) {
		unload(s);
		err = load_as(s, arguments, true);
	}
	if (!err)
		note_missing(s);
	return err;
}

static int prepare(struct socket_events *s, uint64_t settle)
{
	struct stat netns;

	if (stat("/proc/self/ns/net", &netns))
		return -errno;
	s->table = socket_table_new((uint32_t)netns.st_ino, settle + BEHIND_NS, CLOSING_SOCKETS, ANSWERS);
	if (!s->table)
		return -ENOMEM;
	s->ring = ring_buffer__new(bpf_map__fd(s->skeleton->maps.socket_ring), take_event, s, NULL);
	if (!s->ring)
		return -errno;
	return ring_buffer__add(s->ring, bpf_map__fd(s->skeleton->maps.answer_ring), take_event, s);
}

struct socket_events *socket_events_start(uint64_t settle)
{
	struct socket_events *s = calloc(1, sizeof(*s));
	int err;

	err = s ? load(s) : -ENOMEM;
	err = err ? err : prepare(s, settle);
	if (!err)
		return s;
	log_note("sockets: which process closes is not known: %s",
		 err == -EOPNOTSUPP ? "this kernel has no BTF" : privileges_tracing_error(err));
	socket_events_stop(s);
	return NULL;
}

void socket_events_stop(struct socket_events *s)
{
	if (!s)
		return;
	ring_buffer__free(s->ring);
	unload(s);
	socket_table_free(s->table);
	for (uint32_t i = 0; s->reasons && i < s->reason_count; i++)
		free(s->reasons[i]);
	free(s->reasons);
	free(s);
}

void socket_events_note_losses(const struct socket_events *s)
{
	uint64_t lost = s->skeleton->bss->events_lost, answers = s->skeleton->bss->answers_lost;
	uint64_t old = socket_table_evicted(s->table);

	if (lost)
		log_note("sockets: %llu changes of state were lost, the ring was full", (unsigned long long)lost);
	if (answers)
		log_note("sockets: of %llu resets the reason was lost, the ring was full", (unsigned long long)answers);
	if (old)
		log_note("sockets: %llu closes were forgotten before a connection was reported with them",
			 (unsigned long long)old);
}
