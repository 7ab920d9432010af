// SPDX-License-Identifier: GPL-2.0
/*
 * Everything that needs privileges or the kernel's BTF is done at the start; later only rings are read.
 */
#include "sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "log.h"
#include "sockets.skel.h"

#define STORIES 32768 /* half a second of 32,000 closes a second with both ends here */
#define ANSWERS 4096

struct sockets {
	struct sockets_bpf *skeleton;
	struct ring_buffer *ring;
	struct socket_table *table;
	char **reasons; /* names by number, NULL in between */
	uint32_t reason_count;
};

/* ---- names of reasons ---- */

/* "SK_RST_REASON_TCP_STATE" -> "TCP_STATE"; the enum is numbered differently from kernel to kernel. */
static void take_reasons(struct sockets *s, const struct btf *btf)
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
			s->reasons[names[i].val] = strdup(strncmp(name, prefix, strlen(prefix)) ? name :
							   name + strlen(prefix));
	}
}

/* NULL for a number without a name, and for one that says that there is none to say. */
static const char *reason_name(const struct sockets *s, uint32_t reason)
{
	return s->reasons && reason && reason < s->reason_count ? s->reasons[reason] : NULL;
}

/* ---- events ---- */

static int take_event(void *context, void *data, size_t size)
{
	struct sockets *s = context;
	const struct socket_event *e = data;

	(void)size;
	socket_table_take(s->table, e, reason_name(s, e->reason));
	return 0;
}

void sockets_poll(struct sockets *s)
{
	ring_buffer__consume(s->ring);
}

struct socket_join sockets_find(const struct sockets *s, const struct flow_key *key, const struct flow *f)
{
	return socket_table_find(s->table, key, f);
}

/* ---- starting and stopping ---- */

/* Has this kernel the tracepoint, with as many arguments? It stands in its BTF as a function that takes one more. */
static bool has_tracepoint(const struct btf *btf, const char *name, unsigned arguments)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;

	type = type ? btf__type_by_id(btf, type->type) : NULL; /* pointer */
	type = type ? btf__type_by_id(btf, type->type) : NULL; /* function */
	return type && btf_is_func_proto(type) && btf_vlen(type) >= arguments + 1;
}

static void choose_programs(struct sockets *s, const struct btf *btf)
{
	const struct {
		struct bpf_program *program;
		const char *name;
		unsigned arguments;
		const char *without;
	} programs[] = {
		{s->skeleton->progs.socket_state, "btf_trace_inet_sock_set_state", 3, "which process closes"},
		{s->skeleton->progs.socket_reset_sent, "btf_trace_tcp_send_reset", 3, "why it resets connections"},
		{s->skeleton->progs.socket_reset_received, "btf_trace_tcp_receive_reset", 1,
		 "which resets it acted upon"},
	};

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		bool there = has_tracepoint(btf, programs[i].name, programs[i].arguments);

		bpf_program__set_autoload(programs[i].program, there);
		if (!there)
			log_note("sockets: this kernel does not tell %s", programs[i].without);
	}
}

static int load(struct sockets *s)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int err;

	if (!btf)
		return -EOPNOTSUPP;
	s->skeleton = sockets_bpf__open();
	err = s->skeleton ? 0 : -errno;
	if (!err) {
		choose_programs(s, btf);
		take_reasons(s, btf);
	}
	btf__free(btf);
	err = err ? err : sockets_bpf__load(s->skeleton);
	return err ? err : sockets_bpf__attach(s->skeleton);
}

static int prepare(struct sockets *s)
{
	struct stat netns;

	if (stat("/proc/self/ns/net", &netns))
		return -errno;
	s->table = socket_table_new((uint32_t)netns.st_ino, STORIES, ANSWERS);
	if (!s->table)
		return -ENOMEM;
	s->ring = ring_buffer__new(bpf_map__fd(s->skeleton->maps.socket_ring), take_event, s, NULL);
	if (!s->ring)
		return -errno;
	return ring_buffer__add(s->ring, bpf_map__fd(s->skeleton->maps.answer_ring), take_event, s);
}

struct sockets *sockets_start(void)
{
	struct sockets *s = calloc(1, sizeof(*s));
	int err = s ? load(s) : -ENOMEM;

	err = err ? err : prepare(s);
	if (!err)
		return s;
	log_note("sockets: which process closes is not known: %s",
		 err == -EOPNOTSUPP ? "this kernel has no BTF" : strerror(-err));
	sockets_stop(s);
	return NULL;
}

void sockets_stop(struct sockets *s)
{
	if (!s)
		return;
	ring_buffer__free(s->ring);
	sockets_bpf__destroy(s->skeleton);
	socket_table_free(s->table);
	for (uint32_t i = 0; s->reasons && i < s->reason_count; i++)
		free(s->reasons[i]);
	free(s->reasons);
	free(s);
}

void sockets_note_losses(const struct sockets *s)
{
	uint64_t lost = s->skeleton->bss->events_lost, answers = s->skeleton->bss->answers_lost;
	uint64_t old = socket_table_given_way(s->table);

	if (lost)
		log_note("sockets: %llu changes of state were lost, the ring was full", (unsigned long long)lost);
	if (answers)
		log_note("sockets: of %llu resets the reason was lost, the ring was full", (unsigned long long)answers);
	if (old)
		log_note("sockets: %llu closes were forgotten before a connection was reported with them", (unsigned long long)old);
}
