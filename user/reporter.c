// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Decides which connections are reported, and in which style the terminal can show them.
 */
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/address.h"
#include "user/base/log.h"
#include "user/cli/interface_pattern.h"
#include "user/base/sink.h"
#include "user/base/terminal_width.h"
#include "user/helper/output.h"
#include "user/judge/stray_flow.h"
#include "user/reporter.h"

#define DEFAULT_COLUMNS 80

static bool wants_color(enum color color)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	if (color != COLOR_AUTO)
		return color == COLOR_ALWAYS;
	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

/* Columns that would say the same of all records, or nothing: bits 1 << enum text_column. */
static unsigned without(const struct reporter *r)
{
	unsigned columns = r->several ? 0 : 1u << TEXT_INTERFACE;

	if (r->options->files.count && !r->named)
		columns |= 1u << TEXT_PROCESS;
	return columns;
}

static void lay_out(struct reporter *r)
{
	const struct options *options = r->options;

	text_layout_fit(&r->style.layout, terminal_width(), options->columns.list, options->columns.count, without(r));
	r->headed = false;
}

/* What columns a capture needs is known once it has been read so far. */
static void put_header(struct reporter *r)
{
	if (!r->headed && !r->top)
		format_header(&r->out, r->options->format, &r->style);
	r->headed = true;
}

/* Text has one more column from here on, below a new header. */
static void widen(struct reporter *r, bool *column)
{
	if (*column || r->top || r->options->format != FORMAT_TEXT)
		return;
	*column = true;
	if (!r->options->columns.count)
		lay_out(r);
}

void reporter_several_interfaces(struct reporter *r)
{
	widen(r, &r->several);
}

void reporter_init(struct reporter *r, const struct options *options)
{
	memset(r, 0, sizeof(*r));
	r->options = options;
	r->style.color = wants_color(options->color);
	r->style.unicode = !strcmp(nl_langinfo(CODESET), "UTF-8");
	r->style.verbose = options->verbose;
	r->style.columns = terminal_width() ? terminal_width() : DEFAULT_COLUMNS;
	if (options->top) {
		r->top = top_new(options, terminal_width(), r->style.unicode);
		return;
	}
	r->several = interfaces_may_be_several(options);
	lay_out(r);
	if (!options->files.count)
		put_header(r);
}

/* Reads a key of at most size bytes. How many, or a negative errno. */
static ssize_t read_key(const char *path, uint8_t *key, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, key, size);
	int err = errno;

	if (fd >= 0)
		close(fd);
	return got < 0 ? -err : got;
}

int reporter_read_key(struct reporter *r)
{
	const char *path = r->options->anonymize_key;
	uint8_t key[4096];
	ssize_t len = 32;

	if (!r->options->anonymize && !path)
		return EXIT_FINE;
	if (path)
		len = read_key(path, key, sizeof(key));
	else if (getentropy(key, (size_t)len))
		len = -errno;
	if (len >= ANONYMIZER_KEY_LEAST) {
		r->anonymizer = anonymizer_new(key, (size_t)len);
		explicit_bzero(key, sizeof(key));
		len = r->anonymizer ? len : -ENOMEM;
	}
	if (len >= ANONYMIZER_KEY_LEAST)
		return EXIT_FINE;
	log_error("--anonymize-key %s: %s", path ? path : "of this run",
		  len < 0 ? strerror((int)-len) : "a key has at least 16 bytes");
	return EXIT_RUNTIME;
}
_Static_assert(ANONYMIZER_KEY_LEAST == 16, "number in a message");

/* Filters have seen the record as it is; what is printed or counted from here on is not. */
static void anonymize(struct reporter *r, struct record *record)
{
	if (r->anonymizer)
		anonymize_record(r->anonymizer, record);
}

void reporter_free(struct reporter *r)
{
	anonymizer_free(r->anonymizer);
	buffer_free(&r->out);
	free(r->interface);
	top_free(r->top);
	monitoring_free(r->monitoring);
	ipfix_free(r->ipfix);
	kafka_free(r->kafka);
	flight_free(r->flight);
	report_free(r->report);
}

static void write_all(struct reporter *r)
{
	if (r->out.len && !r->error)
		r->error = sink_write(STDOUT_FILENO, &r->out);
	r->out.len = 0;
}

/* Goes on in another file if one is due (-C, -G, SIGHUP). Each file begins with the header of its format. */
static void turn_output(struct reporter *r)
{
	if (!output_due(OUTPUT_RECORDS, r->out.len))
		return;
	write_all(r);
	if (!output_turn(OUTPUT_RECORDS))
		return;
	r->day = 0;
	r->headed = false;
	put_header(r);
}

