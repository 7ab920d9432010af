// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A record is laid out by one internal template that has all elements; the template that is sent has those that the
 * record has, and libfixbuf copies only these. So there is a template for each set of elements that was seen.
 */
#include "user/ipfix/messages.h"

#include <stdlib.h>
#include <string.h>

#include <fixbuf/public.h>

#include "user/base/log.h"

#define TYPES_TEMPLATE FB_TID_MIN_DATA       /* describes elements, as RFC 5610 has it */
#define FIRST_TEMPLATE (FB_TID_MIN_DATA + 1) /* of records */
#define INTERNAL_TEMPLATE FIRST_TEMPLATE
#define COMMON_TEMPLATES 8 /* of those, kept for what all records have in common */
#define IN_USE 10          /* repetitions for which a template is repeated after its last use */

_Static_assert(sizeof(struct ipfix_text) == sizeof(fbVarfield_t) &&
		       offsetof(struct ipfix_text, bytes) == offsetof(fbVarfield_t, buf),
	       "texts are libfixbuf's");

struct known_template {
	struct ipfix_presence presence;
	unsigned used; /* repetitions that are left to it; 0: the collector is to be told again before it is used */
};

struct ipfix_messages {
	uint32_t enterprise, domain;
	uint16_t largest;
	ipfix_send *send;
	void *context;
	const struct ipfix_element *elements;
	unsigned element_count;
	fbInfoModel_t *model;
	fBuf_t *out; /* owns session and exporter; NULL before the first session */
	struct known_template templates[IPFIX_TEMPLATES];
	unsigned template_count;
	unsigned records; /* in the message that is not sent */
	bool begun;       /* there is something in it */
	uint8_t bytes[UINT16_MAX];
};

/* Says what libfixbuf refused, once for each run: what follows is the same. Returns false. */
static bool refused(GError **error)
{
	static bool said;

	if (!said)
		log_error("--ipfix: libfixbuf: %s", *error ? (*error)->message : "out of memory");
	said = true;
	g_clear_error(error);
	return false;
}

/* ---- the model ---- */

static uint8_t type_of(const struct ipfix_element *e)
{
	return e->is_text ? FB_STRING : e->size == 1 ? FB_BOOL : FB_UINT_64;
}

static uint32_t meaning_of(const struct ipfix_element *e)
{
	switch (e->field->type) {
	case FIELD_DURATION:
		return FB_IE_QUANTITY | FB_UNITS_NANOSECONDS;
	case FIELD_BYTES:
		return FB_IE_QUANTITY | FB_UNITS_OCTETS;
	case FIELD_COUNT:
		return FB_IE_TOTALCOUNTER;
	case FIELD_NUMBER:
		return FB_IE_IDENTIFIER;
	default:
		return FB_IE_DEFAULT;
	}
}

/* The enterprise's own elements, so that templates may name them and libfixbuf can describe them. */
static void add_own_elements(struct ipfix_messages *m)
{
	for (unsigned i = 0; i < m->element_count; i++) {
		const struct ipfix_element *e = &m->elements[i];
		fbInfoElement_t own = FB_IE_INIT_FULL(e->name, m->enterprise, (uint16_t)e->number,
						      e->is_text ? FB_IE_VARLEN : e->size,
						      (e->is_text ? 0 : FB_IE_F_ENDIAN), 0, 0, type_of(e),
						      e->field ? (char *)e->field->meaning : NULL);

		if (!e->number)
			continue;
		own.flags |= meaning_of(e);
		fbInfoModelAddElement(m->model, &own);
	}
}

/* ---- sending ---- */

void ipfix_messages_flush(struct ipfix_messages *m)
{
	unsigned records = m->records;
	GError *error = NULL;

	if (!m->begun)
		return;
	m->begun = false;
	m->records = 0;
	if (fBufEmit(m->out, &error))
		m->send(m->context, m->bytes, fbExporterGetMsgLen(fBufGetExporter(m->out)), records);
	else
		refused(&error);
}

unsigned ipfix_messages_waiting(const struct ipfix_messages *m)
{
	return m->records;
}

