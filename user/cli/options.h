/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line, as typed values. The table in options.c gives parsing, ranges, errors and --help.
 */
#ifndef TCPFIN_OPTIONS_H
#define TCPFIN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/exit_code.h"
#include "user/base/filter.h"
#include "user/filter/checks.h"
#include "user/filter/record_filter.h"
#include "user/format/formats.h"
#include "user/format/text_columns.h"
#include "user/record/groups.h"

enum hook { HOOK_AUTO, HOOK_XDP, HOOK_XDP_GENERIC, HOOK_TC };

enum color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

#define OPTIONS_MAX_INTERFACES 64

struct options {
	struct option_interfaces {
		const char *names[OPTIONS_MAX_INTERFACES]; /* owned by argv; none with stuck and time_wait */
		unsigned count;                            /* 0 with cleanup: all interfaces; with probe: none */
	} interfaces;
	struct option_files {
		const char **paths; /* -r; "-" is stdin; the array is owned, the strings are argv's */
		unsigned count;     /* 0: live */
	} files;
	enum hook hook;
	bool follow;          /* --follow: an interface that vanished is watched again once it is back */
	bool cleanup;         /* --cleanup, instead of watching */
	bool probe;           /* --probe, instead of watching */
	uint64_t stuck;       /* --stuck, instead of watching: ns that a close has stood still; 0: not asked for */
	bool time_wait;       /* --time-wait, instead of watching */
	bool join;            /* --join, instead of watching: files are JSON lines */
	const char *netns;    /* --netns: whose interfaces are watched, or sockets shown; NULL: this namespace's */
	uint64_t top;         /* --top: ns between two tables of groups, instead of records; 0: not asked for */
	struct groups by;     /* --by; none: the default */
	uint32_t rows;        /* --rows: groups in a table */
	const char *output;   /* -o; NULL: standard output */
	const char *packets;  /* -w; NULL: none */
	uint64_t file_size;   /* -C: bytes after which the next output file begins; 0: no limit */
	uint64_t file_period; /* -G, ns: how long an output file is written; 0: for ever */
	enum format format;
	const char *report; /* --report; NULL: none */
	bool anonymize;
	const char *anonymize_key; /* file with the key; NULL: one for this run */
	const char *metrics_file;  /* --metrics-file; NULL: none */
	struct option_listen {
		const char *text; /* as given, owned by argv; NULL: not asked for */
		int family;       /* 4 or 6 */
		uint8_t address[16];
		uint16_t port;
	} metrics; /* --metrics: where scrapers are answered */
	struct option_collector {
		const char *text; /* as given, owned by argv; NULL: not asked for */
		char host[256];   /* name or address, without brackets */
		char port[6];     /* decimal */
	} ipfix;                  /* --ipfix */
	enum ipfix_transport_name { IPFIX_UDP, IPFIX_TCP } ipfix_transport;
	uint32_t ipfix_enterprise, ipfix_domain;
	struct option_kafka {
		char *brokers, *topic; /* owned, one allocation at brokers; NULL: not asked for */
	} kafka;                       /* --kafka */
	const char *kafka_config;      /* --kafka-config; NULL: none */
	enum color color;
	struct option_columns {
		enum text_column list[TEXT_COLUMNS];
		unsigned count; /* 0: as many as fit */
	} columns;
	bool quiet;                                                /* -q: no notes and no summary on stderr */
	bool verbose;                                              /* -v */
	bool stats;                                                /* --stats: counters each second */
	bool strict;                                               /* --strict: exit 4 when data was lost */
	bool show_open;                                            /* --show-open */
	bool strays;                                               /* --strays */
	bool all_segments;                                         /* --all-segments */
	bool no_sockets;                                           /* --no-sockets: packets only */
	uint64_t count;                                            /* -c: stop after that many records; 0: no limit */
	uint64_t duration;                                         /* -d, ns; 0: no limit */
	uint64_t settle, syn_timeout, close_timeout, idle_timeout; /* ns */
	uint32_t max_flows, max_closing, max_unproven, evidence;   /* table entries; max_flows: of captures, too */
	uint32_t ring_bytes;                                       /* power of two */
	struct filter filter;                                      /* of ends */
	struct record_filter record_filter;                        /* of all else */
	struct checks checks;                                      /* --check */
};

/*
 * Fills *o from the command line; its strings are argv's. options_free in every case. Returns -1 to go on, or the exit
 * code to leave with:
 * EXIT_FINE after --help and --version, which have printed to stdout; EXIT_USAGE after one line on stderr that says
 * what to do; EXIT_RUNTIME where stdout cannot be written.
 */
int options_parse(struct options *o, int argc, char **argv);
void options_free(struct options *o);

/* Adds a name, not copied. NULL, or why it cannot be one more interface. */
const char *option_interfaces_add(struct option_interfaces *interfaces, const char *name);
/* Adds a path, not copied. 0 or -ENOMEM. */
int option_files_add(struct option_files *files, const char *path);

#endif
