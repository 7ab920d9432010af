# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP errors that quote a segment of a connection: what they explain, and what they do not."""
import socket
import struct
from dataclasses import replace

from cases_artefacts import IPV6, closed
from packets import EPOCH, Frame, case, link_header, ns

ROUTER = {4: "203.0.113.7", 6: "2001:db8:ffff::7"}


def icmp(segment, later, kind, code, by=None, quoted=None, change=None):
    """The error about a segment, `later` ms behind it: type and code, who sends it, bytes of the quoted packet.

    change: what a forger makes of the quoted packet.
    """
    packet = bytes(segment.packet())
    version = packet[0] >> 4
    quote = (change(packet) if change else packet)[:quoted or (28 if version == 4 else 1000)]
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    ends = by or ROUTER[version], segment.conversation.ips[segment.side]
    addresses = b"".join(socket.inet_pton(family, end) for end in ends)
    body = struct.pack(">BBHI", kind, code, 0, 1400) + quote
    if version == 4:
        head = struct.pack(">BBHHHBBH", 0x45, 0xC0, 20 + len(body), 0x99, 0, 60, 1, 0)
    else:
        head = struct.pack(">IHBB", 6 << 28, len(body), 58, 60)
    return Frame(segment.time + ns(later), link_header(1, 1 - segment.side, version) + head + addresses + body)


def syns(c, *times):
    return [c.src(ms, "S") for ms in times]


@case
def icmp_prohibited(c):
    """A firewall on the way answers each SYN: administratively prohibited."""
    return [item for s in syns(c, 0, 1000) for item in (s, icmp(s, 5, 3, 13))]


@case
def icmp_port_unreachable(c):
    """The destination's packet filter answers itself; all of the SYN is quoted."""
    return [item for s in syns(c, 0) for item in (s, icmp(s, 5, 3, 3, c.ips[1], quoted=1000))]


@case
def icmp_ipv6_no_route(c):
    """ICMPv6: no route."""
    return [item for s in syns(replace(c, ips=IPV6), 0, 1000) for item in (s, icmp(s, 5, 1, 0))]


@case
def icmp_ipv6_port_unreachable(c):
    """ICMPv6 of the destination: port unreachable."""
    return [item for s in syns(replace(c, ips=IPV6), 0) for item in (s, icmp(s, 5, 1, 4, IPV6[1]))]


@case
def icmp_time_exceeded(c):
    """A loop of routes explains an unanswered SYN, and changes no outcome."""
    return [item for s in syns(c, 0, 1000) for item in (s, icmp(s, 5, 11, 0))]


@case
def icmp_unreachable_then_answered(c):
    """A host that was unreachable for a second: the connection closes as any."""
    late = replace(c, start=EPOCH + ns(1000))
    return [c.src(0, "S"), icmp(c.src(0, "S"), 5, 3, 1)] + closed(late)


@case
def icmp_forged(c):
    """The quoted number was never in flight: it explains nothing."""
    return [c.src(0, "S"), icmp(c.src(0, "S"), 5, 3, 3, change=lambda p: p[:24] + b"\1\2\3\4" + p[28:])]


@case
def icmp_other_connection(c):
    """The quoted ports are of no connection, and a quoted UDP packet is none."""
    other = replace(c, ports=(1, 2))
    return [*syns(c, 0), icmp(other.src(0, "S"), 5, 3, 3),
            icmp(c.src(0, "S"), 6, 3, 3, change=lambda p: p[:9] + b"\x11" + p[10:])]


@case
def icmp_stuck_close(c):
    """Data and FIN are too large for the path; the errors name the router."""
    fins = [c.src(ms, "FP.", 51, 501, 1400) for ms in (100, 300, 700)]
    return c.opened() + [item for f in fins for item in (f, icmp(f, 5, 3, 4))]


@case
def icmp_forged_in_close(c):
    """A forged one in a close that goes well."""
    close = c.four_way()
    forged = icmp(close[0], 1, 3, 1, change=lambda p: p[:24] + b"\xff\2\3\4" + p[28:])
    return c.opened() + [close[0], forged] + close[1:]