/*
 * Did it fail because the message is full, or because libfixbuf puts templates and records into different ones? The
 * message is sent then, and there is room to try again. *tries: how often it was tried already.
 */
static bool made_room(struct ipfix_messages *m, unsigned *tries, GError **error)
{
	if (++*tries > 2 || !g_error_matches(*error, FB_ERROR_DOMAIN, FB_ERROR_EOM))
		return refused(error);
	g_clear_error(error);
	ipfix_messages_flush(m);
	return true;
}

/* ---- templates ---- */

static bool append(const struct ipfix_messages *m, fbTemplate_t *t, unsigned element, bool internal, GError **error)
{
	const struct ipfix_element *e = &m->elements[element];
	fbInfoElementSpec_t spec = {(char *)e->name, e->is_text ? (internal ? 0 : FB_IE_VARLEN) : e->size, 0};

	return fbTemplateAppendSpec(t, &spec, 0, error);
}

/* In memory, from the largest to the smallest, as elements.c places them. */
static bool append_internal(const struct ipfix_messages *m, fbTemplate_t *t, GError **error)
{
	for (unsigned size = 16; size; size /= 2)
		for (unsigned i = 0; i < m->element_count; i++)
			if (m->elements[i].size == size && !append(m, t, i, true, error))
				return false;
	return true;
}

static bool append_external(const struct ipfix_messages *m, fbTemplate_t *t, const struct ipfix_presence *p,
			    GError **error)
{
	for (unsigned i = 0; i < m->element_count; i++)
		if (ipfix_has(p, i) && !append(m, t, i, false, error))
			return false;
	return true;
}

static bool send_template(struct ipfix_messages *m, uint16_t id)
{
	unsigned tries = 0;
	GError *error = NULL;

	while (!fbSessionExportTemplate(fBufGetSession(m->out), id, &error))
		if (!made_room(m, &tries, &error))
			return false;
	m->begun = true;
	return true;
}

/* The session takes the template over, and sends it. */
static bool add_external(struct ipfix_messages *m, uint16_t id, fbTemplate_t *t)
{
	fbSession_t *session = fBufGetSession(m->out);
	unsigned tries = 0;
	GError *error = NULL;

	while (!fbSessionAddTemplate(session, FALSE, id, t, &error)) {
		if (!made_room(m, &tries, &error))
			return false;
		if (fbSessionGetTemplate(session, FALSE, id, NULL)) /* added, and not sent */
			return send_template(m, id);
	}
	m->begun = true;
	return true;
}

static bool add_record_template(struct ipfix_messages *m, uint16_t id, const struct ipfix_presence *p)
{
	fbTemplate_t *t = fbTemplateAlloc(m->model);
	GError *error = NULL;

	if (append_external(m, t, p, &error))
		return add_external(m, id, t);
	fbTemplateFreeUnused(t);
	return refused(&error);
}

static bool add_internal_template(struct ipfix_messages *m)
{
	fbTemplate_t *t = fbTemplateAlloc(m->model);
	GError *error = NULL;

	if (append_internal(m, t, &error))
		return fbSessionAddTemplate(fBufGetSession(m->out), TRUE, INTERNAL_TEMPLATE, t, &error) ||
		       refused(&error);
	fbTemplateFreeUnused(t);
	return refused(&error);
}

/* The number of the template that has exactly these elements; -1 where there is none. */
static int find_template(const struct ipfix_messages *m, const struct ipfix_presence *p)
{
	for (unsigned i = 0; i < m->template_count; i++)
		if (!memcmp(&m->templates[i].presence, p, sizeof(*p)))
			return (int)i;
	return -1;
}

static int new_template(struct ipfix_messages *m, const struct ipfix_presence *p)
{
	if (m->template_count == IPFIX_TEMPLATES)
		return -1;
	if (!add_record_template(m, (uint16_t)(FIRST_TEMPLATE + m->template_count), p))
		return -1;
	m->templates[m->template_count] = (struct known_template){.presence = *p, .used = IN_USE};
	return (int)m->template_count++;
}

