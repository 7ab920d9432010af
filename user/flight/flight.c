// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which connections are kept, and what is said of them.
 */
#define _GNU_SOURCE 1 /* O_TMPFILE */
#include "user/flight/flight.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/seen_packet.h"
#include "user/base/log.h"
#include "user/base/pcapng_format.h"
#include "user/flight/anonymous_packet.h"
#include "user/flight/packet_comment.h"
#include "user/helper/directory.h"

#define LIVE_COMMENT                                                                                               \
	"headers of the segments that opened and closed the connections reported, at most 128 bytes of each, one " \
	"connection after the other; data between handshake and close is not here, and nothing that 65,536 newer " \
	"headers overwrote before its connection was reported"

_Static_assert(SEEN_PACKETS == 65536 && SEEN_BYTES == 128, "numbers in a text");

#define CAPTURE_COMMENT ", with all packets that the captures have of them"

#define HEADERS_COMMENT ". Handed on with other addresses (--anonymize): headers only"

struct flight {
	const struct options *options;
	struct anonymizer *anonymizer; /* --anonymize; else NULL */
	struct packet_file *file;
	struct connection_spans *spans; /* of captures; else NULL */
	size_t comments;                /* bytes of those that are kept */
	uint64_t silent;                /* connections whose comment found no room */
	uint64_t lost;                  /* packets, beside those that the file has lost */
	struct buffer headers;          /* of the packet at hand, with --anonymize */
};

int flight_start(struct flight **flight, const struct options *options, struct anonymizer *anonymizer)
{
	struct flight *made;

	*flight = NULL;
	if (!options->packets)
		return EXIT_FINE;
	made = calloc(1, sizeof(*made));
	if (made) {
		made->options = options;
		made->anonymizer = anonymizer;
		made->file = packet_file_new();
		made->spans = options->files.count ? connection_spans_new() : NULL;
	}
	if (made && made->file && !made->spans)
		packet_file_describe(made->file, anonymizer ? LIVE_COMMENT HEADERS_COMMENT : LIVE_COMMENT);
	if (made && made->file && (made->spans || !options->files.count)) {
		*flight = made;
		return EXIT_FINE;
	}
	flight_free(made);
	log_error("out of memory for packets (-w)");
	return EXIT_RUNTIME;
}

void flight_free(struct flight *f)
{
	if (!f)
		return;
	packet_file_free(f->file);
	connection_spans_free(f->spans);
	buffer_free(&f->headers);
	free(f);
}

struct connection_spans *flight_spans(struct flight *f)
{
	return f ? f->spans : NULL;
}

/* With --anonymize, what it may not be handed on with is taken out of the packet first. */
static void put(struct flight *f, struct packet_to_write *p)
{
	if (!f->anonymizer || anonymous_packet_make(f->anonymizer, p, &f->headers))
		packet_file_put(f->file, p);
	else
		f->lost++;
}

/* ---- a file without a name ---- */

/* Where the file system has no O_TMPFILE: a file whose name is removed at once. */
static int open_unnamed(int directory)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), ".tcpfin-trace.%d.spool", (int)getpid());
	fd = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	unlinkat(directory, name, 0);
	return fd;
}

