# SPDX-License-Identifier: GPL-2.0-or-later
"""A plain reading of a close from its frames: first FINs, their copies and acknowledgments, the resets."""
from stream import ACK, FIN, RST, SYN, end_of

BOTH = "both"           # first_fin_sender where two FINs crossed
UNLISTED = "not listed"  # the record's log had no room for it


class Facts:
    """Pairs are by side."""

    def __init__(self, frames):
        self.fins = [None, None]  # the first FIN
        self.copies = [0, 0]      # further FINs
        self.acks = [None, None]  # the first segment that acknowledges the first FIN
        self.resets = [0, 0]
        for frame in frames:
            self._take(frame)

    def _take(self, frame):
        me, other = frame.side, 1 - frame.side
        if frame.flags & FIN:
            if self.fins[me]:
                self.copies[me] += 1
            else:
                self.fins[me] = frame
        if frame.flags & RST:
            self.resets[me] += 1
        elif frame.flags & ACK and self.fins[other] and not self.acks[other]:
            if frame.ack == end_of(self.fins[other]):
                self.acks[other] = frame

    def first_fin(self):
        """In order of the file."""
        return min((fin for fin in self.fins if fin), key=lambda fin: fin.number, default=None)

    def values(self):
        """{(field, side): value}; side is None where the field has one value."""
        first = self.first_fin()
        found = {("first_fin_sender", None): first and first.side, ("first_fin_time", None): first and first.time}
        for side in (0, 1):
            found["fin_copies", side] = self.copies[side] if self.fins[side] else None
            found["fin_ack_time", side] = self.acks[side] and self.acks[side].time
            found["resets", side] = self.resets[side]
        return found


# ---- how tshark 4.0 computes values in two passes: to see what a frame more or less changes ----

def whole_completeness(frames):
    """tshark's completeness of these frames. Its second pass shows the first one's; a single frame counts if a SYN."""
    lone = len(frames) == 1 and frames[0].flags & (SYN | ACK) != SYN
    return 0 if lone else tshark_completeness(frames)


def tshark_completeness(frames):
    value = 0
    for number, frame in enumerate(frames):
        flags, data = frame.flags & (SYN | ACK), frame.length > 0
        if number == 0 and flags == SYN:
            value |= 1 | 8 * data
        if flags == SYN | ACK:
            value |= 2
        if flags == ACK:
            value |= 8 if data else 4
        if frame.flags & FIN and frame.flags & ACK:
            value |= 16
        if frame.flags & RST:
            value |= 32
    return value


def tshark_initial_rtt(frames):
    """The time from the latest SYN to the first ACK of either side; None for 0."""
    syn = None
    for frame in frames:
        if frame.flags & (SYN | ACK) == SYN:
            syn = frame.time
        elif frame.flags & (SYN | ACK) == ACK and syn and frame.time != syn:
            return frame.time - syn
    return None