/* The template for a record, which the collector knows then; -1 where there can be none. */
static int use_template(struct ipfix_messages *m, const struct ipfix_presence *p)
{
	struct ipfix_presence common;
	int i = find_template(m, p);

	if (i < 0 && m->template_count < IPFIX_TEMPLATES - COMMON_TEMPLATES)
		return new_template(m, p);
	if (i < 0) {
		common = ipfix_common(p);
		i = find_template(m, &common);
		if (i < 0)
			return new_template(m, &common);
	}
	if (!m->templates[i].used && !send_template(m, (uint16_t)(FIRST_TEMPLATE + i)))
		return -1;
	m->templates[i].used = IN_USE;
	return i;
}

/* ---- what elements mean ---- */

static bool describe(struct ipfix_messages *m, const fbInfoElement_t *element)
{
	unsigned tries = 0;
	GError *error = NULL;

	while (!fbInfoElementWriteOptionsRecord(m->out, element, TYPES_TEMPLATE, TYPES_TEMPLATE, &error))
		if (!made_room(m, &tries, &error))
			return false;
	m->begun = true;
	return true;
}

static bool describe_all(struct ipfix_messages *m)
{
	for (unsigned i = 0; i < m->element_count; i++)
		if (m->elements[i].number && !describe(m, fbInfoModelGetElementByName(m->model, m->elements[i].name)))
			return false;
	ipfix_messages_flush(m);
	return true;
}

static bool add_types_template(struct ipfix_messages *m)
{
	GError *error = NULL;
	fbTemplate_t *t = fbInfoElementAllocTypeTemplate(m->model, &error);

	if (!t || !fbSessionAddTemplate(fBufGetSession(m->out), TRUE, TYPES_TEMPLATE, t, &error))
		return refused(&error);
	return add_external(m, TYPES_TEMPLATE, t);
}

/* ---- sessions ---- */

static void end_session(struct ipfix_messages *m)
{
	if (m->out)
		fBufFree(m->out);
	m->out = NULL;
	m->template_count = 0;
	m->records = 0;
	m->begun = false;
}

bool ipfix_messages_begin(struct ipfix_messages *m)
{
	fbSession_t *session;

	end_session(m);
	session = fbSessionAlloc(m->model);
	fbSessionSetDomain(session, m->domain);
	m->out = fBufAllocForExport(session, fbExporterAllocBuffer(m->bytes, m->largest));
	fBufSetAutomaticMode(m->out, FALSE);
	return add_internal_template(m) && add_types_template(m) && describe_all(m);
}

void ipfix_messages_repeat(struct ipfix_messages *m)
{
	if (!send_template(m, TYPES_TEMPLATE) || !describe_all(m))
		return;
	for (unsigned i = 0; i < m->template_count; i++)
		if (m->templates[i].used && --m->templates[i].used && !send_template(m, (uint16_t)(FIRST_TEMPLATE + i)))
			return;
	ipfix_messages_flush(m);
}

bool ipfix_messages_add(struct ipfix_messages *m, struct ipfix_values *v)
{
	int i = use_template(m, &v->known);
	unsigned tries = 0;
	GError *error = NULL;

	if (i < 0 || !fBufSetInternalTemplate(m->out, INTERNAL_TEMPLATE, &error) ||
	    !fBufSetExportTemplate(m->out, (uint16_t)(FIRST_TEMPLATE + i), &error))
		return error ? refused(&error) : false;
	while (!fBufAppend(m->out, v->bytes, v->size, &error))
		if (!made_room(m, &tries, &error))
			return false;
	m->begun = true;
	m->records++;
	return true;
}

/* ---- beginning and end ---- */

struct ipfix_messages *ipfix_messages_new(uint32_t enterprise, uint32_t domain, uint16_t largest, ipfix_send *send,
					  void *context)
{
	struct ipfix_messages *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->enterprise = enterprise;
	m->domain = domain;
	m->largest = largest;
	m->send = send;
	m->context = context;
	m->elements = ipfix_elements(&m->element_count);
	m->model = fbInfoModelAlloc();
	add_own_elements(m);
	return m;
}

void ipfix_messages_free(struct ipfix_messages *m)
{
	if (!m)
		return;
	end_session(m);
	fbInfoModelFree(m->model);
	free(m);
}
