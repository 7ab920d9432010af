// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command line, made of the input's NUL-terminated words: it is accepted with every value in its range, or refused
 * with one printable line.
 */
#include <net/if.h>
#include <netdb.h>
#include <string.h>

#include "user/cli/options.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/fuzz.h"

#define WORDS 200
#define YEAR (365 * 86400 * 1000000000ULL) /* ns */

static bool is_time(uint64_t ns)
{
	return ns >= 1000000 && ns <= YEAR;
}

static bool is_size(uint32_t n, uint32_t most)
{
	return n >= 1024 && n <= most;
}

static void check_filter(const struct filter *f)
{
	expect(f->family == 0 || f->family == 4 || f->family == 6);
	expect(f->port_count <= FILTER_MAX && f->host_count <= FILTER_MAX);
	for (unsigned i = 0; i < f->port_count; i++)
		expect(f->ports[i].first && f->ports[i].first <= f->ports[i].last);
	for (unsigned i = 0; i < f->host_count; i++)
		expect(f->hosts[i].family == 6 ? f->hosts[i].prefix <= 128
					       : f->hosts[i].family == 4 && f->hosts[i].prefix <= 32);
}

static void check_record_filter(const struct record_filter *f)
{
	expect(f->outcomes.wanted < 1u << OUTCOMES && f->outcomes.unwanted < 1u << OUTCOMES);
	expect(f->closers.wanted < 2u << NETWORK && f->closers.unwanted < 2u << NETWORK);
	expect(f->pid_count <= FILTER_MAX && f->where_count <= FILTER_MAX);
	expect(f->processes.count <= FILTER_MAX && f->reasons.count <= FILTER_MAX);
}

/* A word that is a host in an expression must reach no resolver. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	(void)node;
	(void)service;
	(void)hints;
	(void)found;
	return EAI_NONAME;
}

/* What interfaces there are must not depend on the host. */
unsigned if_nametoindex(const char *name)
{
	return !strncmp(name, "eth", 3);
}

static void check_options(const struct options *o)
{
	if (o->probe)
		expect(!o->files.count && !o->follow && !o->cleanup && !o->stuck && !o->time_wait &&
		       o->format == FORMAT_TEXT);
	else if (o->stuck || o->time_wait)
		expect(!o->stuck != !o->time_wait && !o->files.count && !o->interfaces.count &&
		       o->format <= FORMAT_JSON);
	else
		expect(o->interfaces.count <= OPTIONS_MAX_INTERFACES &&
		       (o->cleanup ? !o->files.count : !o->files.count == !!o->interfaces.count));
	expect(o->stuck == 0 || is_time(o->stuck));
	for (unsigned i = 0; i < o->interfaces.count; i++)
		expect(*o->interfaces.names[i] && strlen(o->interfaces.names[i]) < 16);
	expect(o->hook <= HOOK_TC && o->format <= FORMAT_LADDER);
	expect(o->duration == 0 || is_time(o->duration));
	expect(o->settle <= 60000000000);
	expect(is_time(o->syn_timeout) && is_time(o->close_timeout) && is_time(o->idle_timeout));
	expect(is_size(o->max_flows, 1 << 24) && is_size(o->max_closing, 1 << 20) && is_size(o->max_unproven, 1 << 19));
	expect(is_size(o->evidence, 1 << 24));
	expect(o->ring_bytes >= 4096 && o->ring_bytes <= 1 << 30 && !(o->ring_bytes & (o->ring_bytes - 1)));
	check_filter(&o->filter);
	check_record_filter(&o->record_filter);
}

static void check_words(int argc, char **argv)
{
	FILE *console = stderr, *output = stdout;
	char *said = NULL, *printed = NULL;
	size_t said_len, printed_len;
	struct options options;
	int code;

	stderr = open_memstream(&said, &said_len);
	stdout = open_memstream(&printed, &printed_len);
	code = options_parse(&options, argc, argv);
	fclose(stderr);
	fclose(stdout);
	stderr = console;
	stdout = output;
	if (code < 0)
		check_options(&options);
	options_free(&options);
	expect(code == -1 || code == EXIT_FINE || code == EXIT_USAGE);
	expect(!!printed_len == (code == EXIT_FINE) && !!said_len == (code == EXIT_USAGE));
	expect(!said_len || memchr(said, '\n', said_len) == said + said_len - 1);
	check_printable(said, said_len, false, false);
	check_printable(printed, printed_len, false, false);
	free(said);
	free(printed);
}

/* Each word is a heap block of its size, so that the sanitizer detects a read behind it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *words[WORDS + 2] = {strdup("tcpfin-trace")}, *argv[WORDS + 2];
	struct input in = {data, data + size};
	int argc = 1;

	while (input_left(&in) && argc <= WORDS) {
		size_t len = strnlen((const char *)in.pos, input_left(&in));

		words[argc++] = strndup((const char *)in.pos, len);
		in.pos += len < input_left(&in) ? len + 1 : len;
	}
	memcpy(argv, words, sizeof(argv)); /* getopt_long permutes argv */
	check_words(argc, argv);
	while (argc)
		free(words[--argc]);
	return 0;
}
