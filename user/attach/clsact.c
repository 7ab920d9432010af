// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A clsact filter outlives its process, so its handle contains the owner: a random number of the process, and whether
 * an instance of ours made the qdisc. The process holds an abstract Unix socket of that number in the same network
 * namespace, which the kernel closes however the process ends. A filter whose socket does not exist belongs to a dead
 * process.
 *
 * Qdisc and filter are made by one message, so that SIGKILL cannot leave one without the other.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>

#include "user/attach/clsact.h"
#include "user/base/log.h"
#include "user/base/route_question.h"

#define FILTER_NAME "tcpfin_tc"
#define HANDLE_MADE 1u /* bit 0 of a handle: an instance of ours made the qdisc; above it the owner's number */
#define OWNER_MASK 0x3fffffff

/* This process's number, 0: none yet. The descriptor of its socket is left open until the kernel closes it. */
static uint32_t owner;

static uint32_t owner_of(uint32_t handle)
{
	return handle >> 1;
}

/*
 * Binds an owner's socket, of a type that sends nothing without a connection. A descriptor, -EADDRINUSE while that
 * owner lives, or another negative errno.
 */
static int hold_name(uint32_t number, int type)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int len = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "tcpfin-trace/clsact/%08x", number);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	if (!bind(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static bool is_alive(uint32_t number)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM}; /* the latter: of instances of version 0.1 */

	for (unsigned i = 0; i < 2; i++) {
		int fd = hold_name(number, types[i]);

		if (fd < 0)
			return true; /* also where it is unknown: then nothing is removed */
		close(fd);
	}
	return false;
}

/* Draws this process's number and holds its socket. 0 or a negative errno. */
static int become_owner(void)
{
	while (!owner) {
		uint32_t number;
		int fd;

		if (getentropy(&number, sizeof(number)))
			return -errno;
		number &= OWNER_MASK;
		fd = number ? hold_name(number, SOCK_STREAM) : -EADDRINUSE;
		if (fd >= 0)
			owner = number;
		else if (fd != -EADDRINUSE)
			return fd;
	}
	return 0;
}

/* ---- netlink ---- */

struct request {
	struct nlmsghdr head;
	struct tcmsg tc;
	char attributes[256];
};

static uint32_t parent_of(int direction)
{
	return TC_H_MAKE(TC_H_CLSACT, direction ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
}

static void request_init(struct request *r, int type, int flags, unsigned ifindex)
{
	memset(r, 0, sizeof(*r));
	r->head.nlmsg_len = NLMSG_LENGTH(sizeof(r->tc));
	r->head.nlmsg_type = (uint16_t)type;
	r->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	r->tc.tcm_ifindex = (int)ifindex;
}

/* Appends an attribute, or opens a nested one (data NULL, size 0) that put_end closes. Our attributes all fit. */
static struct rtattr *put(struct request *r, int type, const void *data, size_t size)
{
	struct rtattr *a = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->head.nlmsg_len));

	a->rta_type = (uint16_t)type;
	a->rta_len = (uint16_t)RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(a), data, size);
	r->head.nlmsg_len = NLMSG_ALIGN(r->head.nlmsg_len) + (uint32_t)RTA_SPACE(size);
	return a;
}

static void put_end(struct request *r, struct rtattr *nest)
{
	nest->rta_len = (uint16_t)((char *)r + r->head.nlmsg_len - (char *)nest);
}

/* Sends requests in one message, at most 2. The socket that the answers come to, or a negative errno. */
static int transmit(struct request *requests, unsigned count)
{
	struct iovec parts[2];
	int fd = route_open(), err;

	if (fd < 0)
		return fd;
	for (unsigned i = 0; i < count; i++) {
		requests[i].head.nlmsg_len = NLMSG_ALIGN(requests[i].head.nlmsg_len);
		parts[i] = (struct iovec){&requests[i], requests[i].head.nlmsg_len};
	}
	if (writev(fd, parts, (int)count) >= 0) /* to the kernel, where no other place is named */
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/*
 * Passes every answer to `take` until `count` acknowledgments, or the end of a dump, have come. Returns the last one's
 * errno, 0 or negative.
 */
static int answers(int fd, unsigned count, void (*take)(void *context, struct nlmsghdr *h), void *context)
{
	_Alignas(struct nlmsghdr) char buffer[16384];
	int err = 0;

	while (count) {
		ssize_t len = recv(fd, buffer, sizeof(buffer), 0);

		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return len ? -errno : -EPIPE;
		for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, (size_t)len) && count; h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
				err = *(int *)NLMSG_DATA(h); /* both begin with it */
				count--;
			} else if (take) {
				take(context, h);
			}
		}
	}
	return err;
}

