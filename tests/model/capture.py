# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets of a capture file: pcap, pcapng, either compressed by gzip. A file that is cut ends at the cut."""
import gzip
import struct

PCAP = {b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000),
        b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1)}
SECTION = b"\x0a\x0d\x0d\x0a"
LONGEST = 1 << 20
MINUTE, DAY = 60 * 10**9, 86400 * 10**9


def packets(path):
    """Yields (time in ns, link type, bytes captured, bytes on the wire)."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if data[:4] in PCAP:
        return classic(data)
    if data[:4] == SECTION:
        return blocks(data)
    return iter(())


def classic(data):
    order, unit = PCAP[data[:4]]
    if len(data) < 24:
        return
    link, at = struct.unpack_from(order + "I", data, 20)[0] & 0xffff, 24
    while at + 16 <= len(data):
        seconds, fraction, captured, length = struct.unpack_from(order + "4I", data, at)
        if captured > LONGEST or at + 16 + captured > len(data):
            return
        # A fraction of a second or more is no time: the clock stays within the second that the header names.
        yield seconds * 10**9 + min(fraction * unit, 10**9 - 1), link, data[at + 16:at + 16 + captured], length
        at += 16 + captured


def options(data, order):
    at = 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from(order + "2H", data, at)
        if code == 0:
            return
        yield code, data[at + 4:at + 4 + length]
        at += 4 + (length + 3) // 4 * 4


def interface(body, order):
    """(link type, snap length, ticks a second, offset in ns) of an interface block."""
    link, _, snap = struct.unpack_from(order + "2HI", body)
    rate, offset = 10**6, 0
    for code, value in options(body[8:], order):
        if code == 9 and value:
            rate = 2**(value[0] & 127) if value[0] & 128 else 10**value[0]
        if code == 14 and len(value) == 8:
            offset = struct.unpack(order + "q", value)[0] * 10**9
    return link, snap, rate, offset


def packet(kind, body, order, known):
    """A packet of one of the three packet blocks, or None."""
    if kind == 3 and known:
        length = struct.unpack_from(order + "I", body)[0]
        captured = min(length, known[0][1] or length, len(body) - 4)
        return 0, known[0][0], body[4:4 + captured], length
    number, high, low, captured, length = struct.unpack_from(order + ("5I" if kind == 6 else "H2x4I"), body)
    if number >= len(known) or captured > len(body) - 20:
        return None
    link, _, rate, offset = known[number]
    return (high << 32 | low) * 10**9 // rate + offset, link, body[20:20 + captured], length


def blocks(data):
    at, order, known = 0, "<", []
    while at + 12 <= len(data):
        if data[at:at + 4] == SECTION:
            order, known = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">", []
        kind, length = struct.unpack_from(order + "2I", data, at)
        if length < 12 or length % 4 or at + length > len(data):
            return
        if data[at + length - 4:at + length] != data[at + 4:at + 8]:
            return
        body = data[at + 8:at + length - 4]
        if kind == 1:
            known.append(interface(body, order))
        if kind in (2, 3, 6):
            found = packet(kind, body, order, known)
            if found is None:
                return
            yield found
        at += length


def jumps(times):
    """Places of time stamps that are wrong: more than a minute from both beside them, which are near each other.

    The first and the last have one beside them; a day is then no pause between two packets (the page, tcp.clock_jumps).
    """
    found = [n for n in range(1, len(times) - 1) if abs(times[n + 1] - times[n - 1]) < MINUTE and
             min(abs(times[n] - times[n - 1]), abs(times[n] - times[n + 1])) > MINUTE]
    ends = ((0, 1), (len(times) - 1, len(times) - 2)) if len(times) > 2 else ()
    return found + [place for place, beside in ends if abs(times[place] - times[beside]) > DAY]