void reporter_flush(struct reporter *r)
{
	put_header(r);
	write_all(r);
	monitoring_poll(r->monitoring);
	ipfix_poll(r->ipfix);
	kafka_poll(r->kafka);
	flight_poll(r->flight);
	if (output_hangup(OUTPUT_RECORDS))
		turn_output(r);
}

/* Does nothing that is told of a record have event.id? */
static bool is_nameless(const struct options *options)
{
	return (options->top || options->format == FORMAT_TEXT || options->format == FORMAT_LADDER) &&
	       !options->record_filter.where_count && !options->ipfix.text && !options->kafka.topic;
}

/* Is a line of text, or a count, all that is made of a record? */
static bool is_brief(const struct reporter *r)
{
	const struct options *o = r->options;

	return is_nameless(o) && (o->top || (o->format == FORMAT_TEXT && !o->verbose)) && !r->report && !r->flight;
}

static void make_record(const struct reporter *r, struct record *record, const struct flow_key *key,
			const struct flow *f, const struct flow_segment *log, const struct verdict_context *context)
{
	struct verdict_context with_name = *context;

	with_name.nameless = is_nameless(r->options);
	with_name.brief = is_brief(r);
	verdict(record, key, f, log, &with_name);
}

static void count(struct reporter *r, const struct record *record)
{
	summary_add(&r->summary, record);
	monitoring_add(r->monitoring, record);
	report_add(r->report, record);
	if (r->top)
		top_add(r->top, record);
}

static void print(struct reporter *r, const struct record *record)
{
	turn_output(r);
	put_header(r);
	if (r->options->format == FORMAT_TEXT)
		format_text_day(&r->out, &r->style, record, &r->day);
	format_record(&r->out, r->options->format, &r->style, record);
	if (r->out.len > SINK_BLOCK)
		r->error = sink_write_blocks(STDOUT_FILENO, &r->out);
}

/* What is reported later may be related to it. Returns the connection. */
static struct related_peer note(const struct flow_key *key, const struct flow *f, const struct verdict_context *context)
{
	const struct related_peer peer = related_of_flow(key, f, verdict_source(key, f, context->opener));

	related_note(context->related, &peer, context->apart);
	return peer;
}

/*
 * Exports a final record. counts: of two records of one connection only one is counted. forced: did the watch or the
 * capture end while the connection went on?
 */
static void finish(struct reporter *r, const struct record *record, bool counts, enum answer forced)
{
	ipfix_add(r->ipfix, record, forced);
	if (counts)
		count(r, record);
}

/* again: it replaces a final record, whatever it says itself. */
static bool is_wanted(const struct reporter *r, const struct record *record, bool again)
{
	if (record->outcome == OUTCOME_OPEN && !r->options->show_open && !again)
		return false;
	return record_filter_passes(&r->options->record_filter, &r->options->filter, record);
}

void reporter_flow(struct reporter *r, const struct flow_key *key, const struct flow *f, const struct flow_segment *log,
		   const struct verdict_context *context)
{
	struct related_peer peer;
	struct record record;

	if (reporter_full(r) && !r->top)
		return;
	make_record(r, &record, key, f, log, context);
	peer = note(key, f, context);
	if (!is_wanted(r, &record, context->again))
		return;
	anonymize(r, &record);
	if (record.final && !context->again && !context->counted)
		finish(r, &record, related_counts(context->related, &peer), context->reason == REPORT_STOP ? YES : NO);
	kafka_add(r->kafka, &record);
	flight_keep(r->flight, context->packets, &record);
	if (!r->top)
		print(r, &record);
}

/* The connection of a record that was read. Of a live one the interface is known by its name. */
static struct related_peer peer_of_record(const struct record *r)
{
	const char *name = r->host && r->interfaces[0] ? r->interfaces[0] : "";
	struct related_peer peer = {
		.family = (uint8_t)r->family,
		.midstream = r->isn[SOURCE] == NUMBER_UNSEEN,
		.answered = r->isn[DESTINATION] != NUMBER_UNSEEN,
		.isn = (uint32_t)r->isn[SOURCE],
		.answer = (uint32_t)r->isn[DESTINATION],
		.start = r->start,
	};

