/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that can be handed on (-w with --anonymize): the headers, with the addresses that the records have.
 *
 *	replaced: IP addresses, a tunnel's and those that an ICMP error quotes, too
 *	zero: hardware addresses; what is in IPv6 extension headers and the authentication header
 *	taken out: IPv4 options, and TCP options other than those that carry no address
 *	cut: all that follows the TCP header
 *
 * Lengths on the wire stay, and each checksum changes by as much as what it covers (RFC 1624): what was right still is,
 * unless an address in an extension header counts for it (RFC 6275 section 6.3, RFC 8200 section 8.1).
 */
#ifndef TCPFIN_ANONYMOUS_PACKET_H
#define TCPFIN_ANONYMOUS_PACKET_H

#include "user/flight/packet_file.h"
#include "user/record/anonymizer.h"

/*
 * Puts the packet's headers as they may be handed on into `headers`, whose content they take the place of, and makes
 * them what is written of the packet. Returns false where no TCP header can be found in it: it must not be written.
 */
bool anonymous_packet_make(struct anonymizer *a, struct packet_to_write *p, struct buffer *headers);

#endif
