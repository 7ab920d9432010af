// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines of the exposition formats. A label's value may hold any bytes: those that are no text are printed as escapes,
 * and no name of a process can break a line.
 */
#include "user/monitoring/exposition.h"

#include "user/base/clock.h"

const char *exposition_content_type(enum exposition_format format)
{
	return format == EXPOSITION_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
						: "text/plain; version=0.0.4; charset=utf-8";
}

static const char *type_name(const struct exposition *e)
{
	static const char *const names[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_HISTOGRAM] = "histogram",
		[METRIC_INFO] = "info",
	};

	/* The older format knows no information: it is a gauge that is always 1. */
	return e->type == METRIC_INFO && e->format == EXPOSITION_TEXT ? "gauge" : names[e->type];
}

/* What a sample's name has behind the family's. */
static const char *suffix_of(const struct exposition *e)
{
	return e->type == METRIC_COUNTER ? "_total" : e->type == METRIC_INFO ? "_info" : "";
}

/* "# WORD NAME ": in the older format, a family has the name of its samples. */
static void put_comment(struct exposition *e, const char *word)
{
	buffer_text(e->out, "# ");
	buffer_text(e->out, word);
	buffer_char(e->out, ' ');
	buffer_text(e->out, e->family);
	if (e->format == EXPOSITION_TEXT)
		buffer_text(e->out, suffix_of(e));
	buffer_char(e->out, ' ');
}

void exposition_family(struct exposition *e, enum metric_type type, const char *family, const char *help)
{
	e->family = family;
	e->type = type;
	put_comment(e, "HELP");
	buffer_text(e->out, help);
	buffer_char(e->out, '\n');
	put_comment(e, "TYPE");
	buffer_text(e->out, type_name(e));
	buffer_char(e->out, '\n');
}

static void put_escaped(struct buffer *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\' || text[i] == '"')
			buffer_char(out, '\\');
		buffer_char(out, text[i]);
	}
}

static void put_label(struct buffer *out, const struct metric_label *label)
{
	struct buffer text = {0};

	buffer_printable(&text, label->value);
	buffer_text(out, label->name);
	buffer_text(out, "=\"");
	put_escaped(out, text.data, text.len);
	buffer_char(out, '"');
	buffer_free(&text);
}

/* "NAME{LABELS} " */
static void put_name(struct exposition *e, const char *suffix, const struct metric_label *labels, unsigned count)
{
	buffer_text(e->out, e->family);
	buffer_text(e->out, suffix);
	for (unsigned i = 0; i < count; i++) {
		buffer_char(e->out, i ? ',' : '{');
		put_label(e->out, &labels[i]);
	}
	buffer_text(e->out, count ? "} " : " ");
}

void exposition_part(struct exposition *e, const char *suffix, const struct metric_label *labels, unsigned count,
		     uint64_t value)
{
	put_name(e, suffix, labels, count);
	buffer_unsigned(e->out, value);
	buffer_char(e->out, '\n');
}

void exposition_part_seconds(struct exposition *e, const char *suffix, const struct metric_label *labels,
			     unsigned count, metric_ns ns)
{
	put_name(e, suffix, labels, count);
	buffer_unsigned(e->out, (uint64_t)(ns / SECOND_NS));
	buffer_char(e->out, '.');
	buffer_digits(e->out, (uint64_t)(ns % SECOND_NS), 9);
	buffer_char(e->out, '\n');
}

void exposition_number(struct exposition *e, const struct metric_label *labels, unsigned count, uint64_t value)
{
	exposition_part(e, suffix_of(e), labels, count, value);
}

void exposition_seconds(struct exposition *e, const struct metric_label *labels, unsigned count, metric_ns ns)
{
	exposition_part_seconds(e, suffix_of(e), labels, count, ns);
}

void exposition_end(struct exposition *e)
{
	if (e->format == EXPOSITION_OPENMETRICS)
		buffer_text(e->out, "# EOF\n");
}