	for (enum role role = SOURCE; role <= DESTINATION; role++) {
		peer.addr[role] = address_from_bytes(r->end[role].ip, r->family);
		peer.port[role] = r->end[role].port;
	}
	for (; *name; name++)
		peer.interface = peer.interface * 31 + (uint8_t)*name;
	return peer;
}

static bool counts_once(struct related *related, const struct record *r)
{
	const struct related_peer peer = peer_of_record(r);

	related_note(related, &peer, false);
	return related_counts(related, &peer);
}

/* What text shows of records that were read is known only once they are there. */
static void look_at_columns(struct reporter *r, const struct record *record)
{
	const char *interface = record->interfaces[0] ? record->interfaces[0] : "";

	if (!r->interface)
		r->interface = strdup(interface);
	if (record_has_interfaces(record) || !r->interface || strcmp(r->interface, interface) != 0)
		reporter_several_interfaces(r);
	if (socket_process(&record->socket[SOURCE]) || socket_process(&record->socket[DESTINATION]))
		widen(r, &r->named);
}

void reporter_record(struct reporter *r, const struct record *read, bool counts, struct related *related)
{
	struct record record = *read;

	if ((reporter_full(r) && !r->top) || !is_wanted(r, read, false))
		return;
	anonymize(r, &record);
	if (counts)
		finish(r, &record, counts_once(related, read), UNTOLD);
	kafka_add(r->kafka, &record);
	if (r->top)
		return;
	look_at_columns(r, &record);
	print(r, &record);
}

void reporter_count(struct reporter *r, const struct record *read)
{
	struct record record = *read;

	if (!is_wanted(r, read, false))
		return;
	anonymize(r, &record);
	finish(r, &record, true, UNTOLD);
}

/* columns: what text shows is known only now. */
static void report_stray(struct reporter *r, struct record *record, bool columns)
{
	if (!record_filter_passes(&r->options->record_filter, &r->options->filter, record))
		return;
	anonymize(r, record);
	kafka_add(r->kafka, record);
	if (columns)
		look_at_columns(r, record);
	print(r, record);
}

void reporter_stray_record(struct reporter *r, const struct record *read)
{
	struct record record = *read;

	if (!reporter_full(r))
		report_stray(r, &record, true);
}

void reporter_stray(struct reporter *r, const struct flow_key *key, const struct flow *f,
		    const struct flow_segment *log, const struct verdict_context *context)
{
	struct verdict_context stray = *context;
	int sender = stray_sender(f, log);
	struct record record;

	if (sender < 0 || reporter_full(r))
		return;
	stray.stray = true;
	stray.opener = (unsigned)sender + 1;
	make_record(r, &record, key, f, log, &stray);
	report_stray(r, &record, false);
}

void reporter_waiting(struct reporter *r, const struct flow_key *key, const struct flow *f,
		      const struct flow_segment *log, const struct verdict_context *context, bool stuck)
{
	struct record record;

	make_record(r, &record, key, f, log, context);
	if (!record_filter_passes(&r->options->record_filter, &r->options->filter, &record))
		return;
	anonymize(r, &record);
	if (r->waits)
		metrics_add_waiting(r->waits, &record, stuck);
	else
		top_add_waiting(r->top, &record, stuck);
}

void reporter_open_screen(struct reporter *r)
{
	if (r->top)
		top_open_screen(r->top);
}

uint64_t reporter_table_due(struct reporter *r, uint64_t now, int64_t wall_offset)
{
	return r->top ? top_due(r->top, now, wall_offset) : 0;
}

void reporter_table(struct reporter *r, uint64_t end)
{
	turn_output(r);
	top_table(r->top, end, &r->out);
	reporter_flush(r);
}

void reporter_finish(struct reporter *r)
{
	if (!r->top || r->error)
		return;
	top_end(r->top, &r->out);
	reporter_flush(r);
}

void reporter_count_lost(const struct reporter *r, uint64_t counters[COUNTERS])
{
	counters[COUNT_IPFIX_LOST] = ipfix_lost(r->ipfix);
	counters[COUNT_KAFKA_LOST] = kafka_lost(r->kafka);
	counters[COUNT_PACKETS_NOT_KEPT] = flight_lost(r->flight);
}

bool reporter_full(const struct reporter *r)
{
	if (r->error || !r->options->count)
		return r->error;
	return r->top ? top_full(r->top) : r->summary.records >= r->options->count;
}

int reporter_exit_code(const struct reporter *r)
{
	if (!r->error || r->error == -EPIPE)
		return EXIT_FINE;
	log_error("cannot write records to standard output: %s", strerror(-r->error));
	return EXIT_RUNTIME;
}
