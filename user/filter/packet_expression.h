/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcpdump's filter language (pcap-filter(7)) over records, by libpcap: the same for interfaces and files.
 *
 * An expression sees the packet that opened the connection, from the source to the destination. That packet is built
 * from the record, so it has addresses, ports, VLAN tags and the protocol. An expression that reads anything else
 * (flags, lengths, offsets, MAC addresses) is refused.
 */
#ifndef TCPFIN_PACKET_EXPRESSION_H
#define TCPFIN_PACKET_EXPRESSION_H

#include "user/record/record.h"

struct packet_expression;

/*
 * Compiles text, which may name hosts: then it asks the resolver. NULL with a line in error where it is no expression,
 * or reads what a record does not have.
 */
struct packet_expression *packet_expression_compile(const char *text, char *error, size_t size);
/* NULL is nothing. */
void packet_expression_free(struct packet_expression *e);
bool packet_expression_matches(const struct packet_expression *e, const struct record *r);

#endif
