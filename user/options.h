/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The command line. One typed table in options.c gives parsing, ranges, errors and --help.
 */
#ifndef TCPFIN_OPTIONS_H
#define TCPFIN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "format.h"

enum hook { HOOK_AUTO, HOOK_XDP, HOOK_XDP_GENERIC, HOOK_TC };

/* Exit codes of the contract. */
enum { EXIT_FINE = 0, EXIT_RUNTIME = 1, EXIT_USAGE = 2, EXIT_PERMISSION = 3, EXIT_LOSS = 4 };

#define OPTIONS_MAX_INTERFACES 64
#define OPTIONS_MAX_FILTERS 16

/* What is reported; everything is watched. An empty list or mask lets everything pass. */
struct filter {
	int family;                          /* 0, 4 or 6 */
	uint16_t ports[OPTIONS_MAX_FILTERS]; /* either end */
	unsigned port_count;
	struct {
		uint8_t ip[16]; /* network byte order */
		int family;     /* 4 or 6 */
		unsigned prefix; /* bits */
	} hosts[OPTIONS_MAX_FILTERS];        /* either end; ADDRESS or ADDRESS/PREFIX */
	unsigned host_count;
	uint32_t outcomes;                   /* 1 << enum outcome */
};

struct options {
	const char *interfaces[OPTIONS_MAX_INTERFACES]; /* none with stuck and time_wait; with cleanup that is all */
	unsigned interface_count;
	const char *read_file; /* -r; "-" is stdin; NULL: live */
	enum hook hook;
	bool follow;       /* --follow: an interface that vanished is watched again once it is back */
	bool cleanup;      /* --cleanup: only that */
	uint64_t stuck;    /* --stuck: only that; ns that a close has stood still; 0: not asked for */
	bool time_wait;    /* --time-wait: only that */
	enum format format;
	bool quiet;        /* -q: no notes and no summary on stderr */
	bool verbose;      /* -v */
	bool stats;        /* --stats: counters each second */
	bool strict;       /* --strict: exit 4 when data was lost */
	bool show_open;    /* --show-open */
	bool all_segments; /* --all-segments */
	bool no_sockets;   /* --no-sockets: packets only */
	uint64_t count;    /* -c: stop after that many records; 0: no limit */
	uint64_t duration; /* -d, ns; 0: no limit */
	uint64_t settle, syn_timeout, close_timeout, idle_timeout; /* ns */
	uint32_t max_flows, max_closing, max_unproven; /* table entries */
	uint32_t ring_bytes; /* power of two */
	struct filter filter;
};

/*
 * Fills *o from the command line. Returns -1 to go on, or the exit code to leave with: --help and --version have
 * printed to stdout (0), an error is one line on stderr that says what to do (2).
 */
int options_parse(struct options *o, int argc, char **argv);

struct filter_end {
	const uint8_t *ip; /* network byte order */
	uint16_t port;
};

/* Does the record pass the filter? */
bool filter_passes(const struct filter *f, const struct record *r);
/* Does a connection of these ends, whatever becomes of it? */
bool filter_passes_ends(const struct filter *f, int family, const struct filter_end ends[2]);

#endif
