// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libpcap reads the file; this reads what is around it: the first bytes, to say what is no capture, and the link header
 * of each packet, to bring the cursor to what the core's parser takes. And it owns the buffer that libpcap reads from:
 * a packet that lies in it whole, in a file of the common form, is taken where it lies. All that is out of the ordinary
 * is left to libpcap, so that there is one judge of what a file says.
 */
#define _GNU_SOURCE 1 /* fopencookie */
#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <pcap/sll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/stop.h"
#include "user/capture/pcap_file.h"

/* At most what libpcap takes for the largest sane packet: then a larger one is never whole in the buffer. */
#define READ_BUFFER (256 * 1024)
#define HEAD_BYTES 4 /* what every magic number here fits in */
#define NSEC_PER_SEC 1000000000ULL

struct pcap_file {
	const char *name; /* for errors: the path, not copied, or "standard input" */
	int fd;
	FILE *stream; /* libpcap's once there is a pcap */
	uint8_t head[HEAD_BYTES];
	pcap_t *pcap;
	const struct link_type *type;
	uint32_t tick;    /* ns in the unit of a packet header's second word; 0: every packet is read by libpcap */
	bool swapped;     /* with tick: packet headers are in the other byte order */
	uint32_t snaplen; /* with tick */
	const uint8_t *pos, *end; /* what is read from fd, and not taken yet */
	uint8_t buffer[READ_BUFFER];
};

/* ---- link types ---- */

/* A link type: how many bytes come before what the core takes, and what they say. */
struct link_type {
	int number; /* DLT_ */
	enum packet_link link;
	uint32_t header_len;
	uint16_t (*ethertype)(const uint8_t *header, struct captured_packet *p); /* PACKET_LINK_TYPED */
};

static uint16_t sll_ethertype(const uint8_t *header, struct captured_packet *p)
{
	(void)p;
	return load_be16(header + 14);
}

static uint16_t sll2_ethertype(const uint8_t *header, struct captured_packet *p)
{
	p->ifindex = load_be32(header + 4);
	return load_be16(header);
}

/*
 * The address family in four bytes: network byte order (DLT_LOOP) or that of the capturing host (DLT_NULL), which only
 * the value tells. AF_INET is 2 everywhere; AF_INET6 is the capturing system's.
 */
static uint16_t family_ethertype(const uint8_t *header, struct captured_packet *p)
{
	uint32_t family = load_be32(header);

	(void)p;
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	switch (family) {
	case 2:
		return ETHERTYPE_IPV4_;
	case 10: /* Linux */
	case 23: /* Windows */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD, DragonFly */
	case 30: /* macOS */
		return ETHERTYPE_IPV6_;
	}
	return 0;
}

static const struct link_type link_types[] = {
	{.number = DLT_EN10MB, .link = PACKET_LINK_ETHERNET},
	{.number = DLT_RAW, .link = PACKET_LINK_IP}, /* 101 in files, 12 once libpcap has read it */
	{.number = 14, .link = PACKET_LINK_IP},      /* DLT_RAW of OpenBSD */
	{.number = DLT_IPV4, .link = PACKET_LINK_IP},
	{.number = DLT_IPV6, .link = PACKET_LINK_IP},
	{.number = DLT_LINUX_SLL, .link = PACKET_LINK_TYPED, .header_len = SLL_HDR_LEN, .ethertype = sll_ethertype},
	{.number = DLT_LINUX_SLL2, .link = PACKET_LINK_TYPED, .header_len = SLL2_HDR_LEN, .ethertype = sll2_ethertype},
	{.number = DLT_NULL, .link = PACKET_LINK_TYPED, .header_len = 4, .ethertype = family_ethertype},
	{.number = DLT_LOOP, .link = PACKET_LINK_TYPED, .header_len = 4, .ethertype = family_ethertype},
};

static const struct link_type *find_link_type(int number)
{
	for (size_t i = 0; i < sizeof(link_types) / sizeof(link_types[0]); i++)
		if (link_types[i].number == number)
			return &link_types[i];
	return NULL;
}

/* ---- what is no capture ---- */

static const struct packing {
	uint8_t magic[HEAD_BYTES];
	size_t len;
	const char *name, *unpack;
} packings[] = {
	{{0x1f, 0x8b}, 2, "gzip", "zcat"},
	{{0xfd, '7', 'z', 'X'}, 4, "xz", "xzcat"},
	{{0x28, 0xb5, 0x2f, 0xfd}, 4, "zstd", "zstdcat"},
	{{'B', 'Z', 'h'}, 3, "bzip2", "bzcat"},
	{{0x04, 0x22, 0x4d, 0x18}, 4, "lz4", "lz4cat"},
};

static const struct packing *find_packing(const uint8_t head[HEAD_BYTES], size_t len)
{
	for (size_t i = 0; i < sizeof(packings) / sizeof(packings[0]); i++)
		if (len >= packings[i].len && !memcmp(head, packings[i].magic, packings[i].len))
			return &packings[i];
	return NULL;
}

