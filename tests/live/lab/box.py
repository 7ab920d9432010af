# SPDX-License-Identifier: GPL-2.0-or-later
"""
A box on the path of lab/relay.py that drops, delays, injects and translates, and writes down what it did to each
packet.

A deed says to which segment what is done, once: LOSE, DELAY, REORDER (the next one of its direction goes first), or
behind it RESET (an RST to both ends in the other's name), RESET_ONWARD (to its receiver alone), FIN_ONWARD (a FIN to
its receiver, in its sender's name), SYN_ONWARD (the same SYN again) or SYN_ACK_BACK (a SYN-ACK to its sender, in its
receiver's name), or before it SYN_AHEAD (a SYN with another number). There are lists of them, one of which is chosen at
a time. With `translate`, the server sees the client at another address. The log has a line for each deed, with the
numbers of the segment's header, and one for each segment that was sent, with the time of day.
"""
import json
import os
import socket
import struct
import time
from typing import Callable, NamedTuple

from lab.frames import checksum, ip_packet, packed, tcp_segment
from lab.netlab import ACK, FIN, RST, SYN
from lab.relay import Relay

LOSE, DELAY, REORDER, MADE, SENT = "lost", "delayed", "reordered", "made", "sent"  # words of the log
RESET, RESET_ONWARD, FIN_ONWARD = "reset", "reset onward", "fin onward"
SYN_ONWARD, SYN_ACK_BACK, SYN_AHEAD = "syn onward", "syn-ack back", "syn ahead"
ONWARD, BACK, BOTH_WAYS = slice(0, 1), slice(1, 2), slice(0, 2)
HOLD = 0.1  # s of DELAY: below the shortest time after which Linux repeats a segment
BEHIND = 0.001  # s that REORDER sends behind the one that overtakes
INJECTED = {  # flags, ways, s behind the segment
    RESET: (RST, BOTH_WAYS, 10 * BEHIND), RESET_ONWARD: (RST, ONWARD, 10 * BEHIND),
    FIN_ONWARD: (FIN | ACK, ONWARD, 10 * BEHIND), SYN_ONWARD: (SYN, ONWARD, 5 * BEHIND),
    SYN_ACK_BACK: (SYN | ACK, BACK, 10 * BEHIND), SYN_AHEAD: (SYN, ONWARD, 0)}
OTHER_NUMBER = 2**28  # how far the one of SYN_AHEAD is from the real one
CLIENT, OUTSIDE = ("10.98.0.1", "fd98::1"), ("10.98.0.77", "fd98::77")


class Deed(NamedTuple):
    what: str
    match: Callable  # of (up, flags, payload's length)


class Box(Relay):
    def __init__(self, lab, delay, *lists, translate=False):
        self.lists, self.deeds, self.translate = lists, [], translate
        self.overtaken = {}  # by direction: what waits for the next one to go first
        self.path = lab.file("log")
        self.log = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        lab.stack.callback(os.close, self.log)
        super().__init__(lab, delay)
        for address in OUTSIDE:
            lab.server.run(f"ip route add {address} dev tun0 quickack 1")

    def choose(self, number):
        """Does what that list says, from now on."""
        os.write(self.orders, bytes([number]))
        time.sleep(0.05)

    def entries(self, sent=False):
        """Of what was done, or of what was sent."""
        with open(self.path, encoding="ascii") as lines:
            return [entry for entry in map(json.loads, lines) if (entry["what"] == SENT) == sent]

    def write_down(self, what, up, flags, seq, ack):
        entry = {"what": what, "up": up, "flags": flags, "seq": seq, "ack": ack if flags & ACK else 0,
                 "time": time.time_ns()}
        os.write(self.log, json.dumps(entry).encode() + b"\n")

    # ---- the relay's process ----

    def obey(self, order):
        self.deeds = list(self.lists[order[0]])

    def take(self, packet, up, file):
        segment = self.read(packet, up)
        deed = self.deed_for(segment) if segment else None
        if deed:
            start, flags, seq, ack = numbers_of(packet)
            if deed in INJECTED:
                behind = seq + segment.len + (deed == SYN_ACK_BACK) + OTHER_NUMBER * (deed == SYN_AHEAD)
                self.inject(packet, up, file, (start, behind, ack), *INJECTED[deed])
            else:
                self.write_down(deed, up, flags, seq, ack)
        if deed == REORDER:
            self.overtaken[up] = packet
        elif deed != LOSE:
            self.send_after(self.delay + HOLD * (deed == DELAY), file, self.translated(packet, up))
            if up in self.overtaken:
                self.send_after(self.delay + BEHIND, file, self.translated(self.overtaken.pop(up), up))

    def deed_for(self, segment):
        for deed in self.deeds:
            if deed.match(segment.up, segment.flags, segment.len):
                self.deeds.remove(deed)
                return deed.what
        return None

    def inject(self, packet, up, file, place, flags, ways, behind):
        """Beside this segment: one onward in its sender's name, one back in the receiver's, or both."""
        near, far = addresses_of(packet)
        start, seq, ack = place
        ports = struct.unpack_from("!HH", packet, start)
        back = self.files[1 - self.files.index(file)]
        both = ((file, up, (near, far), ports, seq, ack), (back, not up, (far, near), ports[::-1], ack, seq))
        for to, toward, ends, pair, number, other in both[ways]:
            numbers = number % 2**32, other % 2**32 if flags & ACK else 0
            made = ip_packet(*ends, tcp_segment(*ends, pair, flags, *numbers, b""))
            self.write_down(MADE, toward, flags, *numbers)
            self.send_after(self.delay + behind, to, self.translated(made, toward))

    def sent(self, packet, up):
        if self.read(packet, up):
            self.write_down(SENT, up, *numbers_of(packet)[1:])

    def forward(self, files, orders):
        self.files = files
        super().forward(files, orders)

    def translated(self, packet, up):
        """The packet with the client's address as it is beyond the box."""
        ends = list(addresses_of(packet))
        six = packet[0] >> 4 == 6
        if not self.translate or (ends[0] if up else ends[1]) != (CLIENT if up else OUTSIDE)[six]:
            return packet
        ends[0 if up else 1] = (OUTSIDE if up else CLIENT)[six]
        return renamed(packet, ends)


# ---- packets ----

def numbers_of(packet):
    """(where the TCP header begins, flags, sequence number, acknowledgment number)"""
    start = packet[0] % 16 * 4 if packet[0] >> 4 == 4 else 40
    seq, ack, _offset, flags = struct.unpack_from("!4xIIBB", packet, start)
    return start, flags, seq, ack


def addresses_of(packet):
    family, first, size = (socket.AF_INET, 12, 4) if packet[0] >> 4 == 4 else (socket.AF_INET6, 8, 16)
    return tuple(socket.inet_ntop(family, packet[first + n * size:first + (n + 1) * size]) for n in (0, 1))


def renamed(packet, ends):
    """The same segment between other addresses, with its checksums made anew."""
    six = packet[0] >> 4 == 6
    if packet[6 if six else 9] != socket.IPPROTO_TCP:
        return packet
    start, end = (40, 40 + struct.unpack_from("!H", packet, 4)[0]) if six else (
        packet[0] % 16 * 4, struct.unpack_from("!H", packet, 2)[0])
    segment = packet[start:start + 16] + b"\0\0" + packet[start + 18:end]
    pseudo = packed(ends[0]) + packed(ends[1]) + struct.pack("!HH", socket.IPPROTO_TCP, len(segment))
    return ip_packet(*ends, segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:])
