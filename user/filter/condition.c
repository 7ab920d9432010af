// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A condition is a tree of nodes in an array: recursive descent makes it, a recursive walk decides it.
 */
#include "user/filter/condition.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "user/base/buffer.h"
#include "user/filter/condition_constant.h"

#define MAX_NODES 128
#define MAX_DEPTH 32

enum node_kind { NODE_AND, NODE_OR, NODE_NOT, NODE_COMPARE };

struct node {
	enum node_kind kind;
	unsigned left, right; /* operands: numbers of nodes */
	struct comparison {
		enum operator op;
		uint16_t which[CONDITION_EITHER]; /* holds if it holds of one of them */
		unsigned count;
		struct constant constant;
	} compare;
};

struct condition {
	const struct condition_names *names;
	const char *text;
	unsigned count, root;
	struct node nodes[MAX_NODES];
};

struct parser {
	struct condition *c;
	const char *at; /* the current token */
	size_t len;     /* 0 at the end */
	unsigned depth;
	char *error;
	size_t error_size;
	bool failed;
};

/* ---- tokens ---- */

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_.:-/*%?@", c)) || (unsigned char)c >= 0x80;
}

/* Bytes of the token at p: a word, a text in quotes with them, or an operator. */
static size_t token_length(const char *p)
{
	static const char *const operators[] = {"<=", ">=", "==", "!=", "&&", "||"};
	size_t n = 0;

	if (*p == '\'' || *p == '"') {
		const char *end = strchr(p + 1, *p);

		return end ? (size_t)(end - p) + 1 : strlen(p);
	}
	while (is_word(p[n]))
		n++;
	for (unsigned i = 0; !n && i < sizeof(operators) / sizeof(operators[0]); i++)
		if (!strncmp(p, operators[i], 2))
			return 2;
	return n ? n : *p ? 1 : 0;
}

static void next_token(struct parser *p)
{
	p->at += p->len;
	p->at += strspn(p->at, " \t\n");
	p->len = token_length(p->at);
}

static bool is_token(const struct parser *p, const char *word)
{
	return strlen(word) == p->len && !strncasecmp(p->at, word, p->len);
}

/* Passes over the token if it is one of the two words. */
static bool skip_token(struct parser *p, const char *word, const char *other)
{
	bool found = is_token(p, word) || is_token(p, other);

	if (found)
		next_token(p);
	return found;
}

/* Reports the first mistake only: "at 5, "hlf_closed": REASON". Returns 0, a node that nobody looks at. */
static unsigned __attribute__((format(printf, 2, 3))) refuse(struct parser *p, const char *format, ...)
{
	struct buffer b = {0};
	va_list arguments;
	char reason[256];

	if (p->failed)
		return 0;
	p->failed = true;
	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	if (p->len)
		buffer_printf(&b, "at %zu, \"%.*s\": %s", (size_t)(p->at - p->c->text) + 1, (int)p->len, p->at, reason);
	else
		buffer_printf(&b, "at its end: %s", reason);
	snprintf(p->error, p->error_size, "%.*s", (int)b.len, b.data);
	buffer_free(&b);
	return 0;
}

/* ---- parsing ---- */

static unsigned add_node(struct parser *p, enum node_kind kind, unsigned left, unsigned right)
{
	if (p->c->count == MAX_NODES)
		return refuse(p, "more than %d comparisons and operators", MAX_NODES);
	p->c->nodes[p->c->count] = (struct node){.kind = kind, .left = left, .right = right};
	return p->c->count++;
}

/* Says that there is no such name, and which ones are near. */
static void refuse_name(struct parser *p)
{
	const struct condition_names *names = p->c->names;
	char near[160];

	if (nearest_names(p->at, p->len, names->name, near, sizeof(near)))
		refuse(p, "no such %s; near: %s", names->what, near);
	else
		refuse(p, "no such %s", names->what);
}

static bool find_name(struct parser *p, struct comparison *compare)
{
	compare->count = p->c->names->find(p->at, p->len, compare->which);
	if (!compare->count)
		refuse_name(p);
	return compare->count;
}

static bool find_operator(struct parser *p, enum operator* op)
{
	static const char *const names[] = {"=", "==", "!=", "<", "<=", ">", ">="};
	static const enum operator operators[] = {EQUAL, EQUAL, UNEQUAL, LESS, AT_MOST, MORE, AT_LEAST};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is_token(p, names[i])) {
			*op = operators[i];
			return true;
		}
	return false;
}

/* Is the constant a word that the value can have? Else a misspelled one would match nothing, and nobody would know. */
static bool is_possible(const struct condition_names *names, unsigned which, const struct constant *constant)
{
	const char *word = names->word ? names->word(which, 0) : NULL;

	if (!word)
		return true;
	for (unsigned i = 0; (word = names->word(which, i)); i++)
		if (constant_is_word(constant, word))
			return true;
	return false;
}

/* Says which words there are. */
static void refuse_word(struct parser *p, unsigned which)
{
	struct buffer b = {0};
	const char *word;

	for (unsigned i = 0; (word = p->c->names->word(which, i)); i++)
		buffer_printf(&b, "%s%s", i ? ", " : "", word);
	refuse(p, "it is one of %.*s", (int)b.len, b.data);
	buffer_free(&b);
}

