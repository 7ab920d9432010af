# SPDX-License-Identifier: GPL-2.0-or-later
"""Which segments make up one connection: a SYN opens one, and what cannot belong to the one before begins another.

RFC 9293 section 3.3.1 names a connection by its two sockets. A tuple is used again when a SYN is answered by a SYN-ACK
that acknowledges it (section 3.5), or comes when the connection before has ended (section 3.6.1).
"""
from segment import ACK, FIN, ORDER, RST, SYN

TWICE = 10**6  # ns: within these, equal packets are one that was captured twice (the page, tcp.captured_twice)


class Connection:
    def __init__(self, source, destination, opener=None):
        self.ends = (source, destination)
        self.opener = opener          # the SYN, or None
        self.segments = []
        self.challenges = 0           # SYNs that were answered by an ACK of an older connection
        self.replaced = False         # its tuple was opened again
        self.attempted = False        # an opening that an older connection's ACK answered, and nothing else

    def start(self):
        """When its SYN was seen; without one, its first segment."""
        return self.opener.time if self.opener else min(segment.time for segment in self.segments)

    def add(self, segment):
        segment.side = int(segment.src != self.ends[0])
        self.segments.append(segment)


def without_doubles(segments):
    """Equal bytes of TCP and the same IP identification within a millisecond are one segment; it counts the others."""
    kept, last = [], {}
    for segment in segments:
        key = (segment.network, segment.src, segment.dst, segment.digest, segment.length, segment.ip_id)
        before = last.get(key)
        # RFC 6864 section 4.1: the identification of an atomic datagram (often 0) tells nothing.
        if before and segment.ip_id != 0 and 0 <= segment.time - before.time <= TWICE:
            before.twice += 1
            continue
        last[key] = segment
        kept.append(segment)
    return kept


def answered_by(segments, at):
    """The first segment after segments[at] that its receiver sends back, or None."""
    opener = segments[at]
    return next((s for s in segments[at + 1:] if s.src == opener.dst), None)


def accepts(answer, opener):
    """A SYN-ACK that acknowledges the SYN, and perhaps its data (RFC 7413)."""
    beyond = (answer.raw_ack - opener.raw_seq) % ORDER
    return answer.has(SYN) and answer.has(ACK) and not answer.has(RST) and 1 <= beyond <= 1 + opener.length


def first_of(segment):
    """The connection that a segment begins. Midstream the lower port is the destination's (the page, tcp.midstream)."""
    if segment.has(SYN) and not segment.has(RST):
        ends = (segment.dst, segment.src) if segment.has(ACK) else (segment.src, segment.dst)
    else:
        ends = (segment.src, segment.dst) if segment.src[1] >= segment.dst[1] else (segment.dst, segment.src)
    opened = segment.has(SYN) and not segment.has(ACK) and not segment.has(RST) and not segment.has(FIN)
    return Connection(*ends, segment if opened else None)


def is_copy(segment, connection):
    """The SYN of the connection again. Without an end in between it is a retransmission (RFC 9293 section 3.8.1)."""
    opener = connection.opener
    return opener is not None and segment.src == opener.src and segment.raw_seq == opener.raw_seq


def crosses(segment, connection):
    """Simultaneous open: the other side's SYN while nothing but SYNs has been sent (RFC 9293 section 3.5)."""
    return connection.opener is not None and segment.src == connection.opener.dst and \
        all(s.has(SYN) and not s.has(ACK) and not s.has(RST) for s in connection.segments)


def near(a, b):
    return min((a - b) % ORDER, (b - a) % ORDER) < 1 << 20


class Tuple:
    """The connections of one pair of sockets in order."""

    def __init__(self, ended):
        self.ended = ended         # tells whether the segments so far end a connection
        self.connections = []
        self.attempt = None        # a SYN in an open connection, not accepted yet: a Connection beside it

    @property
    def now(self):
        return self.connections[-1] if self.connections else None

    def begin(self, connection):
        if self.now:
            self.now.replaced = True
        self.connections.append(connection)
        self.attempt = None

    def opening(self, segments, at):
        """A SYN without ACK: a copy, the other half of a simultaneous open, a new connection, or an attempt at one."""
        segment, now = segments[at], self.now
        if now is None:
            return self.new(segment)
        if crosses(segment, now):
            return now.add(segment)
        if now.opener is None and segment.dst == now.segments[0].src and accepts(now.segments[0], segment):
            now.opener = segment  # two capture queues: the SYN is behind its SYN-ACK in the file
            return now.add(segment)
        over = self.ended(now)
        if is_copy(segment, now) and over != "closed":
            return now.add(segment)
        answer = answered_by(segments, at)
        if (answer and accepts(answer, segment)) or over:
            self.new(segment)
        elif self.attempt and is_copy(segment, self.attempt):
            self.attempt.add(segment)
        else:
            self.attempt = first_of(segment)
            self.attempt.add(segment)
        # RFC 5961 section 4: a SYN in a synchronized state is answered by an ACK, and nothing else comes of it.
        if answer and not answer.has(SYN) and answer.has(ACK) and not answer.has(RST) and not near(
                answer.raw_ack, segment.raw_seq):
            (self.attempt or self.now).challenges += 1
        return None

    def left(self):
        """A SYN that only an older connection's ACK answered: the RFCs do not say whether that is a connection."""
        if self.attempt:
            self.attempt.attempted = True
        return [self.attempt] if self.attempt else []

    def new(self, segment):
        attempt = self.attempt
        if attempt and is_copy(segment, attempt):
            self.begin(attempt)
            attempt.add(segment)
            return
        connection = first_of(segment)
        self.begin(connection)
        connection.add(segment)

    def continues(self, segment):
        """Whether a segment other than a SYN can belong to the connection that has ended: one of its numbers fits."""
        if segment.has(RST):
            return True
        numbers = [segment.raw_seq] + [segment.raw_ack] * segment.has(ACK)
        for known in reversed(self.now.segments):
            same = known.src == segment.src
            other = (known.raw_seq, known.raw_ack) if same else (known.raw_ack, known.raw_seq)
            if any(near(a, b) for a, b in zip(numbers, other)):
                return True
        return False

    def take(self, segments, at):
        segment = segments[at]
        if segment.has(SYN) and not segment.has(ACK) and not segment.has(RST) and not segment.has(FIN):
            self.opening(segments, at)
        elif self.attempt and segment.has(SYN) and accepts(segment, self.attempt.opener):
            self.begin(self.attempt)
            self.now.add(segment)
        elif self.now is None or (not self.continues(segment) and self.ended(self.now)):
            self.begin(first_of(segment))
            self.now.add(segment)
        else:
            self.now.add(segment)


def connections(segments, ended):
    """All connections of a capture. ended(connection): "closed", "reset" or None."""
    tuples = {}
    for segment in without_doubles(segments):
        key = (segment.network, *sorted((segment.src, segment.dst)))
        tuples.setdefault(key, []).append(segment)
    found = []
    for kept in tuples.values():
        pair = Tuple(ended)
        for at in range(len(kept)):
            pair.take(kept, at)
        found += pair.connections + pair.left()
    return sorted(found, key=lambda c: c.start())
