# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections inside tunnels: one level is opened, what is not opened is counted by its kind.

The tunnels' headers are written byte by byte after the RFCs. Tunnels run between 192.0.2.1 and 192.0.2.2, or their IPv6
siblings.
"""
import socket
import struct
from dataclasses import replace

from cases_artefacts import IPV6, closed, labels
from packets import Frame, case, link_header

ETHERNET, IPV4, IPV6_TYPE, MPLS = 0x6558, 0x0800, 0x86DD, 0x8847
IP_IN_IP, UDP, IPV6_IN_IP, GRE, ESP, L2TP = 4, 17, 41, 47, 50, 115
OUTER = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8:ffff::1", "2001:db8:ffff::2")}


def outer(segment, protocol, payload, version=4, fragment=0):
    """An IP packet of the tunnel as an Ethernet frame. fragment: IPv4's flags and offset."""
    ends = OUTER[version][::-1 if segment.side else 1]
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    addresses = b"".join(socket.inet_pton(family, end) for end in ends)
    if version == 4:
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0x77, fragment, 60, protocol, 0)
    else:
        head = struct.pack(">IHBB", 6 << 28, len(payload), protocol, 60)
    link = link_header(1, segment.side, version, segment.conversation.tags)
    return Frame(segment.time, link + head + addresses + payload)


def udp(port, payload):
    return struct.pack(">HHHH", 50000, port, 8 + len(payload), 0) + payload


def inner_frame(segment, tags=()):
    """The segment in the Ethernet frame that a tunnel carries."""
    packet = bytes(segment.packet())
    return link_header(1, segment.side, packet[0] >> 4, tags) + packet


def vxlan(segment, vni=7, port=4789, flags=0x08, version=4, tags=()):
    """With 4 in the flags it is VXLAN-GPE's header, and the protocol is that of the Ethernet frame."""
    header = struct.pack(">BBHI", flags, 0, 3 if flags & 4 else 0, vni << 8)
    return outer(segment, UDP, udp(port, header + inner_frame(segment, tags)), version)


