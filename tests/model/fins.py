# SPDX-License-Identifier: GPL-2.0-or-later
"""The FIN of each side, its copies, and the segment that acknowledges it (RFC 9293 sections 3.6 and 3.10.7.4)."""
from segment import ACK, FIN, RST, SYN


class Fin:
    """One side's FIN: places in the connection's segments."""

    def __init__(self, place, end, copies):
        self.place, self.end, self.copies = place, end, copies
        self.acked = None      # the first segment that acknowledges it
        self.gone_before = False  # midstream: its first copy was ahead of the capture


def bears(segment):
    """An RST is processed before a FIN in the same segment, and a SYN ends the processing (section 3.10.7.4)."""
    return segment.has(FIN) and not segment.has(RST) and not segment.has(SYN)


def later_data(segments, place, side, end):
    """Nothing follows a FIN: its sender sends beyond it and is acknowledged, so the FIN was not that end's."""
    beyond = [s.end for s in segments[place + 1:] if s.side == side and s.valid and not s.has(RST) and s.end > end]
    return any(s.side != side and s.valid and s.has(ACK) and not s.has(RST) and s.ack > end and beyond
               for s in segments[place + 1:])


def acknowledgment(segments, side, fin):
    """The first segment of the other side that acknowledges the FIN, or None."""
    def acks(segment):
        return segment.side != side and segment.valid and segment.has(ACK) and not segment.has(RST) and \
            segment.ack is not None and segment.ack >= fin.end
    found = [n for n, segment in enumerate(segments) if acks(segment)]
    first = next((n for n in found if n > fin.place), found[0] if found else None)
    # Two capturing CPUs do not write in the order of time: one that is between the FIN and the first by its time is it.
    between = [n for n in found if segments[fin.place].time <= segments[n].time < segments[first].time]
    return min(between, key=lambda n: (segments[n].time, n), default=first)


def fin_of(segments, side):
    """The side's FIN, or None. Of several, the one that is acknowledged; else the first that nothing contradicts."""
    found = {}
    for place, segment in enumerate(segments):
        if segment.side == side and bears(segment):
            if segment.valid or segment.end in found:
                found.setdefault(segment.end, []).append(place)
    fins = [Fin(places[0], end, places[1:]) for end, places in found.items()]
    fins = [fin for fin in fins if not later_data(segments, fin.place, side, fin.end)]
    for fin in fins:
        fin.acked = acknowledgment(segments, side, fin)
    answered = [fin for fin in fins if fin.acked is not None and segments[fin.acked].ack == fin.end]
    return (answered or fins or [None])[0]


def acknowledges(segments, fin, other):
    """Whether the FIN's first copy acknowledges the other side's FIN."""
    return other is not None and segments[fin.place].ack is not None and segments[fin.place].ack >= other.end


def order(segments, fins):
    """Which side's FIN is first by the numbers: 0, 1 or "both"; None without a FIN.

    A FIN that acknowledges the other one was sent behind it. Two that do neither have crossed (section 3.6, figure 13).
    """
    if None in fins:
        return next((side for side in (0, 1) if fins[side]), None)
    behind = [acknowledges(segments, fins[side], fins[1 - side]) for side in (0, 1)]
    if behind[0] == behind[1]:
        return "both"
    return behind.index(False)
