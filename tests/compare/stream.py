# SPDX-License-Identifier: GPL-2.0-or-later
"""The frames of a TCP stream's opening and close, packed; its data is not kept."""
import struct
from collections import namedtuple

FIN, SYN, RST, ACK = 1, 2, 4, 16
CONTROL = FIN | SYN | RST
FRAGMENT = 0x8000  # not a TCP flag: the frame is the first fragment of a datagram, so length is a lower bound
CUT = 0x1000       # the frame's writer cut it and lost its length: length is that of IP's header
NO_SCALE = 255

SECOND = 10**9
NO_TIME = -2**63  # of a segment whose clock had jumped

# number: of the frame in the file; time: ns since 1970; side: of the sender; scale: of the window scale option
Frame = namedtuple("Frame", "number time seq ack length window ip_id flags side scale")
LAYOUT = struct.Struct("<IqIIIHHHBB")

KEPT_AFTER_CONTROL = 64   # frames kept after a SYN, FIN or RST, whatever they are
KEPT_AT_MOST = 20000      # frames of one stream
KEPT_EVERY = SECOND       # a frame is kept if the last kept one is older, so that time-outs can be seen


def distance(a, b):
    """The distance from b to a in sequence space (RFC 9293 section 3.4)."""
    return (a - b + 2**31) % 2**32 - 2**31


def end_of(frame):
    """The sequence number behind the frame."""
    return (frame.seq + frame.length + bool(frame.flags & SYN) + bool(frame.flags & FIN)) % 2**32


class Stream:
    """One of tshark's streams, or the part of it on one interface. Side 0 is the smaller end."""
    __slots__ = ("name", "ends", "full", "partial", "broken", "cut", "completeness", "initial_rtt", "community_id",
                 "_packed", "_since", "_last", "_top", "_kinds", "_fins", "_kept_time")

    def __init__(self, name, ends):
        self.name = name
        self.ends = ends          # of side 0 and 1: (packed address, port)
        self.full = False         # KEPT_AT_MOST was reached
        self.partial = False      # tshark's stream has other frames, too: broken, in a tunnel, or of another interface
        self.broken = False       # a frame has a wrong checksum: its receiver dropped it
        self.cut = False          # the capture has only the beginning of its frames
        self.completeness = self.initial_rtt = self.community_id = None  # tshark's
        self._packed = bytearray()
        self._since = 0           # frames since the last control flag
        self._last = [None, None]  # by side: the last frame, unless kept
        self._top = [None, None]   # by side: the frame that reaches furthest, unless kept
        self._kinds = set()
        self._fins = [set(), set()]
        self._kept_time = None

    def add(self, frame):
        if self.full:
            return
        if frame.flags & CONTROL:
            self._flush()
            self._since = 0
            if frame.flags & FIN:
                self._fins[frame.side].add(end_of(frame))
        elif not self._is_wanted(frame):
            self._pend(frame)
            return
        self._since += 1
        self._keep(frame)

    def _is_wanted(self, frame):
        kind = frame.side, frame.length > 0, frame.flags & ACK
        fins = self._fins[1 - frame.side]
        if self._since < KEPT_AFTER_CONTROL or kind not in self._kinds:
            self._kinds.add(kind)
            return True
        if frame.ack in fins:
            fins.discard(frame.ack)
            return True
        if frame.time - self._kept_time > KEPT_EVERY:
            self._flush()
            return True
        return False

    def _pend(self, frame):
        side = frame.side
        top = self._top[side]
        self._last[side] = frame
        if top is None or distance(end_of(frame), end_of(top)) > 0:
            self._top[side] = frame

    def _flush(self):
        pending = {f for f in self._last + self._top if f}
        for frame in sorted(pending):
            self._keep(frame)
        self._last, self._top = [None, None], [None, None]

    def _keep(self, frame):
        self._packed += LAYOUT.pack(*frame)
        self._kept_time = frame.time
        self.full = len(self._packed) >= KEPT_AT_MOST * LAYOUT.size

    def frames(self):
        """The kept frames in order of the file."""
        return [Frame._make(fields) for fields in LAYOUT.iter_unpack(bytes(self._packed))]

    def first(self):
        return Frame._make(LAYOUT.unpack_from(self._packed)) if self._packed else None
