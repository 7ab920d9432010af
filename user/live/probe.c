// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each feature is tried with the programs of a watch, as a watch would use it. Nothing is concluded from the kernel's
 * version: distributions carry features back, and containers take them away.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/capability.h>

#include "bpf/core/flow_log.h" /* before the skeleton, which uses these types */
#include "bpf/core/watch.h"
#include "bpf/settings.h"
#include "user/attach/interface_words.h"
#include "user/base/log.h"
#include "user/base/privileges.h"
#include "user/base/route_question.h"
#include "user/base/sink.h"
#include "user/base/terminal_width.h"
#include "user/format/cells.h"
#include "user/live/loader.h"
#include "user/live/probe.h"
#include "tcpfin_trace.skel.h"

#define HERE_COLUMN 34
#define WITHOUT_COLUMN 40
#define WHY_SIZE 256
#define LEAST_ENTRIES 1024 /* of each table: whether memory suffices for more is not asked */
#define NO_WATCH "no live watching"

/* The programs for one hook, as a watch with --hook would load them. */
struct trial {
	struct options options;
	struct tcpfin_trace_bpf *skeleton;
	int err; /* of loading: 0 or a negative errno */
};

struct probe {
	struct buffer out;
	struct trial trials[HOOK_TC + 1]; /* by hook; HOOK_AUTO has none */
	struct interface_found *interfaces;
	int interface_count;
};

/* ---- printing ---- */

/* what, why: names in them may come from outside. why: added in parentheses unless empty. */
static void print_line(struct probe *p, const char *what, bool here, const char *without, const char *why)
{
	struct buffer *b = &p->out;
	size_t start = b->len;

	buffer_printable(b, what);
	buffer_pad(b, start, HERE_COLUMN);
	buffer_text(b, here ? "yes" : "no");
	buffer_pad(b, start, WITHOUT_COLUMN);
	buffer_text(b, without);
	if (*why) {
		buffer_text(b, " (");
		buffer_printable(b, why);
		buffer_char(b, ')');
	}
	buffer_char(b, '\n');
}

/* A feature that was tried. err: 0 or a negative errno. */
static void print_tried(struct probe *p, const char *what, int err, const char *without)
{
	print_line(p, what, !err, without, err ? strerror(-err) : "");
}

static void print_head(struct probe *p)
{
	struct utsname kernel = {};
	size_t start = p->out.len;

	uname(&kernel);
	buffer_text(&p->out, "WHAT");
	buffer_pad(&p->out, start, HERE_COLUMN);
	buffer_text(&p->out, "HERE");
	buffer_pad(&p->out, start, WITHOUT_COLUMN);
	buffer_text(&p->out, "WITHOUT IT\n");
	start = p->out.len;
	buffer_text(&p->out, "kernel");
	buffer_pad(&p->out, start, HERE_COLUMN);
	buffer_printable(&p->out, kernel.release);
	buffer_char(&p->out, '\n');
}

/* ---- rights and maps ---- */

static void probe_rights(struct probe *p)
{
	static const struct {
		unsigned capability;
		const char *name, *without;
	} rights[] = {
		{CAP_BPF, "CAP_BPF", NO_WATCH},
		{CAP_NET_ADMIN, "CAP_NET_ADMIN", NO_WATCH},
		{CAP_PERFMON, "CAP_PERFMON", "no processes and no reasons of resets; on some kernels " NO_WATCH},
		{CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "no names of other users' processes that hold sockets"},
	};

	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		print_line(p, rights[i].name, privileges_have(rights[i].capability), rights[i].without, "");
}

/* 0 or a negative errno. Closes the descriptor, or takes the errno that stands for it. */
static int close_tried(int fd)
{
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* 0 if an array map can be read as memory, or a negative errno. */
static int try_mapped_array(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tcpfin_probe", 4, (uint32_t)size, 1, &options), err = 0;
	void *memory;

	if (fd < 0)
		return fd;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		err = -errno;
	else
		munmap(memory, size);
	close(fd);
	return err;
}

static void probe_maps(struct probe *p)
{
	uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
	int ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "tcpfin_probe", 0, 0, page, NULL);

	print_tried(p, "ring buffer", close_tried(ring), NO_WATCH);
	print_tried(p, "mapped arrays", try_mapped_array(), NO_WATCH);
}

/* ---- the packet programs ---- */

static const char *load_error(int err)
{
	return !err ? "" : privileges_want_perfmon(err) ? "that takes CAP_PERFMON" : strerror(-err);
}

/* Loads what both kinds of interfaces need, those with an Ethernet header and those without. */
static void load_trial(struct trial *t, const struct options *options, enum hook hook)
{
	static struct interfaces interfaces = {
		.count = 2,
		.watched = {{}, {.attachment = {.hook = HOOK_TC, .l3 = true}}},
	};

	interfaces.watched[0].attachment.hook = hook;
	t->options = *options;
	t->options.hook = hook;
	t->options.max_flows = t->options.max_closing = t->options.max_unproven = LEAST_ENTRIES;
	t->options.evidence = LEAST_ENTRIES;
	t->err = loader_try(&t->skeleton, &t->options, &interfaces);
}

static bool has_tcx(const struct trial *tc)
{
	return !tc->err && attach_has_tcx(bpf_program__fd(tc->skeleton->progs.tcpfin_track_tc));
}

/* The tc programs have the look-up in them. Where they are refused for another reason, the helpers are asked for. */
static bool has_look_up(const struct trial *tc)
{
	return !tc->err || (libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_skc_lookup_tcp, NULL) == 1 &&
			    libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_tcp_sock, NULL) == 1);
}

