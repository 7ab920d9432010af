# SPDX-License-Identifier: GPL-2.0-or-later
"""The files themselves: cut, empty, no captures, and pcapng in its dialects."""
import gzip
import struct

from cases_artefacts import closed
from packets import ETHERNET, RAW, Capture, case


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


def interface(link=ETHERNET, resolution=None, order="<"):
    options = b"" if resolution is None else struct.pack(order + "HHB3xHH", 9, 1, resolution, 0, 0)
    return block(1, struct.pack(order + "HHI", link, 0, 262144) + options, order)


def packets(segments, per_second=10**6, link=ETHERNET, number=0, order="<"):
    """Enhanced packet blocks; per_second is the interface's resolution."""
    blocks = []
    for segment in segments:
        data = segment.frame(link).data
        time = segment.time * per_second // 10**9
        head = struct.pack(order + "IIIII", number, time >> 32, time & 0xFFFFFFFF, len(data), len(data))
        blocks.append(block(6, head + data, order))
    return b"".join(blocks)


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
    """A second interface with another link type: the connection before it is reported, then the error."""
    second = interface(RAW) + packets(closed(c.other()), link=RAW, number=1)
    return section() + interface() + packets(closed(c)) + second


@case
def pcapng_cut(c):
    """The file ends inside a block that follows a whole connection."""
    return section() + interface() + packets(closed(c)) + packets([c.other().src(2000, "S")])[:-30]


@case
def pcapng_block_length_zero(c):
    """A block of length 0 follows a whole connection: no endless loop."""
    return section() + interface() + packets(closed(c)) + struct.pack("<II", 6, 0) + b"\0" * 32
