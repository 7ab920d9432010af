// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The option table, a row for each option, and reading argv by it. The rows give parsing, ranges, error messages,
 * defaults and --help.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/cli/option_help.h"
#include "user/cli/option_values.h"
#include "user/cli/option_words.h"
#include "user/cli/options.h"
#include "user/record/record.h"

#define YEAR_NS (365 * 86400 * SECOND_NS)
#define MEBI (1u << 20)

/* RFC 5612 keeps this enterprise number for examples and documentation. */
#define IPFIX_ENTERPRISE 32473
#define IPFIX_REVERSE 29305 /* RFC 5103: elements of the reverse direction have it */
#define IPFIX_DOMAIN 1

/* --max-flows of captures, unless given. */
#define FILE_MAX_FLOWS (4 * MEBI)

static const struct options defaults = {
	.settle = 500 * MS_NS,
	.syn_timeout = 10 * SECOND_NS,
	.close_timeout = 60 * SECOND_NS,
	.idle_timeout = 8100 * SECOND_NS, /* Linux sends a keep-alive after 7200 s, and gives up after 675 s more */
	.max_flows = 65536,
	.max_closing = 16384,
	.max_unproven = 32768,
	.evidence = 8192, /* 256 KiB, which the second-level cache holds beside other work */
	.ring_bytes = 4 * MEBI,
	.rows = 10,
	.ipfix_enterprise = IPFIX_ENTERPRISE,
	.ipfix_domain = IPFIX_DOMAIN,
};

#define FIELD(member) .where = offsetof(struct options, member), .size = sizeof(((struct options *)0)->member)

