// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The files are read as before and give the same packets in the same order, so that a packet is known by its number.
 */
#include "user/capture/kept_packets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/core/header_walk.h"
#include "user/base/log.h"
#include "user/base/input_file.h"

int kept_packets_prepare(const struct flight *flight, struct capture_files *files, char *error, size_t size)
{
	for (unsigned i = 0; flight && i < capture_files_count(files); i++) {
		struct input_file *in = pcap_file_input(capture_files_get(files, i));
		int fd;

		if (input_file_is_lasting(in))
			continue;
		fd = flight_spool(flight);
		if (fd < 0) {
			snprintf(error, size, "-w: no room to keep what is read from a pipe: %s", strerror(-fd));
			return fd;
		}
		input_file_spool(in, fd);
	}
	return 0;
}

struct second_reading {
	struct flight *flight;
	struct capture_files *files;
	uint32_t *first_source; /* by file: the number of its first interface among those of all files */
	uint64_t number;        /* of the packet at hand */
};

/* How many interfaces each file has is known from the first reading. 0 or -ENOMEM. */
static int number_sources(struct second_reading *r)
{
	unsigned count = capture_files_count(r->files);
	uint32_t next = 0;

	r->first_source = calloc(count, sizeof(*r->first_source));
	for (unsigned i = 0; r->first_source && i < count; i++) {
		r->first_source[i] = next;
		next += pcap_file_interfaces(capture_files_get(r->files, i));
	}
	return r->first_source ? 0 : -ENOMEM;
}

static void write_packet(struct second_reading *r, const struct captured_packet *p, const struct tcp_segment *s,
			 struct kept_connection **of, unsigned count)
{
	const struct pcap_file *file = capture_files_get(r->files, p->file);
	struct packet_to_write out = {
		.source = r->first_source[p->file] + p->interface,
		.from.name = pcap_file_interface_name(file, p->interface),
		.packet = {.time = p->time,
			   .bytes = p->frame.pos,
			   .captured = (uint32_t)(p->frame.end - p->frame.pos),
			   .length = p->length},
		.meta = p->meta,
		.link_bytes = (uint32_t)(p->bytes.pos - p->frame.pos),
	};

	pcap_file_describe(file, p->interface, &out.from.link, &out.from.snaplen);
	flight_write(r->flight, of, count, s, &out);
}

static void take_packet(struct second_reading *r, struct captured_packet *p)
{
	struct connection_spans *spans = flight_spans(r->flight);
	struct kept_connection *of[CONNECTION_SPANS_MOST];
	struct tcp_segment s;
	unsigned count;
	enum packet_verdict verdict = packet_parse(&s, &p->bytes, &p->meta);

	if (verdict != PACKET_TCP && verdict != PACKET_QUOTED)
		return;
	s.time = p->time;
	count = connection_spans_of(spans, connection_spans_tuple(spans, &s), r->number, of);
	if (count)
		write_packet(r, p, &s, of, count);
}

/* What is wrong with a file was said before. */
static void read_packets(struct second_reading *r, uint64_t count)
{
	struct captured_packet p;
	char error[512];
	int more = 1;

	while (r->number < count && more) {
		more = capture_files_next(r->files, &p, error, sizeof(error));
		if (more <= 0)
			continue;
		r->number++;
		take_packet(r, &p);
	}
}

void kept_packets_write(struct flight *flight, struct capture_files *files, uint64_t count, uint64_t end)
{
	struct second_reading r = {.flight = flight, .files = files};
	int err;

	flight_begin_writing(flight);
	err = number_sources(&r);
	err = err ? err : capture_files_begin_again(files);
	if (!err)
		read_packets(&r, count);
	if (r.number < count) {
		log_error("-w: %llu of %llu packets could not be read for the second time: %s",
			  (unsigned long long)(count - r.number), (unsigned long long)count,
			  err ? strerror(-err) : "the pipe's could not be kept, or the file has changed");
		flight_add_lost(flight, count - r.number);
	}
	flight_end(flight, end);
	free(r.first_source);
}