static int open_fd(struct pcap_file *s, const char *path, char *error, size_t error_size)
{
	struct stat st;
	int err;

	if (!strcmp(path, "-")) {
		s->name = "standard input";
		s->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	} else {
		s->name = path;
		do
			s->fd = open(path, O_RDONLY | O_CLOEXEC); /* of a FIFO: waits for a writer */
		while (s->fd < 0 && errno == EINTR && stop_go_on());
	}
	if (s->fd < 0 || fstat(s->fd, &st)) {
		err = -errno;
		snprintf(error, error_size, "%s: %s", s->name, strerror(-err));
		return err;
	}
	if (S_ISDIR(st.st_mode)) {
		snprintf(error, error_size, "%s: is a directory; give a capture file", s->name);
		return -EISDIR;
	}
	if (isatty(s->fd)) {
		snprintf(error, error_size, "%s: is a terminal; pipe a capture into it", s->name);
		return -ENOTTY;
	}
	return 0;
}

/* As read(), but a signal ends it only if it asks to stop: EINTR. */
static ssize_t read_on(int fd, void *to, size_t size)
{
	ssize_t n = -1;

	errno = EINTR;
	while (n < 0 && errno == EINTR && stop_go_on())
		n = read(fd, to, size);
	return n;
}

/* Reads on, behind what is not taken yet. As read_on(). */
static ssize_t fill(struct pcap_file *s)
{
	ssize_t n;

	if (s->pos == s->end)
		s->pos = s->end = s->buffer;
	n = read_on(s->fd, s->buffer + (s->end - s->buffer), (size_t)(s->buffer + sizeof(s->buffer) - s->end));
	if (n > 0)
		s->end += n;
	return n;
}

/* The stream's read: no more than it asks for leaves the buffer. */
static ssize_t stream_read(void *cookie, char *to, size_t size)
{
	struct pcap_file *s = cookie;
	ssize_t n = s->pos < s->end ? 1 : fill(s);

	if (n <= 0)
		return n;
	n = s->end - s->pos;
	if ((size_t)n > size)
		n = (ssize_t)size;
	memcpy(to, s->pos, (size_t)n);
	s->pos += n;
	return n;
}

static int open_stream(struct pcap_file *s, char *error, size_t error_size)
{
	s->stream = fopencookie(s, "r", (cookie_io_functions_t){.read = stream_read});
	if (!s->stream) {
		snprintf(error, error_size, "%s: %s", s->name, strerror(ENOMEM));
		return -ENOMEM;
	}
	setvbuf(s->stream, NULL, _IONBF, 0);            /* it must not hold what the buffer is believed to */
	__fsetlocking(s->stream, FSETLOCKING_BYCALLER); /* one thread reads, twice a packet */
	return 0;
}

/* Why the read before did not succeed, or 0 where nothing but the file is to blame. */
static int stream_error(const struct pcap_file *s)
{
	return ferror(s->stream) ? -errno : 0;
}

/* Looks at the first bytes, and leaves them in the buffer. */
static int judge_head(struct pcap_file *s, char *error, size_t error_size)
{
	const struct packing *packing;
	size_t len;
	ssize_t n;

	do
		n = fill(s);
	while (n > 0 && s->end - s->pos < HEAD_BYTES);
	if (n < 0) {
		int err = -errno;

		snprintf(error, error_size, "%s: %s", s->name, strerror(-err));
		return err;
	}
	len = s->end - s->pos < HEAD_BYTES ? (size_t)(s->end - s->pos) : HEAD_BYTES;
	memcpy(s->head, s->pos, len);
	if (!len) {
		snprintf(error, error_size, "%s: is empty, no capture", s->name);
		return -EBADMSG;
	}
	packing = find_packing(s->head, len);
	if (packing) {
		snprintf(error, error_size, "%s: is compressed with %s; unpack it: %s FILE | tcpfin-trace -r -",
			 s->name, packing->name, packing->unpack);
		return -EBADMSG;
	}
	return 0;
}

/* The common form: microseconds or nanoseconds in either byte order, version 2.4. */
static void learn_form(struct pcap_file *s)
{
	uint32_t magic;

	if (pcap_major_version(s->pcap) != 2 || pcap_minor_version(s->pcap) != 4)
		return;
	s->swapped = pcap_is_swapped(s->pcap);
	s->snaplen = (uint32_t)pcap_snapshot(s->pcap);
	memcpy(&magic, s->head, sizeof(magic));
	if (s->swapped)
		magic = __builtin_bswap32(magic);
	s->tick = magic == 0xa1b2c3d4 ? 1000 : magic == 0xa1b23c4d ? 1 : 0;
}

