# SPDX-License-Identifier: GPL-2.0-or-later
"""The TCP segment in a captured frame: link header, tags and labels, IP, one level of tunnel."""
import struct

from segment import SYN, Segment

IPV4, IPV6 = 0x0800, 0x86dd
VLAN_TYPES = {0x8100, 0x88a8, 0x9100}
PPP_TYPES = {0x0021: IPV4, 0x0057: IPV6}
EXTENSIONS = {0, 43, 60}  # hop-by-hop, routing, destination options
NETWORK_HEADERS = {4: IPV4, 41: IPV6}
VXLAN_PORTS, GENEVE_PORT = {4789, 8472}, 6081


def u16(data, at):
    return struct.unpack_from(">H", data, at)[0]


def by_version(data):
    return {4: IPV4, 6: IPV6}.get(data[0] >> 4)


def ppp(data):
    if data[:2] == b"\xff\x03":
        data = data[2:]
    number, size = (data[0], 1) if data[0] & 1 else (u16(data, 0), 2)
    return PPP_TYPES.get(number), data[size:]


def serial(data):
    """LINKTYPE_PPP_HDLC: Cisco's framing has address 0x0f or 0x8f."""
    return (u16(data, 2), data[4:]) if data[0] in (0x0f, 0x8f) else ppp(data)


LINKS = {
    1: lambda d: (u16(d, 12), d[14:]),
    0: lambda d: (by_version(d[4:]), d[4:]), 108: lambda d: (by_version(d[4:]), d[4:]),
    101: lambda d: (by_version(d), d), 12: lambda d: (by_version(d), d),
    228: lambda d: (IPV4, d), 229: lambda d: (IPV6, d),
    113: lambda d: (u16(d, 14), d[16:]), 276: lambda d: (u16(d, 0), d[20:]),
    9: ppp, 50: serial, 51: lambda d: (0x8864, d), 104: lambda d: (u16(d, 2), d[4:]),
}


def labels(data):
    """What follows at most eight MPLS labels, told by its version."""
    for n in range(8):
        if data[4 * n + 2] & 1:
            rest = data[4 * n + 4:]
            return by_version(rest), rest
    return None, b""


def network_layer(kind, data):
    """(ethertype, bytes) of what tags, labels and PPPoE hold."""
    tags = 0
    while kind in VLAN_TYPES and tags < 2:
        kind, data, tags = u16(data, 2), data[4:], tags + 1
    if kind == 0x8864 and data[0] == 0x11 and data[1] == 0:
        return ppp(data[6:])
    if kind in (0x8847, 0x8848):
        return labels(data)
    return kind, data


def ipv4(data, wire):
    """(protocol, source, destination, payload, its length, TTL, identification), or None. wire: the frame's length."""
    size, total = (data[0] & 15) * 4, u16(data, 2) or wire
    if data[0] >> 4 != 4 or size < 20 or total < size or u16(data, 6) & 0x1fff:
        return None
    protocol, at = data[9], size
    if protocol == 51:
        protocol, at = data[size], size + (data[size + 1] + 2) * 4
    return protocol, data[12:16], data[16:20], data[at:], total - at, data[8], u16(data, 4)


def ipv6(data, wire):
    if data[0] >> 4 != 6:
        return None
    length, protocol, at = u16(data, 4), data[6], 40
    total = 40 + length if length else wire
    if total > wire:
        return None
    for _ in range(9):
        if protocol in EXTENSIONS:
            protocol, at = data[at], at + (data[at + 1] + 1) * 8
        elif protocol == 51:
            protocol, at = data[at], at + (data[at + 1] + 2) * 4
        elif protocol == 44:
            if u16(data, at + 2) & 0xfff8:
                return None
            protocol, at = data[at], at + 8
        else:
            return (protocol, data[8:24], data[24:40], data[at:], total - at, data[7], None) if total >= at else None
    return None


def tcp_options(data):
    """(window scale, MPTCP subtypes): reading ends at the first option that does not fit."""
    scale, mptcp, at = None, set(), 0
    while at < len(data) and data[at]:
        if data[at] == 1:
            at += 1
            continue
        if at + 1 >= len(data) or data[at + 1] < 2 or at + data[at + 1] > len(data):
            break
        kind, length = data[at], data[at + 1]
        if kind == 3 and length == 3:
            scale = data[at + 2]
        if kind == 30 and length > 2:
            mptcp.add(data[at + 2] >> 4)
        at += length
    return scale, frozenset(mptcp)


