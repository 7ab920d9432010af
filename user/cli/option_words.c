// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the words that are no options stand for. A word can be mistyped either way, so the error of an expression that
 * does not compile names both readings.
 */
#include "user/cli/option_words.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/buffer.h"
#include "user/base/log.h"
#include "user/cli/interface_pattern.h"
#include "user/cli/options.h"
#include "user/sockets/net_namespaces.h"

/* ---- interfaces ---- */

/*
 * Why the name cannot be one more interface, or NULL. The kernel's rule is dev_valid_name; the messages name what was
 * probably meant instead.
 */
static const char *interface_fault(const struct option_interfaces *i, const char *name)
{
	if (!*name || strlen(name) >= IFNAMSIZ)
		return "an interface name has 1 to 15 bytes; ip link shows them";
	for (const char *p = name; *p; p++)
		if (*p == '/' || *p == ':' || (unsigned char)*p <= ' ' || *p == 0x7f)
			return "no interface has such a name; ip link shows them, -r reads a file";
	for (unsigned n = 0; n < i->count; n++)
		if (!strcmp(i->names[n], name))
			return "named twice";
	return i->count == OPTIONS_MAX_INTERFACES ? "more than 64 interfaces; name fewer" : NULL;
}
_Static_assert(OPTIONS_MAX_INTERFACES == 64 && IFNAMSIZ == 16, "numbers in messages");

const char *option_interfaces_add(struct option_interfaces *interfaces, const char *name)
{
	const char *fault = interface_fault(interfaces, name);

	if (!fault)
		interfaces->names[interfaces->count++] = name;
	return fault;
}

/* -1, or an exit code once an error has been logged. */
static int add_interface(struct options *o, const char *name)
{
	const char *fault = option_interfaces_add(&o->interfaces, name);

	if (!fault)
		return -1;
	log_error("interface %s: %s", *name ? name : "\"\"", fault);
	return EXIT_USAGE;
}

/* A shell's pattern of an interface name. An expression's words that hold such a character hold one of "()= ", too. */
static bool is_pattern(const char *word)
{
	return strlen(word) < IFNAMSIZ && interface_is_pattern(word) && !strpbrk(word, "()=<>&|! /:");
}

/* Looks for the interface in one more network namespace, while it is not found. */
static int find_interface(void *context, const struct net_namespace *namespace)
{
	const char **missing = context;

	(void)namespace;
	if (*missing && if_nametoindex(*missing))
		*missing = NULL;
	return 0;
}

/* Does a namespace of --netns have an interface of that name? False where it may not be looked. */
static bool is_interface_there(const char *netns, const char *word)
{
	net_namespaces_visit(netns, find_interface, &word);
	return !word;
}

static bool is_interface(const struct options *o, const char *word)
{
	return is_pattern(word) || (o->netns ? is_interface_there(o->netns, word) : if_nametoindex(word) != 0);
}

/* ---- files ---- */

int option_files_add(struct option_files *files, const char *path)
{
	const char **paths = realloc(files->paths, (files->count + 1) * sizeof(*paths));

	if (!paths)
		return -ENOMEM;
	files->paths = paths;
	files->paths[files->count++] = path;
	return 0;
}

static int add_file(struct options *o, const char *path)
{
	if (!option_files_add(&o->files, path))
		return -1;
	log_error("out of memory");
	return EXIT_RUNTIME;
}

static bool is_file(const char *word)
{
	return !access(word, F_OK);
}

/* ---- the expression ---- */

static void join(struct buffer *b, char *const *words, int count)
{
	for (int i = 0; i < count; i++) {
		if (i)
			buffer_char(b, ' ');
		buffer_text(b, words[i]);
	}
	buffer_char(b, '\0');
}

/* Logs both readings of words that are no expression. */
static int refuse(const struct options *o, const char *text, const char *word, const char *error)
{
	if (o->files.count)
		log_error("%s: no file \"%s\", and no filter expression: %s", text, word, error);
	else
		log_error("%s: no interface \"%s\", and no filter expression: %s", text, word, error);
	return EXIT_USAGE;
}

/* May a word that is neither an interface nor an expression be an interface that is not there? */
static bool is_absent_interface(const struct options *o, char *const *words, int count, bool divided)
{
	return count == 1 && !o->files.count && !divided && !strchr(words[0], ' ');
}

/* Compiles the words. divided: they follow "--". -1, or an exit code once an error has been logged. */
static int take_expression(struct options *o, char *const *words, int count, bool divided)
{
	struct buffer text = {0};
	char error[512];
	int code = -1;

	join(&text, words, count);
	o->record_filter.expression = packet_expression_compile(text.data, error, sizeof(error));
	if (!o->record_filter.expression) {
		if (is_absent_interface(o, words, count, divided))
			code = add_interface(o, words[0]);
		else
			code = refuse(o, text.data, words[0], error);
	}
	buffer_free(&text);
	return code;
}

/* ---- all words ---- */

int option_words_take(struct options *o, const struct option_words *words)
{
	bool files = o->files.count || o->join, divided = words->before < words->count && (words->before || files);
	int end = divided ? words->before : words->count, code = -1, i;

	for (i = 0; i < end && code < 0; i++) {
		if (files && (o->join || is_file(words->list[i])))
			code = add_file(o, words->list[i]);
		else if (!files && (o->cleanup || o->probe || is_interface(o, words->list[i]) || divided))
			code = add_interface(o, words->list[i]);
		else
			break;
	}
	if (code < 0 && i < words->count)
		code = take_expression(o, words->list + i, words->count - i, divided && i == end);
	return code;
}
