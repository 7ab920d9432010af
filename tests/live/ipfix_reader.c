// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An IPFIX collector on libfixbuf: what it has read, one JSON object a line.
 *
 *   ipfix_reader tcp|udp ADDRESS PORT
 *
 * {"listening":true} once it does; of each record its template, and its elements by their names, which for an
 * enterprise's own it knows from the exporter alone (RFC 5610); {"closed":true} where a connection has ended, then each
 * of these elements as it was described. It reads until it is killed.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fixbuf/public.h>

static _Noreturn void fail(const char *what, GError *error)
{
	fprintf(stderr, "ipfix_reader: %s: %s\n", what, error ? error->message : "unknown error");
	exit(1);
}

static void print_string(const uint8_t *bytes, size_t len)
{
	putchar('"');
	for (size_t i = 0; i < len; i++)
		if (bytes[i] < ' ' || bytes[i] == '"' || bytes[i] == '\\')
			printf("\\u%04x", bytes[i]);
		else
			putchar(bytes[i]);
	putchar('"');
}

static uint64_t number(const uint8_t *bytes, size_t len)
{
	uint64_t value = 0;

	memcpy(&value, bytes, len); /* libfixbuf gives host byte order, here little endian */
	return value;
}

static void print_address(int family, const void *address)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(family, address, text, sizeof(text));
	printf("\"%s\"", text);
}

/* Prints the value of one element that lies at p, and returns how many bytes it has there. */
static size_t print_value(const fbInfoElement_t *e, const fbInfoElement_t *known, const uint8_t *p)
{
	fbVarfield_t text;
	uint32_t ip;

	if (e->len == FB_IE_VARLEN) {
		memcpy(&text, p, sizeof(text));
		print_string(text.buf, text.len);
		return sizeof(text);
	}
	ip = htonl((uint32_t)number(p, e->len < 4 ? e->len : 4));
	if (known->type == FB_IP4_ADDR)
		print_address(AF_INET, &ip);
	else if (known->type == FB_IP6_ADDR)
		print_address(AF_INET6, p);
	else if (known->type == FB_BOOL)
		printf("%s", *p == 1 ? "true" : *p == 2 ? "false" : "\"neither true nor false\"");
	else if (e->len <= 8)
		printf("%" PRIu64, number(p, e->len));
	else
		print_string((const uint8_t *)"octets", 6);
	return e->len;
}

/* The element as the model has it: with its type, and the name that the exporter gave it. */
static const fbInfoElement_t *known_as(fbTemplate_t *t, const fbInfoElement_t *e)
{
	const fbInfoElement_t *known = fbInfoModelGetElementByID(fbTemplateGetInfoModel(t), e->num, e->ent);

	return known ? known : e;
}

static const char *name_of(const fbInfoElement_t *known)
{
	return known->ref.name ? known->ref.name : "unknown";
}

static void print_record(fbTemplate_t *t, unsigned id, const uint8_t *p)
{
	printf("{\"template\":%u", id);
	for (uint32_t i = 0; i < fbTemplateCountElements(t); i++) {
		const fbInfoElement_t *e = fbTemplateGetIndexedIE(t, i), *known = known_as(t, e);

		printf(",\"%s\":", name_of(known));
		p += print_value(e, known, p);
	}
	puts("}");
}

/* Adds an internal template that is as the external one; there is one a template number. */
static void mirror(fBuf_t *in, uint16_t id, fbTemplate_t *external)
{
	fbSession_t *session = fBufGetSession(in);
	fbTemplate_t *internal = fbTemplateAlloc(fbTemplateGetInfoModel(external));
	GError *error = NULL;

	for (uint32_t i = 0; i < fbTemplateCountElements(external); i++)
		if (!fbTemplateAppend(internal, fbTemplateGetIndexedIE(external, i), &error))
			fail("template", error);
	if (!fbSessionAddTemplate(session, TRUE, id, internal, &error) || !fBufSetInternalTemplate(in, id, &error))
		fail("template", error);
}

/* Reads one record. False where there is none more. */
static gboolean read_record(fBuf_t *in, GError **error)
{
	static uint8_t bytes[65536];
	size_t len = sizeof(bytes);
	uint16_t id;
	fbTemplate_t *t = fBufNextCollectionTemplate(in, &id, error);

	if (!t)
		return FALSE;
	mirror(in, id, t);
	if (!fBufNext(in, bytes, &len, error))
		return FALSE;
	print_record(fBufGetCollectionTemplate(in, NULL), id, bytes);
	fflush(stdout);
	return TRUE;
}

/* What was learned of the enterprise's own elements. */
static void print_elements(fbInfoModel_t *model)
{
	const fbInfoElement_t *e;
	fbInfoModelIter_t all;

	fbInfoModelIterInit(&all, model);
	while ((e = fbInfoModelIterNext(&all)) != NULL) {
		if (strncmp(name_of(e), "tcpfin", 6) != 0)
			continue;
		printf("{\"element\":\"%s\",\"enterprise\":%u,\"number\":%u,\"type\":%u,\"semantics\":%u,\"units\":%u,"
		       "\"description\":",
		       name_of(e), e->ent, e->num, e->type, FB_IE_SEMANTIC(e->flags), FB_IE_UNITS(e->flags));
		print_string((const uint8_t *)e->description, e->description ? strlen(e->description) : 0);
		puts("}");
	}
}

/* Reads on where a datagram had what it does not understand, as it may with UDP, and until the end of a connection. */
static void read_all(fBuf_t *in, gboolean datagrams)
{
	GError *error = NULL;

	do {
		g_clear_error(&error);
		while (read_record(in, &error))
			;
		if (!g_error_matches(error, FB_ERROR_DOMAIN, FB_ERROR_EOF))
			fprintf(stderr, "ipfix_reader: %s\n", error->message);
	} while (datagrams);
	g_clear_error(&error);
}

int main(int argc, char **argv)
{
	fbInfoModel_t *model = fbInfoModelAlloc();
	fbConnSpec_t where = {0};
	fbListener_t *listener;
	GError *error = NULL;
	fBuf_t *in;

	if (argc != 4)
		fail("usage: ipfix_reader tcp|udp ADDRESS PORT", NULL);
	where.transport = strcmp(argv[1], "tcp") ? FB_UDP : FB_TCP;
	where.host = argv[2];
	where.svc = argv[3];
	listener = fbListenerAlloc(&where, fbSessionAlloc(model), NULL, NULL, &error);
	if (!listener)
		fail("listen", error);
	puts("{\"listening\":true}");
	fflush(stdout);
	while ((in = fbListenerWait(listener, &error)) != NULL) {
		if (!fBufSetAutomaticInsert(in, &error))
			fail("RFC 5610", error);
		read_all(in, where.transport == FB_UDP);
		puts("{\"closed\":true}");
		print_elements(model);
		puts("{\"described\":true}");
		fflush(stdout);
		fBufFree(in);
	}
	fail("wait", error);
}
