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


def large(c, ms, seq=51):
    """A full-size segment of the source."""
    return c.src(ms, ".", seq, 501, 1400)


@case
def icmp_too_large_works_on(c):
    """An open connection's segment is too large for the path; smaller ones pass, and the close goes well."""
    first = large(c, 60)
    return c.opened() + [first, icmp(first, 5, 3, 4), c.src(70, ".", 51, 501, 1000), c.dst(75, ".", 501, 1051),
                         c.src(76, "P.", 1051, 501, 400), c.dst(80, ".", 501, 1451), c.src(100, "F.", 1451, 501),
                         c.dst(110, ".", 501, 1452), c.dst(150, "F.", 501, 1452), c.src(150.2, ".", 1452, 502)]


@case
def icmp_ipv6_too_big_by_destination_data(c):
    """The same of what the destination sends, over IPv6."""
    c = replace(c, ips=IPV6)
    first = c.dst(60, ".", 501, 51, 1400)
    return c.opened() + [first, icmp(first, 5, 2, 0), c.dst(70, ".", 501, 51, 1200), c.src(75, ".", 51, 1701),
                         c.dst(76, "P.", 1701, 51, 200), c.src(80, ".", 51, 1901), c.src(100, "F.", 51, 1901),
                         c.dst(110, ".", 1901, 52), c.dst(150, "F.", 1901, 52), c.src(150.2, ".", 52, 1902)]


@case
def icmp_too_large_then_reset(c):
    """The connection stalls, and its client gives up."""
    tries = [large(c, ms) for ms in (100, 300, 700, 1500)]
    return (c.opened() + [item for s in tries for item in (s, icmp(s, 5, 3, 4))] +
            [c.src(3000, "R.", 1451, 501)])


@case
def icmp_too_large_forged(c):
    """One about an open connection, with a number that was never in flight."""
    first = large(c, 60)
    forged = icmp(first, 5, 3, 4, change=lambda p: p[:24] + b"\xff\2\3\4" + p[28:])
    return c.opened() + [first, forged, c.dst(75, ".", 501, 1451), c.src(100, "F.", 1451, 501),
                         c.dst(110, ".", 501, 1452), c.dst(150, "F.", 501, 1452), c.src(150.2, ".", 1452, 502)]


@case
def icmp_forged_in_close(c):
    """A forged one in a close that goes well."""
    close = c.four_way()
    forged = icmp(close[0], 1, 3, 1, change=lambda p: p[:24] + b"\xff\2\3\4" + p[28:])
    return c.opened() + [close[0], forged] + close[1:]
