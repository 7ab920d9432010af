// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Opens a capture, says of a file that is none what it is, and hands each packet of one that is from the reader of its
 * format to the link header's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/capture/classic_pcap.h"
#include "user/capture/link_header.h"
#include "user/capture/pcap_file.h"
#include "user/capture/pcapng.h"
#include "user/readback/record_file.h"

#define HEAD_BYTES 4 /* what every magic number here fits in */

struct pcap_file {
	struct input_file in;
	bool judged; /* head is what the first bytes are */
	int head;    /* 0 where they may be a capture's or records, else a negative errno with its reason in `in` */
	bool is_pcapng;
	struct classic_pcap classic; /* if it is not */
	struct pcapng ng;            /* if it is */
};

/* ---- opening ---- */

/* Opens what can be read to its end. 0, or a negative errno with the reason in f->in. */
static int open_input(struct pcap_file *f, const char *path)
{
	int err = input_file_open(&f->in, path);
	struct stat st;

	if (err)
		return err;
	if (fstat(f->in.fd, &st))
		return input_file_refuse(&f->in, -errno, "%s", strerror(errno));
	if (S_ISDIR(st.st_mode))
		return input_file_refuse(&f->in, -EISDIR, "is a directory; give a capture file");
	if (isatty(f->in.fd))
		return input_file_refuse(&f->in, -ENOTTY, "is a terminal; pipe a capture into it");
	return 0;
}

int pcap_file_open(struct pcap_file **file, const char *path, char *error, size_t error_size)
{
	struct pcap_file *f = calloc(1, sizeof(*f));
	int err;

	if (!f) {
		snprintf(error, error_size, "%s: %s", path, strerror(ENOMEM));
		return -ENOMEM;
	}
	err = open_input(f, path);
	if (err) {
		input_file_error(&f->in, err, error, error_size);
		pcap_file_close(f);
		return err;
	}
	*file = f;
	return 0;
}

uint64_t pcap_file_size(const struct pcap_file *f)
{
	struct stat st;

	return !fstat(f->in.fd, &st) && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

uint64_t pcap_file_taken(const struct pcap_file *f)
{
	return f->in.taken;
}

void pcap_file_on_wait(struct pcap_file *f, void (*wait)(void *context), void *context)
{
	f->in.wait = wait;
	f->in.wait_context = context;
}

void pcap_file_close(struct pcap_file *f)
{
	input_file_close(&f->in);
	pcapng_free(&f->ng);
	free(f);
}

/* 0 where the first bytes may be a capture's or records. */
static int judge_bytes(struct pcap_file *f)
{
	int got = input_file_unpack(&f->in);

	if (got >= 0)
		got = input_file_fill(&f->in, HEAD_BYTES);
	if (got < 0)
		return got;
	return input_file_left(&f->in) ? 0 : input_file_refuse(&f->in, -EBADMSG, "is empty, no capture");
}

/* The same, once. */
static int judge_head(struct pcap_file *f)
{
	if (!f->judged)
		f->head = judge_bytes(f);
	f->judged = true;
	return f->head;
}

/* ---- records ---- */

bool pcap_file_is_records(struct pcap_file *f)
{
	size_t left, i = 0;

	if (judge_head(f))
		return false;
	left = input_file_left(&f->in);
	while (i < left && strchr(" \t\r\n", f->in.pos[i]) && f->in.pos[i])
		i++;
	return i < left && f->in.pos[i] == '{';
}

int pcap_file_records(struct pcap_file *f, struct record_file **records, char *error, size_t error_size)
{
	return record_file_over(records, &f->in, error, error_size);
}

/* ---- packets ---- */

/* Lets the reader of the format that the first bytes show read its head. */
static int start_format(struct pcap_file *f)
{
	if (input_file_left(&f->in) < HEAD_BYTES)
		return input_file_refuse(&f->in, -EBADMSG, "truncated: the file has fewer than %d bytes", HEAD_BYTES);
	f->is_pcapng = pcapng_begins(f->in.pos);
	if (f->is_pcapng)
		return pcapng_start(&f->ng, &f->in);
	if (classic_pcap_begins(f->in.pos))
		return classic_pcap_start(&f->classic, &f->in);
	return input_file_refuse(&f->in, -EBADMSG, "unknown file format");
}

int pcap_file_start(struct pcap_file *f, char *error, size_t error_size)
{
	int err = judge_head(f);

	if (err)
		return input_file_error(&f->in, err, error, error_size);
	err = start_format(f);
	if (err == -EBADMSG)
		snprintf(error, error_size, "%s: no readable capture (pcap or pcapng): %s", f->in.name, f->in.why);
	else if (err)
		input_file_error(&f->in, err, error, error_size);
	return err;
}

int pcap_file_next_frame(struct pcap_file *f, struct captured_packet *p, char *error, size_t error_size)
{
	int got = f->is_pcapng ? pcapng_next(&f->ng, &f->in, p) : classic_pcap_next(&f->classic, &f->in, p);

	return got < 0 ? input_file_error(&f->in, got, error, error_size) : got;
}

int pcap_file_next(struct pcap_file *f, struct captured_packet *p, char *error, size_t error_size)
{
	int got = pcap_file_next_frame(f, p, error, error_size);

	if (got == 1) {
		p->frame = p->bytes;
		p->length = p->meta.wire_len;
		link_header_take(p);
	}
	return got;
}

uint64_t pcap_file_end(const struct pcap_file *f)
{
	return f->ng.end;
}

uint32_t pcap_file_interfaces(const struct pcap_file *f)
{
	return f->is_pcapng ? f->ng.count : 1;
}

void pcap_file_describe(const struct pcap_file *f, uint32_t interface, uint32_t *link, uint32_t *snaplen)
{
	if (f->is_pcapng) {
		pcapng_describe_interface(&f->ng, interface, link, snaplen);
	} else {
		*link = link_type_number(f->classic.link_type);
		*snaplen = f->classic.snaplen;
	}
}

struct input_file *pcap_file_input(struct pcap_file *f)
{
	return &f->in;
}

int pcap_file_begin_again(struct pcap_file *f)
{
	int err = input_file_begin_again(&f->in);

	pcapng_free(&f->ng);
	f->ng = (struct pcapng){0};
	f->classic = (struct classic_pcap){0};
	f->judged = false;
	return err;
}

const char *pcap_file_interface_name(const struct pcap_file *f, uint32_t interface)
{
	return pcapng_interface_name(&f->ng, interface);
}

uint64_t pcap_file_unread(const struct pcap_file *f, char *text, size_t size)
{
	return pcapng_describe_unread(&f->ng, text, size);
}
