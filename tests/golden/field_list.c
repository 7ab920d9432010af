// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prints the list of fields in tcpfin-trace-record(5) from the table in record_fields.h, as mdoc: a subsection for each
 * object of the JSON form, an item for each field in it. Fields with the same meaning, such as those of the two ends,
 * are one item. `make man-fields` puts the list into the page.
 *
 * field_list json     prints records as JSON that have what no capture file gives: an interface, and this host's
 * sockets
 * field_list rates    prints the tables of --top for those
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "user/format/format.h"
#include "user/record/record_fields.h"
#include "user/top/table_json.h"
#include "tests/unit/sample_record.h"

#define WIDTH 78 /* columns of a line of text in the page's source */

/* Length of the path of the object that holds a field: "tcp.timing" of "tcp.timing.close". 0: the record itself. */
static size_t object_length(const char *path)
{
	const char *dot = path ? strrchr(path, '.') : NULL;

	return dot ? (size_t)(dot - path) : 0;
}

static const char *type_words(enum record_field_type type)
{
	static const char *const words[] = {
		[FIELD_TIME] = "time",          [FIELD_DURATION] = "ns",
		[FIELD_SIGNED] = "signed ns",   [FIELD_BYTES] = "bytes",
		[FIELD_COUNT] = "count",        [FIELD_NUMBER] = "number",
		[FIELD_WORD] = "word",          [FIELD_TEXT] = "text",
		[FIELD_BOOL] = "true or false", [FIELD_ANSWER] = "true or false",
		[FIELD_ADDRESS] = "address",    [FIELD_ID] = "word",
		[FIELD_FLAGS] = "text",         [FIELD_OBJECT] = "object",
		[FIELD_RUNS] = "pairs",         [FIELD_NAMES] = "text",
	};

	return words[type];
}

/* Does the sentence end here? Then the source's line does, too. */
static bool ends_sentence(const char *word, size_t len)
{
	return len > 1 && word[len - 1] == '.' && word[len] != '\0';
}

/* Text in lines of the source. No word of the table begins with what roff takes for a request, or has a backslash. */
static void print_text(const char *text)
{
	size_t column = 0, len;

	for (; *text; text += len + (text[len] == ' ')) {
		len = strcspn(text, " ");
		if (column && column + 1 + len > WIDTH) {
			putchar('\n');
			column = 0;
		}
		column += (size_t)printf("%s%s%.*s", column ? " " : "", !column && *text == '.' ? "\\&" : "", (int)len,
					 text);
		if (ends_sentence(text, len)) {
			putchar('\n');
			column = 0;
		}
	}
	if (column)
		putchar('\n');
}

static bool same_meaning(const struct record_field *a, const struct record_field *b)
{
	return a->type == b->type && !strcmp(a->meaning, b->meaning);
}

/* Is field i of an item that begins at an earlier field? */
static bool printed_before(unsigned i)
{
	for (unsigned before = 0; before < i; before++)
		if (same_meaning(&record_fields[before], &record_fields[i]))
			return true;
	return false;
}

/* "a , b , c": the paths, or the columns, of field i and of the later ones with its meaning. */
static void print_names(unsigned i, bool columns)
{
	const char *separator = "";

	for (unsigned at = i; at < record_field_count; at++) {
		const struct record_field *f = &record_fields[at];
		const char *name = columns || !f->path ? f->column : f->path;

		if (!same_meaning(f, &record_fields[i]) || !name)
			continue;
		printf("%s%s", separator, name);
		separator = " , ";
	}
}

static void print_item(unsigned i)
{
	const struct record_field *f = &record_fields[i];
	bool nullable = f->presence == FIELD_NULLABLE || f->presence == FIELD_OPTIONAL_NULLABLE;
	bool optional = f->presence == FIELD_OPTIONAL || f->presence == FIELD_OPTIONAL_NULLABLE;

	printf(".It Cm ");
	print_names(i, false);
	printf("\n.Em %s%s%s .\n", type_words(f->type), nullable ? " or null" : "", optional ? ", optional" : "");
	if (f->column) {
		printf("CSV:\n.Cm ");
		print_names(i, true);
		printf(" .\n");
	}
	print_text(f->meaning);
}

/* Does the field belong to the object whose path is the first `len` bytes of `object`? */
static bool is_member(const struct record_field *f, const char *object, size_t len)
{
	return object_length(f->path) == len && (!len || !strncmp(f->path, object, len));
}

