// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two tables make the elements: the one below of the standard's, and the record's fields, of which those are left out
 * that the standard has elements for and those that are the same in all records.
 */
#include "user/ipfix/elements.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/base/utf8.h"

#define NTP_1970 2208988800ULL /* seconds from 1900, where NTP's time begins (RFC 5905) */

/* ---- values of the standard's elements ---- */

/* dateTimeNanoseconds: seconds from 1900 and 2^32ths of a second (RFC 7011 section 6.1.10). */
static uint64_t ntp_time(uint64_t ns)
{
	return (ns / SECOND_NS + NTP_1970) << 32 | ((ns % SECOND_NS) << 32) / SECOND_NS;
}

static uint32_t ipv4(const struct record *r, enum role role)
{
	uint32_t address;

	memcpy(&address, r->end[role].ip, sizeof(address));
	return ntohl(address);
}

/* Was the end seen? */
static bool has_ended(const struct record *r)
{
	return r->outcome == OUTCOME_GRACEFUL || r->outcome == OUTCOME_RESET || r->outcome == OUTCOME_REFUSED ||
	       r->outcome == OUTCOME_HANDSHAKE_RESET;
}

/* flowEndReason: 3 the end was seen, 4 the watch ended first, 1 it was silent for too long. */
static unsigned end_reason(const struct record *r, enum answer forced)
{
	return has_ended(r) ? 3 : forced == YES ? 4 : 1;
}

/* The SYN or SYN-ACK of a side, NULL where it is not listed. */
static const struct record_segment *opening_of(const struct record *r, enum role role)
{
	for (unsigned i = 0; i < r->segment_count; i++)
		if (r->segments[i].from == role && r->segments[i].flags & TCP_SYN)
			return &r->segments[i];
	return NULL;
}

/* All flags of the side's segments: of those that are listed, and with --all-segments of all. */
static unsigned all_flags(const struct record *r, enum role role)
{
	unsigned flags = 0;

	for (unsigned i = 0; i < r->segment_count; i++)
		flags |= r->segments[i].from == role ? r->segments[i].flags : 0;
	for (unsigned i = 0; r->counted && i < r->traffic[role].run_count; i++)
		flags |= r->traffic[role].run[i].flags;
	return flags;
}

/* Are the flags of every segment of the side known? */
static bool has_flag_counts(const struct record *r, enum role role)
{
	return r->counted && !r->traffic[role].runs_lost;
}

static uint64_t count_flag(const struct record *r, enum role role, uint8_t flag)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < r->traffic[role].run_count; i++)
		count += r->traffic[role].run[i].flags & flag ? r->traffic[role].run[i].count : 0;
	return count;
}

