# SPDX-License-Identifier: GPL-2.0-or-later
"""Segments as bytes, and captures of them: classic pcap with raw IP and nanoseconds."""
import ipaddress
import struct

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ORDER = 2**32
EPOCH = 1767225600 * 10**9  # ns: 2026-01-01
RAW_IP = 101
SYN_OPTIONS = bytes((2, 4, 5, 180, 1, 3, 3, 7))  # MSS 1460, window scale 7


def tcp(segment, ports):
    options = SYN_OPTIONS if segment.flags & SYN else b""
    offset = (20 + len(options)) // 4 << 12
    window = 64240 if segment.flags & SYN else 502
    head = struct.pack(">HHIIHHHH", *ports, segment.seq % ORDER, segment.ack % ORDER, offset | segment.flags, window,
                       0, 0)
    return head + options + b"x" * segment.length


def packet(segment, addresses, ports):
    """addresses and ports: sender's, receiver's."""
    body = tcp(segment, ports)
    ends = b"".join(ipaddress.ip_address(address).packed for address in addresses)
    if len(ends) == 32:
        return struct.pack(">IHBB", 6 << 28, len(body), 6, 64) + ends + body
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), segment.ip_id, 0x4000, 64, 6, 0) + ends + body


def write_capture(path, frames):
    """frames: (ns since EPOCH, bytes) in order."""
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, RAW_IP))
        for time, data in frames:
            out.write(struct.pack("<IIII", (EPOCH + time) // 10**9, (EPOCH + time) % 10**9, len(data), len(data)))
            out.write(data)