/* What follows a name: operator and constant; nothing where it is a truth value. */
static void parse_test(struct parser *p, struct comparison *compare)
{
	enum record_field_type type = p->c->names->type(compare->which[0]);
	const char *why;

	if (!find_operator(p, &compare->op)) {
		compare->op = EQUAL;
		compare->constant.number = 1;
		if (type != FIELD_BOOL && type != FIELD_ANSWER)
			refuse(p, "a comparison is expected: = != < <= > >=");
		return;
	}
	if (!constant_takes(type, compare->op)) {
		refuse(p, "what is no number is compared with = or !=");
		return;
	}
	next_token(p);
	why = constant_parse(&compare->constant, type, p->at, p->len, p->c->names->shares);
	if (why)
		refuse(p, "%s", why);
	else if (type == FIELD_WORD && !is_possible(p->c->names, compare->which[0], &compare->constant))
		refuse_word(p, compare->which[0]);
	next_token(p);
}

static unsigned parse_comparison(struct parser *p)
{
	struct comparison compare = {0};
	unsigned node;

	if (!p->len)
		return refuse(p, "a %s is expected", p->c->names->what);
	if (!find_name(p, &compare))
		return 0;
	next_token(p);
	parse_test(p, &compare);
	node = add_node(p, NODE_COMPARE, 0, 0);
	p->c->nodes[node].compare = compare;
	return node;
}

static unsigned parse_or(struct parser *p);

static unsigned parse_group(struct parser *p)
{
	unsigned node;

	if (++p->depth > MAX_DEPTH)
		return refuse(p, "more than %d parentheses and nots deep", MAX_DEPTH);
	node = parse_or(p);
	p->depth--;
	if (!skip_token(p, ")", ")"))
		refuse(p, "\")\", \"and\" or \"or\" is expected");
	return node;
}

static unsigned parse_not(struct parser *p)
{
	unsigned node;

	if (skip_token(p, "(", "("))
		return parse_group(p);
	if (!skip_token(p, "not", "!"))
		return parse_comparison(p);
	if (++p->depth > MAX_DEPTH)
		return refuse(p, "more than %d parentheses and nots deep", MAX_DEPTH);
	node = parse_not(p);
	p->depth--;
	return add_node(p, NODE_NOT, node, 0);
}

static unsigned parse_and(struct parser *p)
{
	unsigned node = parse_not(p);

	while (!p->failed && skip_token(p, "and", "&&"))
		node = add_node(p, NODE_AND, node, parse_not(p));
	return node;
}

static unsigned parse_or(struct parser *p)
{
	unsigned node = parse_and(p);

	while (!p->failed && skip_token(p, "or", "||"))
		node = add_node(p, NODE_OR, node, parse_and(p));
	return node;
}

struct condition *condition_parse(const struct condition_names *names, const char *text, char *error, size_t size)
{
	struct condition *c = calloc(1, sizeof(*c));
	struct parser p = {.c = c, .at = text, .error = error, .error_size = size};

	if (!c) {
		snprintf(error, size, "out of memory");
		return NULL;
	}
	c->names = names;
	c->text = text;
	next_token(&p);
	c->root = parse_or(&p);
	if (p.len)
		refuse(&p, "\"and\" or \"or\" is expected");
	if (!p.failed)
		return c;
	condition_free(c);
	return NULL;
}

void condition_free(struct condition *c)
{
	free(c);
}

const char *condition_text(const struct condition *c)
{
	return c->text;
}

bool condition_uses(const struct condition *c, bool (*test)(unsigned which, const void *context), const void *context)
{
	for (unsigned i = 0; i < c->count; i++)
		for (unsigned n = 0; n < c->nodes[i].compare.count; n++)
			if (test(c->nodes[i].compare.which[n], context))
				return true;
	return false;
}

/* ---- deciding ---- */

/* Does it hold of one of the values? "!=" has to hold of all that are known, as the opposite of "=". */
static bool compare_holds(const struct condition *c, const struct comparison *compare, const void *subject)
{
	bool all = compare->op == UNEQUAL, known = false;

	for (unsigned i = 0; i < compare->count; i++) {
		unsigned which = compare->which[i];
		struct field_value v = {0};

		c->names->value(&v, subject, which);
		if (!v.known)
			continue;
		known = true;
		if (constant_holds(&compare->constant, c->names->type(which), &v, compare->op) != all)
			return !all;
	}
	return all && known;
}

static bool node_holds(const struct condition *c, unsigned number, const void *subject)
{
	const struct node *node = &c->nodes[number];

	switch (node->kind) {
	case NODE_AND:
		return node_holds(c, node->left, subject) && node_holds(c, node->right, subject);
	case NODE_OR:
		return node_holds(c, node->left, subject) || node_holds(c, node->right, subject);
	case NODE_NOT:
		return !node_holds(c, node->left, subject);
	default:
		return compare_holds(c, &node->compare, subject);
	}
}

bool condition_holds(const struct condition *c, const void *subject)
{
	return node_holds(c, c->root, subject);
}