/* The object's own row in the table, if it has one. */
static const struct record_field *object_row(const char *object, size_t len)
{
	for (unsigned i = 0; i < record_field_count; i++) {
		const struct record_field *f = &record_fields[i];

		if (f->type == FIELD_OBJECT && strlen(f->path) == len && !strncmp(f->path, object, len))
			return f;
	}
	return NULL;
}

/* "source.process, destination.process": the objects whose first field is field i, or one with its meaning. */
static void print_heading(unsigned i)
{
	const struct record_field *first = &record_fields[i],
				  *row = object_row(first->path, object_length(first->path));
	const char *separator = ".Ss ";

	if (!object_length(first->path))
		printf(".Ss The record");
	for (unsigned at = i; at < record_field_count; at++) {
		const struct record_field *f = &record_fields[at];
		size_t len = object_length(f->path);

		if (!len || !same_meaning(f, first) ||
		    (at > i && is_member(f, first->path, object_length(first->path))))
			continue;
		len -= f->path[len - 1] == ']' ? strlen("[]") : 0;
		printf("%s%.*s", separator, (int)len, f->path);
		separator = ", ";
	}
	putchar('\n');
	if (row)
		print_text(row->meaning);
	printf(".Bl -tag -width Ds\n");
}

/* The subsection of the object that holds field i, unless an earlier field began it. */
static void print_object(unsigned i)
{
	const char *object = record_fields[i].path;
	size_t len = object_length(object);
	bool begun = false;

	for (unsigned before = 0; before < i; before++)
		if (record_fields[before].type != FIELD_OBJECT && is_member(&record_fields[before], object, len))
			return;
	for (unsigned at = i; at < record_field_count; at++) {
		if (record_fields[at].type == FIELD_OBJECT || !is_member(&record_fields[at], object, len) ||
		    printed_before(at))
			continue;
		if (!begun)
			print_heading(at);
		begun = true;
		print_item(at);
	}
	if (begun)
		printf(".El\n");
}

static void print_list(void)
{
	for (unsigned i = 0; i < record_field_count; i++)
		if (record_fields[i].type != FIELD_OBJECT)
			print_object(i);
}

static void exchange_sockets(struct record *r)
{
	const struct record_socket source = r->socket[SOURCE];

	r->socket[SOURCE] = r->socket[DESTINATION];
	r->socket[DESTINATION] = source;
}

/* Each sample as it is, and with what is known of the one end's socket known of the other's. */
static void print_samples(void)
{
	void (*const samples[])(struct record *) = {sample_sockets, sample_held, sample_lost, sample_listener};
	struct buffer out = {0};
	struct record r;

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		samples[i](&r);
		r.host = "host-1";
		format_json(&out, &r);
		r.netns = "web";
		r.netns_inode = 4026532000;
		exchange_sockets(&r);
		format_json(&out, &r);
	}
	fwrite(out.data, 1, out.len, stdout);
	buffer_free(&out);
}

/* A table of the samples by everything, of an interval and of the run. */
static void print_rates(void)
{
	void (*const samples[])(struct record *) = {sample_sockets, sample_graceful, sample_reset};
	struct span *span = span_new();
	struct span_view view = {0};
	struct groups groups = {0};
	struct buffer out = {0};
	struct record r;

	groups_parse(&groups, "process,peer,port,interface,outcome,reason,unit,container");
	span_reset(span, &groups, SAMPLE_FINISH, 0);
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		samples[i](&r);
		span_add(span, &r);
	}
	span->end = span->start + 1;
	span_view(&view, span, ORDER_CONNECTIONS, 2, "");
	table_json(&out, &view, "host-1", false);
	table_json(&out, &view, NULL, true);
	fwrite(out.data, 1, out.len, stdout);
	buffer_free(&out);
	span_view_free(&view);
	span_free(span);
}

/* What no capture gives of a stray. */
static void print_strays(void)
{
	struct buffer out = {0};
	struct record r;

	sample_stray(&r);
	r.host = "host-1";
	format_json(&out, &r);
	r.tunnel = TUNNEL_VXLAN;
	r.tunnel_id = 7;
	r.interfaces[0] = "eth0";
	r.interfaces[1] = "eth1";
	format_json(&out, &r);
	fwrite(out.data, 1, out.len, stdout);
	buffer_free(&out);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "json"))
		print_samples();
	else if (argc > 1 && !strcmp(argv[1], "rates"))
		print_rates();
	else if (argc > 1 && !strcmp(argv[1], "strays"))
		print_strays();
	else
		print_list();
	return 0;
}