static void probe_programs(struct probe *p, const struct options *options)
{
	const struct trial *tc = &p->trials[HOOK_TC], *xdp = &p->trials[HOOK_XDP];

	for (enum hook hook = HOOK_XDP; hook <= HOOK_TC; hook++)
		load_trial(&p->trials[hook], options, hook);
	print_line(p, "programs at tc", !tc->err, NO_WATCH, load_error(tc->err));
	print_line(p, "programs at XDP", !xdp->err, "no --hook=xdp and xdp-generic: all is seen at tc",
		   load_error(xdp->err));
	print_line(p, "tcx links", has_tcx(tc),
		   "clsact filters, which stay after kill -9, and CAP_NET_ADMIN is kept to remove them", "");
	print_line(p, "socket look-up at tc", has_look_up(tc), NO_WATCH ": FINs and RSTs are held against sockets", "");
}

/* ---- the sockets' programs ---- */

static void print_tells(struct probe *p, struct socket_tells tells, const char *why)
{
	const struct {
		const char *what;
		bool here;
		const char *without;
	} lines[] = {
		{"tracepoint of socket states", tells.processes, "no processes, and not how they closed"},
		{"tracepoint of resets sent", tells.resets_sent, "no reasons of resets"},
		{"tracepoint of resets received", tells.resets_received, "not which resets were acted upon"},
		{"reset reasons", tells.reasons, "no reasons of resets"},
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		print_line(p, lines[i].what, lines[i].here, lines[i].without, lines[i].here ? "" : why);
}

static void probe_sockets(struct probe *p)
{
	const struct trial *tc = &p->trials[HOOK_TC];
	struct socket_packets packets;
	struct socket_events *events;
	struct socket_tells tells = {};
	int err;

	if (tc->err) {
		print_tells(p, tells, "not tried without the programs at tc");
		return;
	}
	packets = loader_socket_packets(tc->skeleton);
	err = socket_events_try(&events, &packets, tc->options.settle);
	if (!err)
		tells = socket_events_tells(events);
	print_tells(p, tells, err ? socket_events_error(err) : "this kernel does not have it");
	socket_events_stop(events);
}

/* ---- interfaces ---- */

/* Attaches and detaches. why: set to the reason of an error, or at tc to what was attached. 0 or a negative errno. */
static int try_interface(const struct trial *t, const struct attach_netns *netns, const char *name, char why[WHY_SIZE])
{
	struct attach_programs programs;
	struct attachment a;
	int err = attach_plan(&a, netns, name, t->options.hook, why, WHY_SIZE);

	if (!err && t->err)
		snprintf(why, WHY_SIZE, "%s", load_error(t->err));
	err = err ? err : t->err;
	if (err)
		return err;
	programs = loader_programs(t->skeleton, &t->options);
	err = attach_start(&a, &programs, why, WHY_SIZE);
	if (!err && t->options.hook == HOOK_TC)
		snprintf(why, WHY_SIZE, "here by %s", a.filters ? "clsact filters" : "tcx links");
	attach_stop(&a);
	return err;
}

static void probe_interface(struct probe *p, const struct attach_netns *netns, const char *name)
{
	static const struct {
		enum hook hook;
		const char *what, *without;
	} hooks[] = {
		{HOOK_XDP, "native XDP", "no --hook=xdp: tc sees the packets"},
		{HOOK_XDP_GENERIC, "generic XDP", "no --hook=xdp-generic: tc sees the packets"},
		{HOOK_TC, "tc", "it cannot be watched"},
	};

	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		char what[64], why[WHY_SIZE] = "";
		size_t prefix = (size_t)snprintf(what, sizeof(what), "%s: ", name);
		int err = try_interface(&p->trials[hooks[i].hook], netns, name, why);
		const char *rest = strncmp(why, what, prefix) ? why : why + prefix;

		snprintf(what + prefix, sizeof(what) - prefix, "%s", hooks[i].what);
		print_line(p, what, !err, hooks[i].without, rest);
	}
}

static void probe_interfaces(struct probe *p)
{
	const struct attach_netns here = {.route = route_open()};

	for (int i = 0; i < p->interface_count; i++)
		probe_interface(p, &here, p->interfaces[i].name);
	if (here.route >= 0)
		close(here.route);
}

/* ---- all of it ---- */

/* Returns an exit code. A signal waits: between attaching and detaching it would leave clsact filters behind. */
static int try_all(struct probe *p, const struct options *options)
{
	sigset_t all, before;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	probe_maps(p);
	probe_programs(p, options);
	probe_sockets(p);
	probe_interfaces(p);
	for (enum hook hook = HOOK_XDP; hook <= HOOK_TC; hook++)
		tcpfin_trace_bpf__destroy(p->trials[hook].skeleton);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (privileges_exit_code(p->trials[HOOK_TC].err) == EXIT_PERMISSION)
		return loader_error(options, p->trials[HOOK_TC].err);
	return EXIT_FINE;
}

int probe_run(const struct options *options)
{
	struct probe p = {};
	int code, err;

	p.interface_count = interface_words_list(&options->interfaces, &p.interfaces);
	if (p.interface_count < 0) /* one that is not there is a mistake of the command line */
		return p.interface_count == -ENODEV ? EXIT_USAGE : EXIT_RUNTIME;
	if (!options->verbose)
		libbpf_set_print(NULL);
	print_head(&p);
	probe_rights(&p);
	code = privileges_check();
	code = code ? code : try_all(&p, options);
	cell_wrap(&p.out, 0, terminal_width(), WITHOUT_COLUMN);
	err = sink_write(STDOUT_FILENO, &p.out);
	buffer_free(&p.out);
	free(p.interfaces);
	if (!err || err == -EPIPE)
		return code;
	log_error("cannot write to standard output: %s", strerror(-err));
	return code ? code : EXIT_RUNTIME;
}
