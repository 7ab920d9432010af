// SPDX-License-Identifier: GPL-2.0
/*
 * Stories lie in a ring in the order in which they began, and in hash chains by their tuple: the slot that a new story
 * takes is the oldest one's. Answers to stray segments have a ring of their own, since anybody can cause them.
 */
#include "sockets.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "log.h"
#include "sockets.skel.h"

#define STORIES 32768 /* a power of two; half a second of 32,000 closes a second with both ends here */
#define ANSWERS 4096
#define NOWHERE UINT32_MAX
#define SECOND_NS 1000000000ULL

struct slot {
	uint32_t next; /* in its chain */
	bool used;
};

/* Which slots have a tuple, and which one is the oldest. Slots and what they hold are arrays of the same length. */
struct index {
	struct slot *slots;
	uint32_t *heads;
	uint32_t size; /* of both; a power of two */
	uint64_t made; /* slots given out so far */
	uint64_t seed;
};

struct answer {
	struct socket_id id;
	uint32_t number;
	bool by_ack;
	uint64_t time;
	const char *reason;
};

struct sockets {
	struct sockets_bpf *skeleton;
	struct ring_buffer *ring;
	uint32_t netns; /* ours: the watched interfaces' */
	char **reasons; /* names by number, NULL in between */
	uint32_t reason_count;
	struct index story_index, answer_index;
	struct socket_story *stories;
	struct answer *answers;
};

/* ---- the index ---- */

static uint32_t chain_of(const struct index *x, const struct socket_id *id)
{
	uint64_t words[5] = {}, h = x->seed;

	_Static_assert(sizeof(*id) == sizeof(words), "no padding, and all of it");
	memcpy(words, id, sizeof(words));
	for (unsigned i = 0; i < 5; i++)
		h = flow_hash_mix(h, words[i]);
	return (h * FLOW_HASH_PRIME >> 32) & (x->size - 1);
}

static int index_init(struct index *x, uint32_t size)
{
	x->size = size;
	x->slots = calloc(size, sizeof(*x->slots));
	x->heads = malloc(size * sizeof(*x->heads));
	if (!x->slots || !x->heads)
		return -ENOMEM;
	memset(x->heads, 0xff, size * sizeof(*x->heads)); /* NOWHERE */
	return getentropy(&x->seed, sizeof(x->seed)) ? -errno : 0;
}

static void index_free(struct index *x)
{
	free(x->slots);
	free(x->heads);
}

static void unlink_slot(struct index *x, uint32_t slot, const struct socket_id *id)
{
	uint32_t *at = &x->heads[chain_of(x, id)];

	while (*at != slot)
		at = &x->slots[*at].next;
	*at = x->slots[slot].next;
}

/* The slot for one that begins now; its last holder's id, if it is used, is to be unlinked first. */
static uint32_t oldest_slot(const struct index *x)
{
	return x->made & (x->size - 1);
}

static void link_slot(struct index *x, uint32_t slot, const struct socket_id *id)
{
	uint32_t chain = chain_of(x, id);

	x->slots[slot] = (struct slot){.next = x->heads[chain], .used = true};
	x->heads[chain] = slot;
	x->made++;
}

