// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcpfin.joined: one JSON object a connection. tcpfin-trace-record(5) describes its members.
 */
#include "user/format/format_parts.h"
#include "user/join/format_joined.h"
#include "user/record/community_id.h"

static void word(struct buffer *out, const char *name, const char *value)
{
	if (value)
		buffer_printf(out, "\"%s\":\"%s\"", name, value);
	else
		buffer_printf(out, "\"%s\":null", name);
}

static void truth(struct buffer *out, const char *name, bool value)
{
	buffer_printf(out, "\"%s\":%s", name, value ? "true" : "false");
}

/* Text from outside, behind a comma; nothing for NULL. */
static void text(struct buffer *out, const char *name, const char *value)
{
	if (!value)
		return;
	buffer_printf(out, ",\"%s\":", name);
	buffer_json_string(out, value);
}

static void number(struct buffer *out, const char *name, bool known, int64_t value)
{
	buffer_printf(out, "\"%s\":", name);
	if (known)
		buffer_signed(out, value);
	else
		buffer_text(out, "null");
}

static void time_of_day(struct buffer *out, const char *name, uint64_t time)
{
	buffer_printf(out, "\"%s\":\"", name);
	format_time(out, time);
	buffer_char(out, '"');
}

static void event(struct buffer *out, const struct joined *j)
{
	const struct record *r = &j->way->views[0].view->record;

	buffer_char(out, '{');
	time_of_day(out, "@timestamp", r->finish);
	buffer_text(out, ",\"event\":{\"dataset\":\"" JOINED_DATASET "\",\"kind\":\"" RECORD_KIND
			 "\",\"category\":[\"" RECORD_CATEGORY "\"],\"type\":[\"" RECORD_TYPE "\",\"");
	buffer_text(out, j->final && j->outcome != OUTCOME_OPEN ? "end" : "info");
	buffer_printf(out, "\"],\"id\":\"%s\",", r->id);
	time_of_day(out, "start", r->start);
	buffer_char(out, ',');
	time_of_day(out, "end", r->finish);
	buffer_printf(out, ",\"duration\":%llu}",
		      (unsigned long long)(r->finish > r->start ? r->finish - r->start : 0));
	buffer_text(out, ",\"ecs\":{\"version\":\"" RECORD_ECS "\"},\"agent\":{\"type\":\"" RECORD_AGENT
			 "\",\"version\":\"" TCPFIN_VERSION "\"}");
}

static void network(struct buffer *out, const struct record *r)
{
	char id[COMMUNITY_ID_SIZE];

	community_id(id, r->family, r->end);
	buffer_printf(out, ",\"network\":{\"transport\":\"tcp\",\"type\":\"ipv%d\",\"community_id\":\"%s\"}", r->family,
		      id);
}

static void endpoint(struct buffer *out, int family, const struct record_end *end)
{
	buffer_text(out, "\"ip\":\"");
	format_address(out, family, end->ip);
	buffer_printf(out, "\",\"port\":%u", end->port);
}

/* An end as the view nearest to the source saw it, and what a translator in between made of it. */
static void end(struct buffer *out, const struct joined *j, enum role role)
{
	const struct view *near = j->way->views[0].view;
	const struct view *far = j->way->views[j->way->placed ? j->way->placed - 1 : 0].view;

	buffer_printf(out, ",\"%s\":{", role_name(role));
	endpoint(out, near->record.family, view_end(near, role));
	if (!record_end_equal(view_end(near, role), view_end(far, role))) {
		buffer_text(out, ",\"nat\":{");
		endpoint(out, far->record.family, view_end(far, role));
		buffer_char(out, '}');
	}
	buffer_char(out, '}');
}

static void isn(struct buffer *out, const struct joined *j)
{
	int64_t numbers[2] = {NUMBER_UNSEEN, NUMBER_UNSEEN};

	for (unsigned v = 0; v < j->way->count; v++)
		for (enum role role = SOURCE; role <= DESTINATION; role++)
			if (numbers[role] < 0)
				numbers[role] = view_isn(j->way->views[v].view, role);
	buffer_text(out, "\"isn\":{");
	number(out, "source", numbers[SOURCE] >= 0, numbers[SOURCE]);
	buffer_char(out, ',');
	number(out, "destination", numbers[DESTINATION] >= 0, numbers[DESTINATION]);
	buffer_char(out, '}');
}

static void one_way(struct buffer *out, const struct joined *j)
{
	buffer_text(out, ",\"one_way\":{");
	for (unsigned e = 0; e < EXCHANGES; e++) {
		const struct shares *s = &j->shares[e];

		buffer_printf(out, "%s\"%s\":", e ? "," : "", exchange_name(e));
		if (!s->known) {
			buffer_text(out, "null");
			continue;
		}
		buffer_printf(out, "{\"out\":%lld,\"there\":%lld,\"back\":%lld,\"error\":%lld}", (long long)s->out,
			      (long long)s->there, (long long)s->back, (long long)s->error);
	}
	buffer_char(out, '}');
}