static const struct option_row rows[] = {
	{.group = "Input",
	 .name = "read",
	 .letter = 'r',
	 .kind = &kind_files,
	 FIELD(files),
	 .meta = "FILE",
	 .noun = "file",
	 .help = "read captures (pcap or pcapng) or records (JSON lines) instead of interfaces; - is standard input"},
	{.name = "interface",
	 .letter = 'i',
	 .kind = &kind_interfaces,
	 FIELD(interfaces),
	 .meta = "NAME",
	 .noun = "interface",
	 .help = "watch the interface, as the word NAME does"},
	{.name = "hook",
	 .kind = &kind_hook,
	 FIELD(hook),
	 .meta = "HOOK",
	 .noun = "hook",
	 .help = "where packets are seen"},
	{.name = "follow",
	 .kind = &kind_flag,
	 FIELD(follow),
	 .help = "wait for an interface that is not there or vanished, and watch it once it is"},
	{.name = "count",
	 .letter = 'c',
	 .kind = &kind_count,
	 FIELD(count),
	 .min = 1,
	 .max = 1000000000000ULL,
	 .meta = "N",
	 .noun = "count",
	 .help = "stop after N records"},
	{.name = "duration",
	 .letter = 'd',
	 .kind = &kind_seconds,
	 FIELD(duration),
	 .min = MS_NS,
	 .max = YEAR_NS,
	 .meta = "SECONDS",
	 .noun = "duration",
	 .help = "stop after that time, fractions allowed"},

	{.group = "Filters (everything is watched; only matches are reported)",
	 .name = "ipv4",
	 .letter = '4',
	 .kind = &kind_fixed,
	 FIELD(filter.family),
	 .min = 4,
	 .noun = "IP version",
	 .help = "IPv4 only"},
	{.name = "ipv6",
	 .letter = '6',
	 .kind = &kind_fixed,
	 FIELD(filter.family),
	 .min = 6,
	 .noun = "IP version",
	 .help = "IPv6 only"},
	{.name = "port",
	 .kind = &kind_port,
	 FIELD(filter),
	 .min = 1,
	 .max = 65535,
	 .meta = "PORT[-PORT]",
	 .noun = "port",
	 .help = "port or range of ports of either end; !PORT for all others"},
	{.name = "host",
	 .kind = &kind_host,
	 FIELD(filter),
	 .meta = "ADDRESS[/PREFIX]",
	 .noun = "host",
	 .help = "address or network of either end; !ADDRESS for all others"},
	{.name = "outcome",
	 .kind = &kind_outcomes,
	 FIELD(record_filter.outcomes),
	 .meta = "NAME[,NAME]",
	 .noun = "outcome",
	 .help = "how the connection ended"},
	{.name = "closer",
	 .kind = &kind_closers,
	 FIELD(record_filter.closers),
	 .meta = "NAME[,NAME]",
	 .noun = "closer",
	 .help = "who closed first"},
	{.name = "process",
	 .kind = &kind_patterns,
	 FIELD(record_filter.processes),
	 .meta = "NAME",
	 .noun = "process",
	 .help = "name of a process that closed or held either end"},
	{.name = "pid",
	 .kind = &kind_pid,
	 FIELD(record_filter),
	 .min = 1,
	 .max = UINT32_MAX,
	 .meta = "PID",
	 .noun = "process number",
	 .help = "number of such a process"},
	{.name = "unit",
	 .kind = &kind_patterns,
	 FIELD(record_filter.units),
	 .meta = "NAME",
	 .noun = "unit",
	 .help = "systemd unit that either end belongs to; without a suffix, a service"},
	{.name = "container",
	 .kind = &kind_patterns,
	 FIELD(record_filter.containers),
	 .meta = "ID",
	 .noun = "container",
	 .help = "container that either end is in, by its identifier or at least 12 digits of that, or its name"},
	{.name = "reason",
	 .kind = &kind_patterns,
	 FIELD(record_filter.reasons),
	 .meta = "WORD",
	 .noun = "reason",
	 .help = "the kernel's reason for a reset"},
	{.name = "where",
	 .kind = &kind_where,
	 FIELD(record_filter),
	 .meta = "CONDITION",
	 .noun = "condition",
	 .help = "comparisons of CSV's columns, such as 'half_closed > 1s and port = 443'"},
	{.name = "show-open",
	 .kind = &kind_flag,
	 FIELD(show_open),
	 .help = "also report connections still open at the end, or forgotten as idle"},
	{.name = "strays",
	 .kind = &kind_flag,
	 FIELD(strays),
	 .help = "also tell of RSTs and FINs of no known connection (text and json)"},
	{.name = "all-segments",
	 .kind = &kind_flag,
	 FIELD(all_segments),
	 .help = "count packets, bytes, retransmissions and flags of every connection"},
	{.name = "no-sockets",
	 .kind = &kind_flag,
	 FIELD(no_sockets),
	 .help = "do not ask this host's sockets which process closed, and why"},

	{.group = "Output",
	 .name = "format",
	 .kind = &kind_format,
	 FIELD(format),
	 .meta = "FORMAT",
	 .noun = "format",
	 .help = "form of the records"},
	{.name = "output",
	 .letter = 'o',
	 .kind = &kind_file,
	 FIELD(output),
	 .meta = "FILE",
	 .noun = "file",
	 .help = "write records to the file, which is made anew, instead of standard output"},
	{.name = "write-packets",
	 .letter = 'w',
	 .kind = &kind_file,
	 FIELD(packets),
	 .meta = "FILE",
	 .noun = "file",
	 .help = "write the packets of the connections that are reported to the file (pcapng), with their verdicts"},
	{.name = "file-size",
	 .letter = 'C',
	 .kind = &kind_file_size,
	 FIELD(file_size),
	 .min = 1,
	 .max = 1ULL << 40,
	 .meta = "SIZE",
	 .noun = "file size",
	 .help = "go on in a next file, FILE1, after so many million bytes; K, M and G (1024) allowed"},
	{.name = "file-seconds",
	 .letter = 'G',
	 .kind = &kind_seconds,
	 FIELD(file_period),
	 .min = SECOND_NS,
	 .max = YEAR_NS,
	 .meta = "SECONDS",
	 .noun = "time",
	 .help = "go on in a next file after that time; FILE may have strftime(3) conversions"},
	{.name = "report",
	 .kind = &kind_file,
	 FIELD(report),
	 .meta = "FILE",
	 .noun = "file",
	 .help = "at the end, all of it as a page for a browser (HTML, complete in itself), beside the records"},
	{.name = "anonymize",
	 .kind = &kind_flag,
	 FIELD(anonymize),
	 .help = "replace addresses, keeping their networks, ids and names of hosts in all that is printed"},
	{.name = "anonymize-key",
	 .kind = &kind_file,
	 FIELD(anonymize_key),
	 .meta = "FILE",
	 .noun = "file",
	 .help = "the same, with the key in that file instead of one for this run"},
	{.name = "columns",
	 .kind = &kind_columns,
	 FIELD(columns),
	 .meta = "NAME[,NAME]",
	 .noun = "column",
	 .help = "columns of the text format, in that order, instead of as many as fit"},
	{.name = "color",
	 .kind = &kind_color,
	 FIELD(color),
	 .meta = "WHEN",
	 .noun = "choice of colours",
	 .help = "colours in text and ladder"},
	{.name = "numeric",
	 .letter = 'n',
	 .kind = &kind_nothing,
	 .help = "accepted for habit: names are never looked up"},
	{.name = "verbose",
	 .letter = 'v',
	 .kind = &kind_flag,
	 FIELD(verbose),
	 .help = "explain each verdict in a sentence, and say more on stderr"},
	{.name = "quiet", .letter = 'q', .kind = &kind_flag, FIELD(quiet), .help = "no notes and no summary on stderr"},
	{.name = "stats", .kind = &kind_flag, FIELD(stats), .help = "counters on stderr each second"},
	{.name = "check",
	 .kind = &kind_check,
	 FIELD(checks),
	 .meta = "CONDITION",
	 .noun = "check",
	 .help = "exit with 5 when it holds of the counts at the end, such as 'resets > 1%' or 'close_wait > 100'"},
	{.name = "strict", .kind = &kind_flag, FIELD(strict), .help = "exit with 4 when data was lost"},

	{.group = "Tables of groups, instead of records",
	 .name = "top",
	 .kind = &kind_seconds,
	 FIELD(top),
	 .min = MS_NS,
	 .max = YEAR_NS,
	 .implied = SECOND_NS,
	 .meta = "SECONDS",
	 .noun = "interval",
	 .help = "a table at each interval, live in a terminal, and one of the whole run at the end; -c N tables"},
	{.name = "by",
	 .kind = &kind_groups,
	 FIELD(by),
	 .meta = "NAME[,NAME]",
	 .noun = "group",
	 .help = "what connections are grouped by"},
	{.name = "rows",
	 .kind = &kind_count,
	 FIELD(rows),
	 .min = 1,
	 .max = 500,
	 .meta = "N",
	 .noun = "number of rows",
	 .help = "groups in a table; in a terminal as many as it has room for"},

	{.group = "Metrics for Prometheus, beside the records",
	 .name = "metrics",
	 .kind = &kind_listen,
	 FIELD(metrics),
	 .min = 1,
	 .max = 65535,
	 .meta = "[ADDRESS:]PORT",
	 .noun = "place to listen at",
	 .help = "answer scrapes of /metrics there; without an address, of this host only"},
	{.name = "metrics-file",
	 .kind = &kind_file,
	 FIELD(metrics_file),
	 .meta = "PATH",
	 .noun = "file",
	 .help = "metrics in a file that is replaced every 10 seconds, for node_exporter's textfile collector"},

	{.group = "IPFIX, beside the records",
	 .name = "ipfix",
	 .kind = &kind_collector,
	 FIELD(ipfix),
	 .min = 1,
	 .max = 65535,
	 .meta = "HOST:PORT",
	 .noun = "collector",
	 .help = "export each connection, by its final record, to the collector there"},
	{.name = "ipfix-transport",
	 .kind = &kind_transport,
	 FIELD(ipfix_transport),
	 .meta = "NAME",
	 .noun = "transport",
	 .help = "how it is reached"},
	{.name = "ipfix-enterprise",
	 .kind = &kind_count,
	 FIELD(ipfix_enterprise),
	 .min = 1,
	 .max = UINT32_MAX,
	 .meta = "N",
	 .noun = "enterprise number",
	 .help = "whose the elements are that the standard lacks"},
	{.name = "ipfix-domain",
	 .kind = &kind_count,
	 FIELD(ipfix_domain),
	 .max = UINT32_MAX,
	 .meta = "N",
	 .noun = "observation domain",
	 .help = "tells instances on one host apart"},

	{.group = "Records into Kafka, beside the output",
	 .name = "kafka",
	 .kind = &kind_kafka,
	 FIELD(kafka),
	 .meta = "BROKERS/TOPIC",
	 .noun = "place in Kafka",
	 .help = "each record as JSON, with its Community ID as key; BROKERS: HOST:PORT[,HOST:PORT]"},
	{.name = "kafka-config",
	 .kind = &kind_file,
	 FIELD(kafka_config),
	 .meta = "PATH",
	 .noun = "file",
	 .help = "settings of librdkafka (TLS, SASL, ...), NAME=VALUE a line"},

	{.group = "Times",
	 .name = "settle",
	 .kind = &kind_milliseconds,
	 FIELD(settle),
	 .max = 60 * SECOND_NS,
	 .meta = "MS",
	 .noun = "settling time",
	 .help = "how long a finished connection waits for late segments"},
	{.name = "syn-timeout",
	 .kind = &kind_seconds,
	 FIELD(syn_timeout),
	 .min = MS_NS,
	 .max = YEAR_NS,
	 .meta = "SECONDS",
	 .noun = "timeout",
	 .help = "how long a SYN waits for an answer before it is unanswered"},
	{.name = "close-timeout",
	 .kind = &kind_seconds,
	 FIELD(close_timeout),
	 .min = MS_NS,
	 .max = YEAR_NS,
	 .meta = "SECONDS",
	 .noun = "timeout",
	 .help = "how long a close stands still before it is unfinished"},
	{.name = "idle-timeout",
	 .kind = &kind_seconds,
	 FIELD(idle_timeout),
	 .min = MS_NS,
	 .max = YEAR_NS,
	 .meta = "SECONDS",
	 .noun = "timeout",
	 .help = "how long a connection is silent before it is forgotten"},

	{.group = "Limits (sizes of the kernel's tables)",
	 .name = "max-flows",
	 .kind = &kind_count,
	 FIELD(max_flows),
	 .min = 1024,
	 .max = 16 * MEBI,
	 .meta = "N",
	 .noun = "table size",
	 .help = "established connections; with -r all that are held at once, and then 4194304 unless given"},
	{.name = "max-closing",
	 .kind = &kind_count,
	 FIELD(max_closing),
	 .min = 1024,
	 .max = MEBI,
	 .meta = "N",
	 .noun = "table size",
	 .help = "closing connections"},
	{.name = "max-unproven",
	 .kind = &kind_count,
	 FIELD(max_unproven),
	 .min = 1024,
	 .max = MEBI / 2,
	 .meta = "N",
	 .noun = "table size",
	 .help = "handshakes in progress, and segments of unknown connections"},
	{.name = "evidence",
	 .kind = &kind_count,
	 FIELD(evidence),
	 .min = 1024,
	 .max = 16 * MEBI,
	 .meta = "FLOWS",
	 .noun = "table size",
	 .help = "connections whose last numbers are remembered"},
	{.name = "ring",
	 .kind = &kind_bytes,
	 FIELD(ring_bytes),
	 .min = 4096,
	 .max = 1024 * MEBI,
	 .meta = "BYTES",
	 .noun = "ring buffer",
	 .help = "the kernel's ring buffer: a power of two; K, M and G allowed"},

	{.group = "Sockets of this host (no BPF; a table every 5 seconds, only one with -c 1)",
	 .name = "stuck",
	 .kind = &kind_seconds,
	 FIELD(stuck),
	 .min = MS_NS,
	 .max = YEAR_NS,
	 .implied = SECOND_NS,
	 .meta = "SECONDS",
	 .noun = "time",
	 .help = "closes that have stood still that long, and who must act"},
	{.name = "time-wait",
	 .kind = &kind_flag,
	 FIELD(time_wait),
	 .help = "who holds TIME-WAIT towards whom, and how full the local ports are"},
	{.name = "netns",
	 .kind = &kind_netns,
	 FIELD(netns),
	 .meta = "NAME|PID|all",
	 .noun = "network namespace",
	 .help = "watch that network namespace, or all of them, instead of this one"},

	{.group = "Instead of watching",
	 .name = "join",
	 .kind = &kind_flag,
	 FIELD(join),
	 .help = "join records (JSON lines; - is standard input) of several hosts or captures, one for each "
		 "connection"},
	{.name = "probe",
	 .kind = &kind_flag,
	 FIELD(probe),
	 .help = "print what this host and the interfaces named offer, and what is lost without each"},
	{.name = "cleanup",
	 .kind = &kind_flag,
	 FIELD(cleanup),
	 .help = "remove what killed instances left on the interfaces, by default on all, and do nothing else"},

	{.group = "Help", .name = "help", .letter = 'h', .kind = &kind_help, .help = "print this text"},
	{.name = "version", .letter = 'V', .kind = &kind_version, .help = "print name and version"},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct option_table table = {rows, ROWS, &defaults};

/* ---- parsing ---- */

/* What getopt_long returns for the first row; greater than any letter. */
#define ROW_VALUE 256

/* The row that getopt_long returned a number or a letter for; NULL for others. */
static const struct option_row *row_of(int value)
{
	for (size_t i = 0; i < ROWS; i++)
		if (value == (int)(ROW_VALUE + i) || (value && value == rows[i].letter))
			return &rows[i];
	return NULL;
}

static int argument_of(const struct option_row *row)
{
	return !row->meta ? no_argument : row->implied ? optional_argument : required_argument;
}

/* What getopt_long returns for a word that is no option. */
#define WORD 1

/*
 * The leading '-' makes getopt_long return WORD for other words in their order, so that what follows "--" is known; the
 * ':' makes it return ':' for a missing value and '?' only for an unknown option.
 */
static void fill_getopt(struct option longs[ROWS + 1], char shorts[2 * ROWS + 3])
{
	char *p = shorts;

	*p++ = '-';
	*p++ = ':';
	for (size_t i = 0; i < ROWS; i++) {
		longs[i] = (struct option){rows[i].name, argument_of(&rows[i]), NULL, (int)(ROW_VALUE + i)};
		if (!rows[i].letter)
			continue;
		*p++ = rows[i].letter;
		if (rows[i].meta)
			*p++ = ':';
	}
	*p = '\0';
	longs[ROWS] = (struct option){0};
}

/*
 * Was the same member of struct options given before, by another option or with another value? given: by row, the value
 * so far ("" for none), NULL where the option was not given.
 */
static bool contradicts(const char *const given[ROWS], const struct option_row *row, const char *text)
{
	for (size_t i = 0; i < ROWS; i++)
		if (given[i] && rows[i].where == row->where && (&rows[i] != row || strcmp(given[i], text) != 0))
			return true;
	return false;
}

/* Stores the value. Returns what the kind's parser does, or -EEXIST for one that contradicts an earlier one. */
static int set_option(struct options *o, const char *given[ROWS], const struct option_row *row, const char *text)
{
	const char *value = text ? text : "";

	if (row->kind->once && contradicts(given, row, value))
		return -EEXIST;
	given[row - rows] = value;
	return row->kind->parse(row, (char *)o + row->where, text);
}

/* Why the other options do not go with --stuck or --time-wait, or NULL. */
static const char *sockets_fault(const struct options *o)
{
	if (o->stuck && o->time_wait)
		return "give --stuck or --time-wait, not both";
	if (o->files.count || o->interfaces.count || o->follow || o->cleanup || o->record_filter.expression)
		return "--stuck and --time-wait are about this host's sockets, not interfaces or files";
	if (record_filter_has_verdicts(&o->record_filter) ||
	    (o->time_wait && record_filter_has_holders(&o->record_filter)))
		return o->stuck ? "--stuck has the filters -4, -6, --port, --host, --process, --pid, --unit and "
				  "--container"
				: "--time-wait has the filters -4, -6, --port and --host";
	return o->format > FORMAT_JSON ? "--stuck and --time-wait have the formats text and json" : NULL;
}

/* Why --netns does not go with the mode, or NULL. */
static const char *netns_fault(const struct options *o)
{
	if (o->netns && (o->files.count || o->probe || o->cleanup))
		return "--netns is about interfaces that are watched, and the sockets of --stuck and --time-wait";
	return NULL;
}

/* Why the other options do not go with --top, or NULL. */
static const char *top_fault(const struct options *o)
{
	if (!o->top && o->by.count)
		return "--by is about the tables of --top; add it";
	if (o->top && (o->stuck || o->time_wait || o->probe || o->cleanup))
		return "--top is about connections as they close: give --stuck, --time-wait, --probe or --cleanup "
		       "alone";
	return o->top && o->format > FORMAT_JSON ? "--top has the formats text and json" : NULL;
}

/* Why metrics do not go with the mode, or NULL. */
static const char *metrics_fault(const struct options *o)
{
	if (!o->metrics_file && !o->metrics.text)
		return NULL;
	if (o->stuck || o->time_wait || o->probe || o->cleanup || o->join)
		return "metrics are about connections as they close, which this mode does not see";
	return o->metrics.text && o->files.count
		       ? "--metrics answers while interfaces are watched; for captures there is --metrics-file"
		       : NULL;
}

/* Why the options of IPFIX do not go together or with the mode, or NULL. */
static const char *ipfix_fault(const struct options *o)
{
	if (!o->ipfix.text)
		return o->ipfix_transport != IPFIX_UDP || o->ipfix_enterprise != IPFIX_ENTERPRISE ||
				       o->ipfix_domain != IPFIX_DOMAIN
			       ? "--ipfix-transport, --ipfix-enterprise and --ipfix-domain are about --ipfix; add it"
			       : NULL;
	if (o->stuck || o->time_wait || o->probe || o->cleanup || o->join)
		return "--ipfix is about connections as they close, which this mode does not see";
	return o->ipfix_enterprise == IPFIX_REVERSE
		       ? "--ipfix-enterprise 29305: that number stands for the reverse direction (RFC 5103)"
		       : NULL;
}

/* Why Kafka does not go with the mode, or NULL. */
static const char *kafka_fault(const struct options *o)
{
	if (o->kafka_config && !o->kafka.topic)
		return "--kafka-config is about --kafka; give it, too";
	if (o->kafka.topic && (o->stuck || o->time_wait || o->probe || o->cleanup || o->join))
		return "--kafka is about connections as they close, which this mode does not see";
	return NULL;
}

/* Why the other options do not go with --probe, or NULL. */
static const char *probe_fault(const struct options *o)
{
	if (o->stuck || o->time_wait || o->cleanup)
		return "--probe does nothing else: give --stuck, --time-wait or --cleanup alone";
	if (o->files.count || o->follow || o->record_filter.expression)
		return "--probe is about this host and interfaces, not files or connections";
	return o->format != FORMAT_TEXT ? "--probe has the format text" : NULL;
}

/* Is there a check of counts that the mode does not make? Logs it. */
static bool is_check_beyond(const struct options *o)
{
	unsigned mask = o->stuck ? CHECKS_OF_STUCK : o->time_wait ? CHECKS_OF_TIME_WAIT : CHECKS_OF_RECORDS;
	const char *text = checks_beyond(&o->checks, o->cleanup || o->probe || o->join ? 0 : mask);

	if (text)
		log_error("--check %s: %s has other counts; see CHECKS in the man page", text,
			  o->stuck       ? "--stuck"
			  : o->time_wait ? "--time-wait"
			  : o->cleanup   ? "--cleanup"
			  : o->probe     ? "--probe"
			  : o->join      ? "--join"
					 : "a run that reports connections");
	return text;
}

/* Why the other options do not go with --join, or NULL. */
static const char *join_fault(const struct options *o)
{
	if (o->stuck || o->time_wait || o->cleanup || o->probe || o->top || o->follow || o->interfaces.count)
		return "--join does nothing else: it reads files of records";
	if (!o->files.count)
		return "--join is about files of records: name them; " SEE_HELP;
	return o->format > FORMAT_JSON ? "--join has the formats text and json" : NULL;
}

/* Why --strays does not go with the other options, or NULL. */
static const char *strays_fault(const struct options *o)
{
	if (!o->strays)
		return NULL;
	if (o->top || o->stuck || o->time_wait || o->probe || o->cleanup)
		return "--strays is about records, which --top, --stuck, --time-wait, --probe and --cleanup do not "
		       "print";
	return o->format > FORMAT_JSON ? "--strays has the formats text and json" : NULL;
}

/* Why --report does not go with the mode, or NULL. */
static const char *report_fault(const struct options *o)
{
	if (o->report && (o->stuck || o->time_wait || o->probe || o->cleanup || o->join))
		return "--report is about connections as they close, which this mode does not see";
	return NULL;
}

/* Why --anonymize does not go with the mode, or NULL. */
static const char *anonymize_fault(const struct options *o)
{
	if ((o->anonymize || o->anonymize_key) && (o->stuck || o->time_wait || o->probe || o->cleanup || o->join))
		return "--anonymize is about connections as they close: give it where records are written";
	return NULL;
}

/* Why -w does not go with the other options, or NULL. */
static const char *packets_fault(const struct options *o)
{
	if (!o->packets)
		return NULL;
	if (o->stuck || o->time_wait || o->probe || o->cleanup || o->join)
		return "-w is about packets of connections as they close, which this mode does not see";
	if (!strcmp(o->packets, "-"))
		return "-w - would mix packets with records on standard output; give a file";
	return NULL;
}

/* Why the options of output files do not go together, or NULL. */
static const char *output_fault(const struct options *o)
{
	if (!o->file_size && !o->file_period)
		return NULL;
	if (!o->output && !o->packets)
		return "-C and -G are about the files of -o and -w; give -o FILE, too";
	return o->probe || o->cleanup ? "-C and -G are about records, which --probe and --cleanup do not write" : NULL;
}

/* Checks that the options go together. -1, or an exit code once an error has been logged. */
static int check_together(const struct options *o)
{
	const char *fault = NULL;

	fault = top_fault(o);
	if (fault)
		; /* the other rules are about modes that it is not */
	else if (o->join)
		fault = join_fault(o);
	else if (o->probe)
		fault = probe_fault(o);
	else if (o->stuck || o->time_wait)
		fault = sockets_fault(o);
	else if (o->files.count && o->interfaces.count)
		fault = "give interfaces or -r FILE, not both";
	else if (o->files.count && (o->follow || o->cleanup))
		fault = "--follow and --cleanup are about interfaces, not files";
	else if (!o->files.count && !o->interfaces.count && !o->cleanup)
		fault = "name an interface, or a capture with -r FILE; " SEE_HELP;
	else if (o->record_filter.outcomes.wanted & 1u << OUTCOME_OPEN && !o->show_open)
		fault = "--outcome open: open connections are reported only with --show-open; add it";
	fault = fault ? fault : netns_fault(o);
	fault = fault ? fault : strays_fault(o);
	fault = fault ? fault : packets_fault(o);
	fault = fault ? fault : output_fault(o);
	fault = fault ? fault : metrics_fault(o);
	fault = fault ? fault : ipfix_fault(o);
	fault = fault ? fault : kafka_fault(o);
	fault = fault ? fault : report_fault(o);
	fault = fault ? fault : anonymize_fault(o);
	if (!fault)
		return is_check_beyond(o) ? EXIT_USAGE : -1;
	log_error("%s", fault);
	return EXIT_USAGE;
}

/* A capture's tables grow as they must, so that its limit may be higher. */
static void set_file_limit(struct options *o, const char *const given[ROWS])
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].where == offsetof(struct options, max_flows) && !given[i] && o->files.count)
			o->max_flows = FILE_MAX_FLOWS;
}