/* Sends requests and takes their answers. 0 or a negative errno. */
static int ask(struct request *requests, unsigned count, void (*take)(void *context, struct nlmsghdr *h), void *context)
{
	int fd = transmit(requests, count), err;

	if (fd < 0)
		return fd;
	err = answers(fd, count, take, context);
	close(fd);
	return err;
}

/* ---- what is there ---- */

#define MAX_FILTERS 64

struct filters {
	struct {
		uint32_t handle, priority;
		int direction;
	} ours[MAX_FILTERS];
	unsigned count;
	struct first {
		uint32_t priority; /* 0: there is no filter */
		uint32_t handle;   /* 0: it is none of ours */
		char text[TCX_ORDER_TEXT];
	} first[2];    /* by direction */
	bool others;   /* there are filters of others, or more of ours than MAX_FILTERS */
	int direction; /* the direction being listed */
};

/* Finds the attribute of that type among those in len bytes; NULL if there is none. */
static const struct rtattr *find(const struct rtattr *a, size_t len, int type)
{
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
	return NULL;
}

/* The string of an attribute, "" for NULL. The kernel ends the strings that are read here with a 0. */
static const char *text_of(const struct rtattr *a)
{
	return a ? RTA_DATA(a) : "";
}

/* The name of a bpf filter; "" for other kinds. */
static const char *bpf_name(const struct rtattr *attributes, size_t len)
{
	const struct rtattr *options = find(attributes, len, TCA_OPTIONS);

	if (!options || strcmp(text_of(find(attributes, len, TCA_KIND)), "bpf") != 0)
		return "";
	return text_of(find(RTA_DATA(options), RTA_PAYLOAD(options), TCA_BPF_NAME));
}

/* Describes the filter so that `tc filter show` finds it. */
static void describe(struct first *first, const struct rtattr *attributes, size_t len)
{
	const char *kind = text_of(find(attributes, len, TCA_KIND)), *name = bpf_name(attributes, len);

	if (*name)
		snprintf(first->text, sizeof(first->text), "filter (pref %u, %s \"%.48s\")", first->priority, kind,
			 name);
	else
		snprintf(first->text, sizeof(first->text), "filter (pref %u, %s)", first->priority, kind);
}

/* Is the filter in chain 0? Packets pass that one, in the order of the list, and other chains only if sent there. */
static bool in_first_chain(const struct rtattr *attributes, size_t len)
{
	const struct rtattr *chain = find(attributes, len, TCA_CHAIN);

	return !chain || !*(uint32_t *)RTA_DATA(chain);
}

static void take_filter(void *context, struct nlmsghdr *h)
{
	const struct tcmsg *tc = NLMSG_DATA(h);
	const struct rtattr *attributes = TCA_RTA(tc);
	size_t len = TCA_PAYLOAD(h);
	uint32_t priority = TC_H_MAJ(tc->tcm_info) >> 16;
	struct filters *f = context;
	struct first *first = &f->first[f->direction];
	bool ours;

	if (h->nlmsg_type != RTM_NEWTFILTER || !tc->tcm_handle) /* handle 0: not a filter, but the head of their list */
		return;
	ours = !strncmp(bpf_name(attributes, len), FILTER_NAME, strlen(FILTER_NAME));
	if (!first->priority && in_first_chain(attributes, len)) {
		first->priority = priority;
		first->handle = ours ? tc->tcm_handle : 0;
		describe(first, attributes, len);
	}
	if (f->count == MAX_FILTERS || !ours) {
		f->others = true;
		return;
	}
	f->ours[f->count].handle = tc->tcm_handle;
	f->ours[f->count].priority = priority;
	f->ours[f->count++].direction = f->direction;
}

/* Lists the filters of both directions. 0 or a negative errno. */
static int list(struct filters *f, unsigned ifindex)
{
	int err = 0;

	memset(f, 0, sizeof(*f));
	for (f->direction = 0; f->direction < 2 && !err; f->direction++) {
		struct request r;

		request_init(&r, RTM_GETTFILTER, NLM_F_DUMP, ifindex);
		r.tc.tcm_parent = parent_of(f->direction);
		err = ask(&r, 1, take_filter, f);
	}
	return err;
}

/* ---- attaching and detaching ---- */

static void qdisc_request(struct request *r, int type, int flags, unsigned ifindex)
{
	request_init(r, type, flags, ifindex);
	r->tc.tcm_parent = TC_H_CLSACT;
	r->tc.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	put(r, TCA_KIND, "clsact", sizeof("clsact"));
}

