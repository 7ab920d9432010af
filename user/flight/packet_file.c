// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Blocks wait in a buffer until it is full or somebody asks. The buffer is written as a whole or not at all, so that a
 * file on a full disk ends with a whole block; interfaces that were described in a buffer that is lost are described
 * again.
 */
#include "user/flight/packet_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/exit_code.h"
#include "user/base/log.h"
#include "user/base/sink.h"
#include "user/flight/packet_comment.h"
#include "user/helper/output.h"

#define PROGRAM "tcpfin-trace " TCPFIN_VERSION

struct packet_file {
	char *comment;
	struct comment_list conclusion; /* of the present file */
	struct buffer out;
	uint64_t waiting, lost; /* packets: in the buffer; not written */
	bool begun;             /* the section's header is in the file, or waits for it */
	uint32_t *ids;          /* by source: number of its block in the section + 1; 0: it has none yet */
	uint32_t room, described;
	bool broken; /* the reader of a pipe has gone, and nothing more is written */
	bool said;   /* that something is lost */
};

struct packet_file *packet_file_new(void)
{
	return calloc(1, sizeof(struct packet_file));
}

void packet_file_free(struct packet_file *f)
{
	if (!f)
		return;
	buffer_free(&f->out);
	comment_list_clear(&f->conclusion);
	free(f->ids);
	free(f->comment);
	free(f);
}

static void *must(void *memory)
{
	if (memory)
		return memory;
	log_error("out of memory");
	exit(EXIT_RUNTIME);
}

void packet_file_describe(struct packet_file *f, const char *comment)
{
	free(f->comment);
	f->comment = must(strdup(comment));
}

/* Interfaces are to be described anew. */
static void forget_interfaces(struct packet_file *f)
{
	if (f->ids)
		memset(f->ids, 0, f->room * sizeof(*f->ids));
	f->described = 0;
}

static void begin(struct packet_file *f)
{
	if (f->begun)
		return;
	pcapng_put_section(&f->out, PROGRAM, f->comment ? f->comment : "");
	forget_interfaces(f);
	f->begun = true;
}

/*
 * What waited is lost, with the interfaces that it described. The next buffer begins with a section of its own, because
 * numbers of interfaces go on within one.
 */
static void lose(struct packet_file *f, int err)
{
	f->lost += f->waiting;
	f->begun = false;
	f->broken = err == -EPIPE;
	if (!f->said)
		log_error("cannot write packets (-w): %s: those that are lost are counted", strerror(-err));
	f->said = true;
}

void packet_file_flush(struct packet_file *f)
{
	int err;

	begin(f);
	if (f->broken || !f->out.len) {
		f->lost += f->waiting;
		f->out.len = 0;
	} else {
		err = sink_write_whole(output_descriptor(OUTPUT_PACKETS), &f->out);
		if (err)
			lose(f, err);
	}
	f->waiting = 0;
}

/*
 * Ends a file, with its last section. Packets are written before, so that a full disk has them where there is room.
 * What comes behind that section all the same, because no next file can be had, belongs to it.
 */
static void conclude(struct packet_file *f)
{
	struct buffer comment = {0};

	packet_file_flush(f);
	if (!f->conclusion.count)
		return;
	comment_list_put(&comment, &f->conclusion, ", with packets in this file as far as they were kept");
	pcapng_put_section(&f->out, PROGRAM, comment.data);
	forget_interfaces(f);
	comment_list_clear(&f->conclusion);
	buffer_free(&comment);
	packet_file_flush(f);
}

void packet_file_end(struct packet_file *f, uint64_t end)
{
	begin(f);
	if (end && f->described)
		pcapng_put_statistics(&f->out, 0, end);
	conclude(f);
}

/*
 * Goes on in the next file if one is due. One that is opened anew and is not empty gets a section of its own. Of the
 * comment it has the first line: a list of all connections would fill small files.
 */
static void turn(struct packet_file *f)
{
	if (!output_due(OUTPUT_PACKETS, f->out.len + f->conclusion.text.len))
		return;
	conclude(f);
	output_turn(OUTPUT_PACKETS);
	if (f->comment)
		f->comment[strcspn(f->comment, "\n")] = '\0';
	f->begun = false;
}

void packet_file_conclude(struct packet_file *f, const char *comment)
{
	turn(f);
	comment_list_add(&f->conclusion, comment);
}

void packet_file_poll(struct packet_file *f)
{
	if (output_hangup(OUTPUT_PACKETS))
		turn(f);
	if (f->waiting || !f->begun)
		packet_file_flush(f);
}

/* The number of the block that describes the interface, which is put in where there is none. */
static uint32_t describe(struct packet_file *f, uint32_t source, const struct pcapng_interface_block *from)
{
	uint32_t room = f->room ? f->room : 16;

	while (source >= room)
		room *= 2;
	if (room > f->room) {
		f->ids = must(reallocarray(f->ids, room, sizeof(*f->ids)));
		memset(f->ids + f->room, 0, (room - f->room) * sizeof(*f->ids));
		f->room = room;
	}
	if (!f->ids[source]) {
		pcapng_put_interface(&f->out, from);
		f->ids[source] = ++f->described;
	}
	return f->ids[source] - 1;
}

void packet_file_put(struct packet_file *f, const struct packet_to_write *p)
{
	struct pcapng_packet_block packet = p->packet;

	turn(f);
	begin(f);
	packet.interface = describe(f, p->source, &p->from);
	pcapng_put_packet(&f->out, &packet);
	f->waiting++;
	if (f->out.len >= SINK_BLOCK)
		packet_file_flush(f);
}

uint64_t packet_file_lost(const struct packet_file *f)
{
	return f->lost;
}
