# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP errors that say a destination is unreachable (RFC 792, RFC 4443), with the segment that they quote.

The page, tcp.icmp: a handshake that got nothing but an unreachable is refused, by the destination where that sent it,
else by the network. RFC 9293 section 3.9.2.2 asks TCP to give up for the hard ones of them.
"""
import struct

from frame import IPV4, IPV6, LINKS, network_layer, network_packet

UNREACHABLE = {1: (3, IPV4), 58: (1, IPV6)}  # protocol -> type, ethertype of what is quoted
TOO_BIG = (1, 4)                             # protocol, code: fragmentation needed is no refusal


def quoted(link, data):
    """(source, destination, sequence number, who sent the error) of the segment that an unreachable quotes, or None."""
    try:
        kind, inner = network_layer(*LINKS[link](data))
        outer = network_packet(kind, inner, len(inner))
        wanted, within = UNREACHABLE[outer[0]]
        message = outer[3]
        if message[0] != wanted or (outer[0], message[1]) == TOO_BIG:
            return None
        protocol, source, destination, segment = network_packet(within, message[8:], 1 << 16)[:4]
        sport, dport, seq = struct.unpack_from(">2HI", segment)
        return ((source, sport), (destination, dport), seq, outer[1]) if protocol == 6 else None
    except (KeyError, IndexError, TypeError, struct.error):
        return None


def refuser(connection, errors):
    """"destination" or "network" where an unreachable quotes the connection's SYN; else None."""
    opener = connection.opener
    for source, destination, seq, by in errors:
        if opener and (source, destination, seq) == (opener.src, opener.dst, opener.raw_seq):
            return "destination" if by == destination[0] else "network"
    return None