/* handle: HANDLE_MADE and owner. priority: 0 lets the kernel choose. */
static void filter_request(struct request *r, unsigned ifindex, int direction, int program, uint32_t handle,
			   uint32_t priority)
{
	const uint32_t fd = (uint32_t)program, flags = TCA_BPF_FLAG_ACT_DIRECT;
	struct rtattr *options;

	request_init(r, RTM_NEWTFILTER, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, ifindex);
	r->tc.tcm_parent = parent_of(direction);
	r->tc.tcm_handle = handle;
	r->tc.tcm_info = TC_H_MAKE(priority << 16, htons(ETH_P_ALL));
	put(r, TCA_KIND, "bpf", sizeof("bpf"));
	options = put(r, TCA_OPTIONS, NULL, 0);
	put(r, TCA_BPF_FD, &fd, sizeof(fd));
	put(r, TCA_BPF_NAME, FILTER_NAME, sizeof(FILTER_NAME));
	put(r, TCA_BPF_FLAGS, &flags, sizeof(flags));
	put_end(r, options);
}

int clsact_attach(unsigned ifindex, int direction, int program)
{
	struct request both[2];
	struct filters f;
	uint32_t made = 0, priority;
	int err = become_owner();

	err = err ? err : list(&f, ifindex);
	if (err)
		return err;
	for (unsigned i = 0; i < f.count; i++)
		made |= f.ours[i].handle & HANDLE_MADE;
	/* Before the first filter; no priority is before 1. */
	priority = f.first[direction].priority ? f.first[direction].priority - 1 : 0;
	filter_request(&both[1], ifindex, direction, program, owner << 1 | made, priority);
	if (!ask(&both[1], 1, NULL, NULL))
		return 0;
	qdisc_request(&both[0], RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, ifindex);
	filter_request(&both[1], ifindex, direction, program, owner << 1 | HANDLE_MADE, 0);
	return ask(both, 2, NULL, NULL);
}

bool clsact_attached(unsigned ifindex, int directions, char before_us[2][TCX_ORDER_TEXT])
{
	struct filters f;

	if (list(&f, ifindex))
		return true; /* unknown: no false alarm */
	memset(before_us, 0, 2 * sizeof(before_us[0]));
	for (unsigned i = 0; i < f.count; i++) {
		int direction = f.ours[i].direction;

		if (owner_of(f.ours[i].handle) != owner)
			continue;
		directions--;
		if (f.first[direction].handle != f.ours[i].handle)
			memcpy(before_us[direction], f.first[direction].text, sizeof(before_us[0]));
	}
	return directions <= 0;
}

/*
 * Requests of our own, because those of libbpf allocate memory, and filters are also removed when there is none.
 * 0 or a negative errno.
 */
static int delete_filter(unsigned ifindex, int direction, uint32_t handle, uint32_t priority)
{
	struct request r;

	request_init(&r, RTM_DELTFILTER, NLM_F_ACK, ifindex);
	r.tc.tcm_parent = parent_of(direction);
	r.tc.tcm_handle = handle;
	r.tc.tcm_info = TC_H_MAKE(priority << 16, htons(ETH_P_ALL));
	put(&r, TCA_KIND, "bpf", sizeof("bpf"));
	return ask(&r, 1, NULL, NULL);
}

static int delete_qdisc(unsigned ifindex)
{
	struct request r;

	qdisc_request(&r, RTM_DELQDISC, NLM_F_ACK, ifindex);
	return ask(&r, 1, NULL, NULL);
}

/* Does the filter belong to a process that is dead, or (not dead) to this process? */
static bool is_to_go(uint32_t handle, bool dead)
{
	return dead ? owner_of(handle) != owner && !is_alive(owner_of(handle)) : owner_of(handle) == owner;
}

/*
 * Removes this process's filters, or (dead) those of dead processes. Returns how many, or a negative errno. Where
 * nothing else is on a qdisc that an instance of ours made, the qdisc goes by one request, and its filters with it:
 * were they removed first, SIGKILL before the last request would leave a qdisc without a mark of who made it.
 */
static int take_off(unsigned ifindex, bool dead)
{
	unsigned kept = 0, removed = 0;
	bool made = false;
	struct filters f;
	int err = list(&f, ifindex);

	for (unsigned i = 0; i < f.count; i++) {
		if (!is_to_go(f.ours[i].handle, dead)) {
			kept++;
			continue;
		}
		made |= f.ours[i].handle & HANDLE_MADE;
		f.ours[removed++] = f.ours[i];
	}
	if (!err && made && !kept && !f.others)
		err = delete_qdisc(ifindex);
	else
		for (unsigned i = 0; i < removed && !err; i++)
			err = delete_filter(ifindex, f.ours[i].direction, f.ours[i].handle, f.ours[i].priority);
	return err ? err : (int)removed;
}

void clsact_detach(unsigned ifindex)
{
	take_off(ifindex, false);
}

int clsact_clean(unsigned ifindex)
{
	return take_off(ifindex, true);
}

void clsact_note_removed(const char *interface, int removed)
{
	log_note("%s: %d filter%s of a killed instance removed", interface, removed, removed == 1 ? "" : "s");
}