static void path_entry(struct buffer *out, const struct joined *j, const struct path_entry *e)
{
	const struct record_segment *s = e->of.segment;
	char flags[10];

	buffer_printf(out, "{\"what\":\"%s\",\"between\":[%u,%u],\"view\":%u,", deed_name(e->deed), e->near, e->far,
		      e->view);
	number(out, "t", e->timed, (int64_t)(e->of.time - j->way->views[e->view].view->record.start));
	buffer_printf(out, ",\"from\":\"%s\",\"flags\":\"%s\",\"raw_seq\":%u,\"raw_ack\":%u,\"len\":%u",
		      role_name(e->of.key.from), flags_text(s->flags, flags), s->raw_seq, s->raw_ack, s->len);
	if (e->deed == DEED_DELAYED || e->deed == DEED_REORDERED)
		buffer_printf(out, ",\"delay\":%lld", (long long)e->delay);
	if (e->count > 1)
		buffer_printf(out, ",\"count\":%u", e->count);
	buffer_char(out, '}');
}

static void path(struct buffer *out, const struct joined *j)
{
	if (!j->path) {
		buffer_text(out, ",\"path\":null");
		return;
	}
	buffer_text(out, ",\"path\":[");
	for (unsigned i = 0; i < j->path->count; i++) {
		buffer_text(out, i ? "," : "");
		path_entry(out, j, &j->path->entries[i]);
	}
	buffer_char(out, ']');
}

static void verdict_of(struct buffer *out, const struct view *view)
{
	const struct record *r = &view->record;

	truth(out, "final", r->final);
	buffer_char(out, ',');
	word(out, "outcome", outcome_name(r->outcome));
	buffer_char(out, ',');
	word(out, "closer", role_or_unknown(view_role(view, r->closer)));
	buffer_text(out, ",\"reset\":{");
	word(out, "by", role_name(view_role(view, r->reset.by)));
	text(out, "reason", r->reset.reason);
	buffer_text(out, "},\"timing\":{");
	for (int t = 0; t < TIMINGS; t++) {
		buffer_text(out, t ? "," : "");
		number(out, timing_name(t), r->timing[t] >= 0, r->timing[t]);
	}
	buffer_char(out, '}');
}

/* Which process closed an end, as the view names it. */
static void process(struct buffer *out, const struct view *view, enum role role)
{
	const struct record_process *p = socket_process(&view->record.socket[view_role(view, role)]);

	if (!p)
		return;
	buffer_printf(out, ",\"process\":{\"pid\":%u", p->pid);
	text(out, "name", p->name);
	buffer_char(out, '}');
}

static void view_end_of(struct buffer *out, const struct view *view, enum role role)
{
	buffer_printf(out, ",\"%s\":{", role_name(role));
	endpoint(out, view->record.family, view_end(view, role));
	process(out, view, role);
	buffer_char(out, '}');
}

static void one_view(struct buffer *out, const struct joined *j, unsigned n, const struct views *views)
{
	const struct joined_view *v = &j->way->views[n];
	const struct vantage *at = views->vantages[v->view->vantage];
	const struct clock_offset *offset = &j->offset[n];

	buffer_printf(out, "%s{\"id\":\"%s\",\"where\":\"%s\"", n ? "," : "", v->view->record.id, place_name(v->place));
	text(out, "file", at->host ? NULL : at->file);
	text(out, "host", at->host);
	text(out, "interface", at->interface);
	buffer_char(out, ',');
	time_of_day(out, "start", v->view->record.start);
	buffer_text(out, ",\"clock\":{");
	number(out, "ahead", offset->known, offset->ahead);
	buffer_char(out, ',');
	number(out, "error", offset->known, offset->error);
	buffer_char(out, '}');
	view_end_of(out, v->view, SOURCE);
	view_end_of(out, v->view, DESTINATION);
	buffer_char(out, ',');
	truth(out, "made", v->view->made);
	buffer_char(out, ',');
	verdict_of(out, v->view);
	buffer_char(out, '}');
}

void format_joined_json(struct buffer *out, const struct joined *j, const struct views *views)
{
	event(out, j);
	network(out, &j->way->views[0].view->record);
	end(out, j, SOURCE);
	end(out, j, DESTINATION);
	buffer_text(out, ",\"tcp\":{");
	truth(out, "final", j->final);
	buffer_char(out, ',');
	word(out, "outcome", outcome_name(j->outcome));
	buffer_char(out, ',');
	word(out, "closer", role_or_unknown(j->closer));
	buffer_char(out, ',');
	isn(out, j);
	one_way(out, j);
	path(out, j);
	buffer_text(out, ",\"views\":[");
	for (unsigned n = 0; n < j->way->count + j->way->made; n++)
		one_view(out, j, n, views);
	buffer_printf(out, "],\"views_left_out\":%u}}\n", j->way->left_out);
}