def last_fragment(link, data):
    """(key, length of the whole payload) of the last fragment of an IPv4 datagram (RFC 791 section 3.2), or None."""
    try:
        kind, inner = network_layer(*LINKS[link](data))
        place, more = (u16(inner, 6) & 0x1fff) * 8, u16(inner, 6) & 0x2000
        if kind != IPV4 or not place or more:
            return None
        return (inner[12:16], inner[16:20], u16(inner, 4)), place + u16(inner, 2) - (inner[0] & 15) * 4
    except (KeyError, IndexError, struct.error):
        return None


def tcp(time, network, packet, wire, datagrams):
    _, source, destination, data, length, ttl, ip_id = packet
    short = len(data) < length and length > wire
    length = datagrams.get((source, destination, ip_id), length)
    if len(data) < 14:
        return None
    size, flags = (data[12] >> 4) * 4, data[13] & 63
    if size < 20 or size > length:
        return None
    sport, dport, seq, ack = struct.unpack_from(">2H2I", data)
    window = u16(data, 14) if len(data) >= 16 else 0
    scale, mptcp = tcp_options(data[20:size])
    return Segment(time, (source, sport), (destination, dport), network, seq, ack, flags, length - size, window, ttl,
                   ip_id, scale if flags & SYN else None, mptcp, data[:size], short)


def udp_tunnel(data):
    port, inner = u16(data, 2), data[8:]
    if port in VXLAN_PORTS and inner[0] & 8:
        return ("vxlan", int.from_bytes(inner[4:7], "big")), network_layer(*LINKS[1](inner[8:]))
    if port == GENEVE_PORT and inner[0] >> 6 == 0:
        kind, rest = u16(inner, 2), inner[8 + (inner[0] & 63) * 4:]
        within = LINKS[1](rest) if kind == 0x6558 else (kind, rest)
        return ("geneve", int.from_bytes(inner[4:7], "big")), network_layer(*within)
    return None


def gre_tunnel(data):
    flags, kind, at, key = u16(data, 0), u16(data, 2), 4, None
    if flags & 0x4007:
        return None
    at += 4 if flags & 0x8000 else 0
    if flags & 0x2000:
        key, at = int.from_bytes(data[at:at + 4], "big"), at + 4
    at += 4 if flags & 0x1000 else 0
    if kind == 0x6558 and key is not None and key >> 8 >= 0x1000:
        key >>= 8  # NVGRE: the VSID is the key's upper 24 bits, and none is below 0x1000 (RFC 7637 section 3.2)
    within = LINKS[1](data[at:]) if kind == 0x6558 else (kind, data[at:])
    return ("gre", key), network_layer(*within)


def tunnel(packet):
    """(network, (ethertype, bytes)) inside a tunnel, or None. IP in IP has no identifier, and no network of its own."""
    protocol, data = packet[0], packet[3]
    if protocol == 17:
        return udp_tunnel(data)
    if protocol == 47:
        return gre_tunnel(data)
    return (None, (NETWORK_HEADERS[protocol], data)) if protocol in NETWORK_HEADERS else None


def network_packet(kind, data, wire):
    return {IPV4: ipv4, IPV6: ipv6}[kind](data, wire) if kind in (IPV4, IPV6) else None


def segment_of(time, link, data, length, datagrams):
    """The TCP segment of a frame; None without one that can be read. datagrams: what last_fragment() has found."""
    if link not in LINKS:
        return None
    try:
        kind, inner = network_layer(*LINKS[link](data))
        wire = length - len(data) + len(inner)
        packet, network = network_packet(kind, inner, wire), None
        if packet and packet[0] != 6:
            opened = tunnel(packet)
            if opened is None:
                return None
            network, (kind, inner) = opened
            wire = 1 << 20  # a fragment of the tunnel's packet is shorter than what is in it
            packet = network_packet(kind, inner, wire)
        return tcp(time, network, packet, wire, datagrams) if packet and packet[0] == 6 else None
    except (IndexError, struct.error):
        return None
