# SPDX-License-Identifier: GPL-2.0-or-later
"""The path between two ends: delay, loss, copies and reordering on both sides of the capture."""
import heapq
import itertools

from wire import FIN, RST, SYN

MS = 10**6


class Network:
    """
    quality: probabilities "lost" (on each half of the path), "copied" and "reordered"; "joined": of a retransmission
    that has all that waits. A RST is never lost, so that who is told of the end stays with the history's script.
    """

    def __init__(self, random, quality):
        self.random, self.quality = random, quality
        self.now, self.order, self.events = 0, itertools.count(), []
        self.delay = [random.randrange(5 * 10**4, 20 * MS) for _ in range(2)]  # between each end and the capture
        self.last = {}        # (side, place) -> time of the latest arrival
        self.losses = {}      # (side, number) -> how often that segment was lost
        self.ids = [random.randrange(65536), random.randrange(65536)]
        self.sent, self.capture, self.ends = [], [], []

    def after(self, wait, function, *arguments):
        heapq.heappush(self.events, (self.now + wait, next(self.order), function, arguments))

    def run(self, until):
        while self.events and self.events[0][0] <= until:
            self.now, _, function, arguments = heapq.heappop(self.events)
            function(*arguments)

    # ---- one segment ----

    def happens(self, what):
        return self.random.random() < self.quality.get(what, 0)

    def is_lost(self, s):
        if s.flags & RST or not self.happens("lost"):
            return False
        key = s.side, s.seq, s.end
        self.losses[key] = self.losses.get(key, 0) + 1
        return self.losses[key] <= 3

    def arrival(self, s, place, delay):
        """FIFO, but for what is reordered. Distinct times, so that a capture's order is that of its times."""
        time = max(self.now + delay + self.random.randrange(10**5), self.last.get((s.side, place), 0) + 1000)
        if not s.flags & (RST | SYN | FIN) and self.happens("reordered"):
            return time + self.random.randrange(2 * MS, 40 * MS)
        self.last[s.side, place] = time
        return time

    def transmit(self, s, identify=True):
        if identify:
            self.ids[s.side] = (self.ids[s.side] + 1) % 65536
            s.ip_id = self.ids[s.side]
        s.sent = self.now
        self.sent.append(s)
        if self.is_lost(s):
            return
        time = self.arrival(s, 0, self.delay[s.side])
        self.after(time - self.now, self.pass_capture, s)

    def pass_capture(self, s):
        s.seen = self.now
        self.capture.append(s)
        if self.is_lost(s):
            return
        time = self.arrival(s, 1, self.delay[1 - s.side])
        self.after(time - self.now, self.ends[1 - s.side].receive, s)
        if not s.flags & (RST | SYN | FIN) and self.happens("copied"):  # behind the capture, which sees one
            self.after(time - self.now + self.random.randrange(MS), self.ends[1 - s.side].receive, s)

    def inject(self, s):
        """A forgery, which begins where the capture is."""
        s.forged, s.ip_id = True, self.random.randrange(65536)
        s.sent = self.now
        self.sent.append(s)
        self.pass_capture(s)