#define IS(version) (r->family == (version))
#define SEGMENT(role, member) (opening_of(r, role) ? opening_of(r, role)->member : 0)
#define HAS_ACK(role) (SEGMENT(role, flags) & TCP_ACK)
#define FLAG_COUNTS(NUMBER, flag, name)                                                                   \
	NUMBER("tcp" name "TotalCount", 8, has_flag_counts(r, SOURCE), count_flag(r, SOURCE, TCP_##flag)) \
	NUMBER("reverseTcp" name "TotalCount", 8, has_flag_counts(r, DESTINATION),                        \
	       count_flag(r, DESTINATION, TCP_##flag))

/*
 * NUMBER(name, bytes, is it known, value), ADDRESS(name, is it known, 16 bytes), TEXT(name, text or NULL): elements of
 * the standard, of the record r. By RFC 7012 section 4 header fields are those of the first packet.
 */
#define ALWAYS_ELEMENTS(NUMBER, ADDRESS)                                                                            \
	NUMBER("flowStartMilliseconds", 8, true, r->start / MS_NS)                                                  \
	NUMBER("flowEndMilliseconds", 8, true, r->finish / MS_NS)                                                   \
	NUMBER("flowStartNanoseconds", 8, true, ntp_time(r->start))                                                 \
	NUMBER("flowEndNanoseconds", 8, true, ntp_time(r->finish))                                                  \
	NUMBER("flowDurationMilliseconds", 4, record_duration(r) / MS_NS <= UINT32_MAX, record_duration(r) / MS_NS) \
	NUMBER("sourceIPv4Address", 4, IS(4), ipv4(r, SOURCE))                                                      \
	NUMBER("destinationIPv4Address", 4, IS(4), ipv4(r, DESTINATION))                                            \
	ADDRESS("sourceIPv6Address", IS(6), r->end[SOURCE].ip)                                                      \
	ADDRESS("destinationIPv6Address", IS(6), r->end[DESTINATION].ip)                                            \
	NUMBER("sourceTransportPort", 2, true, r->end[SOURCE].port)                                                 \
	NUMBER("destinationTransportPort", 2, true, r->end[DESTINATION].port)                                       \
	NUMBER("protocolIdentifier", 1, true, IPPROTO_TCP)                                                          \
	NUMBER("biflowDirection", 1, true, r->midstream ? 0 : 1) /* arbitrary, or the initiator's */                \
	NUMBER("tcpControlBits", 1, true, all_flags(r, SOURCE))                                                     \
	NUMBER("reverseTcpControlBits", 1, true, all_flags(r, DESTINATION))

#define OPTIONAL_ELEMENTS(NUMBER, TEXT)                                                                   \
	NUMBER("flowEndReason", 1, has_ended(r) || forced != UNTOLD, end_reason(r, forced))               \
	NUMBER("initiatorOctets", 8, r->end[SOURCE].bytes >= 0, r->end[SOURCE].bytes)                     \
	NUMBER("responderOctets", 8, r->end[DESTINATION].bytes >= 0, r->end[DESTINATION].bytes)           \
	NUMBER("dot1qVlanId", 2, r->vlan[0] >= 0, r->vlan[0])                                             \
	NUMBER("dot1qCustomerVlanId", 2, r->vlan[1] >= 0, r->vlan[1])                                     \
	TEXT("interfaceName", r->interfaces[0])                                                           \
	NUMBER("tcpSequenceNumber", 4, r->isn[SOURCE] >= 0, r->isn[SOURCE])                               \
	NUMBER("reverseTcpSequenceNumber", 4, r->isn[DESTINATION] >= 0, r->isn[DESTINATION])              \
	NUMBER("tcpAcknowledgementNumber", 4, HAS_ACK(SOURCE), SEGMENT(SOURCE, raw_ack))                  \
	NUMBER("reverseTcpAcknowledgementNumber", 4, HAS_ACK(DESTINATION), SEGMENT(DESTINATION, raw_ack)) \
	NUMBER("tcpWindowSize", 2, opening_of(r, SOURCE), SEGMENT(SOURCE, win))                           \
	NUMBER("reverseTcpWindowSize", 2, opening_of(r, DESTINATION), SEGMENT(DESTINATION, win))          \
	NUMBER("packetTotalCount", 8, r->counted, r->traffic[SOURCE].packets)                             \
	NUMBER("reversePacketTotalCount", 8, r->counted, r->traffic[DESTINATION].packets)                 \
	FLAG_COUNTS(NUMBER, SYN, "Syn")                                                                   \
	FLAG_COUNTS(NUMBER, FIN, "Fin")                                                                   \
	FLAG_COUNTS(NUMBER, RST, "Rst")                                                                   \
	FLAG_COUNTS(NUMBER, PSH, "Psh")                                                                   \
	FLAG_COUNTS(NUMBER, ACK, "Ack")                                                                   \
	FLAG_COUNTS(NUMBER, URG, "Urg")

/* ---- the list ---- */

/* Columns whose values standard elements have, or that are the same in all records. */
static const char *const left_out[] = {
	"timestamp",
	"event_start",
	"event_end",
	"event_duration",
	"interface_name",
	"network_type",
	"network_vlan_outer",
	"network_vlan_inner",
	"source_ip",
	"source_port",
	"source_bytes",
	"destination_ip",
	"destination_port",
	"destination_bytes",
	"traffic_source_packets",
	"traffic_destination_packets",
	"isn_source",
	"isn_destination",
	"tcp_flags",
	"tcp_final",
	"event_dataset",
	"event_kind",
	"event_category",
	"event_type",
	"ecs_version",
	"agent_type",
};

static bool is_left_out(const char *column)
{
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (!strcmp(left_out[i], column))
			return true;
	return false;
}

static struct ipfix_element elements[IPFIX_ELEMENTS];
static unsigned element_count, always_count; /* always_count: of the standard's, those before the first optional one */
static uint16_t values_size;

static bool is_number(enum record_field_type type)
{
	return type == FIELD_DURATION || type == FIELD_BYTES || type == FIELD_COUNT || type == FIELD_NUMBER;
}

/* One more element; none where there are too many, which the unit test would see. */
static struct ipfix_element *add(unsigned size)
{
	struct ipfix_element *e = &elements[element_count];

	if (element_count == IPFIX_ELEMENTS)
		return &elements[IPFIX_ELEMENTS - 1];
	element_count++;
	e->size = (uint16_t)size;
	return e;
}

static void add_standard(const char *name, unsigned size, bool is_text)
{
	struct ipfix_element *e = add(size);

	snprintf(e->name, sizeof(e->name), "%s", name);
	e->is_text = is_text;
}

/* "timing_fin_to_ack" is tcpfinTimingFinToAck, as RFC 7013 section 4.1 has names; "tcp_outcome" is tcpfinOutcome. */
static void name_own(char name[IPFIX_NAME], const char *column)
{
	size_t len = (size_t)snprintf(name, IPFIX_NAME, "tcpfin");
	bool begins = true;

	if (!strncmp(column, "tcp_", 4))
		column += 4;
	for (; *column && len + 1 < IPFIX_NAME; column++) {
		if (*column != '_')
			name[len++] = (char)(begins ? toupper((unsigned char)*column) : *column);
		begins = *column == '_';
	}
	name[len] = '\0';
}

static void add_own(unsigned row, unsigned number)
{
	const struct record_field *f = &record_fields[row];
	bool truth = f->type == FIELD_BOOL || f->type == FIELD_ANSWER;
	struct ipfix_element *e;

	if (is_left_out(f->column))
		return;
	e = add(truth ? 1 : is_number(f->type) ? 8 : sizeof(struct ipfix_text));
	name_own(e->name, f->column);
	e->number = number;
	e->field = f;
	e->row = row;
	e->is_text = !truth && !is_number(f->type);
}

/* Values lie in memory from the largest to the smallest, so that each is aligned without gaps. */
static void place_values(void)
{
	values_size = 0;
	for (unsigned size = 16; size; size /= 2) {
		for (unsigned i = 0; i < element_count; i++) {
			if (elements[i].size != size)
				continue;
			elements[i].offset = values_size;
			values_size = (uint16_t)(values_size + size);
		}
	}
}

#define ADD_NUMBER(name, size, known, value) add_standard(name, size, false);
#define ADD_ADDRESS(name, known, value) add_standard(name, 16, false);
#define ADD_TEXT(name, value) add_standard(name, sizeof(struct ipfix_text), true);

_Static_assert(sizeof(struct ipfix_text) == 16, "texts are placed among values of 16 bytes");

const struct ipfix_element *ipfix_elements(unsigned *count)
{
	unsigned number = 0;

	if (!element_count) {
		ALWAYS_ELEMENTS(ADD_NUMBER, ADD_ADDRESS)
		always_count = element_count;
		OPTIONAL_ELEMENTS(ADD_NUMBER, ADD_TEXT)
		for (unsigned row = 0; row < record_field_count; row++)
			if (record_fields[row].column)
				add_own(row, ++number);
		place_values();
	}
	*count = element_count;
	return elements;
}

/* Has every record of its version of IP the element? */
static bool is_common(const struct ipfix_element *e, unsigned number)
{
	return number < always_count || (e->field && e->field->presence == FIELD_ALWAYS);
}

struct ipfix_presence ipfix_common(const struct ipfix_presence *p)
{
	struct ipfix_presence common = *p;

	for (unsigned i = 0; i < element_count; i++)
		if (!is_common(&elements[i], i))
			common.words[i / 64] &= ~(1ULL << i % 64);
	return common;
}

/* ---- values of a record ---- */

static void mark(struct ipfix_values *v, unsigned element)
{
	v->known.words[element / 64] |= 1ULL << element % 64;
}

static void put_number(struct ipfix_values *v, unsigned element, bool known, uint64_t value)
{
	uint8_t *to = v->bytes + elements[element].offset;

	if (!known)
		return;
	mark(v, element);
	switch (elements[element].size) {
	case 1:
		*to = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)to = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)to = (uint32_t)value;
		break;
	default:
		*(uint64_t *)to = value;
	}
}

static void put_address(struct ipfix_values *v, unsigned element, bool known, const uint8_t ip[16])
{
	if (!known)
		return;
	mark(v, element);
	memcpy(v->bytes + elements[element].offset, ip, 16);
}

/* Strings of IPFIX are UTF-8 (RFC 7011 section 6.1.6): each malformed part becomes U+FFFD. Returns where it ends. */
static size_t put_utf8(struct ipfix_values *v, size_t len, const char *text)
{
	static const unsigned char replacement[] = {0xef, 0xbf, 0xbd};
	const unsigned char *p = (const unsigned char *)text;

	while (*p) {
		const unsigned char *from = p;
		bool well_formed = utf8_next(&p) >= 0;
		size_t n = well_formed ? (size_t)(p - from) : sizeof(replacement);

		if (len + n > sizeof(v->texts))
			break;
		memcpy(v->texts + len, well_formed ? from : replacement, n);
		len += n;
	}
	return len;
}

/* The texts from texts_len to `end` are the element's value. */
static void end_text(struct ipfix_values *v, unsigned element, size_t end)
{
	struct ipfix_text *to = (struct ipfix_text *)(v->bytes + elements[element].offset);

	mark(v, element);
	*to = (struct ipfix_text){end - v->texts_len, v->texts + v->texts_len};
	v->texts_len = end;
}

static void put_text(struct ipfix_values *v, unsigned element, const char *text)
{
	if (text && *text)
		end_text(v, element, put_utf8(v, v->texts_len, text));
}

/* One alone, too, though it is the interfaceName: nfacctd maps texts under an enterprise's number only. */
static void put_names(struct ipfix_values *v, unsigned element, const char *const *names)
{
	size_t end = v->texts_len;

	if (!names[0])
		return;
	for (unsigned i = 0; i < RECORD_INTERFACES && names[i]; i++)
		end = put_utf8(v, i ? put_utf8(v, end, " ") : end, names[i]);
	end_text(v, element, end);
}

/* As in JSON: where a field may be left out, "no" leaves it out. */
static bool is_plain_no(const struct record_field *f, const struct field_value *value)
{
	return f->type == FIELD_BOOL && f->presence == FIELD_OPTIONAL && !value->number;
}

static void put_field(struct ipfix_values *v, unsigned element, const struct field_value *value)
{
	enum record_field_type type = elements[element].field->type;
	char address[INET6_ADDRSTRLEN];

	if (!value->known || is_plain_no(elements[element].field, value))
		return;
	if (is_number(type))
		put_number(v, element, true, value->number);
	else if (type == FIELD_BOOL || type == FIELD_ANSWER) /* RFC 7011 section 6.1.5: 1 is true, 2 is false */
		put_number(v, element, true, value->number ? 1 : 2);
	else if (type == FIELD_NAMES)
		put_names(v, element, value->names);
	else if (type == FIELD_ADDRESS)
		put_text(v, element,
			 inet_ntop(value->family == 4 ? AF_INET : AF_INET6, value->ip, address, sizeof(address)));
	else
		put_text(v, element, value->text);
}

/* The value of what is not known is not looked at: the members that it is made of may never have been set. */
#define PUT_NUMBER(name, size, known, value) put_number(v, element++, known, (known) ? (uint64_t)(value) : 0);
#define PUT_ADDRESS(name, known, value) put_address(v, element++, known, value);
#define PUT_TEXT(name, value) put_text(v, element++, value);

void ipfix_values_of(struct ipfix_values *v, const struct record *r, enum answer forced)
{
	unsigned element = 0, count;

	ipfix_elements(&count);
	v->known = (struct ipfix_presence){0};
	v->size = values_size;
	v->texts_len = 0;
	memset(v->bytes, 0, values_size);
	ALWAYS_ELEMENTS(PUT_NUMBER, PUT_ADDRESS)
	OPTIONAL_ELEMENTS(PUT_NUMBER, PUT_TEXT)
	for (; element < count; element++) {
		struct field_value value;

		record_field_value(&value, r, elements[element].row);
		put_field(v, element, &value);
	}
}