static int open_pcap(struct pcap_file *s, char *error, size_t error_size)
{
	char text[PCAP_ERRBUF_SIZE];
	const char *name, *description;
	int number, err;

	s->pcap = pcap_fopen_offline_with_tstamp_precision(s->stream, PCAP_TSTAMP_PRECISION_NANO, text);
	if (!s->pcap) {
		err = stream_error(s);
		snprintf(error, error_size, "%s: no readable capture (pcap or pcapng): %s", s->name, text);
		return err ? err : -EBADMSG;
	}
	learn_form(s);
	number = pcap_datalink(s->pcap);
	s->type = find_link_type(number);
	if (s->type)
		return 0;
	name = pcap_datalink_val_to_name(number);
	description = pcap_datalink_val_to_description(number);
	snprintf(error, error_size, "%s: link type %d (%s, %s) is not supported; capture on Ethernet, IP or \"any\"",
		 s->name, number, name ? name : "no name", description ? description : "unknown");
	return -EPROTONOSUPPORT;
}

int pcap_file_open(struct pcap_file **source, const char *path, char *error, size_t error_size)
{
	struct pcap_file *s = calloc(1, sizeof(*s));
	int err;

	if (!s) {
		snprintf(error, error_size, "%s: %s", path, strerror(ENOMEM));
		return -ENOMEM;
	}
	err = open_fd(s, path, error, error_size);
	if (err) {
		pcap_file_close(s);
		return err;
	}
	*source = s;
	return 0;
}

int pcap_file_start(struct pcap_file *s, char *error, size_t error_size)
{
	int err = open_stream(s, error, error_size);

	if (!err)
		err = judge_head(s, error, error_size);
	if (!err)
		err = open_pcap(s, error, error_size);
	return err;
}

void pcap_file_close(struct pcap_file *s)
{
	if (s->pcap)
		pcap_close(s->pcap);
	else if (s->stream)
		fclose(s->stream);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

/* ---- packets ---- */

/*
 * Time in ns. The seconds of a pcap file are 32 bits, unsigned, which libpcap takes for signed in files of its own byte
 * order; those of pcapng are 64 bits. What no clock shows is held at the border: it must not overflow.
 */
static uint64_t packet_time(const struct pcap_file *s, const struct timeval *ts)
{
	static const uint64_t last_second = UINT64_MAX / NSEC_PER_SEC - 1;
	uint64_t sec = (uint64_t)ts->tv_sec, nsec = (uint64_t)ts->tv_usec; /* nanoseconds, as asked for */

	if (s->head[0] != 0x0a) /* not pcapng */
		sec = (uint32_t)sec;
	else if (ts->tv_sec < 0)
		sec = 0;
	if (sec > last_second)
		sec = last_second;
	if (nsec >= NSEC_PER_SEC)
		nsec = NSEC_PER_SEC - 1;
	return sec * NSEC_PER_SEC + nsec;
}

/*
 * Takes the link header off. Where it is cut, the cursor is empty and said to be at IP, which the core's parser calls
 * truncated.
 */
static void take_link_header(const struct link_type *type, const uint8_t *data, uint32_t caplen, uint32_t len,
			     struct captured_packet *p)
{
	bool cut = caplen < type->header_len;
	uint32_t taken = cut ? caplen : type->header_len;

	p->ifindex = 0;
	p->meta = (struct packet_meta){.link = cut ? PACKET_LINK_IP : type->link};
	if (type->ethertype && !cut)
		p->meta.ethertype = type->ethertype(data, p);
	p->bytes.pos = data + taken;
	p->bytes.end = data + caplen;
	p->meta.wire_len = len - taken;
}

static int next_error(const struct pcap_file *s, char *error, size_t error_size)
{
	int err = stream_error(s);

	snprintf(error, error_size, "%s: %s", s->name, pcap_geterr(s->pcap));
	return err ? err : -EBADMSG;
}

/* A packet as a file of the common form has it; false where libpcap must look, or read on. */
static bool take_whole(struct pcap_file *s, struct pcap_pkthdr *header, const u_char **data)
{
	uint32_t word[4]; /* seconds, ticks, captured length, length */
	size_t left = (size_t)(s->end - s->pos);

	if (!s->tick || left < sizeof(word))
		return false;
	memcpy(word, s->pos, sizeof(word));
	if (s->swapped)
		for (size_t i = 0; i < 4; i++)
			word[i] = __builtin_bswap32(word[i]);
	if (word[2] > s->snaplen || word[2] > left - sizeof(word))
		return false;
	header->ts = (struct timeval){word[0], (suseconds_t)word[1] * s->tick};
	header->caplen = word[2];
	header->len = word[3];
	*data = s->pos + sizeof(word);
	s->pos += sizeof(word) + word[2];
	return true;
}

int pcap_file_next(struct pcap_file *s, struct captured_packet *p, char *error, size_t error_size)
{
	struct pcap_pkthdr here, *header = &here;
	const u_char *data;
	int got = take_whole(s, header, &data) ? 1 : pcap_next_ex(s->pcap, &header, &data);

	if (got == PCAP_ERROR_BREAK)
		return 0;
	if (got != 1)
		return next_error(s, error, error_size);
	p->time = packet_time(s, &header->ts);
	/* No more was captured than there was; where a broken file says so, the smaller length holds. */
	take_link_header(s->type, data, header->caplen < header->len ? header->caplen : header->len, header->len, p);
	return 1;
}