int flight_spool(const struct flight *f)
{
	const char *name;
	int directory = directory_of(f->options->packets, &name), fd;

	if (directory < 0)
		return directory;
	fd = openat(directory, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	fd = fd < 0 ? open_unnamed(directory) : fd;
	close(directory);
	return fd;
}

/* ---- live ---- */

/* The packet that is the segment of the record; NULL: it is not there. */
static const struct flight_seen *seen_segment(const struct flight_packets *packets, const struct record *r,
					      const struct record_segment *s)
{
	for (unsigned i = 0; s && i < packets->count; i++)
		if (packets->seen[i].time == r->start + s->t)
			return &packets->seen[i];
	return NULL;
}

/* Segments that the record lists, folded ones apart, and that are not there. */
static unsigned count_lacking(const struct flight_packets *packets, const struct record *r)
{
	unsigned lacking = 0;

	for (unsigned i = 0; i < r->segment_count; i++)
		lacking += !(r->segments[i].mark & SEGMENT_FOLDED) && !seen_segment(packets, r, &r->segments[i]);
	return lacking;
}

static void put_lacking(struct buffer *b, unsigned lacking, unsigned listed)
{
	buffer_text(b, "\nnot here: data between handshake and close");
	if (lacking)
		buffer_printf(b, ", and %u of the %u segments that the record lists, whose packets were overwritten",
			      lacking, listed);
}

/* Writes the packets of a connection, the comment at the one that decided or, where that is not there, at the last. */
static void write_seen(struct flight *f, const struct flight_packets *packets, const struct record *r)
{
	const struct flight_seen *place = seen_segment(packets, r, packet_comment_place(r));
	unsigned lacking = count_lacking(packets, r);
	bool whole = !lacking && !r->midstream;
	struct buffer comment = {0};

	f->lost += lacking;
	packet_comment_put(&comment, r);
	put_lacking(&comment, lacking, r->segment_count);
	buffer_char(&comment, '\0');
	packet_file_conclude(f->file, comment.data);
	place = !place && packets->count ? &packets->seen[packets->count - 1] : place;
	for (const struct flight_seen *s = packets->seen; s < packets->seen + packets->count; s++)
		put(f, &(struct packet_to_write){
			       .source = 2 * s->source + whole,
			       .from = {.link = s->link, .name = s->name, .closes_only = whole},
			       .packet = {.time = s->time,
					  .bytes = s->bytes,
					  .captured = s->captured,
					  .length = s->length,
					  .direction = s->outgoing ? PCAPNG_OUTBOUND : PCAPNG_INBOUND,
					  .comment = s == place ? comment.data : NULL},
			       .meta = {.wire_len = s->length,
					.link = s->link == PCAPNG_LINK_RAW ? PACKET_LINK_IP : PACKET_LINK_ETHERNET,
					.captured = 1},
		       });
	buffer_free(&comment);
}

/* ---- what is kept ---- */

static char *comment_of(struct flight *f, const struct record *r)
{
	struct buffer text = {0};
	char *comment;

	packet_comment_put(&text, r);
	buffer_char(&text, '\0');
	f->comments += text.len;
	comment = f->comments <= FLIGHT_COMMENTS ? strdup(text.data) : NULL;
	if (!comment) {
		f->comments -= text.len;
		f->silent++;
	}
	buffer_free(&text);
	return comment;
}

static void forget_comment(struct flight *f, struct kept_connection *kept)
{
	if (kept->comment)
		f->comments -= strlen(kept->comment) + 1;
	free(kept->comment);
	kept->comment = NULL;
}

/* Times that are wrong in the capture are not in the record: there the segment is known by those like it. */
static void set_place(struct kept_connection *kept, const struct record *r)
{
	const struct record_segment *place = packet_comment_place(r);

	if (!place)
		return;
	kept->seq = place->raw_seq;
	kept->flags = place->flags;
	kept->time = r->clock_jumps || (!place->t && place != r->segments) ? 0 : r->start + place->t;
	kept->skip = 0;
	for (const struct record_segment *s = r->segments; s < place; s++)
		kept->skip += s->from == place->from && s->raw_seq == place->raw_seq && s->flags == place->flags;
}

void flight_keep(struct flight *f, const struct flight_packets *packets, const struct record *r)
{
	struct kept_connection *kept;

	if (!f || !packets)
		return;
	if (!f->spans) {
		if (r->final && !packets->again)
			write_seen(f, packets, r);
		return;
	}
	kept = connection_spans_keep(f->spans, packets->begun);
	forget_comment(f, kept);
	kept->comment = comment_of(f, r);
	set_place(kept, r);
}

/* ---- writing ---- */

/* What the files hold, and what is said of the connections, as many as there is room for. */
static void describe(struct flight *f)
{
	uint64_t count;
	const struct kept_connection *kept = connection_spans_kept(f->spans, &count);
	struct comment_list list = {0};
	struct buffer b = {0};

	for (uint64_t i = 0; i < count; i++)
		comment_list_add(&list, kept[i].comment);
	comment_list_put(&b, &list, f->anonymizer ? CAPTURE_COMMENT HEADERS_COMMENT : CAPTURE_COMMENT);
	packet_file_describe(f->file, b.data);
	comment_list_clear(&list);
	buffer_free(&b);
}

void flight_begin_writing(struct flight *f)
{
	connection_spans_seal(f->spans);
	describe(f);
	if (f->silent)
		log_note("%" PRIu64 " connections have packets in %s, but no comment: there was no room", f->silent,
			 f->options->packets);
}

static bool is_place(struct kept_connection *kept, const struct tcp_segment *s, uint64_t time)
{
	if (!kept->comment || s->icmp || s->seq != kept->seq || s->flags != kept->flags)
		return false;
	return kept->time ? kept->time == time : !kept->skip || !kept->skip--;
}

void flight_write(struct flight *f, struct kept_connection **of, unsigned count, const struct tcp_segment *s,
		  struct packet_to_write *p)
{
	struct buffer comment = {0};

	for (unsigned i = 0; i < count; i++) {
		if (!is_place(of[i], s, p->packet.time))
			continue;
		buffer_printf(&comment, "%s%s", comment.len ? "\n\n" : "", of[i]->comment);
		forget_comment(f, of[i]);
	}
	if (comment.len)
		buffer_char(&comment, '\0');
	p->packet.comment = comment.data;
	put(f, p);
	buffer_free(&comment);
}

void flight_end(struct flight *f, uint64_t end)
{
	packet_file_end(f->file, end);
}

void flight_poll(struct flight *f)
{
	if (f && !f->spans)
		packet_file_poll(f->file);
}

void flight_finish(struct flight *f)
{
	if (f && !f->spans)
		packet_file_end(f->file, 0);
}

void flight_add_lost(struct flight *f, uint64_t packets)
{
	f->lost += packets;
}

uint64_t flight_lost(const struct flight *f)
{
	return f ? f->lost + packet_file_lost(f->file) : 0;
}
