// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A record as a comment of few lines.
 */
#include "user/flight/packet_comment.h"

#include <inttypes.h>
#include <string.h>

#include "user/format/format.h"
#include "user/format/format_parts.h"

static void put_ends(struct buffer *out, const struct record *r)
{
	format_endpoint(out, r->family, r->end[SOURCE].ip, r->end[SOURCE].port);
	buffer_text(out, " > ");
	format_endpoint(out, r->family, r->end[DESTINATION].ip, r->end[DESTINATION].port);
}

static void put_process(struct buffer *out, const struct record *r, enum role role)
{
	const struct record_process *process = socket_process(&r->socket[role]);

	if (!process)
		return;
	buffer_printf(out, "\n%s: ", role_name(role));
	buffer_printable(out, process->name);
	format_deed(out, &r->socket[role]);
}

void packet_comment_put(struct buffer *out, const struct record *r)
{
	put_ends(out, r);
	buffer_printf(out, ": %s, closer %s", outcome_name(r->outcome), role_or_unknown(r->closer));
	put_process(out, r, SOURCE);
	put_process(out, r, DESTINATION);
	buffer_char(out, '\n');
	format_explanation(out, r);
}

static const struct record_segment *last_listed(const struct record *r)
{
	const struct record_segment *last = NULL;

	for (const struct record_segment *s = r->segments; s < r->segments + r->segment_count; s++)
		if (!(s->mark & SEGMENT_FOLDED) && (!last || s->t >= last->t))
			last = s;
	return last;
}

const struct record_segment *packet_comment_place(const struct record *r)
{
	enum evidence_step step = r->outcome == OUTCOME_GRACEFUL ? EVIDENCE_PEER_FIN_ACK : EVIDENCE_RESET;
	int place = r->evidence[step];

	return place >= 0 && !(r->segments[place].mark & SEGMENT_FOLDED) ? &r->segments[place] : last_listed(r);
}

/* ---- of a section ---- */

#define SECTION_COMMENTS 59000 /* bytes of them; see PCAPNG_LONGEST_COMMENT */

void comment_list_add(struct comment_list *list, const char *comment)
{
	list->count++;
	if (comment && list->text.len + strlen(comment) < SECTION_COMMENTS)
		buffer_printf(&list->text, "\n\n%s", comment);
	else
		list->left_out++;
}

void comment_list_clear(struct comment_list *list)
{
	buffer_free(&list->text);
	*list = (struct comment_list){0};
}

static void put_count(struct buffer *b, uint64_t count)
{
	buffer_printf(b, "%" PRIu64 " connection%s", count, count == 1 ? "" : "s");
}

void comment_list_put(struct buffer *out, const struct comment_list *list, const char *what)
{
	put_count(out, list->count);
	buffer_text(out, what);
	buffer_bytes(out, list->text.data, list->text.len);
	if (list->left_out) {
		buffer_text(out, "\n\nand ");
		put_count(out, list->left_out);
		buffer_text(out, " more");
	}
	buffer_char(out, '\0');
}