/* Does what one option asks for. -1 to go on, or the exit code to leave with. */
static int take_option(struct options *o, const char *given[ROWS], const struct option_row *row, const char *text)
{
	int asked = set_option(o, given, row, text), err = asked;

	if (asked == OPTION_HELP)
		err = option_help_print(&table);
	else if (asked == OPTION_VERSION)
		err = option_version_print();
	if (err < 0)
		return option_refuse_value(row, text, err);
	return asked ? EXIT_FINE : -1;
}

int options_parse(struct options *o, int argc, char **argv)
{
	const char *given[ROWS] = {0};
	struct option longs[ROWS + 1];
	char shorts[2 * ROWS + 3];
	struct option_words words = {.list = argv}; /* words take the places of what was read already */
	int c, code = -1;

	*o = defaults;
	fill_getopt(longs, shorts);
	opterr = 0;
	optind = 0; /* glibc: start afresh */
	while (code < 0 && (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == '?' || c == ':')
			code = option_refuse_word(&table, c, row_of(optopt), argv[optind - 1]);
		else if (c == WORD)
			words.list[words.before++] = optarg;
		else
			code = take_option(o, given, row_of(c), optarg);
	}
	words.count = words.before;
	while (optind < argc)
		words.list[words.count++] = argv[optind++];
	if (code < 0)
		code = option_words_take(o, &words);
	set_file_limit(o, given);
	return code < 0 ? check_together(o) : code;
}

void options_free(struct options *o)
{
	free(o->files.paths);
	o->files.paths = NULL;
	o->files.count = 0;
	free(o->kafka.brokers);
	o->kafka = (struct option_kafka){0};
	record_filter_free(&o->record_filter);
	checks_free(&o->checks);
}
