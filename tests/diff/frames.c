// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Captures become Ethernet frames: other link headers are replaced by an Ethernet header with the same type.
 */
#define _GNU_SOURCE 1 /* asprintf */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "user/capture/pcap_file.h"
#include "tests/diff/frames.h"

#define ETHERNET_HEADER 14

static void *must(void *memory)
{
	if (!memory) {
		fputs("out of memory\n", stderr);
		exit(1);
	}
	return memory;
}

static uint8_t *copy_bytes(const uint8_t *data, uint32_t len)
{
	uint8_t *copy = must(malloc(len ? len : 1));

	if (len)
		memcpy(copy, data, len);
	return copy;
}

void conversation_add(struct conversation *c, uint64_t time, const uint8_t *data, uint32_t len)
{
	if (c->count == c->room) {
		c->room = c->room ? c->room * 2 : 64;
		c->frames = must(realloc(c->frames, c->room * sizeof(*c->frames)));
	}
	c->frames[c->count++] = (struct frame){.time = time, .data = copy_bytes(data, len), .len = len};
}

void conversation_append(struct conversation *c, const struct conversation *from, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++) {
		struct frame f = from->frames[i];

		conversation_add(c, f.time, f.data, f.len);
		c->frames[c->count - 1].gso = f.gso;
		c->frames[c->count - 1].late = f.late;
	}
}

void frame_resize(struct frame *f, uint32_t len)
{
	f->data = must(realloc(f->data, len ? len : 1));
	if (len > f->len)
		memset(f->data + f->len, 0, len - f->len);
	f->len = len;
}

void conversation_remove(struct conversation *c, size_t at)
{
	free(c->frames[at].data);
	c->count--;
	memmove(&c->frames[at], &c->frames[at + 1], (c->count - at) * sizeof(*c->frames));
}

void conversation_free(struct conversation *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->frames[i].data);
	free(c->frames);
	c->frames = NULL;
	c->count = c->room = 0;
}

void conversation_sort_times(struct conversation *c)
{
	for (size_t i = 1; i < c->count; i++)
		if (c->frames[i].time < c->frames[i - 1].time)
			c->frames[i].time = c->frames[i - 1].time;
}

/* ---- captures ---- */

/* The kernel's clock is never 0. */
static void add_packet(struct conversation *c, const struct captured_packet *p)
{
	uint64_t time_ns = p->time ? p->time : 1;
	uint32_t len = (uint32_t)(p->bytes.end - p->bytes.pos);
	uint16_t ethertype = p->meta.ethertype;
	uint8_t *frame;

	if (p->meta.link == PACKET_LINK_ETHERNET) {
		conversation_add(c, time_ns, p->bytes.pos, len);
		return;
	}
	if (p->meta.link == PACKET_LINK_IP)
		ethertype = len && p->bytes.pos[0] >> 4 == 6 ? ETHERTYPE_IPV6_ : ETHERTYPE_IPV4_;
	frame = must(calloc(1, ETHERNET_HEADER + len));
	frame[12] = (uint8_t)(ethertype >> 8);
	frame[13] = (uint8_t)ethertype;
	if (len)
		memcpy(frame + ETHERNET_HEADER, p->bytes.pos, len);
	conversation_add(c, time_ns, frame, ETHERNET_HEADER + len);
	free(frame);
}

static void load_file(struct pool *p, const char *path)
{
	struct conversation c = {.origin = must(strdup(path))};
	struct captured_packet packet;
	struct pcap_file *source;
	char error[512];

	if (!pcap_file_open(&source, path, error, sizeof(error))) {
		if (!pcap_file_start(source, error, sizeof(error)))
			while (pcap_file_next(source, &packet, error, sizeof(error)) > 0)
				add_packet(&c, &packet);
		pcap_file_close(source);
	}
	if (!c.count) {
		p->unreadable++;
		free(c.origin);
		return;
	}
	p->conversations = must(realloc(p->conversations, (p->count + 1) * sizeof(*p->conversations)));
	p->conversations[p->count++] = c;
	p->frames += c.count;
}

static int load_directory(struct pool *p, const char *path)
{
	struct dirent **names;
	int count = scandir(path, &names, NULL, alphasort);

	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++) {
		char *file;

		if (names[i]->d_name[0] != '.') {
			if (asprintf(&file, "%s/%s", path, names[i]->d_name) < 0)
				must(NULL);
			load_file(p, file);
			free(file);
		}
		free(names[i]);
	}
	free(names);
	return 0;
}

int pool_load(struct pool *p, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return load_directory(p, path);
	load_file(p, path);
	return 0;
}

void pool_free(struct pool *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->conversations[i].origin);
		conversation_free(&p->conversations[i]);
	}
	free(p->conversations);
}

/* ---- headers ---- */

bool frame_layout(const struct frame *f, struct layout *l)
{
	uint32_t ethertype_at = 12;
	uint16_t ethertype;

	for (;;) {
		if (f->len < ethertype_at + 2)
			return false;
		ethertype = load_be16(f->data + ethertype_at);
		if (ethertype != 0x8100 && ethertype != 0x88a8 && ethertype != 0x9100)
			break;
		ethertype_at += 4;
	}
	l->ip = ethertype_at + 2;
	l->ipv6 = ethertype == 0x86dd;
	if ((ethertype != 0x0800 && !l->ipv6) || f->len < l->ip + 40)
		return false;
	l->tcp = l->ip + (l->ipv6 ? 40 : (f->data[l->ip] & 15) * 4);
	return f->data[l->ip + (l->ipv6 ? 6 : 9)] == 6 && f->len >= l->tcp + 20;
}
