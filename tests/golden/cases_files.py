# SPDX-License-Identifier: GPL-2.0-or-later
"""The files themselves: cut, empty, no captures, and pcapng in its dialects."""
import gzip
import struct
from dataclasses import replace

from cases_artefacts import IPV6, closed
from packets import ETHERNET, NULL, RAW, SLL, Capture, case


def good(c):
    return Capture(closed(c)).file()


# ---- broken ----

@case
def file_cut_in_packet(c):
    """The file ends inside a packet that follows a whole connection."""
    return good(c) + Capture([c.other().src(2000, "S")]).file()[24:-10]


@case
def file_cut_in_record_header(c):
    """The file ends inside a record header."""
    return good(c) + Capture([c.other().src(2000, "S")]).file()[24:32]


@case
def file_cut_in_head(_c):
    """The file ends inside its header."""
    return Capture([]).file()[:10]


@case
def file_empty(_c):
    """An empty file."""
    return b""


@case
def file_without_packets(_c):
    """A file header and no packet, which is no error."""
    return Capture([]).file()


@case
def file_text(_c):
    """No capture at all."""
    return b"this is a text, and long enough for a file header\n"


@case
def file_gzip(c):
    """A compressed capture."""
    return gzip.compress(good(c), mtime=0)


@case
def file_link_unsupported(_c):
    """Link type 147, reserved for private use."""
    return Capture([], link=147).file()


@case
def file_huge_record(c):
    """A record of 2^31 bytes, by its header, follows a whole connection."""
    return good(c) + struct.pack("<IIII", 1767225602, 0, 2**31, 2**31) + b"x" * 64


@case
def file_huge_record_all_ones(c):
    """A record of 2^32 - 1 bytes, by its header, follows a whole connection."""
    return good(c) + struct.pack("<IIII", 1767225602, 0, 2**32 - 1, 2**32 - 1) + b"x" * 64


# ---- pcapng ----

