# SPDX-License-Identifier: GPL-2.0-or-later
"""What each end had sent and received when a segment passed: which segments its receiver acts on.

A witness beside the wire does not know whether a segment arrives. It knows bounds of what the receiver expects
(RCV.NXT): from what that has acknowledged to what its peer has sent without a gap. A segment is taken where some value
between them makes it acceptable (RFC 9293 section 3.10.7.4, first and fifth step).
"""
from segment import ACK, FIN, RST, SYN, unwrapped

LARGEST_SCALE = 14  # RFC 7323 section 2.3


class Stream:
    """One direction: what one end sends, and the other acknowledges."""

    def __init__(self):
        self.isn = None     # its SYN's number
        self.first = None   # lowest number known
        self.next = None    # the number behind all that was sent without a gap
        self.high = None    # the number behind all that was sent
        self.acked = None   # SND.UNA: the receiver has said that it has all before
        self.limit = None   # the right edge of the receiver's window
        self.loose = None   # the same with the largest scale, where the scale was not seen
        self.widest = 0     # the largest window that the receiver has offered
        self.beyond = []    # (first, end) of segments behind a gap
        self.gap = False    # numbers were used that no captured segment has

    def known(self):
        return self.next is not None or self.acked is not None

    def lowest_expected(self):
        return self.next if self.acked is None else self.acked

    def highest_expected(self):
        return self.acked if self.next is None else max(self.next, self.acked if self.acked is not None else self.next)

    def sent(self, segment):
        begin, end = segment.seq, segment.end
        if self.next is None:
            self.first = self.next = begin if self.acked is None else min(begin, self.acked)
            self.high = end
        self.high = max(self.high, end)
        self.beyond.append((begin, end))
        self.close_gaps()

    def close_gaps(self):
        for begin, end in sorted(self.beyond):
            if begin <= self.next:
                self.next = max(self.next, end)
        self.beyond = [piece for piece in self.beyond if piece[0] > self.next]

    def acknowledged(self, number):
        self.acked = number if self.acked is None else max(self.acked, number)
        if self.next is not None and number > self.next:
            self.gap = self.gap or number > self.high
            self.next, self.high = number, max(self.high, number)
            self.close_gaps()


class Exchange:
    """Walks through a connection's segments once. self.before[n] are the streams' bounds as segment n passed."""

    def __init__(self, connection):
        self.connection = connection
        self.segments = connection.segments
        self.streams = [Stream(), Stream()]
        self.scales = [None, None]
        self.before = []
        self.unwrap()
        for at, segment in enumerate(self.segments):
            self.before.append([vars(stream).copy() for stream in self.streams])
            segment.valid = self.acceptable(at)
            if segment.valid and not segment.has(RST):
                self.take(segment)

    def unwrap(self):
        near = [None, None]
        for s in self.segments:
            for side, raw in ((s.side, s.raw_seq), (1 - s.side, s.raw_ack if s.has(ACK) else None)):
                if raw is None:
                    continue
                number = raw if near[side] is None else unwrapped(raw, near[side])
                if side == s.side:
                    s.seq = number
                else:
                    s.ack = number
                near[side] = number

    def acceptable(self, at):
        s = self.segments[at]
        out, back = self.streams[s.side], self.streams[1 - s.side]
        if s.has(SYN):
            return self.opens(s, out, back)
        if s.has(RST):
            return True  # reset.py judges them
        if s.short and not self.taken_later(at, s):
            return False  # a datagram that is longer than its frame is no datagram, unless only the capture has cut it
        return self.in_window(at, s, out) and self.acknowledges(at, s, back)

    def opens(self, s, out, back):
        """A SYN is taken once, and its copies; in a synchronized state it is none (RFC 5961 section 4)."""
        if s.has(RST) or s.has(FIN):
            return False
        if s.has(ACK) and back.isn is not None and not back.isn < s.ack <= back.high:
            return False  # RFC 9293 section 3.10.7.3: an acknowledgment of something that was not sent
        return s.seq == out.isn or (out.isn is None and not (self.connection.opener is None and out.known()))

    def in_window(self, at, s, out):
        """RFC 9293 section 3.10.7.4, first step; an old segment without news is dropped as well."""
        if not out.known():
            return True
        low = out.lowest_expected()
        fits = s.end > low or (s.span == 0 and s.seq >= low)
        if s.has(FIN) and s.end == out.acked and s.seq != out.isn:
            return True  # a copy of a FIN that was acknowledged
        if fits and (out.loose is None or s.seq < out.loose or s.seq == out.highest_expected()):
            return True
        return s.seq > low and self.taken_later(at, s)

    def taken_later(self, at, s):
        """The receiver acknowledges exactly its end: it had all before, captured or not."""
        return s.span > 0 and any(o.side != s.side and o.has(ACK) and not o.has(RST) and o.ack == s.end
                                  for o in self.segments[at + 1:])

    def acknowledges(self, at, s, back):
        """RFC 5961 section 5: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT. Without ACK a segment is dropped."""
        if s.ack is None:
            return False
        if back.isn is not None and s.ack <= back.isn:
            return False
        if back.acked is not None and s.ack < back.acked - max(back.widest, 65535):
            return False
        # What was not captured may have been sent: no more of it than a window, and nothing behind a FIN.
        closed = any(o.side != s.side and o.has(FIN) and o.valid for o in self.segments[:at])
        unseen = back.widest if not closed and (back.isn is None or back.acked is not None) else 0
        return back.high is None or s.ack <= back.high + unseen or self.sent_later(at, s)

    def sent_later(self, at, s):
        """An acknowledgment of what was not captured is believed if its sender goes on from there."""
        return any(o.side != s.side and not o.has(RST) and not o.has(SYN) and s.ack <= o.seq + 1 <= s.ack + (1 << 30)
                   and o.has(ACK) and o.ack >= s.seq for o in self.segments[at + 1:]) or \
            any(o.side != s.side and not o.has(RST) and o.end == s.ack and (n > at or o.valid)
                for n, o in enumerate(self.segments))

    def take(self, s):
        out, back = self.streams[s.side], self.streams[1 - s.side]
        if s.has(SYN):
            out.isn = s.seq
            self.scales[s.side] = s.scale
        out.sent(s)
        if s.ack is None:
            return
        back.acknowledged(s.ack)
        window, loosest = self.window_of(s)
        back.widest = max(back.widest, window)
        back.limit = max(back.limit or 0, s.ack + window) if back.limit is not None else s.ack + window
        back.loose = s.ack + loosest if back.loose is None else max(back.loose, s.ack + loosest)

    def window_of(self, s):
        """(window, the largest that it can be). A SYN's is not scaled, and both must offer (RFC 7323 section 2.2)."""
        if s.has(SYN):
            return s.window, s.window
        if any(stream.isn is None for stream in self.streams):
            return s.window, s.window << LARGEST_SCALE
        if any(scale is None for scale in self.scales):
            return s.window, s.window
        window = s.window << min(self.scales[s.side], LARGEST_SCALE)
        return window, window