def geneve(segment, vni=7, protocol=ETHERNET, options=b"", version=4, first=0):
    payload = inner_frame(segment) if protocol == ETHERNET else bytes(segment.packet())
    header = struct.pack(">BBHI", first | len(options) // 4, 0, protocol, vni << 8) + options
    return outer(segment, UDP, udp(6081, header + payload), version)


def gre(segment, protocol=None, checksum=False, key=None, sequence=False, flags=0, version=4, payload=None):
    """protocol: None: that of the segment's IP packet."""
    packet = bytes(segment.packet())
    if protocol is None:
        protocol = IPV6_TYPE if packet[0] >> 4 == 6 else IPV4
    header = struct.pack(">HH", flags | checksum << 15 | (key is not None) << 13 | sequence << 12, protocol)
    header += struct.pack(">I", 0xABCD0000) * checksum
    header += struct.pack(">I", key) if key is not None else b""
    header += struct.pack(">I", 9) * sequence
    if payload is None:
        payload = inner_frame(segment) if protocol == ETHERNET else packet
    return outer(segment, GRE, header + payload, version)


def in_ip(segment, version=4):
    packet = bytes(segment.packet())
    return outer(segment, IPV6_IN_IP if packet[0] >> 4 == 6 else IP_IN_IP, packet, version)


# ---- VXLAN and Geneve ----

@case
def tunnel_vxlan(c):
    """VXLAN, VNI 7."""
    return [vxlan(s) for s in closed(c)]


@case
def tunnel_vxlan_ipv6_outside(c):
    """VXLAN over IPv6, to the port that Linux takes by itself; VLAN tags outside and inside, which are left out."""
    return [vxlan(s, 0xFFFFFF, port=8472, version=6, tags=((0x8100, 200),))
            for s in closed(replace(c, tags=((0x8100, 100),)))]


@case
def tunnel_vxlan_ipv6_inside(c):
    """IPv6 in VXLAN with the group policy extension, VNI 0."""
    return [vxlan(s, 0, flags=0x88) for s in closed(replace(c, ips=IPV6))]


@case
def tunnel_vxlan_no_vni(c):
    """Without the bit for a valid VNI it is no VXLAN."""
    return [vxlan(s, flags=0) for s in closed(c)]


@case
def tunnel_vxlan_with_protocol(c):
    """The header of VXLAN-GPE at VXLAN's port, an Ethernet frame inside."""
    return [vxlan(s, flags=0x0C) for s in closed(c)]


@case
def tunnel_vxlan_two_networks(c):
    """The same addresses, ports and numbers in two virtual networks, interleaved, and outside: three connections."""
    return [f for s in closed(c) for f in (vxlan(s, 7), vxlan(replace(s, time=s.time + 1000), 8),
                                           replace(s.frame(), time=s.time + 2000))]


@case
def tunnel_vxlan_other_port(c):
    """VXLAN's bytes in UDP to another port are no VXLAN."""
    return [vxlan(s, port=4788) for s in closed(c)]


@case
def tunnel_geneve(c):
    """Geneve with an Ethernet frame."""
    return [geneve(s, 0x123456) for s in closed(c)]


@case
def tunnel_geneve_options(c):
    """Geneve with options of several lengths, IP directly inside, over IPv6."""
    return [geneve(s, 5, IPV4, b"\0" * (4 * n % 256), version=6) for n, s in enumerate(closed(c))]


@case
def tunnel_geneve_longest_options(c):
    """63 words of options, IPv6 inside."""
    return [geneve(s, 6, IPV6_TYPE, b"\0" * 252) for s in closed(replace(c, ips=IPV6))]


@case
def tunnel_geneve_version(c):
    """Another version."""
    return [geneve(s, first=0x40) for s in closed(c)]


# ---- GRE ----

@case
def tunnel_gre(c):
    """GRE without a key: it has no identifier."""
    return [gre(s) for s in closed(c)]


@case
def tunnel_gre_all_fields(c):
    """GRE with checksum, key and sequence number."""
    return [gre(s, checksum=True, key=0xFFFFFFFF, sequence=True) for s in closed(c)]


@case
def tunnel_gre_fields_mixed(c):
    """Checksum and sequence number come and go; the key stays. IPv6 inside and outside."""
    return [gre(s, checksum=n % 2 == 0, key=0, sequence=n % 3 == 0, version=6)
            for n, s in enumerate(closed(replace(c, ips=IPV6)))]


@case
def tunnel_gre_ethernet(c):
    """Linux's gretap with a small key: the whole key is the identifier."""
    return [gre(s, ETHERNET, key=5) for s in closed(c)]


@case
def tunnel_nvgre(c):
    """NVGRE: the low byte of the key differs from packet to packet and is no part of the network's number."""
    return [gre(s, ETHERNET, key=0x5000 << 8 | n) for n, s in enumerate(closed(c))]


@case
def tunnel_gre_mpls(c):
    """MPLS labels in GRE."""
    return [gre(s, MPLS, payload=labels(16, 17) + bytes(s.packet())) for s in closed(c)]


@case
def tunnel_gre_two_keys(c):
    """The same addresses and ports under two keys; one closes, the other one is reset."""
    other = [*c.opened(), c.src(100, "R", 51)]
    return ([gre(s, key=1) for s in closed(c)] + [gre(replace(s, time=s.time + 10**9), key=2) for s in other])


@case
def tunnel_gre_not_opened(c):
    """GRE with routing, of PPTP, and with other protocols."""
    return [frame for s in closed(c) for frame in (gre(s, flags=0x4000), gre(s, 0x880B, flags=1), gre(s, 0x88BE))]


# ---- IP in IP ----

@case
def tunnel_ipip(c):
    """IPv4 in IPv4."""
    return [in_ip(s) for s in closed(c)]


@case
def tunnel_6in4(c):
    """IPv6 in IPv4."""
    return [in_ip(s) for s in closed(replace(c, ips=IPV6))]


@case
def tunnel_4in6(c):
    """IPv4 in IPv6."""
    return [in_ip(s, 6) for s in closed(c)]


@case
def tunnel_ip6ip6(c):
    """IPv6 in IPv6."""
    return [in_ip(s, 6) for s in closed(replace(c, ips=IPV6))]


@case
def tunnel_ipip_one_direction(c):
    """A load balancer sends the requests through a tunnel, and the server answers directly: it is one connection."""
    return [s if s.side else in_ip(s) for s in closed(c)]


@case
def tunnel_ipip_forwarded(c):
    """A load balancer's interface: each packet of the client comes bare and goes on in a tunnel, with one hop less."""
    return [f for s in closed(c)
            for f in ([s] if s.side else [s, in_ip(s.sighted(20_000, ttl=s.ttl - 1))])]


@case
def tunnel_first_fragments(c):
    """The tunnel's packets are fragments: of each the first one holds the inner headers, which say the length."""
    long = [s if s.length < 100 else replace(s, length=3000) for s in c.opened()[:-2]]
    segments = [*long, c.dst(22, "P.", 1, 51, 3000), c.src(22.1, ".", 51, 3001), c.src(100, "F.", 51, 3001),
                c.dst(110, ".", 3001, 52), c.dst(150, "F.", 3001, 52), c.src(150.2, ".", 52, 3002)]
    frames = []
    for s in segments:
        packet = bytes(s.packet())
        frames.append(outer(s, IP_IN_IP, packet[:1200], fragment=0x2000 if len(packet) > 1200 else 0))
        if len(packet) > 1200:
            frames.append(outer(s, IP_IN_IP, packet[1200:], fragment=150))
    return frames


# ---- what is not opened ----

@case
def tunnel_second_level(c):
    """A tunnel in a tunnel: VXLAN in IP in IP, GRE in VXLAN."""
    inside = [vxlan(s) for s in closed(c)]
    twice = [outer(s, IP_IN_IP, f.data[14:]) for s, f in zip(closed(c), inside)]
    return twice + [outer(s, UDP, udp(4789, struct.pack(">II", 0x08000000, 9 << 8) + gre(s).data)) for s in closed(c)]


@case
def tunnel_not_opened(c):
    """ESP bare and in UDP, L2TP bare and in UDP, GTP-U, VXLAN-GPE; IKE and a keep-alive are no ESP."""
    made = []
    for s in closed(c):
        packet = bytes(s.packet())
        made += [outer(s, ESP, b"\0\0\1\0" + packet), outer(s, UDP, udp(4500, b"\0\0\1\0" + packet)),
                 outer(s, L2TP, packet, 6), outer(s, UDP, udp(1701, packet)), outer(s, UDP, udp(2152, packet)),
                 outer(s, UDP, udp(4790, packet)), outer(s, UDP, udp(4500, b"\0" * 8)),
                 outer(s, UDP, udp(4500, b"\xff"))]
    return made