def block(kind, body, order="<"):
    body += b"\0" * (-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order="<"):
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def option(code, value, order="<"):
    return struct.pack(order + "HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def interface(link=ETHERNET, resolution=None, order="<", snaplen=262144, offset=None, name=b""):
    options = option(2, name, order) if name else b""
    if resolution is not None:
        options += option(9, bytes([resolution]), order)
    if offset is not None:
        options += option(14, struct.pack(order + "q", offset), order)
    if options:
        options += option(0, b"", order)
    return block(1, struct.pack(order + "HHI", link, 0, snaplen) + options, order)


def packets(segments, per_second=10**6, link=ETHERNET, number=0, order="<", offset=0):
    """Enhanced packet blocks; per_second is the interface's resolution, offset the seconds that it adds."""
    blocks = []
    for segment in segments:
        data = segment.frame(link).data
        time = (segment.time - offset * 10**9) * per_second // 10**9
        head = struct.pack(order + "IIIII", number, time >> 32, time & 0xFFFFFFFF, len(data), len(data))
        blocks.append(block(6, head + data, order))
    return b"".join(blocks)


def old_packets(segments, number=0, order="<"):
    """The obsolete packet blocks, which count drops."""
    blocks = []
    for segment in segments:
        data, time = segment.frame(ETHERNET).data, segment.time // 1000
        head = struct.pack(order + "HHIIII", number, 7, time >> 32, time & 0xFFFFFFFF, len(data), len(data))
        blocks.append(block(2, head + data, order))
    return b"".join(blocks)


def simple_packets(segments, snaplen):
    """Packet blocks without a time and an interface."""
    frames = [segment.frame(ETHERNET).data for segment in segments]
    return b"".join(block(3, struct.pack("<I", len(data)) + data[:snaplen]) for data in frames)


def changed_last_block(data, old, new):
    """A last packet block of 11 whose length is given as another; old: as it is, to be sure of its place."""
    assert data[-old:][4:8] == data[-4:] == struct.pack("<I", old)
    return data[:-old + 4] + struct.pack("<I", new) + data[-old + 8:]


@case
def pcapng_microseconds(c):
    """The default resolution, and a block of an unknown type."""
    return section() + interface() + block(0x80000042, b"unknown") + packets(closed(c))


@case
def pcapng_nanoseconds(c):
    """Time stamps in units of 10^-9 s."""
    return section() + interface(resolution=9) + packets(closed(c), 10**9)


@case
def pcapng_power_of_two(c):
    """Time stamps in units of 2^-20 s."""
    return section() + interface(resolution=0x80 | 20) + packets(closed(c), 2**20)


@case
def pcapng_big_endian(c):
    """A file written on a big-endian machine."""
    return section(">") + interface(order=">") + packets(closed(c), order=">")


@case
def pcapng_two_interfaces(c):
    """Two interfaces with the same link type, a connection on each."""
    return section() + interface() + interface() + packets(closed(c)) + packets(closed(c.other()), number=1)


@case
def pcapng_mixed_links(c):
    """A second interface with another link header: both connections."""
    second = interface(RAW) + packets(closed(c.other()), link=RAW, number=1)
    return section() + interface() + packets(closed(c)) + second


@case
def pcapng_connection_over_two_links(c):
    """`dumpcap -i lo0 -i en0`: what each side sends is captured at another interface, with another link header."""
    out = section() + interface(NULL, name=b"lo0") + interface(ETHERNET, name=b"en0", snaplen=96)
    return out + b"".join(packets([s], link=(NULL, ETHERNET)[s.side], number=s.side) for s in closed(c))


def forwarded(segments, between=30_000):
    """Each packet at interface 0, and behind the router at interface 1."""
    twins = [(number, s) for s in segments for number, s in ((0, s), (1, s.sighted(between, ttl=63)))]
    return b"".join(packets([s], 10**9, number=number) for number, s in twins)


def two_names(first=b"eth0", second=b"eth1"):
    return section() + interface(resolution=9, name=first) + interface(resolution=9, name=second)


@case
def pcapng_forwarded(c):
    """A router's capture at both of its interfaces: every packet twice."""
    return two_names() + forwarded(closed(c))


@case
def pcapng_forwarded_ipv6(c):
    """The same for IPv6, which has no IP id."""
    return two_names() + forwarded(closed(replace(c, ips=IPV6)))


@case
def pcapng_forwarded_midstream(c):
    """The capture begins before the close."""
    return two_names() + forwarded(closed(c)[3:])


@case
def pcapng_forwarded_backwards(c):
    """The interface behind the router is described first."""
    return two_names(b"eth1", b"eth0") + forwarded(closed(c))


@case
def pcapng_not_forwarded(c):
    """A connection on each interface, and one that was over before the second one was heard of."""
    early = packets(closed(c.other(40003, start=c.start - 10**9)), 10**9)
    return two_names() + early + packets(closed(c), 10**9) + packets(closed(c.other()), 10**9, number=1)


@case
def pcapng_not_forwarded_second(c):
    """The same, asked for one interface."""
    return pcapng_not_forwarded(c)


@case
def pcapng_forwarded_second(c):
    """A connection seen at two interfaces, asked for either."""
    return pcapng_forwarded(c)


@case
def pcapng_forwarded_neither(c):
    """A connection seen at two interfaces, asked for those not seen at one of them."""
    return pcapng_forwarded(c)


@case
def pcapng_second_name_late(c):
    """The second interface shows itself long after the first connection."""
    first = section() + interface(resolution=9, name=b"eth0")
    closes = [c.other(40100 + n, start=c.start + n * 10**9) for n in range(10)]
    early = b"".join(packets(closed(one), 10**9) for one in closes)
    late = closed(c.other(40002, start=c.start + 20 * 10**9))
    return first + early + interface(resolution=9, name=b"eth1") + packets(late, 10**9, number=1)


@case
def pcapng_name_again(c):
    """A capture that goes on in another section, with the same interface."""
    first = section() + interface(name=b"eth0")
    return first + packets(closed(c)[:4]) + first + packets(closed(c)[4:])


@case
def pcapng_nine_names(c):
    """A packet at each of nine interfaces: the record has room for eight."""
    names = b"".join(interface(resolution=9, name=b"if%d" % n) for n in range(9))
    seen = [s.sighted(n * 10_000) for s in closed(c)[:1] for n in range(9)]
    first = b"".join(packets([s], 10**9, number=n) for n, s in enumerate(seen))
    return section() + names + first + packets(closed(c)[1:], 10**9)


@case
def pcapng_interfaces_first(c):
    """Four interfaces ahead of all packets: other link types, snap lengths, resolutions, and one that is not read."""
    out = section() + interface(147) + interface(SLL, snaplen=65535) + interface(RAW, resolution=9) + interface()
    strange = packets(closed(c.other(40009)), number=0)
    return (out + packets(closed(c.other()), link=SLL, number=1) + strange +
            packets(closed(c), 10**9, link=RAW, number=2) + packets(closed(c.other(40003)), number=3))


@case
def pcapng_only_unread_links(c):
    """No interface has a link type that is read."""
    return section() + interface(147) + interface(105) + packets(closed(c), number=1)


@case
def pcapng_two_byte_orders(c):
    """Two files in a row, of machines of other byte order; interfaces are numbered anew."""
    little = section() + interface() + interface(RAW) + packets(closed(c), link=RAW, number=1)
    big = section(">") + interface(order=">") + packets(closed(c.other()), order=">")
    return little + big + little[:28] + interface(SLL) + packets(closed(c.other(40003)), link=SLL)


@case
def pcapng_time_offset(c):
    """Time stamps count from 2025, in 2^-30 s and in ns."""
    out = section() + interface(resolution=0x80 | 30, offset=1735689600)
    out += interface(resolution=9, offset=1735689600)
    return (out + packets(closed(c.other()), 2**30, offset=1735689600) +
            packets(closed(c), 10**9, number=1, offset=1735689600))


@case
def pcapng_simple_packets(c):
    """Packets without times, cut to 60 bytes."""
    return section() + interface(snaplen=60) + simple_packets(closed(c), 60)


@case
def pcapng_old_packets(c):
    """The packet block that enhanced ones replaced."""
    return section(">") + interface(order=">") + interface(order=">") + old_packets(closed(c), number=1, order=">")


@case
def pcapng_cut(c):
    """The file ends inside a block that follows a whole connection."""
    return section() + interface() + packets(closed(c)) + packets([c.other().src(2000, "S")])[:-30]


@case
def pcapng_block_length_zero(c):
    """A block of length 0 follows a whole connection: no endless loop."""
    return section() + interface() + packets(closed(c)) + struct.pack("<II", 6, 0) + b"\0" * 32


@case
def pcapng_block_length_huge(c):
    """A block of 2^31 bytes behind a whole connection."""
    return section() + interface() + packets(closed(c)) + struct.pack("<II", 6, 2**31) + b"\0" * 32


@case
def pcapng_block_length_all_ones(c):
    """A block of 2^32 - 1 bytes."""
    return section() + interface() + packets(closed(c)) + struct.pack("<II", 6, 2**32 - 1) + b"\0" * 32


@case
def pcapng_block_length_odd(c):
    """A block's length is no multiple of four."""
    more = packets([c.other().src(2000, ".", 1, 1)])
    return section() + interface() + packets(closed(c)) + changed_last_block(more, 88, 87)


@case
def pcapng_block_length_differs(c):
    """A block that is longer at its end than at its beginning."""
    more = packets([c.other().src(2000, ".", 1, 1)])
    return section() + interface() + packets(closed(c)) + changed_last_block(more, 88, 84)


@case
def pcapng_captured_length_past_block(c):
    """A packet block whose captured length is 2^32 - 1."""
    head = struct.pack("<IIIII", 0, 0, 0, 2**32 - 1, 2**32 - 1)
    return section() + interface() + packets(closed(c)) + block(6, head + b"x" * 64)


@case
def pcapng_interface_unknown(c):
    """A packet of an interface that only the section before had."""
    return section() + interface() + packets(closed(c)) + section() + packets(closed(c.other()))