static bool same_id(const struct socket_id *a, const struct socket_id *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static uint64_t given_way(const struct index *x)
{
	return x->made > x->size ? x->made - x->size : 0;
}

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

static struct socket_story *find_story(const struct sockets *s, const struct socket_event *e)
{
	const struct index *x = &s->story_index;

	for (uint32_t i = x->heads[chain_of(x, &e->id)]; i != NOWHERE; i = x->slots[i].next) {
		struct socket_story *story = &s->stories[i];

		if (same_id(&story->last.id, &e->id) && story->last.netns == e->netns && story->last.isn == e->isn &&
		    !((story->last.flags ^ e->flags) & SOCKET_OWN_ISN))
			return story;
	}
	return NULL;
}

static struct socket_story *begin_story(struct sockets *s, const struct socket_event *e)
{
	uint32_t slot = oldest_slot(&s->story_index);
	struct socket_story *story = &s->stories[slot];

	if (s->story_index.slots[slot].used)
		unlink_slot(&s->story_index, slot, &story->last.id);
	memset(story, 0, sizeof(*story));
	story->last = *e;
	link_slot(&s->story_index, slot, &e->id);
	return story;
}

static void add_step(struct socket_story *story, uint64_t time, uint8_t state)
{
	if (story->step_count == SOCKET_STEPS)
		return;
	story->steps[story->step_count].time = time;
	story->steps[story->step_count++].state = state;
}

/* The first call closed it; without one, the kernel did when it came to CLOSE. */
static bool closes(const struct socket_story *story, const struct socket_event *e)
{
	if (story->close.to)
		return false;
	return e->flags & SOCKET_PROCESS || e->to == SOCKET_CLOSE;
}

static int take_event(void *context, void *data, size_t size)
{
	struct sockets *s = context;
	const struct socket_event *e = data;
	struct socket_story *story = find_story(s, e);

	(void)size;
	if (!story)
		story = begin_story(s, e);
	story->last = *e;
	switch (e->kind) {
	case SOCKET_STATE:
		add_step(story, e->time, e->to);
		if (closes(story, e))
			story->close = *e;
		break;
	case SOCKET_RESET_SENT:
		story->reset_reason = reason_name(s, e->reason);
		break;
	case SOCKET_RESET_RECEIVED:
		story->reset_received = e->time;
		break;
	}
	return 0;
}

static int take_answer(void *context, void *data, size_t size)
{
	struct sockets *s = context;
	const struct socket_event *e = data;
	uint32_t slot = oldest_slot(&s->answer_index);
	struct answer *a = &s->answers[slot];

	(void)size;
	if (s->answer_index.slots[slot].used)
		unlink_slot(&s->answer_index, slot, &a->id);
	*a = (struct answer){e->id, e->number, e->flags & SOCKET_BY_ACK, e->time, reason_name(s, e->reason)};
	link_slot(&s->answer_index, slot, &a->id);
	return 0;
}

void sockets_poll(struct sockets *s)
{
	ring_buffer__consume(s->ring);
}

/* ---- joining ---- */

static void put_address(uint8_t to[16], const struct ip_address *from, int family)
{
	uint64_t hi = htobe64(from->hi), lo = htobe64(from->lo);
	uint32_t v4 = htobe32((uint32_t)from->lo);

	if (family == 4) {
		memcpy(to, &v4, sizeof(v4));
		return;
	}
	memcpy(to, &hi, sizeof(hi));
	memcpy(to + 8, &lo, sizeof(lo));
}

static struct socket_id id_of(const struct flow_key *key, unsigned side)
{
	struct socket_id id = {
		.local_port = key->port[side],
		.remote_port = key->port[!side],
		.family = key->family,
	};

	put_address(id.local, &key->addr[side], key->family);
	put_address(id.remote, &key->addr[!side], key->family);
	return id;
}

static bool knows_isn(const struct flow_open *open, unsigned side)
{
	return open->seen & OPEN_SYNACK || (open->seen & OPEN_SYN && side == open->source);
}

/* Is the story that of this side of the flow? Taken up midstream, a flow has no number to tell by. */
static bool is_of(const struct sockets *s, const struct socket_story *story, const struct flow *f, unsigned side)
{
	unsigned whose = story->last.flags & SOCKET_OWN_ISN ? side : !side;

	if (knows_isn(&f->open, whose))
		return story->last.isn == f->open.isn[whose];
	return !f->open.seen && story->last.netns == s->netns && story->last.time + SECOND_NS > f->t_first &&
	       story->last.time < f->t_last + SECOND_NS;
}

static const struct socket_story *find_side(const struct sockets *s, const struct flow_key *key, const struct flow *f,
					    unsigned side)
{
	const struct index *x = &s->story_index;
	const struct socket_story *found = NULL;
	struct socket_id id = id_of(key, side);

	for (uint32_t i = x->heads[chain_of(x, &id)]; i != NOWHERE; i = x->slots[i].next) {
		const struct socket_story *story = &s->stories[i];

		if (!same_id(&story->last.id, &id) || !is_of(s, story, f, side))
			continue;
		if (found)
			return NULL; /* which of them it is cannot be told */
		found = story;
	}
	return found;
}

/* Why the reset that the flow keeps was sent, where it answered a segment: the numbers are those of the answer. */
static const char *answer_reason(const struct sockets *s, const struct flow_key *key, const struct flow_reset *reset)
{
	const struct index *x = &s->answer_index;
	struct socket_id id = id_of(key, reset->side);

	for (uint32_t i = x->heads[chain_of(x, &id)]; i != NOWHERE; i = x->slots[i].next) {
		const struct answer *a = &s->answers[i];

		if (same_id(&a->id, &id) && a->time < reset->time + SECOND_NS && reset->time < a->time + SECOND_NS &&
		    a->number == (a->by_ack ? reset->ack : reset->seq))
			return a->reason;
	}
	return NULL;
}

struct socket_join sockets_find(const struct sockets *s, const struct flow_key *key, const struct flow *f)
{
	struct socket_join join = {.side = {find_side(s, key, f, 0), find_side(s, key, f, 1)}};
	const struct socket_story *sender = join.side[f->reset.side & 1];

	if (!(f->state & (FLOW_RESET | FLOW_LATE_RESET)) && !f->reset.time)
		return join;
	join.reset_reason = answer_reason(s, key, &f->reset);
	if (!join.reset_reason && sender)
		join.reset_reason = sender->reset_reason;
	return join;
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
	struct stat netns;
	int err = 0;

	if (!btf) {
		log_note("sockets: nothing is known of them, since this kernel has no BTF");
		return -ENOENT;
	}
	s->skeleton = sockets_bpf__open();
	if (s->skeleton) {
		choose_programs(s, btf);
		take_reasons(s, btf);
	} else {
		err = -errno;
	}
	btf__free(btf);
	err = err ? err : stat("/proc/self/ns/net", &netns) ? -errno : 0;
	err = err ? err : sockets_bpf__load(s->skeleton);
	err = err ? err : sockets_bpf__attach(s->skeleton);
	if (err)
		log_note("sockets: nothing is known of them: %s", strerror(-err));
	else
		s->netns = (uint32_t)netns.st_ino;
	return err;
}

static int prepare(struct sockets *s)
{
	int err = index_init(&s->story_index, STORIES);

	err = err ? err : index_init(&s->answer_index, ANSWERS);
	s->stories = calloc(STORIES, sizeof(*s->stories));
	s->answers = calloc(ANSWERS, sizeof(*s->answers));
	if (err || !s->stories || !s->answers)
		return -ENOMEM;
	s->ring = ring_buffer__new(bpf_map__fd(s->skeleton->maps.socket_ring), take_event, s, NULL);
	if (!s->ring)
		return -errno;
	return ring_buffer__add(s->ring, bpf_map__fd(s->skeleton->maps.answer_ring), take_answer, s);
}

struct sockets *sockets_start(void)
{
	struct sockets *s = calloc(1, sizeof(*s));
	int err = s ? load(s) : -ENOMEM;

	if (!err) {
		err = prepare(s);
		if (err)
			log_note("sockets: nothing is known of them: %s", strerror(-err));
	}
	if (!err)
		return s;
	sockets_stop(s);
	return NULL;
}

void sockets_stop(struct sockets *s)
{
	if (!s)
		return;
	ring_buffer__free(s->ring);
	sockets_bpf__destroy(s->skeleton);
	for (uint32_t i = 0; s->reasons && i < s->reason_count; i++)
		free(s->reasons[i]);
	free(s->reasons);
	index_free(&s->story_index);
	index_free(&s->answer_index);
	free(s->stories);
	free(s->answers);
	free(s);
}

void sockets_note_losses(const struct sockets *s)
{
	uint64_t lost = s->skeleton->bss->events_lost, old = given_way(&s->story_index);

	if (lost)
		log_note("sockets: %llu changes of state were lost, the ring was full", (unsigned long long)lost);
	if (old)
		log_note("sockets: %llu of the oldest gave way to newer ones", (unsigned long long)old);
}
