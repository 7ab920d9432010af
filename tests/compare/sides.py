# SPDX-License-Identifier: GPL-2.0-or-later
"""The numbers of each side before a frame, and whether its receiver accepts a FIN or RST (RFC 9293, RFC 5961)."""
from stream import ACK, FIN, NO_SCALE, RST, SYN, distance, end_of

FULL_WINDOW = 0xffff
REORDER = 16 * 2**20  # bytes: numbers further behind are no late segments
JUMP = 2**30          # bytes: no window is wider
MOST_SCALE = 14       # RFC 7323 section 2.3


class Side:
    def __init__(self):
        self.end = None    # highest sequence number sent, plus one
        self.ack = None    # highest acknowledgment number sent
        self.window = 0    # the last one, not scaled
        self.syn = None    # its first SYN or SYN-ACK
        self.astray = False  # the last frame's numbers were far from the earlier ones

    def hear(self, frame, closing):
        if not closing and self._strays(frame):
            return
        end = end_of(frame)
        behind_gap = frame.flags & FIN and self.end is not None and distance(frame.seq, self.end) > 0
        if self.end is None or (0 < distance(end, self.end) < JUMP and not behind_gap):
            self.end = end
        if frame.flags & ACK:
            if self.ack is None or 0 < distance(frame.ack, self.ack) < JUMP:
                self.ack = frame.ack
            self.window = frame.window
        if frame.flags & SYN and self.syn is None:
            self.syn = frame

    def _strays(self, frame):
        """Whether the number is far from all before, for the first time: forged, or behind a gap of the capture."""
        far = self.end is not None and abs(distance(frame.seq, self.end)) > REORDER
        self.astray, strays = far and not self.astray, far and not self.astray
        if far and not strays:
            self.end = self.ack = None
        return strays


class Sides:
    """Both sides, from the frames so far."""

    def __init__(self):
        self.side = Side(), Side()
        self.closing = False  # a FIN was seen: another connection's numbers are no longer accepted

    def hear(self, frame):
        if not frame.flags & RST and not contradicts(frame) and not self._ignores(frame):
            self.side[frame.side].hear(frame, self.closing)
            self.closing |= bool(frame.flags & FIN)

    def _ignores(self, frame):
        """Whether the frame is a SYN with other numbers inside a connection, or an ACK of another SYN."""
        me, peer = self.side[frame.side], self.side[1 - frame.side]
        if frame.flags & SYN:
            return me.end is not None and not (me.syn and me.syn.seq == frame.seq)
        unanswered = peer.syn and not peer.syn.flags & ACK and not me.syn
        return unanswered and frame.flags & ACK and (frame.ack - peer.syn.seq - 1) % 2**32 > peer.syn.length + JUMP

    def window_of(self, side):
        """The largest window that the side may have offered. Scaling needs an offer in both SYNs."""
        me, peer = self.side[side], self.side[1 - side]
        scale = MOST_SCALE
        if me.syn and peer.syn:
            offered = me.syn.scale, peer.syn.scale
            scale = 0 if NO_SCALE in offered else min(me.syn.scale, MOST_SCALE)
        return me.window << scale

    def fin_is_left(self, frame):
        """Whether its sender had sent all of it before, and its receiver acknowledged that (first step as below)."""
        me, peer = self.side[frame.side], self.side[1 - frame.side]
        return None not in (me.end, peer.ack) and all(distance(end_of(frame), n) <= 0 for n in (me.end, peer.ack))

    def fin_is_plausible(self, frame):
        """
        Not beyond what the receiver can have offered, no acknowledgment of what it cannot have sent. What its sender
        had acknowledged before it may acknowledge again, whether the capture has it or not. A FIN with the SYN's number
        is left of the window (RFC 9293 section 3.10.7.4, first step).
        """
        me, peer = self.side[frame.side], self.side[1 - frame.side]
        if me.syn and distance(end_of(frame), (me.syn.seq + 1) % 2**32) <= 0:
            return False
        window = max(self.window_of(1 - frame.side), FULL_WINDOW)
        if me.end is not None:
            if distance(frame.seq, me.end) > window or distance(me.end, end_of(frame)) > REORDER:
                return False
        if me.ack is not None and distance(frame.ack, me.ack) <= 0:
            return True
        return peer.end is None or distance(frame.ack, peer.end) <= window

    def reset_is_acceptable(self, frame):
        """None where what decides was not seen."""
        me, peer = self.side[frame.side], self.side[1 - frame.side]
        if peer.syn and not peer.syn.flags & ACK and not me.syn:  # the receiver is in SYN-SENT
            covered = (frame.ack - peer.syn.seq - 1) % 2**32
            return bool(frame.flags & ACK) and covered <= peer.syn.length
        if me.syn and not peer.syn and peer.ack is None:  # the receiver has not answered the SYN
            return (frame.seq - me.syn.seq) % 2**32 <= me.syn.length + FULL_WINDOW
        if peer.ack is None:
            return None
        ahead = (frame.seq - peer.ack) % 2**32
        return ahead == 2**32 - 1 or frame.seq == me.end or ahead < self.window_of(1 - frame.side) or ahead == 0

    def is_evident(self, frame):
        """Whether a FIN or RST of an unknown connection fits the numbers of both sides."""
        me, peer = self.side[frame.side], self.side[1 - frame.side]
        if me.end is None or peer.end is None:
            return False
        return abs(distance(frame.seq, me.end)) < REORDER and abs(distance(me.ack, peer.end)) < REORDER


def walk(frames):
    """Yields each frame with the sides before it."""
    sides = Sides()
    for frame in frames:
        yield frame, sides
        sides.hear(frame)


def contradicts(frame):
    """Whether the flags contradict each other, so that no receiver acts on them (RFC 9293 section 3.10.7)."""
    if frame.flags & SYN:
        return bool(frame.flags & FIN)
    return frame.flags & (FIN | RST | ACK) == FIN
