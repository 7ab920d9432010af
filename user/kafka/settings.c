// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file may hold secrets: it is read before rights are given up, and nothing of it but a line's number is logged.
 */
#include "user/kafka/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/buffer.h"
#include "user/base/log.h"

#define FILE_MAX (1 << 20) /* bytes: no file of settings is as long */
#define OURS 8             /* at most */

static void add(struct kafka_settings *s, const char *name, const char *value, unsigned line)
{
	s->list[s->count++] = (struct kafka_setting){name, value, line};
}

/*
 * Every record once and in order, in as few bytes as may be, and a bound to the memory of what waits for brokers
 * (README.md).
 */
static void add_ours(struct kafka_settings *s, const struct options *options)
{
	add(s, "bootstrap.servers", options->kafka.brokers, 0);
	add(s, "client.id", "tcpfin-trace", 0);
	add(s, "enable.idempotence", "true", 0);
	add(s, "compression.codec", "zstd", 0);
	add(s, "queue.buffering.max.ms", "100", 0);
	add(s, "queue.buffering.max.kbytes", "131072", 0);
	add(s, "queue.buffering.max.messages", "1000000", 0);
}

/* ---- the file ---- */

/* All of it, with a NUL behind it. 0 or a negative errno: EILSEQ if it has a NUL, which would hide what follows. */
static int read_all(int fd, struct buffer *text)
{
	ssize_t n = 1;
	bool whole;

	while (n > 0 && text->len < FILE_MAX) {
		n = read(fd, buffer_room(text, 4096), 4096);
		if (n > 0)
			text->len += (size_t)n;
	}
	if (n < 0)
		return -errno;
	whole = !text->len || !memchr(text->data, '\0', text->len);
	buffer_char(text, '\0');
	return text->len > FILE_MAX ? -EFBIG : whole ? 0 : -EILSEQ;
}

static int read_file(const char *path, struct buffer *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = read_all(fd, text);
	close(fd);
	return err;
}

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && strchr(" \t\r", end[-1]))
		*--end = '\0';
	return text + strspn(text, " \t");
}

/* False: it is no setting. */
static bool add_line(struct kafka_settings *s, char *line, unsigned number)
{
	char *name = trim(line), *equal = strchr(name, '=');

	if (!*name || *name == '#')
		return true;
	if (!equal || equal == name)
		return false;
	*equal = '\0';
	add(s, trim(name), trim(equal + 1), number);
	return true;
}

static unsigned count_lines(const char *text)
{
	unsigned lines = 1;

	while ((text = strchr(text, '\n'))) {
		lines++;
		text++;
	}
	return lines;
}

/* Adds the file's lines; its text is changed. 0, or the number of a line that is no setting. */
static unsigned add_lines(struct kafka_settings *s)
{
	char *line = s->text, *next;

	for (unsigned number = 1; line; number++, line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!add_line(s, line, number))
			return number;
	}
	return 0;
}

int kafka_settings_read(struct kafka_settings *s, const struct options *options)
{
	struct buffer text = {0};
	unsigned wrong;
	int err = options->kafka_config ? read_file(options->kafka_config, &text) : 0;

	buffer_char(&text, '\0');
	s->text = text.data;
	s->count = 0;
	s->list = calloc(count_lines(s->text) + OURS, sizeof(*s->list));
	if (err || !s->list) {
		log_error("--kafka-config %s: %s", options->kafka_config, strerror(err ? -err : ENOMEM));
		return EXIT_RUNTIME;
	}
	add_ours(s, options);
	wrong = add_lines(s);
	if (!wrong)
		return EXIT_FINE;
	log_error("--kafka-config %s: line %u is not NAME=VALUE, empty or a comment (#)", options->kafka_config, wrong);
	return EXIT_USAGE;
}

void kafka_settings_free(struct kafka_settings *s)
{
	free(s->list);
	free(s->text);
}
