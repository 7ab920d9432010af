// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What stands on a connection's line, and below it.
 */
#include "user/report/case_html.h"

#include "user/format/duration.h"
#include "user/format/format.h"
#include "user/format/format_parts.h"
#include "user/report/ladder_svg.h"

void html_outcome(struct buffer *out, enum outcome outcome)
{
	format_words(out, outcome_name(outcome), ' ');
}

void html_time(struct buffer *out, uint64_t ns, bool exact)
{
	format_date(out, ns);
	buffer_char(out, ' ');
	if (exact)
		format_time_of_day(out, ns);
	else
		format_clock(out, format_local_time(ns));
}

static void put_tag(struct buffer *out, const struct record *r)
{
	buffer_printf(out, "<span class=\"tag o-%s\">", outcome_name(r->outcome));
	html_outcome(out, r->outcome);
	if (r->closer == NETWORK)
		buffer_text(out, " by the network");
	else if (r->reset.by == SOURCE || r->reset.by == DESTINATION)
		buffer_printf(out, " by the %s", role_name(r->reset.by));
	if (!r->final)
		buffer_text(out, ", so far");
	buffer_text(out, "</span>");
}

static void put_process(struct buffer *out, const struct record *r, enum role role)
{
	const struct record_process *p = socket_process(&r->socket[role]);

	if (!p)
		return;
	buffer_text(out, " <span class=\"name\">");
	buffer_html(out, p->name);
	format_deed(out, &r->socket[role]);
	buffer_text(out, "</span>");
}

static void put_ends(struct buffer *out, const struct record *r)
{
	buffer_text(out, "<span class=\"ends\">");
	format_endpoint(out, r->family, r->end[SOURCE].ip, r->end[SOURCE].port);
	put_process(out, r, SOURCE);
	buffer_text(out, " <span class=\"to\">→</span> ");
	format_endpoint(out, r->family, r->end[DESTINATION].ip, r->end[DESTINATION].port);
	put_process(out, r, DESTINATION);
	buffer_text(out, "</span>");
}

static void put_sentence(struct buffer *out, const struct record *r)
{
	struct buffer text = {0};

	format_explanation(&text, r);
	buffer_text(out, "<p class=\"sentence\">");
	buffer_html_bytes(out, text.data, text.len);
	buffer_text(out, "</p>\n");
	buffer_free(&text);
}

static void put_duration(struct buffer *out, const char *name, int64_t ns)
{
	if (ns < 0)
		return;
	buffer_printf(out, "<div><dt>%s</dt><dd>", name);
	buffer_duration(out, ns);
	buffer_text(out, "</dd></div>");
}

/* Names from outside: where it was seen, and the kernel's reason. */
static void put_names(struct buffer *out, const struct record *r)
{
	for (unsigned i = 0; i < RECORD_INTERFACES && r->interfaces[i]; i++) {
		buffer_text(out, i ? ", " : "<div><dt>seen at</dt><dd>");
		buffer_html(out, r->interfaces[i]);
	}
	if (r->interfaces[0])
		buffer_text(out, "</dd></div>");
	if (!r->reset.reason)
		return;
	buffer_text(out, "<div><dt>kernel's reason</dt><dd>");
	buffer_html(out, r->reset.reason);
	buffer_text(out, "</dd></div>");
}

static void put_facts(struct buffer *out, const struct record *r)
{
	buffer_text(out, "<dl class=\"facts\">");
	put_duration(out, "handshake", r->timing[T_INITIAL_RTT]);
	put_duration(out, "FIN to its ACK", r->timing[T_FIN_TO_ACK]);
	put_duration(out, "half-closed", r->timing[T_HALF_CLOSED]);
	put_duration(out, "second FIN to its ACK", r->timing[T_PEER_FIN_TO_ACK]);
	put_duration(out, "whole close", r->timing[T_CLOSE]);
	put_duration(out, "silence before it", r->silence);
	put_duration(out, "lifetime", r->timing[T_LIFETIME]);
	put_names(out, r);
	buffer_text(out, "</dl>\n");
}

void case_html(struct buffer *out, const struct record *r)
{
	buffer_text(out, "<details class=\"case\"><summary>");
	put_tag(out, r);
	put_ends(out, r);
	buffer_text(out, "<span class=\"when\">");
	html_time(out, r->finish, true);
	buffer_text(out, "</span></summary>\n<div class=\"inside\">\n");
	put_sentence(out, r);
	ladder_svg(out, r);
	put_facts(out, r);
	buffer_text(out, "</div></details>\n");
}
