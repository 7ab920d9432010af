# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the pcapng files of -w by the format's specification."""
import struct

SECTION, INTERFACE, ENHANCED = 0x0a0d0d0a, 1, 6


def options_of(data):
    found, at = {}, 0
    while at + 4 <= len(data):
        code, size = struct.unpack_from("<HH", data, at)
        if code == 0:
            break
        found.setdefault(code, []).append(data[at + 4:at + 4 + size])
        at += 4 + (size + 3) // 4 * 4
    return found


def blocks_of(path):
    """(type, body) of each block; ValueError where the file is not whole blocks."""
    with open(path, "rb") as file:
        data = file.read()
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if size % 4 or size < 12 or struct.unpack_from("<I", data, at + size - 4)[0] != size:
            raise ValueError(f"{path}: a broken block at {at}")
        yield kind, data[at + 8:at + size - 4]
        at += size


def packets_of(path):
    """Dictionaries: link, name, snaplen, time (ns), bytes, length, comment."""
    interfaces = []
    for kind, body in blocks_of(path):
        if kind == SECTION:
            interfaces = []
        elif kind == INTERFACE:
            link, _, snaplen = struct.unpack_from("<HHI", body)
            names = options_of(body[8:])
            interfaces.append({"link": link, "snaplen": snaplen, "name": names.get(2, [b""])[0].decode()})
        elif kind == ENHANCED:
            number, high, low, captured, length = struct.unpack_from("<IIIII", body)
            comments = options_of(body[20 + (captured + 3) // 4 * 4:]).get(1, [])
            yield {**interfaces[number], "time": high << 32 | low, "bytes": body[20:20 + captured], "length": length,
                   "comment": b"\n".join(comments).decode()}


def section_comments(path):
    return [options_of(body[16:])[1][0].decode() for kind, body in blocks_of(path) if kind == SECTION]


def section_comment(path):
    return section_comments(path)[0]


def frames_of(path):
    """(ns, bytes, length) of a pcap file of this host's byte order."""
    with open(path, "rb") as file:
        data = file.read()
    unit, at = {0xa1b2c3d4: 1000, 0xa1b23c4d: 1}[struct.unpack_from("<I", data)[0]], 24
    while at < len(data):
        second, part, captured, length = struct.unpack_from("<IIII", data, at)
        yield second * 10**9 + part * unit, data[at + 16:at + 16 + captured], length
        at += 16 + captured
