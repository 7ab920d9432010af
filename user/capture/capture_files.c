// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each file holds its next packet ready; the earliest one is handed out. There are few files, so all are compared.
 */
#include "user/capture/capture_files.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct source {
	struct pcap_file *file;
	bool started, ended;
	bool ready; /* packet is the next one */
	struct captured_packet packet;
};

struct capture_files {
	unsigned count;
	struct source sources[];
};

int capture_files_open(struct capture_files **files, const char *const *paths, unsigned count, char *error, size_t size)
{
	struct capture_files *f = calloc(1, sizeof(*f) + count * sizeof(f->sources[0]));
	int err = 0;

	if (!f) {
		snprintf(error, size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	for (; f->count < count && !err; f->count += !err)
		err = pcap_file_open(&f->sources[f->count].file, paths[f->count], error, size);
	if (err)
		capture_files_close(f);
	else
		*files = f;
	return err;
}

void capture_files_close(struct capture_files *f)
{
	for (unsigned i = 0; i < f->count; i++)
		pcap_file_close(f->sources[i].file);
	free(f);
}

/* The source's next packet: 1, 0 at its end, or a negative errno, after which it is at its end. */
static int read_packet(struct source *s, struct captured_packet *p, char *error, size_t size)
{
	int got = s->started ? 0 : pcap_file_start(s->file, error, size);

	s->started = true;
	if (!got)
		got = pcap_file_next(s->file, p, error, size);
	s->ended = got <= 0;
	return got;
}

/* Makes the source hold its next packet, or its end. 0 or a negative errno. */
static int prepare(struct source *s, char *error, size_t size)
{
	int got;

	if (s->ready || s->ended)
		return 0;
	got = read_packet(s, &s->packet, error, size);
	s->ready = got > 0;
	return got < 0 ? got : 0;
}

static struct source *earliest(struct capture_files *f)
{
	struct source *best = NULL;

	for (struct source *s = f->sources; s < f->sources + f->count; s++)
		if (s->ready && (!best || s->packet.time < best->packet.time))
			best = s;
	return best;
}

/* capture_files_next of one file: there is nothing to compare, and no packet to be held ready. */
static int next_of_one(struct source *s, struct captured_packet *p, char *error, size_t size)
{
	int got = s->ended ? 0 : read_packet(s, p, error, size);

	p->file = 0;
	return got;
}

int capture_files_next(struct capture_files *f, struct captured_packet *p, char *error, size_t size)
{
	struct source *next;

	if (f->count == 1)
		return next_of_one(f->sources, p, error, size);
	for (struct source *s = f->sources; s < f->sources + f->count; s++) {
		int err = prepare(s, error, size);

		if (err)
			return err;
	}
	next = earliest(f);
	if (!next)
		return 0;
	*p = next->packet;
	p->file = (unsigned)(next - f->sources);
	next->ready = false;
	return 1;
}

const char *capture_files_interface_name(const struct capture_files *f, const struct captured_packet *p)
{
	return pcap_file_interface_name(f->sources[p->file].file, p->interface);
}

uint64_t capture_files_end(const struct capture_files *f)
{
	uint64_t last = 0;

	for (const struct source *s = f->sources; s < f->sources + f->count; s++)
		if (pcap_file_end(s->file) > last)
			last = pcap_file_end(s->file);
	return last;
}

int capture_files_begin_again(struct capture_files *f)
{
	int err = 0;

	for (struct source *s = f->sources; s < f->sources + f->count && !err; s++) {
		err = pcap_file_begin_again(s->file);
		s->started = s->ended = s->ready = false;
	}
	return err;
}

void capture_files_on_wait(struct capture_files *f, void (*wait)(void *context), void *context)
{
	for (unsigned i = 0; i < f->count; i++)
		pcap_file_on_wait(f->sources[i].file, wait, context);
}

uint64_t capture_files_unread(const struct capture_files *f, unsigned n, char *text, size_t size)
{
	return n < f->count ? pcap_file_unread(f->sources[n].file, text, size) : 0;
}

bool capture_files_progress(const struct capture_files *f, uint64_t *done, uint64_t *all)
{
	*done = *all = 0;
	for (unsigned i = 0; i < f->count; i++) {
		uint64_t size = pcap_file_size(f->sources[i].file);

		if (!size)
			return false;
		*all += size;
		*done += pcap_file_taken(f->sources[i].file);
	}
	return true;
}

struct pcap_file *capture_files_get(const struct capture_files *f, unsigned n)
{
	return f->sources[n].file;
}

unsigned capture_files_count(const struct capture_files *f)
{
	return f->count;
}
